"""Labels drawn by people come in as they are, and go out the same."""

import json

import numpy as np
import pytest
from PIL import Image

from ssd.data import coco, importing, manifest, records

FACES = [[10, 20, 40, 60], [0, 0, 15, 12]]  # ymin xmin ymax xmax, pixels
HEIGHT, WIDTH = 80, 100


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    (folder / "sub").mkdir(parents=True)
    for name in ("a.jpg", "sub/b.jpg"):
        Image.new("RGB", (WIDTH, HEIGHT), "gray").save(folder / name)
    return folder


def to_coco(folder, boxes):
    rows = [
        {"id": i, "image_id": 1, "category_id": 7, "bbox": [x, y, x2 - x, y2 - y], "iscrowd": i % 2}
        for i, (y, x, y2, x2) in enumerate(boxes)
    ]
    path = folder / "coco.json"
    images = [
        {"id": 1, "file_name": "a.jpg", "height": HEIGHT, "width": WIDTH},
        {"id": 2, "file_name": "sub/b.jpg"},
    ]
    categories = [{"id": 7, "name": "face"}]
    path.write_text(json.dumps({"images": images, "annotations": rows, "categories": categories}))
    return path


def to_voc(folder, boxes):
    path = folder / "voc"
    path.mkdir()
    things = "".join(
        f"<object><name>face</name><difficult>{i % 2}</difficult><bndbox><xmin>{x + 1}</xmin>"
        f"<ymin>{y + 1}</ymin><xmax>{x2}</xmax><ymax>{y2}</ymax></bndbox></object>"
        for i, (y, x, y2, x2) in enumerate(boxes)
    )
    size = f"<size><width>{WIDTH}</width><height>{HEIGHT}</height></size>"
    (path / "a.xml").write_text(
        f"<annotation><filename>a.jpg</filename>{size}{things}</annotation>"
    )
    (path / "b.xml").write_text("<annotation><filename>sub/b.jpg</filename></annotation>")
    return path


def to_yolo(folder, boxes):
    path = folder / "yolo"
    (path / "sub").mkdir(parents=True)
    lines = [
        f"0 {(x + x2) / 2 / WIDTH} {(y + y2) / 2 / HEIGHT} {(x2 - x) / WIDTH} {(y2 - y) / HEIGHT}"
        for y, x, y2, x2 in boxes
    ]
    (path / "a.txt").write_text("\n".join(lines))
    return path


def to_wider(folder, boxes):
    path = folder / "wider.txt"
    lines = [
        f"{x} {y} {x2 - x} {y2 - y} 0 0 0 {i % 2} 0 0" for i, (y, x, y2, x2) in enumerate(boxes)
    ]
    lines = ["a.jpg", str(len(boxes)), *lines, "sub/b.jpg", "0", "0 0 0 0 0 0 0 0 0 0"]
    path.write_text("\n".join(lines))
    return path


WRITERS = {"coco": to_coco, "voc": to_voc, "yolo": to_yolo, "wider": to_wider}


@pytest.mark.parametrize("kind", WRITERS)
def test_the_boxes_it_holds_come_in_and_go_out(kind, photos, tmp_path):
    annotations = WRITERS[kind](tmp_path, FACES)
    out = tmp_path / "labels"
    counts, problems = importing.import_labels(kind, annotations, photos, out)
    assert problems == []
    ignored = 0 if kind == "yolo" else 1  # YOLO text has no word for a region to ignore
    assert counts == {
        "photos": 2, "labelled": 2, "boxes": 2 - ignored, "ignored": ignored, "errors": 0
    }  # fmt: skip
    first, second = records.read(out)
    np.testing.assert_allclose(
        first.boxes * np.float32([HEIGHT, WIDTH] * 2), FACES, rtol=0, atol=1e-4
    )
    assert first.class_ids.tolist() == ([1, 1] if kind == "yolo" else [1, -1])
    assert second.filename == "sub/b.jpg"
    assert len(second.boxes) == 0
    # Out as COCO, in again: nothing moved.
    coco.write(out, tmp_path / "out.json")
    importing.import_labels("coco", tmp_path / "out.json", photos, tmp_path / "again")
    for wrote, read in zip(records.read(out), records.read(tmp_path / "again"), strict=True):
        np.testing.assert_allclose(read.boxes, wrote.boxes, atol=1e-4)
        np.testing.assert_array_equal(read.class_ids, wrote.class_ids)
    about = manifest.read(out)
    assert about["complete"]
    assert about["counts"] == counts


def test_large_photos_are_scaled_and_boxes_stay_where_they_are(photos, tmp_path):
    annotations = to_voc(tmp_path, FACES)
    importing.import_labels("voc", annotations, photos, tmp_path / "out", max_side=50)
    first, _ = records.read(tmp_path / "out")
    assert (first.height, first.width) == (40, 50)
    np.testing.assert_allclose(first.boxes[0], np.float32([10 / 80, 0.2, 0.5, 0.6]), atol=1e-6)


def test_broken_lines_cost_a_line_each(photos, tmp_path):
    wider = tmp_path / "wider.txt"
    wider.write_text(
        "a.jpg\n3\n10 10 20 20 0 0 0 0 0 0\n10 10 0 20 0 0 0 0 0 0\nten 10 20 20\n"
        "missing.jpg\n1\n1 1 9 9 0 0 0 0 0 0\nsub/b.jpg\n2\n1 1 9 9 0 0 0 0 0 0\n"
    )
    counts, problems = importing.import_labels("wider", wider, photos, tmp_path / "o1")
    assert counts["labelled"] == 2
    assert counts["boxes"] == 2
    reasons = [reason for _, reason in problems]
    assert len(reasons) == 4
    for part in ("line 5", "no area", "No such file", "wanted 2 faces, found 1"):
        assert any(part in reason for reason in reasons), (part, reasons)
    assert (tmp_path / "o1" / "errors.csv").read_text().count("\n") == 5


def test_broken_coco_voc_and_yolo(photos, tmp_path):
    path = to_coco(tmp_path, FACES)
    truth = json.loads(path.read_text())
    truth["annotations"] += [
        {"image_id": 1, "category_id": 7, "bbox": [1, 2, 3]},
        {"image_id": 9, "category_id": 7, "bbox": [1, 2, 3, 4]},
        {"image_id": 1, "category_id": 8, "bbox": [1, 2, 3, 4]},
    ]
    truth["images"][1].update(height=5, width=5)
    path.write_text(json.dumps(truth))
    counts, problems = importing.import_labels("coco", path, photos, tmp_path / "o1")
    assert [reason.split(":")[0] for _, reason in problems[:3]] == [
        "annotation 2", "annotation 3", "annotation 4"
    ]  # fmt: skip
    assert "annotated at 5x5, the upright photo is 100x80" in problems[3][1]
    assert counts["labelled"] == 1

    folder = to_voc(tmp_path, FACES)
    (folder / "c.xml").write_text("<annotation><filename>a.jpg</fil")
    (folder / "d.xml").write_text(
        "<annotation><filename>a.jpg</filename><object><name>cat</name><bndbox><xmin>1</xmin>"
        "<ymin>1</ymin><xmax>9</xmax><ymax>9</ymax></bndbox></object><object/></annotation>"
    )
    _, problems = importing.import_labels("voc", folder, photos, tmp_path / "o2")
    reasons = [reason for _, reason in problems]
    assert any("no XML" in reason for reason in reasons)
    assert any("object 1: wanted" in reason for reason in reasons)
    assert any("unknown class 'cat'; known: face" in reason for reason in reasons)

    folder = to_yolo(tmp_path, FACES)
    (folder / "a.txt").write_text("0 .5 .5 .2 .2\n3 .5 .5 .2 .2\nface .5 .5\n\n")
    (folder / "gone.txt").write_text("0 .5 .5 .2 .2\n")
    counts, problems = importing.import_labels("yolo", folder, photos, tmp_path / "o3")
    assert [reason.split(",")[0][:7] for _, reason in problems] == ["line 2:", "line 3:", "no phot"]
    assert counts["boxes"] == 1


@pytest.mark.parametrize("kind", ["coco", "voc", "wider"])
def test_annotations_of_another_kind_are_refused_before_anything_is_written(kind, photos, tmp_path):
    other = to_yolo(tmp_path, FACES)
    path = other if kind == "voc" else other / "a.txt"
    with pytest.raises(ValueError, match=r"wanted (coco|COCO|voc|a WIDER)"):
        importing.import_labels(kind, path, photos, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_refusals(photos, tmp_path):
    path = to_coco(tmp_path, FACES)
    with pytest.raises(ValueError, match="wanted one of coco, voc, yolo, wider, got 'csv'"):
        importing.import_labels("csv", path, photos, tmp_path / "out")
    with pytest.raises(ValueError, match="no such folder"):
        importing.import_labels("coco", path, tmp_path / "nowhere", tmp_path / "out")
    with pytest.raises(ValueError, match="there is nothing"):
        importing.import_labels("coco", tmp_path / "nothing.json", photos, tmp_path / "out")
    importing.import_labels("coco", path, photos, tmp_path / "out")
    with pytest.raises(ValueError, match="holds another dataset: its max_side is 640"):
        importing.import_labels("coco", path, photos, tmp_path / "out", max_side=320)


def test_photos_are_found_where_they_lie_now(photos, tmp_path):
    path = to_coco(tmp_path, FACES)
    path.write_text(path.read_text().replace("a.jpg", "on/another/machine/a.jpg"))
    counts, problems = importing.import_labels("coco", path, photos, tmp_path / "out")
    assert (counts["labelled"], problems) == (2, [])


def test_annotations_of_other_photos_are_an_error(photos, tmp_path):
    path = to_coco(tmp_path, FACES)
    (tmp_path / "elsewhere").mkdir()
    with pytest.raises(ValueError, match=r"could use none of the 2 .* a\.jpg: No such file"):
        importing.import_labels("coco", path, tmp_path / "elsewhere", tmp_path / "out")
    assert "sub/b.jpg" in (tmp_path / "out" / "errors.csv").read_text()
    counts, _ = importing.import_labels("coco", path, photos, tmp_path / "out2")
    assert counts["labelled"] == 2


def test_yolo_names_its_own_classes(photos, tmp_path):
    folder = to_yolo(tmp_path, FACES)
    (folder / "classes.txt").write_text("hand\nface\n")
    (folder / "a.txt").write_text("1 .5 .5 .2 .2\n")
    importing.import_labels("yolo", folder, photos, tmp_path / "out", classes=("face", "hand"))
    assert next(records.read(tmp_path / "out")).class_ids.tolist() == [1]

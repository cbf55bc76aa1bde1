"""Labels drawn by people come in as they are, and go out the same."""

import json
import os

import numpy as np
import pytest
from PIL import Image

from distill.__main__ import main as distill
from ssd.__main__ import main
from ssd.data import coco, importing, labels, manifest, records
from ssd.lock import lock

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
    imported = importing.import_labels(kind, annotations, photos, out)
    counts = imported.counts
    assert imported.complaints == []
    ignored = 0 if kind == "yolo" else 1  # YOLO text has no word for a region to ignore
    assert counts == {
        **{"photos": 2, "labeled": 2, "empty": 1, "errors": 0},
        **{"boxes": 2 - ignored, "ignored": ignored},
    }
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
    importing.import_labels("voc", annotations, photos, tmp_path / "out", max_side=np.int64(50))
    first, _ = records.read(tmp_path / "out")
    assert (first.height, first.width) == (40, 50)
    np.testing.assert_allclose(first.boxes[0], np.float32([10 / 80, 0.2, 0.5, 0.6]), atol=1e-6)


def lines(imported):
    """What was said, a line each: name, reason (detail): what became of it."""
    return [complaint.line for complaint in imported.complaints]


def test_what_wider_does_wrong_costs_a_line_and_its_photo(photos, tmp_path):
    (photos / "c.jpg").write_bytes((photos / "a.jpg").read_bytes())
    wider = tmp_path / "wider.txt"
    wider.write_text(
        "a.jpg\n3\n10 10 20 20 0 0 0 0 0 0\n10 10 0 20 0 0 0 0 0 0\nten 10 20 20\n"
        "missing.jpg\n1\n1 1 9 9 0 0 0 0 0 0\nsub/b.jpg\n2\n1 1 9 9 0 0 0 0 0 0\n"
        "c.jpg\n1\n60 50 -20 -30 0 0 0 0 0 0\n"
    )
    imported = importing.import_labels("wider", wider, photos, tmp_path / "o1")
    assert lines(imported) == [
        "a.jpg: a box without area (line 4: '10 10 0 20 0 0 0 0 0 0'): dropped",
        "a.jpg: a box whose place cannot be told (line 5: 'ten 10 20 20'): left out",
        "sub/b.jpg: fewer faces than it counts (wanted 2 faces, found 1): left out",
        "c.jpg: corners out of order (line 14: '60 50 -20 -30 0 0 0 0 0 0'): repaired",
        "missing.jpg: no such photo: left out",
    ]
    assert (tmp_path / "o1" / "errors.csv").read_text().count("\n") == 6
    (kept,) = records.read(tmp_path / "o1")
    assert kept.filename == "c.jpg"
    np.testing.assert_allclose(kept.boxes, [[20 / 80, 0.4, 50 / 80, 0.6]], atol=1e-6)
    assert imported.counts == {
        "photos": 4, "labeled": 1, "empty": 0, "boxes": 1, "ignored": 0, "errors": 5
    }  # fmt: skip
    assert imported.boxes == {
        ("repaired", "corners out of order"): 1,
        ("dropped", "a box without area"): 1,
        ("left out", "a box whose place cannot be told"): 1,
        ("left out", "fewer faces than it counts"): 1,
        ("left out", "on a photo with such a box"): 2,
        ("left out", "no such photo"): 1,
    }
    assert str(imported).splitlines()[:2] == [
        "1 photos of 4 taken over, 0 of them empty, 1 boxes, 0 regions to ignore",
        "  1  repaired  corners out of order",
    ]


def test_broken_coco_voc_and_yolo(photos, tmp_path):
    path = to_coco(tmp_path, FACES)
    truth = json.loads(path.read_text())
    truth["annotations"] += [
        {"image_id": 1, "category_id": 8, "bbox": [1, 2, 3, 4]},
        {"image_id": 9, "category_id": 7, "bbox": [1, 2, 3, 4]},
    ]
    truth["images"][1].update(height=5, width=5)
    path.write_text(json.dumps(truth))
    imported = importing.import_labels("coco", path, photos, tmp_path / "o1")
    assert lines(imported) == [
        "a.jpg: a class that is not listed (annotation 2, category_id 8): ignored",
        f"{path}: an annotation of an image that is not listed (annotation 3): dropped",
        "sub/b.jpg: annotated at another shape (annotated at 5x5, the upright photo is 100x80): "
        "left out",
    ]
    assert next(records.read(tmp_path / "o1")).class_ids.tolist() == [1, -1, -1]

    folder = to_voc(tmp_path, FACES)
    (folder / "c.xml").write_text("<annotation><filename>a.jpg</fil")
    (folder / "d.xml").write_text(
        "<annotation><filename>a.jpg</filename><object><name>cat</name><bndbox><xmin>1</xmin>"
        "<ymin>1</ymin><xmax>9</xmax><ymax>9</ymax></bndbox></object></annotation>"
    )
    (folder / "e.xml").write_text("<html/>")
    b = (folder / "d.xml").read_text().replace("a.jpg", "sub/b.jpg").replace("cat", "face")
    (folder / "b.xml").write_text(b)
    said = lines(importing.import_labels("voc", folder, photos, tmp_path / "o2"))
    for part in (
        "c.xml: no XML",
        "e.xml: no VOC annotation (wanted <annotation>, got <html>): left out",
        "a.jpg: named twice, with different sizes: left out",
    ):
        assert any(part in line for line in said), (part, said)

    folder = to_yolo(tmp_path, FACES)
    (folder / "classes.txt").write_text("face\n")
    (folder / "a.txt").write_text("0 .5 .5 .2 .2\n3 .5 .5 .2 .2\n\n")
    (folder / "gone.txt").write_text("0 .5 .5 .2 .2\n")
    imported = importing.import_labels("yolo", folder, photos, tmp_path / "o3")
    assert lines(imported) == [
        "a.jpg: a class number without a name (line 2: '3 .5 .5 .2 .2'): ignored",
        "gone: no such photo: left out",
    ]
    assert imported.counts["boxes"] == 1
    (folder / "a.txt").write_text("0 .5 .5 .2 .2\nface .5 .5\n")
    (folder / "sub" / "b.txt").write_text("face .5 .5 .2 .2\n")
    imported = importing.import_labels("yolo", folder, photos, tmp_path / "o4")
    assert [photo.filename for photo in records.read(tmp_path / "o4")] == ["sub/b.jpg"]


@pytest.mark.parametrize("kind", ["coco", "voc", "wider"])
def test_annotations_of_another_kind_are_refused_before_anything_is_written(kind, photos, tmp_path):
    other = to_yolo(tmp_path, FACES)
    path = other if kind == "voc" else other / "a.txt"
    with pytest.raises(ValueError, match=r"wanted (COCO|a folder of voc|a WIDER)"):
        importing.import_labels(kind, path, photos, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_refusals(photos, tmp_path):
    path = to_coco(tmp_path, FACES)
    with pytest.raises(ValueError, match=r"one of coco, voc, .*, ratings, got 'csv'"):
        importing.import_labels("csv", path, photos, tmp_path / "out")
    with pytest.raises(FileNotFoundError, match="no such folder"):
        importing.import_labels("coco", path, tmp_path / "nowhere", tmp_path / "out")
    with pytest.raises(FileNotFoundError, match="there is nothing"):
        importing.import_labels("coco", tmp_path / "nothing.json", photos, tmp_path / "out")
    importing.import_labels("coco", path, photos, tmp_path / "out")
    with pytest.raises(ValueError, match="holds another dataset: its max_side is 640"):
        importing.import_labels("coco", path, photos, tmp_path / "out", max_side=320)


def test_photos_are_found_where_they_lie_now(photos, tmp_path):
    path = to_coco(tmp_path, FACES)
    path.write_text(path.read_text().replace("a.jpg", "on/another/machine/a.jpg"))
    imported = importing.import_labels("coco", path, photos, tmp_path / "out")
    assert (imported.counts["labeled"], imported.complaints) == (2, [])
    assert [photo.filename for photo in records.read(tmp_path / "out")] == ["a.jpg", "sub/b.jpg"]


def test_annotations_of_other_photos_are_an_error(photos, tmp_path):
    path = to_coco(tmp_path, FACES)
    (tmp_path / "elsewhere").mkdir()
    with pytest.raises(ValueError, match=r"could use none of the 2 .* a\.jpg: no such photo"):
        importing.import_labels("coco", path, tmp_path / "elsewhere", tmp_path / "out")
    assert "sub/b.jpg" in (tmp_path / "out" / "errors.csv").read_text()
    assert not (tmp_path / "out" / "dataset.json").exists()
    imported = importing.import_labels("coco", path, photos, tmp_path / "out")
    assert imported.counts["labeled"] == 2


def test_yolo_names_its_own_classes(photos, tmp_path):
    folder = to_yolo(tmp_path, FACES)
    (folder / "classes.txt").write_text("hand\nface\n")
    (folder / "a.txt").write_text("1 .5 .5 .2 .2\n")
    importing.import_labels("yolo", folder, photos, tmp_path / "out", class_names=("face", "hand"))
    assert next(records.read(tmp_path / "out")).class_ids.tolist() == [1]


def test_a_yolo_folder_of_another_format_is_refused(photos, tmp_path):
    with pytest.raises(ValueError, match=r"found no \.txt in it \(2 \.xml\)"):
        importing.import_labels("yolo", to_voc(tmp_path, FACES), photos, tmp_path / "out")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=r"found no \.txt in it \(no file at all\)"):
        importing.import_labels("yolo", tmp_path / "empty", photos, tmp_path / "out")
    with pytest.raises(ValueError, match="wanted a folder of voc annotations, this is a file"):
        importing.import_labels("voc", to_wider(tmp_path, FACES), photos, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("layout", "file", "text"),
    [
        ("set/labels", "set/data.yaml", "nc: 2\nnames: ['cap', 'face']\n"),
        ("set/labels", "set/data.yaml", '\ufeffnames: [cap, "Face"]  # two\nnc: 2'),
        ("set/labels", "set/data.yaml", "names: [\n  cap, # a\n  'face',\n]\nnc: 2"),
        ("set/labels", "set/data.yaml", "names:\n- cap\n- face\nnc: 2"),
        ("set/labels", "set/data.yaml", "names:\n  0: cap\n  1: face  # it\nnc: 2"),
        ("set/labels", "set/data.yaml", "names: {0: cap, 1: 'face'}"),
        ("set/labels", "set/classes.txt", "cap\nface\n"),
        ("set/labels", "set/labels/classes.txt", "cap\r\nface\r\n"),
        ("set/labels", "set/obj.names", "\ufeffcap\nface\n"),
        ("set/train/labels", "set/data.yaml", "names: [cap, face]"),
        ("set/labels/train", "set/data.yaml", "names: [cap, face]"),
        ("set/labels/train", "set/photos/classes.txt", "cap\nface"),
    ],
)
def test_yolo_names_are_found_where_tools_put_them(tmp_path, layout, file, text):
    photos, labels = tmp_path / "set" / "photos", tmp_path / layout
    for folder in (photos, labels):
        folder.mkdir(parents=True)
    Image.new("RGB", (WIDTH, HEIGHT)).save(photos / "a.jpg")
    (labels / "a.txt").write_text("0 .5 .2 .2 .2\n1 .5 .6 .3 .4\n")
    (tmp_path / file).write_text(text)
    imported = importing.import_labels("yolo", labels, photos, tmp_path / "out")
    (photo,) = records.read(tmp_path / "out")
    assert photo.class_ids.tolist() == [-1, 1]
    assert lines(imported) == ["a.jpg: a class that is not asked for ('cap'; known: face): ignored"]


def test_yolo_names_are_demanded_where_numbers_mean_nothing(photos, tmp_path):
    folder = to_yolo(tmp_path, FACES)
    (folder / "a.txt").write_text("1 .5 .5 .2 .2\n")
    with pytest.raises(ValueError, match="wanted the names of its classes, numbered up to 1, got"):
        importing.import_labels("yolo", folder, photos, tmp_path / "out")
    importing.import_labels("yolo", folder, photos, tmp_path / "o1", class_names=("cap", "face"))
    assert next(records.read(tmp_path / "o1")).class_ids.tolist() == [2]
    (folder / "classes.txt").write_text("cap\nface")
    (folder / "data.yaml").write_text("names: [face, cap]")
    with pytest.raises(ValueError, match=r"wanted one list of classes, has face, cap, and .* cap"):
        importing.import_labels("yolo", folder, photos, tmp_path / "o2")
    (folder / "classes.txt").unlink()
    (folder / "data.yaml").write_text("names: *anchor")
    with pytest.raises(ValueError, match=r"data\.yaml: wanted a list of names"):
        importing.import_labels("yolo", folder, photos, tmp_path / "o2")


@pytest.mark.parametrize(
    ("text", "boxes", "note"),
    [
        ("0 .5 .5 .2 .4 " + ".1 .1 2 " * 5, [[0.3, 0.4, 0.7, 0.6]], "more numbers"),
        ("0 .5 .5 .2 .4 " + ".1 .1 " * 5, [[0.3, 0.4, 0.7, 0.6]], "more numbers"),
        ("0 .5 .5 .2 .4 # face", [[0.3, 0.4, 0.7, 0.6]], "more numbers"),
        ("0 .5 .5 .2 .4 " + "-1 -1 " * 5, [[0.3, 0.4, 0.7, 0.6]], "more numbers"),
        ("0 .1 .1 .3 .1 .3 .4 .1 .4", [[0.1, 0.1, 0.4, 0.3]], "polygon"),
        ("0 .1 .1 .3 .1 .3 .4", [[0.1, 0.1, 0.4, 0.3]], "polygon"),
        # Fifteen numbers among lines of other lengths are a polygon of seven points.
        (
            "0 .1 .1 .3 .1 .3 .4 .1 .4 .1 .3 .1 .2 .1 .15\n0 .5 .5 .6 .5 .6 .6 .5 .6 .5 .55",
            [[0.1, 0.1, 0.4, 0.3], [0.5, 0.5, 0.6, 0.6]],
            "polygon",
        ),
        ("0.0 .5 .5 .2 .4", [[0.3, 0.4, 0.7, 0.6]], None),
        ("0 .5 .5 .2 .4 .87", [[0.3, 0.4, 0.7, 0.6]], None),
        ("FACE .5 .5 .2 .4", [[0.3, 0.4, 0.7, 0.6]], None),
        ("0,.5,.5,.2,.4", [[0.3, 0.4, 0.7, 0.6]], "commas"),
        ("0, 0.5, 0.5, 0.2, 0.4", [[0.3, 0.4, 0.7, 0.6]], "commas"),
        ("0 0,5 0,5 0,2 0,4", [[0.3, 0.4, 0.7, 0.6]], "commas"),
        ("0 .5 .5 -.2 .4", [[0.3, 0.4, 0.7, 0.6]], "corners"),
        ("0 .5 .5 .2 .4\n0 .5 .5 .2 .4", [[0.3, 0.4, 0.7, 0.6]], "twice"),
        ("0 50 50 20 40", None, "place"),
        ("0 .5 .5 nan .4", None, "place"),
        ("0 .5 .5", None, "place"),
        ("0", None, "place"),
        ("\x89PNG \x01", None, "place"),
    ],
)
def test_lines_of_yolo(photos, tmp_path, text, boxes, note):
    folder = to_yolo(tmp_path, FACES)
    (folder / "a.txt").write_text(text)
    (folder / "sub" / "b.txt").write_text("0 .5 .5 .2 .4")
    imported = importing.import_labels("yolo", folder, photos, tmp_path / "out")
    kept = {photo.filename: photo.boxes for photo in records.read(tmp_path / "out")}
    if boxes is None:
        assert "a.jpg" not in kept
    else:
        np.testing.assert_allclose(kept["a.jpg"], boxes, atol=1e-6)
    assert {note in line for line in lines(imported)} == (set() if note is None else {True})


@pytest.mark.parametrize("where", ["root", "images", "train"])
def test_the_usual_layouts_of_yolo(tmp_path, where):
    """The set's root named for both, photos and texts apart, and a split in between."""
    root = tmp_path / "root"
    images = {"root": "images", "images": "images/train", "train": "train/images"}[where]
    labels = images.replace("images", "labels")
    for folder in (images, labels):
        (root / folder).mkdir(parents=True)
    Image.new("RGB", (WIDTH, HEIGHT)).save(root / images / "a.jpg")
    (root / labels / "a.txt").write_text("0 .5 .5 .2 .4")
    (root / "README.dataset.txt").write_text("not of a photo")
    for count, (texts, photos) in enumerate(
        [(root, root), (root / "labels", root / "images"), (root / labels, root / images),
         (root / labels, root), (root, root / images)]
    ):  # fmt: skip
        if texts.is_dir():
            imported = importing.import_labels("yolo", texts, photos, tmp_path / f"out{count}")
            assert (imported.counts["boxes"], imported.complaints) == (1, []), (texts, photos)


def test_a_text_that_two_photos_could_have_leaves_both_out(photos, tmp_path):
    Image.new("RGB", (WIDTH, HEIGHT)).save(photos / "a.png")
    folder = to_yolo(tmp_path, FACES)
    (folder / "sub" / "b.txt").write_text("0 .5 .5 .2 .4")
    imported = importing.import_labels("yolo", folder, photos, tmp_path / "out")
    assert [photo.filename for photo in records.read(tmp_path / "out")] == ["sub/b.jpg"]
    (line,) = lines(imported)
    assert "wanted the name of one photo, 'a' could be a.jpg or a.png" in line


def test_names_of_classes_match_but_for_capitals_or_are_mapped(photos, tmp_path):
    path = to_coco(tmp_path, FACES)
    path.write_text(path.read_text().replace('"face"', '"With_Mask"'))
    with pytest.raises(ValueError, match=r"could use none of its 1 boxes, .* are With_Mask"):
        importing.import_labels("coco", path, photos, tmp_path / "out")
    assert sorted(each.name for each in (tmp_path / "out").iterdir()) == ["errors.csv"]
    for target, ids in (("FACE", [1, -1]), ("ignore", [-1, -1]), ("background", [-1])):
        out = tmp_path / target
        kwargs = {"class_names": ("Face", "with_mask "), "mapping": {"WITH_MASK": target}}
        if target == "FACE":
            importing.import_labels("coco", path, photos, out, **kwargs)
            assert next(records.read(out)).class_ids.tolist() == ids
        else:
            with pytest.raises(ValueError, match="could use none"):
                importing.import_labels("coco", path, photos, out, **kwargs)
    kwargs = {"class_names": ("face", "smile"), "mapping": {"with_mask": "unknown"}}
    importing.import_labels("coco", path, photos, tmp_path / "unknown", **kwargs)
    assert next(records.read(tmp_path / "unknown")).class_ids.tolist() == [-2, -1]
    with pytest.raises(ValueError, match="wanted face, ignore, background or unknown after a=,"):
        importing.import_labels("coco", path, photos, tmp_path / "o2", mapping={"a": "b"})
    with pytest.raises(ValueError, match="classes: wanted different names"):
        importing.import_labels("coco", path, photos, tmp_path / "o2", class_names=("a", "A"))


def test_only_regions_to_ignore_and_photos_of_nothing_are_no_error(photos, tmp_path):
    path = to_coco(tmp_path, FACES)
    truth = json.loads(path.read_text())
    for row in truth["annotations"]:
        row["iscrowd"] = 1
    path.write_text(json.dumps(truth))
    imported = importing.import_labels("coco", path, photos, tmp_path / "out")
    assert imported.boxes == {("ignored", "marked as a region to ignore"): 2}
    path.write_text(json.dumps({**truth, "annotations": []}))
    imported = importing.import_labels("coco", path, photos, tmp_path / "out")
    assert imported.counts["labeled"] == 2


def test_a_complete_import_survives_a_folder_that_went_away(photos, tmp_path):
    path, out = to_coco(tmp_path, FACES), tmp_path / "out"
    importing.import_labels("coco", path, photos, out)
    before = [shard.read_bytes() for shard in records.shards(out)]
    photos.rename(tmp_path / "away")
    photos.mkdir()
    with pytest.raises(ValueError, match="could use none"):
        importing.import_labels("coco", path, photos, out)
    assert [shard.read_bytes() for shard in records.shards(out)] == before
    assert manifest.read(out)["complete"]


def test_voc_repairs(photos, tmp_path):
    folder = tmp_path / "voc"
    (folder / "sub").mkdir(parents=True)

    def write(name, inside, encoding="utf-8"):
        xml = f"<annotation>{inside}</annotation>"
        (folder / name).write_bytes(xml.encode(encoding))

    face = "<object><name>face</name><bndbox>{}</bndbox></object>"
    corners = "<xmin>60</xmin><ymin>70</ymin><xmax>11</xmax><ymax>11</ymax>"
    write("a.xml", face.format(corners), "utf-16")
    write(
        "sub/b.xml",
        "<filename>b.jpg</filename><object><name>face</name><polygon><x1>5</x1><y1>6</y1><x2>20"
        "</x2><y2>6</y2><x3>20</x3><y3>30</y3></polygon></object><object><bndbox><xmin>1</xmin>"
        "<ymin>1</ymin><xmax>9</xmax><ymax>9</ymax></bndbox></object>",
    )
    imported = importing.import_labels("voc", folder, photos, tmp_path / "out")
    a, b = records.read(tmp_path / "out")
    scale = np.float32([HEIGHT, WIDTH] * 2)
    np.testing.assert_allclose(a.boxes * scale, [[10, 10, 70, 60]], atol=1e-4)
    np.testing.assert_allclose(b.boxes * scale, [[6, 5, 30, 20], [0, 0, 9, 9]], atol=1e-4)
    assert b.class_ids.tolist() == [1, -1]
    assert b.filename == "sub/b.jpg"
    assert lines(imported) == [
        "a.xml: no filename, the file's own name: repaired",
        "a: corners out of order (object 0): repaired",
        "sub/b.jpg: no box, bounds of the polygon (object 0): repaired",
        "sub/b.jpg: an object without a name (object 1): ignored",
    ]
    write("a.xml", "<filename>a.jpg</filename>" + face.format("<xmin>1</xmin>"))
    imported = importing.import_labels("voc", folder, photos, tmp_path / "o2")
    assert [photo.filename for photo in records.read(tmp_path / "o2")] == ["sub/b.jpg"]


def test_wider_with_landmarks_and_byte_order_mark(photos, tmp_path):
    path = tmp_path / "wider.txt"
    numbers = " ".join(["1.5"] * 16)
    path.write_text(f"# a.jpg\n10 20 30 40 {numbers}\n# sub/b.jpg\n", encoding="utf-8-sig")
    imported = importing.import_labels("wider", path, photos, tmp_path / "out")
    assert imported.boxes == {("repaired", "more numbers than expected"): 1}
    path.write_text("a.jpg\n10 20 30 40\nsub/b.jpg\n1\n1 1 9 9\n20 20 9 9\n" + "9" * 400)
    imported = importing.import_labels("wider", path, photos, tmp_path / "o2")
    assert "a.jpg: no number of faces after the name: repaired" in lines(imported)
    assert [photo.filename for photo in records.read(tmp_path / "o2")] == ["a.jpg"]


def test_yolo_with_byte_order_marks(photos, tmp_path):
    folder = to_yolo(tmp_path, FACES)
    line = "0 .5 .5 .2 .4\n1 .2 .2 .1 .1\n"
    (folder / "a.txt").write_text(line, encoding="utf-8-sig")
    (folder / "sub" / "b.txt").write_text(line, encoding="utf-16")
    (folder / "classes.txt").write_text("face\nhand\n", encoding="utf-8-sig")
    imported = importing.import_labels("yolo", folder, photos, tmp_path / "out")
    assert imported.counts["boxes"] == imported.counts["ignored"] == 2


def test_two_photos_of_one_id_get_no_face_of_each_other(photos, tmp_path):
    path = to_coco(tmp_path, FACES)
    truth = json.loads(path.read_text())
    truth["images"][1]["id"] = 1
    path.write_text(json.dumps(truth))
    with pytest.raises(ValueError, match=r"none of the 2 that it names .* id that two photos have"):
        importing.import_labels("coco", path, photos, tmp_path / "out")
    assert sorted(each.name for each in (tmp_path / "out").iterdir()) == ["errors.csv"]


def test_two_runs_do_not_write_to_one_folder(photos, tmp_path):
    drawn, out = to_yolo(tmp_path, [(10, 10, 40, 40)]), tmp_path / "out"
    writes = [
        lambda: importing.import_labels("yolo", drawn, photos, out),
        lambda: labels.write_labels(out, []),
    ]
    for write in writes:
        with (
            lock(out / "progress"),
            pytest.raises(ValueError, match="another run is writing to this folder"),
        ):
            write()
        assert os.listdir(out) == ["progress"]
    (out / ".shard-00000.4711.part.tfrecord").write_text("half")  # as a kill may leave
    writes[0]()
    assert not [*out.glob(".*")]
    with pytest.raises(ValueError, match="holds another dataset"):
        writes[1]()


def test_nothing_outside_the_photos_is_read(photos, tmp_path):
    Image.new("RGB", (WIDTH, HEIGHT)).save(tmp_path / "secret.jpg")
    path = to_coco(tmp_path, FACES)
    for name in ("../secret.jpg", "sub/../../secret.jpg", str(tmp_path / "secret.jpg")):
        truth = json.loads(path.read_text())
        truth["images"][0]["file_name"] = name
        path.write_text(json.dumps(truth))
        with pytest.raises(
            ValueError, match=r"could use none of its 1 boxes.*secret\.jpg: no such"
        ):
            importing.import_labels("coco", path, photos, tmp_path / "out")


def test_photos_that_cannot_be_read_are_left_out_and_counted(photos, tmp_path):
    path = to_coco(tmp_path, FACES)
    (photos / "sub" / "b.jpg").write_bytes(b"no photo")
    imported = importing.import_labels("coco", path, photos, tmp_path / "out")
    (line,) = lines(imported)
    assert line.startswith("sub/b.jpg: a photo that cannot be read (")
    assert (imported.counts["photos"], imported.counts["labeled"]) == (2, 1)


def test_names_that_no_encoding_takes(photos, tmp_path):
    path = to_coco(tmp_path, FACES)
    path.write_text(path.read_text().replace("sub/b.jpg", "\\ud800.jpg"))
    imported = importing.import_labels("coco", path, photos, tmp_path / "out")
    assert lines(imported) == [r"\ud800.jpg: no such photo: left out"]


@pytest.fixture
def crops(tmp_path):
    """Three crops, in a folder for each class; what is no photo, or in no class, is passed over."""
    folder = tmp_path / "crops"
    for name in ("neutral/1.jpg", "smiling/2.jpg", "smiling/deeper/3.jpg", "loose.jpg"):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (64, 64), "gray").save(path)
    (folder / "smiling" / "notes.txt").write_text("about them")
    return folder


SMILES = {"class_names": ("face", "smile"), "mapping": {"neutral": "face", "smiling": "smile"}}


def test_crops_in_folders_are_photos_that_a_face_fills(crops, tmp_path):
    imported = importing.import_labels("crops", crops, crops, tmp_path / "out", **SMILES)
    assert imported.counts["boxes"] == imported.counts["labeled"] == 3
    found = {photo.filename: photo for photo in records.read(tmp_path / "out")}
    assert {name: photo.class_ids.tolist() for name, photo in found.items()} == {
        "neutral/1.jpg": [1],
        "smiling/2.jpg": [2],
        "smiling/deeper/3.jpg": [2],
    }
    np.testing.assert_array_equal(found["neutral/1.jpg"].boxes, [[0, 0, 1, 1]])


def test_crops_are_rated_by_name_and_the_face_may_be_a_part_of_them(crops, tmp_path):
    rated = tmp_path / "rated.csv"
    rated.write_text(
        "photo,label,rater\n1.jpg,smile,ann\n1.jpg,smile,bob\nsmiling/2.jpg,ignore,ann\n"
        "3.jpg,unsure,ann\nloose.jpg,,ann\n"
    )
    importing.import_labels(
        "crops", rated, crops, tmp_path / "out", class_names=("face", "smile"),
        mapping={"unsure": "unknown"}, box=(0.25, 0.125, 1.0, 0.875),
    )  # fmt: skip
    found = {photo.filename: photo for photo in records.read(tmp_path / "out")}
    assert {name: photo.class_ids.tolist() for name, photo in found.items()} == {
        "neutral/1.jpg": [2],
        "smiling/2.jpg": [-1],
        "smiling/deeper/3.jpg": [-2],
        "loose.jpg": [],
    }
    np.testing.assert_array_equal(found["neutral/1.jpg"].boxes, [[0.25, 0.125, 1, 0.875]])


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("photo,class\n1.jpg,smile\n1.jpg,face\n", "wanted one class of '1.jpg'"),
        ("photo,class,rater\n1.jpg,smile,ann\n1.jpg,face,bob\n", "distill vote puts several"),
        ("photo,box,class\n1.jpg,0 0 1 1,smile\n", "wanted ratings of whole crops"),
        ("name,class\n1.jpg,smile\n", "found no photo"),
    ],
)
def test_ratings_that_say_no_class_of_a_crop_are_refused(crops, tmp_path, text, wanted):
    (tmp_path / "rated.csv").write_text(text)
    with pytest.raises(ValueError, match=wanted):
        importing.import_labels("crops", tmp_path / "rated.csv", crops, tmp_path / "out", **SMILES)
    assert not list((tmp_path / "out").glob("shard-*"))


def test_crops_want_a_folder_for_each_class_and_a_box_on_the_crop(crops, tmp_path):
    with pytest.raises(ValueError, match="wanted a folder of crops for each class"):
        importing.import_labels("crops", crops / "neutral", crops, tmp_path / "out", **SMILES)
    with pytest.raises(ValueError, match="box: wanted ymin, xmin, ymax, xmax from 0 to 1"):
        importing.import_labels(
            "crops", crops, crops, tmp_path / "out", box=(0.5, 0, 0.5, 1), **SMILES
        )


def test_the_command_takes_a_folder_of_crops_by_itself(crops, tmp_path, capsys):
    words = ["--classes", "face,smile", "--map", "neutral=face,smiling=smile"]
    assert main(["import", "crops", str(crops), str(tmp_path / "out"), *words]) == 0
    assert "3 photos of 3 taken over" in capsys.readouterr().out
    assert main(["import", "yolo", str(crops), str(tmp_path / "other"), *words]) == 2
    assert "wanted the folder of photos between" in capsys.readouterr().err


def test_boxes_that_people_voted_for_become_labels(photos, tmp_path):
    """On the unit square or in pixels: from what two people say to a folder that combine takes."""
    for unit in ((1, 1), (HEIGHT, WIDTH)):
        said = [*np.array([[0.125, 0.25, 0.5, 0.75], [0.5, 0, 0.75, 0.25]]) * (unit * 2)]
        rows = [" ".join(f"{side:g}" for side in box) for box in said]
        for rater, boxes in (("ann", rows), ("bob", rows[:1])):
            lines = [f"a.jpg,{box},face" for box in boxes] + ["sub/b.jpg,,"]
            (tmp_path / f"{rater}.csv").write_text("\n".join(["photo,box,class", *lines]))
        both, out = tmp_path / f"both-{unit[0]}.csv", tmp_path / f"out-{unit[0]}"
        files = [tmp_path / "ann.csv", tmp_path / "bob.csv", both]
        assert distill(["vote", *map(str, files)]) == 0
        assert main(["import", "ratings", *map(str, (both, photos, out))]) == 0
        found = {photo.filename: photo for photo in records.read(out)}
        assert found["a.jpg"].class_ids.tolist() == [1, -1]
        np.testing.assert_allclose(
            found["a.jpg"].boxes, [[0.125, 0.25, 0.5, 0.75], [0.5, 0, 0.75, 0.25]], atol=1e-6
        )
        assert len(found["sub/b.jpg"].boxes) == 0
    combined = tmp_path / "combined"
    folders = [tmp_path / "out-1", tmp_path / f"out-{HEIGHT}"]
    assert distill(["combine", *map(str, folders), str(combined)]) == 0
    assert sum(len(photo.boxes) for photo in records.read(combined)) == 2


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("photo,box,class,rater\na.jpg,0 0 1 1,face,ann\na.jpg,,,bob\n", "by one rater, got 2"),
        ("photo,box,class\na.jpg,,smile\n", "ssd import crops takes these"),
        ("photo,class\n", "found no photo in it"),
    ],
)
def test_ratings_that_are_no_boxes_of_one_rater_are_refused(photos, tmp_path, text, wanted):
    (tmp_path / "rated.csv").write_text(text)
    with pytest.raises(ValueError, match=wanted):
        importing.import_labels("ratings", tmp_path / "rated.csv", photos, tmp_path / "out")
    assert not list((tmp_path / "out").glob("shard-*"))

"""The one reader of COCO: what it repairs, ignores and leaves out, and what it says of that."""

import json
import random

import numpy as np
import pytest

from ssd.photos.annotations import AnnotatedPhoto, Label, find_photos, read_text
from ssd.photos.coco import read_coco

ONE = {"image_id": 1, "category_id": 1, "bbox": [10, 20, 30, 40]}
BOX = (20.0, 10.0, 60.0, 40.0)
A = {"id": 1, "file_name": "a.jpg", "width": 200, "height": 150}
FACE = {"id": 1, "name": "face"}


@pytest.fixture
def read(tmp_path):
    def read(annotations=(ONE,), images=(A,), categories=(FACE,), encoding="utf-8"):
        content = {"images": images, "annotations": annotations, "categories": categories}
        path = tmp_path / "truth.json"
        path.write_bytes(json.dumps(content, ensure_ascii=False).encode(encoding))
        return read_coco(path)

    return read


def test_what_is_as_it_should_be_comes_without_a_complaint(read):
    truth = read([ONE, {**ONE, "bbox": [1, 2, 3, 4], "iscrowd": 1}], [A, {**A, "id": 2}])
    assert truth.class_names == ["face"]
    assert truth.complaints == []
    photo, other = truth.photos
    assert (photo.filename, photo.size, photo.unit) == ("a.jpg", (150, 200), False)
    assert photo.boxes.tolist() == [list(BOX), [2, 1, 6, 4]]
    assert photo.names == ["face", "face"]
    assert photo.ignored.tolist() == [False, True]
    assert other.boxes.shape == (0, 4)
    assert other.ignored.dtype == bool


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252"]
)
def test_encodings(read, encoding):
    truth = read(images=[{**A, "file_name": "Müller.jpg"}], encoding=encoding)
    assert truth.photos[0].filename == "Müller.jpg"


@pytest.mark.parametrize(
    ("size", "wanted"),
    [
        ((None, None), None),
        (("150", "200"), (150, 200)),
        ((150.0, 200), (150, 200)),
        ((0, 0), None),
        ((-1, 200), None),
        ((True, True), None),
        (("tall", "wide"), None),
        ((float("nan"), 200), None),
        ((1e400, 200), None),
    ],
)
def test_sizes_with_gaps_are_the_photos_own(read, size, wanted):
    photo = read(images=[{**A, "height": size[0], "width": size[1]}]).photos[0]
    assert photo.size == wanted
    assert photo.fitted((150, 200), print).boxes.tolist() == [list(BOX)]


@pytest.mark.parametrize(
    ("annotation", "label", "reason", "became"),
    [
        ({**ONE, "category_id": "1"}, Label(BOX, "face"), None, None),
        ({**ONE, "image_id": "1"}, Label(BOX, "face"), None, None),
        ({**ONE, "image_id": 1.0}, Label(BOX, "face"), None, None),
        ({**ONE, "bbox": ["10", "20", "30", 40.0]}, Label(BOX, "face"), None, None),
        (
            {**ONE, "bbox": [40, 60, -30, -40]},
            Label(BOX, "face", False, "corners out of order"),
            "corners out of order",
            "repaired",
        ),
        (
            {"image_id": 1, "category_id": 1, "segmentation": [[10, 20, 40, 20, 40, 60]]},
            Label(BOX, "face", False, "no box, bounds of the polygon"),
            "no box, bounds of the polygon",
            "repaired",
        ),
        (
            {**ONE, "bbox": [0, 0, 0, 0], "segmentation": [[10, 20, 40, 20], [40, 60, 11, 22]]},
            Label(BOX, "face", False, "no box, bounds of the polygon"),
            "no box, bounds of the polygon",
            "repaired",
        ),
        (
            {**ONE, "category_id": 9},
            Label(BOX, None, True, "a class that is not listed"),
            "a class that is not listed",
            "ignored",
        ),
        ({**ONE, "bbox": [5, 5, 0, 0]}, None, "a box without area", "dropped"),
        ({**ONE, "bbox": [5, 5, 0, 9]}, None, "a box without area", "dropped"),
        ({**ONE, "bbox": []}, "unplaced", "place cannot be told", "unplaced"),
        ({**ONE, "bbox": None}, "unplaced", "place cannot be told", "unplaced"),
        ({**ONE, "bbox": [1, 2, 3]}, "unplaced", "place cannot be told", "unplaced"),
        ({**ONE, "bbox": [float("nan")] * 4}, "unplaced", "place cannot be told", "unplaced"),
        ({**ONE, "bbox": [1, 2, float("inf"), 4]}, "unplaced", "place cannot be told", "unplaced"),
        ({**ONE, "bbox": {"x": 1}}, "unplaced", "place cannot be told", "unplaced"),
        ({**ONE, "bbox": [[1], 2, 3, 4]}, "unplaced", "place cannot be told", "unplaced"),
        ({"image_id": 1, "category_id": 1}, "unplaced", "place cannot be told", "unplaced"),
        ({**ONE, "image_id": 9}, None, "an image that is not listed", "dropped"),
        ({**ONE, "image_id": [1]}, None, "an image that is not listed", "dropped"),
        ("no annotation", None, "an image that is not listed", "dropped"),
        (None, None, "an image that is not listed", "dropped"),
    ],
)
def test_what_one_annotation_does_wrong_costs_that_one(read, annotation, label, reason, became):
    good = {**ONE, "bbox": [100, 100, 20, 20]}
    truth = read([annotation, good])
    photo = truth.photos[0]
    wanted = [label] if isinstance(label, Label) else []
    assert photo.labels == [*wanted, Label((100, 100, 120, 120), "face")]
    assert photo.unplaced == (label == "unplaced")
    said = [(complaint.became, reason in str(complaint)) for complaint in truth.complaints]
    assert said == ([(became, True)] if reason else [])
    assert all("annotation 0" in str(complaint) for complaint in truth.complaints)


@pytest.mark.parametrize(
    ("marks", "ignored"),
    [
        ({"iscrowd": 1}, True),
        ({"iscrowd": "1"}, True),
        ({"iscrowd": True}, True),
        ({"iscrowd": 0, "ignore": 1}, True),
        ({"iscrowd": 0, "ignore": 0}, False),
        ({"iscrowd": "0"}, False),
        ({"iscrowd": None}, False),
        ({"iscrowd": False}, False),
    ],
)
def test_regions_to_ignore_however_they_are_marked(read, marks, ignored):
    truth = read([{**ONE, **marks}])
    assert truth.photos[0].ignored.tolist() == [ignored]
    assert truth.complaints == []


def test_what_is_said_twice_counts_once(read):
    truth = read([ONE, ONE, {**ONE, "iscrowd": 1}, {**ONE, "iscrowd": 1}])
    assert truth.photos[0].ignored.tolist() == [False, True]
    assert [complaint.reason for complaint in truth.complaints] == ["a box said twice"] * 2


def test_two_photos_of_one_id_are_left_out_and_others_stay(read):
    images = [A, {**A, "file_name": "b.jpg"}, {**A, "id": 2, "file_name": "c.jpg"}]
    truth = read([ONE, {**ONE, "image_id": 2}], images)
    assert [photo.filename for photo in truth.photos] == ["c.jpg"]
    assert [complaint.name for complaint in truth.complaints] == ["a.jpg", "b.jpg"]
    assert {complaint.became for complaint in truth.complaints} == {"left out"}
    # Three of one id, and one listed twice with the same name.
    assert read([ONE], [*images, {**A, "file_name": "d.jpg"}]).photos[0].filename == "c.jpg"
    assert read([ONE], [A, A]).complaints == []
    # Ids of 17 digits that a float could not tell apart.
    large = [{**A, "id": 2**53 + i, "file_name": f"{i}.jpg"} for i in range(2)]
    assert len(read([], large).photos) == 2


def test_images_and_categories_without_names(read):
    truth = read(
        [ONE, {**ONE, "image_id": 2}, {**ONE, "category_id": 3, "bbox": [1, 1, 5, 5]}],
        [A, {"id": 2}, {"file_name": "x.jpg"}, {**A, "id": 4, "file_name": ""}, 7],
        [FACE, {"id": 2}, {"id": 3, "name": "x"}, {"id": 3, "name": "y"}, None],
    )
    assert [photo.filename for photo in truth.photos] == ["a.jpg"]
    assert truth.photos[0].names == ["face", None]
    assert truth.class_names == ["face"]
    assert len(truth.complaints) == 4 + 3 + 2


@pytest.mark.parametrize(
    "content",
    ["", "[]", "null", "7", "{", '{"images": [], "annotations": []}', "[" * 100_000, "\0\0",
     '{"images": {}, "annotations": [], "categories": []}', "a.jpg\n1\n1 1 9 9"],
)  # fmt: skip
def test_what_is_no_coco_is_refused_in_one_line(tmp_path, content):
    path = tmp_path / "truth.json"
    path.write_text(content)
    with pytest.raises(ValueError, match=r"truth\.json: wanted COCO JSON") as error:
        read_coco(path)
    assert len(str(error.value).splitlines()) == 1
    with pytest.raises(FileNotFoundError, match=r"nowhere\.json"):
        read_coco(tmp_path / "nowhere.json")
    with pytest.raises(ValueError, match="no regular file"):
        read_text(tmp_path)


def test_a_scaled_copy_is_the_same_photo_and_a_turned_one_is_not():
    photo = AnnotatedPhoto("a.jpg", (427, 640), labels=[Label((0, 64, 42.7, 640), "face")])
    np.testing.assert_allclose(
        photo.fitted((2667, 4000), print).boxes, [[0, 400, 266.7, 4000]], rtol=1e-6
    )
    with pytest.raises(ValueError, match="annotated at 640x427, the upright photo is 427x640"):
        photo.fitted((640, 427), print)
    unit = AnnotatedPhoto("a.jpg", unit=True, labels=[Label((0, 0.25, 0.5, 1.5), "face")])
    assert unit.fitted((100, 200), print).boxes.tolist() == [[0, 50, 50, 200]]


def test_a_box_beside_the_photo_is_somewhere_on_it():
    photo, complaints = AnnotatedPhoto("a.jpg", labels=[Label((200, 0, 300, 9), "face")]), []
    fitted = photo.fitted((100, 100), complaints.append)
    assert (fitted.labels, fitted.unplaced) == ([], 1)
    assert str(complaints[0]) == "a box that is not on the photo (200 0 300 9): unplaced"


def test_a_photo_named_twice_is_one_with_all_its_boxes(tmp_path):
    (tmp_path / "a.jpg").touch()
    one, other = Label((0, 0, 9, 9), "face"), Label((5, 5, 9, 9), "face")
    found, complaints = find_photos(
        [
            AnnotatedPhoto("a.jpg", labels=[one]),
            AnnotatedPhoto(".\\A.jpg", labels=[one, other], unplaced=1),
        ],
        tmp_path,
    )
    ((path, photo),) = found
    assert path == "a.jpg"
    assert sorted(photo.labels) == [one, other]
    assert photo.unplaced == 1
    assert [complaint.reason for complaint in complaints] == ["named twice"]


def test_no_photo_gets_the_boxes_of_another(tmp_path):
    for name in ("1.jpg", "train/2.jpg", "val/2.jpg", "3.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    photos = [
        *(AnnotatedPhoto("a/1.jpg"), AnnotatedPhoto("b/1.jpg")),  # both could be 1.jpg
        AnnotatedPhoto("2.jpg"),  # could be two
        *(AnnotatedPhoto("3.jpg", (10, 10)), AnnotatedPhoto("3.jpg", (20, 20))),
        AnnotatedPhoto("4.jpg"),
    ]
    found, complaints = find_photos(photos, tmp_path)
    assert found == []
    assert [complaint.reason for complaint in complaints] == [
        "a name that several photos have",
        "no such photo",
        *["names that lead to one photo"] * 2,
        *["named twice, with different sizes"] * 2,
    ]
    with pytest.raises(FileNotFoundError, match="no such folder"):
        find_photos(photos, tmp_path / "nowhere")


def test_the_order_of_images_annotations_and_categories_changes_nothing(read):
    images = [{**A, "id": i, "file_name": f"{i}.jpg"} for i in range(9)]
    boxes = [
        {**ONE, "image_id": i % 9, "category_id": i % 2, "bbox": [i, i, 9, 9]} for i in range(40)
    ]
    categories = [{"id": 0, "name": "mask"}, FACE]

    def by_name(truth):
        return {photo.filename: sorted(photo.labels) for photo in truth.photos}

    before = by_name(read(boxes, images, categories))
    for rows in (images, boxes, categories):
        random.Random(0).shuffle(rows)
    assert by_name(read(boxes, images, categories)) == before


def test_a_complaint_is_one_line_whatever_the_file_says(read):
    truth = read([{**ONE, "category_id": "a\nb\x1b[2J\u2028"}], [{**A, "file_name": "a\r.jpg"}])
    (complaint,) = truth.complaints
    assert complaint.line.isprintable()
    assert complaint.name == "a\r.jpg"

"""From what a bot saw to labels to train on, and what people said of it, joined by name."""

import json

import numpy as np
import pytest

import ssd
from distill.__main__ import main
from distill.people.joining import apply_ratings, join
from ssd.data import manifest, records

TEACHER = "stand_in_teacher:look"  # a sure face and a doubtful one on each photo
TWO = ("face", "smile")


@pytest.fixture
def captures(tmp_path):
    """What a bot kept of five frames, of which the second is forgotten since."""
    log = ssd.CaptureLog(tmp_path / "seen")
    nothing = ssd.Detections(np.zeros((0, 4)), np.zeros(0), np.zeros(0, int))
    for gray in (20, 60, 100, 140, 180):
        frame = np.full((96, 128, 3), gray, np.uint8)
        log.add(frame, nothing, shape=(480, 640))
    (tmp_path / "seen" / "000000002.png").unlink()
    return tmp_path / "seen"


@pytest.fixture
def labels(captures, tmp_path):
    assert main([str(captures), str(tmp_path / "labels"), "--teacher", TEACHER]) == 0
    return tmp_path / "labels"


def said(folder):
    return {photo.filename: photo.class_ids.tolist() for photo in ssd.read_labels(folder)}


def test_captures_become_labels_and_peoples_csv_gives_them_classes(
    captures, labels, tmp_path, capsys
):
    names = [path.name for path in sorted(captures.glob("*.png"))]
    assert [*said(labels)] == names
    assert set(map(tuple, said(labels).values())) == {(1, -1)}
    csv = tmp_path / "ann.csv"
    csv.write_text(
        "photo,label,rater\n000000001.png,smiling,ann\n000000002.png,smiling,ann\n"
        "000000003.png,neutral,ann\n000000005.png,,ann\n"
    )
    words = ["join", labels, csv, tmp_path / "two", "--classes", "face,smile"]
    words += ["--map", "neutral=face,smiling=smile"]
    capsys.readouterr()
    assert main([*map(str, words)]) == 0
    out, err = capsys.readouterr()
    assert "4 photos, 3 of them rated" in out
    assert "1 rated photos are not among the labels, the first '000000002.png'" in err
    assert manifest.read(tmp_path / "two")["classes"] == [*TWO]
    assert said(tmp_path / "two") == {
        "000000001.png": [2, -1],
        "000000003.png": [1, -1],
        "000000004.png": [records.UNKNOWN, -1],
        "000000005.png": [],
    }
    # What comes out is what training takes.
    config = ssd.Config(image_size=(96, 128), classes=TWO)
    for _, batch in ssd.dataset(tmp_path / "two", config, batch_size=4):
        assert batch[0, 0, 4] == 2
        assert batch[2, 0, 4] == records.UNKNOWN


def test_marks_of_a_person_join_by_name_too(labels, tmp_path):
    before = next(photo for photo in ssd.read_labels(labels) if photo.filename == "000000003.png")
    csv, marks = tmp_path / "ann.csv", tmp_path / "marks.json"
    csv.write_text("photo,class\n000000001.png,smile\n")
    join(labels, [csv], tmp_path / "two", class_names=TWO)
    mark = {"photo": "000000003.png", "box": before.boxes[0].tolist(), "class": "smile"}
    away = {"photo": "000000004.png", "ignore": True}
    marks.write_text(json.dumps({"marks": [mark, away]}))
    assert main(["--review", str(tmp_path / "two"), "--marks", str(marks)]) == 0
    assert said(tmp_path / "two") == {
        "000000001.png": [2, -1],
        "000000003.png": [2, -1],
        "000000004.png": [-1],
        "000000005.png": [records.UNKNOWN, -1],
    }


def photo(boxes, class_ids):
    boxes = np.float32(boxes).reshape(-1, 4)
    return records.LabeledPhoto(
        b"", "a.jpg", 100, 100, boxes, np.int32(class_ids), np.full(len(boxes), 0.5, np.float32)
    )


LARGE, SMALL = [0.0, 0.0, 0.5, 0.5], [0.6, 0.6, 0.8, 0.8]


@pytest.mark.parametrize(
    ("boxes", "class_ids", "ratings", "wanted"),
    [
        ([SMALL, LARGE], [1, 1], [(None, 2)], [-2, 2]),  # the largest is meant
        ([SMALL, LARGE], [1, -1], [(None, 2)], [2, -1]),  # a face before a region
        ([LARGE], [-1], [(None, 1)], [1]),  # what the teacher doubted, a person has seen
        ([SMALL, LARGE], [1, 1], [((0.61, 0.6, 0.8, 0.8), 2)], [2, -2]),  # the one at this place
        ([LARGE], [1], [(tuple(SMALL), 2)], [-2, 2]),  # one that the labels lack
        ([LARGE], [1], [(None, -1)], [-1]),
        ([LARGE], [1], [(None, 0)], []),  # nothing is there
        ([], [], [(None, 0)], []),
        ([], [], [(None, 2)], None),  # a smile, and nobody knows where
    ],
)
def test_ratings_of_a_photo(boxes, class_ids, ratings, wanted):
    joined = apply_ratings(photo(boxes, class_ids), ratings)
    assert (None if joined is None else joined.class_ids.tolist()) == wanted
    if joined is not None:
        sure = joined.class_ids != records.UNKNOWN
        assert (joined.scores[sure & (joined.class_ids > 0)] == 1).all()


def test_labels_of_the_same_classes_keep_them():
    assert apply_ratings(photo([SMALL, LARGE], [2, 1]), [], keeps=True).class_ids.tolist() == [2, 1]


@pytest.mark.parametrize(
    ("csv", "wanted"),
    [
        ("photo,class\na.jpg,grin\n", "'a.jpg': wanted a class of face, smile or ignore"),
        ("photo,class\nb.jpg,smile\n", "wanted one of the photos that were rated, has none"),
        ("photo,class,rater\na.jpg,smile,ann\na.jpg,face,bob\n", "wanted one class, got two"),
        ("photo,box,class\na.jpg,1 2 30 40,face\n", "wanted a box on the unit square"),
    ],
)
def test_bad_ratings_are_refused_and_nothing_is_written(tmp_path, csv, wanted):
    ssd.write_labels(tmp_path / "labels", [photo([LARGE], [1])])
    (tmp_path / "ann.csv").write_text(csv)
    with pytest.raises(ValueError, match=wanted):
        join(tmp_path / "labels", [tmp_path / "ann.csv"], tmp_path / "out", class_names=TWO)
    assert not (tmp_path / "out").exists()

"""Marks of several people: what most say holds, and nothing is learned from what they dispute."""

import itertools
import json

import numpy as np
import pytest
from test_review import photo, write_labels

from distill.__main__ import main
from distill.review.mark_voting import vote_on_marks
from distill.review.marks import apply_marks
from ssd.data import records

FACE, OTHER = [0.1, 0.1, 0.5, 0.3], [0.1, 0.5, 0.5, 0.7]
NEW, NEARLY_NEW, MEAN = [0.5, 0.1, 0.9, 0.3], [0.5, 0.1, 0.9, 0.34], [0.5, 0.1, 0.9, 0.32]


CLASSES = ["face", "smile"]
PHOTOS = [
    photo(name, np.array([FACE, OTHER]) * [100, 200, 100, 200], [1, -1], [0.99, 0.7])
    for name in ("a.jpg", "b.jpg")
]


@pytest.fixture
def labels(tmp_path):
    """Two photos with a face and a region to ignore."""
    return write_labels(tmp_path / "labels", [PHOTOS], classes=CLASSES)


def voted(labels, *people, again=False):
    """(class, box) of all boxes of a.jpg, once the marks of people are taken in.

    The labels are those that nobody has marked, or `again` as they are left by an earlier vote.
    """
    if not again:
        (labels / "progress" / "marked.json").unlink(missing_ok=True)
        records.write_shard(records.shard_path(labels, 0), PHOTOS, class_names=CLASSES)
    files = []
    for number, marks in enumerate(people):
        files.append(labels.parent / f"{number}.json")
        files[-1].write_text(json.dumps({"marks": [{"photo": "a.jpg", **mark} for mark in marks]}))
    apply_marks(labels, *files)
    found = next(each for each in records.read(labels) if each.filename == "a.jpg")
    return [
        (int(class_id), pytest.approx(box, abs=1e-6))
        for class_id, box in zip(found.class_ids, found.boxes.tolist(), strict=True)
    ]


def named(index, **said):
    return {"box": PHOTOS[0].boxes[index].tolist(), **said}


def drawn(box, name="face"):
    return {"box": box, "draw": name}


def test_of_two_both_have_to_drop_a_box(labels):
    drop = named(0, drop=True)
    assert voted(labels, [drop], []) == [(-1, FACE), (-1, OTHER)]
    assert voted(labels, [drop], [drop]) == [(-1, OTHER)]
    assert voted(labels, [drop], [], []) == [(1, FACE), (-1, OTHER)]
    assert voted(labels, [drop], [drop], []) == [(-1, OTHER)]


def test_classes(labels):
    smile, region = named(0, **{"class": "smile"}), named(1, **{"class": "face"})
    assert voted(labels, [smile, region], [smile]) == [(2, FACE), (-1, OTHER)]
    assert voted(labels, [smile], [region]) == [(-1, FACE), (-1, OTHER)]
    assert voted(labels, [region], [region], []) == [(1, FACE), (1, OTHER)]
    drop = named(0, drop=True)
    assert voted(labels, [smile], [drop], []) == [(-1, FACE), (-1, OTHER)]


def test_faces_that_people_draw(labels):
    before = [(1, FACE), (-1, OTHER)]
    assert voted(labels, [drawn(NEW)], [drawn(NEARLY_NEW)]) == [*before, (1, MEAN)]
    assert voted(labels, [drawn(NEW)], []) == [*before, (-1, NEW)]
    assert voted(labels, [drawn(NEW)], [drawn(NEW, "smile")]) == [*before, (-1, NEW)]
    assert voted(labels, [drawn(NEW)], [drawn(NEW)], [drawn(NEW, "smile")]) == [*before, (1, NEW)]
    gone = [drawn(NEW), {"box": NEW, "drop": True}]
    assert voted(labels, gone, [drawn(NEW)], []) == [*before, (-1, NEW)]
    large = [0.1, 0.5, 0.9, 0.9]
    moved = [drawn(large), {"box": large, "move": NEARLY_NEW}]
    assert voted(labels, moved, [drawn(NEW)]) == [*before, (1, MEAN)]


def test_moved_boxes_are_at_the_mean_of_those_who_keep_them(labels):
    move = named(0, move=[0.1, 0.1, 0.5, 0.4])
    assert voted(labels, [move], []) == [(1, [0.1, 0.1, 0.5, 0.35]), (-1, OTHER)]
    assert voted(labels, [move], [move]) == [(1, [0.1, 0.1, 0.5, 0.4]), (-1, OTHER)]
    drop = named(0, drop=True)
    assert voted(labels, [move], [move], [drop]) == [(1, [0.1, 0.1, 0.5, 0.4]), (-1, OTHER)]


def test_a_photo_is_ignored_unless_most_would_learn_from_it(labels):
    ignore = {"ignore": True}
    whole = [(-1, [0, 0, 1, 1])]
    assert voted(labels, [ignore], []) == whole
    assert voted(labels, [ignore], [], []) == [(1, FACE), (-1, OTHER)]
    assert voted(labels, [ignore], [ignore], []) == whole


def test_order_and_what_was_taken_in_before_change_nothing(labels):
    people = [
        [named(0, drop=True), drawn(NEW)],
        [drawn(NEARLY_NEW), {"ignore": False}],
        [named(0, move=[0.1, 0.1, 0.5, 0.4]), named(1, **{"class": "face"})],
    ]
    wanted = [(1, [0.1, 0.1, 0.5, 0.35]), (-1, OTHER), (1, MEAN)]
    for order in itertools.permutations(people):
        voted(labels, order[0])  # one of them first, as if alone
        voted(labels, *order[:2], again=True)
        assert voted(labels, *order, again=True) == wanted


def test_one_persons_marks_are_theirs(labels):
    marks = {"a.jpg": [{"photo": "a.jpg", "ignore": True}], "b.jpg": []}
    assert vote_on_marks([marks]).marks == marks


def test_the_command_says_what_became_of_them(labels, tmp_path, capsys):
    files = []
    for number in range(2):
        drop = {"photo": "a.jpg", **named(0, drop=True)}
        alone = {"photo": "b.jpg", **named(number, **{"class": "smile"})}
        files.append(str(tmp_path / f"{number}.json"))
        (tmp_path / f"{number}.json").write_text(json.dumps({"marks": [drop, alone]}))
    assert main(["--review", str(labels), "--marks", *files]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0] == (
        "marks of 2 people: 1 on which most agree, 2 (66.7 %) on which they do not and which "
        "become regions to ignore"
    )
    (tmp_path / "1.json").write_text('{"marks": [{"photo": "new.jpg", "ignore": true}]}')
    assert main(["--review", str(labels), "--marks", *files]) == 1
    assert "0.json" in (error := capsys.readouterr().err)
    assert "marks the photo 'new.jpg', which" in error

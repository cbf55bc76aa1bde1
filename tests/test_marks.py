"""Marks of a person go into the labels: each once, none by mistake, and none is lost on the way."""

import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image
from test_labeling import files_of, make_photos, options

from distill import labeling
from distill.__main__ import main
from distill.review import marking, marks
from distill.several import label_by_vote
from distill.votes.combining import combine
from ssd.data import coco, manifest, marked, records
from ssd.data.importing import import_labels
from ssd.lock import lock

ROOT = pathlib.Path(__file__).parent.parent


@pytest.fixture
def labels(tmp_path):
    """11 photos in two shards, each with a face (0.99) and a region to ignore (0.7)."""
    folder = make_photos(tmp_path / "photos", 11)
    labeling.label(folder, tmp_path / "out", options())
    return tmp_path / "out"


def boxes_of(labels, name):
    found = {photo.filename: photo for photo in records.read(labels)}
    return found[name].boxes.tolist()


def write_marks(path, *wanted):
    path.write_text(json.dumps({"marks": wanted}))
    return path


def drop(labels, name, index=0, **changes):
    return {"photo": name, "box": boxes_of(labels, name)[index], "drop": True, **changes}


def test_dropped_boxes_go_and_ignored_photos_teach_nothing(labels, tmp_path):
    before = {photo.filename: photo for photo in records.read(labels)}
    file = write_marks(
        tmp_path / "marks.json",
        drop(labels, "0002.jpg", 0),
        drop(labels, "0009.jpg", 1),
        {"photo": "0003.jpg", "ignore": True},
    )
    counts = marks.apply_marks(labels, file)
    after = {photo.filename: photo for photo in records.read(labels)}
    assert list(after) == list(before)
    assert after["0002.jpg"].boxes.tolist() == before["0002.jpg"].boxes[1:].tolist()
    assert after["0002.jpg"].class_ids.tolist() == [records.IGNORE]
    assert after["0009.jpg"].class_ids.tolist() == [1]
    np.testing.assert_array_equal(after["0003.jpg"].boxes, [[0, 0, 1, 1]])
    assert after["0003.jpg"].class_ids.tolist() == [records.IGNORE]
    for name, photo in after.items():
        assert photo.encoded == before[name].encoded
        if name not in ("0002.jpg", "0003.jpg", "0009.jpg"):
            np.testing.assert_array_equal(photo.boxes, before[name].boxes)
    assert (counts["dropped_boxes"], counts["ignored_photos"]) == (2, 1)
    # The summary is what the shards hold.
    classes = np.concatenate([photo.class_ids for photo in after.values()])
    assert counts["boxes"] == np.sum(classes == 1) == 9
    assert counts["ignored"] == np.sum(classes == records.IGNORE) == 10
    assert counts["photos"] == counts["labeled"] == 11


def test_a_later_run_keeps_marks_and_counts_them(labels, tmp_path):
    counts = marks.apply_marks(
        labels, write_marks(tmp_path / "marks.json", drop(labels, "0002.jpg"))
    )
    make_photos(tmp_path / "photos" / "more", 2)
    later = labeling.label(tmp_path / "photos", labels, options())
    assert later["boxes"] == counts["boxes"] + 2 == 12
    assert later["dropped_boxes"] == 1
    assert len(boxes_of(labels, "0002.jpg")) == 1


def test_marks_of_a_run_that_has_not_ended(labels, tmp_path):
    whole = manifest.read(labels)
    unfinished = {field: value for field, value in whole.items() if field != "counts"}
    manifest.write(labels, {**unfinished, "complete": False})
    records.shard_path(labels, 1).unlink()
    counts = marks.apply_marks(
        labels, write_marks(tmp_path / "marks.json", drop(labels, "0002.jpg"))
    )
    assert (counts["boxes"], counts["dropped_boxes"]) == (7, 1)
    assert manifest.read(labels) == {**unfinished, "complete": False}
    counts = labeling.label(tmp_path / "photos", labels, options())
    assert counts == {**whole["counts"], "boxes": 10, "dropped_boxes": 1}


def test_twice_changes_nothing(labels, tmp_path):
    file = write_marks(
        tmp_path / "marks.json", drop(labels, "0002.jpg"), {"photo": "0003.jpg", "ignore": True}
    )
    first = marks.apply_marks(labels, file)
    before = files_of(labels)
    times = {path: path.stat().st_mtime_ns for path in labels.glob("shard-*")}
    assert marks.apply_marks(labels, file) == first
    assert files_of(labels) == before
    assert {path: path.stat().st_mtime_ns for path in labels.glob("shard-*")} == times


def test_marks_can_be_taken_back(labels, tmp_path):
    before = {path.name: path.read_bytes() for path in labels.glob("shard-*")}
    counts = manifest.read(labels)["counts"]
    dropped, ignored = drop(labels, "0002.jpg"), {"photo": "0003.jpg", "ignore": True}
    marks.apply_marks(labels, write_marks(tmp_path / "one.json", dropped))
    marks.apply_marks(
        labels, write_marks(tmp_path / "two.json", ignored, {**ignored, "photo": "0002.jpg"})
    )
    assert set(marked.read(labels)) == {"0002.jpg", "0003.jpg"}  # the first file still holds
    back = [{**dropped, "drop": False}, {**ignored, "ignore": False}]
    back.append({"photo": "0002.jpg", "ignore": False})
    assert marks.apply_marks(labels, write_marks(tmp_path / "back.json", *back)) == counts
    assert {path.name: path.read_bytes() for path in labels.glob("shard-*")} == before
    assert marked.read(labels) == {}


def test_faces_that_one_look_sees_are_counted_without_those_dropped(tmp_path):
    make_photos(tmp_path / "photos", 2)
    chosen = options(teacher="stand_in_teacher:left_handed", second_opinion="mirror")
    out = tmp_path / "out"
    assert labeling.label(tmp_path / "photos", out, chosen)["one_sided"] == 4
    first = write_marks(tmp_path / "marks.json", drop(out, "0000.jpg", 1))
    assert marks.apply_marks(out, first)["one_sided"] == 3
    second = write_marks(tmp_path / "marks.json", {"photo": "0001.jpg", "ignore": True})
    assert marks.apply_marks(out, second)["one_sided"] == 1


def test_labels_drawn_by_people_take_marks(disc_labels, tmp_path):
    labels = tmp_path / "labels"
    labels.mkdir()
    for path in disc_labels.iterdir():
        (labels / path.name).write_bytes(path.read_bytes())
    counts = marks.apply_marks(labels, write_marks(tmp_path / "marks.json", drop(labels, "07.jpg")))
    assert counts["boxes"] == sum(np.sum(photo.class_ids == 1) for photo in records.read(labels))
    assert counts["photos"] == 48


BOX = [0, 0, 0.5, 0.5]


@pytest.mark.parametrize(
    ("content", "wanted"),
    [
        (None, "no such file"),
        (b"\xff\xfe", "no text"),
        (b"photo,box", "no JSON"),
        (b"[]", '{"marks": [...]}'),
        (b'{"marks": [3]}', "got 3"),
        ({"photo": "0002.jpg"}, "wanted a photo with ignore"),
        ({"photo": "0002.jpg", "ignore": "yes"}, "wanted a photo with ignore"),
        ({"photo": "0002.jpg", "box": BOX}, "wanted a photo with ignore"),
        ({"photo": "0002.jpg", "box": [0, 0, 1], "drop": True}, "wanted a photo with ignore"),
        ({"photo": "0002.jpg", "box": [*BOX[:3], True], "drop": True}, "wanted a photo with"),
        ({"photo": "0002.jpg", "box": BOX, "drop": True, "move": BOX}, "wanted a photo with"),
        ({"photo": "0002.jpg", "box": BOX, "drop": "face"}, "wanted a photo with ignore"),
        ({"photo": "0002.jpg", "box": BOX, "draw": True}, "wanted a photo with ignore"),
        ({"photo": "0002.jpg", "box": BOX, "move": "up"}, "wanted a photo with ignore"),
        ({"photo": "0002.jpg", "box": [*BOX[:3], 10**400], "draw": "face"}, "wanted a photo with"),
        ({"photo": "0002.jpg", "box": [*BOX[:3], np.nan], "draw": "face"}, "wanted a photo with"),
        (
            {"photo": "0002.jpg", "box": BOX, "draw": "hand"},
            "face, ignore or unknown on '0002.jpg', got 'hand'",
        ),
        ({"photo": "0002.jpg", "box": BOX, "move": BOX}, "of '0002.jpg', which has no such box"),
        (
            {"photo": "0002.jpg", "box": BOX[:2] * 2, "draw": "face"},
            "of 4 pixels and more on '0002",
        ),
        ({"photo": "absent.jpg", "ignore": True}, "the photo 'absent.jpg', which"),
        ({"photo": "0002.jpg", "box": BOX, "drop": True}, "of '0002.jpg', which has no such box"),
        (
            {"photo": "line\nbreak \udcff.jpg", "ignore": True},
            "the photo 'line\\nbreak \\udcff.jpg'",
        ),
    ],
)
def test_a_wrong_mark_is_one_line_and_harms_nothing(labels, tmp_path, capsys, content, wanted):
    file = tmp_path / "marks.json"
    if isinstance(content, dict):
        write_marks(file, {"photo": "0001.jpg", "ignore": True}, content)
    elif content is not None:
        file.write_bytes(content)
    before = files_of(labels)
    assert main(["--review", str(labels), "--marks", str(file)]) == 1
    error = capsys.readouterr().err
    assert wanted in error
    assert error.count("\n") == 1
    assert files_of(labels) == before


def test_a_folder_without_labels_takes_no_marks(tmp_path):
    file = write_marks(tmp_path / "marks.json", {"photo": "a.jpg", "ignore": True})
    with pytest.raises(FileNotFoundError, match="wanted a folder of labels"):
        marks.apply_marks(tmp_path, file)
    assert os.listdir(tmp_path) == ["marks.json"]


def test_marks_wait_for_no_run_that_writes(labels, tmp_path):
    file = write_marks(tmp_path / "marks.json", {"photo": "0001.jpg", "ignore": True})
    with lock(labels / "progress"), pytest.raises(ValueError, match="another run is writing"):
        marks.apply_marks(labels, file)


@pytest.mark.parametrize("moment", range(1, 8))
def test_stopped_at_every_step_nothing_is_lost(labels, tmp_path, monkeypatch, moment):
    """Each file that is written in turn is the one at which the power fails."""
    file = write_marks(
        tmp_path / "marks.json",
        drop(labels, "0002.jpg"),
        drop(labels, "0009.jpg"),
        mark_of(labels, "0009.jpg", 1, move=[0, 0, 0.5, 0.75]),
        mark_of(labels, "0001.jpg", 1, **{"class": "face"}),
        {"photo": "0009.jpg", "box": [0, 0, 0.5, 0.5], "draw": "face"},
        {"photo": "0010.jpg", "ignore": True},
    )
    undisturbed = tmp_path / "undisturbed"
    undisturbed.mkdir()
    for path in labels.rglob("*"):
        target = undisturbed / path.relative_to(labels)
        target.mkdir() if path.is_dir() else target.write_bytes(path.read_bytes())
    marks.apply_marks(undisturbed, file)
    replace, left = os.replace, [moment]

    def failing(source, target):
        left[0] -= 1
        if left[0] == 0:
            raise OSError("power cut")
        replace(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", failing)
        with pytest.raises(OSError, match="power cut"):
            marks.apply_marks(labels, file)
    # The next run of any kind goes on with them: labeling as well as marking.
    if moment == 1:  # not even the plan was there yet
        marks.apply_marks(labels, file)
    else:
        labeling.label(tmp_path / "photos", labels, options())
    assert files_of(labels) == files_of(undisturbed)


@pytest.mark.slow
def test_killed_on_the_way(tmp_path):
    folder, out = make_photos(tmp_path / "photos", 240), tmp_path / "out"
    labeling.label(folder, out, options())
    wanted = [drop(out, f"{i:04d}.jpg") for i in range(0, 240, 5)]
    file = write_marks(tmp_path / "marks.json", *wanted)
    command = [sys.executable, "-m", "distill", "--review", str(out), "--marks", str(file)]
    paths = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    chance, kills = random.Random(0), 0
    for _ in range(6):
        process = subprocess.Popen(
            command, env={**os.environ, "PYTHONPATH": paths}, stderr=subprocess.DEVNULL
        )
        deadline = time.monotonic() + 60
        journal = out / "progress" / "marking.json"
        while not journal.exists() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.002)
        time.sleep(chance.uniform(0, 0.1))
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            kills += 1
        process.wait()
        assert sum(1 for _ in records.read(out)) == 240  # whole at any moment
    assert kills
    assert main(command[3:]) == 0
    counts = manifest.read(out)["counts"]
    assert counts["dropped_boxes"] == 48
    assert counts["boxes"] == 192 == sum(np.sum(p.class_ids == 1) for p in records.read(out))


def test_what_was_dropped_stays_dropped_when_labels_are_imported_again(tmp_path):
    photos, out = tmp_path / "photos", tmp_path / "out"
    photos.mkdir()
    for name in "abc":
        Image.new("RGB", (100, 80), "gray").save(photos / f"{name}.jpg")
        (photos / f"{name}.txt").write_text("0 .5 .5 .2 .4\n0 .2 .2 .1 .1\n")
    before = import_labels("yolo", photos, photos, out, shard_photos=1)
    ignored = {"photo": "c.jpg", "ignore": True}
    marks.apply_marks(out, write_marks(tmp_path / "marks.json", drop(out, "b.jpg"), ignored))
    whole = list(records.read(out))
    # The same again, with a photo before it that moves all to the next shard, and a box more.
    Image.new("RGB", (100, 80), "gray").save(photos / "0.jpg")
    (photos / "b.txt").write_text("0 .9 .9 .1 .1\n0 .5 .5 .2 .4\n0 .2 .2 .1 .1\n")
    imported = import_labels("yolo", photos, photos, out, shard_photos=1)
    assert imported.boxes["dropped", "marked by a person"] == 3
    assert {"dropped_boxes": 1, "ignored_photos": 1}.items() <= imported.counts.items()
    after = {photo.filename: photo for photo in records.read(out)}
    for photo in whole:
        for box in photo.boxes.tolist():
            assert box in after[photo.filename].boxes.tolist()
        assert len(after[photo.filename].boxes) == len(photo.boxes) + (photo.filename == "b.jpg")
    # And marks can still be taken back.
    entry = marked.read(out)["b.jpg"]
    assert entry["shard"] == "shard-00002.tfrecord"
    taken_back = {"photo": "b.jpg", "box": entry["boxes"][entry["dropped"][0]], "drop": False}
    not_ignored = {"photo": "c.jpg", "ignore": False}
    marks.apply_marks(out, write_marks(tmp_path / "marks.json", taken_back, not_ignored))
    assert marked.read(out) == {}
    assert manifest.read(out)["counts"]["boxes"] == before.counts["boxes"] + 1


def test_an_import_whose_every_box_was_dropped_is_no_error(tmp_path):
    photos, out = tmp_path / "photos", tmp_path / "out"
    photos.mkdir()
    Image.new("RGB", (100, 80), "gray").save(photos / "a.jpg")
    (photos / "a.txt").write_text("0 .5 .5 .2 .4\n")
    import_labels("yolo", photos, photos, out)
    marks.apply_marks(out, write_marks(tmp_path / "marks.json", drop(out, "a.jpg")))
    assert import_labels("yolo", photos, photos, out).counts["boxes"] == 0


# ---- Boxes that a person draws, moves, and gives a class ----


def mark_of(labels, name, index, **said):
    """A mark of a box as it is named before any mark."""
    entry = marked.read(labels).get(name)
    box = entry["boxes"][index] if entry else boxes_of(labels, name)[index]
    return {"photo": name, "box": box, **said}


def labels_of(labels, name):
    found = {photo.filename: photo for photo in records.read(labels)}[name]
    return list(
        zip(found.boxes.tolist(), found.class_ids.tolist(), found.scores.tolist(), strict=True)
    )


def test_boxes_are_drawn_moved_and_given_a_class(labels, tmp_path):
    (face, _, _), (region, _, _) = labels_of(labels, "0002.jpg")
    moved, drawn = [0.125, 0.25, 0.5, 0.75], [0.5, 0.5, 0.75, 1.0]
    counts = marks.apply_marks(
        labels,
        write_marks(
            tmp_path / "marks.json",
            {"photo": "0002.jpg", "box": face, "move": moved},
            {"photo": "0002.jpg", "box": region, "class": "face"},
            {"photo": "0002.jpg", "box": drawn, "draw": "face"},
            {"photo": "0003.jpg", "box": drawn, "draw": "ignore"},
            mark_of(labels, "0004.jpg", 0, **{"class": "ignore"}),
        ),
    )
    assert labels_of(labels, "0002.jpg") == [(moved, 1, 1), (region, 1, 1), (drawn, 1, 1)]
    assert labels_of(labels, "0003.jpg")[2:] == [(drawn, records.IGNORE, 1)]
    assert [label for _, label, _ in labels_of(labels, "0004.jpg")] == [records.IGNORE] * 2
    wanted = {"boxes": 12, "ignored": 12, "drawn_boxes": 2, "moved_boxes": 1, "reclassed_boxes": 2}
    assert wanted.items() <= counts.items()
    assert wanted.items() <= manifest.read(labels)["counts"].items()
    truth = coco.from_photos(records.read(labels), ["face"])
    image = next(i for i in truth["images"] if i["file_name"] == "0002.jpg")
    left, top, wide, high = next(
        a["bbox"] for a in truth["annotations"] if a["image_id"] == image["id"]
    )
    size = [image["height"], image["width"], image["height"], image["width"]]
    place = [top, left, top + high, left + wide]
    np.testing.assert_allclose(np.divide(place, size), moved, atol=1e-4)


def test_a_later_mark_holds_and_each_can_be_taken_back(labels, tmp_path):
    before = {path.name: path.read_bytes() for path in labels.glob("shard-*")}
    name, drawn, elsewhere = "0002.jpg", [0.5, 0.5, 0.75, 1.0], [0.25, 0.25, 0.75, 0.75]
    (face, _, _), (region, _, score) = labels_of(labels, name)
    marks.apply_marks(
        labels,
        write_marks(
            tmp_path / "marks.json",
            {"photo": name, "box": face, "move": drawn},
            {"photo": name, "box": face, "move": elsewhere},
            {"photo": name, "box": drawn, "draw": "ignore"},
            {"photo": name, "box": drawn, "draw": "face"},
            {"photo": name, "box": drawn, "move": elsewhere},
            {"photo": name, "box": region, "class": "face"},
            {"photo": name, "box": region, "class": False},
        ),
    )
    wanted = [(elsewhere, 1, 1), (region, records.IGNORE, score), (elsewhere, 1, 1)]
    assert labels_of(labels, name) == wanted
    # Drawn boxes have the name of the place where they were drawn; another is drawn beside it.
    other = [0.0, 0.0, 0.25, 0.25]
    back = [
        {"photo": name, "box": other, "draw": "face"},
        {"photo": name, "box": other, "move": elsewhere},
        {"photo": name, "box": drawn, "draw": False},
    ]
    marks.apply_marks(labels, write_marks(tmp_path / "marks.json", *back))
    assert marked.read(labels)[name]["moved"] == {"0": elsewhere, "2": elsewhere}
    back = [
        {"photo": name, "box": other, "drop": True},
        {"photo": name, "box": face, "move": False},
    ]
    marks.apply_marks(labels, write_marks(tmp_path / "marks.json", *back))
    assert labels_of(labels, name) == [(face, 1, pytest.approx(0.99)), wanted[1]]
    back = [{"photo": name, "box": box, "draw": False} for box in (other, drawn)]
    marks.apply_marks(labels, write_marks(tmp_path / "marks.json", *back))
    assert marked.read(labels) == {}
    assert {path.name: path.read_bytes() for path in labels.glob("shard-*")} == before


def test_places_are_on_the_photo_and_of_a_least_size(labels, tmp_path):
    photo = next(records.read(labels))
    name, high, wide = photo.filename, photo.height, photo.width
    out = {"photo": name, "box": [-0.5, 0.5, 0.5, 1.5], "draw": "face"}
    least = {"photo": name, "box": [0, 0, marking.LEAST_SIDE / high, 1], "draw": "face"}
    marks.apply_marks(labels, write_marks(tmp_path / "marks.json", out, least))
    assert [box for box, _, _ in labels_of(labels, name)[2:]] == [
        [0, 0.5, 0.5, 1],
        np.float32(least["box"]).tolist(),
    ]
    for wrong in (
        [0, 0, (marking.LEAST_SIDE - 0.5) / high, 1],
        [0, 0, 1, (marking.LEAST_SIDE - 0.5) / wide],
        [0.5, 0.5, 0.4, 0.9],
        [1.5, 0, 2, 1],
    ):
        for said in ({"draw": "face"}, {"move": wrong}):
            box = wrong if "draw" in said else photo.boxes[0].tolist()
            file = write_marks(tmp_path / "marks.json", {"photo": name, "box": box, **said})
            with pytest.raises(ValueError, match=f"of 4 pixels and more on {name!r}, got"):
                marks.apply_marks(labels, file)


def test_a_box_drawn_where_one_is_said_is_that_one(labels, tmp_path):
    name = "0002.jpg"
    (face, _, score), (region, _, _) = labels_of(labels, name)
    first = [mark_of(labels, name, 0, drop=True), mark_of(labels, name, 1, move=[0, 0, 0.5, 0.5])]
    marks.apply_marks(labels, write_marks(tmp_path / "marks.json", *first))
    drawn = [{"photo": name, "box": box, "draw": "face"} for box in (face, region)]
    marks.apply_marks(labels, write_marks(tmp_path / "marks.json", *drawn))
    assert labels_of(labels, name) == [(face, 1, score), (region, 1, 1)]


def test_entries_of_before_boxes_could_be_drawn_are_read(labels, tmp_path):
    marks.apply_marks(labels, write_marks(tmp_path / "marks.json", drop(labels, "0002.jpg")))
    path = labels / "progress" / "marked.json"
    entries = json.loads(path.read_text())
    for field in ("drawn", "moved", "reclassed"):
        del entries["0002.jpg"][field]
    path.write_text(json.dumps(entries))
    drawn = {"photo": "0002.jpg", "box": [0, 0, 0.5, 0.5], "draw": "face"}
    counts = marks.apply_marks(labels, write_marks(tmp_path / "marks.json", drawn))
    assert (counts["dropped_boxes"], counts["drawn_boxes"]) == (1, 1)


def test_of_what_a_person_said_no_look_is_asked(tmp_path):
    make_photos(tmp_path / "photos", 1)
    chosen = options(teacher="stand_in_teacher:left_handed", second_opinion="mirror")
    out = tmp_path / "out"
    assert labeling.label(tmp_path / "photos", out, chosen)["one_sided"] == 2
    first = mark_of(out, "0000.jpg", 1, move=[0, 0, 0.5, 0.5])
    drawn = {"photo": "0000.jpg", "box": [0, 0, 0.5, 0.25], "draw": "ignore"}
    counts = marks.apply_marks(out, write_marks(tmp_path / "marks.json", first, drawn))
    assert (counts["one_sided"], counts["ignored"]) == (1, 3)


@pytest.fixture
def imported(tmp_path):
    """Two photos, imported, with a face (index 0) and a smaller one; and how to do it again."""
    photos, out = tmp_path / "photos", tmp_path / "out"
    photos.mkdir()
    for name in "ab":
        Image.new("RGB", (100, 80), "gray").save(photos / f"{name}.jpg")
        (photos / f"{name}.txt").write_text("0 .5 .5 .2 .4\n0 .2 .2 .1 .1\n")

    def again():
        return import_labels("yolo", photos, photos, out, shard_photos=1)

    again()
    return photos, out, again


def test_what_people_placed_stays_when_labels_are_imported_again(imported, tmp_path):
    photos, out, again = imported
    drawn, moved = [0.5, 0.0, 0.75, 0.25], [0.25, 0.25, 0.75, 0.5]
    marks.apply_marks(
        out,
        write_marks(
            tmp_path / "marks.json",
            {"photo": "b.jpg", "box": drawn, "draw": "face"},
            mark_of(out, "b.jpg", 0, move=moved),
            mark_of(out, "b.jpg", 1, **{"class": "ignore"}),
        ),
    )
    wanted = labels_of(out, "b.jpg")
    counts = manifest.read(out)["counts"]
    Image.new("RGB", (100, 80), "gray").save(photos / "0.jpg")  # all move to another shard
    first = again()
    assert labels_of(out, "b.jpg") == wanted
    assert {**counts, "photos": 3, "labeled": 3, "empty": 1} == first.counts
    assert first.boxes["taken", "marked by a person"] == 1
    assert first.boxes["ignored", "marked by a person"] == 1
    # Whoever annotates corrects the one and takes the other out: the person's word is as it was.
    (photos / "b.txt").write_text("0 .4 .5 .25 .5\n")
    again()
    assert sorted(labels_of(out, "b.jpg")) == sorted(wanted)
    assert marked.read(out)["b.jpg"]["drawn"] == 2  # and the corrected one, moved
    again()
    assert sorted(labels_of(out, "b.jpg")) == sorted(wanted)


def test_a_face_that_came_anew_where_one_is_drawn_is_the_same(imported, tmp_path):
    photos, out, again = imported
    drawn = [0.5, 0.0, 0.75, 0.25]
    marks.apply_marks(
        out,
        write_marks(tmp_path / "marks.json", {"photo": "b.jpg", "box": drawn, "draw": "face"}),
    )
    wanted = labels_of(out, "b.jpg")
    text = (photos / "b.txt").read_text()
    (photos / "b.txt").write_text(text + "0 .13 .62 .25 .25\n")
    again()
    assert labels_of(out, "b.jpg") == wanted
    assert marked.read(out)["b.jpg"]["drawn"] == 0
    (photos / "b.txt").write_text(text)  # and taken out again
    again()
    assert labels_of(out, "b.jpg") == wanted


def test_an_import_whose_every_box_became_a_region_is_no_error(imported, tmp_path):
    _, out, again = imported
    regions = [
        mark_of(out, n, i, **{"class": "ignore"}) for n in ("a.jpg", "b.jpg") for i in (0, 1)
    ]
    marks.apply_marks(out, write_marks(tmp_path / "marks.json", *regions))
    counts = again().counts
    assert (counts["boxes"], counts["ignored"]) == (0, 4)


EDITS = [
    {"photo": "0002.jpg", "box": [0.5, 0.5, 0.75, 0.75], "draw": "face"},
    {"photo": "0003.jpg", "ignore": True},
]


def edit(out, tmp_path):
    """Marks of each kind on photos of the second and the first shard; what the shards hold then."""
    name = "0001.jpg"
    first, second = (photo.boxes.tolist() for photo in [
        next(each for each in records.read(out) if each.filename == photo)
        for photo in (name, "0009.jpg")
    ])  # fmt: skip
    marks.apply_marks(out, write_marks(
        tmp_path / "edits.json",
        *EDITS,
        {"photo": name, "box": first[0], "move": [0.1, 0.1, 0.6, 0.6]},
        {"photo": "0009.jpg", "box": second[0], "class": "ignore"},
        {"photo": "0009.jpg", "box": second[1], "drop": True},
    ))  # fmt: skip
    return {path.name: path.read_bytes() for path in records.shards(out)}


def assert_made_again(out, before, again):
    """Shards that were deleted by hand come back with the marks in them; nothing else changes."""
    about, entries = manifest.read(out), marked.read(out)
    for deleted in (sorted(before)[:1], sorted(before)):
        for name in deleted:
            (out / name).unlink()
        assert again() == about["counts"]
        assert {path.name: path.read_bytes() for path in records.shards(out)} == before
        assert (manifest.read(out), marked.read(out)) == (about, entries)


def test_a_shard_that_was_deleted_comes_back_with_its_marks(labels, tmp_path):
    before = edit(labels, tmp_path)
    assert_made_again(
        labels, before, lambda: labeling.label(tmp_path / "photos", labels, options())
    )


def test_so_it_does_where_raters_were_put_to_the_vote(labels, tmp_path):
    teachers = [options(), options(teacher="stand_in_teacher:left_handed")]
    voted, combined = tmp_path / "voted", tmp_path / "combined"

    def vote():
        return label_by_vote(tmp_path / "photos", voted, teachers)

    def join():
        return combine([labels, voted / "raters" / teachers[1].name], combined, shard_photos=8)

    for again, out in ((vote, voted), (join, combined)):
        again()
        assert_made_again(out, edit(out, tmp_path), again)

"""Folders of labels joined by the names of their photos."""

import os
import signal
import subprocess
import sys

import numpy as np
import pytest
from test_voting import photo

from distill.__main__ import main
from distill.votes.combining import combine
from distill.votes.rules import Rules
from ssd.data import manifest, records
from ssd.lock import lock

NAMES = ["a.jpg", "b.jpg", "c.jpg"]


def folder(path, photos, classes=("face",), shard_photos=100, **about):
    path.mkdir()
    for index, start in enumerate(range(0, max(len(photos), 1), shard_photos)):
        shard = photos[start : start + shard_photos]
        records.write_shard(records.shard_path(path, index), shard, class_names=classes)
    manifest.write(path, {"classes": list(classes), "complete": True, **about})
    return path


def labels(path, rows, **about):
    return folder(path, [photo(row, name) for name, row in rows.items()], **about)


@pytest.fixture
def two(tmp_path):
    first = labels(tmp_path / "first", {name: [(0.1, 1, 0.99)] for name in NAMES})
    rows = {"c.jpg": [(0.5, 1, 0.7)], "a.jpg": [(0.1, 1, 0.9)], "b.jpg": []}
    return first, labels(tmp_path / "second", rows, shard_photos=1)


def said(out):
    return {photo.filename: sorted(photo.class_ids.tolist()) for photo in records.read(out)}


def files_of(out):
    return {path.name: path.read_bytes() for path in out.iterdir() if path.is_file()}


def test_two_folders_become_one_whatever_their_order(two, tmp_path):
    counts = combine(two, tmp_path / "out", shard_photos=2)
    assert counts == {"photos": 3, "boxes": 1, "ignored": 3, "left_out": 0}
    assert len(records.shards(tmp_path / "out")) == 2
    assert said(tmp_path / "out") == {"a.jpg": [1], "b.jpg": [-1], "c.jpg": [-1] * 2}
    about = manifest.read(tmp_path / "out")
    assert about["counts"] == counts
    assert sorted(about["comparison"]["raters"]) == ["first", "second"]
    assert combine(two[::-1], tmp_path / "other", shard_photos=2) == counts
    assert files_of(tmp_path / "out") == files_of(tmp_path / "other")


def test_done_is_done_and_other_rules_are_refused(two, tmp_path):
    out = tmp_path / "out"
    counts = combine(two, out)
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*")}
    assert combine(two, out) == counts
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*")} == before
    with pytest.raises(ValueError, match=r"holds another dataset: its trusted_score is 0\.9"):
        combine(two, out, rules=Rules(trusted_score=0.5))
    with pytest.raises(ValueError, match="holds another dataset: its kept is"):
        combine(two, out, kept=two[:1])


@pytest.mark.parametrize("complete", [True, False])
def test_labels_that_have_changed_since_are_noticed(two, tmp_path, complete):
    out = tmp_path / "out"
    combine(two, out)
    manifest.write(out, {**manifest.read(out), "complete": complete})
    path = records.shards(two[1])[0]
    (old,) = records.read_shard(path)
    records.write_shard(path, [old._replace(scores=old.scores * np.float32(0.9))])
    with pytest.raises(ValueError, match=r"second: its labels have changed since .*out was"):
        combine(two, out)
    records.write_shard(path, [old])
    combine(two, out)


def test_photos_that_not_all_have_are_left_out_and_counted(tmp_path):
    face = [(0.1, 1, 0.9)]
    first = labels(tmp_path / "first", {"a.jpg": face, "b.jpg": face})
    second = labels(tmp_path / "second", {"b.jpg": face, "x.jpg": face, "y.jpg": face})
    counts = combine([first, second], tmp_path / "out")
    assert counts == {"photos": 1, "boxes": 1, "ignored": 0, "left_out": 3}
    third = labels(tmp_path / "third", {"z.jpg": face})
    with pytest.raises(ValueError, match="wanted labels of the same photos, got none in common"):
        combine([first, third], tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_a_folder_can_be_kept_or_give_the_geometry(two, tmp_path):
    first = two[0]
    combine(two, tmp_path / "kept", kept=[first])
    assert said(tmp_path / "kept") == {"a.jpg": [1], "b.jpg": [1], "c.jpg": [-1, 1]}
    shifted = labels(tmp_path / "shifted", {name: [(0.12, 1, 0.9)] for name in NAMES})
    for name, left in ((first, 0.1), (shifted, 0.12), (None, 0.11)):
        out = tmp_path / f"geometry {left}"
        combine([first, shifted], out, geometry=name)
        for each in records.read(out):
            np.testing.assert_allclose(each.boxes[0, 1], left, atol=1e-6)


def test_folders_that_do_not_fit_together_are_refused(two, tmp_path):
    first = two[0]
    (tmp_path / "elsewhere").mkdir()
    other = labels(tmp_path / "other", {"a.jpg": []}, classes=("cat",))
    begun = labels(tmp_path / "begun", {"a.jpg": []}, complete=False)
    twice = folder(tmp_path / "twice", [photo([], "a.jpg"), photo([], "a.jpg")])
    for folders, options, wanted in (
        ([first, other], {}, r"other: wanted the classes of .*first, \['face'\], got \['cat'\]"),
        ([first, begun], {}, "begun: wanted labels of a run that has ended"),
        ([first, twice], {}, r"twice: 'a\.jpg' is the name of more than one photo"),
        ([first, first], {}, "wanted two or more folders of labels, each once"),
        ([first], {}, "wanted two or more folders of labels"),
        ([], {}, "wanted two or more folders of labels"),
        ([first, tmp_path / "elsewhere"], {}, r"found no dataset\.json"),
        (two, {"kept": [other]}, "kept: wanted one of the folders to combine, got"),
        (two, {"geometry": other}, "geometry: wanted one of the folders to combine, got"),
        (two, {"shard_photos": 0}, "wanted a positive number"),
    ):
        with pytest.raises((ValueError, FileNotFoundError), match=wanted):
            combine(folders, tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()


def test_two_runs_do_not_share_a_folder(two, tmp_path):
    with (
        lock(tmp_path / "out" / "progress"),
        pytest.raises(ValueError, match="another run is writing to this folder"),
    ):
        combine(two, tmp_path / "out")


def test_the_command_combines_as_the_function_does(two, tmp_path, capsys, monkeypatch):
    first, second = two
    rules = Rules(trusted_score=0.95, min_score_alone=0.8)
    combine(two, tmp_path / "by hand", kept=[first], geometry=second, rules=rules, shard_photos=2)
    words = ["combine", first, second, tmp_path / "out", "--keep", first, "--geometry", second]
    words += ["--trusted-score", "0.95", "--min-score-alone", "0.8", "--shard-photos", "2"]
    assert main([*map(str, words)]) == 0
    assert files_of(tmp_path / "out") == files_of(tmp_path / "by hand")
    text = capsys.readouterr().out
    assert "3 photos of 2 raters, 3 faces, 1 regions to ignore, 0 photos" in text
    assert "edges of second minus those of first, medians" in text
    monkeypatch.chdir(first)
    os.rename(second, first / "combine")
    assert main(["./combine", "labels"]) == 1  # a folder of photos of that name, without photos
    assert "combine: wanted a folder of photos, found none" in capsys.readouterr().err


KILLED = """
import os, signal, sys
from distill.votes.combining import combine
first, second, out = sys.argv[1:]
def stop(done, total):
    os.kill(os.getpid(), signal.SIGKILL)
combine([first, second], out, shard_photos=1, progress=stop)
"""


def test_killed_and_called_again(two, tmp_path):
    combine(two, tmp_path / "whole", shard_photos=1)
    out = tmp_path / "killed"
    command = [sys.executable, "-c", KILLED, *map(str, two), str(out)]
    killed = subprocess.run(command, env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"})
    assert killed.returncode == -signal.SIGKILL
    assert len(records.shards(out)) == 1
    (out / ".shard-00001.1.part.tfrecord").write_bytes(b"half")
    done = []
    combine(two[::-1], out, shard_photos=1, progress=lambda *state: done.append(state))
    assert done == [(1, 3), (2, 3), (3, 3)]
    assert files_of(out) == files_of(tmp_path / "whole")

"""Several teachers in one run: the vote of folders, resumed, and with photos that come later."""

import json
import shutil

import numpy as np
import pytest
from test_labeling import STAND_IN, files_of, make_photos, options, run, until

from distill import label, label_by_vote
from distill.__main__ import main
from distill.votes.combining import combine
from distill.votes.rules import Rules
from ssd.data import manifest, records

LEFT = "stand_in_teacher:left_handed"
NAMES = ["stand_in_teacher.left_handed", "stand_in_teacher.look"]


def raters(**changes):
    return [options(teacher=STAND_IN, **changes), options(teacher=LEFT, **changes)]


@pytest.fixture
def folder(tmp_path):
    return make_photos(tmp_path / "photos", 20)


def labels_of(out):
    """{name: what is on it}, in whatever order."""
    return {
        photo.filename: sorted(
            (*box, class_id, score)
            for box, class_id, score in zip(
                *(each.tolist() for each in (photo.boxes, photo.class_ids, photo.scores)),
                strict=True,
            )
        )
        for photo in records.read(out)
    }


def test_the_vote_of_one_run_is_that_of_folders(folder, tmp_path):
    out, states = tmp_path / "out", []
    counts = label_by_vote(
        folder,
        out,
        raters(),
        kept=NAMES[:1],
        geometry=NAMES[1],
        progress=lambda *state: states.append(state),
    )
    for each in raters():
        label(folder, tmp_path / each.name, each)
        assert labels_of(out / "raters" / each.name) == labels_of(tmp_path / each.name)
    folders = [tmp_path / name for name in NAMES]
    combined = combine(folders, tmp_path / "both", kept=folders[:1], geometry=folders[1])
    assert labels_of(out) == labels_of(tmp_path / "both")
    assert {name: counts[name] for name in ("boxes", "ignored")} == {
        name: combined[name] for name in ("boxes", "ignored")
    }
    assert counts["boxes"] > 0
    assert (counts["photos"], counts["labeled"], counts["left_out"]) == (20, 20, 0)
    assert (states[0], states[-1]) == ((0, 60), (60, 60))
    assert states == sorted(states)
    about = manifest.read(out)
    assert about["complete"]
    assert list(about["raters"]) == NAMES
    assert about["raters"][NAMES[1]]["label"] == 0.95
    by_folder = manifest.read(tmp_path / "both")["comparison"]
    assert sorted(about["comparison"]["faces"]) == sorted(by_folder["faces"])


def test_order_does_not_matter_and_done_is_done(folder, tmp_path):
    counts = label_by_vote(folder, tmp_path / "one", raters())
    assert label_by_vote(folder, tmp_path / "other", raters()[::-1]) == counts
    one = files_of(tmp_path / "one")
    assert one == files_of(tmp_path / "other")
    assert label_by_vote(folder, tmp_path / "one", raters()) == counts
    assert files_of(tmp_path / "one") == one
    with pytest.raises(ValueError, match=r"holds another dataset: its geometry is None"):
        label_by_vote(folder, tmp_path / "one", raters(), geometry=NAMES[0])
    with pytest.raises(ValueError, match=r"holds another dataset: its trusted_score is 0\.9"):
        label_by_vote(folder, tmp_path / "one", raters(), rules=Rules(trusted_score=0.5))
    with pytest.raises(ValueError, match="another dataset: its teacher is None"):
        label(folder, tmp_path / "one", options())


def test_photos_that_come_later_go_into_shards_of_their_own_and_marks_stay(folder, tmp_path):
    out = tmp_path / "out"
    label_by_vote(folder, out, raters())
    mark = tmp_path / "marks.json"
    mark.write_text(json.dumps({"marks": [{"photo": "0003.jpg", "ignore": True}]}))
    assert main(["--review", str(out), "--marks", str(mark)]) == 0
    before = files_of(out)
    make_photos(tmp_path / "more", 25)
    for number in range(20, 25):
        shutil.copy(tmp_path / "more" / f"00{number}.jpg", folder)
    (folder / "broken.jpg").write_bytes(b"broken")
    counts = label_by_vote(folder, out, raters())
    assert (counts["photos"], counts["labeled"], counts["errors"]) == (26, 25, 1)
    assert counts["ignored_photos"] == 1
    assert "broken.jpg" in (out / "errors.csv").read_text()
    after = files_of(out)
    assert {
        name for name in before if name.startswith("shard") and after[name] != before[name]
    } == (set())
    assert labels_of(out)["0003.jpg"] == [(0, 0, 1, 1, -1, 1)]
    assert len(list(records.read(out))) == 25


def test_killed_and_started_again(folder, tmp_path):
    """By the clock, but whenever it comes the end is the same."""
    teachers = ["--teacher", LEFT]
    whole, out = tmp_path / "whole", tmp_path / "killed"
    done = run(folder, whole, *teachers)
    assert done.returncode == 0, done.err
    slow = "stand_in_teacher:unhurried"
    first, second = (out / "raters" / name for name in (NAMES[0], "stand_in_teacher.unhurried"))
    for goal in (first / "shard-00001.tfrecord", second / "shard-00000.tfrecord"):
        process = run(folder, out, *teachers, teacher=slow, wait=False)
        until(goal.exists, process)
        process.kill()
        process.communicate()
        assert not manifest.read(out)["complete"]
    shutil.rmtree(out / "review", ignore_errors=True)
    assert run(folder, out, *teachers, teacher=slow).returncode == 0
    assert labels_of(out) == labels_of(whole)


def test_raters_that_do_not_go_together_are_refused_at_once(folder, tmp_path):
    one, other = raters()
    for given, how, wanted in (
        ([one], {}, "wanted two or more raters, each once, got stand_in"),
        ([one, one], {}, "each once"),
        ([one, other], {"kept": ["mtcnn"]}, "kept: wanted one of stand_in"),
        ([one, other], {"geometry": "mtcnn"}, "geometry: wanted one of stand_in"),
        ([one, options(teacher=LEFT, max_side=320)], {}, "max_side: wanted the same for all"),
    ):
        with pytest.raises(ValueError, match=wanted):
            label_by_vote(folder, tmp_path / "out", given, **how)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="empty: wanted a folder of photos, found none"):
        label_by_vote(tmp_path / "empty", tmp_path / "out", raters())
    assert not (tmp_path / "out").exists()


def test_the_command_names_teachers_as_they_were_given(folder, tmp_path, capsys):
    out = tmp_path / "out"
    words = [str(folder), str(out), "--teacher", STAND_IN, "--teacher", LEFT]
    assert main([*words, "--keep", LEFT, "--geometry", NAMES[1], "--iou-threshold", "0.3"]) == 0
    about = manifest.read(out)
    assert (about["kept"], about["geometry"]) == (NAMES[:1], NAMES[1])
    assert about["iou_threshold"] == 0.3
    text = capsys.readouterr().out
    assert "20 photos labeled" in text
    assert f"edges of {NAMES[1]} minus those of {NAMES[0]}" in text
    assert (out / "review.html").exists()
    photo = next(records.read(out))
    np.testing.assert_allclose(photo.boxes[0], [0.25, 0.25, 0.75, 0.75], atol=1e-6)

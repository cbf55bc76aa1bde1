"""The folder of a run: begun, gone on with, begun again; never taken from anybody."""

import json
import os

import pytest

from ssd.lock import lock
from ssd.training import history
from ssd.training.folder import RunFolder, claim

ABOUT = {"content": "af13", "epochs": 3}


def held(path):
    return sorted(os.listdir(path))


def test_a_new_folder_is_made_and_its_run_noted(tmp_path):
    with claim(tmp_path / "a" / "run", ABOUT) as run:
        assert json.loads(run.note.read_text()) == ABOUT
    with claim(tmp_path / "a" / "run", ABOUT):
        pass


def test_a_folder_of_something_else_is_left_as_it_is(tmp_path):
    (tmp_path / "thesis.txt").write_text("kept")
    with pytest.raises(ValueError, match="wanted an empty folder"), claim(tmp_path, ABOUT):
        pass
    assert held(tmp_path) == ["thesis.txt"]
    with (
        pytest.raises(ValueError, match="it is a file"),
        claim(tmp_path / "thesis.txt", ABOUT),
    ):
        pass


@pytest.mark.parametrize("name", ["lock", ".run.4711.part.json"])
def test_a_run_killed_as_it_began_goes_on(tmp_path, name):
    (tmp_path / name).write_text("{")
    with claim(tmp_path, ABOUT):
        assert held(tmp_path) == ["lock", "run.json"]


@pytest.mark.parametrize("note", ["{", "", json.dumps({**ABOUT, "epochs": 30})])
def test_with_no_epoch_saved_a_run_starts_over(tmp_path, note):
    """With other options, too: there is nothing to lose."""
    (tmp_path / "run.json").write_text(note)
    (tmp_path / "history.csv").write_text("")
    with claim(tmp_path, ABOUT) as run:
        assert json.loads(run.note.read_text()) == ABOUT


@pytest.mark.parametrize(
    ("before", "wanted"),
    [
        (
            {**ABOUT, "epochs": 2},
            r"its epochs is 2, wanted 3; name another folder .* start=.*model.keras \(--start\) to",
        ),
        (
            {**ABOUT, "content": "other"},
            r"labels have changed since it began \(the digest was 'other', wanted 'af13'\); name",
        ),
        ({}, "its labels have changed"),
        ("{", "wanted what the run was asked for"),
        ("[]", "wanted what the run was asked for"),
    ],
)
def test_another_run_is_refused_once_an_epoch_is_saved(tmp_path, before, wanted):
    text = before if isinstance(before, str) else json.dumps(before)
    (tmp_path / "run.json").write_text(text)
    (tmp_path / "model.keras").write_text("weights")
    with pytest.raises(ValueError, match=wanted), claim(tmp_path, ABOUT):
        pass
    assert (tmp_path / "run.json").read_text() == text


def test_other_contents_of_the_same_name_are_another_run(tmp_path):
    """But of a run that began before they were noted, nothing can be said."""
    new = {**ABOUT, "validation_content": "af14", "start_content": None}
    with claim(tmp_path, ABOUT) as run:
        run.saved.write_text("weights")
    with claim(tmp_path, new):
        pass
    run.note.write_text(json.dumps({**new, "validation_content": "other"}))
    with (
        pytest.raises(ValueError, match="its validation labels have changed"),
        claim(tmp_path, new),
    ):
        pass
    run.note.write_text(json.dumps(new))
    other = {**new, "start_content": "af15"}
    with pytest.raises(ValueError, match="its start has changed since"), claim(tmp_path, other):
        pass


def test_two_runs_do_not_train_in_one_folder(tmp_path):
    with (
        lock(tmp_path),
        pytest.raises(ValueError, match="another run is writing to this folder"),
        claim(tmp_path, ABOUT),
    ):
        pass
    assert held(tmp_path) == ["lock"]


@pytest.mark.parametrize(
    "table",
    [b"epoch,loss\n0,\xff\n", b"loss\n1\n", b"epoch,loss\n0\n", b"epoch,loss\n0,1,2\n", b'e,"\n'],
)
def test_a_damaged_history_is_named(tmp_path, table):
    (tmp_path / "history.csv").write_bytes(table)
    with pytest.raises(ValueError, match=r"history\.csv: wanted the table of a run's epochs"):
        history.read(tmp_path / "history.csv")


def test_rows_too_many_are_dropped_and_missing_ones_are_said(tmp_path):
    run = RunFolder(tmp_path)
    run.rewind(0)
    history.write(run.history, [{"epoch": epoch, "loss": 1.0} for epoch in range(3)])
    run.rewind(2)
    assert [row["epoch"] for row in history.read(run.history)] == ["0", "1"]
    with pytest.raises(ValueError, match=r"history\.csv: wanted the 3 epochs of .*keras, got 2"):
        run.rewind(3)

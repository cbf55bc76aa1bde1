"""What examples keep of a folder is of one question; what makes no sense is refused before."""

import argparse
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "examples"))
import asked


@pytest.fixture
def ask(tmp_path):
    """A claim of a folder that lies among the photos."""
    (tmp_path / "out").mkdir()
    (tmp_path / "a.jpg").write_text("a")
    (tmp_path / "start.keras").write_text("weights")

    def ask(**options):
        paths = {"photos": [tmp_path, tmp_path], "start": tmp_path / "start.keras"}
        asked.claim(tmp_path / "out", **{"epochs": 3, "sizes": (1, 2), **paths, **options})

    return ask


def test_the_same_question_goes_on(ask, tmp_path):
    ask()
    (tmp_path / "out" / "model.keras").write_text("trained")
    (tmp_path / ".hidden").write_text("")
    ask()
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "asked.json",
        "model.keras",
    ]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda folder: {"epochs": 4}, "out: wanted epochs 4, but its results are of 3; name"),
        (lambda folder: {"start": None}, r"wanted start None, but its results are of start.keras"),
        (lambda folder: (folder / "start.keras").write_text("other") and {"photos": [folder] * 2},
         "wanted photos"),
        (lambda folder: (folder / "a.jpg").rename(folder / "b.jpg") and {}, "wanted photos"),
        (lambda folder: {"more": 1}, "wanted more 1, but its results are of None"),
    ],
)  # fmt: skip
def test_another_question_is_refused(ask, tmp_path, change, said):
    ask()
    before = (tmp_path / "out" / "asked.json").read_text()
    options = change(tmp_path)
    with pytest.raises(SystemExit, match=said):
        ask(**options)
    assert (tmp_path / "out" / "asked.json").read_text() == before


def test_arguments_that_make_no_sense_are_refused(tmp_path, capsys):
    with pytest.raises(argparse.ArgumentTypeError, match="nowhere: wanted a file or folder"):
        asked.existing(str(tmp_path / "nowhere"))
    assert asked.existing(str(tmp_path)) == tmp_path
    for text in ("0", "-1", "1.5", "many"):
        with pytest.raises(argparse.ArgumentTypeError, match="wanted a whole number of 1 or more"):
            asked.count(text)
    assert asked.count("12") == 12
    asked.different(argparse.ArgumentParser(), "--human", ["a", "b"])
    with pytest.raises(SystemExit):
        asked.different(argparse.ArgumentParser(), "--human", ["a", "b", "a"])
    assert "--human: wanted files of different names, got several a" in capsys.readouterr().err

"""What examples keep of a folder is of one question; what makes no sense is refused before."""

import argparse
import contextlib
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "examples"))
import asked
import demo
import extra_offset
import recipe
import smile


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


@pytest.fixture
def call(tmp_path, monkeypatch):
    """The main function of an example in a process that is killed as its work begins."""
    for name in ("a", "b", "labels"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "human.json").write_text(name)
    (tmp_path / "start.keras").write_text("weights")
    monkeypatch.chdir(tmp_path)
    works = {demo: "step", extra_offset: "run", recipe: "by_teachers", smile: "find_boxes"}

    def call(example, words):
        monkeypatch.setattr(sys, "argv", [example.__name__, *words.split()])

        def killed(*arguments):
            raise KeyboardInterrupt

        monkeypatch.setattr(example, works[example], killed)
        with contextlib.suppress(KeyboardInterrupt):
            example.main()

    return call


@pytest.mark.parametrize(
    ("example", "words", "other", "said"),
    [
        (demo, "out --photos a", "out --photos b", "wanted photos b"),
        (extra_offset, "labels a a/human.json out", "a a a/human.json out", "wanted labels a"),
        (extra_offset, "labels a a/human.json out", "labels b a/human.json out", "wanted photos b"),
        (
            extra_offset,
            "labels a a/human.json out",
            "labels a a/human.json out --epochs 2",
            "wanted epochs 2, but its results are of 12",
        ),
        (
            extra_offset,
            "labels a a/human.json out",
            "labels a a/human.json out --start start.keras",
            r"wanted start start.keras \(.*\), but its results are of None",
        ),
        (recipe, "a out --human a/human.json", "a out --human b/human.json", "wanted human"),
        (recipe, "a out --human a/human.json", "a out", r"wanted human \[\]"),
        (smile, "a labels out", "b labels out", "wanted smiles b"),
        (smile, "a labels out", "a labels out --start start.keras", "wanted start start.keras"),
        (smile, "a labels out", "a b out", "wanted faces"),
    ],
)
def test_examples_refuse_to_resume_what_was_another(call, example, words, other, said):
    call(example, words)
    call(example, words)
    with pytest.raises(SystemExit, match=said):
        call(example, other)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("LOSSES", {"quality": {"quality": 0.5}}, "wanted loss quality {.*0.5}, but its results"),
        ("LOSSES", {"new": {}}, "wanted loss new {.*}, but its results are of None"),
        ("ALPHA", 3.0, "wanted loss quality {'alpha': 3.0"),
        ("RATES", (1.0, 1.0), "wanted learning_rate 1.0"),
    ],
)
def test_other_losses_are_not_taken_for_those_measured(call, monkeypatch, name, value, said):
    monkeypatch.setattr(extra_offset, "LOSSES", {"quality": {"quality": 1.0}})
    call(extra_offset, "labels a a/human.json out")
    monkeypatch.setattr(extra_offset, name, value)
    with pytest.raises(SystemExit, match=said):
        call(extra_offset, "labels a a/human.json out")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--human a/human.json --human b/human.json", "several human, human_styled"),
        ("--human others.json", "several others"),
        ("--validation a a/human.json --validation b b/human.json", "several human.json"),
        ("--validation a nowhere.json", "nowhere.json: wanted a file or folder, there is none"),
        ("--epochs 1 0 1", "wanted a whole number of 1 or more, got '0'"),
    ],
)
def test_the_recipe_refuses_before_any_work(call, tmp_path, capsys, words, said):
    (tmp_path / "others.json").write_text("{}")
    with pytest.raises(SystemExit):
        call(recipe, f"a out {words}")
    assert said in capsys.readouterr().err
    assert not (tmp_path / "out").exists()

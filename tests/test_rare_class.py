"""Runs of the benchmark of rare classes that share a folder are of one kind."""

import pytest

from benchmarks import rare_class


def test_runs_of_another_kind_are_refused(tmp_path):
    for name in ("no/1.jpg", "yes/1.jpg"):
        (tmp_path / "crops" / name).parent.mkdir(parents=True)
        (tmp_path / "crops" / name).write_text(name)
    start, note = tmp_path / "face.keras", tmp_path / "asked.json"
    start.write_text("weights")

    def claim(**sizes):
        rare_class._claim(note, tmp_path / "crops", start, rare_class.Sizes(**sizes))

    claim()
    claim()
    before = note.read_text()
    with pytest.raises(ValueError, match="wanted few 7, but its runs are of 60; name another"):
        claim(few=7)
    start.write_text("others")
    with pytest.raises(ValueError, match="wanted start"):
        claim()
    start.write_text("weights")
    (tmp_path / "crops" / "no" / "1.jpg").write_text("another crop")
    with pytest.raises(ValueError, match="wanted crops"):
        claim()
    assert note.read_text() == before

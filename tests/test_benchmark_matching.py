"""The benchmark of matching: its sizes, its rows, its table and its picture."""

import keras
import numpy as np
import pytest

from benchmarks import matching

pytestmark = pytest.mark.device


@pytest.mark.parametrize("count", [4096, 8192, 24564])
def test_grids_have_the_anchors_they_name(count):
    assert matching.grid(count).shape == (count, 4)


def test_photos_are_padded_at_the_end():
    boxes = matching.photos(8, 16, real=5)
    real = (boxes[..., 2:] > boxes[..., :2]).all(-1)
    assert boxes.shape == (8, 16, 4)
    assert real[0].sum() == 5
    assert (real.sum(1) >= 1).all()
    assert (real.sum(1) <= 5).all()
    assert (np.diff(real.astype(int), axis=1) <= 0).all()


def test_rows_and_table(monkeypatch):
    ways = {name: matching.WAYS[name] for name in ("this package", "KerasHub BoxMatcher")}
    absent = ways["KerasHub BoxMatcher"]._replace(needs="no_such_package")
    monkeypatch.setattr(matching, "WAYS", {**ways, "KerasHub BoxMatcher": absent})
    monkeypatch.setattr(matching, "MODES", {"tensorflow": ("xla",), "jax": ("jit",)})
    backend = keras.backend.backend()
    # `names` has its default from before the change.
    found, missing = matching._functions(backend, tuple(matching.WAYS))
    monkeypatch.setattr(matching, "_functions", lambda _, modes: (found, missing))

    rows = list(matching.time_rows(backend, 4096, 8, 1, None, repeats=2))
    assert [row["way"] for row in rows] == ["this package", "KerasHub BoxMatcher"]
    assert 0 < rows[0]["ms"] <= rows[0]["ms_median"] <= 1e3 * rows[0]["first_call_s"]
    assert rows[0]["cpu_ms"] > 0
    assert rows[0]["memory_mb"] > 0
    assert rows[1]["absent"] == "not installed (pip install keras-hub)"
    for row in rows:
        row |= {"backend": backend, "anchors": 4096, "boxes": 8, "batch": 1}
        row |= {"pairs_per_s": 1e6, "bandwidth_share": 0.25, "leaves_out": "something"}
    text = matching.table(rows)
    assert "1 photos x 4,096 anchors x 8 boxes" in text
    assert "25.0%  something" in text
    assert "not installed (pip install keras-hub)" in text


def test_loops_are_those_of_the_reference():
    row = matching.loops_row(4096, 2, 3, None)
    assert row["ms"] == pytest.approx(3 * row["one_photo_ms"])


def test_plot_tells_how_straight_the_lines_are(tmp_path):
    rows = [
        {"way": "this package", "anchors": 8192, "boxes": boxes, "ms": 3 + 2 * boxes}
        for boxes in (8, 32, 64)
    ]
    rows += [
        {"way": "this package", "anchors": count, "boxes": 32, "ms": (count / 1000) ** 2}
        for count in (1000, 4000, 16000)
    ]
    straight = matching.plot(rows, tmp_path / "plot.png")
    assert straight["boxes"] == pytest.approx(1)
    assert 0.5 < straight["anchors"] < 0.999
    assert (tmp_path / "plot.png").stat().st_size > 1000


def test_modes_can_be_chosen():
    backend = keras.backend.backend()
    mode = matching.MODES[backend][-1]
    found, _ = matching._functions(backend, ("this package",), [mode])
    assert list(found) == [("this package", mode)]


@pytest.mark.parametrize(
    "words",
    [
        ["--anchors", "5"],
        ["--boxes", "0"],
        ["--batch", "-1"],
        ["--backends", "torch"],
        ["--modes", "c"],
    ],
)
def test_bad_words_are_one_line_and_a_status(words, capsys):
    with pytest.raises(SystemExit) as end:
        matching.arguments(words)
    assert end.value.code == 2
    assert words[0] in capsys.readouterr().err.splitlines()[-1]


def test_help_explains_the_table(capsys):
    with pytest.raises(SystemExit) as end:
        matching.arguments(["--help"])
    assert end.value.code == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "memory bandwidth" in text
    assert "--worker" not in text

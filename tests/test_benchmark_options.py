"""Numbers that a benchmark cannot work with are refused before any work."""

import importlib

import pytest

WORDS = {
    "folders": ["photos", "--rounds 0", "--workers -1"],
    "waiting": ["", "--repeats 0", "--steps 1", "--device 0", "--data nan"],
    "peers": ["", "--rounds 0", "--rounds 1.5"],
    "rare_class": ["crops out", "--seeds 0", "--few 0", "--batch-size -1"],
    "labeling": ["photos", "--limit 0", "--min-face 0", "--names -1"],
    "combining": ["", "--side 0"],
    "latency": ["", "--runs 0"],
}
CASES = [(name, f"{first} {each}") for name, (first, *rest) in WORDS.items() for each in rest]


@pytest.mark.parametrize(("name", "words"), CASES)
def test_numbers_of_nothing_are_refused(name, words, capsys):
    with pytest.raises(SystemExit) as stop:
        importlib.import_module(f"benchmarks.{name}").main(words.split())
    assert stop.value.code == 2
    option, value = words.split()[-2:]
    said = capsys.readouterr().err.splitlines()[-1]
    assert f"argument {option}: invalid " in said
    assert repr(value) in said

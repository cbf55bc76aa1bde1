"""The numbers that tell what a match did, and the examples of the whole package."""

import doctest
import importlib
import pkgutil

import numpy as np
import pytest

import anchors

pytestmark = pytest.mark.device

GRID = anchors.grid([(4, 4), (1, 1)], [[(0.25, 0.25)], [(1.0, 1.0)]])
BOXES = np.array(
    [
        [[0, 0, 0.25, 0.25], [0, 0, 1, 1], [0.5, 0.5, 0.75, 0.75], [0, 0, 0, 0]],
        [[2, 2, 3, 3], [0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]],
    ],
    "float32",
)


def test_counts_of_hand_worked_boxes():
    ignore = np.zeros((2, 4), bool)
    ignore[0, 2] = True
    found = anchors.match(GRID, BOXES, ignore=ignore)
    numbers = anchors.coverage(found, BOXES, [16, 1], ignore=ignore)
    # A small box and a large one have an anchor; the one outside the image has none; the region
    # takes one anchor out.
    assert numbers == anchors.Coverage(
        boxes=3, matched=2, anchors=[32, 2], positives=[1, 1], ignored=[1, 0]
    )
    assert numbers.share == 2 / 3
    assert "2 of 3 boxes have an anchor (66.7%)" in str(numbers)
    assert len(str(numbers).splitlines()) == 4


def test_one_level_and_no_boxes():
    numbers = anchors.coverage(anchors.match(GRID, BOXES[1, 1:]), BOXES[1, 1:])
    assert numbers == anchors.Coverage(0, 0, [17], [0], [0])
    assert numbers.share == 1


def test_bad_input():
    with pytest.raises(ValueError, match=r"17 anchors together, got \[16, 2\]"):
        anchors.coverage(anchors.match(GRID, BOXES), BOXES, [16, 2])


@pytest.mark.parametrize("name", [module.name for module in pkgutil.iter_modules(anchors.__path__)])
def test_examples_run(name):
    module = importlib.import_module(f"anchors.{name}")
    result = doctest.testmod(module)
    assert result.attempted
    assert not result.failed


@pytest.mark.parametrize("name", anchors.__all__)
def test_every_public_name_is_documented(name):
    assert (getattr(anchors, name).__doc__ or "").strip()

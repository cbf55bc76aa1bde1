"""Anchors over the cells of feature maps."""

import numpy as np
import pytest
import reference

import anchors
from ssd.config import Config


def test_agrees_with_the_loops():
    shapes = [(8, 6), (4, 3), (1, 1)]
    sizes = [[(0.1, 0.05), (0.2, 0.1)], [(0.3, 0.3)], [(0.5, 0.5), (1.0, 0.75), (2.0, 1.5)]]
    found = anchors.grid(shapes, sizes)
    assert found.dtype == np.float32
    assert found.shape == (8 * 6 * 2 + 4 * 3 + 3, 4)
    np.testing.assert_array_equal(found, np.float32(reference.grid(shapes, sizes)))


def test_takes_what_config_gives():
    config = Config()
    found = anchors.grid(config.feature_shapes, config.anchor_shapes)
    assert found.shape == (32 * 32 * 4 + 16 * 16 * 2 + 8 * 8 * 4, 4)
    height, width = (found[:, 2:] - found[:, :2]).T * 256
    np.testing.assert_allclose(height / width, 1.25, rtol=1e-4)
    np.testing.assert_allclose(np.sqrt(height * width)[:4], [11.3, 16, 22.6, 32], rtol=1e-4)


@pytest.mark.parametrize(
    ("shapes", "sizes", "message"),
    [
        ([(1, 1)], [], "1 shapes and 0 lists"),
        ([], [], "one or more"),
        ([(0, 1)], [[(1, 1)]], r"\(0, 1\)"),
        ([(1.5, 1)], [[(1, 1)]], r"\(1.5, 1\)"),
        ([(1, 1, 3)], [[(1, 1)]], r"\(1, 1, 3\)"),
        ([(1, 1)], [[]], r"\(height, width\).*\[\]"),
        ([(1, 1)], [[(0.5, 0)]], r"\(0.5, 0\)"),
    ],
)
def test_bad_input(shapes, sizes, message):
    with pytest.raises(ValueError, match=message):
        anchors.grid(shapes, sizes)

"""`anchors.match` does what the plain loops do."""

import numpy as np
import pytest
import reference

import anchors

pytestmark = pytest.mark.device


def draw(seed, photos=4, boxes=6, count=30):
    """Anchors and boxes on a coarse binary grid, where areas are exact and ties are ties."""
    random = np.random.default_rng(seed)

    def some(*shape):
        low = random.integers(-16, 64, (*shape, 2))
        return np.concatenate([low, low + random.integers(0, 48, (*shape, 2))], -1) / 64

    rows = some(photos, boxes).astype("float32")
    rows[random.random((photos, boxes)) < 0.2] = 0
    return some(count).astype("float32"), rows, random.random((photos, boxes)) < 0.2


@pytest.mark.parametrize("seed", range(20))
def test_agrees_with_the_loops(seed):
    grid, boxes, ignore = draw(seed)
    found = [np.asarray(field) for field in anchors.match(grid, boxes, ignore=ignore)]
    for photo in range(len(boxes)):
        wanted = reference.match(
            grid.tolist(), boxes[photo].tolist(), ignore=ignore[photo].tolist()
        )
        for got, want in zip(found, zip(*wanted, strict=True), strict=True):
            np.testing.assert_array_equal(got[photo], want)

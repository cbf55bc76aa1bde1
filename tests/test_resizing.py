import numpy as np
import pytest
from PIL import Image

from ssd.resizing import resize

SHAPES = [
    ((48, 64), (19, 26)),  # smaller, by no whole number
    ((48, 64), (24, 32)),
    ((20, 30), (47, 61)),  # larger
    ((40, 10), (8, 20)),  # smaller one way, larger the other
    ((48, 64), (1, 1)),
    ((1, 1), (3, 5)),
    ((1, 300), (2, 7)),
    ((301, 2), (50, 1)),
]


def line(values, count):
    """One line of numbers resized, in plain Python, straight from the definition."""
    scale = len(values) / count
    reach = max(scale, 1)
    result = []
    for place in range(count):
        centre = (place + 0.5) * scale
        weights = [max(0, 1 - abs(i + 0.5 - centre) / reach) for i in range(len(values))]
        weighted = sum(w * value for w, value in zip(weights, values, strict=True))
        result.append(weighted / sum(weights))
    return result


def picture(shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (*shape, 3), dtype=np.uint8)


def test_line_on_hand_worked_numbers():
    assert line([0, 100], 4) == [0, 25, 75, 100]
    # Half the size: weights 1/4, 3/4, 3/4, 1/4, without those beyond the edge.
    assert line([8, 8, 0, 0], 2) == pytest.approx([8 * 1.5 / 1.75, 8 * 0.25 / 1.75])


@pytest.mark.parametrize(("old", "new"), SHAPES)
def test_is_the_definition_rounded(old, new):
    photo = picture(old)
    resized = resize(photo, *new)
    assert resized.shape == (*new, 3)
    assert resized.dtype == np.uint8
    for channel in range(3):
        tall = np.array([line(column, new[0]) for column in photo[..., channel].T.tolist()]).T
        exact = np.array([line(row, new[1]) for row in tall.tolist()])
        # A hair more than a half, for values that lie between two bytes.
        assert abs(resized[..., channel] - exact).max() <= 0.501


@pytest.mark.parametrize(("old", "new"), SHAPES)
def test_is_what_pillow_does(old, new):
    photo = picture(old)
    pillow = Image.fromarray(photo).resize(new[::-1], Image.Resampling.BILINEAR)
    # Pillow rounds between the two passes.
    assert abs(resize(photo, *new).astype(int) - np.asarray(pillow)).max() <= 1


def test_the_same_size_changes_nothing():
    photo = picture((33, 21))
    assert (resize(photo, 33, 21) == photo).all()


def test_white_stays_white():
    assert (resize(np.full((480, 640, 3), 255, np.uint8), 192, 256) == 255).all()


def test_takes_any_memory_layout():
    photo = picture((30, 40))
    turned = photo.transpose(1, 0, 2)[::-1, :, ::-1]
    assert not turned.flags.c_contiguous
    assert (resize(turned, 11, 13) == resize(turned.copy(), 11, 13)).all()

import numpy as np
import pytest
from PIL import Image

from ssd.photos.resizing import resize

SHAPES = [
    ((48, 64), (19, 26)),  # smaller, by no whole number
    ((48, 64), (24, 32)),
    ((53, 67), (11, 13)),  # four to one, with pixels that the edge cuts
    ((20, 30), (47, 61)),  # larger
    ((40, 10), (8, 20)),  # smaller one way, larger the other
    ((48, 64), (1, 1)),
    ((1, 1), (3, 5)),
    ((1, 300), (2, 7)),
    ((301, 2), (50, 1)),
]


def line(values, count, halvings):
    """One line of numbers resized, in plain Python, straight from the definition."""
    unit = 2**halvings
    extent = len(values) / unit  # of the photo, in halved pixels
    full = [*values, *[values[-1]] * (-len(values) % unit)]
    means = [sum(full[at : at + unit]) / unit for at in range(0, len(full), unit)]
    result = []
    for place in range(count):
        center = min(max((place + 0.5) * extent / count - 0.5, 0), len(means) - 1)
        before = int(center)
        after = min(before + 1, len(means) - 1)
        result.append(means[before] + (center - before) * (means[after] - means[before]))
    return result


def halvings(old, new):
    """How often both sides of a photo are at least twice what is wanted."""
    times = 0
    while all(side // 2 ** (times + 1) >= wanted for side, wanted in zip(old, new, strict=True)):
        times += 1
    return times


def picture(shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (*shape, 3), dtype=np.uint8)


def test_line_on_hand_worked_numbers():
    assert line([0, 100], 4, 0) == [0, 25, 75, 100]
    assert line([8, 6, 0, 2], 2, 1) == [7, 1]
    # Pixel centers at 0.25, 1 and 1.75 of three: a quarter, no and three quarters of the way.
    assert line([0, 60, 90], 2, 0) == [15, 82.5]
    # The fifth is a fourth of the extent of five fourths; the middle of it all is at 5/8 of
    # a halved pixel, an eighth of the way from the first, 4, to the second, 9.
    assert line([1, 3, 5, 7, 9], 1, 2) == [4.625]
    assert halvings((48, 64), (24, 32)) == 1
    assert halvings((48, 64), (12, 17)) == 1
    assert halvings((48, 64), (25, 1)) == 0


@pytest.mark.parametrize(("old", "new"), SHAPES)
def test_is_the_definition_rounded(old, new):
    photo, times = picture(old), halvings(old, new)
    resized = resize(photo, *new)
    assert resized.shape == (*new, 3)
    assert resized.dtype == np.uint8
    for channel in range(3):
        columns = photo[..., channel].T.tolist()
        tall = np.array([line(column, new[0], times) for column in columns]).T
        exact = np.array([line(row, new[1], times) for row in tall.tolist()])
        # A hair more than a half, for values that lie between two bytes.
        assert abs(resized[..., channel] - exact).max() <= 0.501


def test_half_the_size_is_the_mean_of_two_by_two():
    photo = picture((48, 64))
    means = photo.reshape(24, 2, 32, 2, 3).mean(axis=(1, 3))
    assert abs(resize(photo, 24, 32) - means).max() <= 0.501
    # Pillow's box filter is such a mean.
    pillow = Image.fromarray(photo).resize((16, 12), Image.Resampling.BOX)
    assert abs(resize(photo, 12, 16).astype(int) - np.asarray(pillow)).max() <= 1


@pytest.mark.parametrize("old", [9, 11, 15, 21, 1031])
def test_a_ramp_keeps_its_place(old):
    """Values that grow evenly are, in the result, those of the places they come from."""
    ramp = np.linspace(0, 250, old)
    photo = np.repeat(np.round(ramp).astype(np.uint8)[None, :, None], 16, axis=0).repeat(3, axis=2)
    for new in (5, 8):
        resized = resize(photo, 4, new)[0, 1:-1, 0]  # at the ends there is nothing to go on with
        places = (np.arange(new) + 0.5) * old / new - 0.5
        assert abs(resized - np.interp(places, np.arange(old), ramp)[1:-1]).max() <= 1.1


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

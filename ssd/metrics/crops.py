"""Boxes cut out of their photos, with what is around them, side by side."""

import pathlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ssd.photos.reading import read_photo

BOX_COLOR, BESIDE_COLOR = "#e69f00", "#56b4e9"
_SHOWN = 12
_AROUND = 1.0  # what is shown of the photo around a box, in sizes of the box


class Crop(NamedTuple):
    """A box of a photo that is worth a look.

    Attributes:
        path: The photo.
        box: `[ymin, xmin, ymax, xmax]` in its pixels.
        text: What to write above it.
        beside: [n, 4], other boxes of the photo, to be dashed.

    Example:
        >>> Crop(pathlib.Path("a.jpg"), np.array([0, 0, 9, 9]), "0.97").beside.shape
        (0, 4)
    """

    path: pathlib.Path
    box: np.ndarray
    text: str
    beside: np.ndarray = np.zeros((0, 4))


def draw_crops(part: Any, title: str, rows: Sequence[Crop]) -> None:
    """Draw boxes with what is around them side by side, the first ones of a list.

    Args:
        part: A matplotlib figure, or a part of one.
        title: What they are.
        rows: The boxes.

    Example:
        >>> from matplotlib.figure import Figure
        >>> draw_crops(Figure(), "none", [])
    """
    part.suptitle(title, x=0.01, ha="left", fontsize=10)
    axes = np.atleast_1d(part.subplots(1, _SHOWN))
    for each in axes:
        each.set_axis_off()
    for each, (path, box, text, beside) in zip(axes, rows, strict=False):
        photo = read_photo(path)
        ymin, xmin, ymax, xmax = box
        reach = _AROUND * max(ymax - ymin, xmax - xmin)
        top, left = max(0, int(ymin - reach)), max(0, int(xmin - reach))
        each.imshow(photo[top : int(ymax + reach) + 1, left : int(xmax + reach) + 1])
        limits = each.axis()
        for other in beside:
            each.plot(*_outline(other, top, left), color=BESIDE_COLOR, linestyle="--")
        each.plot(*_outline(box, top, left), color=BOX_COLOR)
        each.axis(limits)
        each.set_title(text, fontsize=8)


def _outline(box: np.ndarray, top: int, left: int) -> tuple[np.ndarray, np.ndarray]:
    """x and y of the corners, from one around to the same."""
    ymin, xmin, ymax, xmax = box
    x, y = np.array([xmin, xmax, xmax, xmin, xmin]), np.array([ymin, ymin, ymax, ymax, ymin])
    return x - left, y - top

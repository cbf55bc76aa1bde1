"""What a match did, in numbers to print or to plot."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from keras import ops

from anchors.boxes import Array
from anchors.matching import Match


class Coverage(NamedTuple):
    """How many boxes got an anchor, and how many anchors each level gave.

    Printed, it is a small table.

    Attributes:
        boxes: Real boxes: not padding, not regions to ignore.
        matched: Those of them that at least one anchor is assigned to.
        anchors: Anchors of each level, all photos together; a list, as the next two.
        positives: Positive anchors of each level.
        ignored: Ignored anchors of each level.

    Example:
        >>> Coverage(boxes=4, matched=3, anchors=[100], positives=[9], ignored=[2]).share
        0.75
    """

    boxes: int
    matched: int
    anchors: list[int]
    positives: list[int]
    ignored: list[int]

    @property
    def share(self) -> float:
        """The share of boxes that got an anchor, from 0 to 1; 1 where there is no box."""
        return self.matched / self.boxes if self.boxes else 1.0

    def __str__(self):
        lines = [f"{self.matched:,} of {self.boxes:,} boxes have an anchor ({self.share:.1%})"]
        lines.append(f"{'level':>5}{'anchors':>12}{'positive':>12}{'ignored':>12}")
        levels = zip(self.anchors, self.positives, self.ignored, strict=True)
        for level, numbers in enumerate(levels):
            lines.append(f"{level:>5}" + "".join(f"{number:>12,}" for number in numbers))
        return "\n".join(lines)


def coverage(
    found: Match, boxes: Array, levels: Sequence[int] | None = None, *, ignore: Array = None
) -> Coverage:
    """What `match` found, counted: for a look at a new grid of anchors or at new labels.

    Many boxes without an anchor mean that anchors of their size are missing, or that the grid is
    too coarse for a crowd. A level without positives learns nothing but background.

    Args:
        found: The `Match` of [..., anchors].
        boxes: [..., boxes, 4], as `match` got them.
        levels: Anchors in each level, in order: rows × columns × sizes. One level if not given.
        ignore: bool [..., boxes], as `match` got it.

    Returns:
        A `Coverage`.

    Raises:
        ValueError: If the levels do not add up to the anchors.

    Example:
        >>> from anchors import match
        >>> anchors = [[0.0, 0.0, 1.0, 0.5], [0.0, 0.5, 1.0, 1.0], [0.0, 0.0, 1.0, 1.0]]
        >>> boxes = [[0.0, 0.5, 1.0, 0.75], [0.0, 0.0, 0.0, 0.0]]
        >>> print(coverage(match(anchors, boxes), boxes, levels=[2, 1]))
        1 of 1 boxes have an anchor (100.0%)
        level     anchors    positive     ignored
            0           2           1           0
            1           1           0           0
    """
    box, positive, ignored, _ = (ops.convert_to_numpy(field) for field in found)
    count = box.shape[-1]
    levels = [count] if levels is None else list(levels)
    if sum(levels) != count:
        raise ValueError(f"coverage: wanted levels of {count} anchors together, got {levels}")
    boxes = np.asarray(ops.convert_to_numpy(boxes), "float32")
    real = (boxes[..., 2:] > boxes[..., :2]).all(axis=-1)
    if ignore is not None:
        real &= ~ops.convert_to_numpy(ignore)

    box, positive, ignored = (field.reshape(-1, count) for field in (box, positive, ignored))
    real = real.reshape(len(box), -1)
    photo, anchor = positive.nonzero()
    assigned = np.zeros_like(real)
    assigned[photo, box[photo, anchor]] = True
    ends = np.cumsum([0, *levels])

    def by_level(marks):
        before = np.concatenate([[0], marks.sum(axis=0).cumsum()])[ends]
        return np.diff(before).tolist()

    return Coverage(
        boxes=int(real.sum()),
        matched=int((real & assigned).sum()),
        anchors=[len(box) * each for each in levels],
        positives=by_level(positive),
        ignored=by_level(ignored),
    )

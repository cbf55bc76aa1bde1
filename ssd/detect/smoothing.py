"""Boxes that keep still when a face does, from one frame of a video to the next."""

import dataclasses

import numpy as np

from ssd.boxes import iou
from ssd.detect.detections import Detections


class Smoother:
    """Called with each frame's `Detections` in turn, it returns them without the jitter.

    A box takes over where the box of the last frame that it overlaps most left off: the more
    the two overlap, the more of the old one is kept. So a face that keeps still has a box that
    keeps still, and one that moves fast is followed at once, without lag. A face that is missed
    for a few frames keeps its last box; a new one appears at once. Where boxes have ids
    (`ssd.Tracker`), those of one id belong together and no others.

    One smoother follows one camera.

    Args:
        steadiness: In [0, 1): share of the old box that is kept while the two overlap wholly.
            0 changes nothing.
        patience: Frames that a face may be missed for before it goes.

    Raises:
        ValueError: If a value is outside its range.

    Example:
        >>> smooth = Smoother(steadiness=0.8)
        >>> def found(left):
        ...     box = np.array([[0, left, 100, left + 100]], np.float32)
        ...     return Detections(box, np.array([0.9], np.float32), np.array([1]))
        >>> [round(float(smooth(found(left)).boxes[0, 1])) for left in (0, 4, 90)]
        [0, 1, 90]
    """

    def __init__(self, *, steadiness: float = 0.8, patience: int = 2) -> None:
        if not 0 <= steadiness < 1:
            raise ValueError(f"steadiness: wanted a number from 0 to below 1, got {steadiness!r}")
        if not isinstance(patience, int) or patience < 0:
            raise ValueError(f"patience: wanted a whole number of frames, got {patience!r}")
        self.steadiness, self.patience = steadiness, patience
        self.reset()

    def reset(self) -> None:
        """Forget what was seen: the camera was moved, or another video begins."""
        self._last: Detections | None = None
        self._missed = np.zeros(0, int)  # frames ago that each box was seen

    def __call__(self, found: Detections) -> Detections:
        """The `Detections` of one frame, smoothed, best first."""
        last = found.best(0) if self._last is None else self._last
        overlap = iou(found.boxes, last.boxes)
        overlap[~found.same_kind(last) | (_ids(found)[:, None] != _ids(last))] = 0
        boxes, free = found.boxes.copy(), np.ones(len(last), bool)
        # The pair that overlaps most first, each box in one pair.
        while overlap.size and overlap.max() > 0:
            new, old = np.unravel_index(overlap.argmax(), overlap.shape)
            kept = self.steadiness * overlap[new, old] ** 2
            boxes[new] += kept * (last.boxes[old] - boxes[new])
            free[old] = False
            overlap[new], overlap[:, old] = 0, 0

        waiting = np.flatnonzero(free & (self._missed < self.patience))
        joined = dataclasses.replace(found, boxes=boxes).join(last.pick(waiting))
        missed = np.concatenate([np.zeros(len(found), int), self._missed[waiting] + 1])
        order = np.argsort(-joined.scores, kind="stable")
        self._last, self._missed = joined.pick(order), missed[order]
        return joined.pick(order)


def _ids(found: Detections) -> np.ndarray:
    return np.zeros(len(found), int) if found.ids is None else found.ids

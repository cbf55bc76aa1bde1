"""Which boxes of a video are of one face: ids that last from frame to frame."""

import dataclasses

import numpy as np

from ssd.boxes import iou
from ssd.detect.detections import Detections


class Tracker:
    """Called with each frame's `Detections` in turn, it returns them with `ids`.

    A box takes the id of the box of an earlier frame that it is most like: that it overlaps most,
    or, where it overlaps none, whose middle lies nearest and less than a face away. A face that is
    lost is remembered for a while and has its id again when it comes back near where it went. Boxes
    stay what they are; ids go on from 1, and none is given twice.

    It knows places, not looks: two faces that cross behind something may change ids.

    One tracker follows one camera.

    Args:
        memory: Frames for which a lost face is remembered.

    Raises:
        ValueError: If it is no whole number from 0 on.

    Example:
        >>> track = Tracker()
        >>> def found(*lefts):
        ...     boxes = np.array([[0, left, 100, left + 100] for left in lefts], np.float32)
        ...     scores = np.full(len(lefts), 0.9, np.float32)
        ...     return Detections(boxes.reshape(-1, 4), scores, np.ones(len(lefts), int))
        >>> [track(found(*lefts)).ids.tolist() for lefts in ((0, 500), (520, 30), (), (60,))]
        [[1, 2], [2, 1], [], [1]]

    Source:
        Bochinski et al.: High-Speed Tracking-by-Detection Without Using Image Information (2017).
    """

    def __init__(self, *, memory: int = 30) -> None:
        if isinstance(memory, bool) or not isinstance(memory, int) or memory < 0:
            raise ValueError(f"memory: wanted a whole number of frames, got {memory!r}")
        self.memory, self._next = memory, 1
        self.reset()

    def reset(self) -> None:
        """Forget all faces: the camera was moved, or another video begins."""
        self._last: Detections | None = None  # all that are remembered
        self._missed = np.zeros(0, int)  # frames since each was seen

    def __call__(self, found: Detections) -> Detections:
        """The `Detections` of one frame, with ids."""
        last = self._last
        if last is None:
            last = dataclasses.replace(found.best(0), ids=np.zeros(0, int))
        known = np.asarray(last.ids)
        likeness = _likeness(found.boxes, last.boxes)
        likeness[~found.same_kind(last)] = -np.inf
        ids, lost = np.zeros(len(found), int), np.ones(len(last), bool)
        # The two that are most alike first, each in one pair.
        while likeness.size and likeness.max() > -1:
            new, old = np.unravel_index(likeness.argmax(), likeness.shape)
            ids[new], lost[old] = known[old], False
            likeness[new], likeness[:, old] = -np.inf, -np.inf
        fresh = np.flatnonzero(ids == 0)
        ids[fresh] = self._next + np.arange(len(fresh))
        self._next += len(fresh)

        kept = np.flatnonzero(lost & (self._missed < self.memory))
        numbered = dataclasses.replace(found, ids=ids)
        self._last = numbered.join(last.pick(kept))
        self._missed = np.concatenate([np.zeros(len(found), int), self._missed[kept] + 1])
        return numbered


def _likeness(new: np.ndarray, old: np.ndarray) -> np.ndarray:
    """[new, old]: IoU less the way between the middles in sizes of a face; over -1 is near."""
    ways = (new[:, None, :2] + new[:, None, 2:] - old[:, :2] - old[:, 2:]) / 2
    sizes = (new[:, None, 2:] - new[:, None, :2] + old[:, 2:] - old[:, :2]).mean(axis=-1) / 2
    return iou(new, old) - np.hypot(ways[..., 0], ways[..., 1]) / np.maximum(sizes, 1e-6)

"""Of boxes that show the same thing, keep the best: greedy non-maximum suppression."""

import numpy as np
from numpy.typing import ArrayLike

from ssd.detect.limits import check_share

_BLOCK = 64  # boxes compared with all others at once; bounds memory where there are thousands


def nms(boxes: ArrayLike, scores: ArrayLike, *, iou_threshold: float = 0.45) -> np.ndarray:
    """Keep each box that overlaps no better one by more than `iou_threshold`.

    The best box is kept, all that overlap it too much go, and so on with what is left.
    Of equal scores the lower index counts as the better. A box without area overlaps nothing.

    Args:
        boxes: [n, 4] `[ymin, xmin, ymax, xmax]`, in any unit.
        scores: [n].
        iou_threshold: Greatest overlap (IoU), in [0, 1], that two kept boxes may have.

    Returns:
        int [kept], the indices of the boxes kept, best first.

    Raises:
        ValueError: If the shapes do not fit each other or `iou_threshold` is outside [0, 1].

    Example:
        >>> boxes = [[0, 0, 10, 10], [0, 0, 10, 9], [0, 20, 10, 30]]
        >>> nms(boxes, [0.8, 0.9, 0.7]).tolist()
        [1, 2]

    Source:
        Liu et al.: SSD: Single Shot MultiBox Detector (2016), 2.2, where `iou_threshold` is 0.45.
    """
    boxes, order = _best_first(boxes, scores, iou_threshold)
    kept, _ = _greedy(boxes, iou_threshold)
    return order[kept]


def vote(
    boxes: ArrayLike, scores: ArrayLike, *, iou_threshold: float = 0.45
) -> tuple[np.ndarray, np.ndarray]:
    """What `nms` keeps, each box moved to the mean of all that show the same thing.

    Weights are squared scores. Where two anchors score alike, whichever wins, the mean is
    nearly the same; and it lies nearer to the face than the winner alone.

    Args:
        boxes: As in `nms`.
        scores: As in `nms`.
        iou_threshold: As in `nms`: boxes that overlap a kept one by more count for it.

    Returns:
        int [kept], what `nms` returns; and float64 [kept, 4], their boxes.

    Raises:
        ValueError: As `nms`.

    Example:
        >>> kept, moved = vote([[0, 0, 10, 10], [0, 2, 10, 12], [0, 20, 10, 30]], [0.8, 0.8, 0.7])
        >>> kept.tolist(), moved.tolist()
        ([0, 2], [[0.0, 1.0, 10.0, 11.0], [0.0, 20.0, 10.0, 30.0]])

    Source:
        Gidaris and Komodakis: Object detection via a multi-region and semantic
        segmentation-aware CNN model (2015), 4.
    """
    boxes, order = _best_first(boxes, scores, iou_threshold)
    kept, alike = _greedy(boxes, iou_threshold)
    weights = np.square(np.asarray(scores)[order])
    moved = boxes[kept]
    for start in range(0, len(kept), _BLOCK):
        block = slice(start, start + _BLOCK)
        votes = weights * np.stack(alike[block])
        total = votes.sum(axis=1, keepdims=True)
        # A box without area has no vote, not even its own, and stays.
        np.divide(votes @ boxes, total, out=moved[block], where=total > 0)
    return order[kept], moved


def _best_first(boxes, scores, iou_threshold):
    """The boxes in order of their scores, and that order; or a ValueError."""
    # In float64, so that integer corners meet the limit exactly.
    boxes, scores = np.asarray(boxes, np.float64), np.asarray(scores)
    boxes = boxes.reshape(-1, 4) if boxes.size == 0 else boxes
    if boxes.ndim != 2 or boxes.shape[1] != 4 or scores.shape != boxes.shape[:1]:
        raise ValueError(
            "nms: wanted boxes [n, 4] and scores [n], "
            f"got {list(boxes.shape)} and {list(scores.shape)}"
        )
    check_share("iou_threshold", iou_threshold)
    order = np.argsort(-scores, kind="stable")
    return boxes[order], order


def _greedy(boxes, iou_threshold):
    """Which boxes, the best first, are kept; and for each of these which are like it, bool [n]."""
    left = np.ones(len(boxes), bool)
    kept, groups = [], []
    # Row by row would do, but on few boxes NumPy's time is that of its calls.
    for start in range(0, len(boxes), _BLOCK):
        some = start + np.flatnonzero(left[start : start + _BLOCK])
        for best, alike in zip(some, _alike(boxes, some, iou_threshold), strict=True):
            if left[best]:
                kept.append(best)
                groups.append(alike)
                left[alike] = False  # itself too, and better ones, which do not matter any more
    return kept, groups


def _alike(boxes, some, iou_threshold):
    """Which of all boxes each of some overlaps by more than the limit: bool [some, n]."""
    ymin, xmin, ymax, xmax = np.ascontiguousarray(boxes.T)
    areas = np.maximum(ymax - ymin, 0) * np.maximum(xmax - xmin, 0)
    one = some[:, None]
    height = np.minimum(ymax[one], ymax) - np.maximum(ymin[one], ymin)
    width = np.minimum(xmax[one], xmax) - np.maximum(xmin[one], xmin)
    shared = np.maximum(height, 0) * np.maximum(width, 0)
    # shared / union > iou_threshold, without the division by zero.
    return shared > iou_threshold * (areas[one] + areas - shared)

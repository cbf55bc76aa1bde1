"""Of boxes that show the same thing, keep the best: greedy non-maximum suppression."""

import numpy as np

_BLOCK = 64  # boxes compared with all others at once; bounds memory where there are thousands


def nms(boxes, scores, *, overlap=0.45):
    """Keep each box that overlaps no better one by more than `overlap`.

    The best box is kept, all that overlap it too much go, and so on with what is left.
    Of equal scores the lower index counts as the better. A box without area overlaps nothing.

    Args:
        boxes: [n, 4] `[ymin, xmin, ymax, xmax]`, in any unit.
        scores: [n].
        overlap: Greatest overlap (IoU), in [0, 1], that two kept boxes may have.

    Returns:
        int [kept], the indices of the boxes kept, best first.

    Raises:
        ValueError: If the shapes do not fit each other or `overlap` is outside [0, 1].

    Example:
        >>> boxes = [[0, 0, 10, 10], [0, 0, 10, 9], [0, 20, 10, 30]]
        >>> nms(boxes, [0.8, 0.9, 0.7]).tolist()
        [1, 2]

    Source:
        Liu et al.: SSD: Single Shot MultiBox Detector (2016), 2.2, where `overlap` is 0.45.
    """
    # In float64, so that integer corners meet the limit exactly.
    boxes, scores = np.asarray(boxes, np.float64), np.asarray(scores)
    boxes = boxes.reshape(-1, 4) if boxes.size == 0 else boxes
    if boxes.ndim != 2 or boxes.shape[1] != 4 or scores.shape != boxes.shape[:1]:
        raise ValueError(
            "nms: wanted boxes [n, 4] and scores [n], "
            f"got {list(boxes.shape)} and {list(scores.shape)}"
        )
    if not 0 <= overlap <= 1:
        raise ValueError(f"overlap: wanted a number from 0 to 1, got {overlap!r}")

    order = np.argsort(-scores, kind="stable")
    boxes = boxes[order]
    left = np.ones(len(order), bool)
    kept = []
    # Row by row would do, but on few boxes NumPy's time is that of its calls.
    for start in range(0, len(order), _BLOCK):
        some = start + np.flatnonzero(left[start : start + _BLOCK])
        for best, alike in zip(some, _alike(boxes, some, overlap), strict=True):
            if left[best]:
                kept.append(best)
                left[alike] = False  # itself too, and better ones, which do not matter any more
    return order[kept]


def vote(boxes, scores, kept, *, overlap=0.45):
    """The boxes that `nms` kept, each moved to the mean of all that show the same thing.

    Weights are squared scores. Where two anchors score alike, whichever wins, the mean is
    nearly the same; and it lies nearer to the face than the winner alone.

    Args:
        boxes: float [n, 4] `[ymin, xmin, ymax, xmax]`, in any unit.
        scores: [n].
        kept: int [kept], what `nms` returned.
        overlap: What `nms` was given: boxes that overlap a kept one by more count for it.

    Returns:
        [kept, 4], of the type of `boxes`.

    Example:
        >>> boxes = np.float32([[0, 0, 10, 10], [0, 2, 10, 12], [0, 20, 10, 30]])
        >>> vote(boxes, np.float32([0.8, 0.8, 0.7]), [0, 2]).tolist()
        [[0.0, 1.0, 10.0, 11.0], [0.0, 20.0, 10.0, 30.0]]

    Source:
        Gidaris and Komodakis: Object detection via a multi-region and semantic
        segmentation-aware CNN model (2015), 4.
    """
    kept = np.asarray(kept, np.intp)
    moved = boxes[kept]
    weights = np.square(scores)
    for start in range(0, len(kept), _BLOCK):
        block = slice(start, start + _BLOCK)
        votes = weights * _alike(boxes, kept[block], overlap)
        total = votes.sum(axis=1, keepdims=True)
        # A box without area has no vote, not even its own, and stays.
        np.divide(votes @ boxes, total, out=moved[block], where=total > 0, casting="same_kind")
    return moved


def _alike(boxes, some, overlap):
    """Which of all boxes each of some overlaps by more than the limit: bool [some, n]."""
    ymin, xmin, ymax, xmax = np.ascontiguousarray(boxes.T)
    areas = np.maximum(ymax - ymin, 0) * np.maximum(xmax - xmin, 0)
    one = some[:, None]
    height = np.minimum(ymax[one], ymax) - np.maximum(ymin[one], ymin)
    width = np.minimum(xmax[one], xmax) - np.maximum(xmin[one], xmin)
    shared = np.maximum(height, 0) * np.maximum(width, 0)
    # shared / union > overlap, without the division by zero.
    return shared > overlap * (areas[one] + areas - shared)

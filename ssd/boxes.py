"""Boxes in NumPy: areas and overlaps. A box is `[ymin, xmin, ymax, xmax]` (`anchors/boxes.py`)."""

import numpy as np
from numpy.typing import ArrayLike


def area(boxes: ArrayLike) -> np.ndarray:
    """Areas of boxes; 0 where the corners are the wrong way round.

    Args:
        boxes: [..., 4] `[ymin, xmin, ymax, xmax]` in any unit.

    Returns:
        float [...], in that unit squared.

    Example:
        >>> area([[0, 0, 2, 3], [5, 5, 4, 6]])
        array([6., 0.])
    """
    boxes = np.asarray(boxes, _float(boxes))
    return np.clip(boxes[..., 2:] - boxes[..., :2], 0, None).prod(axis=-1)


def shared_area(a: ArrayLike, b: ArrayLike) -> np.ndarray:
    """Areas that the boxes of one list share with those of another.

    Args:
        a: [m, 4] `[ymin, xmin, ymax, xmax]` in any unit.
        b: [n, 4] in the same unit.

    Returns:
        float [m, n].

    Example:
        >>> shared_area([[0, 0, 2, 2]], [[1, 1, 3, 3], [5, 5, 6, 6]])
        array([[1., 0.]])
    """
    a, b = _rows(a), _rows(b)
    low, high = np.maximum(a[:, None, :2], b[:, :2]), np.minimum(a[:, None, 2:], b[:, 2:])
    return np.clip(high - low, 0, None).prod(axis=-1)


def iou(a: ArrayLike, b: ArrayLike) -> np.ndarray:
    """Intersection over union of the boxes of two lists.

    Args:
        a: [m, 4] `[ymin, xmin, ymax, xmax]` in any unit.
        b: [n, 4] in the same unit.

    Returns:
        float [m, n], in [0, 1]; 0 where a box has no area.

    Example:
        >>> iou([[0, 0, 2, 2]], [[0, 0, 2, 2], [1, 0, 3, 2], [5, 5, 6, 6]]).round(2)
        array([[1.  , 0.33, 0.  ]])
    """
    a, b = _rows(a), _rows(b)
    shared = shared_area(a, b)
    union = area(a)[:, None] + area(b) - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=shared > 0)


def iou_of_pairs(a: ArrayLike, b: ArrayLike) -> np.ndarray:
    """Intersection over union of each box of a list with the box at its place in another.

    Args:
        a: [n, 4] `[ymin, xmin, ymax, xmax]` in any unit.
        b: [n, 4] in the same unit.

    Returns:
        float [n], in [0, 1]; 0 where a box has no area.

    Example:
        >>> iou_of_pairs([[0, 0, 2, 2], [0, 0, 2, 2]], [[0, 0, 2, 2], [1, 0, 3, 2]]).round(2)
        array([1.  , 0.33])
    """
    a, b = _rows(a), _rows(b)
    low, high = np.maximum(a[:, :2], b[:, :2]), np.minimum(a[:, 2:], b[:, 2:])
    shared = np.clip(high - low, 0, None).prod(axis=-1)
    union = area(a) + area(b) - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=shared > 0)


def covered(a: ArrayLike, b: ArrayLike) -> np.ndarray:
    """The share of each box of one list that each box of another covers.

    Args:
        a: [m, 4] `[ymin, xmin, ymax, xmax]` in any unit.
        b: [n, 4] in the same unit.

    Returns:
        float [m, n], in [0, 1]; 0 where a box of `a` has no area.

    Example:
        >>> covered([[0, 0, 2, 2]], [[0, 0, 9, 1]])
        array([[0.5]])
    """
    a, b = _rows(a), _rows(b)
    shared = shared_area(a, b)
    own = np.broadcast_to(area(a)[:, None], shared.shape)
    return np.divide(shared, own, out=np.zeros_like(shared), where=own > 0)


def turn_boxes(
    boxes: ArrayLike, degrees: float, size: tuple[int, int], *, whole: ArrayLike = False
) -> np.ndarray:
    """Boxes of what is turned about the middle of a photo.

    A face fills its box as an ellipse does, not to the corners: its new box is that of the turned
    ellipse. The box of the turned box would be twice as large at 45°, and half background.

    Args:
        boxes: [n, 4] `[ymin, xmin, ymax, xmax]` in pixels.
        degrees: How far, against the clock as seen.
        size: (height, width) of the photo.
        whole: [n], or for all: whether the new box holds all of the old one, as that of a region
            to ignore must.

    Returns:
        float [n, 4]; what is turned out of the photo lies beyond its edge.

    Example:
        >>> turn_boxes([[0, 10, 20, 20]], 90, (40, 40)).round(3)
        array([[20.,  0., 30., 20.]])
        >>> turn_boxes([[10, 10, 30, 30]], 45, (40, 40)).round(3)
        array([[10., 10., 30., 30.]])
    """
    boxes, middle = _rows(boxes), np.divide(size, 2)
    cosine, sine = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    y, x = ((boxes[:, :2] + boxes[:, 2:]) / 2 - middle).T
    tall, wide = ((boxes[:, 2:] - boxes[:, :2]) / 2).T
    center = np.stack([cosine * y - sine * x, sine * y + cosine * x], axis=1) + middle
    parts = np.abs([[cosine * tall, sine * wide], [sine * tall, cosine * wide]])  # [2, 2, n]
    half = np.where(whole, parts.sum(axis=1), np.hypot(parts[:, 0], parts[:, 1])).T
    return np.concatenate([center - half, center + half], axis=1)


def _rows(boxes: ArrayLike) -> np.ndarray:
    """As an array [n, 4] of floats; an empty list has no boxes."""
    return np.asarray(boxes, _float(boxes)).reshape(-1, 4)


def _float(boxes: ArrayLike) -> type:
    """float32 stays what it is; all else becomes float64."""
    return np.float32 if getattr(boxes, "dtype", None) == np.float32 else np.float64

"""What a teacher sees on one photo, and how boxes of a network's input become that."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ssd.boxes import iou

OVERLAP = 0.3  # greatest overlap (IoU) of two faces


class Faces(NamedTuple):
    """What a teacher sees on one photo.

    Args:
        boxes: float32 [faces, 4], `[ymin, xmin, ymax, xmax]` in pixels of the photo.
        scores: float32 [faces], in [0, 1], best first.

    Example:
        >>> Faces(np.float32([[10, 20, 50, 50]]), np.float32([0.99])).boxes.shape
        (1, 4)
    """

    boxes: np.ndarray
    scores: np.ndarray


def fit_size(size: Sequence[int], side: int) -> tuple[int, int]:
    """What a photo measures once its long side is `side`.

    Args:
        size: (height, width) of the photo.
        side: In pixels.

    Returns:
        (height, width), at least 1 each.

    Example:
        >>> fit_size((213, 320), 640)
        (426, 640)
    """
    height, width = (max(1, round(each * side / max(size))) for each in size)
    return height, width


def to_faces(
    boxes: np.ndarray,
    scores: np.ndarray,
    size: Sequence[int],
    inner: Sequence[int],
    min_face: float,
) -> Faces:
    """The faces that boxes of a network's input stand for, the best of those that overlap.

    Args:
        boxes: float32 [boxes, 4] in pixels of the input, in whose top left corner the photo is.
        scores: float32 [boxes].
        size: (height, width) of the photo.
        inner: The same in the input.
        min_face: Side of the smallest face (root of its area), in pixels of the photo.

    Returns:
        `Faces`, inside the photo.

    Example:
        >>> to_faces(np.float32([[-1, 0, 5, 6]]), np.float32([1]), (20, 20), (10, 10), 4).boxes
        array([[ 0.,  0., 10., 12.]], dtype=float32)
    """
    limit = np.array([*size] * 2, np.float32)
    boxes = np.clip(boxes * (limit / np.array([*inner] * 2, np.float32)), 0, limit)
    sides = boxes[:, 2:] - boxes[:, :2]
    large = np.all(sides > 0, axis=1) & (np.prod(sides, axis=1) >= min_face**2)
    boxes, scores = boxes[large], scores[large]
    kept = _suppress(boxes, scores)
    return Faces(boxes[kept].astype(np.float32), scores[kept].astype(np.float32))


def _suppress(boxes: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Indices of the boxes that overlap no better one that stays, best first."""
    order = np.argsort(-scores, kind="stable")
    overlaps = iou(boxes[order], boxes[order]) > OVERLAP
    stays = np.ones(len(order), bool)
    for rank in range(len(order)):
        if stays[rank]:
            stays[rank + 1 :] &= ~overlaps[rank, rank + 1 :]
    return order[stays]

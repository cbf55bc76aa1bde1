"""Which boxes of several lists are one face: of several looks at a photo, or of several raters."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from ssd.boxes import iou

SAME_FACE = 0.5  # least overlap (IoU) of two boxes of one face


def group_faces(lists: Sequence[ArrayLike], *, iou_threshold: float = SAME_FACE) -> np.ndarray:
    """The faces that several lists of boxes show, each box in one of them.

    Boxes of two lists that overlap are one face, the pairs that overlap most first; a face has
    one box of a list at most.

    Args:
        lists: For each of them [boxes, 4], `[ymin, xmin, ymax, xmax]` in the same unit.
        iou_threshold: Least IoU of two boxes of one face.

    Returns:
        int [faces, lists]: which box of each list shows the face, or -1 if none does. In the
        order of the boxes, those of the first list first.

    Example:
        >>> first, second = [[0, 0, 2, 2]], [[0, 0, 2, 3], [0, 0, 2, 2]]
        >>> group_faces([first, second])
        array([[ 0,  1],
               [-1,  0]])
    """
    rows = [np.asarray(boxes, np.float32).reshape(-1, 4) for boxes in lists]
    owner = np.repeat(np.arange(len(rows)), [len(each) for each in rows])
    number = np.concatenate([np.arange(len(each)) for each in rows]) if rows else owner
    faces = np.full([len(owner), len(rows)], -1)
    faces[np.arange(len(owner)), owner] = number
    if len(set(owner.tolist())) < 2:
        return faces
    boxes = np.concatenate(rows)
    overlaps = np.where(owner[:, None] < owner, iou(boxes, boxes), -1)
    pairs = np.argwhere(overlaps >= iou_threshold)
    face_of = np.arange(len(boxes))  # the row of `faces` that a box is in
    for pair in pairs[np.argsort(-overlaps[tuple(pairs.T)], kind="stable")]:
        first, second = np.sort(face_of[pair])
        if first != second and not np.any((faces[first] >= 0) & (faces[second] >= 0)):
            faces[first] = np.maximum(faces[first], faces[second])
            faces[second] = -1
            face_of[face_of == second] = first
    return faces[np.any(faces >= 0, axis=1)]


def mean_of(faces: np.ndarray, lists: Sequence[ArrayLike]) -> np.ndarray:
    """Means of what several lists say of their boxes, face by face.

    Args:
        faces: int [faces, lists], as `group_faces` gives them.
        lists: For each of them [boxes, ...], such as the boxes themselves or their scores.

    Returns:
        float32 [faces, ...].

    Example:
        >>> mean_of(np.array([[0, 1], [-1, 0]]), [[0.5], [0.25, 0.75]])
        array([0.625, 0.25 ], dtype=float32)
    """
    columns = [np.asarray(values, np.float32) for values in lists]
    total = np.zeros([len(faces), *columns[0].shape[1:]], np.float32)
    for column, values in zip(faces.T, columns, strict=True):
        total[column >= 0] += values[column[column >= 0]]
    count = np.sum(faces >= 0, axis=1).astype(np.float32)
    return total / count.reshape(-1, *[1] * (total.ndim - 1))


def spread(faces: np.ndarray, lists: Sequence[ArrayLike], nothing: ArrayLike) -> np.ndarray:
    """What each of several lists says of each face.

    Args:
        faces: int [faces, lists], as `group_faces` gives them.
        lists: For each of them [boxes, ...], such as the boxes themselves or their scores.
        nothing: What stands where a list has no box of a face.

    Returns:
        [faces, lists, ...].

    Example:
        >>> spread(np.array([[0, 1], [-1, 0]]), [[0.5], [0.25, 0.75]], -1.0)
        array([[ 0.5 ,  0.75],
               [-1.  ,  0.25]])
    """
    columns = [np.asarray(values) for values in lists]
    table = np.full([*faces.shape, *columns[0].shape[1:]], nothing)
    for number, (column, values) in enumerate(zip(faces.T, columns, strict=True)):
        sees = column >= 0
        table[sees, number] = values[column[sees]]
    return table


def merge(
    looks: Sequence[tuple[ArrayLike, ArrayLike]], *, iou_threshold: float = SAME_FACE
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The faces of several looks at one photo, and which of them every look sees.

    Args:
        looks: For each look (boxes [boxes, 4], scores [boxes]), in the same coordinates.
        iou_threshold: Least IoU of two boxes of one face.

    Returns:
        (boxes float32 [faces, 4], scores float32 [faces], agreed bool [faces]). A face that
        several looks see has their mean box and mean score.

    Example:
        >>> first = [[0, 0, 10, 10], [20, 20, 30, 30]], [1.0, 0.9]
        >>> second = [[0, 0, 10, 11]], [0.98]
        >>> boxes, scores, agreed = merge([first, second])
        >>> boxes[0].tolist(), agreed.tolist()
        ([0.0, 0.0, 10.0, 10.5], [True, False])
    """
    boxes = [np.asarray(boxes, np.float32).reshape(-1, 4) for boxes, _ in looks]
    faces = group_faces(boxes, iou_threshold=iou_threshold)
    scores = mean_of(faces, [scores for _, scores in looks])
    return mean_of(faces, boxes), scores, np.all(faces >= 0, axis=1)

"""Which boxes of several lists are one face: of several looks at a photo, or of several raters."""

import itertools
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from ssd.boxes import iou_of_pairs

SAME_FACE = 0.5  # least overlap (IoU) of two boxes of one face


def group_faces(
    lists: Sequence[ArrayLike],
    *,
    iou_threshold: float = SAME_FACE,
    photos: Sequence[ArrayLike] | None = None,
) -> np.ndarray:
    """The faces that several lists of boxes show, each box in one of them.

    Boxes of two lists that overlap are one face, the pairs that overlap most first; a face has
    one box of a list at most.

    Args:
        lists: For each of them [boxes, 4], `[ymin, xmin, ymax, xmax]` in the same unit.
        iou_threshold: Least IoU of two boxes of one face.
        photos: For each list int [boxes], which photo a box is on, in rising order; boxes of two
            photos are two faces. None: all are on one photo.

    Returns:
        int [faces, lists]: which box of each list shows the face, or -1 if none does. In the
        order of the photos and of the boxes, those of the first list first.

    Example:
        >>> first, second = [[0, 0, 2, 2]], [[0, 0, 2, 3], [0, 0, 2, 2]]
        >>> group_faces([first, second])
        array([[ 0,  1],
               [-1,  0]])
        >>> len(group_faces([first, second], photos=[[1], [1, 2]]))
        2
    """
    rows = [np.asarray(boxes, np.float32).reshape(-1, 4) for boxes in lists]
    owner = np.repeat(np.arange(len(rows)), [len(each) for each in rows])
    number = np.concatenate([np.arange(len(each)) for each in rows]) if rows else owner
    photo = np.zeros(len(owner), int) if photos is None else np.concatenate([*photos]).astype(int)
    order = np.argsort(photo, kind="stable")
    owner, number, photo = owner[order], number[order], photo[order]
    boxes = np.concatenate(rows)[order] if rows else np.zeros([0, 4], np.float32)
    face_of = np.arange(len(boxes))
    for some in _photos_at_once(photo):
        pairs = _pairs(photo[some]) + some.start
        pairs = pairs[owner[pairs[:, 0]] != owner[pairs[:, 1]]]
        overlaps = iou_of_pairs(boxes[pairs[:, 0]], boxes[pairs[:, 1]])
        close = np.flatnonzero(overlaps >= iou_threshold)
        pairs = pairs[close[np.argsort(-overlaps[close], kind="stable")]]
        face_of[some] = _join(pairs - some.start, owner[some]) + some.start
    faces = np.full([len(boxes), len(rows)], -1)
    faces[face_of, owner] = number
    return faces[np.unique(face_of)]


_PAIRS_AT_ONCE = 1_000_000  # of boxes on one photo, which bounds memory


def _photos_at_once(photo: np.ndarray) -> list[slice]:
    """Runs of boxes, [boxes] being the photo each is on: whole photos, and not too many pairs."""
    starts = np.flatnonzero(np.diff(photo, prepend=-1))
    counts = np.diff(starts, append=len(photo))
    at_once = np.cumsum(counts**2) // _PAIRS_AT_ONCE
    edges = starts[np.flatnonzero(np.diff(at_once, prepend=-1))].tolist()
    return [slice(*edge) for edge in itertools.pairwise([*edges, len(photo)])]


def _pairs(photo: np.ndarray) -> np.ndarray:
    """int [pairs, 2]: all pairs of boxes on one photo, [boxes] being the photo each is on."""
    ends = np.searchsorted(photo, photo, side="right")
    after = ends - np.arange(len(photo)) - 1  # boxes that come later on the same photo
    first = np.repeat(np.arange(len(photo)), after)
    nth = np.arange(len(first)) - np.repeat(np.cumsum(after) - after, after)
    return np.stack([first, first + 1 + nth], axis=1)


def _join(pairs: np.ndarray, owner: np.ndarray) -> np.ndarray:
    """int [boxes]: the first box of the face that each is in; no face has two of one owner."""
    face_of = list(range(len(owner)))
    members = [[box] for box in face_of]
    owners = [1 << each for each in owner.tolist()]  # of each face, as bits
    for one, other in pairs.tolist():
        first, second = sorted((face_of[one], face_of[other]))
        if first != second and not owners[first] & owners[second]:
            owners[first] |= owners[second]
            members[first] += members[second]
            for box in members[second]:
                face_of[box] = first
    return np.array(face_of, int)


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

"""MTCNN behind one function: photos in, boxes and scores out."""

import functools
from typing import NamedTuple

import numpy as np


class Faces(NamedTuple):
    """What a teacher sees on one photo.

    Args:
        boxes: float32 [faces, 4], `[ymin, xmin, ymax, xmax]` in pixels of the photo.
        scores: float32 [faces], in [0, 1], best first.
    """

    boxes: np.ndarray
    scores: np.ndarray


def mtcnn(photos, *, min_face=20, floor=0.6):
    """Finds the faces on photos with MTCNN.

    Args:
        photos: A list of uint8 [height, width, 3], of any sizes.
        min_face: Side of the smallest face to find, in pixels.
        floor: Least score of a face, in [0, 1].

    Returns:
        A list of `Faces`, one for each photo.

    Example:
        >>> black = np.zeros([64, 48, 3], np.uint8)
        >>> [len(faces.boxes) for faces in mtcnn([black])]
        [0]
    """
    return [_detect(photo, min_face, floor) for photo in photos]


def _detect(photo, min_face, floor):
    found = np.asarray(
        _detector().detect_faces(
            photo,
            output_type="numpy",
            box_format="xyxy",
            min_face_size=min_face,
            threshold_onet=floor,
        ),
        np.float32,
    ).reshape(-1, 16)
    return Faces(boxes=found[:, [2, 1, 4, 3]], scores=found[:, 5])


@functools.cache
def _detector():
    from mtcnn import MTCNN

    return MTCNN()

"""A trained model as a teacher: a `.tflite` file that `ssd.export` wrote."""

import functools
import os
from collections.abc import Callable, Sequence

import numpy as np

import ssd
from distill.teachers.faces import Faces

CLASS = "face"


def open_student(path: str) -> Callable:
    """A teacher that sees what a model of ours sees.

    Args:
        path: The `.tflite` file.

    Returns:
        A function as `distill.options.Options` wants them.

    Raises:
        ValueError: If it is no such file, or a model that finds no faces.

    Example:
        >>> from ssd.detect.detector import SHIPPED
        >>> black = np.zeros([64, 48, 3], np.uint8)
        >>> [len(faces.boxes) for faces in open_student(str(SHIPPED))([black], floor=0.9)]
        [0]
    """
    detector = ssd.Detector(path, threads=os.cpu_count() or 1)
    names = [*detector.config.classes]
    if CLASS not in names:
        raise ValueError(f"{path}: wanted a model that finds a {CLASS}, it finds {names}")
    return functools.partial(_find_faces, detector, names.index(CLASS) + 1)


def _find_faces(
    detector: ssd.Detector,
    class_id: int,
    photos: Sequence[np.ndarray],
    *,
    min_face: float = 0,
    floor: float = 0.5,
) -> list[Faces]:
    faces = []
    for photo in photos:
        boxes, scores, class_ids = detector(photo, score_threshold=floor)
        large = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1) >= min_face**2
        wanted = large & (class_ids == class_id)
        faces.append(Faces(boxes[wanted], scores[wanted]))
    return faces

"""A trained model as a teacher: a `.tflite` file that `ssd.export` wrote."""

from collections.abc import Callable, Sequence

import numpy as np

import ssd
from distill.teachers.faces import Faces
from ssd.processors import processors

CLASS = "face"


def open_student(path: str) -> Callable:
    """A teacher that sees what a model of ours sees.

    Args:
        path: The `.tflite` file.

    Returns:
        A function as `distill.options.Options` wants them. Its `remark` is a line about what of
        the model's classes is not kept, empty if all is.

    Raises:
        ValueError: If it is no such file, or a model that finds no faces.

    Example:
        >>> from ssd.shipped import SHIPPED
        >>> black = np.zeros([64, 48, 3], np.uint8)
        >>> [len(faces.boxes) for faces in open_student(str(SHIPPED))([black], floor=0.9)]
        [0]
    """
    return _Student(path)


class _Student:
    """A detector as a teacher of faces; a kind of face, such as a smile, is a face."""

    def __init__(self, path: str):
        self._detector = ssd.Detector(path, threads=processors())
        config = self._detector.config
        names = [*config.classes]
        if CLASS not in names:
            raise ValueError(f"{path}: wanted a model that finds a {CLASS}, it finds {names}")
        face = names.index(CLASS) + 1
        self._faces = [place for place, root in enumerate(config.roots, 1) if root == face]
        became = [f"{names[place - 1]} becomes {CLASS}" for place in self._faces if place != face]
        left_out = [
            f"{name} is left out" for place, name in enumerate(names, 1) if place not in self._faces
        ]
        told = ", ".join([*became, *left_out])
        self.remark = f"{path}: labels of a teacher have one class, {CLASS}: {told}" if told else ""

    def __call__(
        self, photos: Sequence[np.ndarray], *, min_face: float = 0, floor: float = 0.5
    ) -> list[Faces]:
        faces = []
        for photo in photos:
            boxes, scores, class_ids = self._detector(photo, score_threshold=floor)
            large = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1) >= min_face**2
            wanted = large & np.isin(class_ids, self._faces)
            faces.append(Faces(boxes[wanted], scores[wanted]))
        return faces

"""The detector before networks: OpenCV's Haar cascade (Viola and Jones)."""

import importlib.util
import pathlib
from typing import Any

import numpy as np

import ssd

NAME = "Viola-Jones (OpenCV)"
_CASCADE = "haarcascade_frontalface_default.xml"


class ViolaJones:
    """OpenCV's cascade for frontal faces, with the settings of its own examples.

    Its "score" is the weight of the last stage that a window passed, put between 0 and 1: enough
    to order boxes by, and no share of anything.

    Raises:
        ImportError: If OpenCV is not installed, or is one without cascades (from 5.0 on).

    Example:
        >>> ViolaJones.missing() is None or "opencv" in ViolaJones.missing()
        True
    """

    __name__ = NAME

    def __init__(self) -> None:
        why = self.missing()
        if why:
            raise ImportError(why)
        self._cv2: Any = importlib.import_module("cv2")
        self._cv2.setNumThreads(1)
        path = pathlib.Path(self._cv2.data.haarcascades) / _CASCADE
        self._cascade = self._cv2.CascadeClassifier(str(path))

    @staticmethod
    def missing() -> str | None:
        """Why it cannot run here.

        Returns:
            A line, or None if it can.
        """
        if importlib.util.find_spec("cv2") is None:
            return "not measured: needs opencv-python-headless before 5"
        cv2 = importlib.import_module("cv2")
        if not hasattr(cv2, "CascadeClassifier"):
            return (
                f"not measured: OpenCV {cv2.__version__} has no cascades; "
                "needs opencv-python-headless before 5"
            )
        return None

    def __call__(self, photo: np.ndarray, *, score_threshold: float = 0.0) -> ssd.Detections:
        """Faces in a photo.

        Args:
            photo: uint8 [height, width, 3].
            score_threshold: Least score of a box.

        Returns:
            `ssd.Detections`.
        """
        gray = self._cv2.cvtColor(photo, self._cv2.COLOR_RGB2GRAY)
        found, _, weights = self._cascade.detectMultiScale3(
            gray, scaleFactor=1.1, minNeighbors=3, outputRejectLevels=True
        )
        left, top, width, height = np.float32(found).reshape(-1, 4).T
        boxes = np.stack([top, left, top + height, left + width], axis=-1)
        scores = 1 / (1 + np.exp(-np.float32(weights).reshape(-1)))
        order = np.argsort(-scores, kind="stable")
        order = order[scores[order] >= score_threshold]
        return ssd.Detections(boxes[order], scores[order], np.ones(len(order), int))

"""Faces made unrecognizable: each is covered, for a face that is only blurred is still a face."""

import numpy as np
from numpy.typing import ArrayLike

from ssd.detect.detections import Detections
from ssd.photos.letterbox import check_photo

GROWN = 1.5  # of a box, so that hair and chin go too: less leaves a head, which is found again


def blur(photo: ArrayLike, found: Detections) -> np.ndarray:
    """A copy of the photo in which each box is covered by one gray, that of its mean brightness.

    Of what was there one number is left, so nothing can bring a face back. A mosaic or a soft blur
    would look kinder, but detectors still find faces there, and so do people who know them
    (docs/detect.md has figures). Only what was found is covered.

    Args:
        photo: uint8 [height, width, 3].
        found: The `ssd.Detections` of that photo.

    Returns:
        uint8 [height, width, 3].

    Raises:
        ValueError: If the photo is none.

    Example:
        >>> photo = np.zeros((80, 80, 3), np.uint8)
        >>> photo[20:60, 20:60:2] = 200
        >>> boxes = np.array([[20, 20, 60, 60]], np.float32)
        >>> found = Detections(boxes, np.array([0.9], np.float32), np.array([1]))
        >>> covered = blur(photo, found)
        >>> np.unique(covered[10:70, 10:70]).size, covered[9, 9].tolist()
        (1, [0, 0, 0])
    """
    photo = check_photo(photo)
    covered = photo.copy()
    for ymin, xmin, ymax, xmax in _grown(found.boxes, photo.shape[:2]):
        face = photo[ymin:ymax, xmin:xmax]
        if face.size:
            covered[ymin:ymax, xmin:xmax] = round(float(face.mean()))
    return covered


def _grown(boxes: np.ndarray, size: tuple[int, int]) -> list[list[int]]:
    """Boxes of whole pixels, so much larger, inside the photo."""
    middles, sizes = (boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]
    low = np.maximum(np.floor(middles - GROWN / 2 * sizes), 0)
    high = np.minimum(np.ceil(middles + GROWN / 2 * sizes), size)
    return np.concatenate([low, high], axis=1).astype(int).tolist()

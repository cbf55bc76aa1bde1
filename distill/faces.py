"""What a teacher sees on one photo."""

from typing import NamedTuple

import numpy as np


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

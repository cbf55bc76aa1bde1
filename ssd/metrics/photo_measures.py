"""Light, focus and noise of a photo and of the faces in it, as numbers."""

from collections.abc import Iterable

import numpy as np


def measure_photo(image: np.ndarray, boxes: Iterable[np.ndarray]) -> dict[str, list[float]]:
    """The measures of one photo and of the faces in it.

    Args:
        image: uint8 [height, width, 3], without the black that a letterbox adds.
        boxes: [n, 4] `[ymin, xmin, ymax, xmax]` in its pixels.

    Returns:
        A dictionary from `brightness`, `contrast`, `shadows`, `backlight`, `sharpness` and `noise`
        to lists of values: one of the photo, or one of each face (backlight).

    Example:
        >>> gray = measure_photo(np.full((64, 64, 3), 100, np.uint8), [])
        >>> round(gray["brightness"][0]), gray["noise"], gray["backlight"]
        (100, [0.0], [])
    """
    gray = image.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)
    mean = float(gray.mean())
    dark, light = np.percentile(gray, (5, 95))
    # A factor on the light changes none of the ratios.
    fine, coarse = _difference(gray, 1), _difference(gray, 4)
    return {
        "brightness": [mean],
        "contrast": [float((light - dark) / max(light + dark, 1))],
        "shadows": [float((gray < mean / 3).mean())],
        "backlight": [value for box in boxes if (value := _backlight(gray, box)) is not None],
        "sharpness": [float(np.log2((fine + 0.05) / (coarse + 0.05)))],
        "noise": [_noise(gray)],
    }


def _difference(gray: np.ndarray, step: int) -> float:
    """Mean difference of pixels `step` apart, along rows and columns."""
    rows, columns = gray[step:] - gray[:-step], gray[:, step:] - gray[:, :-step]
    return (np.abs(rows).mean() + np.abs(columns).mean()) / 2 if min(gray.shape) > step else 0.0


def _noise(gray: np.ndarray) -> float:
    """Standard deviation of the noise, read where the photo is flattest.

    The mask is blind to edges that run straight and to slopes (Immerkær: Fast Noise Variance
    Estimation, 1996); of blocks of 8 x 8 pixels, the quietest tenth has the least texture.
    """
    rows = gray[:-2] - 2 * gray[1:-1] + gray[2:]
    mask = rows[:, :-2] - 2 * rows[:, 1:-1] + rows[:, 2:]
    height, width = (side // 8 * 8 for side in mask.shape)
    if not height * width:
        return 0.0
    blocks = np.abs(mask[:height, :width]).reshape(height // 8, 8, width // 8, 8)
    return float(np.percentile(blocks.mean(axis=(1, 3)), 10) * np.sqrt(np.pi / 2) / 6)


def _backlight(gray: np.ndarray, box: np.ndarray) -> float | None:
    """How much lighter it is beside and above a face than in it, in stops; None for no answer."""
    top, left, bottom, right = box
    tall, wide = bottom - top, right - left

    def cut(grow_up: float, grow_down: float, grow_aside: float) -> np.ndarray:
        rows = slice(max(0, round(top - grow_up * tall)), round(bottom + grow_down * tall))
        columns = slice(max(0, round(left - grow_aside * wide)), round(right + grow_aside * wide))
        return gray[rows, columns]

    # Below it are the shoulders, which stand in the same light as the face.
    face, near, around = cut(-0.2, -0.2, -0.2), cut(0.2, 0, 0.2), cut(0.8, 0, 1.2)
    beside = around.size - near.size
    if face.size < 9 or beside < face.size:
        return None
    surroundings = (around.sum() - near.sum()) / beside
    return float(np.log2((surroundings + 4) / (face.mean() + 4)))

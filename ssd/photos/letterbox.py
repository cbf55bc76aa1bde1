"""A photo as an array: checked, and put into the model's input."""

import numpy as np
from numpy.typing import ArrayLike

from ssd.config import Config
from ssd.photos.resizing import resize


def check_photo(photo: ArrayLike) -> np.ndarray:
    """The photo, as an array, if it is one.

    Args:
        photo: What is to be one.

    Returns:
        uint8 [height, width, 3].

    Raises:
        ValueError: If it is not uint8 [height, width, 3] with at least one pixel.

    Example:
        >>> check_photo(np.zeros((480, 640), np.uint8))
        Traceback (most recent call last):
        ValueError: photo: wanted uint8 [height, width, 3] in RGB, got uint8 [480, 640]
    """
    photo = np.asarray(photo)
    if photo.dtype != np.uint8 or photo.ndim != 3 or photo.shape[2] != 3 or photo.size == 0:
        raise ValueError(
            f"photo: wanted uint8 [height, width, 3] in RGB, got {photo.dtype} {list(photo.shape)}"
        )
    return photo


def letterbox(photo: np.ndarray, config: Config) -> np.ndarray:
    """A photo as the model takes it: scaled to fit the top left corner, the rest black.

    `ssd.data.pipeline` does the same with TensorFlow in training; a test holds the two together.

    Args:
        photo: uint8 [height, width, 3].
        config: The `ssd.Config` of the model.

    Returns:
        uint8 [*config.image_size, 3].

    Example:
        >>> import ssd
        >>> letterbox(np.full((480, 640, 3), 9, np.uint8), ssd.Config()).shape
        (256, 256, 3)
    """
    height, width = config.fit(*photo.shape[:2])
    image = np.zeros((*config.image_size, 3), np.uint8)
    image[:height, :width] = resize(photo, height, width)
    return image


def letterbox_scale(height: int, width: int, config: Config) -> tuple[float, float]:
    """Pixels of a photo, down and across, to one of the input that it is put into.

    The whole photo fills the inner part of the input, so this moves boxes and pixels alike.

    Args:
        height: Of the photo, in pixels.
        width: Of the photo, in pixels.
        config: The `ssd.Config` of the model.

    Returns:
        Two numbers, hardly different: the photo becomes whole pixels in size.

    Example:
        >>> import ssd
        >>> letterbox_scale(480, 640, ssd.Config(image_size=(256, 256)))
        (2.5, 2.5)
    """
    inner_height, inner_width = config.fit(height, width)
    return height / inner_height, width / inner_width

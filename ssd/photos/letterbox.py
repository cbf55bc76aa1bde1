"""A photo as an array: checked, and put into the model's input."""

import numpy as np

from ssd.photos.resizing import resize


def check_photo(photo):
    """The photo, as an array, if it is one.

    Raises:
        ValueError: If it is not uint8 [height, width, 3] with at least one pixel.
    """
    photo = np.asarray(photo)
    if photo.dtype != np.uint8 or photo.ndim != 3 or photo.shape[2] != 3 or photo.size == 0:
        raise ValueError(
            f"photo: wanted uint8 [height, width, 3] in RGB, got {photo.dtype} {list(photo.shape)}"
        )
    return photo


def letterbox(photo, config):
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

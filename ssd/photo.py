"""Photos as arrays: from a file upright, into the model's input, and back into a file."""

import numpy as np
from PIL import Image, ImageOps

from ssd.resizing import resize


def read_photo(path):
    """A photo file as it was meant to be seen: upright, in colour, one byte a channel.

    Gray, palette, CMYK and 16-bit files become RGB; of an animation the first frame is taken.

    Args:
        path: A JPEG, PNG, or any other file that Pillow reads.

    Returns:
        uint8 [height, width, 3].

    Raises:
        OSError: If there is no such file or it may not be read.
        ValueError: If the file holds no photo, or only part of one.
    """
    with open(path, "rb") as file:
        try:
            image = ImageOps.exif_transpose(Image.open(file))
            if image.mode.startswith("I"):
                # Pillow would clip 16 bits to 8; the upper eight are the photo.
                image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
            return np.asarray(image.convert("RGB"))
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
            # Pillow names the open file by its repr, which says nothing.
            reason = "no image format known" if "identify" in str(error) else error
            raise ValueError(f"{path}: wanted a photo ({reason})") from None


def write_photo(path, photo):
    """Write uint8 [height, width, 3] as an image file; the name's ending says which format."""
    Image.fromarray(photo).save(path)


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

    `ssd.data` does the same with TensorFlow in training; a test holds the two together.

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

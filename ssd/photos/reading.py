"""Photo files of any format: read upright, for detecting and for storing beside labels."""

import io
import os
import pathlib
import stat
import warnings
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageOps

MAX_PIXELS = 100_000_000
QUALITY = 95  # of a JPEG that has to be encoded anew; its traces stay below those of a resize
# Sizes are checked here, and flaws in metadata do no harm to pixels. (A filter set for each photo
# would not do: photos are read by threads, which share the filters.)
warnings.filterwarnings("ignore", module=r"PIL\.")
_ORIENTATION = 0x0112  # the EXIF tag that says how the camera was held


class Photo(NamedTuple):
    """A photo upright, decoded and encoded.

    Args:
        pixels: uint8 [height, width, 3], RGB.
        encoded: The same photo as a JPEG file: upright, colour or gray.
        full_size: (height, width) that the upright photo had before it was scaled down.
        size: (height, width) of the JPEG file; larger than `pixels` if those are shrunk.
    """

    pixels: np.ndarray
    encoded: bytes
    full_size: tuple[int, int]
    size: tuple[int, int]


def find(folder, name):
    """Where the photo lies that an annotation names.

    Annotations often name a folder that their photos are no longer in.

    Args:
        folder: Folder of photos.
        name: Path inside it, or of a time when the photos lay elsewhere.

    Returns:
        `folder / name`, or, if there is none, the file of the same last name in the folder
        itself; a path where there may be no file.

    Example:
        >>> find("photos", "JPEGImages/1.jpg").as_posix()
        'photos/1.jpg'
    """
    path = pathlib.Path(folder, name)
    return path if path.is_file() else pathlib.Path(folder, path.name)


def read(path, *, max_side=None, max_pixels=MAX_PIXELS, shrink=1):
    """Reads a photo of any common format and turns it upright.

    An upright colour or gray JPEG that needs no scaling keeps its bytes. Everything else is
    encoded anew: rotated by its EXIF flag, scaled down so that its long side is `max_side`, first
    frame of an animation, 16 bits to 8, transparency over white.

    Args:
        path: The file.
        max_side: Longest side of the result in pixels; None keeps every size.
        max_pixels: A photo of more pixels is refused before it is decoded.
        shrink: How many times smaller than the JPEG file the pixels are: 1, 2, 4 or 8. Each is
            the mean of a square; the last of a row or column may be of fewer. A JPEG that keeps
            its bytes is decoded at that size, which is quicker.

    Returns:
        A `Photo`.

    Raises:
        ValueError: If the file is missing, unreadable, no photo, damaged or too large. The
            message is the reason alone, without the path.

    Example:
        >>> import tempfile
        >>> with tempfile.NamedTemporaryFile(suffix=".png") as file:
        ...     Image.new("RGB", (200, 100)).save(file.name)
        ...     read(file.name, max_side=50).pixels.shape
        (25, 50, 3)
    """
    image, encoded, full_size = _open(path, max_side, max_pixels, shrink)
    if encoded is None:
        file = io.BytesIO()
        image.save(file, "JPEG", quality=QUALITY, subsampling=0)
        size, encoded = image.size[::-1], file.getvalue()
        image = image.reduce(shrink)
    else:
        size = full_size
    return Photo(np.asarray(image), encoded, full_size, size)


def read_photo(path):
    """A photo file as it was meant to be seen: upright, in colour, one byte a channel.

    What `read` says of formats holds here, too.

    Args:
        path: A JPEG, PNG, or any other file that Pillow reads.

    Returns:
        uint8 [height, width, 3], RGB.

    Raises:
        ValueError: If there is no such file, or it holds no photo or only part of one.

    Example:
        >>> import tempfile
        >>> with tempfile.NamedTemporaryFile(suffix=".png") as file:
        ...     write_photo(file.name, np.zeros((25, 50, 3), np.uint8))
        ...     read_photo(file.name).shape
        (25, 50, 3)
    """
    try:
        return np.asarray(_open(path, None, MAX_PIXELS, 1)[0])
    except ValueError as reason:
        raise ValueError(f"{path}: wanted a photo ({reason})") from None


def write_photo(path, photo):
    """Write uint8 [height, width, 3] as an image file; the name's ending says which format."""
    Image.fromarray(photo).save(path)


def _open(path, max_side, max_pixels, shrink):
    """The photo as a PIL image, upright RGB; its bytes if they are that very photo; full size.

    The image is shrunk where the bytes are kept, and only there.
    """
    try:
        status = os.stat(path)
        if not stat.S_ISREG(status.st_mode):  # opening a pipe would wait for ever
            raise ValueError("not a regular file")
        with open(path, "rb") as file:
            original = file.read()
    except OSError as error:
        raise ValueError(error.strerror or str(error)) from None
    if not original:
        raise ValueError("empty file")
    return _decode(original, max_side, max_pixels, shrink)


def _decode(original, max_side, max_pixels, shrink):
    if max_pixels > Image.MAX_IMAGE_PIXELS:  # asked for: Pillow's own limit is in the way
        Image.MAX_IMAGE_PIXELS = max_pixels
    try:
        image = Image.open(io.BytesIO(original))
    except Image.DecompressionBombError:  # Pillow's own limit, at twice 89 million pixels
        raise ValueError(f"more than {max_pixels:,} pixels") from None
    except Exception:
        raise ValueError("no photo that can be read") from None
    with image:
        width, height = image.size
        if width * height > max_pixels:
            raise ValueError(f"{width}x{height} is more than {max_pixels:,} pixels")
        scale = min(1, max_side / max(width, height)) if max_side else 1
        try:
            upright = image.getexif().get(_ORIENTATION, 1) in (0, 1)
        except Exception:
            upright = True
        kept = image.format == "JPEG" and image.mode in ("RGB", "L") and upright and scale == 1
        try:
            if scale < 1 and image.format == "JPEG":
                # The decoder halves for free, down to no less than the size wanted.
                image.draft(image.mode, _scaled(width, height, scale))
            elif kept and shrink > 1:
                image.draft(image.mode, (width // shrink, height // shrink))
            image.load()
            if not upright:
                image = ImageOps.exif_transpose(image)
                width, height = image.size if scale == 1 else _turned(image, width, height)
            pixels = _to_rgb(image)
            if scale < 1:
                size = _scaled(width, height, scale)
                pixels = pixels.resize(size, Image.Resampling.BILINEAR)
        except MemoryError:
            raise ValueError("not enough memory to decode") from None
        except Exception as error:  # decoders raise OSError, SyntaxError, struct.error, ...
            raise ValueError(f"damaged: {error}".replace("\n", " ")) from None
    return pixels, original if kept else None, (height, width)


def _scaled(width, height, scale):
    return max(1, round(width * scale)), max(1, round(height * scale))


def _turned(image, width, height):
    """The full size of a photo as it stands upright, whatever scale it was decoded at."""
    wide = image.size[0] > image.size[1]
    return (width, height) if wide == (width > height) else (height, width)


def _to_rgb(image):
    if image.mode.startswith("I") or image.mode == "F":
        # Pillow clips 16 bits at 255 where it should scale.
        values = np.asarray(image, np.float64)
        if image.mode == "F" and values.size and np.nanmax(values) <= 1:
            values = values * 65535
        image = Image.fromarray(np.clip(values / 257, 0, 255).round().astype(np.uint8))
    elif image.mode in ("LA", "PA", "RGBA", "RGBa", "La") or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert("RGB")

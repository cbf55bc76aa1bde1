"""Photo files of any format: read upright, for detecting and for storing beside labels."""

import errno
import functools
import io
import os
import stat
import warnings
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageOps

from ssd.photos.metadata import strip_metadata

MAX_PIXELS = 100_000_000
QUALITY = 95  # of a JPEG that has to be encoded anew; its traces stay below those of a resize
# Formats that Pillow decodes by itself. For others it starts programs (for EPS, Ghostscript),
# whatever the name of the file says. TGA comes last: it has no first bytes to know it by.
FORMATS = (
    *("JPEG", "MPO", "PNG", "WEBP", "BMP", "DIB", "GIF", "TIFF", "AVIF", "HEIF", "JPEG2000"),
    *("PPM", "TGA"),
)
_BYTES_A_PIXEL = 8  # four channels of 16 bits: files of more are no photos of so many pixels
_DEPTHS = (8, 10, 12, 14, 16)  # bits that cameras give a gray value
_DARKEST = 64  # of 255: at most this comes of 14 bits a channel that are taken for 16
# Sizes are checked here, and flaws in metadata do no harm to pixels. (A filter set for each photo
# would not do: photos are read by threads, which share the filters.)
warnings.filterwarnings("ignore", module=r"PIL\.")
_ORIENTATION = 0x0112  # the EXIF tag that says how the camera was held
_JPEG = ("JPEG", "MPO")  # an MPO file is a JPEG file with more photos behind it
_JPEG_START, _JPEG_END = b"\xff\xd8", b"\xff\xd9"


class Photo(NamedTuple):
    """A photo upright, decoded and encoded.

    Args:
        pixels: uint8 [height, width, 3], RGB.
        encoded: The same photo as a JPEG file: upright, color or gray, without metadata.
        full_size: (height, width) that the upright photo had before it was scaled down.
        size: (height, width) of the JPEG file; larger than `pixels` if those are shrunk.
        repaired: Whether it was a JPEG file that would have kept its bytes, had nothing been
            wrong with them.

    Example:
        >>> import tempfile
        >>> with tempfile.NamedTemporaryFile(suffix=".png") as file:
        ...     write_photo(file.name, np.zeros((25, 50, 3), np.uint8))
        ...     photo = read_and_encode(file.name)
        >>> photo.size, photo.repaired
        ((25, 50), False)
    """

    pixels: np.ndarray
    encoded: bytes
    full_size: tuple[int, int]
    size: tuple[int, int]
    repaired: bool


def read_and_encode(
    path: str | os.PathLike,
    *,
    max_side: int | None = None,
    max_pixels: int = MAX_PIXELS,
    shrink: int = 1,
    may_keep: Callable[[bytes], bool] = lambda encoded: True,
) -> Photo:
    """Reads a photo of any common format and turns it upright.

    An upright color or gray JPEG that needs no scaling keeps its bytes, but for those that say
    something about its owner (`ssd.photos.metadata`). Everything else is encoded anew: rotated by
    its EXIF flag, scaled down so that its long side is `max_side`, first frame of an animation,
    gray values of up to 16 bits or fractions to 8 bits, transparency over white.

    Args:
        path: The file.
        max_side: Longest side of the result in pixels; None keeps every size.
        max_pixels: A photo of more pixels is refused before it is decoded.
        shrink: How many times smaller than the JPEG file the pixels are: 1, 2, 4 or 8. Each is
            the mean of a square; the last of a row or column may be of fewer. A JPEG that keeps
            its bytes is decoded at that size, which is quicker.
        may_keep: Says of a JPEG file whether others can decode it, too, such as
            `ssd.data.jpeg.is_decodable`; if not, it is encoded anew.

    Returns:
        A `Photo`.

    Raises:
        ValueError: If the file is no photo, damaged or too large. The message is the reason
            alone, without the path.
        OSError: If the file is missing or cannot be read, which says nothing about the photo.
        MemoryError: If there is not enough to decode it.

    Example:
        >>> import tempfile
        >>> with tempfile.NamedTemporaryFile(suffix=".png") as file:
        ...     Image.new("RGB", (200, 100)).save(file.name)
        ...     read_and_encode(file.name, max_side=50).pixels.shape
        (25, 50, 3)
    """
    original = _read_bytes(path, max_pixels)
    file = _with_end(original, max_pixels)
    opened = _open_image(file, max_pixels)
    full_size = opened.upright_size
    size = _scaled(full_size, max_side)
    could_keep = opened.is_upright_jpeg and size == full_size
    kept = strip_metadata(file) if could_keep and file is original else None
    if kept is not None and not may_keep(kept):
        kept = None
    upright = _decode(opened, size, shrink if kept else 1)
    if kept:
        return Photo(np.asarray(upright), kept, full_size, full_size, False)
    pixels = np.asarray(upright.reduce(shrink))
    return Photo(pixels, _encode(upright), full_size, size, could_keep)


def read_photo(path: str | os.PathLike) -> np.ndarray:
    """A photo file as it was meant to be seen: upright, in color, one byte a channel.

    What `read_and_encode` says of formats holds here, too.

    Args:
        path: A JPEG, PNG, or any other file that Pillow reads.

    Returns:
        uint8 [height, width, 3], RGB.

    Raises:
        FileNotFoundError: If there is no such file.
        OSError: If it cannot be read.
        ValueError: If it holds no photo or only part of one.

    Example:
        >>> import tempfile
        >>> with tempfile.NamedTemporaryFile(suffix=".png") as file:
        ...     write_photo(file.name, np.zeros((25, 50, 3), np.uint8))
        ...     read_photo(file.name).shape
        (25, 50, 3)
    """
    try:
        file = _with_end(_read_bytes(path, MAX_PIXELS), MAX_PIXELS)
        opened = _open_image(file, MAX_PIXELS)
        return np.asarray(_decode(opened, opened.upright_size, 1))
    except OSError as error:
        raise type(error)(f"{path}: wanted a photo ({error.strerror or error})") from None
    except ValueError as reason:
        raise ValueError(f"{path}: wanted a photo ({reason})") from None


def write_photo(path: str | os.PathLike, photo: np.ndarray) -> None:
    """Writes a photo as an image file; the name's ending says which format.

    Args:
        path: The file. One of that name is replaced.
        photo: uint8 [height, width, 3], RGB.

    Raises:
        ValueError: If the ending is that of no format.
        OSError: If the file cannot be written.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_photo(f"{folder}/black.png", np.zeros((25, 50, 3), np.uint8))
        ...     os.listdir(folder)
        ['black.png']
    """
    Image.fromarray(photo).save(path)


def _read_bytes(path: str | os.PathLike, max_pixels: int) -> bytes:
    """All of a file, if it can be a photo of so many pixels."""
    try:
        status = os.stat(path)
        if not stat.S_ISREG(status.st_mode):  # opening a pipe would wait for ever
            raise ValueError("not a regular file")
        if status.st_size > max(_BYTES_A_PIXEL * max_pixels, 1_000_000):
            raise ValueError(
                f"{status.st_size:,} bytes, too many for a photo of up to {max_pixels:,} pixels"
            )
        with open(path, "rb") as file:
            content = file.read()
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENAMETOOLONG):  # of the name, and for ever
            raise ValueError(error.strerror) from None
        raise
    if not content:
        raise ValueError("empty file")
    return content


@functools.cache
def _known_formats() -> list[str]:
    """Those of `FORMATS` that this Pillow has."""
    Image.init()
    return [name for name in FORMATS if name in Image.OPEN]


class _Opened(NamedTuple):
    """A PIL image of which no more than the header is read, and what the header says."""

    image: Image.Image
    deep: bool  # 16 bits a channel, of which Pillow takes the upper 8
    turn: int  # how the photo has to be turned, from 1 (not at all) to 8, as EXIF counts

    @property
    def upright_size(self) -> tuple[int, int]:
        width, height = self.image.size
        return (width, height) if self.turn >= 5 else (height, width)

    @property
    def is_upright_jpeg(self) -> bool:
        return self.image.format in _JPEG and self.image.mode in ("RGB", "L") and self.turn == 1


def _open_image(file: bytes, max_pixels: int) -> _Opened:
    """The bytes of a file as `_Opened`."""
    if max_pixels > (
        Image.MAX_IMAGE_PIXELS or max_pixels
    ):  # asked for: Pillow's own limit is in the way
        Image.MAX_IMAGE_PIXELS = max_pixels
    try:
        image = Image.open(io.BytesIO(file), formats=_known_formats())
    except Image.DecompressionBombError:  # Pillow's own limit, at twice 89 million pixels
        raise ValueError(f"more than {max_pixels:,} pixels") from None
    except MemoryError:
        raise
    except Exception:
        raise ValueError("no photo that can be read") from None
    width, height = image.size
    if width * height > max_pixels:
        raise ValueError(f"{width}x{height} is more than {max_pixels:,} pixels")
    # To be asked first: of a PNG, EXIF stands behind the pixels. Gray values have `_to_bytes`.
    deep = ";16" in repr(image.tile) and not image.mode.startswith("I")
    try:
        turn = image.getexif().get(_ORIENTATION, 1)
    except MemoryError:
        raise
    except Exception:  # EXIF that is damaged says nothing
        turn = 1
    return _Opened(image, deep, turn if turn in range(1, 9) else 1)


def _with_end(file: bytes, max_pixels: int) -> bytes:
    """The file; a JPEG file that lacks its end marker and nothing else, with one.

    What stands behind the last pixel changes none. So the photo is all there if it looks the same
    whatever bytes come before the end.
    """
    if not file.startswith(_JPEG_START) or strip_metadata(file):
        return file
    try:
        plain, other = (
            np.asarray(_open_image(file + behind + _JPEG_END, max_pixels).image)
            for behind in (b"", bytes(range(1, 0xF0)))
        )
    except MemoryError:
        raise
    except Exception:
        return file
    return file + _JPEG_END if np.array_equal(plain, other) else file


def _scaled(size: tuple[int, int], max_side: int | None) -> tuple[int, int]:
    """(height, width) of a photo scaled down to a longest side."""
    scale = 1 if max_side is None else min(1, max_side / max(size))
    height, width = (max(1, round(side * scale)) for side in size)
    return height, width


def _decode(opened: _Opened, size: tuple[int, int], shrink: int) -> Image.Image:
    """A photo decoded, upright, in RGB and of that size, or so many times smaller."""
    image = opened.image
    full_size = opened.upright_size
    try:
        if image.format in _JPEG and (size != full_size or shrink > 1):
            # The decoder halves for free, down to no less than the size wanted.
            height, width = (max(1, side // shrink) for side in size)
            image.draft(image.mode, (height, width) if opened.turn >= 5 else (width, height))
        image.load()
        upright = image if opened.turn == 1 else ImageOps.exif_transpose(image)
    except MemoryError:
        raise
    except Exception as error:  # decoders raise OSError, SyntaxError, struct.error, ...
        raise ValueError(f"damaged: {error}".replace("\n", " ")) from None
    pixels = _to_rgb(upright)
    if opened.deep and np.max(pixels.getextrema()) < _DARKEST:
        raise ValueError("16 bits a channel, filled so little that 8 of them are dark")
    if size == full_size:
        return pixels
    return pixels.resize((size[1], size[0]), Image.Resampling.BILINEAR)


def _to_rgb(image: Image.Image) -> Image.Image:
    """An image of any mode in RGB."""
    if image.mode.startswith("I") or image.mode == "F":  # Pillow would clip at 255
        image = Image.fromarray(_to_bytes(np.asarray(image, np.float64)))
    elif image.mode in ("LA", "PA", "RGBA", "RGBa", "La") or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert("RGB")


def _to_bytes(gray: np.ndarray) -> np.ndarray:
    """Gray values of any range as bytes: white is the most of the depth that they need.

    Files seldom say how many of their bits a camera filled, so the values have to.
    """
    if not np.all(np.isfinite(gray)) or gray.min() < 0:
        raise ValueError("gray values that are negative or no numbers")
    if gray.max() <= 1:  # shares of white
        gray = gray * 65535
    white = next((2**bits - 1 for bits in _DEPTHS if gray.max() < 2**bits), None)
    if white is None:
        raise ValueError(f"gray values up to {gray.max():,.0f}, more than 16 bits hold")
    return (gray * (255 / white)).clip(0, 255).round().astype(np.uint8)


def _encode(image: Image.Image) -> bytes:
    """An RGB image as a JPEG file that holds nothing else."""
    image.info = {}  # Pillow writes comments that it has read
    file = io.BytesIO()
    image.save(file, "JPEG", quality=QUALITY, subsampling=0)
    return file.getvalue()

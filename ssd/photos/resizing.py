"""Photos made smaller or larger, on NumPy alone."""

import functools
import math
import threading

import numpy as np

# Outputs computed by one matrix product. More of them waste more products with zero weights,
# fewer cost more calls: 4 take a fifth longer than 12, and 16 a third.
_BLOCK = 12

# What lies between the two products, kept by each thread: megabytes that are asked of the system
# for every photo and given back cost more than the products (3.2 ms instead of 1.3).
_kept = threading.local()


def resize(photo: np.ndarray, height: int, width: int) -> np.ndarray:
    """The photo in another size: halved as often as it can be, then sampled bilinearly.

    While a photo has at least twice the rows and columns wanted, two by two of its pixels become
    one, their mean; what is then left to do, by less than two, is bilinear with pixel centers at
    half numbers. JPEG decoders can halve while they decode, and every image library has the
    bilinear part, so training (`ssd.data.augment.scale_part`) does this at a fifth of the time of
    an antialiased filter.

    The photo's edges become the result's, whatever its size: where it ends inside a pixel of the
    halved photo, its last row or column is repeated to fill that pixel, and sampling knows how
    much of it is photo. So a place at a share of the photo's height or width is at that share of
    the result's.

    Halving adds whole numbers, which is cheap; sampling is a product with a matrix of weights down
    the columns and another along the rows. Both matrices are zero outside a band. Done in small
    blocks along the band, at the speed of the BLAS library inside NumPy, a frame of 640×480
    becomes an input of 320×240, by halving alone, in half of the time of Pillow's `reduce`.

    Args:
        photo: uint8 [height, width, 3].
        height: Wanted height in pixels, at least 1.
        width: Wanted width in pixels, at least 1.

    Returns:
        uint8 [height, width, 3], rounded.

    Example:
        >>> photo = np.array([[[0] * 3, [100] * 3]], np.uint8)
        >>> resize(photo, 1, 4)[0, :, 0].tolist()
        [0, 25, 75, 100]
    """
    old_height, old_width, _ = photo.shape
    unit = 2 ** count_halvings((old_height, old_width), (height, width))
    sums = _sums(photo, unit)
    if (old_height, old_width) == (height * unit, width * unit):
        return ((sums + unit**2 // 2) // unit**2).astype(np.uint8)
    rows = sums.reshape(len(sums), -1).astype(np.float32)
    tall = _scratch("tall", height, rows.shape[1])
    for old, new, weights in _band(old_height, height, unit):
        np.matmul(weights, rows[old], out=tall[new])
    result = _scratch("result", height, width * 3)
    for old, new, weights in _band_of_colors(old_width, width, unit):
        np.matmul(tall[:, old], weights, out=result[:, new])
    result += 0.5
    return result.astype(np.uint8).reshape(height, width, 3)


def count_halvings(old: tuple[int, int], new: tuple[int, int]) -> int:
    """How often a photo is halved before it is sampled.

    Args:
        old: (height, width) as it is, in pixels.
        new: (height, width) as it is to be.

    Returns:
        The most that leave both sides at least as long as wanted.

    Example:
        >>> [count_halvings((480, 640), size) for size in [(241, 321), (240, 320), (15, 20)]]
        [0, 1, 5]
    """
    return max(min(old[0] // new[0], old[1] // new[1]).bit_length() - 1, 0)


def _sums(photo, unit):
    """Sums of `unit` by `unit` pixels, a power of 2; the last row and column fill what lacks."""
    spare = [-side % unit for side in photo.shape[:2]]
    if any(spare):
        photo = np.pad(photo, ((0, spare[0]), (0, spare[1]), (0, 0)), mode="edge")
    dtype = np.uint16 if unit <= 16 else np.uint32
    for _ in range(unit.bit_length() - 1):
        photo = np.add(photo[0::2], photo[1::2], dtype=dtype)
    for _ in range(unit.bit_length() - 1):
        photo = _pairs(photo)
    return photo


def _pairs(photo):
    """Sums of each two neighbors in a row; color by color, which NumPy does at full speed."""
    height, width, colors = photo.shape
    sixes = photo.reshape(-1, 2 * colors)
    sums = np.empty((len(sixes), colors), photo.dtype)
    for color in range(colors):
        np.add(sixes[:, color], sixes[:, color + colors], out=sums[:, color])
    return sums.reshape(height, width // 2, colors)


def _scratch(name, *shape):
    """This thread's float32 array of that name, whatever was left in it."""
    array = getattr(_kept, name, None)
    if array is None or array.shape != shape:
        array = np.empty(shape, np.float32)
        setattr(_kept, name, array)
    return array


# A camera's frames are all of one size, a folder's photos of few.
@functools.lru_cache(maxsize=16)
def _band(old, new, unit):
    """The weights from sums of `unit` of `old` pixels in a line to `new`, in blocks.

    Returns:
        A list of (slice of sums, slice of new, float32 [new in block, sums in block]).
    """
    extent = old / unit  # in pixels of the halved photo, of which the last may be cut
    pixels = math.ceil(extent)
    every, middles = (np.arange(new) + 0.5) * extent / new, np.arange(pixels) + 0.5
    blocks = []
    for first in range(0, new, _BLOCK):
        last = min(first + _BLOCK, new)
        centers = every[first:last]
        start = max(0, int(centers[0] - 1))
        stop = min(pixels, math.ceil(centers[-1] + 1))
        weights = np.maximum(1 - np.abs(middles[start:stop] - centers[:, None]), 0)
        weights /= weights.sum(axis=1, keepdims=True)  # at the edges there is but one neighbor
        weights = (weights / unit).astype(np.float32)
        blocks.append((slice(start, stop), slice(first, last), weights))
    return blocks


@functools.lru_cache(maxsize=16)
def _band_of_colors(old, new, unit):
    """The same for pixels of three values each, to multiply from the right."""
    return [
        (
            slice(3 * here.start, 3 * here.stop),
            slice(3 * there.start, 3 * there.stop),
            _of_colors(weights.T),
        )
        for here, there, weights in _band(old, new, unit)
    ]


def _of_colors(weights):
    """The same weights for each of three values, as `np.kron` with a unit matrix gives them."""
    result = np.zeros([3 * side for side in weights.shape], np.float32)
    for color in range(3):
        result[color::3, color::3] = weights
    return result

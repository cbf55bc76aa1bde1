"""Photos scaled into the input on the device, from the parts that `ssd.dataset` decoded.

The same map and the same arithmetic as in `ssd.data.augment` and `ssd.photos.resizing`: bilinear,
pixel centers at half numbers, then rounded to whole numbers. A processor takes as long for it as
for decoding; a GPU does it in passing.
"""

from collections.abc import Mapping
from typing import Any

from keras import ops

from ssd.nets.compression import compress

# Share of a training batch that is compressed; in the middle, so that half of these photos are
# among those that `PhotometricAugmentation` changes and half are not.
_COMPRESSED = 0.15


def make_images(parts: Mapping[str, Any], image_size: tuple[int, int], *, training: bool) -> Any:
    """The images of a batch of `ssd.dataset(..., sample_on_device=True)`.

    Args:
        parts: "windows", uint8 [batch, rows, columns, 3], each part in the top left corner; and
            "views", int32 [batch, 9]: what `sample` takes, and the quality of a JPEG file.
        image_size: (height, width) of the image in pixels.
        training: Whether some are compressed, as `ssd.dataset` does it otherwise.

    Returns:
        float32 [batch, height, width, 3], whole numbers from 0 to 255.

    Example:
        >>> views = ops.convert_to_tensor([[8, 8, 1, 0, 0, 4, 4, 0, 0]], "int32")
        >>> parts = {"windows": ops.ones([1, 8, 8, 3], "uint8"), "views": views}
        >>> images = make_images(parts, (4, 6), training=False)
        >>> [float(value) for value in images[0, 0, :, 0]]
        [1.0, 1.0, 1.0, 1.0, 0.0, 0.0]
    """
    images = sample(parts["windows"], parts["views"][:, :8], image_size)
    if not training:
        return images
    batch = ops.shape(images)[0]
    count = (batch * int(100 * _COMPRESSED) + 99) // 100
    first = (batch - count) // 2
    some = slice(first, first + count)
    compressed = compress(images[some], parts["views"][some, 8])
    return ops.concatenate([images[:first], compressed, images[first + count :]], axis=0)


def sample(windows: Any, views: Any, image_size: tuple[int, int]) -> Any:
    """Parts of photos, each scaled and put where its view says; beyond lies black.

    Args:
        windows: uint8 [batch, rows, columns, 3], each part in the top left corner.
        views: int32 [batch, 8]: extent of the part (down, across) in pixels of the photo, how many
            of these are one pixel of the part, where it begins and where it ends in the image (two
            each), and 1 where left and right are exchanged.
        image_size: (height, width) of the image in pixels.

    Returns:
        float32 [batch, height, width, 3], whole numbers from 0 to 255.

    Example:
        >>> windows = ops.reshape(ops.convert_to_tensor([0, 100, 0, 0], "uint8"), [1, 1, 4, 1])
        >>> views = ops.convert_to_tensor([[1, 2, 1, 0, 0, 1, 4, 0]], "int32")
        >>> [float(value) for value in sample(windows, views, (1, 5))[0, 0, :, 0]]
        [0.0, 25.0, 75.0, 100.0, 0.0]
    """
    height, width = image_size
    channels = windows.shape[-1]
    batch, rows, columns = (ops.shape(windows)[axis] for axis in range(3))
    views = ops.cast(views, "float32")
    unit, mirrored = views[:, 2:3], views[:, 7:8]
    down = ops.broadcast_to(ops.arange(height, dtype="float32")[None], (batch, height))
    across = ops.broadcast_to(ops.arange(width, dtype="float32")[None], (batch, width))
    across = mirrored * (width - 1 - across) + (1 - mirrored) * across
    down, inside_down = _source(down, views[:, 0:1] / unit, views[:, 3:4], views[:, 5:6])
    across, inside_across = _source(across, views[:, 1:2] / unit, views[:, 4:5], views[:, 6:7])

    x = ops.reshape(windows, [batch, rows, columns * channels])
    x = _between(x, *down)
    x = ops.transpose(ops.reshape(x, [batch, height, columns, channels]), [0, 2, 1, 3])
    x = _between(ops.reshape(x, [batch, columns, height * channels]), *across)
    x = ops.transpose(ops.reshape(x, [batch, width, height, channels]), [0, 2, 1, 3])
    inside = inside_down[:, :, None, None] * inside_across[:, None, :, None]
    return inside * ops.floor(x + 0.5)


def _source(place, extent, start, stop):
    """Where each row (or column) of the image is taken from: two of the part, and the second's
    share; and 1 for those that the part reaches, 0 for the others."""
    last = ops.ceil(extent) - 1
    at = (place - start + 0.5) * extent / (stop - start) - 0.5
    at = ops.clip(at, 0.0, last)
    low = ops.floor(at)
    high = ops.minimum(low + 1, last)
    inside = ops.cast((place >= start) & (place < stop), "float32")
    return (ops.cast(low, "int32"), ops.cast(high, "int32"), at - low), inside


def _between(x, low, high, share):
    """Rows of [batch, rows, numbers], each a mean of two by the second's share."""
    batch, rows, numbers = (ops.shape(x)[axis] for axis in range(3))
    flat = ops.reshape(x, [batch * rows, numbers])
    first = ops.arange(batch, dtype="int32")[:, None] * rows
    one, other = (
        ops.cast(ops.take(flat, first + index, axis=0), "float32") for index in (low, high)
    )
    return one + share[..., None] * (other - one)

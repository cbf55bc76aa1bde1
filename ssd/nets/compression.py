"""What a JPEG file of low quality does to a photo, on the device: all of it but the file.

Color and light apart, color at half the size, blocks of 8×8 as waves, each wave rounded to a
multiple of a step that the quality says, and back. What is left out, how the numbers are written
down, loses nothing.
"""

from typing import Any

import numpy as np
from keras import ops

# Steps at quality 50, of light and of color (ITU T.81, tables K.1 and K.2).
_LIGHT = np.array(
    [
        [16, 11, 10, 16, 24, 40, 51, 61],
        [12, 12, 14, 19, 26, 58, 60, 55],
        [14, 13, 16, 24, 40, 57, 69, 56],
        [14, 17, 22, 29, 51, 87, 80, 62],
        [18, 22, 37, 56, 68, 109, 103, 77],
        [24, 35, 55, 64, 81, 104, 113, 92],
        [49, 64, 78, 87, 103, 121, 120, 101],
        [72, 92, 95, 98, 112, 100, 103, 99],
    ],
    np.float32,
)
_COLOR = np.full((8, 8), 99, np.float32)
_COLOR[:4, :4] = [[17, 18, 24, 47], [18, 21, 26, 66], [24, 26, 56, 99], [47, 66, 99, 99]]
# Red, green and blue to light and two of color (JFIF).
_TO_YCC = np.array(
    [[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]], np.float32
)
_TO_RGB = np.linalg.inv(_TO_YCC).astype("float32")
_PLACES = np.arange(8)
_WAVES = np.cos((2 * _PLACES + 1) * _PLACES[:, None] * np.pi / 16) / 2
_WAVES[0] /= np.sqrt(2)
_WAVES = _WAVES.astype("float32")  # [wave, place], orthonormal


def compress(images: Any, quality: Any) -> Any:
    """Images that have been JPEG files, each of its own quality.

    Args:
        images: float [batch, height, width, 3] in [0, 255].
        quality: int [batch], from 1 to 100; 0 leaves an image as it is.

    Returns:
        float32 [batch, height, width, 3], whole numbers from 0 to 255.

    Example:
        >>> gray = ops.full([1, 16, 16, 3], 100.0)
        >>> float(compress(gray, ops.ones([1], "int32"))[0, 0, 0, 0])  # the step is 255 / 8
        96.0

    Source:
        ITU-T T.81 (1992); the steps of a quality are those of the Independent JPEG Group's encoder.
    """
    images = ops.cast(images, "float32")
    height, width = images.shape[1:3]
    # Whole blocks of color, each of 16 pixels; beyond its edge a photo is mirrored.
    pads = [[0, 0], [0, -height % 16], [0, -width % 16], [0, 0]]
    padded = ops.pad(images, pads, mode="symmetric")
    ycc = ops.matmul(padded, _TO_YCC.T)
    light = _round_waves(ycc[..., :1] - 128, _steps(_LIGHT, quality)) + 128
    color = ops.average_pool(ycc[..., 1:], 2, strides=2, data_format="channels_last")
    color = _round_waves(color, _steps(_COLOR, quality))
    color = ops.image.resize(
        color, padded.shape[1:3], interpolation="bilinear", data_format="channels_last"
    )
    ycc = ops.concatenate([light, color], axis=-1)
    rgb = ops.matmul(ycc, _TO_RGB.T)[:, :height, :width]
    kept = ops.cast(quality > 0, "float32")[:, None, None, None]
    rounded = ops.clip(ops.floor(rgb + 0.5), 0.0, 255.0)
    return kept * rounded + (1 - kept) * images


def _steps(table, quality):
    """Steps of each wave at a quality, [batch, 8, 8]."""
    quality = ops.cast(quality, "float32")[:, None, None]
    percent = ops.where(
        quality < 50, ops.floor(5000 / ops.maximum(quality, 1.0)), 200 - 2 * quality
    )
    return ops.clip(ops.floor((table * percent + 50) / 100), 1.0, 255.0)


def _round_waves(x, steps):
    """Blocks of 8×8 as waves, rounded to steps, and back: [batch, height, width, channels]."""
    _, height, width, channels = x.shape
    batch = ops.shape(x)[0]
    blocks = ops.reshape(x, [batch, height // 8, 8, width // 8, 8, channels])
    waves = ops.einsum("bhiwjc,ui,vj->bhwcuv", blocks, _WAVES, _WAVES)
    steps = steps[:, None, None, None]
    waves = steps * ops.round(waves / steps)
    blocks = ops.einsum("bhwcuv,ui,vj->bhiwjc", waves, _WAVES, _WAVES)
    return ops.reshape(blocks, [batch, height, width, channels])

"""MobileNet, thinned, as a backbone: what a convolution mixes in one step, it mixes in two."""

from typing import Any

from keras import layers

from ssd.nets.layers import NormalizedConvolution, channels, convolution, depthwise

# Of each stage of MobileNetV2: how far its blocks expand, channels, blocks, stride of the first.
_STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


def mobilenet(images: Any, width_multiplier: float) -> list[Any]:
    """The inverted residuals of MobileNetV2: few channels between blocks, many inside.

    What differs from the paper, and why:

    * ReLU in place of ReLU6: an int8 file has its ranges fitted to what is in them
      (`ssd/tflite/ranges.py`), and needs no fixed end.
    * The last 1×1 convolution to 1280 channels, pooling and the classifier are gone: a detector
      must answer everywhere, not once.

    Args:
        images: [batch, height, width, 3], values in [0, 1], sides multiples of 32.
        width_multiplier: Channels as a share of the original's 16 to 320.

    Returns:
        Feature maps of stride 8, 16 and 32, finest first. The first two are taken where the next
        block has expanded them, as the paper's own detector does: between blocks they are thin.

    Example:
        >>> import keras
        >>> images = keras.Input((64, 96, 3))
        >>> [tuple(each.shape) for each in mobilenet(images, 0.125)]
        [(None, 8, 12, 48), (None, 4, 6, 96), (None, 2, 3, 40)]

    Source:
        Sandler, Howard, Zhu, Zhmoginov, Chen: MobileNetV2: Inverted Residuals and Linear
        Bottlenecks (2018), table 2; section 6.2 for the maps.
    """
    x = convolution(images, channels(32, width_multiplier), 3, stride=2, name="conv1")
    maps = []  # of stride 2, 4, 8 and 16: the last before each step down
    for stage, (expansion, count, blocks, stride) in enumerate(_STAGES, start=1):
        count = channels(count, width_multiplier)
        for block in range(1, blocks + 1):
            name, step = f"block{stage}_{block}", stride if block == 1 else 1
            inside = _expanded(x, expansion, name=name)
            if step > 1:
                maps.append(inside)
            x = _condensed(x, inside, count, stride=step, name=name)
    return [*maps[-2:], x]


def _expanded(x, expansion, *, name):
    """A thin map with `expansion` times the channels."""
    if expansion == 1:
        return x
    return convolution(x, expansion * x.shape[-1], 1, name=f"{name}_expand")


def _condensed(x, inside, count, *, stride, name):
    """The rest of a block: each channel by itself, then thin again, without ReLU.

    Where the shape stays, the block adds to what it was given.
    """
    y = depthwise(inside, 3, stride=stride, name=f"{name}_depthwise")
    y = NormalizedConvolution(count, 1, name=f"{name}_condense")(y)
    if stride > 1 or x.shape[-1] != count:
        return y
    return layers.Add(name=f"{name}_sum")([x, y])

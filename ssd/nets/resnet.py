"""ResNet, thinned, as a backbone: every two layers learn what to add to what they are given."""

from typing import Any

from keras import layers

from ssd.nets.layers import NormalizedConvolution, added, channels, convolution

# Channels of each stage of ResNet-18; from the second on each halves the map.
_STAGES = (64, 128, 256, 512)


def resnet(images: Any, width_multiplier: float) -> list[Any]:
    """The convolutions of ResNet-18: four stages of two blocks of two layers.

    What differs from the paper, and why:

    * A block begins as the identity: its last normalization scales by zero at first (Goyal et
      al., 2017, section 5.1), so that a fresh network is a shallow one and trains as easily.
    * Pooling at the end and the dense layer are gone: a detector must answer everywhere, not once.

    Args:
        images: [batch, height, width, 3], values in [0, 1], sides multiples of 32.
        width_multiplier: Channels as a share of the original's 64, 128, 256, 512.

    Returns:
        Feature maps of stride 8, 16 and 32, finest first.

    Example:
        >>> import keras
        >>> images = keras.Input((64, 96, 3))
        >>> [tuple(each.shape) for each in resnet(images, 0.125)]
        [(None, 8, 12, 16), (None, 4, 6, 32), (None, 2, 3, 64)]

    Source:
        He, Zhang, Ren, Sun: Deep Residual Learning for Image Recognition (2015), table 1 and
        figure 5; shortcuts of another shape are its option B.
    """
    x = convolution(images, channels(64, width_multiplier), 7, stride=2, name="conv1")
    x = layers.MaxPooling2D(3, strides=2, padding="same", name="pool1")(x)
    maps = []
    for stage, count in enumerate(_STAGES, start=2):
        count = channels(count, width_multiplier)
        x = _block(x, count, stride=1 if stage == 2 else 2, name=f"conv{stage}_1")
        x = _block(x, count, stride=1, name=f"conv{stage}_2")
        maps.append(x)
    return maps[1:]


def _block(x, count, *, stride, name):
    """Two layers beside a shortcut, which is a layer, too, where the shape changes."""
    y = convolution(x, count, 3, stride=stride, name=f"{name}_in")
    y = NormalizedConvolution(count, 3, start=0.0, name=f"{name}_out")(y)
    if stride > 1 or x.shape[-1] != count:
        x = NormalizedConvolution(count, 1, stride=stride, name=f"{name}_short")(x)
    return added(x, y, name=name)

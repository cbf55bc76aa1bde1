"""DarkNet, thinned, as a backbone: 3×3 layers that see, 1×1 layers between them that condense."""

from typing import Any

from keras import layers

from ssd.nets.layers import channels, convolution

# Channels of the layers of DarkNet-19, stage by stage; between two stages the map is halved.
# Layers are 3×3 and 1×1 by turns, beginning with 3×3.
_STAGES = (
    (32,),
    (64,),
    (128, 64, 128),
    (256, 128, 256),
    (512, 256, 512, 256, 512),
    (1024, 512, 1024, 512, 1024),
)


def darknet(images: Any, width_multiplier: float) -> list[Any]:
    """The eighteen convolutions of DarkNet-19 before its classifier.

    What differs from the paper, and why:

    * ReLU in place of leaky ReLU: TFLite fuses it into the convolution, the other is an operation
      of its own.
    * The last convolution, one channel a class, and pooling are gone: a detector must answer
      everywhere, not once.
    * The path from the map of stride 16 to that of stride 32 (its pass-through) is gone:
      `ssd.nets.model` takes both maps, and joins them for every backbone in the same way.

    Args:
        images: [batch, height, width, 3], values in [0, 1], sides multiples of 32.
        width_multiplier: Channels as a share of the original's 32 to 1024.

    Returns:
        Feature maps of stride 8, 16 and 32, finest first.

    Example:
        >>> import keras
        >>> images = keras.Input((64, 96, 3))
        >>> [tuple(each.shape) for each in darknet(images, 0.125)]
        [(None, 8, 12, 32), (None, 4, 6, 64), (None, 2, 3, 128)]

    Source:
        Redmon, Farhadi: YOLO9000: Better, Faster, Stronger (2016), table 6.
    """
    x, maps = images, []
    for stage, counts in enumerate(_STAGES, start=1):
        if stage > 1:
            x = layers.MaxPooling2D(2, name=f"pool{stage - 1}")(x)
        for turn, count in enumerate(counts):
            size, name = (3, 1)[turn % 2], f"conv{stage}_{turn + 1}"
            x = convolution(x, channels(count, width_multiplier), size, name=name)
        maps.append(x)
    return maps[-3:]

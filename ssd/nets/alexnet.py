"""AlexNet, thinned, as a backbone: large kernels first, so that few layers see far."""

from typing import Any

from keras import layers

from ssd.nets.layers import NormalizedConvolution, added, channels, convolution


def alexnet(images: Any, width_multiplier: float) -> list[Any]:
    """The five convolutions of AlexNet, and its first dense layer as a sixth.

    What differs from the paper, and why:

    * Batch normalization in place of local response normalization: it costs nothing once
      folded into the convolution, and local response normalization has no int8 kernel.
    * Pooling pads (`same`), so that a map's shape is the input's divided by its stride and
      anchors sit where the features are.
    * One column, not two: the two were two GPUs of 3 GB.
    * The first kernel is 7×7, not 11×11: on three channels a kernel that large keeps a
      processor waiting for memory. A train step takes 28 % less time (105 instead of 75 photos
      a second on two cores of an Intel Xeon at 2.5 GHz, batch 32, 224×288).
    * What pooling loses of the first convolution reaches the stride-8 map by a path of its own, a
      3×3 convolution of stride 2, which begins at zero: to box a small face takes to know where
      an edge is, not only that there is one. With it (11 % more multiply-adds), two more layers
      on that map in `ssd.nets.model` (35 %) and two thirds more examples, average precision of the
      shipped model went from 0.758 to 0.787; on its smallest faces from 0.605 to 0.682.
    * The dense layers are gone but for the first, kept as a 3×3 convolution on the pooled map
      of stride 32: a detector must answer everywhere, not once.

    Args:
        images: [batch, height, width, 3], values in [0, 1], sides multiples of 32.
        width_multiplier: Channels as a share of the original's 96, 256, 384, 384, 256.

    Returns:
        Feature maps of stride 8, 16 and 32, finest first.

    Example:
        >>> import keras
        >>> images = keras.Input((64, 96, 3))
        >>> [tuple(each.shape) for each in alexnet(images, 0.125)]
        [(None, 8, 12, 32), (None, 4, 6, 32), (None, 2, 3, 48)]

    Source:
        Krizhevsky, Sutskever, Hinton: ImageNet Classification with Deep Convolutional Neural
        Networks (2012), section 3.5.
    """
    x = convolution(images, channels(96, width_multiplier), 7, stride=4, name="conv1")
    detail = x
    x = _pool(x, "pool1")
    x = convolution(x, channels(256, width_multiplier), 5, name="conv2")
    detail = NormalizedConvolution(
        channels(256, width_multiplier), 3, stride=2, start=0.0, name="detail"
    )(detail)
    stride_8 = added(x, detail, name="conv2_detail")
    x = _pool(stride_8, "pool2")
    x = convolution(x, channels(384, width_multiplier), 3, name="conv3")
    x = convolution(x, channels(384, width_multiplier), 3, name="conv4")
    stride_16 = convolution(x, channels(256, width_multiplier), 3, name="conv5")
    x = _pool(stride_16, "pool5")
    stride_32 = convolution(x, channels(384, width_multiplier), 3, name="conv6")
    return [stride_8, stride_16, stride_32]


def _pool(x, name):
    return layers.MaxPooling2D(3, strides=2, padding="same", name=name)(x)

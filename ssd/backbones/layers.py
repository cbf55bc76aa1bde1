"""The one block every backbone and the heads are made of."""

from keras import layers


def convolution(x, channels, size, *, stride=1, name):
    """Convolution, batch normalization, ReLU: the three that TFLite fuses into one operation.

    Args:
        x: Feature map [batch, height, width, channels].
        channels: Channels of the result.
        size: Edge of the kernel in cells.
        stride: Cells of the input per cell of the result, both ways.
        name: Name of the convolution; the other two are named after it.

    Returns:
        Feature map [batch, ceil(height / stride), ceil(width / stride), channels].
    """
    x = normalized(x, channels, size, stride=stride, name=name)
    return layers.ReLU(name=f"{name}_relu")(x)


def normalized(x, channels, size, *, stride=1, start="ones", name):
    """As `convolution`, without the ReLU.

    Args:
        start: What the normalization scales by at first. With "zeros" the result is zero until
            training finds a use for it.
    """
    # Batch normalization subtracts the mean, so a bias would be forgotten at once.
    x = layers.Conv2D(
        channels,
        size,
        strides=stride,
        padding="same",
        use_bias=False,
        kernel_initializer="he_normal",
        name=name,
    )(x)
    norm = layers.BatchNormalization(momentum=0.97, gamma_initializer=start, name=f"{name}_norm")
    return norm(x)


def added(x, y, *, name):
    """The sum of two maps of the same shape, rectified: how a residual block ends."""
    return layers.ReLU(name=f"{name}_relu")(layers.Add(name=f"{name}_sum")([x, y]))


def channels(count, width):
    """`count` channels thinned by `width`, rounded up to a multiple of 8 as SIMD kernels like."""
    return max(8, -int(-count * width // 8) * 8)

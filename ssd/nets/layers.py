"""The one block every backbone and the heads are made of."""

import keras
from keras import layers, ops

# Share of the running mean and variance that a step keeps, and what keeps a variance above zero.
_MOMENTUM = 0.97
_EPSILON = 1e-3


def convolution(x, channels, size, *, stride=1, name):
    """Convolution, batch normalization, ReLU: the three that TFLite fuses into one operation.

    Args:
        x: Feature map [batch, height, width, channels].
        channels: Channels of the result.
        size: Edge of the kernel in cells.
        stride: Cells of the input per cell of the result, both ways.
        name: Name of the convolution; the ReLU is named after it.

    Returns:
        Feature map [batch, ceil(height / stride), ceil(width / stride), channels].
    """
    x = NormalizedConvolution(channels, size, stride=stride, name=name)(x)
    return layers.ReLU(name=f"{name}_relu")(x)


def added(x, y, *, name):
    """The sum of two maps of the same shape, rectified: how a residual block ends."""
    return layers.ReLU(name=f"{name}_relu")(layers.Add(name=f"{name}_sum")([x, y]))


def channels(count, width_multiplier):
    """`count` channels thinned by `width_multiplier`, a multiple of 8 as SIMD kernels like."""
    return max(8, -int(-count * width_multiplier // 8) * 8)


@keras.saving.register_keras_serializable("ssd")
class NormalizedConvolution(layers.Layer):
    """A convolution and the batch normalization of its result, padded so that shapes divide.

    While training, each channel is normalized by the mean and variance of the batch. Otherwise
    by their running averages, and then both are one convolution: the scale goes into the kernel,
    what is left is a constant. A layer that is `frozen` trains in this form, too: that spares
    some ten passes over every map forth and back. For a model that has learned already, whose
    averages move no more, so that they need not be taken again.

    Args:
        channels: Channels of the result.
        size: Edge of the kernel in cells.
        stride: Cells of the input per cell of the result, both ways.
        start: What a channel is scaled by at first. With 0 the result is zero until training
            finds a use for it.

    Attributes:
        frozen: Whether training leaves the running averages as they are, and uses them.

    Call arguments:
        x: Feature map [batch, height, width, channels].
        training: Whether the batch's own mean and variance count.

    Returns:
        Feature map [batch, ceil(height / stride), ceil(width / stride), channels].

    Source:
        Ioffe and Szegedy: Batch Normalization (2015); its frozen form is that of Detectron
        (Girshick et al., 2018), which does not train the scale.
    """

    def __init__(self, channels, size, *, stride=1, start=1.0, **kwargs):
        super().__init__(**kwargs)
        self.channels, self.size, self.stride, self.start = channels, size, stride, start
        self.frozen = False

    def build(self, shape):
        """Make the weights; they stay float32 in half precision."""

        def weight(name, initializer, shape=(self.channels,), **kwargs):
            return self.add_weight(
                name=name, shape=shape, initializer=initializer, autocast=False, **kwargs
            )

        # Normalization subtracts the mean, so a bias would be forgotten at once.
        kernel = (self.size, self.size, shape[-1], self.channels)
        self.kernel = weight("kernel", "he_normal", kernel)
        self.gamma = weight("gamma", keras.initializers.Constant(self.start))
        self.beta = weight("beta", "zeros")
        self.mean = weight("mean", "zeros", trainable=False)
        self.variance = weight("variance", "ones", trainable=False)

    def call(self, x, training=False):
        """The normalized convolution of a map."""
        if not training or self.frozen:
            scale, shift = self._affine(self.mean, self.variance)
            # A constant of one value per channel is a bias: kernels add it on their way.
            return ops.add(self._convolve(x, self.kernel * scale), ops.cast(shift, x.dtype))
        y = ops.cast(self._convolve(x, self.kernel), "float32")
        mean, variance = ops.moments(y, axes=[0, 1, 2])
        for average, now in ((self.mean, mean), (self.variance, variance)):
            average.assign(_MOMENTUM * average + (1 - _MOMENTUM) * ops.stop_gradient(now))
        scale, shift = self._affine(mean, variance)
        return ops.cast(y * scale + shift, self.compute_dtype)

    def _affine(self, mean, variance):
        """Factor and constant [channels] that normalize: gamma (y - mean) / deviation + beta."""
        scale = self.gamma * ops.rsqrt(variance + _EPSILON)
        return scale, self.beta - mean * scale

    def _convolve(self, x, kernel):
        kernel = ops.cast(kernel, x.dtype)
        return ops.conv(x, kernel, strides=self.stride, padding="same", data_format="channels_last")

    def compute_output_shape(self, shape):
        """[batch, rows, columns, channels] of the result."""
        batch, rows, columns, _ = shape
        return (batch, -(-rows // self.stride), -(-columns // self.stride), self.channels)

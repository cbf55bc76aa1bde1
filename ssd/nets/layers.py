"""The one block every backbone and the heads are made of."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import layers, ops

# Share of the running mean and variance that a step keeps, and what keeps a variance above zero.
_MOMENTUM = 0.97
_EPSILON = 1e-3


def convolution(x: Any, channels: int, size: int, *, stride: int = 1, name: str) -> Any:
    """Convolution, batch normalization, ReLU: the three that TFLite fuses into one operation.

    Args:
        x: Feature map [batch, height, width, channels].
        channels: Channels of the result.
        size: Edge of the kernel in cells.
        stride: Cells of the input per cell of the result, both ways.
        name: Name of the convolution; the ReLU is named after it.

    Returns:
        Feature map [batch, ceil(height / stride), ceil(width / stride), channels].

    Example:
        >>> tuple(convolution(keras.Input((5, 8, 3)), 16, 3, stride=2, name="first").shape)
        (None, 3, 4, 16)
    """
    x = NormalizedConvolution(channels, size, stride=stride, name=name)(x)
    return layers.ReLU(name=f"{name}_relu")(x)


def depthwise(x: Any, size: int, *, stride: int = 1, name: str) -> Any:
    """Each channel convolved by itself, batch normalization, ReLU.

    Args:
        x: Feature map [batch, height, width, channels].
        size: Edge of the kernel in cells.
        stride: Cells of the input per cell of the result, both ways.
        name: Name of the convolution; the ReLU is named after it.

    Returns:
        Feature map [batch, ceil(height / stride), ceil(width / stride), channels].

    Example:
        >>> tuple(depthwise(keras.Input((5, 8, 16)), 3, stride=2, name="first").shape)
        (None, 3, 4, 16)
    """
    x = NormalizedDepthwise(x.shape[-1], size, stride=stride, name=name)(x)
    return layers.ReLU(name=f"{name}_relu")(x)


def added(x: Any, y: Any, *, name: str) -> Any:
    """The sum of two maps of the same shape, rectified: how a residual block ends.

    Args:
        x, y: Feature maps [batch, height, width, channels].
        name: Name of the two layers, with a suffix for each.

    Returns:
        Feature map of the same shape.

    Example:
        >>> x = keras.Input((4, 4, 8))
        >>> added(x, x, name="twice").shape == x.shape
        True
    """
    return layers.ReLU(name=f"{name}_relu")(layers.Add(name=f"{name}_sum")([x, y]))


def channels(count: int, width_multiplier: float) -> int:
    """Channels of a thinner network, a multiple of 8 as SIMD kernels like.

    Args:
        count: Channels of the original.
        width_multiplier: Share of them to keep.

    Returns:
        A multiple of 8, at least 8.

    Example:
        >>> channels(256, 0.1875), channels(96, 0.05)
        (48, 8)
    """
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
        body_frozen: The same, for as long as nothing but the heads learns.

    Call arguments:
        x: Feature map [batch, height, width, channels].
        training: Whether the batch's own mean and variance count.

    Returns:
        Feature map [batch, ceil(height / stride), ceil(width / stride), channels].

    Source:
        Ioffe and Szegedy: Batch Normalization (2015); its frozen form is that of Detectron
        (Girshick et al., 2018), which does not train the scale.

    Example:
        >>> layer = NormalizedConvolution(16, 3, stride=2)
        >>> tuple(layer(ops.ones([1, 5, 8, 3])).shape)
        (1, 3, 4, 16)
    """

    def __init__(
        self, channels: int, size: int, *, stride: int = 1, start: float = 1.0, **kwargs: Any
    ):
        super().__init__(**kwargs)
        self.channels, self.size, self.stride, self.start = channels, size, stride, start
        self.frozen = self.body_frozen = False

    def build(self, shape: Sequence[Any]) -> None:
        """Make the weights; they stay float32 in half precision.

        Args:
            shape: Of the map, [batch, height, width, channels].
        """

        def weight(name, initializer, shape=(self.channels,), **kwargs):
            return self.add_weight(
                name=name, shape=shape, initializer=initializer, autocast=False, **kwargs
            )

        # Normalization subtracts the mean, so a bias would be forgotten at once.
        kernel = (self.size, self.size, self._taken(shape[-1]), self.channels)
        self.kernel = weight("kernel", "he_normal", kernel)
        self.gamma = weight("gamma", keras.initializers.Constant(self.start))
        self.beta = weight("beta", "zeros")
        self.mean = weight("mean", "zeros", trainable=False)
        self.variance = weight("variance", "ones", trainable=False)

    def call(self, x: Any, training: bool = False) -> Any:
        """The normalized convolution of a map.

        Args:
            x: Feature map [batch, height, width, channels].
            training: Whether the batch's own mean and variance count.

        Returns:
            Feature map [batch, ceil(height / stride), ceil(width / stride), channels].
        """
        if not training or self.frozen or self.body_frozen:
            kernel, shift = self.folded()
            # A constant of one value per channel is a bias: kernels add it on their way.
            return ops.add(self._convolve(x, kernel), ops.cast(shift, x.dtype))
        y = ops.cast(self._convolve(x, self.kernel), "float32")
        mean, variance = ops.moments(y, axes=[0, 1, 2])
        for average, now in ((self.mean, mean), (self.variance, variance)):
            average.assign(_MOMENTUM * average + (1 - _MOMENTUM) * ops.stop_gradient(now))
        scale, shift = self._affine(mean, variance)
        return ops.cast(y * scale + shift, self.compute_dtype)

    def folded(self) -> tuple[Any, Any]:
        """The layer as it is out of training: one convolution.

        Returns:
            Kernel [size, size, channels before, channels] and bias [channels].
        """
        scale, shift = self._affine(self.mean, self.variance)
        return self.kernel * scale, shift

    def _affine(self, mean, variance):
        """Factor and constant [channels] that normalize: gamma (y - mean) / deviation + beta."""
        scale = self.gamma * ops.rsqrt(variance + _EPSILON)
        return scale, self.beta - mean * scale

    def _taken(self, given):
        """Channels that one channel of the result is made of."""
        return given

    def _convolve(self, x, kernel):
        kernel = ops.cast(kernel, x.dtype)
        return ops.conv(x, kernel, strides=self.stride, padding="same", data_format="channels_last")

    def compute_output_shape(self, shape: Sequence[Any]) -> tuple[Any, ...]:
        """The shape of the result.

        Args:
            shape: Of the map, [batch, height, width, channels].

        Returns:
            [batch, ceil(height / stride), ceil(width / stride), channels].
        """
        batch, rows, columns, _ = shape
        return (batch, -(-rows // self.stride), -(-columns // self.stride), self.channels)


@keras.saving.register_keras_serializable("ssd")
class NormalizedDepthwise(NormalizedConvolution):
    """A convolution of each channel by itself, and the batch normalization of its result.

    Everything else is as in `NormalizedConvolution`; kernels are [size, size, 1, channels].

    Args:
        channels: Channels of the map and of the result.
        size: Edge of the kernel in cells.
        stride: Cells of the input per cell of the result, both ways.
        start: What a channel is scaled by at first.

    Call arguments:
        x: Feature map [batch, height, width, channels].
        training: Whether the batch's own mean and variance count.

    Returns:
        Feature map [batch, ceil(height / stride), ceil(width / stride), channels].

    Raises:
        ValueError: If the map has another number of channels.

    Source:
        Chollet: Xception: Deep Learning with Depthwise Separable Convolutions (2016).

    Example:
        >>> layer = NormalizedDepthwise(8, 3, stride=2)
        >>> tuple(layer(ops.ones([1, 5, 8, 8])).shape), tuple(layer.kernel.shape)
        ((1, 3, 4, 8), (3, 3, 1, 8))
    """

    def _taken(self, given):
        if given != self.channels:
            raise ValueError(f"{self.name}: wanted {self.channels} channels, got {given}")
        return 1

    def _convolve(self, x, kernel):
        kernel = ops.transpose(ops.cast(kernel, x.dtype), [0, 1, 3, 2])
        return ops.depthwise_conv(
            x, kernel, strides=self.stride, padding="same", data_format="channels_last"
        )


@keras.saving.register_keras_serializable("ssd")
class Gate(layers.Layer):
    """Lets a map through, and what is learned from it back to where it came from, unless frozen.

    Attributes:
        frozen: Whether training changes nothing before this layer.

    Call arguments:
        x: Any tensor.
        training: Whether the model is being trained.

    Returns:
        The same.

    Example:
        >>> float(Gate()(ops.ones([])))
        1.0
    """

    def __init__(self, **kwargs: Any):
        super().__init__(**kwargs)
        self.frozen = False

    def call(self, x: Any, training: bool = False) -> Any:
        """The tensor as it is.

        Args:
            x: Any tensor.
            training: Whether the model is being trained.

        Returns:
            The same.
        """
        return ops.stop_gradient(x) if training and self.frozen else x

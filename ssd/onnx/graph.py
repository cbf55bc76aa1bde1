"""The layers of a model as ONNX operations: maps channels first, normalization folded."""

from typing import Any

import keras
import numpy as np
from keras import layers
from onnx import TensorProto

from ssd.nets.layers import Gate, NormalizedConvolution, NormalizedDepthwise
from ssd.nets.model import SSD
from ssd.nets.photometric import PhotometricAugmentation
from ssd.onnx.building import Graph

# Operations for activations by their names in Keras, each with its attributes.
_ACTIVATIONS = {
    "relu": ("Relu", {}),
    "sigmoid": ("Sigmoid", {}),
    "tanh": ("Tanh", {}),
    "elu": ("Elu", {}),
    "softplus": ("Softplus", {}),
    "hard_sigmoid": ("HardSigmoid", {"alpha": 1 / 6, "beta": 0.5}),
    "hard_silu": ("HardSwish", {}),
}


def add_model(graph: Graph, model: SSD) -> None:
    """Add all of a model, from `images` uint8 [1, height, width, 3] to `offsets` and `logits`.

    Args:
        graph: To add to.
        model: The model. Of Keras's own layers, those that its image networks are made of are
            known.

    Raises:
        ValueError: If the model has a layer that this does not know, or uses one twice.

    Example:
        >>> import ssd
        >>> graph = Graph()
        >>> add_model(graph, ssd.SSD(ssd.Config(image_size=(64, 64), width_multiplier=0.05)))
        >>> graph.nodes[-1].output[0]
        'logits'
    """
    graph.add("Cast", ["images"], "images_float", to=TensorProto.FLOAT)
    first = graph.add("Transpose", ["images_float"], "images_planes", perm=[0, 3, 1, 2])
    names = {id(model.inputs[0]): first}
    for layer in model.operations:
        if isinstance(layer, layers.InputLayer) or layer.name == "predictions":
            continue
        given = layer.input if isinstance(layer.input, list) else [layer.input]
        if not all(id(each) in names for each in given):
            raise ValueError(f"{layer.name}: wanted to follow layers used once, got one used twice")
        names[id(layer.output)] = _add_layer(graph, layer, [names[id(each)] for each in given])


def _add_layer(graph, layer, inputs):
    """Add one layer; the name of what comes out of it."""
    name = layer.name
    own = type(layer).__module__.split(".")[0] in ("keras", "ssd")
    match layer if own else None:  # what a user derives from a layer may do anything
        case PhotometricAugmentation() | Gate() | layers.Dropout():  # which act in training only
            return inputs[0]
        case layers.Rescaling():
            return _scaled(graph, layer, inputs)
        case NormalizedDepthwise() | NormalizedConvolution():
            return _convolve(graph, layer, inputs, *map(_float, layer.folded()))
        case layers.DepthwiseConv2D() | layers.Conv2D():
            return _convolve(graph, layer, inputs, _float(layer.kernel), _float(layer.bias))
        case layers.BatchNormalization():
            return _normalized(graph, layer, inputs)
        case layers.ReLU() if not (layer.negative_slope or layer.threshold):
            return _rectified(graph, layer, inputs)
        case layers.Activation():
            return _activated(graph, layer, inputs, name)
        case layers.Add() | layers.Multiply() if len(inputs) == 2:
            return graph.add("Add" if isinstance(layer, layers.Add) else "Mul", inputs, name)
        case layers.ZeroPadding2D():
            (top, bottom), (left, right) = layer.padding
            around = np.array([0, 0, top, left, 0, 0, bottom, right], np.int64)
            return graph.add("Pad", [*inputs, graph.constant(f"{name}_around", around)], name)
        case layers.MaxPooling2D():
            return graph.add("MaxPool", inputs, name, **_window(layer, layer.pool_size))
        case layers.AveragePooling2D():
            return graph.add("AveragePool", inputs, name, **_window(layer, layer.pool_size))
        case layers.GlobalAveragePooling2D() if layer.keepdims:
            return graph.add("GlobalAveragePool", inputs, name)
        case layers.UpSampling2D() if layer.interpolation == "bilinear":
            factors = graph.constant(f"{name}_factors", np.array([1, 1, *layer.size], np.float32))
            half = {"mode": "linear", "coordinate_transformation_mode": "half_pixel"}
            return graph.add("Resize", [*inputs, "", factors], name, **half)
        case layers.Reshape() if len(layer.input.shape) == 4 and len(layer.output.shape) == 3:
            cells = graph.add("Transpose", inputs, f"{name}_cells", perm=[0, 2, 3, 1])
            shape = graph.constant(f"{name}_shape", np.array([1, *layer.target_shape], np.int64))
            return graph.add("Reshape", [cells, shape], name)
        case layers.Concatenate():
            return graph.add("Concat", inputs, name, axis=_axis(layer.axis, layer.output))
    kind = type(layer).__name__
    raise ValueError(f"{name}: wanted a layer that ONNX export knows, got this {kind}")


def _scaled(graph, layer, inputs):
    """Values times one number, plus another; or one of each for every channel."""
    name = layer.name
    for operation, what in (("Mul", "scale"), ("Add", "offset")):
        values = _float(getattr(layer, what))
        if operation == "Add" and not values.any():
            break
        planes = values.reshape(-1, 1, 1) if values.ndim else values
        constant = graph.constant(f"{name}_{what}", planes)
        inputs = [graph.add(operation, [*inputs, constant], f"{name}_{operation.lower()}")]
    return inputs[0]


def _convolve(graph, layer, inputs, kernel, bias):
    """A convolution and its activation; `kernel` is [rows, columns, channels taken, channels]."""
    name, options = layer.name, {}
    if isinstance(layer, layers.DepthwiseConv2D):
        # [rows, columns, channels, results of each] in Keras
        kernel = kernel.reshape(*kernel.shape[:2], 1, -1)
    options["group"] = layer.input.shape[-1] // kernel.shape[2]
    planes = np.ascontiguousarray(kernel.transpose(3, 2, 0, 1))
    weights = [graph.constant(f"{name}_kernel", planes)]
    if bias is not None:
        weights.append(graph.constant(f"{name}_bias", bias))
    window = _window(layer, kernel.shape[:2])
    result = graph.add("Conv", [*inputs, *weights], name, **window, **options)
    if isinstance(layer, NormalizedConvolution):
        return result
    return _activated(graph, layer, [result], f"{name}_activation")


def _normalized(graph, layer, inputs):
    """A normalization of Keras, which folds into no convolution here; a runtime may do so."""
    if _axis(layer.axis, layer.output) != 1:
        raise ValueError(f"{layer.name}: wanted normalization of channels, got axis {layer.axis}")
    ones = np.ones(layer.output.shape[-1], np.float32)
    values = {
        "gamma": _float(layer.gamma) if layer.scale else ones,
        "beta": _float(layer.beta) if layer.center else 0 * ones,
        "mean": _float(layer.moving_mean),
        "variance": _float(layer.moving_variance),
    }
    constants = [graph.constant(f"{layer.name}_{key}", value) for key, value in values.items()]
    return graph.add(
        "BatchNormalization", [*inputs, *constants], layer.name, epsilon=float(layer.epsilon)
    )


def _rectified(graph, layer, inputs):
    """Values of 0 and more, up to a greatest one where there is one."""
    if layer.max_value is None:
        return graph.add("Relu", inputs, layer.name)
    return _clipped(graph, inputs, layer.name, layer.max_value)


def _clipped(graph, inputs, name, greatest):
    ends = {"least": np.float32(0), "greatest": np.float32(greatest)}
    constants = [graph.constant(f"{name}_{key}", value) for key, value in ends.items()]
    return graph.add("Clip", [*inputs, *constants], name)


def _activated(graph, layer, inputs, name):
    """What a layer's activation makes of its values."""
    kind = keras.activations.serialize(layer.activation)
    if kind == "linear":
        return inputs[0]
    if kind == "relu6":
        return _clipped(graph, inputs, name, 6.0)
    if kind == "silu":
        share = graph.add("Sigmoid", inputs, f"{name}_share")
        return graph.add("Mul", [*inputs, share], name)
    if not isinstance(kind, str) or kind not in _ACTIVATIONS:
        raise ValueError(f"{layer.name}: wanted an activation that ONNX export knows, got {kind!r}")
    operation, options = _ACTIVATIONS[kind]
    return graph.add(operation, inputs, name, **options)


def _window(layer, sizes):
    """Attributes of a window that goes over a map, padded as Keras pads."""
    strides = getattr(layer, "strides", None) or (layer.stride, layer.stride)
    steps = getattr(layer, "dilation_rate", (1, 1))
    before, after = [], []
    for cells, size, stride, step in zip(
        layer.input.shape[1:3], sizes, strides, steps, strict=True
    ):
        reach = (size - 1) * step + 1
        padding = max((-(-cells // stride) - 1) * stride + reach - cells, 0)
        if getattr(layer, "padding", "same") == "valid":
            padding = 0
        before.append(padding // 2)
        after.append(padding - padding // 2)
    window = {"kernel_shape": [*sizes], "strides": [*strides], "pads": [*before, *after]}
    return window if tuple(steps) == (1, 1) else {**window, "dilations": [*steps]}


def _axis(axis, values):
    """An axis of Keras as it is in ONNX, where channels of a map come second."""
    rank = len(values.shape)
    return (0, 2, 3, 1)[axis % rank] if rank == 4 else axis


def _float(values: Any) -> Any:
    if values is None:
        return None
    return np.asarray(keras.ops.convert_to_numpy(values), np.float32)

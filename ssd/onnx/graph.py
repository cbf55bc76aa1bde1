"""The layers of a model as ONNX operations: channels first, normalization folded."""

import keras
import numpy as np
from keras import layers
from onnx import TensorProto

from ssd.nets.layers import Gate, NormalizedConvolution
from ssd.nets.model import SSD
from ssd.nets.photometric import PhotometricAugmentation
from ssd.onnx.building import Graph


def add_model(graph: Graph, model: SSD) -> None:
    """Add all of a model, from `images` uint8 [1, height, width, 3] to `offsets` and `logits`.

    Args:
        graph: To add to.
        model: The model.

    Raises:
        TypeError: If the model has a layer that this does not know.

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
    for layer in model.layers:
        if isinstance(layer, layers.InputLayer) or layer.name == "predictions":
            continue
        given = layer.input if isinstance(layer.input, list) else [layer.input]
        names[id(layer.output)] = _add_layer(graph, layer, [names[id(each)] for each in given])


def _add_layer(graph, layer, inputs):
    """Add one layer; the name of what comes out of it."""
    name = layer.name
    match layer:
        case PhotometricAugmentation() | Gate():  # which act in training only
            return inputs[0]
        case layers.Rescaling():
            return graph.add("Mul", [*inputs, graph.floats("scale_by", layer.scale)], name)
        case NormalizedConvolution():
            kernel, bias = _folded(layer)
            return _convolve(graph, layer, inputs, kernel, bias, stride=layer.stride)
        case layers.Conv2D():
            kernel, bias = _float(layer.kernel), _float(layer.bias)
            return _convolve(graph, layer, inputs, kernel, bias, stride=layer.strides[0])
        case layers.ReLU():
            return graph.add("Relu", inputs, name)
        case layers.Add():
            return graph.add("Add", inputs, name)
        case layers.MaxPooling2D():
            window = _window(layer, layer.pool_size[0], layer.strides[0])
            return graph.add("MaxPool", inputs, name, **window)
        case layers.UpSampling2D():
            factors = graph.floats(f"{name}_factors", [1, 1, *layer.size])
            half = {"mode": "linear", "coordinate_transformation_mode": "half_pixel"}
            return graph.add("Resize", [*inputs, "", factors], name, **half)
        case layers.Reshape():
            cells = graph.add("Transpose", inputs, f"{name}_cells", perm=[0, 2, 3, 1])
            shape = graph.integers(f"{name}_shape", [1, *layer.target_shape])
            return graph.add("Reshape", [cells, shape], name)
        case layers.Concatenate():
            return graph.add("Concat", inputs, name, axis=layer.axis)
    raise TypeError(f"{name}: wanted a layer that ONNX export knows, got {type(layer).__name__}")


def _convolve(graph, layer, inputs, kernel, bias, *, stride):
    name = layer.name
    planes = graph.constant(f"{name}_kernel", np.ascontiguousarray(kernel.transpose(3, 2, 0, 1)))
    window = _window(layer, kernel.shape[0], stride)
    return graph.add(
        "Conv", [*inputs, planes, graph.constant(f"{name}_bias", bias)], name, **window
    )


def _window(layer, size, stride):
    """Attributes of a window that goes over a map, padded as Keras pads for `same`."""
    before, after = [], []
    for cells in layer.input.shape[1:3]:
        padding = max((-(-cells // stride) - 1) * stride + size - cells, 0)
        before.append(padding // 2)
        after.append(padding - padding // 2)
    return {"kernel_shape": [size] * 2, "strides": [stride] * 2, "pads": [*before, *after]}


def _folded(layer):
    """Kernel and bias of a convolution with its normalization in them."""
    kernel, bias = layer.folded()
    return _float(kernel), _float(bias)


def _float(values):
    return np.asarray(keras.ops.convert_to_numpy(values), np.float32)

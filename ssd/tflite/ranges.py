"""Ranges of what an int8 model computes inside, fitted to all of it instead of to its extremes."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ssd.detect.runtime import find_runtime
from ssd.tflite.flatbuffer import schema

# Where a range may end, as shares of the extreme that calibration saw.
_ENDS = np.arange(1.0, 0.24, -0.025)
_CONVOLUTIONS = ("CONV_2D", "DEPTHWISE_CONV_2D")


def fit_ranges(model: Any, flatbuffer: bytes, images: np.ndarray) -> None:
    """Give every map inside an int8 TFLite model the range in which it loses least.

    Calibration makes the greatest value that it saw the end of a range. One cell at the edge of
    one photo then makes the 256 steps of all cells coarse: for one map of the face model they
    were three times as coarse as they need be. Here a range ends where the mean squared error is
    least, of values beyond it, which saturate, and of values within it, which are rounded to a
    step: step² / 12. Measured on the maps as the model itself computes them.

    Scales of inputs, outputs and weights stay; biases follow those of what they are added to.

    Args:
        model: What `ssd.tflite.flatbuffer.unpack` gave; it is changed. It may compute
            convolutions, sums, pooling, resizing, and reshapes and concatenations before the
            outputs. What else a user's own backbone computes keeps the ranges of calibration, at
            both ends.
        flatbuffer: The file with the same maps inside, to be run.
        images: uint8 [photos, height, width, 3], photos like those the model will see.

    Example:
        >>> import importlib.resources
        >>> from ssd.tflite.flatbuffer import unpack
        >>> file = importlib.resources.files("ssd") / "models" / "face.tflite"
        >>> model = unpack(file.read_bytes())
        >>> fit_ranges(model, file.read_bytes(), np.zeros((1, 256, 320, 3), np.uint8))

    Source:
        Sung, Shin, Hwang: Resiliency of Deep Neural Networks under Quantization (2015), 3.1, who
        choose a step by the squared error, too.
    """
    (graph,) = model.subgraphs
    operations = _operations(model, graph)
    maps, source = _maps(operations, graph.outputs)
    quantized = {index: graph.tensors[index].quantization for index in maps}
    before = {index: (each.scale[0], each.zeroPoint[0]) for index, each in quantized.items()}
    counts = _histograms(flatbuffer, images, maps)
    after = {index: fitted(counts[index], *before[index]) for index in maps}
    for index in [*maps, *(index for index in source if source[index] in after)]:
        range_ = graph.tensors[index].quantization
        scale, zero = after[source.get(index, index)]
        range_.scale, range_.zeroPoint, range_.min, range_.max = [scale], [zero], None, None
    for operation in operations:
        taken = source.get(operation.inputs[0], operation.inputs[0])
        if operation.name in _CONVOLUTIONS and taken in after:
            ratio = before[taken][0] / after[taken][0]
            _scale_bias(model, graph.tensors[operation.inputs[2]], ratio)


class _Operation(NamedTuple):
    name: str
    inputs: Sequence[int]  # indices of tensors
    output: int


def _operations(model, graph):
    """What a graph computes, in order."""
    names = {code: name for name, code in vars(schema().BuiltinOperator).items()}
    codes = [each.builtinCode for each in model.operatorCodes]
    return [
        _Operation(names[codes[each.opcodeIndex]], [*each.inputs], each.outputs[0])
        for each in graph.operators
    ]


def _maps(operations, outputs):
    """The tensors whose range is free, and {tensor that hands on values: the one they are of}."""
    source, computed, fixed = {}, set(), set()
    for name, inputs, output in operations:
        if name in _CONVOLUTIONS or name == "ADD":
            computed.add(output)
        elif name in ("MAX_POOL_2D", "RESIZE_BILINEAR", "RESHAPE"):
            source[output] = source.get(inputs[0], inputs[0])
        elif name != "QUANTIZE":
            # Many operations want one range for all they take and give.
            fixed.update(source.get(each, each) for each in (*inputs, output))
    fixed.update(source.get(each, each) for each in outputs)
    return sorted(computed - fixed), source


def _scale_bias(model, bias, ratio):
    """A bias counts in steps of its input's times its weight's: its input's have changed."""
    buffer = model.buffers[bias.buffer]
    values = np.asarray(buffer.data, np.uint8).view(np.int32)
    buffer.data = np.round(values * float(ratio)).astype(np.int32).view(np.uint8)
    bias.quantization.scale = np.asarray(bias.quantization.scale) / ratio


def fitted(counts: Any, scale: float, zero: int) -> tuple[float, int]:
    """Scale and zero point of the range in which values lose least.

    Args:
        counts: How often each value from -128 to 127 occurs, [256].
        scale: Of the range that they are in.
        zero: Zero point of the same, from -128 to 127.

    Returns:
        (scale, zero point) of a range within it.

    Example:
        >>> counts = [0] * 256
        >>> counts[64:129] = [100_000] * 65  # all from 64 to 128 ...
        >>> counts[255] = 1  # ... but one
        >>> scale, zero = fitted(counts, 1.0, -128)
        >>> round(scale, 2), zero
        (0.52, -128)
    """
    counts, values = np.asarray(counts, float), np.arange(-128.0, 128) - zero
    lows = values[0] * (_ENDS if values[0] else np.ones(1))
    best, chosen = np.inf, (values[0], 1.0)
    # Nothing is lost of a zero, which is what a ReLU gives most often.
    rounded = counts[values != 0].sum()
    for low in lows:
        for high in values[-1] * _ENDS:
            step = (high - low) / 255
            beyond = np.clip(values, low, high) - values
            lost = counts @ beyond**2 + rounded * step**2 / 12
            if lost < best:
                best, chosen = lost, (low, step)
    low, step = chosen
    return float(scale * step), int(np.clip(round(-128 - low / step), -128, 127))


def _histograms(flatbuffer, images, tensors):
    """How often each tensor holds each value from -128 to 127 in these photos: {index: [256]}."""
    module = find_runtime()
    interpreter = module.Interpreter(
        model_content=flatbuffer,
        # Other kernels would not keep what is between two operations.
        experimental_op_resolver_type=module.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        experimental_preserve_all_tensors=True,
    )
    interpreter.allocate_tensors()
    counts = {index: np.zeros(256) for index in tensors}
    for image in images:
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], image[None])
        interpreter.invoke()
        for index in tensors:
            bytes_ = interpreter.get_tensor(index).ravel().view(np.uint8)
            counts[index] += np.roll(np.bincount(bytes_, minlength=256), 128)
    return counts

"""Ranges of what an int8 model computes inside, fitted to all of it instead of to its extremes."""

import numpy as np

from ssd.detect.detector import runtime
from ssd.tflite.flatbuffer import pack, unpack

# Where a range may end, as shares of the extreme that calibration saw.
_ENDS = np.arange(1.0, 0.24, -0.025)


def fit_ranges(model, images):
    """Give every map inside an int8 TFLite model the range in which it loses least.

    Calibration makes the greatest value that it saw the end of a range. One cell at the edge of
    one photo then makes the 256 steps of all cells coarse: for one map of the face model they
    were three times as coarse as they need be. Here a range ends where the mean squared error is
    least, of values beyond it, which saturate, and of values within it, which are rounded to a
    step: step² / 12. Measured on the maps as the model itself computes them.

    Scales of inputs, outputs and weights stay; biases follow those of what they are added to.

    Args:
        model: The flatbuffer, bytes: convolutions, sums, pooling, resizing, and reshapes and
            concatenations before the outputs.
        images: uint8 [photos, height, width, 3], photos like those the model will see.

    Returns:
        The flatbuffer, bytes.

    Raises:
        ValueError: If the model computes something else.

    Source:
        Sung, Shin, Hwang: Resiliency of Deep Neural Networks under Quantization (2015), 3.1, who
        choose a step by the squared error, too.
    """
    schema, unpacked = unpack(model)
    (graph,) = unpacked.subgraphs
    codes = [code.builtinCode for code in unpacked.operatorCodes]
    words = {value: word for word, value in vars(schema.BuiltinOperator).items()}
    steps = [
        (words[codes[each.opcodeIndex]], list(each.inputs), each.outputs[0])
        for each in graph.operators
    ]

    maker = {}  # of a tensor that hands values on: the one that they were computed for
    computed, fixed = set(), set()
    for kind, inputs, output in steps:
        if kind in ("CONV_2D", "ADD"):
            computed.add(output)
        elif kind in ("MAX_POOL_2D", "RESIZE_BILINEAR", "RESHAPE"):
            maker[output] = maker.get(inputs[0], inputs[0])
        elif kind == "CONCATENATION":
            fixed.update(maker.get(each, each) for each in inputs)
        elif kind != "QUANTIZE":
            raise ValueError(f"int8 model: wanted operations of an ssd.SSD, got {kind}")
    fixed.update(maker.get(each, each) for each in graph.outputs)
    computed = sorted(computed - fixed)

    before = {index: graph.tensors[index].quantization for index in computed}
    before = {index: (range_.scale[0], range_.zeroPoint[0]) for index, range_ in before.items()}
    counts = _histograms(model, images, computed)
    after = {index: fitted(counts[index], *before[index]) for index in computed}
    for index in [*computed, *(index for index in maker if maker[index] in after)]:
        range_ = graph.tensors[index].quantization
        scale, zero = after[maker.get(index, index)]
        range_.scale, range_.zeroPoint, range_.min, range_.max = [scale], [zero], None, None
    for kind, inputs, _ in steps:
        source = maker.get(inputs[0], inputs[0])
        if kind == "CONV_2D" and source in after:
            bias = graph.tensors[inputs[2]]
            # A bias counts in steps of its input's times its weight's.
            ratio = before[source][0] / after[source][0]
            buffer = unpacked.buffers[bias.buffer]
            values = np.asarray(buffer.data, np.uint8).view(np.int32)
            buffer.data = np.round(values * float(ratio)).astype(np.int32).view(np.uint8)
            bias.quantization.scale = np.asarray(bias.quantization.scale) / ratio
    return pack(unpacked)


def fitted(counts, scale, zero):
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
    best, chosen = np.inf, None
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


def _histograms(model, images, tensors):
    """How often each tensor holds each value from -128 to 127 in these photos: {index: [256]}."""
    module = runtime()
    interpreter = module.Interpreter(
        model_content=model,
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

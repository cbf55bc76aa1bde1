"""Outputs of an int8 model that saturate, so that their steps are fine where they matter."""

from collections.abc import Mapping
from typing import Any

from ssd.tflite.flatbuffer import schema


def saturate(model: Any, limits: Mapping[str, float]) -> None:
    """Give outputs of an int8 TFLite model a range of their own.

    Calibration takes the range of an output from all anchors; but nobody asks what offsets an
    anchor far from every face gives, and they are the largest. One step of 256 is then several
    pixels of a large face. An int8 kernel saturates at the ends of its output's range, whatever
    the range, so that it can be set to what is asked for: the scale of the output becomes
    limit / 128, also that of the convolutions which compute it, and values beyond come out as
    the limit.

    Args:
        model: What `ssd.tflite.flatbuffer.unpack` gave; it is changed. Between an output and its
            convolutions there are only reshapes and concatenations.
        limits: Greatest magnitude of an output, by its name in the signature.

    Raises:
        ValueError: If something else computes an output.

    Example:
        >>> import importlib.resources
        >>> from ssd.tflite.flatbuffer import unpack
        >>> file = importlib.resources.files("ssd") / "models" / "face.tflite"
        >>> model = unpack(file.read_bytes())
        >>> saturate(model, {"offsets": 4.0, "logits": 8.0})
        >>> (graph,), (signature,) = model.subgraphs, model.signatureDefs
        >>> sorted(
        ...     graph.tensors[each.tensorIndex].quantization.scale[0] for each in signature.outputs)
        [0.03125, 0.0625]
    """
    names = schema().BuiltinOperator
    (graph,) = model.subgraphs
    (signature,) = model.signatureDefs
    makers = {output: operator for operator in graph.operators for output in operator.outputs}
    for output in signature.outputs:
        name = output.name.decode()
        waiting = [output.tensorIndex]
        while waiting:
            index = waiting.pop()
            range_ = graph.tensors[index].quantization
            range_.scale, range_.zeroPoint = [limits[name] / 128], [0]
            range_.min, range_.max = None, None
            code = model.operatorCodes[makers[index].opcodeIndex].builtinCode
            inputs = makers[index].inputs
            if code == names.CONCATENATION:
                waiting.extend(inputs)
            elif code == names.RESHAPE:
                waiting.append(inputs[0])
            elif code != names.CONV_2D:
                raise ValueError(f"{name}: wanted a convolution, got operation {code}")

"""Outputs of an int8 model that saturate, so that their steps are fine where they matter."""

from ssd.tflite.flatbuffer import pack, unpack


def saturate(model, limits):
    """Give outputs of an int8 TFLite model a range of their own.

    Calibration takes the range of an output from all anchors; but nobody asks what offsets an
    anchor far from every face gives, and they are the largest. One step of 256 is then several
    pixels of a large face. An int8 kernel saturates at the ends of its output's range, whatever
    the range, so that it can be set to what is asked for: the scale of the output becomes
    limit / 128, also that of the convolutions which compute it, and values beyond come out as
    the limit.

    Args:
        model: The flatbuffer, bytes. Between an output and its convolutions there are only
            reshapes and concatenations.
        limits: Greatest magnitude of an output, by its name in the signature.

    Returns:
        The flatbuffer, bytes.

    Raises:
        ValueError: If something else computes an output.
    """
    schema, unpacked = unpack(model)
    kinds = schema.BuiltinOperator
    (graph,) = unpacked.subgraphs
    (signature,) = unpacked.signatureDefs
    makers = {output: operator for operator in graph.operators for output in operator.outputs}
    for output in signature.outputs:
        limit = limits[output.name.decode()]
        waiting = [output.tensorIndex]
        while waiting:
            index = waiting.pop()
            range_ = graph.tensors[index].quantization
            range_.scale, range_.zeroPoint, range_.min, range_.max = [limit / 128], [0], None, None
            kind = unpacked.operatorCodes[makers[index].opcodeIndex].builtinCode
            inputs = makers[index].inputs
            if kind == kinds.CONCATENATION:
                waiting.extend(inputs)
            elif kind == kinds.RESHAPE:
                waiting.append(inputs[0])
            elif kind != kinds.CONV_2D:
                raise ValueError(f"{output.name.decode()}: wanted a convolution, got kind {kind}")
    return pack(unpacked)

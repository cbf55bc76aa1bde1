"""A TFLite file taken apart and put together again, by TensorFlow's generated schema."""

from typing import Any

import flatbuffers


def schema() -> Any:
    """The names of the format, such as `ModelT` and `BuiltinOperator`.

    Returns:
        TensorFlow's module of them, generated from the schema.

    Example:
        >>> schema().BuiltinOperator.CONV_2D
        3
    """
    from tensorflow.lite.python import schema_py_generated

    return schema_py_generated


def unpack(flatbuffer: bytes) -> Any:
    """A TFLite model as objects that can be changed.

    Args:
        flatbuffer: The file.

    Returns:
        A `ModelT`.

    Example:
        >>> import importlib.resources
        >>> file = importlib.resources.files("ssd") / "models" / "face.tflite"
        >>> len(unpack(file.read_bytes()).subgraphs)
        1
    """
    return schema().ModelT.InitFromPackedBuf(flatbuffer, 0)


def pack(model: Any) -> bytes:
    """The file of a model that `unpack` gave.

    Args:
        model: A `ModelT`.

    Returns:
        The flatbuffer.

    Example:
        >>> empty = schema().ModelT()
        >>> empty.description = b"nothing"
        >>> unpack(pack(empty)).description
        b'nothing'
    """
    builder = _Builder(1 << 20)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


class _Builder(flatbuffers.Builder):
    """Bytes, which is what weights are, begin at multiples of 16, as the model's schema asks.

    The generated Python code forgets that; a runtime would have to copy the weights.
    """

    def StartVector(self, elemSize, numElems, alignment):
        return super().StartVector(elemSize, numElems, 16 if elemSize == 1 else alignment)

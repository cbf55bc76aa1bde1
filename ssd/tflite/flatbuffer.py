"""A TFLite file taken apart and put together again, by TensorFlow's generated schema."""

import flatbuffers


def unpack(model):
    """A TFLite model as objects that can be changed.

    Args:
        model: The flatbuffer, bytes.

    Returns:
        (schema, model): TensorFlow's module with the names of the format, and a `ModelT` of it.
    """
    from tensorflow.lite.python import schema_py_generated as schema

    return schema, schema.ModelT.InitFromPackedBuf(model, 0)


def pack(model):
    """The flatbuffer, bytes, of a `ModelT`."""
    builder = _Builder(1 << 20)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


class _Builder(flatbuffers.Builder):
    """Bytes, which is what weights are, begin at multiples of 16, as the model's schema asks.

    The generated Python code forgets that; a runtime would have to copy the weights.
    """

    def StartVector(self, size, count, alignment):
        return super().StartVector(size, count, 16 if size == 1 else alignment)

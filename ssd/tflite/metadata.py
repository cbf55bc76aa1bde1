"""The standard description inside a TFLite file, for tools such as Netron that show it.

The schema is `metadata_schema.fbs` of TensorFlow Lite Support, version 1.0. A flatbuffer table is
a row of slots; the functions below fill them in the schema's order.
"""

from collections.abc import Mapping
from typing import Any

import flatbuffers
import numpy as np

from ssd.tflite.flatbuffer import schema

_IDENTIFIER = b"M001"
_DESCRIPTIONS, _AXIS_LABELS, _VALUE_LABELS = 1, 2, 3  # AssociatedFileType
_FEATURE, _IMAGE, _BOX = 1, 2, 3  # ContentProperties
_BOUNDARIES = 1  # BoundingBoxType
_RGB = 1  # ColorSpaceType
_NORMALIZATION = 1  # ProcessUnitOptions
# The outputs that labels.txt says something of, and what.
_LABELED = {"logits": _AXIS_LABELS, "classes": _VALUE_LABELS}
# What tools know outputs by that are boxes already.
_KNOWN = {
    "boxes": "location",
    "classes": "category",
    "scores": "score",
    "count": "number of detections",
}


def describe(
    model: Any,
    *,
    name: str,
    version: str,
    description: str,
    inputs: Mapping[str, str],
    outputs: Mapping[str, str],
    files: Mapping[str, str],
) -> None:
    """Add the standard metadata to a TFLite model.

    Args:
        model: What `ssd.tflite.flatbuffer.unpack` gave; it is changed.
        name: Name of the model.
        version: Version of what made it.
        description: What it does and how it is used.
        inputs: Description of each input, by its name in the signature; all are RGB images
            with values from 0 to 255.
        outputs: Description of each output, likewise.
        files: Description of each file that will be appended as a ZIP archive, by its name.
            `labels.txt` holds the names along the last axis of the output `logits`, or those
            of the values of the output `classes`.

    Example:
        >>> import importlib.resources
        >>> from ssd.tflite.flatbuffer import unpack
        >>> file = importlib.resources.files("ssd") / "models" / "face.tflite"
        >>> model = unpack(file.read_bytes())
        >>> describe(
        ...     model, name="mine", version="1", description="Finds faces.",
        ...     inputs={"images": "A photo."},
        ...     outputs={"offsets": "Of boxes.", "logits": "Of classes."},
        ...     files={"labels.txt": "Names."})
        >>> model.metadata[-1].name
        b'TFLITE_METADATA'
    """
    (graph,) = model.subgraphs
    (signature,) = model.signatureDefs
    # The description's order is that of the graph, the names are those of the signature.
    names = {
        tensor.tensorIndex: tensor.name.decode()
        for tensor in [*signature.inputs, *signature.outputs]
    }
    entry, buffer = schema().MetadataT(), schema().BufferT()
    entry.name, entry.buffer = b"TFLITE_METADATA", len(model.buffers)
    about = _model_metadata(
        name,
        version,
        description,
        [(names[index], inputs[names[index]]) for index in graph.inputs],
        [(names[index], outputs[names[index]]) for index in graph.outputs],
        files,
    )
    buffer.data = np.frombuffer(about, np.uint8)
    model.buffers.append(buffer)
    model.metadata = [*(model.metadata or []), entry]


def _model_metadata(name, version, description, inputs, outputs, files):
    """A finished `ModelMetadata`, bytes."""
    builder = flatbuffers.Builder(1024)
    images = [_image(builder, each, text) for each, text in inputs]
    features = [_output(builder, each, text, files) for each, text in outputs]
    graph = _table(builder, None, None, _vector(builder, images), _vector(builder, features))
    parts = (
        builder.CreateString(name),
        builder.CreateString(description),
        builder.CreateString(version),
        _vector(builder, [graph]),
        None,  # author
        None,  # license
        _vector(
            builder, [_file(builder, file, text, _DESCRIPTIONS) for file, text in files.items()]
        ),
        builder.CreateString("1.0.0"),  # the oldest parser that understands all of it
    )
    builder.Finish(_table(builder, *parts), _IDENTIFIER)
    return bytes(builder.Output())


def _image(builder, name, description):
    """`TensorMetadata` of an RGB image whose values go in as they are."""
    properties = _table(builder, _Byte(_RGB))
    options = _table(builder, _floats(builder, 0.0), _floats(builder, 1.0))  # mean, deviation
    unit = _table(builder, _Byte(_NORMALIZATION), options)
    return _table(
        builder,
        builder.CreateString(name),
        builder.CreateString(description),
        None,  # names of the dimensions
        _table(builder, _Byte(_IMAGE), properties),
        _vector(builder, [unit]),
        _table(builder, _floats(builder, 255.0), _floats(builder, 0.0)),  # greatest, least
    )


def _output(builder, name, description, files):
    """`TensorMetadata` of an output: boxes, or numbers."""
    labels = "labels.txt"
    about = _file(builder, labels, files[labels], _LABELED[name]) if name in _LABELED else None
    if name == "boxes":
        order = _integers(builder, 1, 0, 3, 2)  # where left, top, right and bottom stand
        content = _table(builder, _Byte(_BOX), _table(builder, order, _Byte(_BOUNDARIES)))
    else:
        content = _table(builder, _Byte(_FEATURE), _table(builder))
    return _table(
        builder,
        builder.CreateString(_KNOWN.get(name, name)),
        builder.CreateString(description),
        None,
        content,
        None,
        None,
        _vector(builder, [about]) if about else None,
    )


def _file(builder, name, description, file_type):
    text = builder.CreateString(name), builder.CreateString(description)
    return _table(builder, *text, _Byte(file_type))


class _Byte(int):
    """A value that stands in its slot itself; others are offsets of what stands elsewhere."""


def _table(builder, *slots):
    builder.StartObject(len(slots))
    for slot, value in enumerate(slots):
        if isinstance(value, _Byte):
            builder.PrependUint8Slot(slot, value, 0)
        elif value is not None:
            builder.PrependUOffsetTRelativeSlot(slot, value, 0)
    return builder.EndObject()


def _vector(builder, offsets):
    builder.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        builder.PrependUOffsetTRelative(offset)
    return builder.EndVector()


def _floats(builder, *values):
    builder.StartVector(4, len(values), 4)
    for value in reversed(values):
        builder.PrependFloat32(value)
    return builder.EndVector()


def _integers(builder, *values):
    builder.StartVector(4, len(values), 4)
    for value in reversed(values):
        builder.PrependUint32(value)
    return builder.EndVector()

"""A Keras model as an `.onnx` file that explains itself."""

import base64
import pathlib
from typing import Any

import numpy as np

from anchors.coding import VARIANCES
from ssd import atomic
from ssd.nets.describing import PREPROCESSING, anchor_rows, describe_model
from ssd.nets.model import SSD, check_finite
from ssd.version import __version__

_IR_VERSION = 8  # of the file format, that of opset 17


def write_onnx(model: SSD, path: pathlib.Path, *, boxes: bool = False) -> pathlib.Path:
    """Write a model as an ONNX file, computing in float32.

    Input is `images`, uint8 [1, height, width, 3]; outputs are `offsets` [1, anchors, 4] and
    `logits` [1, anchors, 1 + classes], or with `boxes` those of
    `ssd.onnx.boxes.add_boxes`. The metadata holds `model.json`, `labels.txt` and, in
    base64, `anchors.npy`.

    Args:
        model: An `ssd.SSD`, under any Keras backend.
        path: File to write; it appears whole or not at all.
        boxes: Whether decoding and suppression are in the file, as `ssd.export` says.

    Returns:
        The path.

    Raises:
        ValueError: If a weight is not finite, or a user's own backbone has a layer for which ONNX
            is not known.
        ImportError: If the package onnx is not installed.

    Example:
        >>> import tempfile, ssd
        >>> model = ssd.SSD(ssd.Config(image_size=(64, 64), width_multiplier=0.05))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_onnx(model, pathlib.Path(folder, "face.onnx")).name
        'face.onnx'
    """
    check_finite(model)
    try:
        content = _build(model, boxes).SerializeToString()
    except ModuleNotFoundError as error:
        if error.name != "onnx":
            raise
        raise ImportError("no package onnx: pip install 'ssd-faces[onnx]'") from None
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic.whole(path) as temporary:
        temporary.write_bytes(content)
    return path


def _build(model: SSD, boxes: bool) -> Any:
    """The `onnx.ModelProto` of a model, checked."""
    from onnx import TensorProto, checker, helper

    from ssd.onnx.boxes import add_boxes
    from ssd.onnx.building import OPSET, Graph
    from ssd.onnx.graph import add_model

    graph = Graph()
    add_model(graph, model)
    (height, width), classes = model.config.image_size, 1 + len(model.config.classes)
    count = model.output_shape[1]
    images = helper.make_tensor_value_info("images", TensorProto.UINT8, [1, height, width, 3])
    outputs = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, count, columns])
        for name, columns in (("offsets", 4), ("logits", classes))
    ]
    if boxes:
        outputs = add_boxes(
            graph,
            anchor_rows(model),
            np.array(VARIANCES, np.float32),
            model.config.image_size,
            score_threshold=model.config.score_threshold,
        )
    made = helper.make_model(
        helper.make_graph(graph.nodes, "ssd-faces", [images], outputs, graph.constants),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=_IR_VERSION,
        producer_name="ssd-faces",
        producer_version=__version__,
        doc_string=f"Single-shot detector of {', '.join(model.config.classes)}. {PREPROCESSING}",
    )
    files = describe_model(model, "float32")
    helper.set_model_props(
        made,
        {
            "model.json": files["model.json"].decode(),
            "labels.txt": files["labels.txt"].decode(),
            "anchors.npy": base64.b64encode(files["anchors.npy"]).decode(),
        },
    )
    checker.check_model(made, full_check=True)
    return made

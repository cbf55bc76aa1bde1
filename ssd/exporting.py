"""From a trained model to a file that other programs run: TFLite, or ONNX."""

import os
import pathlib
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from ssd.nets.model import SSD

FORMATS = ("tflite", "onnx")


def export(
    model: "SSD",
    path: str | os.PathLike,
    *,
    format: str | None = None,
    precision: str | None = None,
    boxes: bool = False,
    calibration: np.ndarray | Iterable[tuple[Any, Any]] | None = None,
) -> pathlib.Path:
    """Write a model as a file for `ssd.Detector` and any other runtime of its format.

    A TFLite file has two outputs, `offsets` [1, anchors, 4] and `logits` [1, anchors,
    1 + classes], apart because int8 gives each tensor one scale. It carries the standard TFLite
    metadata, and a ZIP archive at its end (`unzip` reads it, runtimes pass over it) holds
    `model.json` with the Config and what is known of the training, `anchors.npy` and
    `labels.txt`. An ONNX file has the same outputs, and the same three in its metadata.
    With `boxes` a file gives boxes itself (docs/model-file.md).

    Args:
        model: An `ssd.SSD`, trained under any Keras backend.
        path: File to write; it appears whole or not at all.
        format: "tflite" or "onnx"; by default what the file's name ends in, else "tflite".
        precision: Of a TFLite file "float32", "float16" (weights only) or, by default, "int8"
            (weights and activations; the input is then uint8). An ONNX file is "float32".
        boxes: Whether the file gives boxes in place of the outputs of all anchors: those of
            `ssd.Detector(..., suppression="nms")`, in the form that other programs expect.
        calibration: For int8, what `ssd.dataset` returns, or uint8 images
            [photos, height, width, 3]: photos like those the model will see.

    Returns:
        The path.

    Raises:
        ValueError: If the format or the precision is unknown, int8 is asked for without photos,
            boxes are asked for of a model with `Config.kinds`,
            or a weight is not finite.
        ImportError: If an ONNX file is asked for and the package onnx is not installed.

    Example:
        >>> import tempfile, ssd
        >>> model = ssd.SSD(ssd.Config(image_size=(64, 64), width_multiplier=0.05))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = ssd.export(model, f"{folder}/face.tflite", precision="float32")
        ...     len(ssd.Detector(file)(np.zeros((48, 64, 3), np.uint8)).boxes)
        0
    """
    path = pathlib.Path(path)
    format = choose_format(path, format)
    if boxes and model.config.kinds:
        raise ValueError(
            "boxes: wanted a model whose classes are each for itself, got one with "
            f"Config.kinds {model.config.kinds}"
        )
    if format == "onnx":
        if precision not in (None, "float32"):
            raise ValueError(f"precision: wanted float32 for an ONNX file, got {precision!r}")
        from ssd.onnx.exporting import write_onnx

        return write_onnx(model, path, boxes=boxes)
    from ssd.tflite.exporting import write_tflite

    return write_tflite(
        model, path, precision=precision or "int8", boxes=boxes, calibration=calibration
    )


def choose_format(path: pathlib.Path, format: str | None) -> str:
    """The format of a file to write.

    Args:
        path: The file.
        format: What was asked for, or None.

    Returns:
        One of `FORMATS`.

    Raises:
        ValueError: If something else was asked for.

    Example:
        >>> choose_format(pathlib.Path("face.onnx"), None)
        'onnx'
    """
    if format is None:
        return "onnx" if path.suffix.lower() == ".onnx" else "tflite"
    if format not in FORMATS:
        raise ValueError(f"format: wanted one of {', '.join(FORMATS)}, got {format!r}")
    return format

"""`ssd export`: from a trained model to a file that other programs run."""

import argparse
import importlib.util

from ssd.arguments import Command, existing_folder, existing_keras
from ssd.outputs import OutputFile, has_suffix
from ssd.quiet import import_tensorflow


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", type=existing_keras, help=".keras file; face or smile, which ship")
    parser.add_argument(
        "out",
        type=OutputFile(replaces=has_suffix(".tflite", ".onnx")),
        help=".tflite or .onnx file to write, in place of one of that name",
    )
    parser.add_argument(
        "--format",
        choices=("tflite", "onnx"),
        help="tflite or onnx (what the name of the file says)",
    )
    parser.add_argument(
        "--boxes", action="store_true", help="a file that gives boxes and scores itself"
    )
    parser.add_argument(
        "--precision",
        choices=("int8", "float16", "float32"),
        help="int8 (default), float16 or float32; an ONNX file is float32",
    )
    parser.add_argument(
        "--calibration",
        type=existing_folder("a folder of labels"),
        help="folder of labels, for int8",
    )


def _run(options: argparse.Namespace) -> None:
    if options.out.suffix.lower() == ".keras":
        options.refuse(f"OUT: wanted a .tflite or .onnx file to write, got {options.out}")
    format = options.format or ("onnx" if options.out.suffix.lower() == ".onnx" else "tflite")
    precision = options.precision or ("float32" if format == "onnx" else "int8")
    if format == "onnx":
        _check_onnx(precision)
    if precision != "int8" and options.calibration is not None:
        raise ValueError(f"--calibration: wanted none for a file of {precision}, only for int8")
    if precision == "int8" and options.calibration is None:
        raise ValueError("int8 wants --calibration, a folder of labels with photos to look at")
    import_tensorflow()
    from ssd.data.pipeline import dataset
    from ssd.exporting import export
    from ssd.nets.loading import load

    model, photos = load(options.model), None
    if options.calibration is not None:
        photos = dataset(options.calibration, model.config)
    export(
        model,
        options.out,
        format=format,
        precision=precision,
        boxes=options.boxes,
        calibration=photos,
    )
    print(f"{options.out}: {options.out.stat().st_size / 1000:.0f} KB")


def _check_onnx(precision: str) -> None:
    """What an ONNX file wants, asked before anything heavy is imported."""
    if precision != "float32":
        raise ValueError(f"--precision: wanted float32 for an ONNX file, got {precision}")
    if importlib.util.find_spec("onnx") is None:
        raise ImportError("no package onnx: pip install 'ssd-faces[onnx]'")


COMMAND = Command(
    "export",
    "Turn a trained model into a .tflite or .onnx file.",
    _add_arguments,
    _run,
)

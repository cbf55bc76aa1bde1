"""`ssd export`: from a trained model to a `.tflite` file."""

import argparse

from ssd.arguments import Command, existing_file, existing_folder, new_file
from ssd.quiet import import_tensorflow


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", type=existing_file("a .keras model file"), help=".keras file")
    parser.add_argument("out", type=new_file, help=".tflite file to write")
    parser.add_argument(
        "--precision",
        choices=("int8", "float16", "float32"),
        default="int8",
        help="int8 (default), float16 or float32",
    )
    parser.add_argument(
        "--calibration",
        type=existing_folder("a folder of labels"),
        help="folder of labels, for int8",
    )


def _run(options: argparse.Namespace) -> None:
    if options.precision == "int8" and options.calibration is None:
        raise ValueError("int8 wants --calibration, a folder of labels with photos to look at")
    import_tensorflow()
    from ssd.data.pipeline import dataset
    from ssd.nets.loading import load
    from ssd.tflite.exporting import export

    model, photos = load(options.model), None
    if options.precision == "int8":
        photos = dataset(options.calibration, model.config)
    export(model, options.out, precision=options.precision, calibration=photos)
    print(f"{options.out}: {options.out.stat().st_size / 1000:.0f} KB")


COMMAND = Command(
    "export",
    "Turn a trained model into a .tflite file.",
    _add_arguments,
    _run,
)

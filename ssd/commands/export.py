"""`ssd export`: from a trained model to a `.tflite` file."""

import argparse
from typing import Any

from ssd.arguments import existing_file, existing_folder, new_file
from ssd.quiet import import_tensorflow

ABOUT = "Turn a trained model into a .tflite file."


def add(commands: Any) -> argparse.ArgumentParser:
    """Add the command.

    Args:
        commands: What `Parser.add_subparsers` returned.

    Returns:
        The command's own parser.
    """
    made = commands.add_parser("export", help=ABOUT, description=ABOUT)
    made.add_argument("model", type=existing_file("a .keras model file"), help=".keras file")
    made.add_argument("out", type=new_file, help=".tflite file to write")
    made.add_argument(
        "--precision",
        choices=("int8", "float16", "float32"),
        default="int8",
        help="int8 (default), float16 or float32",
    )
    made.add_argument(
        "--calibration",
        type=existing_folder("a folder of labels"),
        help="folder of labels, for int8",
    )
    return made


def run(options: argparse.Namespace) -> None:
    """Do what was asked for.

    Args:
        options: What `add`'s parser made of the command line.

    Raises:
        ValueError: If the model is none, or there are no photos to calibrate int8 on.
    """
    if options.precision == "int8" and options.calibration is None:
        raise ValueError("int8 wants --calibration, a folder of labels with photos to look at")
    import_tensorflow()
    from ssd.data.pipeline import dataset
    from ssd.nets.model import load
    from ssd.tflite.exporting import export

    model, photos = load(options.model), None
    if options.precision == "int8":
        photos = dataset(options.calibration, model.config)
    export(model, options.out, precision=options.precision, calibration=photos)
    print(f"{options.out}: {options.out.stat().st_size / 1000:.0f} KB")

"""`ssd skew`: why a model that was good at home fails on a device."""

import argparse
from typing import Any

from ssd.arguments import existing_file, existing_folder, new_file
from ssd.quiet import import_tensorflow

ABOUT = "Say how a device's captures differ from the photos trained on."


def add(commands: Any) -> argparse.ArgumentParser:
    """Add the command.

    Args:
        commands: What `Parser.add_subparsers` returned.

    Returns:
        The command's own parser.
    """
    made = commands.add_parser("skew", help=ABOUT, description=ABOUT)
    made.add_argument(
        "labels", type=existing_folder("a folder of labels"), help="folder of labels trained on"
    )
    made.add_argument(
        "captures",
        type=existing_folder("a folder of a CaptureLog"),
        help="folder of an ssd.CaptureLog, or a copy",
    )
    made.add_argument(
        "--model",
        type=existing_file("a .tflite model file"),
        help=".tflite file, to compare scores as well",
    )
    made.add_argument("--plot", type=new_file, help="PNG file to draw the differences into")
    return made


def run(options: argparse.Namespace) -> None:
    """Do what was asked for.

    Args:
        options: What `add`'s parser made of the command line.

    Raises:
        ValueError: If there is nothing to compare.
    """
    from ssd.detect.detector import Detector

    import_tensorflow()
    from ssd.metrics.skew import find_skew

    detector = Detector(options.model) if options.model else None
    found = find_skew(options.labels, options.captures, detector=detector)
    print(found)
    if options.plot:
        from ssd.metrics.skew_picture import draw_skew

        draw_skew(found, options.plot)
        print(f"picture: {options.plot}")

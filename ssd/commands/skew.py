"""`ssd skew`: why a model that was good at home fails on a device."""

import argparse

from ssd.arguments import Command, existing_folder, existing_model
from ssd.outputs import DRAWING
from ssd.quiet import import_tensorflow


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "labels", type=existing_folder("a folder of labels"), help="folder of labels trained on"
    )
    parser.add_argument(
        "captures",
        type=existing_folder("a folder of a CaptureLog"),
        help="folder of an ssd.CaptureLog, or a copy",
    )
    parser.add_argument(
        "--model",
        type=existing_model,
        help=".tflite, .onnx or .keras file, face or smile, to compare scores as well",
    )
    parser.add_argument("--plot", type=DRAWING, help="PNG file to draw the differences into")


def _run(options: argparse.Namespace) -> None:
    from ssd.opening import Detector

    import_tensorflow()
    from ssd.metrics.skew import find_skew

    detector = Detector(options.model) if options.model else None
    found = find_skew(options.labels, options.captures, detector=detector)
    print(found)
    if options.plot:
        from ssd.metrics.skew_picture import draw_skew

        draw_skew(found, options.plot)
        print(f"picture: {options.plot}")


COMMAND = Command(
    "skew",
    "Say how a device's captures differ from the photos trained on.",
    _add_arguments,
    _run,
)

"""`ssd yolo`: labels as YOLO's trainers open them."""

import argparse
import pathlib

from ssd.arguments import Command, complain, existing_folder
from ssd.quiet import import_tensorflow


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "labels", type=existing_folder("a folder of labels"), help="folder of labels"
    )
    parser.add_argument("out", type=pathlib.Path, help="folder to write, new or empty")


def _run(options: argparse.Namespace) -> None:
    import_tensorflow()
    from ssd.data import to_yolo

    written = to_yolo.write(options.labels, options.out)
    if written.unsaid:
        complain(
            options.prog,
            f"{written.unsaid} regions to ignore and objects of no known class are background in "
            "YOLO's format, which has no word for them",
        )
    print(f"{options.out}: {written.photos} photos, {written.boxes} boxes")


COMMAND = Command(
    "yolo",
    "Write labels and their photos in YOLO's layout.",
    _add_arguments,
    _run,
)

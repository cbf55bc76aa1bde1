"""`ssd import`: from labels drawn by people to labels to train on."""

import argparse
import pathlib

from ssd.arguments import Command, complain, existing_folder, mapping, whole_number
from ssd.quiet import import_tensorflow

MOST_LINES = 20  # on a terminal; `errors.csv` has all


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "format", choices=("coco", "voc", "yolo", "wider"), help="how they are kept"
    )
    parser.add_argument(
        "annotations", type=pathlib.Path, help="JSON or text file, or folder (voc, yolo)"
    )
    parser.add_argument(
        "photos",
        type=existing_folder("a folder of photos"),
        help="folder that the file names are in",
    )
    parser.add_argument(
        "out", type=pathlib.Path, help="folder for the labels, new or of the same run"
    )
    parser.add_argument("--classes", default="face", help="names, separated by commas (face)")
    parser.add_argument(
        "--map",
        type=mapping,
        default={},
        metavar="NAME=CLASS,...",
        help="what the annotations call a class, or what is to be `ignore`, `background`"
        " or `unknown`",
    )
    parser.add_argument(
        "--max-side", type=whole_number(12), default=640, help="photos are scaled down to it (640)"
    )


def _run(options: argparse.Namespace) -> None:
    import_tensorflow()
    from ssd.data.importing import import_labels

    imported = import_labels(
        options.format,
        options.annotations,
        options.photos,
        options.out,
        class_names=[name.strip() for name in options.classes.split(",")],
        mapping=options.map,
        max_side=options.max_side,
    )
    for complaint in imported.complaints[:MOST_LINES]:
        complain(options.prog, complaint.line)
    if len(imported.complaints) > MOST_LINES:
        more = len(imported.complaints) - MOST_LINES
        complain(options.prog, f"{more} more in {options.out / 'errors.csv'}")
    print(imported)


COMMAND = Command(
    "import",
    "Turn labels drawn by people into labels to train on.",
    _add_arguments,
    _run,
)

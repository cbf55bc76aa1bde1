"""`ssd import`: from labels drawn by people to labels to train on."""

import argparse
import pathlib

from ssd.arguments import Command, complain, existing_folder, mapping, shares, whole_number
from ssd.quiet import import_tensorflow

MOST_LINES = 20  # on a terminal; `errors.csv` has all


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "format",
        choices=("coco", "voc", "yolo", "wider", "crops", "ratings"),
        help="how they are kept (ratings: a CSV file of boxes, as distill vote writes it)",
    )
    parser.add_argument(
        "annotations",
        type=pathlib.Path,
        help="JSON, text or CSV file, or folder (voc, yolo, crops)",
    )
    parser.add_argument(
        "photos",
        type=existing_folder("a folder of photos"),
        nargs="?",
        help="folder that the file names are in; not needed for a folder of crops",
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
    parser.add_argument(
        "--box",
        type=shares,
        metavar="YMIN,XMIN,YMAX,XMAX",
        help="where on a crop its face is, as shares of the crop (0,0,1,1)",
    )


def _run(options: argparse.Namespace) -> None:
    if options.photos is None:
        if options.format != "crops" or not options.annotations.is_dir():
            options.refuse(f"wanted the folder of photos between {options.annotations} and OUT")
        options.photos = options.annotations
    if options.box and options.format != "crops":
        options.refuse(f"--box: wanted the format crops, {options.format} has boxes itself")
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
        **({"box": options.box} if options.box else {}),
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

"""`ssd coco`: labels as other tools read them."""

import argparse

from ssd.arguments import Command, existing_folder, new_file
from ssd.quiet import import_tensorflow


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "labels", type=existing_folder("a folder of labels"), help="folder of labels"
    )
    parser.add_argument("out", type=new_file, help="JSON file to write")


def _run(options: argparse.Namespace) -> None:
    import_tensorflow()
    from ssd.data import coco

    photos, annotations = coco.write(options.labels, options.out)
    print(f"{options.out}: {photos} photos, {annotations} boxes and regions")


COMMAND = Command(
    "coco",
    "Write labels as COCO detection JSON.",
    _add_arguments,
    _run,
)

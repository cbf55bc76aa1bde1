"""`ssd coco`: labels as other tools read them."""

import argparse
from typing import Any

from ssd.arguments import existing_folder, new_file
from ssd.quiet import import_tensorflow

ABOUT = "Write labels as COCO detection JSON."


def add(commands: Any) -> argparse.ArgumentParser:
    """Add the command.

    Args:
        commands: What `Parser.add_subparsers` returned.

    Returns:
        The command's own parser.
    """
    made = commands.add_parser("coco", help=ABOUT, description=ABOUT)
    made.add_argument("labels", type=existing_folder("a folder of labels"), help="folder of labels")
    made.add_argument("out", type=new_file, help="JSON file to write")
    return made


def run(options: argparse.Namespace) -> None:
    """Do what was asked for.

    Args:
        options: What `add`'s parser made of the command line.

    Raises:
        ValueError: If the folder holds no labels.
    """
    import_tensorflow()
    from ssd.data import coco

    photos, annotations = coco.write(options.labels, options.out)
    print(f"{options.out}: {photos} photos, {annotations} boxes and regions")

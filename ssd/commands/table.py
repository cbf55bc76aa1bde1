"""`ssd csv`: labels as a table."""

import argparse

from ssd.arguments import Command, existing_folder, new_file
from ssd.quiet import import_tensorflow


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "labels", type=existing_folder("a folder of labels"), help="folder of labels"
    )
    parser.add_argument("out", type=new_file, help="CSV file to write")


def _run(options: argparse.Namespace) -> None:
    import_tensorflow()
    from ssd.data import table

    photos, boxes = table.write(options.labels, options.out)
    print(f"{options.out}: {photos} photos, {boxes} boxes and regions")


COMMAND = Command(
    "csv",
    "Write labels as CSV, a row for each box.",
    _add_arguments,
    _run,
)

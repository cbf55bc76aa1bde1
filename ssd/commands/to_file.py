"""Commands that write a folder of labels as one file."""

import argparse
from collections.abc import Callable

from ssd.arguments import Command, existing_folder
from ssd.outputs import NEW_FILE
from ssd.quiet import import_tensorflow


def to_file(
    name: str, about: str, form: str, write: Callable[[str, str], tuple[int, int]]
) -> Command:
    """A command of a folder of labels and a file to write.

    Args:
        name: Name of the command.
        about: What it does.
        form: What the file is.
        write: Is given both, and returns how many photos, and how many boxes and regions, it wrote.

    Returns:
        The `Command`.

    Example:
        >>> to_file("text", "Write labels as text.", "text", lambda labels, out: (0, 0)).name
        'text'
    """

    def add_arguments(parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "labels", type=existing_folder("a folder of labels"), help="folder of labels"
        )
        parser.add_argument("out", type=NEW_FILE, help=f"{form} file to write, a new one")

    def run(options: argparse.Namespace) -> None:
        import_tensorflow()
        photos, boxes = write(options.labels, options.out)
        print(f"{options.out}: {photos} photos, {boxes} boxes and regions")

    return Command(name, about, add_arguments, run)

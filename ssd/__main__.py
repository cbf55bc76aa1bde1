"""`ssd`, or `python -m ssd`: from labels to boxes, without writing code."""

import argparse
import sys
from collections.abc import Sequence

from ssd import __version__
from ssd.arguments import Parser, program, run_program
from ssd.commands import (
    calibrate,
    coco,
    compare,
    detect,
    evaluate,
    export,
    importing,
    shrink,
    skew,
    split,
    table,
    train,
    yolo,
)

COMMANDS = tuple(
    each.COMMAND
    for each in (
        *(detect, train, evaluate, compare, calibrate, export),
        *(importing, split, shrink, coco, yolo, table, skew),
    )
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: What was typed; by default those of the process.

    Returns:
        The exit status: 0 when all is done, 1 when it is not, 2 when the arguments make no sense,
        130 when it was stopped from the keyboard.

    Example:
        >>> main(["--version"])  # doctest: +ELLIPSIS
        ssd-faces ...
        0
    """
    return run_program(_read, arguments)


def _read(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = Parser(prog=program("ssd"), description="From labels to boxes, without writing code.")
    parser.add_argument("--version", action="version", version=f"ssd-faces {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    for command in COMMANDS:
        made = commands.add_parser(command.name, help=command.about, description=command.about)
        command.add_to(made)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())

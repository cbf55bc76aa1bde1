"""`ssd`, or `python -m ssd`: from labels to boxes, without writing code."""

import os
import sys
from collections.abc import Sequence

from ssd import __version__
from ssd.arguments import Parser, escape_output, program
from ssd.commands import coco, compare, detect, evaluate, export, importing, skew, train
from ssd.quiet import missing_package

COMMANDS = tuple(
    each.COMMAND for each in (detect, train, evaluate, compare, export, importing, coco, skew)
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: The words after `ssd`; by default those of the process.

    Returns:
        The exit status: 0 when all is done, 1 when it is not, 2 when the arguments make no sense,
        130 when it was stopped from the keyboard.

    Example:
        >>> main(["--version"])  # doctest: +ELLIPSIS
        ssd-faces ...
        0
    """
    escape_output()
    try:
        options = _parser().parse_args(arguments)
    except SystemExit as stop:
        return int(stop.code or 0)
    try:
        status = options.run(options) or 0
        sys.stdout.flush()
        return status
    except BrokenPipeError:  # whoever read the output has gone, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except ImportError as error:
        print(f"{options.prog}: {missing_package(error)}", file=sys.stderr)
        return 1
    except (ValueError, OSError) as error:
        print(f"{options.prog}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"{options.prog}: stopped", file=sys.stderr)
        return 130


def _parser() -> Parser:
    parser = Parser(prog=program("ssd"), description="From labels to boxes, without writing code.")
    parser.add_argument("--version", action="version", version=f"ssd-faces {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    for command in COMMANDS:
        made = commands.add_parser(command.name, help=command.about, description=command.about)
        command.add_arguments(made)
        made.set_defaults(run=command.run, prog=made.prog)
    return parser


if __name__ == "__main__":
    sys.exit(main())

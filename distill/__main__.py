"""`distill PHOTOS… OUT`, or `python -m distill`: photos in, labels to train on out.

A first word that is a command is taken for one; a folder of that name is given as `./combine`.
"""

import argparse
import sys
from collections.abc import Sequence

from distill.commands import audit, combine, join, label, vote
from ssd import __version__
from ssd.arguments import Parser, program, run_program

COMMANDS = {each.COMMAND.name: each.COMMAND for each in (combine, audit, vote, join)}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

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
    return run_program(_read, arguments, stopped="stopped; the same command goes on from here")


def _read(arguments: Sequence[str] | None) -> argparse.Namespace:
    words, name = list(sys.argv[1:] if arguments is None else arguments), program("distill")
    if words and words[0] in COMMANDS:
        command = COMMANDS[words.pop(0)]
        parser = Parser(prog=f"{name} {command.name}", description=command.about)
    else:
        command = label.COMMAND
        others = ", ".join(f"{each.name} ({each.about})" for each in COMMANDS.values())
        parser = Parser(
            prog=name,
            description=command.about,
            epilog=f"Other commands: {others}. A folder of such a name is given as ./NAME.",
        )
        parser.add_argument("--version", action="version", version=f"ssd-faces {__version__}")
    command.add_to(parser)
    return parser.parse_args(words)


if __name__ == "__main__":
    sys.exit(main())

"""`ssd compare`: evaluations side by side."""

import argparse
import pathlib
import sys
from typing import Any

from ssd.arguments import existing_file, existing_folder, new_file, whole_number

ABOUT = "Compare evaluations photo by photo: differences, how sure they are, who finds what."


def add(commands: Any) -> argparse.ArgumentParser:
    """Add the command.

    Args:
        commands: What `Parser.add_subparsers` returned.

    Returns:
        The command's own parser.
    """
    made = commands.add_parser("compare", help=ABOUT, description=ABOUT)
    made.add_argument(
        "files",
        type=existing_file("an evaluation's JSON file"),
        nargs="+",
        help="JSON files of ssd evaluate --json, the one to hold others against first; "
        "and of python -m benchmarks.latency --json",
    )
    made.add_argument(
        "--sheet", type=new_file, help="PNG file for faces that one finds and the other misses"
    )
    made.add_argument(
        "--photos",
        type=existing_folder("a folder of photos"),
        help="folder of the photos, if they are not where they were",
    )
    made.add_argument(
        "--samples", type=whole_number(), default=1000, help="draws of the bootstrap (1000)"
    )
    made.add_argument("--seed", type=whole_number(0), default=0, help="of the draws (0)")
    return made


def run(options: argparse.Namespace) -> None:
    """Do what was asked for.

    Args:
        options: What `add`'s parser made of the command line.

    Raises:
        ValueError: If a file is no evaluation, or fewer than two share a photo.
    """
    from ssd.metrics.comparing import compare, draw_sheet

    files: list[pathlib.Path] = options.files
    result = compare(files, photos=options.photos, samples=options.samples, seed=options.seed)
    for line in result.problems:
        print(f"{options.prog}: {line}", file=sys.stderr)
    print(result)
    if options.sheet:
        draw_sheet(result, options.sheet)
        print(f"sheet: {options.sheet}")

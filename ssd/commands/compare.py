"""`ssd compare`: evaluations side by side."""

import argparse
import pathlib

from ssd.arguments import Command, complain, existing_file, existing_folder, whole_number
from ssd.outputs import DRAWING


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "files",
        type=existing_file("an evaluation's JSON file"),
        nargs="+",
        help="JSON files of ssd evaluate --json, the one to hold others against first; "
        "and of python -m benchmarks.latency --json",
    )
    parser.add_argument(
        "--sheet", type=DRAWING, help="PNG file for faces that one finds and the other misses"
    )
    parser.add_argument(
        "--photos",
        type=existing_folder("a folder of photos"),
        help="folder of the photos, if they are not where they were",
    )
    parser.add_argument(
        "--samples", type=whole_number(), default=1000, help="draws of the bootstrap (1000)"
    )
    parser.add_argument("--seed", type=whole_number(0), default=0, help="of the draws (0)")


def _run(options: argparse.Namespace) -> None:
    from ssd.metrics.comparing import compare, draw_sheet

    files: list[pathlib.Path] = options.files
    result = compare(files, photos=options.photos, samples=options.samples, seed=options.seed)
    for line in result.problems:
        complain(options.prog, line)
    print(result)
    if options.sheet:
        draw_sheet(result, options.sheet)
        print(f"sheet: {options.sheet}")


COMMAND = Command(
    "compare",
    "Compare evaluations photo by photo: differences, how sure they are, who finds what.",
    _add_arguments,
    _run,
)

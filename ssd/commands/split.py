"""`ssd split`: labels to train on and labels to judge by."""

import argparse
import pathlib

from ssd.arguments import Command, existing_folder, number, whole_number
from ssd.quiet import import_tensorflow


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "labels", type=existing_folder("a folder of labels"), help="folder of labels"
    )
    parser.add_argument("train", type=pathlib.Path, help="folder for those to train on")
    parser.add_argument("validation", type=pathlib.Path, help="folder for those to judge by")
    parser.add_argument(
        "--share", type=number(0, 1), default=0.1, help="share of photos to judge by (0.1)"
    )
    parser.add_argument("--seed", type=whole_number(0), default=0, help="another splits anew (0)")
    parser.add_argument(
        "--group",
        metavar="PATTERN",
        help="regular expression: photos in whose names it fits the same text stay together",
    )


def _run(options: argparse.Namespace) -> None:
    import_tensorflow()
    from ssd.data.splitting import split

    written = split(
        options.labels,
        options.train,
        options.validation,
        share=options.share,
        seed=options.seed,
        pattern=options.group,
    )
    for folder, counts in zip((options.train, options.validation), written, strict=True):
        print(f"{folder}: {counts['photos']} photos, {counts['boxes']} boxes")


COMMAND = Command(
    "split",
    "Split labels into some to train on and some to judge by.",
    _add_arguments,
    _run,
)

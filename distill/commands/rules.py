"""The options of commands that put raters to the vote."""

import argparse
import dataclasses

from distill.votes.rules import Rules
from ssd.arguments import number

DEFAULT = {field.name: field.default for field in dataclasses.fields(Rules)}


def add_rules(parser: argparse.ArgumentParser) -> None:
    """Gives a parser the fields of `Rules`, each with its default.

    Args:
        parser: A parser.

    Example:
        >>> parser = argparse.ArgumentParser()
        >>> add_rules(parser)
        >>> read_rules(parser.parse_args(["--trusted-score", "0.5"]))
        Rules(iou_threshold=0.45, min_score_alone=0.6, trusted_score=0.5)
    """
    for field, metavar, what in (
        ("iou_threshold", "IOU", "least IoU of two boxes of one face"),
        ("min_score_alone", "SCORE", "least score of a region that too few see"),
        ("trusted_score", "SCORE", "least score at which the word of --keep suffices"),
    ):
        parser.add_argument(
            f"--{field.replace('_', '-')}",
            metavar=metavar,
            type=number(0, 1),
            default=DEFAULT[field],
            help=f"{what} (default {DEFAULT[field]})",
        )


def read_rules(options: argparse.Namespace) -> Rules:
    """The rules that a command line asks for.

    Args:
        options: What a parser made of it, to which `add_rules` was applied.

    Returns:
        `Rules`.

    Example:
        >>> read_rules(argparse.Namespace(**DEFAULT)) == Rules()
        True
    """
    return Rules(**{field: getattr(options, field) for field in DEFAULT})

"""The options of commands that hold a model against labels by people."""

import argparse

from ssd.arguments import number


def add_judged(parser: argparse.ArgumentParser) -> None:
    """Gives a parser what decides which faces count.

    Args:
        parser: A parser.

    Example:
        >>> parser = argparse.ArgumentParser()
        >>> add_judged(parser)
        >>> parser.parse_args(["--rule", "scorer"])
        Namespace(min_height=0.0, rule='scorer')
    """
    parser.add_argument(
        "--min-height",
        type=number(0, 1),
        default=0.0,
        help="ignore faces whose height is less than this share of the photo's long side (0)",
    )
    parser.add_argument(
        "--rule",
        choices=("coco", "scorer"),
        default="coco",
        help="what is ignored: COCO's rule, or that of a scorer for which ignored faces take in "
        "what lies half inside (coco)",
    )

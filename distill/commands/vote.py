"""`distill vote`: what several people say of photos or crops, put to the vote."""

import argparse
import pathlib

from distill.votes.rules import Rules
from ssd.arguments import Command, existing_file, number, whole_number
from ssd.outputs import OutputFile

LEAST = 2


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    written = OutputFile(replaces=_is_outcome)  # what people said stays: OUT may be forgotten
    parser.add_argument(
        "files",
        metavar="FILE",
        nargs="+",
        type=existing_file("a file of ratings"),
        help="CSV files: photo, box (ymin xmin ymax xmax, or empty), class, rater",
    )
    parser.add_argument(
        "out", metavar="OUT", type=written, help="CSV file for what most of them say"
    )
    parser.add_argument(
        "--disputed",
        metavar="FILE",
        type=written,
        help="CSV file for what they do not agree on, for one more person to see",
    )
    parser.add_argument(
        "--least",
        metavar="N",
        type=whole_number(),
        default=LEAST,
        help=f"leave out photos that fewer people rated (default {LEAST})",
    )
    parser.add_argument(
        "--iou-threshold",
        metavar="SHARE",
        type=number(0, 1),
        default=Rules.iou_threshold,
        help=f"least IoU of two boxes of one thing (default {Rules.iou_threshold})",
    )


def _run(options: argparse.Namespace) -> None:
    from distill.people.report import people_report
    from distill.people.voting import disputed, judge, outcome
    from ssd.photos.ratings import read_ratings, write_ratings

    written = [path for path in (options.out, options.disputed) if path is not None]
    ratings = read_ratings(options.files)
    judged = judge(ratings, least=options.least, iou_threshold=options.iou_threshold)
    photos = len({rating.photo for rating in ratings})
    left_out = photos - len({each.photo for each in judged})
    if not judged:
        raise ValueError(
            f"wanted photos that {options.least} people rated (--least), none of {photos:,} is one"
        )
    write_ratings(options.out, outcome(judged))
    if options.disputed is not None:
        write_ratings(options.disputed, disputed(judged))
    print(people_report(judged))
    if left_out:
        print(f"{left_out:,} photos left out that fewer than {options.least} people rated")
    print(f"written: {', '.join(map(str, written))}")


def _is_outcome(path: pathlib.Path) -> bool:
    from distill.people.voting import VOTE
    from ssd.photos.ratings import read_ratings

    try:
        return all(rating.rater == VOTE for rating in read_ratings([path]))
    except ValueError:  # no ratings at all
        return False


COMMAND = Command(
    "vote",
    "put what several people say of photos or crops to the vote, and say what it is worth",
    _add_arguments,
    _run,
)

"""`distill join`: what people said of photos, joined by name with labels of where faces are."""

import argparse
import pathlib

from ssd.arguments import Command, complain, existing_file, existing_folder, mapping
from ssd.quiet import import_tensorflow


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "labels",
        metavar="LABELS",
        type=existing_folder("a folder of labels"),
        help="folder of labels that say where faces are",
    )
    parser.add_argument(
        "ratings",
        metavar="FILE",
        nargs="+",
        type=existing_file("a file of ratings"),
        help="CSV files: photo, class, and where a box is meant, box (on the unit square)",
    )
    parser.add_argument(
        "out", metavar="OUT", type=pathlib.Path, help="folder for the labels, new or of the same"
    )
    parser.add_argument(
        "--classes", required=True, help="names of the classes, separated by commas: face,smile"
    )
    parser.add_argument(
        "--map",
        type=mapping,
        default={},
        metavar="NAME=CLASS,...",
        help="what the ratings call a class, or what is to be `ignore`, `background` or `unknown`",
    )


def _run(options: argparse.Namespace) -> None:
    import_tensorflow()
    from distill.people.joining import join

    joined = join(
        options.labels,
        options.ratings,
        options.out,
        class_names=options.classes.split(","),
        mapping=options.map,
    )
    if joined.strange:
        complain(
            options.prog,
            f"{len(joined.strange):,} rated photos are not among the labels, "
            f"the first {joined.strange[0]!r}",
        )
    print(
        f"{joined.photos:,} photos, {joined.rated:,} of them rated, {joined.left_out:,} left out "
        "on which nobody knows the place of a face"
    )


COMMAND = Command(
    "join",
    "give labels the classes that people gave their photos",
    _add_arguments,
    _run,
)

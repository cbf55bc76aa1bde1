"""`distill combine`: several folders of labels of the same photos, put to the vote."""

import argparse
import pathlib

from distill.commands.rules import add_rules, read_rules
from ssd.arguments import Command, existing_folder, whole_number
from ssd.quiet import import_tensorflow

SHARD_PHOTOS = 256


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    labels = existing_folder("a folder of labels")
    parser.add_argument(
        "folders",
        metavar="FOLDER",
        nargs="+",
        type=labels,
        help="two or more folders of labels of the same photos, in any order",
    )
    parser.add_argument(
        "out", metavar="OUT", type=pathlib.Path, help="folder for the labels, new or of the same"
    )
    parser.add_argument(
        "--keep",
        metavar="FOLDER",
        action="append",
        default=[],
        type=labels,
        help="a folder whose word alone makes a face, where it is sure; may be given several times",
    )
    parser.add_argument(
        "--geometry",
        metavar="FOLDER",
        type=labels,
        help="the folder that says where a face ends, if it has it (the mean of all)",
    )
    add_rules(parser)
    parser.add_argument(
        "--shard-photos",
        metavar="N",
        type=whole_number(),
        default=SHARD_PHOTOS,
        help=f"photos to a shard (default {SHARD_PHOTOS})",
    )


def _run(options: argparse.Namespace) -> None:
    if len(options.folders) < 2:
        options.refuse("wanted two or more folders of labels, and OUT")
    rules = read_rules(options)
    import_tensorflow()
    from distill.reporting import Reporter, comparison_lines
    from distill.votes.combining import combine
    from ssd.data import manifest

    with Reporter() as report:
        counts = combine(
            options.folders,
            options.out,
            kept=options.keep,
            geometry=options.geometry,
            rules=rules,
            shard_photos=options.shard_photos,
            progress=report,
        )
    print(
        f"{counts['photos']:,} photos of {len(options.folders)} raters, "
        f"{counts['boxes']:,} faces, {counts['ignored']:,} regions to ignore, "
        f"{counts['left_out']:,} photos left out that not all have"
    )
    print("\n".join(comparison_lines(manifest.read(options.out)["comparison"])))


COMMAND = Command(
    "combine",
    "put folders of labels of the same photos to the vote",
    _add_arguments,
    _run,
)

"""`distill combine`: several folders of labels of the same photos, put to the vote."""

import argparse
import dataclasses
import pathlib

from distill.rules import Rules
from ssd.arguments import Command, existing_folder, number, whole_number
from ssd.quiet import import_tensorflow

RULES = {field.name: field.default for field in dataclasses.fields(Rules)}
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
    for field, what in (
        ("iou_threshold", "least IoU of two boxes of one face"),
        ("min_score_alone", "least score of what too few see, to be a region to ignore"),
        ("trusted_score", "least score at which the word of --keep suffices"),
    ):
        parser.add_argument(
            f"--{field.replace('_', '-')}",
            metavar="SHARE" if field == "iou_threshold" else "SCORE",
            type=number(0, 1),
            default=RULES[field],
            help=f"{what} (default {RULES[field]})",
        )
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
    rules = Rules(**{field: getattr(options, field) for field in RULES})
    import_tensorflow()
    from distill.combining import combine
    from distill.reporting import Reporter, comparison_lines
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

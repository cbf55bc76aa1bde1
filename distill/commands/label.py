"""`distill PHOTOS… OUT`: folders of photos labeled, and the page to check labels on."""

import argparse
import dataclasses
import functools
import pathlib
import sys
import time
from typing import Any

from distill.commands.rules import add_rules, read_rules
from distill.options import FILES, LOOKS, TEACHERS, Options
from ssd.arguments import Command, existing_file, existing_folder, number, whole_number
from ssd.quiet import import_tensorflow, quietly

DEFAULT = {field.name: field.default for field in dataclasses.fields(Options)}


def _label(options: argparse.Namespace) -> None:
    rules = read_rules(options)
    with quietly():
        chosen = [_choose(options, name) for name in options.teacher or [Options.teacher]]
        remarks = [each.remark for each in chosen if each.remark]
    if remarks:
        print("\n".join(remarks), file=sys.stderr)
    import_tensorflow()
    from distill import engine
    from distill.labeling import label
    from distill.reporting import Reporter, comparison_lines, summary
    from distill.review import pages
    from distill.several import label_by_vote
    from ssd.data import manifest

    where = engine.local
    if options.engine == "ray":
        where = functools.partial(engine.cluster, address=options.address or "local")
    *photos, out = options.folders
    start = time.monotonic()
    with Reporter() as report:
        if len(chosen) == 1:
            counts = label(photos, out, chosen[0], engine=where, progress=report)
        else:
            called = {name: each.name for name, each in zip(options.teacher, chosen, strict=True)}
            counts = label_by_vote(
                photos,
                out,
                chosen,
                kept=[called.get(str(name), str(name)) for name in options.keep],
                geometry=called.get(options.geometry or "", options.geometry),
                rules=rules,
                engine=where,
                progress=report,
            )
    page = pages.write_page(out)
    print(summary(out, counts, time.monotonic() - start))
    if len(chosen) > 1:
        print("\n".join(comparison_lines(manifest.read(out)["comparison"])))
    print(f"to check labels on: {page}")


def _choose(options: argparse.Namespace, teacher: str) -> Options:
    given: dict[str, Any] = {field: getattr(options, field) for field in DEFAULT}
    given["teacher"] = teacher
    return Options(**given)


def _review(options: argparse.Namespace) -> None:
    import_tensorflow()
    from distill.review import marks, pages

    if options.marks:
        counts = marks.apply_marks(options.review, *options.marks)
        if len(options.marks) > 1:
            share = counts["disputed"] / max(1, counts["agreed"] + counts["disputed"])
            print(
                f"marks of {len(options.marks)} people: {counts['agreed']:,} on which most agree, "
                f"{counts['disputed']:,} ({100 * share:.1f} %) on which they do not and which "
                "become regions to ignore"
            )
        print(
            f"{counts['dropped_boxes']:,} boxes are dropped, {counts['drawn_boxes']:,} drawn, "
            f"{counts['moved_boxes']:,} moved, {counts['reclassed_boxes']:,} of another class, "
            f"{counts['ignored_photos']:,} photos ignored"
        )
    print(f"to check labels on: {pages.write_page(options.review)}")


def _run(options: argparse.Namespace) -> None:
    _check(options)
    (_review if options.review else _label)(options)


def _check(options: argparse.Namespace) -> None:
    """What no argument can say by itself."""
    if options.review and not options.folders:
        return
    if options.review or options.marks or len(options.folders) < 2:
        options.refuse("wanted PHOTOS and OUT, or --review OUT with or without --marks FILE")
    if options.address and options.engine != "ray":
        options.refuse("--address: wanted --engine ray with it")
    if len(options.teacher) < 2 and (options.keep or options.geometry):
        options.refuse("--keep, --geometry: wanted two or more --teacher with it")
    if len(options.teacher) > 1 and (options.label or options.ignore or options.teacher_side):
        options.refuse(
            "--label, --ignore, --teacher-side: wanted one --teacher with it; what a score means "
            "is the teacher's own (distill combine takes labels of several runs)"
        )
    for folder in options.folders[:-1]:
        existing_folder("a folder of photos")(str(folder))


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    forms = ("[options] PHOTOS [PHOTOS ...] OUT", "--review OUT [--marks FILE ...]")
    parser.usage = "\n       ".join(f"{parser.prog} {form}" for form in forms)
    parser.add_argument(
        "folders",
        metavar="PHOTOS OUT",
        nargs="*",
        type=pathlib.Path,
        help="folders of photos, searched recursively; and for the labels, new or of the same run",
    )
    parser.add_argument(
        "--review",
        metavar="OUT",
        type=existing_folder("a folder of labels"),
        help="label nothing; write OUT/review.html, to check labels on",
    )
    parser.add_argument(
        "--marks",
        metavar="FILE",
        nargs="+",
        type=existing_file("a file of marks"),
        help="with --review: first take in marks that the page saved; files of several people are "
        "put to the vote",
    )
    _add_options(parser)
    _add_engines(parser)


def _add_options(parser: argparse.ArgumentParser) -> None:
    """The fields of `Options`, each with its default, and who has the last word."""
    parser.add_argument(
        "--teacher",
        metavar="NAME",
        action="append",
        default=[],
        help=f"who says where faces are: {', '.join(TEACHERS)}, a model file "
        f"({', '.join(FILES)}) or one of your own, MODULE:FUNCTION (default {DEFAULT['teacher']}); "
        "of several, given one by one, a majority decides",
    )
    parser.add_argument(
        "--keep",
        metavar="NAME",
        action="append",
        default=[],
        help="of several teachers: one whose word alone makes a face, where it is sure",
    )
    parser.add_argument(
        "--geometry",
        metavar="NAME",
        help="of several teachers: the one that says where a face ends (the mean of all)",
    )
    add_rules(parser)
    for flag, parse, metavar, text in (
        (
            "--teacher-side",
            whole_number(),
            "PX",
            "long side at which the teacher sees photos, where "
            "it lets one choose (centerface: 640)",
        ),
        (
            "--label",
            number(0, 1),
            "SCORE",
            "least score of a face to learn (default 0.95; centerface: 0.5)",
        ),
        (
            "--ignore",
            number(0, 1),
            "SCORE",
            "least score of a region neither face nor background (default 0.6; centerface: 0.3)",
        ),
        (
            *("--min-face", whole_number(12), "PX"),
            "side of the smallest face, in pixels of the stored photo",
        ),
        (
            *("--max-side", whole_number(12), "PX"),
            "longest side of a stored photo; larger ones are scaled down",
        ),
        ("--max-pixels", whole_number(), "N", "photos of more pixels are refused"),
        ("--shard-photos", whole_number(), "N", "photos to a shard"),
    ):
        default = DEFAULT[flag[2:].replace("-", "_")]
        told = f"{text} (default {default})" if default else text  # else the teacher's own
        parser.add_argument(flag, type=parse, metavar=metavar, default=default, help=told)
    parser.add_argument(
        "--second-opinion",
        nargs="?",
        choices=[name for name in LOOKS if name],
        const="mirror",
        default=DEFAULT["second_opinion"],
        metavar="LOOK",
        help="look again at the mirrored photo (mirror), at a smaller one (scale) or both; "
        "faces that one look misses become regions to ignore (mirror if no LOOK is named)",
    )


def _add_engines(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--engine",
        choices=("local", "ray"),
        default="local",
        help="where the work is done: in this process (default) or on a Ray cluster",
    )
    parser.add_argument(
        "--address",
        metavar="HOST:PORT",
        help="with --engine ray: a running cluster to join; without it, one is started here",
    )


COMMAND = Command(
    "",
    "Labels the faces on every photo of some folders with a teacher (MTCNN). "
    "Stopped in any way, the same command goes on where it was.",
    _add_arguments,
    _run,
)

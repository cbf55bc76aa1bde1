"""`distill audit`: how many labels are right, and how many faces have one."""

import argparse

from ssd.arguments import Command, existing_file, existing_folder, whole_number
from ssd.quiet import import_tensorflow

NUMBER, SEED = 300, 0


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "out",
        metavar="OUT",
        type=existing_folder("a folder of labels"),
        help="folder of labels; the page is written into it",
    )
    parser.add_argument(
        *("-n", "--number"),
        metavar="N",
        type=whole_number(),
        help="labels to draw; with them come a quarter as many regions to ignore, "
        f"and photos without a label (default {NUMBER})",
    )
    parser.add_argument(
        "--seed",
        type=whole_number(0),
        metavar="N",
        help=f"another one draws others (default {SEED})",
    )
    parser.add_argument(
        "--raters",
        type=whole_number(),
        metavar="N",
        help="how many people judge the same sample, each on a page of their own (default 1)",
    )
    parser.add_argument(
        "--answers",
        metavar="FILE",
        nargs="+",
        type=existing_file("a file of answers"),
        help="what the page saved, one file a person: print precision and recall",
    )


def _run(options: argparse.Namespace) -> None:
    (_report if options.answers else _draw)(options)


def _report(options: argparse.Namespace) -> None:
    if options.number is not None or options.seed is not None:
        options.refuse("wanted --answers, or --number and --seed to draw; got both")
    if options.raters not in (None, len(options.answers)):
        options.refuse(f"--raters: wanted {options.raters} files, got {len(options.answers)}")
    from distill.audit.files import read_answers
    from distill.audit.report import report

    print(report(*read_answers(options.out, options.answers)))


def _draw(options: argparse.Namespace) -> None:
    import_tensorflow()
    from distill.audit.auditing import draw
    from distill.audit.files import write_sample
    from distill.audit.page import write_audit_page

    number = NUMBER if options.number is None else options.number
    sample = draw(options.out, number=number, seed=options.seed or SEED)
    write_sample(options.out, sample)
    kinds = [item["kind"] for item in sample["items"]]
    print(
        f"{kinds.count('label'):,} labels, {kinds.count('region'):,} regions to ignore and "
        f"{kinds.count('empty'):,} photos without a label to judge"
    )
    names = [("audit.html", "answers.json")]
    if (options.raters or 1) > 1:
        names = [(f"audit-{i + 1}.html", f"answers-{i + 1}.json") for i in range(options.raters)]
    for page, answers in names:
        print(f"on: {write_audit_page(options.out, sample, name=page, answers=answers)}")
    files = " ".join(answers for _, answers in names)
    print(f"then: {options.prog} {options.out} --answers {files}")


COMMAND = Command(
    "audit",
    "judge a random sample of labels: precision and recall, with 95 % intervals",
    _add_arguments,
    _run,
)

"""`ssd evaluate`: how good a model is."""

import argparse
import contextlib
import sys
from collections.abc import Callable, Iterator, Sequence

from ssd.arguments import (
    Command,
    complain,
    existing_file,
    existing_folder,
    existing_model,
    mapping,
    number,
    whole_number,
)
from ssd.commands.judged import add_judged
from ssd.outputs import DRAWING, OutputFile, is_json_of

# What the protocols of WIDER and FDDB leave no choice of, and what it is unless asked for.
_OF_COCO = {
    "json": None,
    "report": None,
    "min_height": 0.0,
    "rule": "coco",
    "false_positives": 0.1,
    "score_threshold": None,
    "at_precision": None,
    "map": None,
}


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "model",
        type=existing_model,
        help=".tflite, .onnx or .keras file; face or smile, which ship",
    )
    parser.add_argument(
        "photos", type=existing_folder("a folder of photos"), help="folder of photos"
    )
    parser.add_argument(
        "truth",
        type=existing_file("a COCO JSON file"),
        nargs="?",
        help="COCO JSON file; not needed with --wider or --fddb",
    )
    parser.add_argument(
        "--wider",
        type=existing_folder("a folder of WIDER's evaluation"),
        help="instead, WIDER's protocol: folder of wider_face_val.mat and the three levels",
    )
    parser.add_argument(
        "--fddb",
        type=existing_folder("a folder of FDDB's folds"),
        help="instead, FDDB's protocol: folder of FDDB-fold-*-ellipseList.txt",
    )
    add_judged(parser)
    parser.add_argument(
        "--false-positives",
        type=number(0),
        default=0.1,
        help="false positives per photo at which precision and recall are read (0.1)",
    )
    parser.add_argument(
        "--score-threshold",
        type=number(0, 1),
        help="read precision and recall at this score instead",
    )
    parser.add_argument(
        "--at-precision", type=number(0, 1), help="also say the recall at this precision"
    )
    parser.add_argument(
        "--map",
        type=mapping,
        help="classes of the model for other names in the truth: with_mask=face,without_mask=face; "
        "a class of the model's counts as another: smile=face",
    )
    parser.add_argument(
        "--score-floor", type=number(0, 1), default=0.001, help="least score judged (0.001)"
    )
    parser.add_argument(
        "--max-detections", type=whole_number(), default=300, help="boxes judged per photo (300)"
    )
    parser.add_argument(
        "--suppression",
        choices=("vote", "nms"),
        default="vote",
        help="of boxes that overlap: vote (default), or nms as in a file of ssd export --boxes",
    )
    parser.add_argument("--report", type=DRAWING, help="PNG file for curves and mistakes")
    parser.add_argument(
        "--json",
        type=OutputFile(replaces=is_json_of("evaluation")),
        help="JSON file for figures and every match, for ssd compare",
    )
    parser.add_argument(
        "--threads", type=whole_number(), default=1, help="threads of the runtime (1)"
    )


def _run(options: argparse.Namespace) -> None:
    if sum(each is not None for each in (options.truth, options.wider, options.fddb)) != 1:
        options.refuse("wanted one of TRUTH, --wider and --fddb")
    if options.truth is None:
        others = [name for name, value in _OF_COCO.items() if getattr(options, name) != value]
        if others:
            names = ", ".join(f"--{name.replace('_', '-')}" for name in others)
            options.refuse(f"{names}: wanted TRUTH, a protocol has its own rules")
        return _run_protocol(options)
    from ssd.metrics.evaluation import evaluate
    from ssd.opening import Detector

    detector = Detector(options.model, threads=options.threads, suppression=options.suppression)
    with _bar() as progress:
        result = evaluate(
            detector,
            options.photos,
            options.truth,
            min_height=options.min_height,
            false_positives_per_image=options.false_positives,
            score_threshold=options.score_threshold,
            at_precision=options.at_precision,
            rule=options.rule,
            class_map=options.map,
            score_floor=options.score_floor,
            max_detections=options.max_detections,
            progress=progress,
        )
    for line in _first(result.run.problems):
        complain(options.prog, line)
    print(result)
    if options.json:
        from ssd.metrics.saving import write_evaluation

        write_evaluation(result, options.json)
        print(f"figures and matches: {options.json}")
    if options.report:
        from ssd.metrics.report import draw_report

        draw_report(result, options.report)
        print(f"report: {options.report}")


def _run_protocol(options: argparse.Namespace) -> None:
    """Figures as another benchmark's own code gives them."""
    from ssd.metrics.fddb import evaluate_fddb
    from ssd.metrics.wider import evaluate_wider
    from ssd.opening import Detector

    detector = Detector(options.model, threads=options.threads, suppression=options.suppression)
    evaluate = evaluate_wider if options.wider else evaluate_fddb
    with _bar() as progress:
        figures = evaluate(
            detector,
            options.photos,
            options.wider or options.fddb,
            score_floor=options.score_floor,
            max_detections=options.max_detections,
            progress=progress,
        )
    print(figures)


def _first(lines: Sequence[str], most: int = 10) -> Iterator[str]:
    """As many lines as a person reads, and how many there are besides."""
    yield from lines[:most]
    if len(lines) > most:
        yield f"and {len(lines) - most} more lines of this kind"


@contextlib.contextmanager
def _bar() -> Iterator[Callable[[int, int], None] | None]:
    """A `progress(done, total)` that draws a bar; None where nobody looks, or without tqdm."""
    try:
        from tqdm import tqdm
    except ImportError:
        yield None
        return
    with tqdm(unit="photo", disable=not sys.stderr.isatty()) as bar:

        def progress(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        yield progress


COMMAND = Command(
    "evaluate",
    "Measure a model against labels in COCO format.",
    _add_arguments,
    _run,
)

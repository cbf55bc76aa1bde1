"""`ssd evaluate`: how good a model is."""

import argparse
import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import Any

from ssd.arguments import existing_file, existing_folder, new_file, number, whole_number

ABOUT = "Measure a model against labels in COCO format."


def add(commands: Any) -> argparse.ArgumentParser:
    """Add the command.

    Args:
        commands: What `Parser.add_subparsers` returned.

    Returns:
        The command's own parser.
    """
    made = commands.add_parser("evaluate", help=ABOUT, description=ABOUT)
    made.add_argument("model", type=existing_file("a .tflite model file"), help=".tflite file")
    made.add_argument("photos", type=existing_folder("a folder of photos"), help="folder of photos")
    made.add_argument("truth", type=existing_file("a COCO JSON file"), help="COCO JSON file")
    made.add_argument(
        "--min-height",
        type=number(0, 1),
        default=0.0,
        help="ignore faces whose height is less than this share of the photo's long side (0)",
    )
    made.add_argument("--report", type=new_file, help="PNG file for curves and mistakes")
    made.add_argument(
        "--threads", type=whole_number(), default=1, help="threads of the runtime (1)"
    )
    return made


def run(options: argparse.Namespace) -> None:
    """Do what was asked for.

    Args:
        options: What `add`'s parser made of the command line.

    Raises:
        ValueError: If the model, the truth or a photo is none.
    """
    from ssd.detect.detector import Detector
    from ssd.metrics.evaluation import evaluate_results, run_detector

    detector = Detector(options.model, threads=options.threads)
    with _bar() as progress:
        results = run_detector(detector, options.photos, options.truth, progress=progress)
    print(evaluate_results(results, min_height=options.min_height))
    if options.report:
        from ssd.metrics.report import draw_report

        draw_report(results, options.report, min_height=options.min_height)
        print(f"report: {options.report}")


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

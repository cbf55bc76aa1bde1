"""`python -m benchmarks.peers`: this detector beside MTCNN, in one run on one core.

Prints the rows of README's table that can be measured where this project is installed: size of
the files, milliseconds from a photo to boxes, and, with labeled photos, average precision and
recall. Times of two machines cannot be compared; their ratio to MTCNN's on each machine can.
"""

import argparse
import functools
import importlib.util
import os
import pathlib
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

# Threads that wait for work in a loop would take the one core from those that have some.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from PIL import Image

import ssd
from benchmarks import board, cores
from benchmarks.options import positive

FRAME = (480, 640)
# Heights of the five heads in the frame, and where their top left corners are.
HEADS = ((200, 20, 20), (140, 40, 240), (100, 30, 400), (80, 300, 60), (60, 320, 300))
# Grace Hopper's head in the portrait that matplotlib ships: left, top, right, bottom.
_HEAD = (140, 10, 380, 350)
FLOOR = 0.3  # least score of MTCNN's faces: a curve needs those in doubt, too
SMALLEST = 16 / 320  # faces less high than this share of the long side are not asked for


class Row(NamedTuple):
    """What was measured of one detector.

    Attributes:
        name: What it is.
        kilobytes: Size of its files.
        milliseconds: From a photo to boxes on one core, the fastest of several calls.
        ap: Average precision at an IoU of 0.5; None if no labeled photos were given.
        recall: Recall at 0.1 false positives a photo; None likewise.

    Example:
        >>> Row("this one", kilobytes=356, milliseconds=2.9).ap is None
        True
    """

    name: str
    kilobytes: float
    milliseconds: float
    ap: float | None = None
    recall: float | None = None


def frame() -> np.ndarray:
    """A camera's frame with five faces: one portrait that matplotlib ships, in five sizes.

    Returns:
        uint8 [480, 640, 3], RGB.

    Example:
        >>> frame().shape
        (480, 640, 3)
    """
    import matplotlib.cbook

    portrait = matplotlib.cbook.get_sample_data("grace_hopper.jpg", asfileobj=False)
    head = Image.fromarray(ssd.read_photo(portrait)).crop(_HEAD)
    scene = Image.new("RGB", (FRAME[1], FRAME[0]), (120, 130, 140))
    for height, top, left in HEADS:
        width = round(height * head.width / head.height)
        scene.paste(head.resize((width, height)), (left, top))
    return np.asarray(scene)


def mtcnn(photo: np.ndarray, *, score_threshold: float = 0.5, side: int = 320) -> ssd.Detections:
    """What the package `mtcnn` finds, called as an `ssd.Detector` is.

    Args:
        photo: uint8 [height, width, 3], RGB.
        score_threshold: Least score; below 0.3 nothing is found.
        side: Long side that the photo is scaled to before, in pixels.

    Returns:
        `ssd.Detections`, pixels of the photo.

    Example:
        >>> len(mtcnn(np.zeros((60, 80, 3), np.uint8)))
        0
    """
    from distill import mtcnn_package

    height, width = photo.shape[:2]
    scale = side / max(height, width)
    size = (round(width * scale), round(height * scale))
    small = np.asarray(Image.fromarray(photo).resize(size, Image.Resampling.BILINEAR))
    found = mtcnn_package([small], floor=max(FLOOR, score_threshold))[0]
    boxes = found.boxes * np.array([height / size[1], width / size[0]] * 2, np.float32)
    return ssd.Detections(boxes, found.scores, np.ones(len(boxes), int))


def milliseconds(
    detectors: dict[str, Callable[[np.ndarray], Any]], photo: np.ndarray, rounds: int
) -> dict[str, float]:
    """Milliseconds that each detector takes for a photo: the fastest call of several.

    They take turns, so that all share the ups and downs of the clock. The fastest call is the
    one that other work on the machine disturbed least.

    Args:
        detectors: Functions of a photo, by name.
        photo: uint8 [height, width, 3].
        rounds: Calls of each that count; two go before.

    Returns:
        Milliseconds by name.

    Example:
        >>> times = milliseconds({"nobody": lambda photo: None}, frame(), 3)
        >>> times["nobody"] < 1
        True
    """
    taken: dict[str, list[float]] = {name: [] for name in detectors}
    for _ in range(rounds + 2):
        for name, detector in detectors.items():
            start = time.perf_counter()
            detector(photo)
            taken[name].append(time.perf_counter() - start)
    return {name: min(each[2:]) * 1e3 for name, each in taken.items()}


def table(rows: Sequence[Row], base: str) -> str:
    """The rows as lines of README's table.

    Args:
        rows: What was measured.
        base: Name of the row whose time is 1.

    Returns:
        Lines of Markdown.

    Example:
        >>> print(table([Row("a", 300, 2), Row("b", 2000, 50, 0.9, 0.8)], base="b"))
        | a | 300 | 2.0 | 0.040 | | |
        | b | 2,000 | 50 | 1 | 0.900 | 0.800 |
    """
    one = next(row.milliseconds for row in rows if row.name == base)
    lines = []
    for row in rows:
        took = f"{row.milliseconds:.1f}" if row.milliseconds < 10 else f"{row.milliseconds:.0f}"
        share = "1" if row.name == base else f"{row.milliseconds / one:.3f}"
        judged = ["" if value is None else f"{value:.3f}" for value in (row.ap, row.recall)]
        cells = [row.name, f"{row.kilobytes:,.0f}", took, share, *judged]
        lines.append("| " + " | ".join(cells).replace("|  ", "| ") + " |")
    return "\n".join(lines).replace("|  |", "| |")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print.

    Args:
        arguments: What was typed; by default those of the process.

    Returns:
        The exit status: 0 when all is done.
    """
    options = _parser().parse_args(arguments)
    if (options.photos is None) != (options.truth is None):
        print("peers: --photos and --truth: wanted both or none", file=sys.stderr)
        return 2
    try:
        rows = list(_measured(options))
    except (ImportError, OSError, ValueError) as error:
        print(f"peers: {error}", file=sys.stderr)
        return 1
    machine = board.describe()
    print(f"{machine['name']}, one core; frame of {FRAME[1]}x{FRAME[0]} with five faces")
    print("| detector | KB | ms | of MTCNN's | AP | recall |\n|---|---:|---:|---:|---:|---:|")
    print(table(rows, base="MTCNN at 320"))
    return 0


def _measured(options: argparse.Namespace) -> Iterator[Row]:
    detector = ssd.Detector(options.model)
    at_640 = functools.partial(mtcnn, side=640)
    path = pathlib.Path(str(detector.path))
    names = {path.name: detector, "MTCNN at 320": mtcnn, "MTCNN at 640": at_640}
    weights = _size(*(_mtcnn_folder() / "assets" / "weights").iterdir())
    with cores.confined(1):
        times = milliseconds(names, frame(), options.rounds)
    for name, each in names.items():
        size = _size(path) if each is detector else weights
        judged: tuple[float, ...] = ()
        if options.truth and each is not at_640:
            found = ssd.evaluate(
                each, options.photos, options.truth, min_height=SMALLEST, rule="scorer"
            )
            judged = (found.ap50, found.recall)
        yield Row(name, size, times[name], *judged)


def _mtcnn_folder() -> pathlib.Path:
    found = importlib.util.find_spec("mtcnn")
    if found is None or found.origin is None:
        raise ImportError("wanted the package mtcnn, which is not installed")
    return pathlib.Path(found.origin).parent


def _size(*paths: pathlib.Path) -> float:
    return sum(path.stat().st_size for path in paths) / 1000


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.peers", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--model", type=pathlib.Path, help=".tflite file (the one that ships)")
    count = positive(int, "positive integer")
    parser.add_argument("--rounds", type=count, default=30, help="calls of each to time (30)")
    parser.add_argument("--photos", type=pathlib.Path, help="folder of photos, for AP and recall")
    parser.add_argument("--truth", type=pathlib.Path, help="their boxes, a COCO JSON file")
    return parser


if __name__ == "__main__":
    sys.exit(main())

"""What share of people's boxes `ssd detect --blur` leaves unblurred, by score threshold.

    python -m benchmarks.blur PHOTOS TRUTH

The first row is of the model's own threshold.

A box is left unblurred where less than half of it is covered. A wrong place is a covered one that
lies to less than a tenth in a box or a region to ignore.
"""

import argparse
import pathlib
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

import ssd

THRESHOLDS = (0.3, 0.1, 0.02)  # beside the model's own


def shares(run: Any, least: float, min_height: float) -> tuple[int, int, int]:
    """What blurring leaves and what it covers for nothing.

    Args:
        run: What `ssd.run_detector` returned.
        least: Least score of what is blurred.
        min_height: Boxes of a smaller share of the photo's long side are not counted.

    Returns:
        (boxes by people, those left unblurred, wrong places).

    Example:
        >>> from types import SimpleNamespace
        >>> box = np.array([[10.0, 10, 30, 30], [50, 50, 70, 70]])
        >>> found = ssd.Detections(np.float32(box[:1]), np.float32([0.5]), np.array([1]))
        >>> photo = SimpleNamespace(
        ...     boxes=box, ignored=np.array([False] * 2), shape=(80, 80), found=found)
        >>> shares(SimpleNamespace(results=[photo]), 0.3, 0.0)
        (2, 1, 0)
    """
    total = left = wrong = 0
    for result in run.results:
        blurred = _covered(result.found, result.shape, least)
        tall = result.boxes[:, 2] - result.boxes[:, 0] >= min_height * max(result.shape)
        covered = np.array([_share(blurred, box) for box in result.boxes])
        counted = tall & ~result.ignored
        total += int(counted.sum())
        left += int((covered[counted] < 0.5).sum())
        known = np.zeros(result.shape, bool)
        for box in result.boxes:
            known[_slices(box)] = True
        for box, score in zip(result.found.boxes, result.found.scores, strict=True):
            wrong += bool(score >= least and _share(known, box) < 0.1)
    return total, left, wrong


def _covered(found: "ssd.Detections", shape: tuple[int, int], least: float) -> np.ndarray:
    """Which pixels of a photo are covered: those of a checkerboard that are gray afterwards."""
    chosen = found.scores >= least
    some = ssd.Detections(found.boxes[chosen], found.scores[chosen], found.class_ids[chosen])
    board = np.zeros((*shape, 3), np.uint8)
    board[np.indices(shape).sum(axis=0) % 2 == 1] = 255
    return (ssd.blur(board, some) % 255 != 0).any(axis=-1)


def _share(mask: np.ndarray, box: np.ndarray) -> float:
    inside = mask[_slices(box)]
    return float(inside.mean()) if inside.size else 0.0


def _slices(box: np.ndarray) -> tuple[slice, slice]:
    top, left, bottom, right = (max(0, round(float(edge))) for edge in box)
    return slice(top, bottom), slice(left, right)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print.

    Args:
        arguments: What was typed; by default those of the process.

    Returns:
        The exit status: 0 when all is done.
    """
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.blur", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("photos", type=pathlib.Path, help="folder of photos")
    parser.add_argument("truth", type=pathlib.Path, help="their boxes, a COCO JSON file")
    parser.add_argument("--model", type=pathlib.Path, help=".tflite file (the one that ships)")
    options = parser.parse_args(arguments)
    try:
        for line in _lines(options):
            print(line)
    except (OSError, ValueError) as error:
        print(f"blur: {error}", file=sys.stderr)
        return 1
    return 0


def _lines(options: argparse.Namespace) -> Iterator[str]:
    detector = ssd.Detector(options.model)
    thresholds = (round(detector.config.score_threshold, 3), *THRESHOLDS)
    run = ssd.run_detector(detector, options.photos, options.truth, score_floor=min(thresholds))
    yield f"{len(run.results)} photos"
    yield "| least score | boxes left unblurred | of 5 % of the long side or more | wrong places |"
    yield "|---:|---:|---:|---:|"
    for least in thresholds:
        total, left, wrong = shares(run, least, 0.0)
        tall, tall_left, _ = shares(run, least, 0.05)
        rate = wrong / max(len(run.results), 1)
        of_all, of_tall = left / max(total, 1), tall_left / max(tall, 1)
        yield (
            f"| {least} | {of_all:.1%} of {total:,} | {of_tall:.1%} of {tall:,} "
            f"| {rate:.2f} a photo |"
        )


if __name__ == "__main__":
    sys.exit(main())

"""How much a model finds of faces that are turned: AP at angles, of the same faces at each.

    python -m benchmarks.rotation PHOTOS TRUTH --model face.tflite

Of each photo the middle square is turned about its middle. What is not inside the square at every
angle is ignored at all of them, so a figure differs from another by the angle alone. What the new
box of a turned face is, `ssd.turn_boxes` says.
"""

import argparse
import dataclasses
import pathlib
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from PIL import Image

import ssd

ANGLES = (0, 15, 30, 45, 60, 90)


class Turned:
    """A detector that sees the middle square of a photo, turned.

    Args:
        detector: An `ssd.Detector`; what it is asked beside for photos, it answers.
        degrees: How far the square is turned, against the clock as seen.

    Example:
        >>> turned = Turned(ssd.Detector(), 90)
        >>> len(turned(np.zeros((48, 64, 3), np.uint8)))
        0
    """

    def __init__(self, detector: Any, degrees: float):
        self._detector, self._degrees = detector, degrees

    def __getattr__(self, name: str) -> Any:
        return getattr(self._detector, name)

    def __call__(self, photo: np.ndarray, **options: Any) -> "ssd.Detections":
        """Boxes in pixels of the turned square.

        Args:
            photo: uint8 [height, width, 3].
            **options: The detector's.

        Returns:
            What the detector finds.
        """
        top, left, side = middle_square(photo.shape[:2])
        square = Image.fromarray(photo[top : top + side, left : left + side])
        turned = square.rotate(self._degrees, Image.Resampling.BILINEAR)
        return self._detector(np.asarray(turned), **options)


def middle_square(shape: Sequence[int]) -> tuple[int, int, int]:
    """The largest square in the middle of a photo.

    Args:
        shape: Height and width in pixels.

    Returns:
        Its top, left and side.

    Example:
        >>> middle_square((480, 640))
        (0, 80, 480)
    """
    side = min(shape[:2])
    return (shape[0] - side) // 2, (shape[1] - side) // 2, side


def turned_truth(result: Any, degrees: float, *, min_height: float = 0.0) -> Any:
    """A photo's truth where `Turned` shows it.

    Args:
        result: Of `ssd.run_detector`.
        degrees: As for `Turned`.
        min_height: Height of a box, before it is turned, as a share of the square's side under
            which it is ignored.

    Returns:
        The same with other boxes and shape; faces that a turn may bring to the square's edge are
        ignored, and what is outside of it is gone.

    Example:
        >>> from collections import namedtuple
        >>> Result = namedtuple("Result", "shape boxes ignored class_ids")
        >>> box = np.array([[10.0, 60, 20, 70], [40, 60, 60, 80]])
        >>> result = Result((100, 140), box, np.zeros(2, bool), np.ones(2, int))
        >>> turned = turned_truth(result, 90)
        >>> turned.boxes.round().tolist()
        [[50.0, 10.0, 60.0, 20.0], [40.0, 40.0, 60.0, 60.0]]
    """
    top, left, side = middle_square(result.shape)
    boxes = np.asarray(result.boxes, float).reshape(-1, 4) - [top, left, top, left]
    # Farthest from the middle that a point of the ellipse in the box may be.
    centers, halves = (boxes[:, :2] + boxes[:, 2:]) / 2, (boxes[:, 2:] - boxes[:, :2]) / 2
    reach = np.linalg.norm(centers - side / 2, axis=1) + halves.max(axis=1, initial=0)
    small = 2 * halves[:, 0] < min_height * side
    ignored = result.ignored | (reach > side / 2) | small
    turned = ssd.turn_boxes(boxes, degrees, (side, side), whole=ignored).clip(0, side)
    inside = (turned[:, 2:] > turned[:, :2]).all(axis=1)
    return result._replace(
        shape=(side, side),
        boxes=turned[inside],
        class_ids=result.class_ids[inside],
        ignored=ignored[inside],
    )


def measure(
    detector: Any,
    photos: pathlib.Path,
    truth: pathlib.Path,
    *,
    angles: Sequence[float] = ANGLES,
    min_height: float = 0.0,
) -> Iterator[tuple[float, Any]]:
    """Figures at each angle.

    Args:
        detector: An `ssd.Detector`.
        photos: Folder of photos.
        truth: Their boxes, a COCO JSON file.
        angles: In degrees.
        min_height: As for `turned_truth`.

    Yields:
        Each angle with its `ssd.evaluate` figures.

    Example:
        >>> next(measure(ssd.Detector(), pathlib.Path("."), pathlib.Path("nowhere.json")))
        Traceback (most recent call last):
        FileNotFoundError: nowhere.json: wanted a text file, there is none
    """
    for degrees in angles:
        run = ssd.run_detector(Turned(detector, degrees), photos, truth)
        results = [turned_truth(each, degrees, min_height=min_height) for each in run.results]
        turned = dataclasses.replace(run, results=results)
        yield degrees, ssd.evaluate_run(turned)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print.

    Args:
        arguments: What was typed; by default those of the process.

    Returns:
        The exit status: 0 when all is done.
    """
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.rotation", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("photos", type=pathlib.Path, help="folder of photos")
    parser.add_argument("truth", type=pathlib.Path, help="their boxes, a COCO JSON file")
    parser.add_argument("--model", type=pathlib.Path, help=".tflite file (the one that ships)")
    parser.add_argument("--angles", type=float, nargs="+", default=ANGLES, help="in degrees")
    parser.add_argument(
        "--min-height", type=float, default=0.05, help="least share of the square's side (0.05)"
    )
    options = parser.parse_args(arguments)
    try:
        detector = ssd.Detector(options.model)
        print("| degrees | faces | AP50 |\n|---:|---:|---:|", flush=True)
        for degrees, figures in measure(
            detector,
            options.photos,
            options.truth,
            angles=options.angles,
            min_height=options.min_height,
        ):
            print(f"| {degrees:g} | {figures.faces} | {figures.ap50:.3f} |", flush=True)
    except (OSError, ValueError) as error:
        print(f"rotation: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

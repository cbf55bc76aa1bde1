"""`ssd detect`: a photo in, boxes out."""

import argparse
import pathlib
import sys
from typing import Any

from ssd.arguments import existing_file, number, whole_number

ABOUT = "Find faces: prints file, class, score, ymin xmin ymax xmax."


def add(commands: Any) -> argparse.ArgumentParser:
    """Add the command.

    Args:
        commands: What `Parser.add_subparsers` returned.

    Returns:
        The command's own parser.
    """
    made = commands.add_parser("detect", help=ABOUT, description=ABOUT)
    made.add_argument("photos", type=pathlib.Path, nargs="+", help="photos")
    made.add_argument(
        "--model",
        type=existing_file("a .tflite model file"),
        help=".tflite file (the one that ships)",
    )
    made.add_argument("--score-threshold", type=number(0, 1), default=0.5, help="least score (0.5)")
    made.add_argument(
        "--threads", type=whole_number(), default=1, help="threads of the runtime (1)"
    )
    made.add_argument("--out", type=pathlib.Path, help="folder for photos with boxes drawn in")
    return made


def run(options: argparse.Namespace) -> int:
    """Do what was asked for.

    Args:
        options: What `add`'s parser made of the command line.

    Returns:
        1 if one of the photos could not be read, otherwise 0.

    Raises:
        ValueError: If the model is none.
    """
    from ssd.detect.detector import Detector
    from ssd.detect.drawing import draw
    from ssd.photos.reading import read_photo, write_photo

    detector = Detector(options.model, threads=options.threads)
    status = 0
    for path in options.photos:
        try:
            photo = read_photo(path)
        except (ValueError, OSError) as error:
            print(f"{options.prog}: {error}", file=sys.stderr)
            status = 1
            continue
        found = detector(photo, score_threshold=options.score_threshold)
        for box, score, class_id in zip(*found, strict=True):
            edges = " ".join(f"{edge:.0f}" for edge in box)
            print(f"{path}\t{detector.config.classes[class_id - 1]}\t{score:.3f}\t{edges}")
        if options.out:
            options.out.mkdir(parents=True, exist_ok=True)
            write_photo(options.out / f"{path.stem}.png", draw(photo, found))
    return status

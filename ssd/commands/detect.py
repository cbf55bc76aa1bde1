"""`ssd detect`: a photo in, boxes out."""

import argparse
import pathlib
from collections.abc import Iterable

from ssd.arguments import Command, complain, existing_file, number, whole_number
from ssd.lines import printable


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("photos", type=pathlib.Path, nargs="+", help="photos")
    parser.add_argument(
        "--model",
        type=existing_file("a model file"),
        help=".tflite or .keras file (the one that ships)",
    )
    parser.add_argument(
        "--score-threshold", type=number(0, 1), help="least score (what the model's file says)"
    )
    parser.add_argument(
        "--threads", type=whole_number(), default=1, help="threads of the runtime (1)"
    )
    parser.add_argument(
        "--out",
        type=pathlib.Path,
        help="folder for pictures of the photos with boxes drawn in; nothing there is replaced",
    )


def _run(options: argparse.Namespace) -> int:
    pictures = _pictures(options.photos, options.out) if options.out else {}
    from ssd.detect.drawing import draw
    from ssd.opening import Detector
    from ssd.photos.reading import read_photo, write_photo

    detector = Detector(options.model, threads=options.threads)
    counts = []
    for index, path in enumerate(options.photos):
        try:
            photo = read_photo(path)
        except (ValueError, OSError) as error:
            complain(options.prog, error)
            continue
        found = detector(photo, score_threshold=options.score_threshold)
        counts.append(len(found))
        print(f"{printable(str(path))}: {_describe(found, detector.config.classes)}")
        if options.out:
            pictures[index].parent.mkdir(parents=True, exist_ok=True)
            write_photo(pictures[index], draw(photo, found))
    if len(options.photos) > 1:
        print(_summary(counts, len(options.photos)))
    return 0 if len(counts) == len(options.photos) else 1


def _describe(found: Iterable, class_names: tuple[str, ...]) -> str:
    """The boxes of one photo, best first: "2 found: face 0.99 at 1 2 3 4, face 0.71 at ..."."""
    boxes = [
        f"{class_names[class_id - 1]} {score:.2f} at {' '.join(f'{edge:.0f}' for edge in box)}"
        for box, score, class_id in zip(*found, strict=True)
    ]
    return f"{len(boxes)} found: {', '.join(boxes)}" if boxes else "nothing found"


def _summary(counts: list[int], photos: int) -> str:
    """What came of all photos; `counts` are the boxes found in each that could be read."""
    without, unread = counts.count(0), photos - len(counts)
    said = [f"{photos} photos: {sum(counts)} found"]
    said += [f"nothing in {without} of them"] if without else []
    said += [f"{unread} not readable"] if unread else []
    return ", ".join(said)


def _pictures(photos: list[pathlib.Path], out: pathlib.Path) -> dict[int, pathlib.Path]:
    """A file for the picture of each photo, whose names may be equal; none that is there."""
    if out.exists() and not out.is_dir():
        raise NotADirectoryError(f"{out}: wanted a folder for the pictures, this is a file")
    taken: set[pathlib.Path] = set()
    chosen = {}
    for index, photo in enumerate(photos):
        if photo.parent.resolve() == out.resolve():
            raise FileExistsError(f"{out}: wanted a folder without the photos, {photo} is in it")
        number = 1
        while (path := out / f"{photo.stem}{f'-{number}' if number > 1 else ''}.png") in taken:
            number += 1
        if path.exists():
            raise FileExistsError(f"{path}: wanted a new file, there is one; name another folder")
        taken.add(path)
        chosen[index] = path
    return chosen


COMMAND = Command(
    "detect",
    "Find faces: one line a photo, each box as class, score and ymin xmin ymax xmax in pixels.",
    _add_arguments,
    _run,
)

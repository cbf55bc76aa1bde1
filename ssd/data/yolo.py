"""Annotations of YOLO: a folder with one text file to a photo."""

import collections
import math
import os
import pathlib
from collections.abc import Sequence
from typing import NamedTuple

from ssd.data.yolo_names import YoloNames, find_names
from ssd.photos.annotations import (
    POLYGON,
    AnnotatedPhoto,
    Annotations,
    Complaint,
    nothing_of,
    number,
    read_text,
)
from ssd.photos.finding import PHOTO_SUFFIXES, AmbiguousName, PhotoFinder, files

# Text files that tools put beside those of photos.
_OTHER_TEXTS = frozenset(("classes.txt", "train.txt", "val.txt", "valid.txt", "test.txt"))
_LABEL_FOLDERS = frozenset(("labels", "obj_train_data", "obj_valid_data", "obj_test_data"))
_POLYGONS = frozenset((7, 9, 11))  # fields of a line with three to five points


class _Line(NamedTuple):
    """A line of a text file: class, numbers, what was repaired, and which one it is."""

    label: str
    numbers: list[float]
    note: str
    where: str


def read_yolo(
    folder: str | os.PathLike,
    photos: str | os.PathLike,
    *,
    class_names: Sequence[str] = ("face",),
) -> Annotations:
    """The annotations of a folder of YOLO text files: `class xcenter ycenter width height`.

    The class is a number that counts from 0 into a list of names that lies with the set
    (`ssd.data.yolo_names`), or else into `class_names`. A photo without a text file has no boxes.
    After the four numbers of a box may come its score, or landmarks; in place of them a polygon.

    Args:
        folder: Folder with one `.txt` for each photo, under the photo's name and subfolders;
            `labels` there may stand for `images`.
        photos: Folder of the photos.
        class_names: Names of the classes where none lie with the set.

    Returns:
        `Annotations`, a photo for each text file and for each photo without one.

    Raises:
        ValueError: If there is no text file in it, or no name for the numbers of its classes.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     pathlib.Path(folder, "a.jpg").touch()
        ...     _ = pathlib.Path(folder, "a.txt").write_text("0 0.5 0.5 0.2 0.4")
        ...     read_yolo(folder, folder).photos[0].boxes.round(2).tolist()
        [[0.3, 0.4, 0.7, 0.6]]
    """
    folder = pathlib.Path(folder)
    paths = [path for path in files(folder) if _is_annotation(path)]
    if not paths:
        raise nothing_of(".txt", "yolo", folder)
    complaints: list[Complaint] = []
    annotated = {path: _named(path) for path in paths}
    claimed = _claimed(annotated, photos)
    owners = collections.Counter(path for found in claimed.values() for path in found)
    for text, found in claimed.items():
        if len(found) == 1 and owners[found[0]] == 1:  # the name that complaints are to have
            annotated[text].filename, annotated[text].otherwise = found[0], None
    texts: dict[str, list[_Line]] = {}
    for path, photo in annotated.items():
        try:
            texts[path] = _read_lines(read_text(folder / path))
        except ValueError as error:
            complaints.append(Complaint(path, "unplaced", "no text", str(error)))
            photo.unplaced = 1
    of_photos = {path: texts[path] for path in claimed if path in texts}
    told = find_names(folder, photos)
    names = told.names if told else _asked_for(of_photos, class_names, folder)
    landmarks = _lines_with_landmarks(of_photos, told)
    for path, lines in texts.items():
        for line in lines:
            _add(annotated[path], line, names, landmarks, complaints)
    without_text = [
        AnnotatedPhoto(path, unit=True)
        for path in files(photos)
        if path not in owners and _is_photo(path)
    ]
    return Annotations(
        folder,
        [name for name in names if name],
        sorted([*annotated.values(), *without_text], key=lambda photo: photo.filename),
        complaints,
    )


def _claimed(
    annotated: dict[str, AnnotatedPhoto], photos: str | os.PathLike
) -> dict[str, list[str]]:
    """For each text file that has a photo, the file; several, if it could be one of these."""
    claimed, finder = {}, PhotoFinder(photos)
    for path, photo in annotated.items():
        try:
            claimed[path] = [finder.find(photo.filename, photo.otherwise or photo.filename)]
        except AmbiguousName as error:
            claimed[path] = error.paths
        except FileNotFoundError:
            continue  # whoever looks for the photos says so
    return claimed


def _is_photo(path: str) -> bool:
    return os.path.splitext(path)[1].lower() in PHOTO_SUFFIXES


def _is_annotation(path: str) -> bool:
    name = os.path.basename(path).lower()
    return name.endswith(".txt") and name not in _OTHER_TEXTS and not name.startswith("readme")


def _named(path: str) -> AnnotatedPhoto:
    """The photo of a text file: of the same name, in `images` where that is in `labels`."""
    *folders, name = os.path.splitext(path)[0].split("/")
    images = ["images" if folder == "labels" else folder for folder in folders]
    without = [folder for folder in folders if folder not in _LABEL_FOLDERS]
    first, second = "/".join([*images, name]), "/".join([*without, name])
    return AnnotatedPhoto(first, unit=True, otherwise=second if second != first else None)


def _read_lines(text: str) -> list[_Line]:
    lines = []
    for position, line in enumerate(text.split("\n"), start=1):
        words, note = line.split(), ""
        if "," in line or ";" in line:
            note = "commas between the numbers or in them"
            if len(words) >= 5 and not any(word.endswith((",", ";")) for word in words):
                words = line.replace(",", ".").split()  # "0 0,5 0,5 0,2 0,3"
            else:
                words = line.replace(",", " ").replace(";", " ").split()
        if words:
            where = f"line {position}: {line.strip()[:60]!r}"
            lines.append(_Line(words[0], [number(word) for word in words[1:]], note, where))
    return lines


def _asked_for(
    texts: dict[str, list[_Line]], class_names: Sequence[str], folder: pathlib.Path
) -> list[str]:
    """The names of the command line, if the numbers can only mean these."""
    used = [_class_number(line.label) for lines in texts.values() for line in lines]
    most = max((each for each in used if each is not None), default=0)
    if most >= len(class_names):
        raise ValueError(
            f"{folder}: wanted the names of its classes, numbered up to {most}, got only "
            f"{', '.join(class_names)}: put them into data.yaml or classes.txt beside the text "
            f"files, or name all in that order (--classes)"
        )
    return list(class_names)


def _class_number(word: str) -> int | None:
    value = number(word)
    return int(value) if value >= 0 and value.is_integer() and value < 1e6 else None


def _lines_with_landmarks(texts: dict[str, list[_Line]], told: YoloNames | None) -> set[int]:
    """How many numbers a line has in which landmarks follow a box; other long ones are polygons.

    Polygons have an odd number of fields and differ in length; lines with landmarks have all the
    same length, most often with five points of two or three numbers each.
    """
    if told and told.landmarks is not None:
        return {4 + told.landmarks}
    lengths = [1 + len(line.numbers) for lines in texts.values() for line in lines]
    long = {length for length in lengths if length > 6}
    landmarks = {length - 1 for length in long if length % 2 == 0}
    odd = {length for length in long if length % 2 == 1} - _POLYGONS
    if len(odd) == 1 and long == odd | {each + 1 for each in landmarks}:
        (length,) = odd
        if length == 15 or lengths.count(length) > 1:
            landmarks.add(length - 1)
    return landmarks


def _add(
    photo: AnnotatedPhoto,
    line: _Line,
    names: Sequence[str],
    landmarks: set[int],
    complaints: list[Complaint],
) -> None:
    box, note = _bounds(line.numbers, landmarks)
    label = _class_number(line.label)
    name: str | None = None
    if label is None and math.isnan(number(line.label)):
        name = line.label  # the name itself
    elif label is not None and label < len(names):
        name = names[label] or None
    if name is None:
        note = "a class number without a name"
    photo.add(box, name, complaints.append, note=note or line.note, where=line.where)


def _bounds(numbers: list[float], landmarks: set[int]) -> tuple[list[float], str]:
    """The box of a line on the unit square, and what was repaired; NaN where it has none."""
    note = ""
    if len(numbers) >= 6 and len(numbers) not in landmarks and not any(map(math.isnan, numbers)):
        xs, ys, note = numbers[::2], numbers[1::2], POLYGON
        sides = [min(ys), min(xs), max(ys), max(xs)] if len(xs) == len(ys) else []
    elif len(numbers) >= 4:
        x, y, width, height = numbers[:4]
        sides = [y - height / 2, x - width / 2, y + height / 2, x + width / 2]
        note = "more numbers than expected" if len(numbers) > 5 else ""
    else:
        sides = []
    # Far from the unit square they are pixels, or something else.
    if not sides or not all(-1 <= side <= 2 for side in sides + numbers[:4]):
        return [math.nan] * 4, ""
    return sides, note

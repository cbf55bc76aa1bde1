"""Annotations of WIDER FACE: one text file for all photos."""

import math
import os
import pathlib
from collections.abc import Iterator

from ssd.photos.annotations import (
    MARKED,
    AnnotatedPhoto,
    Annotations,
    Complaint,
    number,
    read_text,
)
from ssd.photos.finding import PHOTO_SUFFIXES

_FIELDS = 10  # of a line: x y width height blur expression illumination invalid occlusion pose
_INVALID = 7


def read_wider(path: str | os.PathLike) -> Annotations:
    """The annotations of a WIDER FACE text file. `invalid` marks regions to ignore.

    Lines of RetinaFace's labels, which have `# ` before the name of a photo, no number of faces
    and landmarks after the box, are read as well.

    Args:
        path: The text file: for each photo its name, a number of faces, then a line for each:
            `x y width height blur expression illumination invalid occlusion pose`.

    Returns:
        `Annotations`, a photo for each name.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the first line names no photo.

    Example:
        >>> import tempfile
        >>> with tempfile.NamedTemporaryFile() as file:
        ...     _ = file.write(b"a.jpg\\n1\\n10 20 30 40 0 0 0 0 0 0\\n")
        ...     file.flush()
        ...     read_wider(file.name).photos[0].boxes.tolist()
        [[20.0, 10.0, 60.0, 40.0]]
    """
    try:
        text = read_text(path)
    except ValueError as error:
        raise ValueError(f"{path}: wanted a WIDER FACE text file ({error})") from None
    lines = [line.strip() for line in text.split("\n")]
    if not _names_photo(next(filter(None, lines), "")):
        raise ValueError(f"{path}: wanted a WIDER FACE text file, whose first line names a photo")
    complaints: list[Complaint] = []
    photos = [_read_photo(name, rows, complaints) for name, rows in _blocks(lines)]
    return Annotations(pathlib.Path(path), ["face"], photos, complaints)


def _names_photo(line: str) -> bool:
    return os.path.splitext(line)[1].lower() in PHOTO_SUFFIXES


def _blocks(lines: list[str]) -> Iterator[tuple[str, list[tuple[int, list[str]]]]]:
    """(name, [(line number, its fields)]) of each photo."""
    name, rows = "", []
    for position, line in enumerate(lines, start=1):
        if _names_photo(line):
            if name:
                yield name, rows
            name, rows = line, []
        elif line:
            rows.append((position, line.split()))
    yield name, rows


def _read_photo(name: str, rows: list, complaints: list[Complaint]) -> AnnotatedPhoto:
    photo = AnnotatedPhoto(name.removeprefix("# "))
    counted = None
    if rows and len(rows[0][1]) == 1 and rows[0][1][0].isdecimal() and len(rows[0][1][0]) < 9:
        counted, rows = int(rows[0][1][0]), rows[1:]
    elif not name.startswith("# "):
        reason = "no number of faces after the name"
        complaints.append(Complaint(photo.filename, "repaired", reason, "", 0))
    if counted == 0:  # photos without a face have one line of zeros
        rows = [row for row in rows if any(field.strip("0") for field in row[1])]
    for position, fields in rows:
        sides = [number(field) for field in fields[:4]]
        x, y, width, height = sides if len(sides) == 4 else [math.nan] * 4
        invalid = len(fields) <= _FIELDS and fields[_INVALID : _INVALID + 1] == ["1"]
        note = MARKED if invalid else "more numbers than expected" * (len(fields) > _FIELDS)
        photo.add(
            [y, x, y + height, x + width],
            "face",
            complaints.append,
            ignored=invalid,
            note=note,
            where=f"line {position}: {' '.join(fields)[:60]!r}",
        )
    if counted is not None and counted != len(rows):
        _miscounted(photo, counted, len(rows), complaints)
    return photo


def _miscounted(photo: AnnotatedPhoto, counted: int, there: int, complaints: list[Complaint]):
    """A face that is counted and not there is somewhere on the photo."""
    detail = f"wanted {counted} faces, found {there}"
    if counted > there:
        photo.unplaced += counted - there
        reason = "fewer faces than it counts"
        complaints.append(Complaint(photo.filename, "unplaced", reason, detail, counted - there))
    else:
        reason = "more faces than it counts"
        complaints.append(Complaint(photo.filename, "repaired", reason, detail, 0))

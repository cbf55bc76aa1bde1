"""What people say of photos or crops, as CSV: `photo,box,class,rater`.

A row is one judgement:

    photo,box,class,rater
    crops/01.jpg,,smile,ann
    trip/02.jpg,0.1 0.2 0.3 0.4,face,ann
    trip/03.jpg,,,ann

An empty box: the class is that of the whole photo. A box is `ymin xmin ymax xmax`, in any unit in
which all raters speak. No box and no class: this rater sees nothing on the photo, which has to be
said, as others may. The class `ignore` says that one cannot tell. Columns come in any order; where
there is no column `rater`, a file is one rater, by its name; others than these are passed over.
`label` is another name for the column `class`.
"""

import csv
import math
import os
import pathlib
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from ssd import atomic

COLUMNS = ("photo", "box", "class", "rater")
IGNORE = "ignore"

Box = tuple[float, float, float, float]  # ymin, xmin, ymax, xmax


class Rating(NamedTuple):
    """What one rater says of one photo, or of one box on it.

    Args:
        photo: Name of the photo.
        box: `(ymin, xmin, ymax, xmax)`, or None for the whole photo.
        class_name: What it is; "ignore" if the rater cannot tell, "" if nothing is there.
        rater: Who says so.

    Example:
        >>> Rating("a.jpg", None, "smile", "ann").class_name
        'smile'
    """

    photo: str
    box: Box | None
    class_name: str
    rater: str


def read_ratings(paths: Sequence[str | os.PathLike]) -> list[Rating]:
    """Read the judgements of one or several files.

    Args:
        paths: CSV files.

    Returns:
        All of them, each once.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If a file is no such CSV, or a rater says two things of one whole photo; the
            message names the line.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = pathlib.Path(folder, "ann.csv")
        ...     _ = path.write_text("photo,class\\na.jpg,smile\\n")
        ...     read_ratings([path])
        [Rating(photo='a.jpg', box=None, class_name='smile', rater='ann')]
    """
    found: dict[Rating, None] = {}
    whole: dict[tuple[str, str], str] = {}
    for path in paths:
        for line, rating in _read_file(path):
            if rating.box is None:
                before = whole.setdefault((rating.photo, rating.rater), rating.class_name)
                if before != rating.class_name:
                    raise ValueError(
                        f"{path}:{line}: wanted one class of {rating.photo!r} by {rating.rater}, "
                        f"got {before!r} and {rating.class_name!r}"
                    )
            found[rating] = None
    return [*found]


def _read_file(path):
    name = pathlib.Path(path).stem
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            rows = csv.DictReader(file)
            names = [*(rows.fieldnames or ())]
            if "class" not in names:
                rows.fieldnames = ["class" if name == "label" else name for name in names]
            missing = {"photo", "class"} - {*(rows.fieldnames or ())}
            if missing:
                raise ValueError(
                    f"{path}: wanted a CSV file with columns {', '.join(COLUMNS)}, found no "
                    f"{' and no '.join(sorted(missing))}"
                )
            for row in rows:
                yield rows.line_num, _to_rating(f"{path}:{rows.line_num}", row, name)
    except OSError as error:
        raise type(error)(f"{path}: wanted a file of ratings ({error.strerror})") from None
    except (UnicodeDecodeError, csv.Error):
        raise ValueError(f"{path}: wanted a CSV file in UTF-8, this is none") from None


def _to_rating(place, row, name):
    photo, class_name = (row[field].strip() if row[field] else "" for field in ("photo", "class"))
    rater = name if "rater" not in row else (row["rater"] or "").strip()
    if not photo or not rater:
        raise ValueError(f"{place}: wanted the name of a {'rater' if photo else 'photo'}, got none")
    box = _to_box(place, row.get("box") or "")
    if box is not None and not class_name:
        raise ValueError(f"{place}: wanted the class of a box, got none")
    return Rating(photo, box, class_name, rater)


def _to_box(place, text):
    if not text.strip():
        return None
    try:
        sides = [float(side) for side in text.replace(",", " ").split()]
    except ValueError:
        sides = []
    if len(sides) == 4 and all(map(math.isfinite, sides)):
        ymin, xmin, ymax, xmax = sides
        if ymin < ymax and xmin < xmax:
            return ymin, xmin, ymax, xmax
    raise ValueError(f"{place}: wanted a box, ymin xmin ymax xmax, got {text.strip()!r}")


def write_ratings(path: str | os.PathLike, ratings: Iterable[Rating]) -> None:
    """Write judgements as CSV.

    Args:
        path: The file, which appears whole or not at all.
        ratings: What to write.

    Raises:
        OSError: If it cannot be written.

    Example:
        >>> import tempfile
        >>> rating = Rating("a.jpg", (0.1, 0.2, 0.3, 0.4), "face", "ann")
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_ratings(f"{folder}/out.csv", [rating])
        ...     read_ratings([f"{folder}/out.csv"]) == [rating]
        True
    """
    with atomic.whole(path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as out:
        rows = csv.writer(out, lineterminator="\n")
        rows.writerow(COLUMNS)
        for rating in ratings:
            box = " ".join(f"{side:.9g}" for side in rating.box or ())
            rows.writerow([rating.photo, box, rating.class_name, rating.rater])

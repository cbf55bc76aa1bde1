"""Crops that somebody sorted or rated: photos with one face, which fills them."""

import os
import pathlib

from ssd.photos import ratings
from ssd.photos.annotations import AnnotatedPhoto, Annotations, Label
from ssd.photos.finding import PHOTO_SUFFIXES, files

WHOLE = (0.0, 0.0, 1.0, 1.0)


def read_crops(
    path: str | os.PathLike, *, box: tuple[float, float, float, float] = WHOLE
) -> Annotations:
    """What crops are of: by the folders they lie in, or by a CSV file.

    Args:
        path: A folder that has a folder for each class, or a CSV file with the columns `photo`
            and `class` (or `label`), and any others, as `distill vote` reads and writes it.
        box: Where on each crop its face is, `[ymin, xmin, ymax, xmax]` on the unit square.

    Returns:
        `Annotations`, a photo for each crop.

    Raises:
        FileNotFoundError: If there is nothing of that name.
        ValueError: If the box is not on the unit square; if there is no folder with a photo; if
            the file is no such CSV, has a box itself, or two classes for one photo.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     pathlib.Path(folder, "smile").mkdir()
        ...     pathlib.Path(folder, "smile", "a.jpg").touch()
        ...     read_crops(folder).photos[0].names
        ['smile']
    """
    ymin, xmin, ymax, xmax = box
    if not (0 <= ymin < ymax <= 1 and 0 <= xmin < xmax <= 1):
        raise ValueError(f"box: wanted ymin, xmin, ymax, xmax from 0 to 1, got {[*box]}")
    found = _by_folder(path) if os.path.isdir(path) else _by_rating(path)
    photos = [
        AnnotatedPhoto(name, unit=True, labels=[_label(class_name, box)] if class_name else [])
        for name, class_name in found.items()
    ]
    named = sorted({name for name in found.values() if name not in ("", ratings.IGNORE)})
    return Annotations(pathlib.Path(path), named, photos, [])


def _label(class_name: str, box: tuple[float, float, float, float]) -> Label:
    if class_name == ratings.IGNORE:
        return Label(box, None, ignored=True, note="nobody can tell what it is")
    return Label(box, class_name)


def _by_folder(folder: str | os.PathLike) -> dict[str, str]:
    """{path inside the folder: name of the class}, of every photo in a folder of its own."""
    found = {}
    for path in files(folder):
        class_name, inside, _ = path.partition("/")
        if inside and os.path.splitext(path)[1].lower() in PHOTO_SUFFIXES:
            found[path] = class_name
    if not found:
        raise ValueError(
            f"{folder}: wanted a folder of crops for each class, found no photo in one"
        )
    return found


def _by_rating(path: str | os.PathLike) -> dict[str, str]:
    """{photo: name of the class}; "" where nothing is on it."""
    found: dict[str, str] = {}
    for rating in ratings.read_ratings([path]):
        if rating.box is not None:
            raise ValueError(
                f"{path}: wanted ratings of whole crops, got a box on {rating.photo!r}; "
                "ssd import ratings takes boxes"
            )
        before = found.setdefault(rating.photo, rating.class_name)
        if before != rating.class_name:
            raise ValueError(
                f"{path}: wanted one class of {rating.photo!r}, got {before!r} and "
                f"{rating.class_name!r}; distill vote puts several people's ratings to the vote"
            )
    return found

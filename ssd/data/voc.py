"""Annotations of Pascal VOC: a folder with one XML file to a photo."""

import math
import os
import pathlib
import re
from xml.etree import ElementTree

from ssd.photos.annotations import (
    MARKED,
    ORDERED,
    POLYGON,
    AnnotatedPhoto,
    Annotations,
    Complaint,
    nothing_of,
    number,
    read_size,
    read_text,
)
from ssd.photos.finding import files

_SIDES = ("ymin", "xmin", "ymax", "xmax")


def read_voc(folder: str | os.PathLike) -> Annotations:
    """The annotations of a folder of Pascal VOC files. `difficult` marks regions to ignore.

    VOC counts pixels from 1 and includes the last: (1, 1, W, H) is the whole photo. A file that
    lies in a subfolder is of a photo in that subfolder, if there is one.

    Args:
        folder: Folder with one `.xml` for each photo, searched recursively.

    Returns:
        `Annotations`, a photo for each file that can be read.

    Raises:
        ValueError: If there is no XML file in it.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = pathlib.Path(folder, "a.xml").write_text(
        ...         "<annotation><filename>a.jpg</filename><object><name>face</name><bndbox>"
        ...         "<xmin>1</xmin><ymin>1</ymin><xmax>20</xmax><ymax>30</ymax></bndbox></object>"
        ...         "</annotation>")
        ...     read_voc(folder).photos[0].labels
        [Label(box=(0.0, 0.0, 30.0, 20.0), name='face', ignored=False, note='')]
    """
    folder = pathlib.Path(folder)
    paths = [path for path in files(folder) if path.lower().endswith(".xml")]
    if not paths:
        raise nothing_of(".xml", "voc", folder)
    photos, complaints = [], []
    for path in paths:
        try:
            root = _parse(folder / path)
        except (ElementTree.ParseError, ValueError, LookupError, RecursionError) as error:
            complaints.append(Complaint(path, "left out", "no XML", str(error), 0))
            continue
        if root.tag != "annotation":
            detail = f"wanted <annotation>, got <{root.tag}>"[:80]
            complaints.append(Complaint(path, "left out", "no VOC annotation", detail, 0))
            continue
        photo = _named(root, path, complaints)
        for position, thing in enumerate(root.iter("object")):
            _add(photo, thing, position, complaints)
        photos.append(photo)
    names = [name for photo in photos for name in photo.names if name]
    return Annotations(folder, list(dict.fromkeys(names)), photos, complaints)


def _parse(path: pathlib.Path) -> ElementTree.Element:
    text = read_text(path)
    try:
        return ElementTree.fromstring(path.read_bytes())
    except (ElementTree.ParseError, ValueError, LookupError):
        # In another encoding than it says, or than it does not say.
        return ElementTree.fromstring(re.sub(r"^\s*<\?xml[^>]*\?>", "", text, count=1))


def _named(root: ElementTree.Element, path: str, complaints: list[Complaint]) -> AnnotatedPhoto:
    size = read_size(root.findtext("size/height"), root.findtext("size/width"))
    subfolder, file = os.path.split(path)
    name = (root.findtext("filename") or "").strip()
    if not name:
        name = os.path.splitext(file)[0]
        complaints.append(Complaint(path, "repaired", "no filename, the file's own name", "", 0))
    if subfolder and not re.search(r"[/\\]", name):
        return AnnotatedPhoto(f"{subfolder}/{name}", size, otherwise=name)
    return AnnotatedPhoto(name, size)


def _add(photo: AnnotatedPhoto, thing, position: int, complaints: list[Complaint]) -> None:
    name = (thing.findtext("name") or "").strip() or None
    difficult = (thing.findtext("difficult") or "").strip().lower() in ("1", "true", "yes")
    box, note = _bounds(thing)
    if difficult:
        note = MARKED
    elif name is None:
        note = "an object without a name"
    photo.add(
        box, name, complaints.append, ignored=difficult, note=note, where=f"object {position}"
    )


def _bounds(thing: ElementTree.Element) -> tuple[list[float], str]:
    """The box of an object, counted from 0, and what was repaired; NaN where it has none."""
    ymin, xmin, ymax, xmax = (number(thing.findtext(f"bndbox/{side}")) for side in _SIDES)
    if not math.isnan(ymin + xmin + ymax + xmax):
        if (ymin, xmin) == (ymax, xmax):  # nothing was drawn, or one pixel: no face either way
            return [ymin, xmin, ymax, xmax], ""
        note = "" if ymin <= ymax and xmin <= xmax else ORDERED
        (top, bottom), (left, right) = sorted((ymin, ymax)), sorted((xmin, xmax))
        return [top - 1, left - 1, bottom, right], note
    points = [each for each in thing.findall("polygon//*") if len(each) == 0]
    xs = [number(each.text) for each in points if each.tag.startswith("x")]
    ys = [number(each.text) for each in points if each.tag.startswith("y")]
    if len(xs) == len(ys) >= 3 and not math.isnan(sum(xs) + sum(ys)):
        return [min(ys), min(xs), max(ys), max(xs)], POLYGON
    return [math.nan] * 4, ""

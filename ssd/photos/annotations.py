"""What people said of photos, whatever the format, and the files it is of. No TensorFlow.

Annotation files have gaps: a size of null, a polygon without its box, corners the wrong way round,
an id that two photos have. One set of rules fills them, here, so that what a model is trained on
and what it is measured by mean the same:

* What can be meant in one way only is repaired: text that is a number, corners out of order, the
  bounds of a polygon, a size that is missing (the photo's own), a box said twice.
* What has a place but no class that is known is a region to ignore.
* A box whose place cannot be told makes its photo `unplaced`: something is on it that nobody
  knows the place of, so nothing else on it can be called background.
* A box without area is no box.
* An id or a name that two photos could be meant by leaves both out.

Each of these is one `Complaint`, which names the photo.
"""

import collections
import dataclasses
import math
import os
import pathlib
import stat
from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np

from ssd.lines import printable
from ssd.photos.finding import AmbiguousName, PhotoFinder, files, same_name

UNPLACED = "a box whose place cannot be told"
POLYGON = "no box, bounds of the polygon"
ORDERED = "corners out of order"
MARKED = "marked as a region to ignore"


class Complaint(NamedTuple):
    """One thing that an annotation file does wrong, and what became of it.

    Attributes:
        name: The photo concerned, or the annotation file where no photo is.
        became: "repaired", "ignored" (a region to ignore), "dropped" (a box), "left out" (a photo)
            or "unplaced" (a box that is somewhere on its photo).
        reason: Why, in the same few words each time, to count by.
        detail: Which one, and what it was.
        boxes: How many boxes it concerns.

    Example:
        >>> Complaint("a.jpg", "repaired", "corners out of order", "annotation 3").line
        'a.jpg: corners out of order (annotation 3): repaired'
    """

    name: str
    became: str
    reason: str
    detail: str = ""
    boxes: int = 1

    def __str__(self) -> str:
        """What is wrong and what became of it, in one line, whatever the file has in it."""
        detail = f" ({self.detail})" if self.detail else ""
        return printable(f"{self.reason}{detail}: {self.became}")

    @property
    def line(self) -> str:
        """The same after the name of the photo."""
        return f"{printable(self.name)}: {self}"


class Label(NamedTuple):
    """One box that somebody drew.

    Attributes:
        box: `[ymin, xmin, ymax, xmax]`, in the unit of its photo.
        name: Name of its class; None if it has none that is known, and then it is ignored.
        ignored: Whether it is a region to ignore.
        note: Why it is ignored or what was repaired; empty where it stands as it was drawn.

    Example:
        >>> Label((20, 10, 60, 40), "face").ignored
        False
    """

    box: tuple[float, float, float, float]
    name: str | None
    ignored: bool = False
    note: str = ""


@dataclasses.dataclass
class AnnotatedPhoto:
    """A photo as an annotation file describes it.

    Attributes:
        filename: Its name, as the annotations have it (`find_photos` finds the file).
        size: (height, width) in pixels that its boxes are of, or None: the photo's own.
        unit: Whether the boxes are on the unit square instead of in pixels.
        labels: What was drawn in it.
        unplaced: How many boxes it has besides, whose place cannot be told.
        otherwise: Another way to read the name, tried where the first finds no file.
        key: Its id in the annotations, empty if they have none.
        source: Where the annotations say that it is from, or None.

    Example:
        >>> AnnotatedPhoto("a.jpg", labels=[Label((20, 10, 60, 40), "face")]).names
        ['face']
    """

    filename: str
    size: tuple[int, int] | None = None
    unit: bool = False
    labels: list[Label] = dataclasses.field(default_factory=list)
    unplaced: int = 0
    otherwise: str | None = None
    key: str = ""
    source: str | None = None
    _said: set = dataclasses.field(default_factory=set, init=False, repr=False, compare=False)

    @property
    def boxes(self) -> np.ndarray:
        """float64 [labels, 4] `[ymin, xmin, ymax, xmax]`."""
        return np.array([label.box for label in self.labels], float).reshape(-1, 4)

    @property
    def names(self) -> list[str | None]:
        """The name of each label's class."""
        return [label.name for label in self.labels]

    @property
    def ignored(self) -> np.ndarray:
        """bool [labels], which of them are regions to ignore."""
        return np.array([label.ignored for label in self.labels], bool)

    def add(
        self,
        box: Iterable[float],
        name: str | None,
        complain: Callable[[Complaint], None],
        *,
        ignored: bool = False,
        note: str = "",
        where: str = "",
    ) -> None:
        """Adds a box by the rules at the top of this file.

        Args:
            box: `[ymin, xmin, ymax, xmax]`; NaN where a side is not known.
            name: Name of its class, None if that is not known.
            complain: Called with a `Complaint` if it is not as it should be.
            ignored: Whether it is a region to ignore.
            note: What was repaired already, or why it is ignored.
            where: Which one it is, for the complaint.

        Example:
            >>> photo, complaints = AnnotatedPhoto("a.jpg"), []
            >>> photo.add([60, 10, 20, 40], "face", complaints.append, where="object 1")
            >>> photo.boxes.tolist(), str(complaints[0])
            ([[20.0, 10.0, 60.0, 40.0]], 'corners out of order (object 1): repaired')
        """
        ymin, xmin, ymax, xmax = (float(side) for side in box)
        if not all(map(math.isfinite, (ymin, xmin, ymax, xmax))):
            self.unplaced += 1
            complain(Complaint(self.filename, "unplaced", UNPLACED, where))
            return
        if ymin > ymax or xmin > xmax:
            note = note or ORDERED
            ymin, ymax, xmin, xmax = (
                min(ymin, ymax),
                max(ymin, ymax),
                min(xmin, xmax),
                max(xmin, xmax),
            )
        if ymin == ymax or xmin == xmax:
            complain(Complaint(self.filename, "dropped", "a box without area", where))
            return
        label = Label((ymin, xmin, ymax, xmax), name, ignored or name is None, note)
        if label[:3] in self._said:
            complain(Complaint(self.filename, "dropped", "a box said twice", where))
            return
        self._said.add(label[:3])
        self.labels.append(label)
        if note and not ignored:
            became = "ignored" if name is None else "repaired"
            complain(Complaint(self.filename, became, note, where))

    def fitted(
        self, size: tuple[int, int], complain: Callable[[Complaint], None]
    ) -> "AnnotatedPhoto":
        """The same in the pixels of a photo file, boxes cut at its edges.

        Args:
            size: (height, width) of the file, upright.
            complain: Called with a `Complaint` for a box that is not on it; that one is
                `unplaced`, because nobody draws a face beside the photo.

        Returns:
            An `AnnotatedPhoto` of that size.

        Raises:
            ValueError: If the annotations are of a photo of another shape. One that has the same
                shape is the same photo, stored smaller or larger.

        Example:
            >>> photo = AnnotatedPhoto("a.jpg", (50, 100), labels=[Label((0, 5, 20, 30), "face")])
            >>> photo.fitted((100, 200), print).boxes.tolist()
            [[0.0, 10.0, 40.0, 60.0]]
        """
        drawn = (1, 1) if self.unit else self.size or size
        if not self.unit and not _same_shape(drawn, size):
            raise ValueError(
                f"annotated at {drawn[1]}x{drawn[0]}, the upright photo is {size[1]}x{size[0]}"
            )
        result = dataclasses.replace(self, size=size, unit=False, labels=[])
        limit = np.array(size * 2, float)
        boxes = np.clip(self.boxes * (limit / (drawn * 2)), 0, limit)
        for label, box in zip(self.labels, boxes.tolist(), strict=True):
            if box[0] < box[2] and box[1] < box[3]:
                result.labels.append(label._replace(box=tuple(box)))
            else:
                result.unplaced += 1
                detail = " ".join(f"{side:g}" for side in label.box)
                reason = "a box that is not on the photo"
                complain(Complaint(self.filename, "unplaced", reason, detail))
        return result


class Annotations(NamedTuple):
    """What an annotation file says.

    Attributes:
        source: The file, or folder.
        class_names: Names of its classes, each once: a COCO file's in the order of their ids.
        photos: `AnnotatedPhoto`s, in its order.
        complaints: What it does wrong.

    Example:
        >>> Annotations(pathlib.Path("truth.json"), ["face"], [], []).class_names
        ['face']
    """

    source: pathlib.Path
    class_names: list[str]
    photos: list[AnnotatedPhoto]
    complaints: list[Complaint]


def find_photos(
    photos: Iterable[AnnotatedPhoto], folder: str | os.PathLike
) -> tuple[list[tuple[str, AnnotatedPhoto]], list[Complaint]]:
    """The files that annotations are of, each once.

    A photo that is named twice gets the boxes of both. Two different names that lead to one file
    leave both out, for nobody knows whose boxes are on it.

    Args:
        photos: What a reader read.
        folder: Folder of photos.

    Returns:
        ([(path inside the folder, `AnnotatedPhoto`)], complaints).

    Raises:
        FileNotFoundError: If there is no such folder.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     pathlib.Path(folder, "a.jpg").touch()
        ...     found, complaints = find_photos([AnnotatedPhoto("x/a.jpg")], folder)
        >>> found[0][0]
        'a.jpg'
    """
    if not os.path.isdir(folder):
        raise FileNotFoundError(f"{folder}: wanted a folder of photos, there is no such folder")
    finder, found, complaints = PhotoFinder(folder), {}, []
    for photo in photos:
        names = (photo.filename, photo.otherwise) if photo.otherwise else (photo.filename,)
        try:
            found.setdefault(finder.find(*names), []).append(photo)
        except FileNotFoundError:
            complaints.append(_left_out(photo, "no such photo"))
        except AmbiguousName as error:
            complaints.append(_left_out(photo, "a name that several photos have", str(error)))
    kept = []
    for path, named in found.items():
        if len({same_name(photo.filename) for photo in named}) > 1:
            detail = ", ".join(photo.filename for photo in named)
            reason = "names that lead to one photo"
        elif len({(photo.size, photo.unit) for photo in named}) > 1:
            reason, detail = "named twice, with different sizes", ""
        else:
            kept.append((path, _merged(named, complaints.append)))
            continue
        complaints += [_left_out(photo, reason, detail) for photo in named]
    return kept, complaints


def _left_out(photo: AnnotatedPhoto, reason: str, detail: str = "") -> Complaint:
    boxes = len(photo.labels) + photo.unplaced
    return Complaint(photo.filename, "left out", reason, detail, boxes)


def _merged(named: list[AnnotatedPhoto], complain: Callable[[Complaint], None]) -> AnnotatedPhoto:
    """One photo with the boxes of all."""
    first, *others = named
    if not others:
        return first
    complain(Complaint(first.filename, "repaired", "named twice", "its boxes joined", 0))
    labels = {label[:3]: label for photo in reversed(named) for label in photo.labels}
    return dataclasses.replace(
        first, labels=[*labels.values()], unplaced=sum(photo.unplaced for photo in named)
    )


def number(value: object) -> float:
    """A number, or text that is one, as a finite float.

    Args:
        value: What a file has.

    Returns:
        float; NaN for anything else.

    Example:
        >>> number("3.5"), number(True), number(None), number("1e999")
        (3.5, nan, nan, nan)
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return math.nan
    try:
        result = float(value)
    except (ValueError, OverflowError):
        return math.nan
    return result if math.isfinite(result) else math.nan


def read_size(height: object, width: object) -> tuple[int, int] | None:
    """The size of a photo as an annotation has it.

    Args:
        height: What the file has for it.
        width: What the file has for it.

    Returns:
        (height, width) in pixels; None if it does not say.

    Example:
        >>> read_size("600", 512.0), read_size(0, 512), read_size(None, None)
        ((600, 512), None, None)
    """
    sides = number(height), number(width)
    if not all(side >= 1 for side in sides):  # False for NaN as well
        return None
    return round(sides[0]), round(sides[1])


def read_text(path: str | os.PathLike) -> str:
    """A text file in whichever encoding it is: Unicode with or without a mark, else Latin.

    Args:
        path: The file.

    Returns:
        The text, without a byte order mark.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no regular file: reading a pipe would wait for ever.

    Example:
        >>> import tempfile
        >>> with tempfile.NamedTemporaryFile() as file:
        ...     _ = pathlib.Path(file.name).write_text("Müller", encoding="utf-16")
        ...     read_text(file.name)
        'Müller'
    """
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise ValueError(f"{path}: wanted a text file, it is no regular file")
        data = pathlib.Path(path).read_bytes()
    except FileNotFoundError:
        raise FileNotFoundError(f"{path}: wanted a text file, there is none") from None
    if data.startswith((b"\xff\xfe\0\0", b"\0\0\xfe\xff")):
        encodings = ["utf-32"]
    elif data.startswith((b"\xff\xfe", b"\xfe\xff")):
        encodings = ["utf-16"]
    elif b"\0" in data[:2]:  # Latin letters in two bytes each, without a mark
        encodings = ["utf-16-be" if data[:1] == b"\0" else "utf-16-le"]
    else:
        encodings = ["utf-8-sig", "cp1252"]
    for encoding in encodings:
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    return data.decode("latin-1")


def nothing_of(suffix: str, annotations: str, folder: str | os.PathLike) -> ValueError:
    """The error of a folder in which no annotation of the format asked for lies.

    Args:
        suffix: What the names of such annotations end in.
        annotations: The format.
        folder: Where they were looked for.

    Returns:
        A ValueError that says what lies there instead.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     pathlib.Path(folder, "a.xml").touch()
        ...     str(nothing_of(".txt", "yolo", folder)).removeprefix(folder)
        ': wanted a folder of yolo annotations, found no .txt in it (1 .xml)'
    """
    suffixes = collections.Counter(os.path.splitext(path)[1].lower() for path in files(folder))
    others = (
        ", ".join(
            f"{count} {suffix or 'without a suffix'}" for suffix, count in suffixes.most_common(3)
        )
        or "no file at all"
    )
    return ValueError(
        f"{folder}: wanted a folder of {annotations} annotations, found no {suffix} in it "
        f"({others})"
    )


def _same_shape(drawn: tuple[int, int], size: tuple[int, int]) -> bool:
    """Whether one size is a scaled copy of the other, rounded to whole pixels."""
    (low, high), (least, greatest) = (
        ((side - 0.51) / own, (side + 0.51) / own) for side, own in zip(drawn, size, strict=True)
    )
    ratio = drawn[0] * size[1] / (drawn[1] * size[0])
    return (low <= greatest and least <= high) or abs(ratio - 1) < 0.005

"""Labels drawn by people, from the four common formats, as shards.

A face must never be learnt as background because its label could not be used. What can be meant in
one way only is repaired; what has a place but no known class becomes a region to ignore; a photo on
which something is that nobody knows the place of is left out. Each of these is one complaint
(`ssd.photos.annotations` has the rules).
"""

import collections
import csv
import dataclasses
import io
import os
import pathlib
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from ssd import atomic
from ssd.data import manifest, records
from ssd.data.classes import BACKGROUND, ClassIds
from ssd.data.jpeg import is_decodable
from ssd.data.marked import Marks
from ssd.data.voc import read_voc
from ssd.data.wider import read_wider
from ssd.data.yolo import read_yolo
from ssd.photos import reading
from ssd.photos.annotations import (
    MARKED,
    AnnotatedPhoto,
    Annotations,
    Complaint,
    find_photos,
    printable,
    read_coco,
)

FORMATS = ("coco", "voc", "yolo", "wider")


@dataclasses.dataclass
class Imported:
    """What became of annotations.

    Attributes:
        counts: `photos` named by the annotations, `labelled` (taken over; `empty` of them with
            nothing on them), `boxes` to learn, `ignored` regions, `errors` (complaints), and of
            marks what `distill.marks` counts.
        complaints: `ssd.photos.annotations.Complaint`s, as `errors.csv` has them.
        boxes: {(what became of it, why): how many boxes}, over every box of the annotations.

    Example:
        >>> counts = {"photos": 3, "labelled": 2, "empty": 1, "boxes": 2, "ignored": 0, "errors": 2}
        >>> boxes = {("taken", "as drawn"): 2, ("left out", "no such photo"): 1}
        >>> print(Imported(counts, [], boxes))
        2 photos of 3 taken over, 1 of them empty, 2 boxes, 0 regions to ignore
          2  taken     as drawn
          1  left out  no such photo
    """

    counts: dict[str, int]
    complaints: list[Complaint]
    boxes: Mapping[tuple[str, str], int]

    def __str__(self) -> str:
        """A line for the photos, and one for each thing that became of boxes."""
        counts = self.counts
        lines = [
            f"{counts['labelled']} photos of {counts['photos']} taken over, "
            f"{counts['empty']} of them empty, {counts['boxes']} boxes, "
            f"{counts['ignored']} regions to ignore"
        ]
        rows = [(f"{boxes:,}", *key) for key, boxes in sorted(self.boxes.items(), key=_order)]
        wide = [max(len(row[column]) for row in rows) for column in (0, 1)] if rows else []
        for boxes, became, why in rows:
            lines.append(f"  {boxes:>{wide[0]}}  {became:<{wide[1]}}  {why}".rstrip())
        return "\n".join(lines)


_BECAME = ("taken", "repaired", "ignored", "dropped", "left out")


def _order(item: tuple[tuple[str, str], int]) -> tuple[int, int, str]:
    (became, why), boxes = item
    return _BECAME.index(became), -boxes, why


def import_labels(
    source_format: str,
    annotations: str | os.PathLike,
    photos: str | os.PathLike,
    out: str | os.PathLike,
    *,
    class_names: Sequence[str] = ("face",),
    mapping: Mapping[str, str] | None = None,
    max_side: int = 640,
    shard_photos: int = 256,
) -> Imported:
    """Turns annotated photos into a folder of labels to train on.

    Args:
        source_format: "coco", "voc", "yolo" or "wider".
        annotations: The annotations: a JSON file (coco), a folder of XML files (voc), a folder
            of text files (yolo), a text file (wider).
        photos: Folder that the annotations' file names are in (`ssd.photos.finding`).
        out: Folder for the labels: new, or left by the same import, stopped.
        class_names: Names of the classes, the first for class 1.
        mapping: Other names that the annotations use, as `ssd.data.classes.ClassIds` takes them.
        max_side: Longest side of a stored photo in pixels; larger ones are scaled down.
        shard_photos: Photos to a shard.

    Returns:
        `Imported`.

    Raises:
        FileNotFoundError: If there are no such annotations or photos.
        OSError: If a photo cannot be read for a reason that is not its own; the same import begins
            anew.
        ValueError: If the format is unknown, the annotations are of another one, no photo or no
            box of them can be used, or `out` holds something else. Nothing is left in `out` then
            that could be trained on.

    Example:
        >>> import tempfile
        >>> from ssd.photos.reading import write_photo
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_photo(f"{folder}/a.jpg", np.zeros((60, 80, 3), np.uint8))
        ...     _ = pathlib.Path(folder, "a.txt").write_text("0 0.5 0.5 0.2 0.4")
        ...     print(import_labels("yolo", folder, folder, f"{folder}/labels"))
        1 photos of 1 taken over, 0 of them empty, 1 boxes, 0 regions to ignore
          1  taken  as drawn
    """
    classes = ClassIds(class_names, mapping)
    about = {
        "classes": classes.names,
        "map": dict(mapping or {}),
        "source": str(pathlib.Path(photos).resolve()),
        "annotations": str(pathlib.Path(annotations).resolve()),
        "format": source_format,
        "max_side": max_side,
        "shard_photos": shard_photos,
    }
    if source_format not in FORMATS:
        raise ValueError(f"format: wanted one of {', '.join(FORMATS)}, got {source_format!r}")
    if not os.path.exists(annotations):
        raise FileNotFoundError(
            f"{annotations}: wanted {source_format} annotations, there is nothing"
        )
    manifest.claim(out, about)
    read = _read(source_format, annotations, photos, classes.names)
    account = _Account(read, photos, classes, out)
    found, lost = find_photos(read.photos, photos)
    for complaint in (*read.complaints, *lost):
        account.complain(complaint)
    usable = [
        (path, account.with_classes(photo)) for path, photo in found if account.is_placed(photo)
    ]
    to_learn = sum(not label.ignored for _, photo in usable for label in photo.labels)
    account.refuse_without(len(usable), to_learn)
    os.makedirs(out, exist_ok=True)
    manifest.write(out, {**about, "complete": False})
    marks = Marks(out, shard_photos)
    labelled = _labelled(usable, pathlib.Path(photos), classes, max_side, account, marks)
    counts = records.write_shards(
        out, labelled, shard_photos=shard_photos, class_names=classes.names
    )
    try:
        account.refuse_without(counts["photos"], counts["boxes"] + account.boxes[_MARKED])
    except ValueError:
        for path in (*records.shards(out), pathlib.Path(out) / "dataset.json"):
            path.unlink()
        raise
    counts = {
        "photos": counts["photos"] + account.left_out,
        "labelled": counts["photos"],
        "empty": account.empty,
        "boxes": counts["boxes"],
        "ignored": counts["ignored"],
        "errors": len(account.complaints),
        **marks.counts(),
    }
    account.write_errors()
    marks.write()
    manifest.write(out, {**about, "complete": True, "counts": counts})
    return Imported(counts, account.complaints, +account.boxes)


def _read(source_format: str, annotations, photos, class_names: Sequence[str]) -> Annotations:
    if source_format == "coco":
        read = read_coco(annotations)
    elif source_format == "wider":
        read = read_wider(annotations)
    elif not os.path.isdir(annotations):
        raise ValueError(
            f"{annotations}: wanted a folder of {source_format} annotations, this is a file"
        )
    elif source_format == "voc":
        read = read_voc(annotations)
    else:
        read = read_yolo(annotations, photos, class_names=class_names)
    if not read.photos and not read.complaints:
        raise ValueError(f"{annotations}: wanted {source_format} annotations, found no photo in it")
    return read


def _labelled(
    usable: list[tuple[str, AnnotatedPhoto]],
    folder: pathlib.Path,
    classes: ClassIds,
    max_side: int,
    account: "_Account",
    marks: Marks,
) -> Iterator[records.LabelledPhoto]:
    """The photos with their boxes on the unit square, as they are stored."""
    for path, annotated in usable:
        try:
            photo = reading.read_and_encode(folder / path, max_side=max_side, may_keep=is_decodable)
        except (ValueError, PermissionError) as error:
            detail = getattr(error, "strerror", None) or str(error)
            account.leave_out(annotated, "a photo that cannot be read", detail)
            continue
        if photo.repaired:
            reason = "a damaged JPEG file, encoded anew"
            account.complain(Complaint(annotated.filename, "repaired", reason, "", 0))
        try:
            fitted = annotated.fitted(photo.full_size, account.complain)
        except ValueError as error:
            account.leave_out(annotated, "annotated at another shape", str(error))
            continue
        if account.is_placed(fitted):
            record, gone = marks.apply(_to_record(path, photo, fitted, classes))
            yield record
            account.take(fitted, gone)


def _to_record(
    path: str, photo: reading.Photo, fitted: AnnotatedPhoto, classes: ClassIds
) -> records.LabelledPhoto:
    ids = [
        records.IGNORE if label.ignored else classes.find(label.name or "")
        for label in fitted.labels
    ]
    height, width = photo.size
    return records.LabelledPhoto(
        encoded=photo.encoded,
        filename=path,
        height=height,
        width=width,
        boxes=(fitted.boxes / np.array(photo.full_size * 2)).astype(np.float32),
        class_ids=np.array(ids, np.int32),
        scores=np.ones(len(ids), np.float32),
        full_size=photo.full_size,
    )


_LOST = ("dropped", "left out")
_MARKED = ("dropped", "marked by a person")


class _Account:
    """Counts what becomes of every photo and every box, and keeps the complaints."""

    def __init__(self, read: Annotations, photos, classes: ClassIds, out: str | os.PathLike):
        self.read = read
        self.photos = photos
        self.classes = classes
        self.out = out
        self.complaints: list[Complaint] = []
        self.boxes: collections.Counter[tuple[str, str]] = collections.Counter()
        self.left_out = 0  # photos
        self.empty = 0  # photos taken over on which nothing is
        self.meant = sum(
            max(each.boxes, 1) for each in read.complaints if each.became in _LOST
        ) + sum(
            photo.unplaced + sum(label.note != MARKED for label in photo.labels)
            for photo in read.photos
        )  # boxes, all but those drawn as regions to ignore

    def complain(self, complaint: Complaint) -> None:
        """Keeps a complaint, and counts the boxes and the photo that it costs."""
        if complaint.became == "unplaced":
            complaint = complaint._replace(became="left out")  # `is_placed` counts the photo
        elif complaint.became == "left out":
            self.left_out += 1
        if complaint.became in _LOST:
            self.boxes[complaint.became, complaint.reason] += complaint.boxes
        self.complaints.append(complaint)

    def leave_out(self, photo: AnnotatedPhoto, reason: str, detail: str) -> None:
        self.complain(Complaint(photo.filename, "left out", reason, detail, len(photo.labels)))

    def is_placed(self, photo: AnnotatedPhoto) -> bool:
        """Whether all that is on a photo has a place; if not, it was said, and it is left out."""
        if photo.unplaced:
            self.left_out += 1
            self.boxes["left out", "on a photo with such a box"] += len(photo.labels)
        return not photo.unplaced

    def with_classes(self, photo: AnnotatedPhoto) -> AnnotatedPhoto:
        """The photo with regions to ignore in place of boxes of classes that nobody asked for."""
        labels = []
        for label in photo.labels:
            class_id = records.IGNORE if label.ignored else self.classes.find(label.name or "")
            if class_id is None:
                note = "a class that is not asked for"
                detail = f"{label.name!r}; known: {', '.join(self.classes.names)}"
                self.complain(Complaint(photo.filename, "ignored", note, detail))
                label = label._replace(ignored=True, note=note)
            elif class_id == BACKGROUND:
                self.boxes["dropped", "a class of the background, as asked for"] += 1
                continue
            elif class_id == records.IGNORE and not label.ignored:
                label = label._replace(ignored=True, note="a class to ignore, as asked for")
            labels.append(label)
        return dataclasses.replace(photo, labels=labels)

    def take(self, photo: AnnotatedPhoto, gone: Sequence[int]) -> None:
        """Counts the boxes of a photo that is taken over; a person has marked some to go."""
        self.empty += not photo.labels
        for index, label in enumerate(photo.labels):
            if index in gone:
                self.boxes[_MARKED] += 1
                continue
            became = "ignored" if label.ignored else "repaired" if label.note else "taken"
            self.boxes[became, label.note or "as drawn"] += 1

    def refuse_without(self, photos: int, boxes: int) -> None:
        """Raises ValueError if there is no photo, or no box of those that were meant to be learnt.

        Args:
            photos: Photos that can be used.
            boxes: Boxes on them, without regions to ignore.
        """
        if photos and (boxes or not self.meant):
            return
        self.write_errors()
        first = next((each for each in self.complaints if each.became != "repaired"), None)
        why = f"the first, {first.line}; all: {self.out}/errors.csv" if first else "none"
        if not photos:
            raise ValueError(
                f"{self.read.source}: wanted photos in {self.photos}, could use none of the "
                f"{self.left_out} that it names ({why})"
            )
        raise ValueError(
            f"{self.read.source}: wanted boxes of {', '.join(self.classes.names)} (--classes, "
            f"--map), could use none of its {self.meant} boxes, whose classes are "
            f"{printable(', '.join(self.read.class_names)) or 'not named'} ({why})"
        )

    def write_errors(self) -> None:
        os.makedirs(self.out, exist_ok=True)
        text = io.StringIO(newline="")
        rows = ((complaint.name, str(complaint)) for complaint in self.complaints)
        csv.writer(text).writerows([("photo", "reason"), *rows])
        atomic.write_text(pathlib.Path(self.out) / "errors.csv", text.getvalue())

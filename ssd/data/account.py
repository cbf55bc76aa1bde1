"""What became of every photo and every box of annotations: counted, and complained of."""

import collections
import csv
import dataclasses
import io
import os
import pathlib
from collections.abc import Mapping

from ssd import atomic
from ssd.data.classes import BACKGROUND, ClassIds
from ssd.data.records import IGNORE
from ssd.lines import printable
from ssd.photos.annotations import MARKED, AnnotatedPhoto, Annotations, Complaint


@dataclasses.dataclass
class Imported:
    """What became of annotations.

    Attributes:
        counts: `photos` named by the annotations, `labeled` (taken over; `empty` of them with
            nothing on them), `boxes` to learn, `ignored` regions, `errors` (complaints), and of
            marks what `distill.review.marks` counts.
        complaints: `ssd.photos.annotations.Complaint`s, as `errors.csv` has them.
        boxes: {(what became of it, why): how many boxes}, over every box of the annotations.

    Example:
        >>> counts = {"photos": 3, "labeled": 2, "empty": 1, "boxes": 2, "ignored": 0, "errors": 2}
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
            f"{counts['labeled']} photos of {counts['photos']} taken over, "
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


_LOST = ("dropped", "left out")
_BY_A_PERSON = "marked by a person"


class Account:
    """Counts what becomes of every photo and every box, and keeps the complaints.

    Args:
        read: What the annotations say.
        photos: Folder of photos.
        classes: The classes that are asked for.
        out: Folder for the labels; `errors.csv` goes there.

    Attributes:
        complaints: `Complaint`s so far.
        boxes: {(what became of it, why): how many boxes}, so far.
        left_out: Photos left out so far.
        empty: Photos taken over so far on which nothing is.

    Example:
        >>> read = Annotations(pathlib.Path("truth.json"), ["face"], [AnnotatedPhoto("a.jpg")], [])
        >>> account = Account(read, "photos", ClassIds(["face"]), "labels")
        >>> account.leave_out(read.photos[0], "a photo that cannot be read", "empty file")
        >>> account.left_out, account.complaints[0].line
        (1, 'a.jpg: a photo that cannot be read (empty file): left out')
    """

    def __init__(
        self,
        read: Annotations,
        photos: str | os.PathLike,
        classes: ClassIds,
        out: str | os.PathLike,
    ):
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
        """Keeps a complaint, and counts the boxes and the photo that it costs.

        Args:
            complaint: It.
        """
        if complaint.became == "unplaced":
            complaint = complaint._replace(became="left out")  # `is_placed` counts the photo
        elif complaint.became == "left out":
            self.left_out += 1
        if complaint.became in _LOST:
            self.boxes[complaint.became, complaint.reason] += complaint.boxes
        self.complaints.append(complaint)

    def leave_out(self, photo: AnnotatedPhoto, reason: str, detail: str) -> None:
        """Leaves a photo out, with its boxes.

        Args:
            photo: It.
            reason: Why, in the same few words each time.
            detail: What it was this time.
        """
        self.complain(Complaint(photo.filename, "left out", reason, detail, len(photo.labels)))

    def is_placed(self, photo: AnnotatedPhoto) -> bool:
        """Whether all that is on a photo has a place; if not, it was said, and it is left out.

        Args:
            photo: It.

        Returns:
            Whether it can be used.
        """
        if photo.unplaced:
            self.left_out += 1
            self.boxes["left out", "on a photo with such a box"] += len(photo.labels)
        return not photo.unplaced

    def with_classes(self, photo: AnnotatedPhoto) -> AnnotatedPhoto:
        """The photo with regions to ignore in place of boxes of classes that nobody asked for.

        Args:
            photo: As the annotations have it.

        Returns:
            As it is to be learnt from.
        """
        labels = []
        for label in photo.labels:
            class_id = IGNORE if label.ignored else self.classes.find(label.name or "")
            if class_id is None:
                note = "a class that is not asked for"
                detail = f"{label.name!r}; known: {', '.join(self.classes.names)}"
                self.complain(Complaint(photo.filename, "ignored", note, detail))
                label = label._replace(ignored=True, note=note)
            elif class_id == BACKGROUND:
                self.boxes["dropped", "a class of the background, as asked for"] += 1
                continue
            elif class_id == IGNORE and not label.ignored:
                label = label._replace(ignored=True, note="a class to ignore, as asked for")
            labels.append(label)
        return dataclasses.replace(photo, labels=labels)

    def take(self, photo: AnnotatedPhoto, by_a_person: Mapping[int, str]) -> None:
        """Counts the boxes of a photo that is taken over.

        Args:
            photo: It.
            by_a_person: {index of one of its labels: what a person's mark made of it}.
        """
        self.empty += not photo.labels
        for index, label in enumerate(photo.labels):
            if index in by_a_person:
                self.boxes[by_a_person[index], _BY_A_PERSON] += 1
                continue
            became = "ignored" if label.ignored else "repaired" if label.note else "taken"
            self.boxes[became, label.note or "as drawn"] += 1

    def refuse_without(self, photos: int, boxes: int) -> None:
        """Refuses a set of which nothing can be learnt, though somebody meant it to be.

        Args:
            photos: Photos that can be used.
            boxes: Boxes on them, without regions to ignore.

        Raises:
            ValueError: If there is no photo, or no box of those that were meant to be learnt.
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

    @property
    def marked_by_a_person(self) -> int:
        """How many boxes could be used, and became what a person's marks say."""
        return sum(boxes for (_, why), boxes in self.boxes.items() if why == _BY_A_PERSON)

    def counts(self, written: Mapping[str, int]) -> dict[str, int]:
        """What `dataset.json` counts.

        Args:
            written: What `records.write_shards` counted.

        Returns:
            The counts of `Imported`.
        """
        return {
            "photos": written["photos"] + self.left_out,
            "labeled": written["photos"],
            "empty": self.empty,
            "boxes": written["boxes"],
            "ignored": written["ignored"],
            "errors": len(self.complaints),
        }

    def write_errors(self) -> None:
        """Writes `errors.csv`: a line for each complaint."""
        os.makedirs(self.out, exist_ok=True)
        text = io.StringIO(newline="")
        rows = ((_encodable(complaint.name), str(complaint)) for complaint in self.complaints)
        csv.writer(text).writerows([("photo", "reason"), *rows])
        atomic.write_text(pathlib.Path(self.out) / "errors.csv", text.getvalue())


def _encodable(name: str) -> str:
    """A name as a file can hold it: half a letter, which JSON may have, no encoding takes."""
    try:
        name.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return printable(name)
    return name

"""Marks that a person set on labels (`distill.marks`): what was dropped stays dropped.

`progress/marked.json` in a folder of labels has an entry for each photo that is marked: what was
said of it before, which boxes are dropped, and whether it is ignored. Labels that are made again
take these marks over.
"""

import json
import os
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from ssd import atomic
from ssd.data import records

Entry = dict[str, Any]


def read(out: str | os.PathLike) -> dict[str, Entry]:
    """The entries of a folder of labels, those included that were being taken in when it stopped.

    Args:
        out: Folder of labels.

    Returns:
        {name of the photo: entry}. An entry has `shard`, the name of the shard it is in; `boxes`,
        `classes` and `scores`, lists, what was said of it before it was marked; `ignored`, whether
        it is; `dropped`, the indices of the boxes that are.

    Example:
        >>> read("nowhere")
        {}
    """
    journal, path = (pathlib.Path(out) / "progress" / f"{name}.json" for name in _FILES)
    if journal.exists():
        return json.loads(journal.read_text())["photos"]
    return json.loads(path.read_text()) if path.exists() else {}


_FILES = ("marking", "marked")


def write(out: str | os.PathLike, entries: dict[str, Entry]) -> None:
    """Writes the entries that mark something; nothing is left to be taken in.

    Args:
        out: Folder of labels.
        entries: As `read` gives them.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     os.mkdir(f"{folder}/progress")
        ...     write(folder, {"a.jpg": {"ignored": False, "dropped": []}})
        ...     read(folder)
        {}
    """
    journal, path = (pathlib.Path(out) / "progress" / f"{name}.json" for name in _FILES)
    kept = {name: entry for name, entry in entries.items() if entry["ignored"] or entry["dropped"]}
    atomic.write_text(path, json.dumps(kept) + "\n")
    journal.unlink(missing_ok=True)


def unmarked(shard: str, photo: records.LabeledPhoto) -> Entry:
    """The entry of a photo that nobody has marked yet.

    Args:
        shard: Name of the shard it is in.
        photo: What is said of it.

    Returns:
        Its entry.

    Example:
        >>> photo = records.LabeledPhoto(
        ...     b"", "a.jpg", 9, 9, np.zeros([0, 4]), np.zeros(0), np.zeros(0))
        >>> unmarked("shard-00000.tfrecord", photo)["dropped"]
        []
    """
    return {
        "shard": shard,
        "ignored": False,
        "dropped": [],
        "boxes": photo.boxes.tolist(),
        "classes": photo.class_ids.tolist(),
        "scores": photo.scores.tolist(),
    }


def made_again(entry: Entry, shard: str, photo: records.LabeledPhoto) -> Entry:
    """The marks of a photo whose labels were made again: of the boxes that are still said.

    Args:
        entry: Its entry as it was.
        shard: Name of the shard it is in now.
        photo: What is said of it now.

    Returns:
        Its entry as it is to be.

    Example:
        >>> photo = records.LabeledPhoto(
        ...     b"", "a.jpg", 9, 9, np.eye(2, 4), np.array([1, 1]), np.array([1.0, 1.0]))
        >>> old = {"ignored": False, "dropped": [0], "boxes": [[0.0, 1.0, 0.0, 0.0]]}
        >>> made_again(old, "shard-00000.tfrecord", photo)["dropped"]
        [1]
    """
    before, now = (
        [tuple(map(float, box)) for box in np.array(boxes, np.float32).reshape(-1, 4)]
        for boxes in (entry["boxes"], photo.boxes)
    )
    gone = {before[index] for index in entry["dropped"]}
    dropped = [index for index, box in enumerate(now) if box in gone]
    return {**unmarked(shard, photo), "ignored": entry["ignored"], "dropped": dropped}


def labels_of(entry: Entry) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Boxes, classes and scores of a photo as its marks leave them.

    A dropped box goes. A photo that is ignored has one region to ignore, which covers it all.

    Args:
        entry: Its entry.

    Returns:
        float32 [boxes, 4], int32 [boxes], float32 [boxes].

    Example:
        >>> photo = records.LabeledPhoto(
        ...     b"", "a.jpg", 9, 9, np.eye(2, 4), np.array([1, 1]), np.array([1.0, 1.0]))
        >>> labels_of({**unmarked("shard-00000.tfrecord", photo), "dropped": [0]})[0].tolist()
        [[0.0, 1.0, 0.0, 0.0]]
    """
    if entry["ignored"]:
        boxes, classes, scores = [[0.0, 0.0, 1.0, 1.0]], [records.IGNORE], [1.0]
    else:
        kept = [index for index in range(len(entry["boxes"])) if index not in entry["dropped"]]
        boxes, classes, scores = (
            [entry[field][index] for index in kept] for field in ("boxes", "classes", "scores")
        )
    return (
        np.array(boxes, np.float32).reshape(-1, 4),
        np.array(classes, np.int32),
        np.array(scores, np.float32),
    )


class Marks:
    """The marks of labels that are being made again, photo by photo in their order.

    Args:
        out: Folder of labels.
        shard_photos: Photos to a shard.

    Example:
        >>> Marks("nowhere", 256).entries
        {}
    """

    def __init__(self, out: str | os.PathLike, shard_photos: int):
        self.entries: dict[str, Entry] = {}
        self._out = out
        self._before = read(out)
        self._shard_photos = shard_photos
        self._photos = 0

    def apply(self, photo: records.LabeledPhoto) -> tuple[records.LabeledPhoto, Sequence[int]]:
        """The next photo as its marks leave it.

        Args:
            photo: As it was labeled again.

        Returns:
            (the photo, indices of the boxes that it does not have any more).
        """
        shard = records.shard_path(self._out, self._photos // self._shard_photos).name
        self._photos += 1
        if photo.filename not in self._before:
            return photo, ()
        entry = made_again(self._before[photo.filename], shard, photo)
        self.entries[photo.filename] = entry
        boxes, class_ids, scores = labels_of(entry)
        gone = range(len(photo.boxes)) if entry["ignored"] else entry["dropped"]
        return photo._replace(boxes=boxes, class_ids=class_ids, scores=scores), gone

    def counts(self) -> dict[str, int]:
        """What `dataset.json` counts of marks.

        Returns:
            `dropped_boxes` and `ignored_photos`; nothing where nobody has marked anything.
        """
        if not self._before:
            return {}
        return {
            "dropped_boxes": sum(len(entry["dropped"]) for entry in self.entries.values()),
            "ignored_photos": sum(bool(entry["ignored"]) for entry in self.entries.values()),
        }

    def write(self) -> None:
        """Writes them down for the next who marks."""
        if self._before:
            write(self._out, self.entries)

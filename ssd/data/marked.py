"""What people said of labels on the review page (`distill.review.marks`), photo by photo.

`progress/marked.json` in a folder of labels has an entry for each photo that is marked: what was
said of it before, and what people changed. Labels follow from an entry, so marks can be taken back,
and labels that are made again take them over (`ssd.data.remarked`).
"""

import copy
import json
import os
import pathlib
from typing import Any

import numpy as np

from ssd import atomic
from ssd.data import records

Entry = dict[str, Any]

# What people say, as it is where nobody has said anything.
_SILENCE = {"ignored": False, "drawn": 0, "dropped": [], "moved": {}, "reclassed": {}}


def read(out: str | os.PathLike) -> dict[str, Entry]:
    """The entries of a folder of labels, those included that were being taken in when it stopped.

    Args:
        out: Folder of labels.

    Returns:
        {name of the photo: entry}. An entry has `shard`, the name of the shard it is in; `boxes`,
        `classes` and `scores`, lists, what was said of it before it was marked, and after that the
        boxes that people drew; `drawn`, how many these are; `ignored`, whether the photo is;
        `dropped`, the indices of the boxes that are; `moved`, {index as text: the box's new
        place}; `reclassed`, {index as text: its new class}.

    Example:
        >>> read("nowhere")
        {}
    """
    journal, path = (pathlib.Path(out) / "progress" / f"{name}.json" for name in _FILES)
    if journal.exists():
        entries = json.loads(journal.read_text())["photos"]
    else:
        entries = json.loads(path.read_text()) if path.exists() else {}
    for entry in entries.values():  # some were written before there was as much to say
        entry.update({field: said for field, said in _silence().items() if field not in entry})
    return entries


_FILES = ("marking", "marked")


def _silence() -> Entry:
    return copy.deepcopy(_SILENCE)


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
    kept = {name: entry for name, entry in entries.items() if _says_something(entry)}
    atomic.write_text(path, json.dumps(kept) + "\n")
    journal.unlink(missing_ok=True)


def _says_something(entry: Entry) -> bool:
    return any(entry.get(field) for field in _SILENCE)


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
        **_silence(),
        "boxes": photo.boxes.tolist(),
        "classes": photo.class_ids.tolist(),
        "scores": photo.scores.tolist(),
    }


def by_people(entry: Entry) -> list[int]:
    """Which boxes are as people said, with place and class: drawn, moved or of another class.

    Args:
        entry: Of a photo.

    Returns:
        Their indices, whether they are dropped or not.

    Example:
        >>> photo = records.LabeledPhoto(
        ...     b"", "a.jpg", 9, 9, np.eye(2, 4), np.array([1, -1]), np.array([1.0, 0.7]))
        >>> by_people({**unmarked("shard-00000.tfrecord", photo), "reclassed": {"1": 1}})
        [1]
    """
    boxes, said = len(entry["boxes"]), len(entry["boxes"]) - entry["drawn"]
    changed = {*map(int, entry["moved"]), *map(int, entry["reclassed"])}
    return sorted(changed.union(range(said, boxes)))


def labels_of(entry: Entry) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Boxes, classes and scores of a photo as its marks leave them.

    A dropped box goes; a box that a person drew, moved or gave a class has score 1. A photo that is
    ignored has one region to ignore, which covers it all.

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
        boxes, class_ids, scores = [[0.0, 0.0, 1.0, 1.0]], [records.IGNORE], [1.0]
    else:
        kept = [index for index in range(len(entry["boxes"])) if index not in entry["dropped"]]
        sure = by_people(entry)
        boxes = [entry["moved"].get(str(index), entry["boxes"][index]) for index in kept]
        class_ids = [entry["reclassed"].get(str(index), entry["classes"][index]) for index in kept]
        scores = [1.0 if index in sure else entry["scores"][index] for index in kept]
    return (
        np.array(boxes, np.float32).reshape(-1, 4),
        np.array(class_ids, np.int32),
        np.array(scores, np.float32),
    )


COUNTED = ("dropped_boxes", "drawn_boxes", "moved_boxes", "reclassed_boxes", "ignored_photos")


def counts_of(entry: Entry) -> dict[str, int]:
    """What people changed on a photo.

    Args:
        entry: Its entry.

    Returns:
        Of the boxes that were said: `dropped_boxes`, and of those kept `moved_boxes` and
        `reclassed_boxes`; of those drawn and kept: `drawn_boxes`; and `ignored_photos`, 0 or 1.

    Example:
        >>> photo = records.LabeledPhoto(
        ...     b"", "a.jpg", 9, 9, np.eye(2, 4), np.array([1, 1]), np.array([1.0, 1.0]))
        >>> entry = {**unmarked("shard-00000.tfrecord", photo), "dropped": [1], "drawn": 1}
        >>> counts_of(entry)["dropped_boxes"], counts_of(entry)["drawn_boxes"]
        (0, 0)
    """
    said = range(len(entry["boxes"]) - entry["drawn"])
    kept = [index for index in said if index not in entry["dropped"]]
    dropped = len(said) - len(kept)
    return {
        "dropped_boxes": dropped,
        "drawn_boxes": entry["drawn"] - (len(entry["dropped"]) - dropped),
        "moved_boxes": sum(str(index) in entry["moved"] for index in kept),
        "reclassed_boxes": sum(str(index) in entry["reclassed"] for index in kept),
        "ignored_photos": int(entry["ignored"]),
    }

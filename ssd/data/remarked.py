"""Labels that are made again keep what people said of them (`ssd.data.marked`)."""

import os
from collections.abc import Mapping

import numpy as np

from ssd.boxes import iou
from ssd.data import marked, records
from ssd.data.marked import Entry

SAME_FACE = 0.5  # least IoU of a box that came anew with one that a person placed


def made_again(entry: Entry, shard: str, photo: records.LabeledPhoto) -> Entry:
    """The marks of a photo whose labels were made again.

    Boxes that are said again keep their marks. A box that a person placed (drew, moved or gave a
    class) stays where its own box is not said any more: one that came anew and overlaps it counts
    as its own, else it counts as drawn.

    Args:
        entry: Its entry as it was.
        shard: Name of the shard it is in now.
        photo: What is said of it now.

    Returns:
        Its entry as it is to be.

    Example:
        >>> photo = records.LabeledPhoto(
        ...     b"", "a.jpg", 9, 9, np.eye(2, 4), np.array([1, 1]), np.array([1.0, 1.0]))
        >>> old = marked.unmarked("shard-00000.tfrecord", photo._replace(boxes=np.eye(2, 4)[1:]))
        >>> made_again({**old, "dropped": [0]}, "shard-00000.tfrecord", photo)["dropped"]
        [1]
    """
    before, now = map(_places, (entry["boxes"], photo.boxes))
    said = before[: len(before) - entry["drawn"]]
    again = {**marked.unmarked(shard, photo), "ignored": entry["ignored"]}
    new = [index for index, place in enumerate(now) if place not in said]
    for index, place in enumerate(said):
        for same in (other for other, each in enumerate(now) if each == place):
            _carry(entry, index, again, same)
    for index in marked.by_people(entry):
        if index < len(said) and (said[index] in now or index in entry["dropped"]):
            continue
        own = _overlapping(_place(entry, index), [again["boxes"][other] for other in new])
        if own is None or index in entry["dropped"]:
            _draw(entry, index, again)
        else:
            _carry({**entry, **_as_placed(entry, index)}, index, again, new.pop(own))
    again["dropped"] = sorted(set(again["dropped"]))
    return again


def _places(boxes) -> list[tuple[float, ...]]:
    return [tuple(map(float, box)) for box in np.array(boxes, np.float32).reshape(-1, 4)]


def _place(entry: Entry, index: int) -> list[float]:
    return entry["moved"].get(str(index), entry["boxes"][index])


def _as_placed(entry: Entry, index: int) -> Entry:
    """Place and class of a box as marks on the box that takes its part."""
    class_id = entry["reclassed"].get(str(index), entry["classes"][index])
    return {"moved": {str(index): _place(entry, index)}, "reclassed": {str(index): class_id}}


def _carry(entry: Entry, index: int, again: Entry, to: int) -> None:
    """Marks of a box, on another box of another entry."""
    if index in entry["dropped"]:
        again["dropped"].append(to)
    for field in ("moved", "reclassed"):
        if str(index) in entry[field]:
            again[field][str(to)] = entry[field][str(index)]


def _overlapping(place: list[float], boxes: list[list[float]]) -> int | None:
    """Which of the boxes is that of the same face."""
    if not boxes:
        return None
    overlaps = iou([place], boxes)[0]
    best = int(np.argmax(overlaps))
    return best if overlaps[best] >= SAME_FACE else None


def _draw(entry: Entry, index: int, again: Entry) -> None:
    for field, value in (("boxes", entry["boxes"]), ("classes", entry["classes"])):
        again[field].append(value[index])
    again["scores"].append(1.0)
    again["drawn"] += 1
    _carry(entry, index, again, len(again["boxes"]) - 1)


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
        self._before = marked.read(out)
        self._shard_photos = shard_photos
        self._photos = 0

    def apply(self, photo: records.LabeledPhoto) -> tuple[records.LabeledPhoto, Mapping[int, str]]:
        """The next photo as its marks leave it.

        Args:
            photo: As it was labeled again.

        Returns:
            (the photo, {index of a box: what a person made of it}): `dropped`, `ignored` or, as
            placed by the person, `taken`.
        """
        shard = records.shard_path(self._out, self._photos // self._shard_photos).name
        self._photos += 1
        if photo.filename not in self._before:
            return photo, {}
        entry = made_again(self._before[photo.filename], shard, photo)
        self.entries[photo.filename] = entry
        boxes, class_ids, scores = marked.labels_of(entry)
        became = _became(entry, len(photo.boxes))
        return photo._replace(boxes=boxes, class_ids=class_ids, scores=scores), became

    def counts(self) -> dict[str, int]:
        """What `dataset.json` counts of marks.

        Returns:
            The fields of `ssd.data.marked.COUNTED`; nothing where nobody has marked anything.
        """
        if not self._before:
            return {}
        each = [marked.counts_of(entry) for entry in self.entries.values()]
        return {field: sum(counts[field] for counts in each) for field in marked.COUNTED}

    def write(self) -> None:
        """Writes them down for the next who marks."""
        if self._before:
            marked.write(self._out, self.entries)


def _became(entry: Entry, said: int) -> dict[int, str]:
    if entry["ignored"]:
        return dict.fromkeys(range(said), "dropped")
    class_ids = {**dict(enumerate(entry["classes"])), **_by_index(entry["reclassed"])}
    placed = {
        index: "ignored" if class_ids[index] == records.IGNORE else "taken"
        for index in marked.by_people(entry)
        if index < said
    }
    return {**placed, **dict.fromkeys(filter(said.__gt__, entry["dropped"]), "dropped")}


def _by_index(values: Mapping[str, int]) -> dict[int, int]:
    return {int(index): value for index, value in values.items()}

"""What marks make of what is known of one photo; `marks.py` takes them into a folder."""

import copy
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from distill.review import mark_files
from ssd.data import records
from ssd.data.marked import Entry

LEAST_SIDE = 4  # of a box that is drawn or moved, in pixels of the stored photo
# Words that stand in place of a class.
WITHOUT_CLASS = {"ignore": records.IGNORE, "unknown": records.UNKNOWN}


def mark(
    entry: Entry,
    marks: Iterable[Mapping[str, Any]],
    photo: records.LabeledPhoto,
    class_names: Sequence[str],
) -> Entry:
    """What people say of a photo once they have said more; of two contradictions the later holds.

    Args:
        entry: Its entry (`ssd.data.marked`).
        marks: As `distill.review.mark_files.read` gives them, all of this photo.
        photo: The photo; its labels do not matter.
        class_names: Names of the classes, the first for class 1.

    Returns:
        Another entry.

    Raises:
        ValueError: If a mark names a box or a class that is not there, or a place that no box can
            have.

    Example:
        >>> from ssd.data import marked
        >>> photo = records.LabeledPhoto(b"", "a.jpg", 100, 200, np.zeros([0, 4]), np.zeros(0),
        ...                               np.zeros(0))
        >>> drawn = {"photo": "a.jpg", "box": [0.25, 0, 0.5, 0.5], "draw": "face"}
        >>> entry = mark(marked.unmarked("shard-00000.tfrecord", photo), [drawn], photo, ["face"])
        >>> marked.labels_of(entry)[0].tolist()
        [[0.25, 0.0, 0.5, 0.5]]
    """
    entry = copy.deepcopy(entry)
    for each in marks:
        if "ignore" in each:
            entry["ignored"] = each["ignore"]
            continue
        meant = _named(entry, each["box"])
        verb = next(verb for verb in mark_files.VERBS if verb in each)
        if verb == "draw":
            _draw(entry, each, meant, photo, class_names)
            continue
        if not meant:
            raise ValueError(
                f"marks the box {each['box']} of {photo.filename!r}, which has no such box"
            )
        for index in meant:
            if verb == "drop":
                _set_dropped(entry, index, each["drop"])
            elif verb == "move":
                _set(entry["moved"], index, each["move"] and _place(each["move"], photo))
            else:
                said = each["class"] and _class_id(each["class"], photo, class_names)
                _set(entry["reclassed"], index, said)
    return entry


def _named(entry: Entry, box: Sequence[float]) -> list[int]:
    """The boxes of a photo that have this name: their place before any mark."""
    boxes = np.array(entry["boxes"], np.float32).reshape(-1, 4)
    return np.flatnonzero(np.all(boxes == np.array(box, np.float32), axis=-1)).tolist()


def _set(field: dict[str, Any], index: int, said: Any) -> None:
    if said is False:
        field.pop(str(index), None)
    else:
        field[str(index)] = said


def _set_dropped(entry: Entry, index: int, dropped: bool) -> None:
    others = set(entry["dropped"]) - {index}
    entry["dropped"] = sorted(others | {index} if dropped else others)


def _draw(
    entry: Entry,
    said: Mapping[str, Any],
    meant: Sequence[int],
    photo: records.LabeledPhoto,
    class_names: Sequence[str],
) -> None:
    """Draws a box; where there is one already, it is as if it were drawn now."""
    if said["draw"] is False:
        for index in reversed(meant):
            _take_away(entry, index)
        return
    class_id, place = _class_id(said["draw"], photo, class_names), _place(said["box"], photo)
    if not meant:
        meant = [len(entry["boxes"])]
        entry["boxes"].append(np.array(said["box"], np.float32).tolist())
        entry["classes"].append(class_id)
        entry["scores"].append(1.0)
        entry["drawn"] += 1
    for index in meant:
        same_place, same_class = entry["boxes"][index] == place, entry["classes"][index] == class_id
        _set_dropped(entry, index, False)
        _set(entry["moved"], index, False if same_place else place)
        _set(entry["reclassed"], index, False if same_class else class_id)


def _take_away(entry: Entry, index: int) -> None:
    """Takes a box that was drawn away, as if it had never been."""
    if index < len(entry["boxes"]) - entry["drawn"]:
        return
    for field in ("boxes", "classes", "scores"):
        del entry[field][index]
    entry["drawn"] -= 1
    entry["dropped"] = [each - (each > index) for each in entry["dropped"] if each != index]
    for field in ("moved", "reclassed"):
        kept = {int(each): value for each, value in entry[field].items() if int(each) != index}
        entry[field] = {str(each - (each > index)): value for each, value in kept.items()}


def _place(box: Sequence[float], photo: records.LabeledPhoto) -> list[float]:
    """Where a box can be, which is on the photo."""
    ymin, xmin, ymax, xmax = np.clip(np.array(box, np.float32), 0, 1).tolist()
    sides = ((ymax - ymin) * photo.height, (xmax - xmin) * photo.width)
    least = [min(LEAST_SIDE, side) for side in (photo.height, photo.width)]
    if any(side < wanted - 0.01 for side, wanted in zip(sides, least, strict=True)):
        raise ValueError(
            f"wanted a box [ymin, xmin, ymax, xmax] of {LEAST_SIDE} pixels and more on "
            f"{photo.filename!r}, got {list(box)}"
        )
    return [ymin, xmin, ymax, xmax]


def _class_id(name: str, photo: records.LabeledPhoto, class_names: Sequence[str]) -> int:
    if name in class_names:
        return class_names.index(name) + 1
    if name in WITHOUT_CLASS:
        return WITHOUT_CLASS[name]
    words = [*class_names, *WITHOUT_CLASS]
    raise ValueError(
        f"wanted a class of {', '.join(words[:-1])} or {words[-1]} on {photo.filename!r}, "
        f"got {name!r}"
    )

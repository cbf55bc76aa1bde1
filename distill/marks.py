"""What a person marked on the review page, taken into the labels.

A file of marks is JSON, `{"marks": [...]}`. Each mark names a photo and says one thing:

    {"photo": "trip/01.jpg", "ignore": true}                      nothing is learnt from this photo
    {"photo": "trip/02.jpg", "box": [0.1, 0.2, 0.3, 0.4], "drop": true}       no face: background

`false` takes a mark back, also one that an earlier file set. A box is named by its place,
`[ymin, xmin, ymax, xmax]` on the unit square of the stored photo, as the shard has it.

A dropped box goes. An ignored photo stays in its shard with one region to ignore that covers it
all, so that the photos labeled remain the photos counted. What the teacher said of a marked photo
is kept in `progress/marked.json`; from there marks can be taken back.

First all that is to change is written down, in `progress/marking.json`; then the shards it concerns
are replaced one by one, each whole. Whatever stops that, `finish_marks` goes on with it.
"""

import json
import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ssd import atomic
from ssd.data import manifest, marked, records
from ssd.data.marked import Entry
from ssd.lock import lock

COUNTED = ("dropped_boxes", "ignored_photos")  # in a shard's report and in dataset.json
_FIELDS = ("boxes", "ignored", "one_sided", *COUNTED)
_WANTED = (
    "wanted a photo with ignore true or false, or a photo with a box and drop true or false, got"
)


def apply_marks(out: str | os.PathLike, path: str | os.PathLike) -> dict[str, int]:
    """Takes a file of marks into the labels of a folder.

    The same file twice changes nothing; of two marks that contradict each other the later holds.

    Args:
        out: Folder of labels.
        path: File of marks, as the review page saves it.

    Returns:
        Counts as they are afterwards: `boxes`, `ignored`, `one_sided`, `dropped_boxes`,
        `ignored_photos`, and what else `dataset.json` counts once a run has ended.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is not one of marks, or names a photo or a box that is not there;
            nothing is changed.
        OSError: If the file cannot be read, or the folder not be written to.

    Example:
        >>> import tempfile
        >>> photo = records.LabeledPhoto(b"", "a.jpg", 9, 9, np.float32([[0, 0, 0.5, 0.5]]),
        ...                               np.int32([1]), np.float32([0.99]))
        >>> with tempfile.TemporaryDirectory() as out:
        ...     manifest.write(out, {"classes": ["face"]})
        ...     records.write_shard(records.shard_path(out, 0), [photo])
        ...     file = pathlib.Path(out, "marks.json")
        ...     _ = file.write_text('{"marks": [{"photo": "a.jpg", "ignore": true}]}')
        ...     counts = apply_marks(out, file)
        >>> counts["boxes"], counts["ignored_photos"]
        (0, 1)
    """
    out = pathlib.Path(out)
    about = manifest.read(out)
    wanted = _read_marks(path)
    with lock(out / "progress"):
        finish_marks(out)
        reports, entries = _survey(out, about, wanted, marked.read(out), path)
        plan = {"photos": entries, "reports": reports}
        atomic.write_text(out / "progress" / "marking.json", json.dumps(plan) + "\n")
        finish_marks(out)
    return {**_sum(reports), **manifest.read(out).get("counts", {})}


def finish_marks(out: str | os.PathLike) -> None:
    """Goes on with marks that were being taken in when something stopped it, if there are any.

    Args:
        out: Folder of labels; the caller holds the lock of its `progress`.

    Raises:
        OSError: If the folder cannot be written to.

    Example:
        >>> finish_marks("new")
    """
    out = pathlib.Path(out)
    journal = out / "progress" / "marking.json"
    if not journal.exists():
        return
    plan = json.loads(journal.read_text())
    about = manifest.read(out)
    for shard in sorted({entry["shard"] for entry in plan["photos"].values()}):
        _rewrite(out / shard, plan["photos"], about["classes"])
        report = out / "progress" / pathlib.Path(shard).with_suffix(".json")
        if report.exists():
            counts = {**json.loads(report.read_text()), **plan["reports"][shard]}
            atomic.write_text(report, json.dumps(counts) + "\n")
    if "counts" in about:  # a run that has not ended will count by itself
        sums = _sum(plan["reports"])
        known = {*about["counts"], *COUNTED}
        about["counts"].update({field: sums[field] for field in sums if field in known})
        manifest.write(out, about)
    marked.write(out, plan["photos"])


def find_one_sided(class_ids: ArrayLike, scores: ArrayLike, about: Mapping[str, Any]) -> np.ndarray:
    """Which regions to ignore are faces that one look is sure of and another does not see.

    Args:
        class_ids: int [boxes].
        scores: float32 [boxes].
        about: What `dataset.json` says.

    Returns:
        bool [boxes]; False everywhere without a second opinion.

    Example:
        >>> about = {"second_opinion": "mirror", "label": 0.95}
        >>> find_one_sided([1, -1, -1], [0.99, 0.98, 0.7], about)
        array([False,  True, False])
    """
    class_ids, scores = np.asarray(class_ids), np.asarray(scores)
    if not about.get("second_opinion"):
        return np.zeros(len(class_ids), bool)
    return (class_ids == records.IGNORE) & (scores >= about["label"])


def _sum(reports: Mapping[str, Mapping[str, int]]) -> dict[str, int]:
    return {field: sum(each[field] for each in reports.values()) for field in _FIELDS}


def _read_marks(path: str | os.PathLike) -> dict[str, list[dict]]:
    """{photo: marks}, in the order of the file."""
    try:
        content = json.loads(pathlib.Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise type(error)(f"{path}: wanted a file of marks ({error.strerror})") from None
    except UnicodeDecodeError:
        raise ValueError(f"{path}: wanted a file of marks, this is no text") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"{path}: wanted a file of marks, got no JSON ({error})") from None
    marks = content.get("marks") if isinstance(content, dict) else None
    if not isinstance(marks, list):
        raise ValueError(f'{path}: wanted a file of marks, {{"marks": [...]}}')
    by_photo: dict[str, list[dict]] = {}
    for mark in marks:
        if not _is_mark(mark):
            raise ValueError(f"{path}: {_WANTED} {json.dumps(mark)}")
        by_photo.setdefault(mark["photo"], []).append(mark)
    return by_photo


def _is_mark(mark: Any) -> bool:
    if not isinstance(mark, dict) or not isinstance(mark.get("photo"), str):
        return False
    if set(mark) == {"photo", "ignore"}:
        return isinstance(mark["ignore"], bool)
    if set(mark) == {"photo", "box", "drop"}:
        box = mark["box"]
        numbers = isinstance(box, list) and all(type(side) in (int, float) for side in box)
        return numbers and len(box) == 4 and isinstance(mark["drop"], bool)
    return False


def _survey(
    out: pathlib.Path,
    about: Mapping[str, Any],
    wanted: Mapping[str, Sequence[dict]],
    entries: Mapping[str, Entry],
    path: str | os.PathLike,
) -> tuple[dict[str, dict[str, int]], dict[str, Entry]]:
    """Counts of each shard as they will be, {name: counts}, and the entries of marked photos."""
    entries, reports, met = dict(entries), {}, set()
    for shard in records.shards(out):
        counts: dict[str, int] = dict.fromkeys(_FIELDS, 0)
        for photo in records.read_shard(shard):
            name = photo.filename
            if name in wanted:
                if name in met:
                    raise ValueError(f"{path}: {name!r} is the name of more than one photo")
                met.add(name)
                entry = entries.get(name) or marked.unmarked(shard.name, photo)
                entries[name] = _mark(entry, wanted[name], path)
            _count(counts, photo, entries.get(name), about)
        reports[shard.name] = counts
    for name in wanted:
        if name not in met:
            raise ValueError(f"{path}: marks the photo {name!r}, which {out} does not have")
    return reports, entries


def _mark(entry: Entry, marks: Sequence[dict], path: str | os.PathLike) -> Entry:
    ignored, dropped = entry["ignored"], set(entry["dropped"])
    boxes = np.array(entry["boxes"], np.float32).reshape(-1, 4)
    for mark in marks:
        if "ignore" in mark:
            ignored = mark["ignore"]
            continue
        meant = np.flatnonzero(np.all(boxes == np.array(mark["box"], np.float32), axis=-1)).tolist()
        if not meant:
            raise ValueError(
                f"{path}: marks the box {mark['box']} of {mark['photo']!r}, which has no such box"
            )
        dropped = dropped | set(meant) if mark["drop"] else dropped - set(meant)
    return {**entry, "ignored": ignored, "dropped": sorted(dropped)}


def _count(
    counts: dict[str, int],
    photo: records.LabeledPhoto,
    entry: Entry | None,
    about: Mapping[str, Any],
) -> None:
    class_ids, scores = photo.class_ids, photo.scores
    if entry:
        _, class_ids, scores = marked.labels_of(entry)
        counts["dropped_boxes"] += len(entry["dropped"])
        counts["ignored_photos"] += entry["ignored"]
    counts["boxes"] += int(np.sum(class_ids > 0))
    counts["ignored"] += int(np.sum(class_ids == records.IGNORE))
    if not (entry and entry["ignored"]):
        counts["one_sided"] += int(np.sum(find_one_sided(class_ids, scores, about)))


def _rewrite(path: pathlib.Path, entries: Mapping[str, Entry], class_names: Sequence[str]) -> None:
    """Replaces a shard by one with the marks in it, unless it has them already."""

    def with_marks(photo: records.LabeledPhoto) -> records.LabeledPhoto:
        entry = entries.get(photo.filename)
        if entry is None or entry["shard"] != path.name:
            return photo
        boxes, class_ids, scores = marked.labels_of(entry)
        return photo._replace(boxes=boxes, class_ids=class_ids, scores=scores)

    before = list(records.read_shard(path))
    after = [with_marks(photo) for photo in before]
    if any(
        not np.array_equal(old, new)
        for one, other in zip(before, after, strict=True)
        for old, new in zip(one[4:7], other[4:7], strict=True)
    ):
        records.write_shard(path, after, class_names=class_names)

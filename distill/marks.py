"""What a person marked on the review page, taken into the labels.

A file of marks is JSON, `{"marks": [...]}`. Each mark names a photo and says one thing:

    {"photo": "trip/01.jpg", "ignore": true}                      nothing is learnt from this photo
    {"photo": "trip/02.jpg", "box": [0.1, 0.2, 0.3, 0.4], "drop": true}       no face: background

`false` takes a mark back, also one that an earlier file set. A box is named by its place,
`[ymin, xmin, ymax, xmax]` on the unit square of the stored photo, as the shard has it.

A dropped box goes. An ignored photo stays in its shard with one region to ignore that covers it
all, so that the photos labelled remain the photos counted. What the teacher said of a marked photo
is kept in `progress/marked.json`; from there marks can be taken back.

First all that is to change is written down, in `progress/marking.json`; then the shards it concerns
are replaced one by one, each whole. Whatever stops that, `finish` goes on with it.
"""

import json
import pathlib

import numpy as np

from ssd import atomic
from ssd.data import manifest, records
from ssd.data import marked as marked_labels
from ssd.lock import lock

COUNTED = ("dropped_boxes", "ignored_photos")  # in a shard's report and in dataset.json
_FIELDS = ("faces", "ignored", "one_sided", *COUNTED)


def apply(out, path):
    """Takes a file of marks into the labels of a folder.

    The same file twice changes nothing; of two marks that contradict each other the later holds.

    Args:
        out: Folder of labels.
        path: File of marks, as the review page saves it.

    Returns:
        Counts as they are afterwards: `faces`, `ignored`, `one_sided`, `dropped_boxes`,
        `ignored_photos`, and what else `dataset.json` counts once a run has ended.

    Raises:
        ValueError: If the file is not one of marks, or names a photo or a box that is not there;
            nothing is changed.
    """
    out = pathlib.Path(out)
    about = manifest.read(out)
    wanted = _read_marks(path)
    with lock(out / "progress"):
        finish(out)
        reports, entries = _survey(out, about, wanted, marked(out), path)
        plan = {"photos": entries, "reports": reports}
        atomic.write_text(out / "progress" / "marking.json", json.dumps(plan) + "\n")
        finish(out)
    sums = {field: sum(each[field] for each in reports.values()) for field in _FIELDS}
    return {**sums, **manifest.read(out).get("counts", {})}


def finish(out):
    """Goes on with marks that were being taken in when something stopped it, if there are any.

    Args:
        out: Folder of labels; the caller holds the lock of its `progress`.
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
        sums = {field: sum(each[field] for each in plan["reports"].values()) for field in _FIELDS}
        sums["boxes"] = sums["faces"]  # as labels drawn by people call them
        known = {*about["counts"], *COUNTED}
        about["counts"].update({field: sums[field] for field in sums if field in known})
        manifest.write(out, about)
    marked_labels.write(out, plan["photos"])


def marked(out):
    """The photos of a folder of labels that a person has marked.

    Args:
        out: Folder of labels.

    Returns:
        {name: entry}. An entry is a dictionary: `shard`, the name of the shard the photo is in;
        `boxes`, `classes` and `scores`, lists, what was said of the photo before it was marked;
        `ignored`, whether the photo is; `dropped`, the indices of the boxes that are.
    """
    path = pathlib.Path(out) / "progress" / "marked.json"
    return json.loads(path.read_text()) if path.exists() else {}


def one_sided(classes, scores, about):
    """Which regions to ignore are faces that one look is sure of and another does not see.

    Args:
        classes: int [boxes].
        scores: float32 [boxes].
        about: What `dataset.json` says.

    Returns:
        bool [boxes]; False everywhere without a second opinion.

    Example:
        >>> about = {"second_opinion": "mirror", "label": 0.95}
        >>> one_sided(np.array([1, -1, -1]), np.float32([0.99, 0.98, 0.7]), about)
        array([False,  True, False])
    """
    if not about.get("second_opinion"):
        return np.zeros(len(classes), bool)
    return (np.asarray(classes) == records.IGNORE) & (np.asarray(scores) >= about["label"])


def _read_marks(path):
    """{photo: marks}, in the order of the file."""
    try:
        text = pathlib.Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise ValueError(f"{path}: wanted a file of marks ({error.strerror})") from None
    except UnicodeDecodeError:
        raise ValueError(f"{path}: wanted a file of marks, this is no text") from None
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"{path}: wanted a file of marks, got no JSON ({error})") from None
    marks = content.get("marks") if isinstance(content, dict) else None
    if not isinstance(marks, list):
        raise ValueError(f'{path}: wanted a file of marks, {{"marks": [...]}}')
    found = {}
    for mark in marks:
        if not _is_mark(mark):
            raise ValueError(
                f"{path}: wanted a photo with ignore true or false, or a photo with a box and "
                f"drop true or false, got {json.dumps(mark)}"
            )
        found.setdefault(mark["photo"], []).append(mark)
    return found


def _is_mark(mark):
    if not isinstance(mark, dict) or not isinstance(mark.get("photo"), str):
        return False
    if set(mark) == {"photo", "ignore"}:
        return isinstance(mark["ignore"], bool)
    if set(mark) == {"photo", "box", "drop"}:
        box = mark["box"]
        numbers = isinstance(box, list) and all(type(side) in (int, float) for side in box)
        return numbers and len(box) == 4 and isinstance(mark["drop"], bool)
    return False


def _survey(out, about, wanted, entries, path):
    """Counts of each shard as they will be, {name: counts}, and the entries of marked photos."""
    entries, reports, met = dict(entries), {}, set()
    for shard in records.shards(out):
        counts = dict.fromkeys(_FIELDS, 0)
        for photo in records.read_shard(shard):
            name = photo.filename
            if name in wanted:
                if name in met:
                    raise ValueError(f"{path}: {name!r} is the name of more than one photo")
                met.add(name)
                entry = entries.get(name) or marked_labels.unmarked(shard.name, photo)
                entries[name] = _mark(entry, wanted[name], path)
            _count(counts, photo, entries.get(name), about)
        reports[shard.name] = counts
    for name in wanted:
        if name not in met:
            raise ValueError(f"{path}: marks the photo {name!r}, which {out} does not have")
    return reports, entries


def _mark(entry, marks, path):
    ignored, dropped = entry["ignored"], set(entry["dropped"])
    boxes = np.float32(entry["boxes"]).reshape(-1, 4)
    for mark in marks:
        if "ignore" in mark:
            ignored = mark["ignore"]
            continue
        meant = np.flatnonzero(np.all(boxes == np.float32(mark["box"]), axis=-1)).tolist()
        if not meant:
            raise ValueError(
                f"{path}: marks the box {mark['box']} of {mark['photo']!r}, which has no such box"
            )
        dropped = dropped | set(meant) if mark["drop"] else dropped - set(meant)
    return {**entry, "ignored": ignored, "dropped": sorted(dropped)}


def _count(counts, photo, entry, about):
    classes, scores = photo.class_ids, photo.scores
    if entry:
        _, classes, scores = marked_labels.labels_of(entry)
        counts["dropped_boxes"] += len(entry["dropped"])
        counts["ignored_photos"] += entry["ignored"]
    counts["faces"] += int(np.sum(classes > 0))
    counts["ignored"] += int(np.sum(classes == records.IGNORE))
    if not (entry and entry["ignored"]):
        counts["one_sided"] += int(np.sum(one_sided(classes, scores, about)))


def _rewrite(path, entries, names):
    """Replaces a shard by one with the marks in it, unless it has them already."""

    def relabelled(photo):
        entry = entries.get(photo.filename)
        if entry is None or entry["shard"] != path.name:
            return photo
        boxes, classes, scores = marked_labels.labels_of(entry)
        return photo._replace(boxes=boxes, class_ids=classes, scores=scores)

    photos = list(records.read_shard(path))
    after = [relabelled(photo) for photo in photos]
    if any(
        not np.array_equal(old, new)
        for before, now in zip(photos, after, strict=True)
        for old, new in zip(before[4:], now[4:], strict=True)
    ):
        records.write_shard(path, after, class_names=names)

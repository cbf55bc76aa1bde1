"""What a person marked on the review page, taken into the labels.

A dropped box goes; one that a person drew, moved or gave a class is as that person says. An ignored
photo stays in its shard with one region to ignore that covers it all, so that the photos labeled
remain the photos counted. `mark_files.py` has the form of a file of marks. What the teacher
said of a marked photo is kept in `progress/marked.json`; from there marks can be taken back.

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

from distill.review import mark_files
from distill.review.mark_voting import vote_on_marks
from distill.review.marking import mark
from ssd import atomic
from ssd.data import manifest, marked, records
from ssd.data.marked import COUNTED, Entry
from ssd.data.remarked import made_again
from ssd.lock import lock

_FIELDS = ("boxes", "ignored", "one_sided", *COUNTED)  # in a shard's report and in dataset.json


def apply_marks(
    out: str | os.PathLike, path: str | os.PathLike, *others: str | os.PathLike
) -> dict[str, int]:
    """Takes a file of marks into the labels of a folder, or several people's files by their vote.

    The same file twice changes nothing; of two marks that contradict each other the later holds.

    Args:
        out: Folder of labels.
        path: File of marks, as the review page saves it.
        others: Those of other people who have looked at the same labels
            (`distill.review.mark_voting.vote_on_marks`).

    Returns:
        Counts as they are afterwards: `boxes`, `ignored`, `one_sided`, `dropped_boxes`,
        `drawn_boxes`, `moved_boxes`, `reclassed_boxes`, `ignored_photos`, and what else
        `dataset.json` counts once a run has ended; with several files also `agreed` and `disputed`,
        boxes and photos of which most people say the same, and others.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is not one of marks, or names a photo, a box or a class that is not
            there, or a place that no box can have; nothing is changed.
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
    voted = vote_on_marks([mark_files.read(each) for each in (path, *others)])
    source = ", ".join(map(str, (path, *others)))
    with lock(out / "progress"):
        finish_marks(out)
        reports, entries = _survey(out, about, voted.marks, marked.read(out), source)
        plan = {"photos": entries, "reports": reports}
        atomic.write_text(out / "progress" / "marking.json", json.dumps(plan) + "\n")
        finish_marks(out)
    counts = {**_sum(reports), **manifest.read(out).get("counts", {})}
    if others:
        counts |= {"agreed": voted.agreed, "disputed": voted.disputed}
    return counts


def mark_again(
    out: str | os.PathLike,
    shard: str,
    photos: Sequence[records.LabeledPhoto],
    about: Mapping[str, Any],
) -> tuple[list[records.LabeledPhoto], dict[str, int]]:
    """Photos whose labels were made again, as their marks leave them (`ssd.data.remarked`).

    Args:
        out: Folder of labels; the caller holds the lock of its `progress`, and writes the shard.
        shard: Name of the shard that the photos are to be in.
        photos: As they are labeled now.
        about: What `dataset.json` says.

    Returns:
        The photos, and what the shard counts; no counts where nobody has marked any of them.

    Example:
        >>> mark_again("nowhere", "shard-00000.tfrecord", [], {})
        ([], {})
    """
    entries = marked.read(out)
    again = {
        photo.filename: made_again(entries[photo.filename], shard, photo)
        for photo in photos
        if photo.filename in entries
    }
    if not again:
        return [*photos], {}
    marked.write(out, {**entries, **again})
    counts: dict[str, int] = dict.fromkeys(_FIELDS, 0)
    for photo in photos:
        _count(counts, photo, again.get(photo.filename), about)
    return [_as_marked(photo, again.get(photo.filename)) for photo in photos], counts


def count_labels(out: str | os.PathLike, about: Mapping[str, Any]) -> dict[str, int]:
    """What the shards of a folder hold, and what of it people changed.

    Args:
        out: Folder of labels.
        about: What `dataset.json` says.

    Returns:
        As `apply_marks` counts.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as out:
        ...     records.write_shard(records.shard_path(out, 0), [])
        ...     count_labels(out, {})["boxes"]
        0
    """
    return _sum(_survey(out, about, {}, marked.read(out), out)[0])


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


def _survey(
    out: str | os.PathLike,
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
                try:
                    entries[name] = mark(entry, wanted[name], photo, about["classes"])
                except ValueError as error:
                    raise ValueError(f"{path}: {error}") from None
            _count(counts, photo, entries.get(name), about)
        reports[shard.name] = counts
    for name in wanted:
        if name not in met:
            raise ValueError(f"{path}: marks the photo {name!r}, which {out} does not have")
    return reports, entries


def _count(
    counts: dict[str, int],
    photo: records.LabeledPhoto,
    entry: Entry | None,
    about: Mapping[str, Any],
) -> None:
    class_ids, scores = photo.class_ids, photo.scores
    if entry:
        _, class_ids, scores = marked.labels_of(entry)
        for field, value in marked.counts_of(entry).items():
            counts[field] += value
    counts["boxes"] += int(np.sum(class_ids != records.IGNORE))
    counts["ignored"] += int(np.sum(class_ids == records.IGNORE))
    if entry:  # of what a person said no look is asked
        settled = {*entry["dropped"], *marked.by_people(entry)}
        left = () if entry["ignored"] else sorted({*range(len(entry["boxes"]))} - settled)
        class_ids = [entry["classes"][index] for index in left]
        scores = [entry["scores"][index] for index in left]
    counts["one_sided"] += int(np.sum(find_one_sided(class_ids, scores, about)))


def _as_marked(photo: records.LabeledPhoto, entry: Entry | None) -> records.LabeledPhoto:
    if entry is None:
        return photo
    boxes, class_ids, scores = marked.labels_of(entry)
    return photo._replace(boxes=boxes, class_ids=class_ids, scores=scores)


def _rewrite(path: pathlib.Path, entries: Mapping[str, Entry], class_names: Sequence[str]) -> None:
    """Replaces a shard by one with the marks in it, unless it has them already."""
    before = list(records.read_shard(path))
    after = []
    for photo in before:
        entry = entries.get(photo.filename)
        after.append(_as_marked(photo, entry if entry and entry["shard"] == path.name else None))
    if any(
        not np.array_equal(old, new)
        for one, other in zip(before, after, strict=True)
        for old, new in zip(one[4:7], other[4:7], strict=True)
    ):
        records.write_shard(path, after, class_names=class_names)

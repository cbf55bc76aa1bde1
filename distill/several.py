"""Several teachers in one run: each labels all photos, then they are put to the vote.

What each of them says stays in `OUT/raters/NAME`, a folder of labels like any other. A shard of
`OUT` holds what they say together of the photos of the first rater's shard of that name; one that
exists is done. So a run can be stopped at any moment, and marks of people stay.
"""

import dataclasses
import itertools
import os
import pathlib
import shutil
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from distill.engine import local
from distill.labeling import Folders, as_list, describe, find_or_refuse, label
from distill.options import Options
from distill.photo_files import common_folder
from distill.review import marks
from distill.votes.columns import join, pair_up, read_columns
from distill.votes.panel import Panel
from distill.votes.rules import Rules
from ssd import atomic
from ssd.data import manifest, records
from ssd.lock import lock

_SHARED = ("max_side", "max_pixels", "shard_photos")  # what raters of one run have alike


def label_by_vote(
    source: Folders,
    out: str | os.PathLike,
    raters: Sequence[Options],
    *,
    kept: Sequence[str] = (),
    geometry: str | None = None,
    rules: Rules | None = None,
    engine: Callable[..., Any] = local,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, int]:
    """Labels photos with several teachers; goes on where an earlier run stopped.

    Args:
        source: Folder of photos, searched recursively, or several (`distill.labeling.label`).
        out: Folder for the labels. Made if missing; may hold an earlier run of the same.
        raters: `Options` of each, in any order.
        kept: Names (`Options.name`) of those whose word alone makes a face.
        geometry: Name of the one that says where a face ends; None: the mean of all.
        rules: `distill.votes.rules.Rules`; by default the usual ones.
        engine: Where the work is done: `distill.engine.local`, or another generator like it.
        progress: Called with (photos done, photos in all); each photo counts once for each
            teacher, and once for the vote.

    Returns:
        The counts, as `dataset.json` holds them: those of `distill.labeling.label`, and
        `left_out`, photos that not all raters could read.

    Raises:
        FileNotFoundError: If there is no such folder of photos.
        ValueError: If it holds no photo, `out` holds something else, or raters do not go together.
        OSError: If photos cannot be read for a reason that may pass, or `out` not be written to.

    Example:
        >>> label_by_vote("photos", "out", [Options()])
        Traceback (most recent call last):
        ValueError: wanted two or more raters, each once, got mtcnn
    """
    out, rules = pathlib.Path(out), rules or Rules()
    raters = sorted(raters, key=lambda options: options.name)
    names = [options.name for options in raters]
    panel = Panel(names, kept=kept, geometry=geometry, rules=rules)
    for field in _SHARED:
        if len({getattr(options, field) for options in raters}) > 1:
            raise ValueError(f"{field}: wanted the same for all raters of a run")
    common, inside = common_folder(as_list(source))
    about = {
        **describe(common, inside),
        "raters": {options.name: options.describe() for options in raters},
        "kept": sorted(set(kept)),
        "geometry": geometry,
        **dataclasses.asdict(rules),
    }
    earlier = manifest.claim(out, {"folders": None, **about})
    find_or_refuse(common, inside, out)
    folders = [out / "raters" / name for name in names]
    with lock(out / "progress"):
        for path in atomic.stale(out):
            path.unlink()  # of a run that was killed; the lock says that none is writing
        marks.finish_marks(out)
        if earlier is None:
            manifest.write(out, {**about, "complete": False})
        count = _Count(len(raters) + 1, progress)
        of_each = []
        for folder, options in zip(folders, raters, strict=True):
            of_each.append(
                label(source, folder, options, engine=engine, progress=count, leave_out=out)
            )
            count.finish_pass()
        done = (earlier or {}).get("counts", {})
        if (earlier or {}).get("complete") and _is_voted(folders[0], out):
            return done
        voted, about["comparison"] = _vote(out, folders, panel, about, count)
        counts = {**of_each[0], "one_sided": 0}
        counts.update({field: done.get(field, 0) for field in marks.COUNTED})
        counts.update(voted, left_out=counts["labeled"] - voted["labeled"])
        with atomic.whole(out / "errors.csv") as temporary:
            shutil.copyfile(folders[0] / "errors.csv", temporary)
        manifest.write(out, {**about, "complete": True, "counts": counts})
    return counts


class _Count:
    """Counts photos over several passes, each of which begins anew."""

    def __init__(self, passes: int, progress: Callable[[int, int], None]):
        self._passes, self._progress = passes, progress
        self._finished, self.total = 0, 0

    def __call__(self, done: int, total: int) -> None:
        self.total = total
        self._progress(self._finished * total + done, self._passes * total)

    def finish_pass(self) -> None:
        self._finished += 1


def _is_voted(first: pathlib.Path, out: pathlib.Path) -> bool:
    return all((out / path.name).exists() for path in records.shards(first))


def _vote(
    out: pathlib.Path,
    folders: Sequence[pathlib.Path],
    panel: Panel,
    about: Mapping[str, Any],
    count: _Count,
) -> tuple[dict[str, int], dict[str, Any]]:
    """Writes the shards that are missing; what all of them hold, and how raters differ."""
    labels = [read_columns(folder) for folder in folders]
    voted, comparison = panel.decide(join(labels)[0])
    names, photos = iter(labels[0].names), {each.filename: each for each in voted.to_photos()}
    counts = {"labeled": 0, "boxes": 0, "ignored": 0}
    for path in records.shards(folders[0]):
        target = out / path.name
        some = [*pair_up(records.read_serialized([path]), names, photos)]
        if not target.exists():
            marked, _ = marks.mark_again(out, path.name, [photo for _, photo in some], about)
            voted_on = zip((record for record, _ in some), marked, strict=True)
            records.write_records(target, itertools.starmap(records.relabel, voted_on))
        for photo in records.read_shard(target):  # people's marks may be in it
            counts["labeled"] += 1
            counts["boxes"] += int(np.sum(photo.class_ids != records.IGNORE))
            counts["ignored"] += int(np.sum(photo.class_ids == records.IGNORE))
        count(counts["labeled"], max(count.total, counts["labeled"]))
    count(count.total, count.total)
    return counts, comparison

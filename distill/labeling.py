"""A folder of photos labelled shard by shard, so that a run can be stopped at any moment.

What is to be done is written down first: `progress/plan.jsonl` has one line for each shard, the
names of its photos. A shard that exists is done. Whatever stops a run, the same command goes on
with the shards that are missing, and the labels are those of a run that nothing stopped.
"""

import contextlib
import csv
import dataclasses
import io
import json
import pathlib
from typing import NamedTuple

from distill import marks
from distill.engine import local
from distill.options import Options as Options
from distill.photo_files import find_photos
from distill.shard import read_photo
from ssd import atomic
from ssd.data import manifest, records
from ssd.lock import lock


class Progress(NamedTuple):
    """How far a run is.

    Args:
        done: Photos dealt with, by this run or an earlier one.
        fresh: How many of them by this run.
        total: Photos there are.
        faces: Faces found on those done.
    """

    done: int
    fresh: int
    total: int
    faces: int


def label(source, out, options, *, engine=local, progress=lambda state: None):
    """Labels every photo under a folder; goes on where an earlier run stopped.

    Args:
        source: Folder of photos, searched recursively.
        out: Folder for the labels. Made if missing; may hold an earlier run of the same.
        options: `Options`.
        engine: Where the work is done: `distill.engine.local`, or another generator like it.
        progress: Called with a `Progress` at the start and after every few photos.

    Returns:
        The counts, as `dataset.json` holds them: `photos` (files found), `labelled`, `errors`,
        `faces`, `ignored` (regions; `one_sided` of them are sure faces that not every look sees),
        `repaired` (photos whose file had to be encoded anew to be decoded again),
        `closed_folders` (that may not be read) and `other_files`.

    Raises:
        FileNotFoundError: If there is no folder `source`.
        ValueError: If `source` holds no photo, or `out` something else.
        OSError: If photos cannot be read for a reason that may pass, or `out` not be written to.
    """
    source, out = pathlib.Path(source), pathlib.Path(out)
    if not source.is_dir():
        raise FileNotFoundError(f"{source}: wanted a folder of photos, there is no such folder")
    about = {
        "classes": ["face"],
        "source": str(source.resolve()),
        **dataclasses.asdict(options),
    }
    earlier = manifest.claim(out, about)
    found = find_photos(source, leave_out=out)
    if not found.names and not found.refused:
        raise ValueError(
            f"{source}: wanted a folder of photos, found none among {found.other_files} files"
        )
    with lock(out / "progress"):
        for path in [*atomic.stale(out), *atomic.stale(out / "progress")]:
            path.unlink()  # of a run that was killed; the lock says that none is writing
        marks.finish(out)
        shards = _read_plan(out)
        done = {i for i in range(len(shards)) if records.shard_path(out, i).exists()}
        reports = {index: _read_report(out, index) for index in sorted(done)}
        again = _readable_now(source, found, shards, reports, options)
        shards = _extend_plan(out, shards, found, again, options.shard_photos)
        if earlier is None:
            manifest.write(out, {**about, "complete": False})
        todo, missing = _split_off_missing(shards, done, found)
        count = _Count(shards, reports, missing)
        progress(count.state())
        with contextlib.closing(engine(source, todo, options)) as work:
            for index, parts, whole in work:
                if whole:
                    reports[index] = _report(parts, missing[index])
                    _write_report(out, index, reports[index])
                    shard = (photo for part in parts for photo in part.labelled)
                    records.write_shard(records.shard_path(out, index), shard)
                count.take(index, parts)
                progress(count.state())
        return _finish(out, about, shards, reports, found)


def _read_plan(out):
    """The photos of each shard."""
    path = out / "progress" / "plan.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def _extend_plan(out, shards, found, again, shard_photos):
    """The shards, and more of them: for photos new since an earlier run, or readable only now."""
    known = {name for shard in shards for name in shard}.difference(again)
    new = [name for name in sorted([*found.names, *found.refused]) if name not in known]
    if new:
        more = [new[start : start + shard_photos] for start in range(0, len(new), shard_photos)]
        shards = [*shards, *more]
        text = "".join(json.dumps(shard) + "\n" for shard in shards)
        atomic.write_text(out / "progress" / "plan.jsonl", text)
    return shards


def _errors(shards, reports):
    """[name, reason] of the photos that were refused, and not taken again since."""
    last = {name: index for index, shard in enumerate(shards) for name in shard}
    return [
        [name, reason]
        for index in sorted(reports)
        for name, reason in reports[index]["errors"]
        if last[name] == index
    ]


def _readable_now(source, found, shards, reports, options):
    """Photos that an earlier run refused and this one need not: copied to the end since, say."""
    there = set(found.names)
    return [
        name
        for name, _ in _errors(shards, reports)
        if name in there and not isinstance(read_photo(source, name, options), str)
    ]


def _split_off_missing(shards, done, found):
    """What is left to label, {shard: names}, and what of it is not there, {shard: errors}."""
    there = set(found.names)
    todo, missing = {}, {}
    for index, names in enumerate(shards):
        if index not in done:
            todo[index] = [name for name in names if name in there]
            missing[index] = [
                [name, found.refused.get(name, "no longer there")]
                for name in names
                if name not in there
            ]
    return todo, missing


class _Count:
    """Counts photos and faces as shards grow, whole or not, and begin anew."""

    def __init__(self, shards, reports, missing):
        self.total = len({name for shard in shards for name in shard})
        again = sum(map(len, shards)) - self.total
        dealt_with = sum(report["photos"] for report in reports.values()) - again
        self.before = dealt_with + sum(map(len, missing.values()))
        self.fresh = 0
        self.faces = sum(report["faces"] for report in reports.values())
        self.counted = {}  # shard -> its photos and faces counted so far

    def take(self, index, parts):
        now = sum(part.photos for part in parts), sum(part.faces for part in parts)
        earlier = self.counted.get(index, (0, 0))
        self.fresh += now[0] - earlier[0]
        self.faces += now[1] - earlier[1]
        self.counted[index] = now

    def state(self):
        return Progress(self.before + self.fresh, self.fresh, self.total, self.faces)


def _report(parts, missing):
    labelled = sum(len(part.labelled) for part in parts)
    errors = sorted([*missing, *(error for part in parts for error in part.errors)])
    return {
        "photos": labelled + len(errors),
        "labelled": labelled,
        "faces": sum(part.faces for part in parts),
        "ignored": sum(part.ignored for part in parts),
        "one_sided": sum(part.one_sided for part in parts),
        "repaired": sum(part.repaired for part in parts),
        "errors": errors,
    }


def _report_path(out, index):
    return out / "progress" / f"shard-{index:05d}.json"


def _write_report(out, index, report):
    atomic.write_text(_report_path(out, index), json.dumps(report) + "\n")


def _read_report(out, index):
    return json.loads(_report_path(out, index).read_text())


def _finish(out, about, shards, reports, found):
    def total(field):
        return sum(report.get(field, 0) for report in reports.values())

    errors = _errors(shards, reports)
    counts = {
        "photos": len({name for shard in shards for name in shard}),
        "labelled": total("labelled"),
        "errors": len(errors),
        "faces": total("faces"),
        "ignored": total("ignored"),
        "one_sided": total("one_sided"),
        "repaired": total("repaired"),
        **{field: total(field) for field in marks.COUNTED},
        "closed_folders": len(found.closed_folders),
        "other_files": found.other_files,
    }
    if counts["labelled"] + counts["errors"] != counts["photos"]:
        raise RuntimeError(f"{out}: photos are unaccounted for: {counts}")
    closed = ([f"{folder}/", reason] for folder, reason in found.closed_folders.items())
    text = io.StringIO(newline="")
    csv.writer(text).writerows([["photo", "reason"], *errors, *closed])
    atomic.write_text(out / "errors.csv", text.getvalue())
    manifest.write(out, {**about, "complete": True, "counts": counts})
    return counts

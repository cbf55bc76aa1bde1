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
import os
import pathlib
from typing import NamedTuple

from distill import marks
from distill.engine import local
from distill.lock import lock
from distill.options import Options as Options
from ssd import atomic
from ssd.data import manifest, records

SUFFIXES = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp", ".dib", ".gif", ".tif", ".tiff"),
    *(".avif", ".heic", ".heif", ".jp2", ".pbm", ".pgm", ".ppm", ".pnm", ".tga"),
)


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
        `faces`, `ignored`
        (regions; `one_sided` of them are sure faces that not every look sees) and `other_files`.

    Raises:
        ValueError: If `source` is missing or holds no photo, or `out` holds something else.
    """
    source, out = pathlib.Path(source), pathlib.Path(out)
    if not source.is_dir():
        raise ValueError(f"{source}: wanted a folder of photos, there is no such folder")
    about = {
        "classes": ["face"],
        "source": str(source.resolve()),
        **dataclasses.asdict(options),
    }
    earlier = manifest.claim(out, about)
    names, other_files = find_photos(source, leave_out=out)
    if not names and earlier is None:
        raise ValueError(
            f"{source}: wanted a folder of photos, found none among {other_files} files"
        )
    with lock(out / "progress"):
        for stale in [*out.glob(".*.part"), *(out / "progress").glob(".*.part")]:
            stale.unlink()  # of a run that was killed; the lock says that none is writing
        marks.finish(out)
        plan = _plan(out, names, options.shard_photos)
        if earlier is None:
            manifest.write(out, {**about, "complete": False})
        done = {i for i in range(len(plan)) if records.shard_path(out, i).exists()}
        reports = {index: _read_report(out, index) for index in sorted(done)}
        todo = {index: names for index, names in enumerate(plan) if index not in done}
        count = _Count(plan, reports)
        progress(count.state())
        with contextlib.closing(engine(source, todo, options)) as work:
            for index, parts, whole in work:
                if whole:
                    reports[index] = _report(parts)
                    _write_report(out, index, reports[index])
                    shard = (photo for part in parts for photo in part.labelled)
                    records.write_shard(records.shard_path(out, index), shard)
                count.take(index, parts)
                progress(count.state())
        return _finish(out, about, plan, reports, other_files)


def find_photos(folder, *, leave_out=None):
    """The names of all photos under a folder, sorted, as paths inside it.

    A file is taken for a photo by the suffix of its name or, failing that, by its first bytes.
    Names that start with a dot are passed over. Links are followed; each folder is visited once.

    Args:
        folder: Where to look.
        leave_out: A folder to pass over.

    Returns:
        (names with `/`, number of files that are no photos).
    """
    names, other = [], 0
    seen = set()
    left_out = os.path.realpath(leave_out) if leave_out else None
    for path, folders, files in os.walk(folder, followlinks=True):
        status = os.stat(path)
        if (status.st_dev, status.st_ino) in seen or os.path.realpath(path) == left_out:
            folders.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in files:
            full = os.path.join(path, name)
            if not name.startswith(".") and _looks_like_photo(full):
                names.append(os.path.relpath(full, folder).replace(os.sep, "/"))
            else:
                other += 1
    return sorted(names), other


def _looks_like_photo(path):
    if os.path.splitext(path)[1].lower() in SUFFIXES:
        return True
    try:
        with open(path, "rb") as file:
            start = file.read(16)
    except OSError:
        return False
    return start.startswith(
        (b"\xff\xd8\xff", b"\x89PNG\r\n", b"GIF8", b"BM", b"II*\0", b"MM\0*")
    ) or (start[:4] == b"RIFF" and start[8:12] == b"WEBP")


def _plan(out, names, shard_photos):
    """The photos of each shard. Photos new since an earlier run go into shards of their own."""
    path = out / "progress" / "plan.jsonl"
    plan = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    known = {name for shard in plan for name in shard}
    new = [name for name in names if name not in known]
    if new:
        plan += [new[start : start + shard_photos] for start in range(0, len(new), shard_photos)]
        atomic.write_text(path, "".join(json.dumps(shard) + "\n" for shard in plan))
    return plan


class _Count:
    """Counts photos and faces as shards grow, whole or not, and begin anew."""

    def __init__(self, plan, reports):
        self.total = sum(map(len, plan))
        self.before = sum(report["photos"] for report in reports.values())
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


def _report(parts):
    labelled = sum(len(part.labelled) for part in parts)
    errors = [error for part in parts for error in part.errors]
    return {
        "photos": labelled + len(errors),
        "labelled": labelled,
        "faces": sum(part.faces for part in parts),
        "ignored": sum(part.ignored for part in parts),
        "one_sided": sum(part.one_sided for part in parts),
        "errors": errors,
    }


def _report_path(out, index):
    return out / "progress" / f"shard-{index:05d}.json"


def _write_report(out, index, report):
    atomic.write_text(_report_path(out, index), json.dumps(report) + "\n")


def _read_report(out, index):
    return json.loads(_report_path(out, index).read_text())


def _finish(out, about, plan, reports, other_files):
    def total(field):
        return sum(report[field] for report in reports.values())

    errors = [error for index in sorted(reports) for error in reports[index]["errors"]]
    counts = {
        "photos": sum(map(len, plan)),
        "labelled": total("labelled"),
        "errors": len(errors),
        "faces": total("faces"),
        "ignored": total("ignored"),
        "one_sided": total("one_sided"),
        **{field: sum(r.get(field, 0) for r in reports.values()) for field in marks.COUNTED},
        "other_files": other_files,
    }
    if counts["labelled"] + counts["errors"] != counts["photos"]:
        raise RuntimeError(f"{out}: photos are unaccounted for: {counts}")
    text = io.StringIO(newline="")
    csv.writer(text).writerows([["photo", "reason"], *errors])
    atomic.write_text(out / "errors.csv", text.getvalue())
    manifest.write(out, {**about, "complete": True, "counts": counts})
    return counts

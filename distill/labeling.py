"""A folder of photos labeled shard by shard, so that a run can be stopped at any moment.

What is to be done is written down first (`distill.planning`). A shard that exists is done. Whatever
stops a run, the same command goes on with the shards that are missing, and the labels are those of
a run that nothing stopped.
"""

import contextlib
import csv
import io
import json
import os
import pathlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from distill.engine import local
from distill.options import Options as Options
from distill.photo_files import PhotoFiles, common_folder, find_photos
from distill.planning import (
    Shards,
    extend_plan,
    parse,
    read_plan,
    readable_now,
    refused_photos,
    split_off_missing,
)
from distill.review import marks
from distill.shard import Part, read_photo
from ssd import atomic
from ssd.data import manifest, marked, records
from ssd.lock import lock
from ssd.old_names import renamed

Folders = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]  # of photos: one, or several
SUMMED = ("labeled", "boxes", "ignored", "one_sided", "repaired", *marked.COUNTED)


def label(
    source: Folders,
    out: str | os.PathLike,
    options: Options,
    *,
    engine: Callable[..., Any] = local,
    progress: Callable[[int, int], None] = lambda done, total: None,
    leave_out: str | os.PathLike | None = None,
) -> dict[str, int]:
    """Labels every photo under a folder; goes on where an earlier run stopped.

    Args:
        source: Folder of photos, searched recursively, or several. The name of a photo is its
            path inside the folder, of several inside the innermost folder that all are in.
        out: Folder for the labels. Made if missing; may hold an earlier run of the same.
        options: `Options`.
        engine: Where the work is done: `distill.engine.local`, or another generator like it.
        progress: Called with (photos done, photos in all) at the start and after every few.
        leave_out: A folder that holds no photos to label; by default `out`.

    Returns:
        The counts, as `dataset.json` holds them: `photos` (files found), `labeled`, `errors`,
        `boxes` (faces to learn), `ignored` (regions; `one_sided` of them are sure faces that not
        every look sees),
        `repaired` (photos whose file had to be encoded anew to be decoded again),
        `closed_folders` (that may not be read) and `other_files`.

    Raises:
        FileNotFoundError: If there is no such folder of photos.
        ValueError: If it holds no photo, or `out` something else.
        OSError: If photos cannot be read for a reason that may pass, or `out` not be written to.

    Example:
        >>> import tempfile
        >>> from PIL import Image
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     Image.new("RGB", (64, 48)).save(f"{folder}/black.jpg")
        ...     counts = label(folder, f"{folder}/labels", Options())
        >>> counts["photos"], counts["boxes"]
        (1, 0)
    """
    out = pathlib.Path(out)
    source, inside = common_folder(as_list(source))
    about = {**describe(source, inside), **options.describe()}
    earlier = manifest.claim(out, {"folders": None, **about})
    found = find_or_refuse(source, inside, leave_out or out)
    with lock(out / "progress"):
        for path in [*atomic.stale(out), *atomic.stale(out / "progress")]:
            path.unlink()  # of a run that was killed; the lock says that none is writing
        marks.finish_marks(out)
        shards, reports = _begin(source, out, found, options)
        if earlier is None:
            manifest.write(out, {**about, "complete": False})
        names, missing = split_off_missing(shards, reports, found)
        count = _Count(shards, reports, missing)
        progress(count.done, count.total)
        with contextlib.closing(engine(source, names, options)) as work:
            for index, parts, whole in work:
                if whole:
                    reports[index] = _write(out, index, parts, missing[index], about)
                count.take(index, parts)
                progress(count.done, count.total)
        return _finish(out, about, shards, reports, found)


def as_list(source: Folders) -> Sequence[str | os.PathLike[str]]:
    """The folders of photos that an argument names.

    Args:
        source: One, or several.

    Returns:
        A list of them.

    Example:
        >>> as_list("photos")
        ['photos']
    """
    return [source] if isinstance(source, str | os.PathLike) else source


def describe(source: pathlib.Path, inside: Sequence[str]) -> dict[str, Any]:
    """Where photos come from, as `dataset.json` has it.

    Args:
        source: The folder that all are in.
        inside: The folders in it that were named.

    Returns:
        A dictionary; of several folders it has `folders`.

    Example:
        >>> describe(pathlib.Path("/photos"), ["2024", "2025"])["folders"]
        ['2024', '2025']
    """
    about = {"classes": ["face"], "source": str(source.resolve())}
    return about if inside == ["."] else {**about, "folders": [*inside]}


def find_or_refuse(
    source: pathlib.Path, inside: Sequence[str], leave_out: str | os.PathLike
) -> PhotoFiles:
    """The photos to label.

    Args:
        source: The folder that all are in.
        inside: The folders in it to look in.
        leave_out: A folder to pass over.

    Returns:
        What `distill.photo_files.find_photos` finds.

    Raises:
        ValueError: If there is none.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     pathlib.Path(folder, "a.jpg").touch()
        ...     find_or_refuse(pathlib.Path(folder), ["."], "out").names
        ['a.jpg']
    """
    found = find_photos(source, inside=inside, leave_out=leave_out)
    if not found.names and not found.refused:
        where = " and ".join(map(str, inside)) if inside != ["."] else source
        raise ValueError(
            f"{where}: wanted a folder of photos, found none among {found.other_files} files"
        )
    return found


def _begin(
    source: pathlib.Path, out: pathlib.Path, found: PhotoFiles, options: Options
) -> tuple[Shards, dict[int, dict]]:
    """The shards that there are to be, and the reports of those that are done."""
    shards = read_plan(out)
    reports = {
        index: renamed(parse((path := _report_path(out, index)).read_text(), path))
        for index in range(len(shards))
        if records.shard_path(out, index).exists()
    }
    refused = refused_photos(shards, _errors(reports))
    again = readable_now(refused, found, lambda name: read_photo(source, name, options))
    return extend_plan(out, found, again, options.shard_photos), reports


class _Count:
    """Counts photos as shards grow, whole or not, and begin anew."""

    def __init__(self, shards: Shards, reports: Mapping[int, dict], missing: Mapping[int, list]):
        self.total = len({name for shard in shards for name in shard})
        again = sum(map(len, shards)) - self.total
        self.done = sum(report["photos"] for report in reports.values()) - again
        self.done += sum(map(len, missing.values()))
        self._counted: dict[int, int] = {}  # photos of each shard that `done` has in it

    def take(self, index: int, parts: Sequence[Part]) -> None:
        now = sum(part.photos for part in parts)
        self.done += now - self._counted.get(index, 0)
        self._counted[index] = now


def _report(parts: Sequence[Part], missing: Iterable[list[str]]) -> dict[str, Any]:
    labeled = sum(len(part.labeled) for part in parts)
    errors = sorted([*missing, *(error for part in parts for error in part.errors)])
    return {
        "photos": labeled + len(errors),
        "labeled": labeled,
        "boxes": sum(part.boxes for part in parts),
        "ignored": sum(part.ignored for part in parts),
        "one_sided": sum(part.one_sided for part in parts),
        "repaired": sum(part.repaired for part in parts),
        "errors": errors,
    }


def _report_path(out: pathlib.Path, index: int) -> pathlib.Path:
    return out / "progress" / f"shard-{index:05d}.json"


def _write(
    out: pathlib.Path,
    index: int,
    parts: Sequence[Part],
    missing: Iterable[list[str]],
    about: Mapping[str, Any],
) -> dict[str, Any]:
    """A shard and, before it, its report: a shard that exists is done. Marks of people stay."""
    path = records.shard_path(out, index)
    photos = [photo for part in parts for photo in part.labeled]
    photos, counts = marks.mark_again(out, path.name, photos, about)
    report = {**_report(parts, missing), **counts}
    atomic.write_text(_report_path(out, index), json.dumps(report) + "\n")
    records.write_shard(path, photos)
    return report


def _errors(reports: Mapping[int, dict]) -> dict[int, list]:
    return {index: report["errors"] for index, report in reports.items()}


def _finish(
    out: pathlib.Path, about: dict, shards: Shards, reports: Mapping[int, dict], found: PhotoFiles
) -> dict[str, int]:
    errors = refused_photos(shards, _errors(reports))
    counts = {
        "photos": len({name for shard in shards for name in shard}),
        "errors": len(errors),
        **{field: sum(r.get(field, 0) for r in reports.values()) for field in SUMMED},
        "closed_folders": len(found.closed_folders),
        "other_files": found.other_files,
    }
    if counts["labeled"] + counts["errors"] != counts["photos"]:
        raise RuntimeError(f"{out}: photos are unaccounted for: {counts}")
    closed = ([f"{folder}/", reason] for folder, reason in found.closed_folders.items())
    text = io.StringIO(newline="")
    csv.writer(text).writerows([["photo", "reason"], *errors, *closed])
    atomic.write_text(out / "errors.csv", text.getvalue())
    manifest.write(out, {**about, "complete": True, "counts": counts})
    return counts

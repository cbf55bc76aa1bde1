"""A folder of photos labelled shard by shard, so that a run can be stopped at any moment.

What is to be done is written down first: `progress/plan.jsonl` has one line for each shard, the
names of its photos. A shard that exists is done. Whatever stops a run, the same command goes on
with the shards that are missing, and the labels are those of a run that nothing stopped.
"""

import csv
import dataclasses
import importlib
import io
import json
import os
import pathlib
from concurrent import futures

import numpy as np
from PIL import Image

from distill import marks
from distill.agreement import merge
from distill.lock import lock
from ssd import photo_files, records

SUFFIXES = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp", ".dib", ".gif", ".tif", ".tiff"),
    *(".avif", ".heic", ".heif", ".jp2", ".pbm", ".pgm", ".ppm", ".pnm", ".tga"),
)
LOOKS = {"": (), "mirror": ("mirror",), "scale": ("scale",), "both": ("mirror", "scale")}
SMALLER = 0.75  # scale of the other look: between two levels of the teacher's own pyramid
BATCH_PHOTOS = 64
BATCH_PIXELS = 32_000_000  # bounds memory where photos are large


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """What decides the labels of a folder: runs that share an OUT must share these.

    Args:
        teacher: `module:function` that takes a list of photos, uint8 [height, width, 3], and
            the keywords `min_face` (pixels) and `floor` (least score), and gives for each photo
            boxes `[ymin, xmin, ymax, xmax]` in pixels and scores.
        label: Least score of a face to learn.
        ignore: Least score of a region to ignore; less sure ones are background.
        min_face: Side of the smallest face to look for, in pixels of the stored photo.
        max_side: Longest side of a stored photo in pixels; larger ones are scaled down.
        max_pixels: Larger photos are refused.
        shard_photos: Photos to a shard.
        second_opinion: How the teacher looks again, "mirror", "scale" or "both": faces that all
            looks see are labels, the others regions to ignore. "" for one look.

    Raises:
        ValueError: If a value is outside its range; the message says what was wanted.
    """

    teacher: str = "distill.teacher:mtcnn"
    label: float = 0.95
    ignore: float = 0.6
    min_face: int = 20
    max_side: int = 640
    max_pixels: int = photo_files.MAX_PIXELS
    shard_photos: int = 256
    second_opinion: str = ""

    def __post_init__(self):
        def check(field, holds, wanted):
            if not holds:
                raise ValueError(f"{field}: wanted {wanted}, got {getattr(self, field)!r}")

        check("label", 0 < self.label <= 1, "a score in (0, 1]")
        check("ignore", 0 < self.ignore <= self.label, f"a score in (0, {self.label}]")
        check("min_face", self.min_face >= 12, "12 pixels or more")
        check("max_side", self.max_side >= 12, "12 pixels or more")
        check("max_pixels", self.max_pixels >= 1, "a positive number of pixels")
        check("shard_photos", self.shard_photos >= 1, "a positive number of photos")
        check("second_opinion", self.second_opinion in LOOKS, "mirror, scale, both or nothing")
        self.load_teacher()

    def load_teacher(self):
        """The teacher as a function."""
        module, _, name = self.teacher.partition(":")
        try:
            function = getattr(importlib.import_module(module), name)
        except (ImportError, AttributeError, ValueError) as error:
            raise ValueError(
                f"teacher: wanted package.module:function, got {self.teacher!r} ({error})"
            ) from None
        if not callable(function):
            raise ValueError(f"teacher: wanted a function, {self.teacher} is none")
        return function


def label(source, out, options, *, progress=None):
    """Labels every photo under a folder; goes on where an earlier run stopped.

    Args:
        source: Folder of photos, searched recursively.
        out: Folder for the labels. Made if missing; may hold an earlier run of the same.
        options: `Options`.
        progress: Called after each shard with a dictionary: photos `done`, `fresh` (of
            them done by this run) and in `total`, and `faces`.

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
    earlier = records.claim(out, about)
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
            records.write_dataset(out, {**about, "complete": False})
        teacher = options.load_teacher()
        reports, fresh = {}, 0
        for index, shard in enumerate(plan):
            path = records.shard_path(out, index)
            if path.exists():
                reports[index] = _read_report(out, index)
                continue
            labelled, report = label_shard(source, shard, teacher, options)
            _write_report(out, index, report)
            records.write_shard(path, labelled)
            reports[index] = report
            fresh += len(shard)
            if progress:
                progress(
                    {
                        "done": sum(r["photos"] for r in reports.values()),
                        "fresh": fresh,
                        "total": sum(map(len, plan)),
                        "faces": sum(r["faces"] for r in reports.values()),
                    }
                )
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


def label_shard(source, names, teacher, options):
    """Labels the photos of one shard.

    Args:
        source: Folder the names are in.
        names: Names of the photos.
        teacher: See `Options`.
        options: `Options`.

    Returns:
        (a list of `LabelledPhoto`s, a report: a dictionary of counts and `errors`, a list of
        [name, reason]).
    """
    labelled, errors, one_sided = [], [], 0
    for batch in _batches(source, names, options, errors):
        for (name, photo), looks in zip(batch, _look(batch, teacher, options), strict=True):
            boxes, scores, agreed = merge(looks)
            one_sided += int(np.sum(~agreed & (scores >= options.label)))
            classes = np.where(agreed & (scores >= options.label), 1, records.IGNORE)
            labelled.append(_to_labelled(name, photo, boxes, classes, scores))
    classes = np.concatenate([photo.classes for photo in labelled] or [np.zeros(0, int)])
    report = {
        "photos": len(names),
        "labelled": len(labelled),
        "faces": int(np.sum(classes > 0)),
        "ignored": int(np.sum(classes == records.IGNORE)),
        "one_sided": one_sided,
        "errors": errors,
    }
    return labelled, report


def _look(batch, teacher, options):
    """For each photo, (boxes in pixels, scores) of each look at it."""
    pixels = [photo.pixels for _, photo in batch]

    def look(pixels):
        found = teacher(pixels, min_face=options.min_face, floor=options.ignore)
        for boxes, scores in found:
            boxes = np.asarray(boxes, np.float32).reshape(-1, 4)
            sure = np.asarray(scores) >= options.ignore
            yield boxes[sure], np.asarray(scores, np.float32)[sure]

    looks = [list(look(pixels))]
    for other in LOOKS[options.second_opinion]:
        if other == "mirror":
            mirrored = look([photo[:, ::-1] for photo in pixels])
            looks.append(
                [
                    (photo.shape[1] * np.float32([0, 1, 0, 1]) + _FLIP * boxes[:, [0, 3, 2, 1]], s)
                    for photo, (boxes, s) in zip(pixels, mirrored, strict=True)
                ]
            )
        else:
            smaller = [_smaller(photo) for photo in pixels]
            looks.append(
                [
                    (boxes * np.float32([*np.divide(photo.shape[:2], small.shape[:2])] * 2), s)
                    for photo, small, (boxes, s) in zip(pixels, smaller, look(smaller), strict=True)
                ]
            )
    return zip(*looks, strict=True)


_FLIP = np.float32([1, -1, 1, -1])


def _smaller(photo):
    size = [max(1, round(SMALLER * side)) for side in photo.shape[1::-1]]
    return np.asarray(Image.fromarray(photo).resize(size, Image.Resampling.BILINEAR))


def _to_labelled(name, photo, boxes, classes, scores):
    height, width = photo.pixels.shape[:2]
    boxes = np.clip(boxes / np.float32([height, width] * 2), 0, 1)
    kept = np.all(boxes[:, 2:] > boxes[:, :2], axis=-1)
    return records.LabelledPhoto(
        encoded=photo.encoded,
        filename=name,
        height=height,
        width=width,
        boxes=boxes[kept],
        classes=classes[kept],
        scores=scores[kept],
    )


def _batches(source, names, options, errors):
    """Lists of (name, Photo), read ahead by threads; the same lists for the same names, always."""

    def read(name):
        try:
            return photo_files.read(
                os.path.join(source, name),
                max_side=options.max_side,
                max_pixels=options.max_pixels,
            )
        except ValueError as error:
            return str(error)

    batch, pixels = [], 0
    workers = os.cpu_count() or 1
    with futures.ThreadPoolExecutor(workers) as pool:
        ahead = []
        waiting = iter(names)
        while True:
            while len(ahead) < BATCH_PHOTOS and (name := next(waiting, None)) is not None:
                ahead.append((name, pool.submit(read, name)))
            if not ahead:
                break
            name, pending = ahead.pop(0)
            photo = pending.result()
            if isinstance(photo, str):
                errors.append([name, photo])
                continue
            batch.append((name, photo))
            pixels += photo.pixels.size // 3
            if len(batch) == BATCH_PHOTOS or pixels >= BATCH_PIXELS:
                yield batch
                batch, pixels = [], 0
    if batch:
        yield batch


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
        records.write_whole(path, "".join(json.dumps(shard) + "\n" for shard in plan))
    return plan


def _report_path(out, index):
    return out / "progress" / f"shard-{index:05d}.json"


def _write_report(out, index, report):
    records.write_whole(_report_path(out, index), json.dumps(report) + "\n")


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
    records.write_whole(out / "errors.csv", text.getvalue())
    records.write_dataset(out, {**about, "complete": True, "counts": counts})
    return counts

"""Several folders of labels of the same photos, put to the vote.

A second round of labels: a student that learnt from one set of labels is a rater itself, whose
mistakes are not its teacher's. Photos are joined by their names, so folders may be cut into other
shards, or have been labeled in another order.
"""

import dataclasses
import itertools
import os
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from distill.review import marks
from distill.votes.columns import Columns, join, pair_up, read_columns
from distill.votes.panel import Panel
from distill.votes.rules import Rules
from ssd import atomic
from ssd.data import manifest, marked, records
from ssd.lock import lock


class _Rater(NamedTuple):
    """A folder of labels without the pixels."""

    folder: pathlib.Path
    labels: Columns
    digest: str


def combine(
    folders: Sequence[str | os.PathLike],
    out: str | os.PathLike,
    *,
    kept: Sequence[str | os.PathLike] = (),
    geometry: str | os.PathLike | None = None,
    rules: Rules | None = None,
    shard_photos: int = 256,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, int]:
    """Combine folders of labels of the same photos into one, by vote.

    The same folders give the same files, in whatever order they are named. Stopped in any way, the
    same call goes on with the shards that are missing.

    Args:
        folders: Two or more folders of labels, such as a teacher's and a student's.
        out: Folder for the combined labels: new, or left by the same call, stopped.
        kept: Those of the folders whose word alone makes a face (`distill.votes.voting.vote`).
        geometry: The folder that says where faces end; None: the mean of all.
        rules: `distill.votes.voting.Rules`; by default the usual ones.
        shard_photos: Photos to a shard.
        progress: Called with (photos done, photos in all) after each shard.

    Returns:
        The counts, as `dataset.json` holds them: `photos`, `boxes` to learn, `ignored` regions, and
        `left_out`, photos that not all folders have.

    Raises:
        FileNotFoundError: If there is no such folder.
        ValueError: If the folders have no photo in common or other classes, one is named twice,
            `kept` or `geometry` is none of them, `out` holds something else, or labels have
            changed since `out` was begun.
        OSError: If `out` cannot be written to.

    Example:
        >>> import tempfile
        >>> import numpy as np
        >>> photo = records.LabeledPhoto(b"", "a.jpg", 9, 9, np.float32([[0, 0, 0.5, 0.5]]),
        ...                               np.int32([1]), np.float32([0.99]))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     for name in ("teacher", "student"):
        ...         os.mkdir(f"{folder}/{name}")
        ...         records.write_shard(records.shard_path(f"{folder}/{name}", 0), [photo])
        ...         manifest.write(f"{folder}/{name}", {"classes": ["face"]})
        ...     combine([f"{folder}/student", f"{folder}/teacher"], f"{folder}/out")
        {'photos': 1, 'boxes': 1, 'ignored': 0, 'left_out': 0}
    """
    rules, out = rules or Rules(), pathlib.Path(out)
    if shard_photos < 1:
        raise ValueError(f"shard_photos: wanted a positive number of photos, got {shard_photos}")
    paths = [pathlib.Path(folder).resolve() for folder in folders]
    if len(set(paths)) < max(2, len(paths)):
        raise ValueError(f"wanted two or more folders of labels, each once, got {_named(folders)}")
    kept_paths = {_among(paths, folder, "kept") for folder in kept}
    geometry_path = None if geometry is None else _among(paths, geometry, "geometry")
    class_names = _shared_classes(folders)
    raters = [_Rater(path, each := read_columns(path, class_names), each.digest) for path in paths]
    raters.sort(key=lambda rater: (rater.digest, str(rater.folder)))
    about = {
        "classes": class_names,
        "raters": {str(rater.folder): rater.digest for rater in raters},
        "kept": [str(rater.folder) for rater in raters if rater.folder in kept_paths],
        "geometry": None if geometry_path is None else str(geometry_path),
        **dataclasses.asdict(rules),
        "shard_photos": shard_photos,
    }
    _refuse_changed(out, about["raters"])
    earlier = manifest.claim(out, about)
    if earlier and earlier.get("complete") and _is_whole(out, earlier["counts"], shard_photos):
        return earlier["counts"]
    shared, left_out = join([rater.labels for rater in raters])
    if not shared[0].names:
        raise ValueError(f"wanted labels of the same photos, got none in common: {_named(folders)}")

    ordered = [rater.folder for rater in raters]
    names = dict(zip(ordered, short_names(ordered), strict=True))
    panel = Panel(
        [*names.values()],
        kept=[names[path] for path in kept_paths],
        geometry=None if geometry_path is None else names[geometry_path],
        rules=rules,
    )

    voted, comparison = panel.decide(shared)
    with lock(out / "progress"):
        for path in atomic.stale(out):
            path.unlink()  # of a run that was killed; the lock says that none is writing
        marks.finish_marks(out)
        if earlier is None:
            manifest.write(out, {**about, "complete": False})
        _write(out, raters[0], voted, about, progress)
        counts = {
            "photos": len(voted.names),
            "boxes": int(np.sum(voted.class_ids != records.IGNORE)),
            "ignored": int(np.sum(voted.class_ids == records.IGNORE)),
            "left_out": left_out,
        }
        if marked.read(out):
            known = {*counts, *marked.COUNTED}
            counts |= {k: n for k, n in marks.count_labels(out, about).items() if k in known}
        about["comparison"] = comparison
        manifest.write(out, {**about, "complete": True, "counts": counts})
    return counts


def _is_whole(out: pathlib.Path, counts: Mapping[str, int], shard_photos: int) -> bool:
    """Whether no shard was deleted since."""
    shards = range(-(-counts["photos"] // shard_photos))
    return all(records.shard_path(out, index).exists() for index in shards)


def _write(
    out: pathlib.Path,
    rater: _Rater,
    voted: Columns,
    about: Mapping[str, Any],
    progress: Callable[[int, int], None],
) -> None:
    """Writes the shards that are missing, with the photos of one rater; others do not stay.

    Where people have marked photos of a shard that was deleted, their marks stay.
    """
    total, written, shard_photos = len(voted.names), set(), about["shard_photos"]
    everything = records.read_serialized(records.shards(rater.folder))
    photos = {photo.filename: photo for photo in voted.to_photos()}
    relabeled = pair_up(everything, iter(rater.labels.names), photos)
    for index, start in enumerate(range(0, total, shard_photos)):
        written.add(path := records.shard_path(out, index))
        some = [*itertools.islice(relabeled, shard_photos)]
        if not path.exists():
            some_marked, _ = marks.mark_again(out, path.name, [photo for _, photo in some], about)
            records.write_records(
                path,
                (
                    records.relabel(record, photo, class_names=about["classes"])
                    for (record, _), photo in zip(some, some_marked, strict=True)
                ),
            )
        progress(start + len(some), total)
    for stale in set(records.shards(out)) - written:
        stale.unlink()


def _shared_classes(folders):
    """The names of the classes, which all folders must have alike."""
    abouts = {str(folder): manifest.read(folder) for folder in folders}
    for folder, about in abouts.items():
        if about.get("complete") is False:
            raise ValueError(f"{folder}: wanted labels of a run that has ended, this one has not")
    classes = {folder: about["classes"] for folder, about in abouts.items()}
    first, *others = classes or [""]
    for other in others:
        if classes[other] != classes[first]:
            raise ValueError(
                f"{other}: wanted the classes of {first}, {classes[first]}, got {classes[other]}"
            )
    return classes.get(first, [])


def _among(paths, folder, option):
    """A folder as it stands among those to combine."""
    path = pathlib.Path(folder).resolve()
    if path not in paths:
        raise ValueError(f"{option}: wanted one of the folders to combine, got {folder}")
    return path


def _refuse_changed(out, digests):
    """Labels that have changed since would make a folder of two kinds of shards."""
    if not (out / "dataset.json").exists():
        return
    for folder, digest in manifest.read(out).get("raters", {}).items():
        if digests.get(folder, digest) != digest:
            raise ValueError(
                f"{folder}: its labels have changed since {out} was combined from them; "
                f"remove {out}, or name another folder"
            )


def short_names(folders: Sequence[pathlib.Path]) -> list[str]:
    """What to call folders: their last names, and as much of the path as sets them apart.

    Args:
        folders: Different folders.

    Returns:
        A name for each.

    Example:
        >>> short_names([pathlib.Path("a/mtcnn"), pathlib.Path("b/mtcnn"), pathlib.Path("people")])
        ['a/mtcnn', 'b/mtcnn', 'people']
    """
    for length in range(1, max((len(path.parts) for path in folders), default=1)):
        names = ["/".join(path.parts[-length:]) for path in folders]
        if len(set(names)) == len(names):
            return names
    return [str(path) for path in folders]


def _named(folders):
    return ", ".join(map(str, folders))

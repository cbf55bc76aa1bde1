"""Several folders of labels of the same photos, put to the vote.

A second round of labels: a student that learnt from one set of labels is a rater itself, whose
mistakes are not its teacher's. Photos are joined by their names, so folders may be cut into other
shards, or have been labeled in another order.
"""

import dataclasses
import hashlib
import os
import pathlib
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from distill.votes.panel import Panel
from distill.votes.rules import Rules
from ssd import atomic
from ssd.data import manifest, records
from ssd.lock import lock


class _Rater(NamedTuple):
    """A folder of labels without the pixels."""

    folder: pathlib.Path
    photos: dict[str, records.LabeledPhoto]
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
    raters = sorted(map(_read_rater, paths), key=lambda rater: (rater.digest, str(rater.folder)))
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
    if earlier and earlier.get("complete"):
        return earlier["counts"]
    shared = set.intersection(*(set(rater.photos) for rater in raters))
    known = set.union(*(set(rater.photos) for rater in raters))
    if not shared:
        raise ValueError(f"wanted labels of the same photos, got none in common: {_named(folders)}")

    ordered = [rater.folder for rater in raters]
    names = dict(zip(ordered, short_names(ordered), strict=True))
    panel = Panel(
        [*names.values()],
        kept=[names[path] for path in kept_paths],
        geometry=None if geometry_path is None else names[geometry_path],
        rules=rules,
    )

    def voted() -> Iterator[records.LabeledPhoto]:
        for photo in records.read(raters[0].folder):
            if photo.filename in shared:
                yield panel.decide([photo, *(rater.photos[photo.filename] for rater in raters[1:])])

    with lock(out / "progress"):
        for path in atomic.stale(out):
            path.unlink()  # of a run that was killed; the lock says that none is writing
        if earlier is None:
            manifest.write(out, {**about, "complete": False})
        counts = records.write_shards(
            out,
            voted(),
            shard_photos=shard_photos,
            class_names=class_names,
            keep=True,
            progress=lambda done: progress(done, len(shared)),
        )
        counts["left_out"] = len(known) - len(shared)
        about["comparison"] = panel.compare()
        manifest.write(out, {**about, "complete": True, "counts": counts})
    return counts


def read_labels(folder: str | os.PathLike) -> dict[str, records.LabeledPhoto]:
    """A folder's labels without the pixels, by the names of the photos.

    Args:
        folder: A folder of labels.

    Returns:
        {name: `LabeledPhoto`}.

    Raises:
        ValueError: If two photos have one name, or a shard is damaged.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     records.write_shard(records.shard_path(folder, 0), [])
        ...     read_labels(folder)
        {}
    """
    photos: dict[str, records.LabeledPhoto] = {}
    for photo in records.read(folder):
        if photo.filename in photos:
            raise ValueError(f"{folder}: {photo.filename!r} is the name of more than one photo")
        photos[photo.filename] = photo._replace(encoded=b"")
    return photos


def _read_rater(folder):
    """A folder's labels, and a digest of them."""
    photos, digest = read_labels(folder), hashlib.sha256()
    for name in sorted(photos):
        photo = photos[name]
        digest.update(repr((name, len(photo.boxes))).encode())
        for values in (photo.boxes, photo.class_ids, photo.scores):
            digest.update(values.tobytes())
    return _Rater(folder, photos, digest.hexdigest()[:16])


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

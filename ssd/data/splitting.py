"""Labels split in two: photos to train on, and photos to judge by, that have nothing in common."""

import hashlib
import os
import pathlib
import re
from collections.abc import Iterable

from ssd.data import labels, manifest, records


def choose_validation(
    names: Iterable[str], *, share: float = 0.1, seed: int = 0, pattern: str | None = None
) -> set[str]:
    """The names of photos that are to be judged by.

    Photos of one group stay together. Groups are put in an order that depends on the seed and
    their names alone, and taken until they have the share of the photos: so photos that come later
    hardly move those that were there.

    Args:
        names: The names of all photos.
        share: Of the photos that are taken, over 0 and under 1; a group is taken whole.
        seed: Another takes other groups.
        pattern: A regular expression: names that it fits in the same text are one group. Of
            several parts in brackets the text of these counts; where it fits nothing, the photo
            is a group of its own. None: each is.

    Returns:
        The names.

    Raises:
        ValueError: If the share is out of range, the pattern is none, or there are fewer than two
            groups.

    Example:
        >>> names = [f"{film}-{frame}.jpg" for film in "abcd" for frame in range(5)]
        >>> chosen = choose_validation(names, share=0.25, pattern="^[a-z]+")
        >>> len(chosen), len({name[0] for name in chosen})
        (5, 1)
    """
    if not 0 < share < 1:
        raise ValueError(f"share: wanted a number over 0 and under 1, got {share!r}")
    try:
        fits = re.compile(pattern) if pattern is not None else None
    except re.error as error:
        raise ValueError(f"group: wanted a regular expression, got {pattern!r} ({error})") from None
    groups: dict[str, list[str]] = {}
    for name in names:
        found = fits.search(name) if fits else None
        key = name if found is None else "\0".join(map(str, found.groups() or (found[0],)))
        groups.setdefault(key, []).append(name)
    if len(groups) < 2:
        raise ValueError(f"wanted two groups of photos or more, got {len(groups)}")
    wanted = share * sum(map(len, groups.values()))
    chosen: set[str] = set()
    *order, _ = sorted(groups, key=lambda key: _place(key, seed))  # one is left to train on
    for key in order:
        chosen.update(groups[key])
        if len(chosen) >= wanted:
            break
    return chosen


def split(
    folder: str | os.PathLike,
    train: str | os.PathLike,
    validation: str | os.PathLike,
    *,
    share: float = 0.1,
    seed: int = 0,
    pattern: str | None = None,
) -> tuple[dict[str, int], dict[str, int]]:
    """Write the labels of a folder as two folders.

    Args:
        folder: The labels.
        train: Folder for those to train on; new, or of the same split.
        validation: Folder for those to judge by; likewise.
        share: As for `choose_validation`.
        seed: As for `choose_validation`.
        pattern: As for `choose_validation`.

    Returns:
        What was written to each: `photos`, `boxes` to learn, `ignored` regions.

    Raises:
        ValueError: As `choose_validation`; or if a folder holds other labels, or both are one.

    Example:
        >>> split("nowhere", "train", "validation")
        Traceback (most recent call last):
        FileNotFoundError: nowhere: wanted a folder of labels, found no dataset.json
    """
    paths = [pathlib.Path(each).resolve() for each in (folder, train, validation)]
    if len(set(paths)) < 3:
        raise ValueError(f"wanted three folders, got {folder}, {train} and {validation}")
    class_names = manifest.read(folder)["classes"]
    names = [photo.filename for photo in records.read(folder)]
    chosen = choose_validation(names, share=share, seed=seed, pattern=pattern)
    of_what = f"{share} of {folder} to judge by, seed {seed}, grouped by {pattern or 'nothing'}"

    def write(out: str | os.PathLike, side: str, wanted: bool) -> dict[str, int]:
        photos = (photo for photo in records.read(folder) if (photo.filename in chosen) == wanted)
        source = f"{side}: {of_what}"
        return labels.write_labels(out, photos, class_names=class_names, source=source)

    return write(train, "train", False), write(validation, "validation", True)


def _place(key: str, seed: int) -> bytes:
    return hashlib.sha256(f"{seed}:{key}".encode("utf-8", "surrogateescape")).digest()

"""Labels with their photos as a folder in YOLO's layout, which its trainers open as it is."""

import json
import os
import pathlib
import posixpath
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ssd import atomic
from ssd.data import manifest, records


class Written(NamedTuple):
    """What `write` wrote.

    Attributes:
        photos: Photos.
        boxes: Boxes.
        unsaid: Regions to ignore and objects of no known class, for which YOLO has no word; to
            its trainers they are background.

    Example:
        >>> Written(2, 3, 0).boxes
        3
    """

    photos: int
    boxes: int
    unsaid: int


def write(labels: str | os.PathLike, folder: str | os.PathLike) -> Written:
    """Write `images/`, `labels/` and `data.yaml`.

    Args:
        labels: A folder of labels.
        folder: Where they go; new or empty.

    Returns:
        What was `Written`.

    Raises:
        FileExistsError: If there is something in the folder.
        ValueError: If `labels` is no folder of labels.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as given, tempfile.TemporaryDirectory() as out:
        ...     manifest.write(given, {"classes": ["face"]})
        ...     records.write_shard(records.shard_path(given, 0), [])
        ...     print(tuple(write(given, out)), sorted(os.listdir(out)))
        (0, 0, 0) ['data.yaml', 'images', 'labels']
    """
    names, folder = manifest.read(labels)["classes"], pathlib.Path(folder)
    if folder.exists() and any(folder.iterdir()):
        raise FileExistsError(
            f"{folder}: wanted a new or an empty folder, there is something in it"
        )
    for part in ("images", "labels"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    photos = boxes = unsaid = 0
    taken: set[str] = set()
    for photo in records.read(labels):
        stem, known = _free_stem(photo.filename, taken), photo.class_ids > 0
        for part, suffix in (("images", ".jpg"), ("labels", ".txt")):
            path = folder / part / f"{stem}{suffix}"
            path.parent.mkdir(parents=True, exist_ok=True)
            content = photo.encoded if suffix == ".jpg" else _lines(photo, known).encode()
            with atomic.whole(path) as temporary:
                temporary.write_bytes(content)
        photos, boxes = photos + 1, boxes + int(known.sum())
        unsaid += int((~known).sum())
    atomic.write_text(folder / "data.yaml", _about(names))
    return Written(photos, boxes, unsaid)


def _lines(photo: records.LabeledPhoto, known: np.ndarray) -> str:
    """Class from 0, middle and size as shares, x first: a line a box."""
    boxes = np.asarray(photo.boxes, np.float64).reshape(-1, 4)[known]
    middles, sizes = (boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]
    return "".join(
        f"{class_id - 1} {x:.6f} {y:.6f} {width:.6f} {height:.6f}\n"
        for class_id, (y, x), (height, width) in zip(
            photo.class_ids[known], middles, sizes, strict=True
        )
    )


def _about(names: Sequence[str]) -> str:
    """`data.yaml`; text in JSON's quotes is text in YAML."""
    classes = "".join(
        f"  {place}: {json.dumps(name, ensure_ascii=False)}\n" for place, name in enumerate(names)
    )
    return f"path: .\ntrain: images\nval: images\nnames:\n{classes}"


def _free_stem(filename: str, taken: set[str]) -> str:
    """A path for a photo without its suffix, inside the folder; no two alike."""
    inside = posixpath.normpath("/" + filename.replace("\\", "/")).lstrip("/")
    stem = path = os.path.splitext(inside)[0] or "photo"
    number = 1
    while path.casefold() in taken:
        number += 1
        path = f"{stem}-{number}"
    taken.add(path.casefold())
    return path

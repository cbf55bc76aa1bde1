"""A folder of labels as Python sees it: one photo after the other, in and out."""

import os
import pathlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from ssd.data import manifest, records
from ssd.data.records import LabeledPhoto


def read_labels(labels: Any) -> Iterator[LabeledPhoto]:
    """Every labeled photo of a folder, in the order on disk.

    Args:
        labels: A folder that `distill`, `ssd import` or `write_labels` wrote, or a list of several.

    Yields:
        `ssd.LabeledPhoto`s, boxes float32 [boxes, 4], class ids int32 [boxes], scores float32
        [boxes].

    Raises:
        FileNotFoundError: If there is no such folder, or no shard in it.
        ValueError: If a shard is damaged.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = write_labels(folder, [])
        ...     [photo.filename for photo in read_labels(folder)]
        []
    """
    yield from records.read(labels)


def write_labels(
    folder: str | os.PathLike,
    photos: Iterable[LabeledPhoto],
    *,
    class_names: Sequence[str] = ("face",),
    source: str = "",
) -> dict[str, int]:
    """Labels of your own making, as `ssd.train` and `ssd.dataset` take them.

    Args:
        folder: Where they go: a new folder, or one of labels that are written again.
        photos: `ssd.LabeledPhoto`s; may be a generator.
        class_names: Names of the classes, the first for class id 1.
        source: Where the photos come from, in words or as a path; it stands in `dataset.json`.

    Returns:
        What was written: `photos`, `boxes` to learn, `ignored` regions.

    Raises:
        ValueError: If a photo's labels do not hold together, or the folder holds labels from
            another source or of other classes, or another run is writing to it.

    Example:
        >>> import io, tempfile
        >>> from PIL import Image
        >>> file = io.BytesIO()
        >>> Image.new("RGB", (120, 80)).save(file, "JPEG")
        >>> photo = LabeledPhoto(
        ...     encoded=file.getvalue(), filename="a.jpg", height=80, width=120,
        ...     boxes=[[0.1, 0.1, 0.5, 0.5]], class_ids=[1], scores=[1.0],
        ... )
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_labels(folder, [photo])
        {'photos': 1, 'boxes': 1, 'ignored': 0}
    """
    folder = pathlib.Path(folder)
    about = {"classes": list(class_names), "source": source}
    manifest.claim(folder, about)
    with manifest.writing(folder, about):
        counts = records.write_shards(folder, photos, class_names=class_names)
        manifest.write(folder, {**about, "complete": True, "counts": counts})
    return counts

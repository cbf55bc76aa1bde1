"""Labels seen through before anything is learned from them: finished, whole, of these classes."""

import contextlib
import hashlib
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import tensorflow as tf

from ssd.data import manifest, records


class Content(NamedTuple):
    """What folders of labels hold.

    Attributes:
        photos: How many; those of a folder that is named twice count twice.
        digest: A short text that is another where a photo or a label is.

    Example:
        >>> Content(photos=3, digest="af13").photos
        3
    """

    photos: int
    digest: str


def check(labels: records.Labels, class_names: Sequence[str]) -> Content:
    """See that labels are what their `dataset.json` says, without reading the photos.

    Args:
        labels: A folder, or a list of folders.
        class_names: The classes that they must have, in this order; upper and lower case match.

    Returns:
        Their `Content`.

    Raises:
        FileNotFoundError: If there is no such folder, no `dataset.json` or no shard in it.
        ValueError: If the folder is unfinished, has other classes or another number of photos
            than it says, or if a shard is missing or cut off. The message names it.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     records.write_shard(records.shard_path(folder, 0), [])
        ...     manifest.write(folder, {"classes": ["face"], "complete": True})
        ...     check(folder, ("face",)).photos
        0
    """
    photos, digest = 0, hashlib.sha256()
    for folder in records.folders(labels):
        if not folder.is_dir():
            raise FileNotFoundError(f"{folder}: wanted a folder of labels, there is no such folder")
        about = manifest.read(folder)
        _check_classes(folder, about.get("classes"), class_names)
        if not about.get("complete", True):
            raise ValueError(
                f"{folder}: wanted finished labels, its dataset.json says that they are not; "
                "run the command that writes them again"
            )
        sums = [each for path in _numbered(folder) for each in records.checksums(path)]
        wanted = _photos_of(about)
        if wanted is not None and len(sums) != wanted:
            raise ValueError(
                f"{folder}: wanted the {wanted} photos that its dataset.json counts, "
                f"its shards hold {len(sums)}"
            )
        photos += len(sums)
        digest.update(b"".join(sums))
    return Content(photos, digest.hexdigest()[:16])


def _check_classes(folder, found, wanted):
    if not isinstance(found, list) or not all(isinstance(name, str) for name in found):
        raise ValueError(f"{folder}: wanted names of classes in its dataset.json, got {found!r}")
    if [name.casefold() for name in found] != [name.casefold() for name in wanted]:
        raise ValueError(
            f"{folder}: wanted labels of the Config's classes, {', '.join(wanted)} in this order, "
            f"got {', '.join(found)}"
        )


def _numbered(folder):
    """The shards of a folder, of which none may be missing."""
    paths = records.shards(folder)
    for index, path in enumerate(paths):
        if path != records.shard_path(folder, index):
            raise ValueError(f"{records.shard_path(folder, index)}: wanted this shard, got {path}")
    return paths


def _photos_of(about):
    """How many records a `dataset.json` counts: of photos that could not be read there is none."""
    counts = about.get("counts", {})
    return counts.get("labeled", counts.get("photos"))


def assert_sound(record: dict[str, tf.Tensor], class_count: int) -> dict[str, tf.Tensor]:
    """The same records; TensorFlow stops at one whose labels cannot be learned from.

    Args:
        record: What `ssd.data.records.parse` gives of one record or of several.
        class_count: How many classes there are.

    Returns:
        The record.

    Example:
        >>> boxes, class_ids = tf.constant([[0.0, 0.0, 1.0, 1.0]]), tf.constant([1])
        >>> sorted(assert_sound({"boxes": boxes, "class_ids": class_ids}, 1))
        ['boxes', 'class_ids']
    """
    boxes, class_ids = record["boxes"], record["class_ids"]
    inside = tf.reduce_all((boxes >= 0) & (boxes <= 1))  # False for NaN as well
    known = tf.reduce_all((class_ids >= records.UNKNOWN) & (class_ids <= class_count))
    tf.debugging.Assert(inside & known, ["a record holds labels that cannot be learned from"])
    return record


@contextlib.contextmanager
def naming_damage(labels: records.Labels, class_names: Sequence[str]) -> Iterator[None]:
    """Around a loop over batches: if a record stops it, an error that names shard and photo.

    Args:
        labels: What the batches are made of: a folder, or a list of folders.
        class_names: The classes.

    Yields:
        Nothing; the loop is in the block.

    Raises:
        ValueError: If TensorFlow could not go on and a record is the reason.

    Example:
        >>> with naming_damage("labels", ["face"]):
        ...     print("a loop over batches")
        a loop over batches
    """
    try:
        yield
    except (tf.errors.DataLossError, tf.errors.InvalidArgumentError):
        check_records(labels, class_names)
        raise


def check_records(labels: records.Labels, class_names: Sequence[str]) -> None:
    """Read every record, to find the one that training could not go on with.

    Args:
        labels: A folder, or a list of folders.
        class_names: The classes.

    Raises:
        FileNotFoundError: If there is no such folder, or no shard in it.
        ValueError: At the first shard, record or photo that is damaged; the message names it.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     records.write_shard(records.shard_path(folder, 0), [])
        ...     check_records(folder, ["face"])
    """
    for path in dict.fromkeys(records.shards(labels)):
        for index, photo in enumerate(records.read_shard(path)):
            try:
                records.check_labels(photo, class_names)
                _check_pixels(photo)
            except ValueError as error:
                raise ValueError(f"{path}: damaged record {index}, {error}") from None


def _check_pixels(photo):
    try:
        height, width, _ = tf.io.decode_jpeg(photo.encoded, channels=3).shape
    except tf.errors.InvalidArgumentError:
        raise ValueError(f"{photo.filename}: wanted a JPEG file, got something else") from None
    if (height, width) != (photo.height, photo.width):
        raise ValueError(
            f"{photo.filename}: wanted a photo of {photo.height} x {photo.width} pixels, "
            f"got {height} x {width}"
        )

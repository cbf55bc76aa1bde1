"""Photos decoded and scaled once, kept on disk, so that later passes only read them.

Beside each other in the cache's folder lies one file for each shard of labels. Its name holds a
key of everything that its contents depend on, and it appears whole or not at all. So a run that
is killed while it writes leaves finished files and nothing to be mistaken for one, and a changed
shard or Config finds no file under its key and makes a new one.
"""

import hashlib
import os
import pathlib
import time
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from ssd import atomic
from ssd.data import records

# Raised when what is stored changes: files of another version are not found.
_VERSION = 3


def fill(
    labels: records.Labels,
    folder: str | os.PathLike,
    size: Sequence[int],
    fit: Callable[[dict[str, tf.Tensor]], tf.Tensor],
) -> list[pathlib.Path]:
    """Decode what is not in the cache yet, and forget what is out of date.

    Several folders of labels may share a cache, and two runs fill it at once: each file is
    replaced by its equal.

    Args:
        labels: Folder of labels, or a list of several.
        folder: Folder of the cache; made if there is none.
        size: (height, width) that `fit` scales to: part of the key.
        fit: A function of what `ssd.data.records.parse` gives of a record that says how its photo
            is to be stored, uint8 [height, width, 3], in TensorFlow.

    Returns:
        Paths of the cache's files, in the order of the shards.

    Raises:
        ValueError: If there are no labels, or the cache's folder holds labels itself.
        OSError: If the disk is full or cannot be written to.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as labels, tempfile.TemporaryDirectory() as folder:
        ...     records.write_shard(records.shard_path(labels, 0), [])
        ...     paths = fill(labels, folder, (64, 64), lambda record: record["encoded"])
        ...     [path.exists() for path in paths]
        [True]
    """
    folder, shards = pathlib.Path(folder), records.shards(labels)
    if folder.resolve() in [each.resolve() for each in records.folders(labels)]:
        raise ValueError(f"{folder}: wanted a folder for the cache apart from the labels")
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{_place(shard, size)}-{key(shard, size)}.decoded" for shard in shards]
    for shard, path in zip(shards, paths, strict=True):
        if not path.exists():
            _write(shard, path, fit)
    for place in {_place(shard, size) for shard in shards}:
        for path in folder.glob(f"{place}-*.decoded"):
            if path not in paths:
                path.unlink(missing_ok=True)
    for part in atomic.stale(folder):
        # Of a run that was killed; one that is still writing has touched its file just now.
        if time.time() - part.stat().st_mtime > 3600:
            part.unlink(missing_ok=True)
    return paths


def _place(shard: pathlib.Path, size: Sequence[int]) -> str:
    """How the names of a shard's files begin, whatever is in it: one folder's are not another's."""
    folder = hashlib.sha256(os.fsencode(shard.resolve().parent)).hexdigest()[:8]
    return f"{shard.stem}-{size[0]}x{size[1]}-{folder}"


def key(shard: pathlib.Path, size: Sequence[int]) -> str:
    """What a cached shard depends on, as a short text: the shard's file, and how photos are kept.

    Args:
        shard: Path of the shard.
        size: (height, width) in pixels.

    Returns:
        str of 16 characters.

    Example:
        >>> len(key(pathlib.Path(__file__), (64, 64)))
        16
    """
    state = shard.stat()
    text = f"{_VERSION} {shard.resolve()} {state.st_size} {state.st_mtime_ns} {tuple(size)}"
    return hashlib.sha256(os.fsencode(text)).hexdigest()[:16]


def pixels(stored: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
    """A photo as the cache holds it.

    Args:
        stored: string [], `encoded` of a record of the cache.
        size: int32 [2], `size` of that record.

    Returns:
        uint8 [height, width, 3].

    Example:
        >>> pixels(tf.constant(b"rgbRGB"), tf.constant([1, 2])).shape
        TensorShape([1, 2, 3])
    """
    return tf.reshape(tf.io.decode_raw(stored, tf.uint8), [size[0], size[1], 3])


def _write(shard: pathlib.Path, path: pathlib.Path, fit: Callable) -> None:
    def decode(serialized):
        return serialized, fit(records.parse(serialized))

    decoded = tf.data.TFRecordDataset(str(shard)).map(decode, num_parallel_calls=tf.data.AUTOTUNE)
    records.write_records(path, (_raw(*each) for each in decoded.as_numpy_iterator()))


def _raw(serialized: bytes, photo: Any) -> bytes:
    """The same record with pixels in place of the file: one format, one parser."""
    example = tf.train.Example.FromString(serialized)
    feature = example.features.feature
    feature["image/encoded"].bytes_list.value[0] = photo.tobytes()
    feature["image/format"].bytes_list.value[0] = b"raw"
    feature["image/height"].int64_list.value[0] = photo.shape[0]
    feature["image/width"].int64_list.value[0] = photo.shape[1]
    return example.SerializeToString()

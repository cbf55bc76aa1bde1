"""Photos decoded and scaled once, kept on disk, so that later passes only read what they show.

For each folder of labels one file holds the pixels of all photos, and beside it lies, for each
shard, a file of records without pixels: shuffling moves only these, and of the pixels a map of the
file into memory brings what a window shows. The name of a shard's file holds a key of everything
that its contents depend on, and it appears whole or not at all, after its pixels. So a run that is
killed while it writes leaves whole shards and pixels that nobody asks for, which are written over;
and a changed shard or Config finds no file under its key, and its folder is decoded anew.
"""

import contextlib
import hashlib
import os
import pathlib
import time
from collections.abc import Callable, Iterator, Sequence
from typing import IO

import tensorflow as tf

from ssd import atomic
from ssd.data import records
from ssd.lock import lock

# Raised when what is stored changes: files of another version are not found.
_VERSION = 4
# Where a photo begins: TensorFlow takes a part of a tensor without copying it only from there.
_ALIGNED = 64
_DIGITS = 8  # of the name by which a record knows the file of its pixels


def fill(
    labels: records.Labels,
    folder: str | os.PathLike,
    size: Sequence[int],
    fit: Callable[[dict[str, tf.Tensor]], tf.Tensor],
) -> list[pathlib.Path]:
    """Decode what is not in the cache yet, and forget what is out of date.

    Several folders of labels may share a cache. Of two runs that would fill it at once, one waits
    for the other.

    Args:
        labels: Folder of labels, or a list of several.
        folder: Folder of the cache; made if there is none.
        size: (height, width) that `fit` scales to: part of the key.
        fit: A function of what `ssd.data.records.parse` gives of a record that says how its photo
            is to be stored, uint8 [height, width, 3], in TensorFlow.

    Returns:
        Paths of the records without pixels, in the order of the shards.

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
    folder, homes = pathlib.Path(folder), records.folders(labels)
    if folder.resolve() in [each.resolve() for each in homes]:
        raise ValueError(f"{folder}: wanted a folder for the cache apart from the labels")
    shards = {home: records.shards(home) for home in homes}
    folder.mkdir(parents=True, exist_ok=True)
    with _alone(folder):
        for home in shards:
            _fill_one(shards[home], folder, size, fit)
        for part in atomic.stale(folder):
            part.unlink(missing_ok=True)  # of a run that was killed
    return [_record_path(folder, shard, size) for home in homes for shard in shards[home]]


@contextlib.contextmanager
def _alone(folder: pathlib.Path) -> Iterator[None]:
    """Nobody else fills the cache meanwhile; whoever comes second finds it filled."""
    with contextlib.ExitStack() as held:
        while True:
            try:
                held.enter_context(lock(folder))
                break
            except ValueError:
                time.sleep(0.2)
        yield


def _fill_one(
    shards: Sequence[pathlib.Path],
    folder: pathlib.Path,
    size: Sequence[int],
    fit: Callable[[dict[str, tf.Tensor]], tf.Tensor],
) -> None:
    """The photos of one folder of labels."""
    paths = [_record_path(folder, shard, size) for shard in shards]
    pixels = _pixel_path(folder, shards[0].parent, size)
    there = list(folder.glob(f"shard-*-{pixels.stem}-*.decoded"))
    missing = [
        (shard, path) for shard, path in zip(shards, paths, strict=True) if path not in there
    ]
    end = max((_end(path) for path in there), default=0)
    stored = pixels.stat().st_size if pixels.exists() else 0
    if not set(there) <= set(paths) or stored < end:
        # Something has changed. What is left would lie between pixels that nobody asks for.
        for path in [*there, pixels]:
            path.unlink(missing_ok=True)
        end, missing = 0, [*zip(shards, paths, strict=True)]
    elif pixels.exists() and not missing:
        return
    with open(pixels, "r+b" if pixels.exists() else "w+b") as file:
        file.truncate(end)
        file.seek(end)
        for shard, path in missing:
            _write(shard, path, fit, file, pixels.stem[-_DIGITS:])


def _pixel_path(
    folder: pathlib.Path, labels: str | os.PathLike, size: Sequence[int]
) -> pathlib.Path:
    """Where the pixels of a folder of labels lie, whatever is in it: no other's are there."""
    name = hashlib.sha256(os.fsencode(pathlib.Path(labels).resolve())).hexdigest()[:_DIGITS]
    return folder / f"{size[0]}x{size[1]}-{name}.pixels"


def _record_path(folder: pathlib.Path, shard: pathlib.Path, size: Sequence[int]) -> pathlib.Path:
    pixels = _pixel_path(folder, shard.parent, size)
    return folder / f"{shard.stem}-{pixels.stem}-{key(shard, size)}.decoded"


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


class Pixels:
    """Photos as the cache holds them, read in TensorFlow.

    Args:
        labels: As for `fill`, which has been called.
        folder: Folder of the cache.
        size: As for `fill`.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as labels, tempfile.TemporaryDirectory() as folder:
        ...     records.write_shard(records.shard_path(labels, 0), [])
        ...     _ = fill(labels, folder, (64, 64), lambda record: record["encoded"])
        ...     len(Pixels(labels, folder, (64, 64)).files)
        1
    """

    def __init__(
        self, labels: records.Labels, folder: str | os.PathLike, size: Sequence[int]
    ) -> None:
        paths = [_pixel_path(pathlib.Path(folder), each, size) for each in records.folders(labels)]
        self.files = {path.stem[-_DIGITS:]: path.absolute() for path in paths}

    def __call__(self, stored: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
        """A photo; of what is not looked at, nothing is read.

        Args:
            stored: string [], `encoded` of a record of the cache.
            size: int32 [2], `size` of that record.

        Returns:
            uint8 [height, width, 3].
        """
        begin = tf.strings.to_number(tf.strings.substr(stored, _DIGITS, -1), tf.int64)
        stop = begin + 3 * tf.cast(size[0], tf.int64) * tf.cast(size[1], tf.int64)
        names = tf.constant([*self.files])
        which = tf.argmax(names == tf.strings.substr(stored, 0, _DIGITS), output_type=tf.int32)

        def part_of(path):
            length = path.stat().st_size
            if not length:
                return lambda: tf.zeros([0], tf.uint8)
            # A map of the file into memory, made here and not beforehand: a part of a graph that
            # goes to another process as the file's name.
            return lambda: tf.raw_ops.ImmutableConst(
                dtype=tf.uint8, shape=[length], memory_region_name=str(path)
            )[begin:stop]

        flat = tf.switch_case(which, [part_of(path) for path in self.files.values()])
        return tf.reshape(flat, [size[0], size[1], 3])


def _write(shard: pathlib.Path, path: pathlib.Path, fit: Callable, file: IO[bytes], name: str):
    """The pixels of a shard to the end of a file, and then the records that say where they are."""

    def decode(serialized):
        return serialized, fit(records.parse(serialized))

    def write():
        for serialized, photo in decoded.as_numpy_iterator():
            place = f"{name}{file.tell()}".encode()
            yield records.with_photo(serialized, place, photo.shape[:2], form="raw")
            file.write(photo.tobytes())
            file.write(bytes(-photo.size % _ALIGNED))
        file.flush()
        os.fsync(file.fileno())  # before the records appear

    decoded = tf.data.TFRecordDataset(str(shard)).map(decode, num_parallel_calls=tf.data.AUTOTUNE)
    records.write_records(path, write())


def _end(path: pathlib.Path) -> int:
    """Where the pixels of a shard end, 0 if it has none."""
    last = len(records.checksums(path)) - 1
    if last < 0:
        return 0
    photo = records.read_places(path, [last])[last]
    end = int(photo.encoded[_DIGITS:]) + 3 * photo.height * photo.width
    return end + -end % _ALIGNED

"""Labels whose photos are stored no larger than training can use: large ones are decoded once."""

import os
import pathlib
from collections.abc import Callable, Iterator

import tensorflow as tf

from ssd.config import Config
from ssd.data import checking, manifest, records
from ssd.data.pipeline import fit, shrink_photo

# Of the JPEG files: about what cameras use.
_QUALITY = 90


def shrink_labels(
    folder: str | os.PathLike,
    out: str | os.PathLike,
    config: Config,
    *,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, int]:
    """Write the labels of a folder anew, with photos of at most twice the input.

    A photo that fits into that stays as it is, byte for byte. Boxes are on the unit square of the
    photo, so they stay; `full_size` says how large a photo was. A call that was stopped or killed
    goes on after the last shard that is whole.

    Args:
        folder: The labels.
        out: A new folder, or that of the same call, stopped.
        config: The `ssd.Config` of the model that they are for.
        progress: Called with photos done and photos in all, after each shard.

    Returns:
        "photos", how many; "bytes" and "bytes_before", what the shards measure now and before.

    Raises:
        FileNotFoundError: If there are no such labels.
        ValueError: If they are unfinished or a photo of them cannot be decoded, `out` holds other
            labels, or another run is writing to it.
        OSError: If the disk is full or cannot be written to; what is written is whole.

    Example:
        >>> shrink_labels("nowhere", "out", Config())
        Traceback (most recent call last):
        FileNotFoundError: nowhere: wanted a folder of labels, found no dataset.json
    """
    folder, out = pathlib.Path(folder), pathlib.Path(out)
    if folder.resolve() == out.resolve():
        raise ValueError(f"{out}: wanted another folder than that of the labels")
    about = manifest.read(folder)
    content = checking.check(folder, about["classes"])
    height, width = config.image_size
    size = 2 * height, 2 * width
    shrunk = {"from": content.digest, "size": list(size), "quality": _QUALITY}
    claimed = {"classes": about["classes"], "shrunk": shrunk}
    if (manifest.claim(out, claimed) or {}).get("complete"):
        return _sizes(folder, out, content.photos)
    done, shards = 0, records.shards(folder)
    with manifest.writing(out, claimed):
        for shard in shards:
            path = out / shard.name
            if not path.exists():
                records.write_records(path, _smaller(shard, size))
            done += len(records.checksums(path))
            progress(done, content.photos)
        manifest.write(out, {**about, **claimed, "complete": True})
    return _sizes(folder, out, content.photos)


def _smaller(shard: pathlib.Path, size: tuple[int, int]) -> Iterator[bytes]:
    """The records of a shard, with photos that fit into a size."""

    def shrunk(serialized):
        record = records.parse(serialized)
        old = record["size"]
        larger = tf.reduce_any(old > size)
        encoded = tf.cond(
            larger,
            lambda: tf.io.encode_jpeg(shrink_photo(record, size), quality=_QUALITY),
            lambda: record["encoded"],
        )
        return serialized, larger, encoded, tf.where(larger, fit(old, size), old)

    made = tf.data.TFRecordDataset(str(shard)).map(shrunk, num_parallel_calls=tf.data.AUTOTUNE)
    index = 0
    try:
        for serialized, larger, encoded, now in made.as_numpy_iterator():
            yield records.with_photo(serialized, encoded, now) if larger else serialized
            index += 1
    except tf.errors.InvalidArgumentError as error:
        what = str(error.message).partition(" [")[0].splitlines()[0]
        raise ValueError(f"{shard}: damaged photo in record {index} ({what:.200})") from None


def _sizes(folder: pathlib.Path, out: pathlib.Path, photos: int) -> dict[str, int]:
    before, after = (
        sum(path.stat().st_size for path in records.shards(each)) for each in (folder, out)
    )
    return {"photos": photos, "bytes": after, "bytes_before": before}

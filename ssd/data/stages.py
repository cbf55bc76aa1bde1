"""The pipeline of `ssd.dataset` cut off after each of its stages, to see where the time goes."""

from typing import Any

import tensorflow as tf

from ssd.config import Config
from ssd.data import augment, records
from ssd.data.pipeline import TOGETHER, pad_parts, plan_examples


def pipeline_stages(
    labels: Any, config: Config, *, batch_size: int = 32, photos: int | None = None
) -> dict[str, tf.data.Dataset]:
    """What `ssd.dataset` does to make training batches, as far as each of its stages.

    Each stage does its own work and all before it, one photo at a time and in the order on disk,
    so what a stage costs is the difference between two of them.

    Args:
        labels: Folder of labels, or a list of several.
        config: The `ssd.Config` of the model.
        batch_size: Photos in a batch.
        photos: How many of the first photos are gone through again and again; all by default.

    Returns:
        Endless `tf.data.Dataset`s, in the order of the work: "read", records taken apart;
        "augment", windows chosen and boxes moved; "decode", the part of the photo that a window
        shows; "resize", scaled into the input; "batch". All but the last hand out single photos.
        And beside the road: "parts", batches of `sample_on_device`; "whole_files", records read
        and their photos decoded whole.

    Raises:
        FileNotFoundError: If there is no such folder, or no shard in it.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     records.write_shard(records.shard_path(folder, 0), [])
        ...     list(pipeline_stages(folder, Config()))
        ['read', 'augment', 'decode', 'resize', 'batch', 'parts', 'whole_files']
    """
    files = [str(path) for path in records.shards(labels)]
    serialized = tf.data.TFRecordDataset(files).take(-1 if photos is None else photos).repeat()
    seeds = tf.data.Dataset.random(seed=1).batch(2)
    groups = tf.data.Dataset.zip(serialized.batch(TOGETHER), seeds)
    read = groups.map(lambda serialized, seed: records.parse(serialized)).unbatch()
    planned = groups.map(
        lambda serialized, seed: plan_examples(records.parse(serialized), config, seed=seed)
    ).unbatch()
    examples = planned.map(
        lambda photo, view, label: (augment.make_image(photo[0], view, config.image_size), label)
    )
    parts = planned.map(
        lambda photo, view, label: (augment.make_part(photo[0], view, config.image_size), label)
    )
    return {
        "read": read,
        "augment": planned,
        "decode": planned.map(lambda photo, view, label: augment.decode_part(photo[0], view)[0]),
        "resize": examples,
        "batch": examples.batch(batch_size, drop_remainder=True),
        "parts": pad_parts(parts, config, batch_size, drop_remainder=True),
        "whole_files": read.map(lambda record: decode_whole(record["encoded"])),
    }


def decode_whole(encoded: tf.Tensor) -> tf.Tensor:
    """A photo's pixels at their full size, decoded as exactly as in training.

    Args:
        encoded: string [], a JPEG file.

    Returns:
        uint8 [height, width, 3].

    Example:
        >>> decode_whole(tf.io.encode_jpeg(tf.zeros([8, 16, 3], tf.uint8))).shape
        TensorShape([8, 16, 3])
    """
    return tf.io.decode_jpeg(encoded, channels=3, dct_method="INTEGER_ACCURATE")

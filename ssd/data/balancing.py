"""How often photos come: as often as there are, or by weights of folders, or evenly by class."""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from ssd.data import records

BALANCES = ("class",)
_AT_ONCE = 256


class Group(NamedTuple):
    """Photos that come as often as each other.

    Attributes:
        name: What they have in common.
        files: Where they are, among others.
        share: How much of what comes is of them, over 0 and up to 1.
        holds: Of serialized records [n], which are of the group, bool [n]; None where all are.

    Example:
        >>> Group("human", ["shard-00000.tfrecord"], 0.75).holds is None
        True
    """

    name: str
    files: Sequence[str]
    share: float
    holds: Callable[[tf.Tensor], tf.Tensor] | None = None


def check(labels: records.Labels, weights: Sequence[float] | None, balance: str | None) -> None:
    """See that a way to balance makes sense for labels.

    Args:
        labels: A folder, or a list of folders.
        weights: A number for each folder, how often its photos are to come.
        balance: "class", or None.

    Raises:
        ValueError: If it does not.

    Example:
        >>> check(["a", "b"], [3], None)
        Traceback (most recent call last):
        ValueError: weights: wanted a number over 0 for each of 2 folders, got [3]
    """
    if balance is not None and balance not in BALANCES:
        raise ValueError(f"balance: wanted {' or '.join(BALANCES)}, got {balance!r}")
    if weights is None:
        return
    if balance is not None:
        raise ValueError("weights: wanted none beside balance, which weighs by itself")
    folders = records.folders(labels)
    if len(weights) != len(folders) or not all(
        math.isfinite(weight) and weight > 0 for weight in weights
    ):
        raise ValueError(
            f"weights: wanted a number over 0 for each of {len(folders)} folders, got {[*weights]}"
        )


def by_folder(
    labels: records.Labels, files: Sequence[str], weights: Sequence[float]
) -> list[Group]:
    """The folders of labels, each with its share.

    Args:
        labels: A folder, or a list of folders.
        files: Of each of their shards, in order, where its records are read from.
        weights: A number over 0 for each folder.

    Returns:
        A `Group` for each folder that has photos.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     records.write_shard(records.shard_path(folder, 0), [])
        ...     by_folder(folder, ["cached"], [2.0])
        []
    """
    left, groups = iter(files), []
    for folder, weight in zip(records.folders(labels), weights, strict=True):
        own = [next(left) for _ in records.shards(folder)]
        if records.count(folder):
            groups.append(Group(str(folder), own, weight))
    total = sum(group.share for group in groups)
    return [group._replace(share=group.share / total) for group in groups]


def by_class(files: Sequence[str], class_names: Sequence[str]) -> list[Group]:
    """Photos by their class: that of the classes on a photo which the fewest photos have.

    Photos on which no class is known keep the share that they have; the classes share the rest
    evenly.

    Args:
        files: Files of records, which are read once.
        class_names: The classes.

    Returns:
        A `Group` for each class that there is, and one for photos without.

    Example:
        >>> by_class([], ["face", "smile"])
        []
    """
    present = _classes_present(files, len(class_names))
    rarest = np.argsort(present.sum(axis=0), kind="stable")
    numbers = _group_numbers(tf.constant(present), rarest).numpy()
    found = [number for number in range(len(class_names) + 1) if (numbers == number).any()]
    without = float(np.mean(numbers == 0)) if len(numbers) else 0.0
    even = (1 - without) / max(1, sum(number > 0 for number in found))
    names = ["no class", *class_names]

    def holds(number):
        return lambda serialized: (
            _group_numbers(_present(serialized, len(class_names)), rarest) == number
        )

    return [
        Group(names[number], files, even if number else without, holds(number)) for number in found
    ]


def sample(
    groups: Sequence[Group],
    read: Callable[[Group, int], tf.data.Dataset],
    *,
    count: int,
    seed: int | None = None,
) -> tf.data.Dataset:
    """Records of all groups, drawn by their shares.

    Args:
        groups: The `Group`s.
        read: From a group and its number to a dataset of its records, in a new order each time.
        count: How many to draw. Then another pass draws anew.
        seed: Makes it repeatable.

    Returns:
        A dataset of `count` records.

    Example:
        >>> two = [Group("a", [], 0.75), Group("b", [], 0.25)]
        >>> drawn = sample(two, lambda group, number: tf.data.Dataset.range(1), count=8)
        >>> len([*drawn])
        8
    """
    # Without an end, so that a small group is gone through as often as it takes.
    endless = [read(group, number).repeat() for number, group in enumerate(groups)]
    return tf.data.Dataset.sample_from_datasets(
        endless,
        weights=[group.share for group in groups],
        seed=seed,
        rerandomize_each_iteration=True,
    ).take(count)


def _classes_present(files: Sequence[str], class_count: int) -> np.ndarray:
    """bool [photos, classes]: which classes are on each photo."""
    photos = tf.data.TFRecordDataset(list(files)).batch(_AT_ONCE)
    found = [_present(serialized, class_count).numpy() for serialized in photos]
    return np.concatenate([np.zeros([0, class_count], bool), *found])


def _present(serialized: tf.Tensor, class_count: int) -> tf.Tensor:
    class_ids = records.parse(serialized)["class_ids"]
    return tf.reduce_any(class_ids[..., None] == tf.range(1, class_count + 1), axis=-2)


def _group_numbers(present: tf.Tensor, rarest: Any) -> tf.Tensor:
    """The rarest class on each photo, 1 for the first class; 0 where there is none."""
    order = tf.constant(rarest, tf.int32)
    first = tf.argmax(tf.cast(tf.gather(present, order, axis=-1), tf.int32), axis=-1)
    return tf.where(tf.reduce_any(present, axis=-1), tf.gather(order, first) + 1, 0)

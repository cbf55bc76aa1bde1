"""The real pipeline against a device that only waits, on one core, two, and so on."""

import functools
import itertools
import os
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

import ssd
from benchmarks import cores
from benchmarks.looping import time_data, time_loop, use_threads, wait
from ssd import equation


def imitate(
    made: Any,
    steps: Iterable[float],
    *,
    batch_size: int,
    most_cores: int,
    decoded: Any,
    seconds: float,
    repeats: int,
    say: Callable[[str], None] = lambda what: None,
) -> list[dict[str, Any]]:
    """Hold the balance equation against loops of which the device's share is known.

    The time of an example is measured here once more, by the clock and just before each row:
    what else the machine does then disturbs prediction and measurement alike. For the same
    reason C is not the number of cores but what they are worth just then, measured with another
    kind of work: how much faster photos are decoded on all of them than on one.

    Args:
        made: The pipeline: an endless `tf.data.Dataset`, or another iterable without an end.
        steps: Seconds that the device waits for a batch, one row each.
        batch_size: Photos in a batch.
        most_cores: Rows are measured for one core up to so many.
        decoded: What `decode_only` returns.
        seconds: How long each loop is timed.
        repeats: How often all rows take turns.
        say: Told what is measured next.

    Returns:
        A list of dictionaries, one for each number of cores and each step: "cores",
        "effective_cores" (C), "device_seconds", "example_seconds" (T_g), "predicted" and
        "measured" (photos a second), "utilization".

    Example:
        >>> import tempfile
        >>> from benchmarks.portraits import write_portraits
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_portraits(folder, count=8)
        ...     made = ssd.dataset(folder, ssd.Config(), batch_size=2, training=True).repeat()
        ...     options = dict(batch_size=2, most_cores=1, seconds=0.05, repeats=1)
        ...     rows = imitate(made, [0.01], decoded=decode_only(folder), **options)
        >>> [(row["cores"], row["device_seconds"]) for row in rows]
        [(1, 0.01)]
    """
    rows = [(count, step) for count in range(1, most_cores + 1) for step in steps]
    seen: dict[tuple[int, float], list[tuple[float, float, float]]] = {row: [] for row in rows}
    for turn in range(repeats):
        for count, step in rows:
            say(f"round {turn + 1} of {repeats}: {count} cores, step of {step * 1e3:g} ms")
            example = _seconds(made, 1, seconds) / batch_size
            worth = 1.0
            if count > 1:
                worth = _seconds(decoded, 1, seconds / 2) / _seconds(decoded, count, seconds / 2)
            loop = _seconds(made, count, seconds, functools.partial(wait, step))
            seen[count, step].append((example, worth, loop))
    return [
        _row(count, step, np.median(seen[count, step], axis=0).tolist(), batch_size)
        for count, step in rows
    ]


def _seconds(
    data: Any, count: int, seconds: float, step: Callable[[Any], Any] = lambda batch: None
) -> float:
    """Seconds between two steps of a loop on so many cores.

    One pipeline at a time: another would go on filling its buffers meanwhile.
    """
    with cores.confined(count):
        confined = hasattr(data, "with_options")
        batches = iter(data.with_options(use_threads(count)) if confined else data)
        time_data(batches, seconds / 3)  # until it has settled how much is done at once
        return time_loop(batches, step, seconds)


def _row(count: int, step: float, medians: list[float], batch_size: int) -> dict[str, Any]:
    example, worth, loop = medians
    data = equation.data_seconds_per_batch(example, batch_size, worth)
    return {
        "cores": count,
        "effective_cores": worth,
        "device_seconds": step,
        "example_seconds": example,
        "predicted": equation.photos_per_second(data, step, batch_size),
        "measured": batch_size / loop,
        "utilization": equation.utilization(data, step),
    }


def decode_only(labels: str | os.PathLike, *, photos: int = 256) -> Any:
    """Photos that are decoded whole and thrown away: work, and nothing else.

    Args:
        labels: Folder of labels.
        photos: How many of the first of them.

    Returns:
        An endless `tf.data.Dataset` of the shapes of 16 photos each, int32 [16, 3].

    Example:
        >>> import tempfile
        >>> from benchmarks.portraits import write_portraits
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_portraits(folder, count=2)
        ...     next(iter(decode_only(folder))).numpy()[0].tolist()
        [480, 640, 3]
    """
    import tensorflow as tf

    encoded = [photo.encoded for photo in itertools.islice(ssd.read_labels(labels), photos)]

    def decode(file: Any) -> Any:
        return tf.shape(tf.io.decode_jpeg(file, channels=3, dct_method="INTEGER_ACCURATE"))

    files = tf.data.Dataset.from_tensor_slices(encoded).repeat()
    return files.map(decode, num_parallel_calls=tf.data.AUTOTUNE).batch(16, drop_remainder=True)

"""A loop over batches, timed: what every figure of the balance rests on."""

import time
from collections.abc import Callable, Iterator
from typing import Any


def time_loop(batches: Iterator[Any], step: Callable[[Any], Any], seconds: float) -> float:
    """Seconds between two steps of a loop, measured for so many seconds.

    What lies ready when the loop starts would make it look fast, so it is taken out first,
    until a batch has to be waited for; and two steps go before, in which a model is traced.

    Args:
        batches: An iterator without an end.
        step: What is done with a batch.
        seconds: How long to measure; at least four steps are.

    Returns:
        The mean over the steps.

    Example:
        >>> import itertools
        >>> 0 < time_loop(itertools.repeat(1), lambda batch: None, 0.01) < 0.01
        True
    """
    for _ in range(64):
        begun = time.perf_counter()
        next(batches)
        if time.perf_counter() - begun > 0.002:
            break
    for _ in range(2):
        step(next(batches))
    begun, count = time.perf_counter(), 0
    while (passed := time.perf_counter() - begun) < seconds or count < 4:
        step(next(batches))
        count += 1
    return passed / count


def time_data(batches: Iterator[Any], seconds: float) -> float:
    """Seconds that a batch takes to be made, when nothing is done with it.

    Args:
        batches: An iterator without an end.
        seconds: How long to measure.

    Returns:
        The mean over the batches.

    Example:
        >>> import itertools
        >>> 0 < time_data(itertools.repeat(1), 0.01) < 0.01
        True
    """
    return time_loop(batches, lambda batch: None, seconds)


def wait(seconds: float, batch: Any) -> None:
    """The step of a device that only waits, whatever the batch.

    Args:
        seconds: How long.
        batch: What it would have worked on.

    Example:
        >>> wait(0.0, None)
    """
    time.sleep(seconds)


def use_threads(count: int) -> Any:
    """Options that let a `tf.data` pipeline work in so many threads.

    Args:
        count: Threads.

    Returns:
        `tf.data.Options`.

    Example:
        >>> use_threads(2).threading.private_threadpool_size
        2
    """
    import tensorflow as tf

    options = tf.data.Options()
    options.threading.private_threadpool_size = count
    options.threading.max_intra_op_parallelism = 1
    return options

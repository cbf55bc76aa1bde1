"""The same training fed in several ways, from the first trainer's Python loop to a data service."""

import contextlib
import itertools
import os
import pathlib
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

import ssd
from benchmarks import cores, first_trainer, utilization
from benchmarks.looping import time_data, time_loop
from ssd import equation

RUNGS: tuple[str, ...] = (
    "Python loop, imageio",
    "tf.data, matched on the CPU",
    "tf.data, matched on the device",
    "... sampled on the device, too",
    "... decoded photos cached",
    "... cached and sampled there",
    "... photos stored smaller",
    "... made by two service workers",
)

_WARM_UP = 3  # steps before a rung is timed: with batches of another form a model is traced anew


def climb(
    labels: str | os.PathLike,
    config: ssd.Config,
    step: Callable[[Any], Any],
    device_seconds: float,
    *,
    batch_size: int,
    seconds: float,
    rungs: Sequence[str] = RUNGS,
) -> list[dict[str, Any]]:
    """Time the same loop on each rung.

    Args:
        labels: Folder of labels.
        config: The `ssd.Config` of the model.
        step: A function of a batch, (images, labels), that trains, or waits.
        device_seconds: How long it takes when data is there.
        batch_size: Photos in a batch.
        seconds: How long each rung is timed.
        rungs: Which of `RUNGS`.

    Returns:
        A list of dictionaries: "rung"; "data_seconds" per batch when nothing takes the batches
        but a loop; "predicted" and "measured" seconds per step; "utilization" from the latter
        and "predicted_utilization"; and "measured_utilization", what NVML saw of a GPU, or None
        and "utilization_why".

    Example:
        >>> from benchmarks.portraits import write_portraits
        >>> options = dict(batch_size=2, seconds=0.01, rungs=RUNGS[:1])
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_portraits(folder, count=2)
        ...     rows = climb(folder, ssd.Config(), lambda batch: None, 0.001, **options)
        >>> [row["rung"] for row in rows]
        ['Python loop, imageio']
    """
    found = []
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        cache = pathlib.Path(folder, "cache")
        feeds = (
            lambda: python_loop(labels, config, batch_size),
            lambda: matched_on_cpu(labels, config, batch_size),
            lambda: _batches(labels, config, batch_size),
            lambda: _batches(labels, config, batch_size, sample_on_device=True),
            lambda: _batches(labels, config, batch_size, cache=cache),
            lambda: _batches(labels, config, batch_size, cache=cache, sample_on_device=True),
            lambda: _batches(_shrunk(labels, config, folder), config, batch_size),
            lambda: _batches(
                labels, config, batch_size, service=stack.enter_context(local_service(2))
            ),
        )
        feed = dict(zip(RUNGS, feeds, strict=True))
        for rung in rungs:
            batches = feed[rung]()
            data = time_data(batches, seconds)
            for batch in itertools.islice(batches, _WARM_UP):
                step(batch)
            with utilization.watch() as seen:
                measured = time_loop(batches, step, seconds)
            predicted = equation.seconds_per_step(data, device_seconds, prefetch=rung != RUNGS[0])
            found.append(
                {
                    "rung": rung,
                    "data_seconds": data,
                    "predicted": predicted,
                    "measured": measured,
                    "utilization": min(1.0, device_seconds / measured),
                    "predicted_utilization": device_seconds / predicted,
                    "measured_utilization": seen.mean,
                    "utilization_why": seen.why_none,
                }
            )
    return found


def _shrunk(labels: str | os.PathLike, config: ssd.Config, folder: str) -> pathlib.Path:
    ssd.shrink_labels(labels, out := pathlib.Path(folder, "shrunk"), config)
    return out


def python_loop(
    labels: str | os.PathLike, config: ssd.Config, batch_size: int
) -> Iterator[tuple[np.ndarray, ...]]:
    """Batches of the first trainer: one photo after the other, nothing made ahead.

    Args:
        labels: Folder of labels.
        config: The `ssd.Config` of the model.
        batch_size: Photos in a batch.

    Yields:
        (images, labels) as `ssd.dataset` has them, and the matches: float32
        [batch, anchors, 5].

    Example:
        >>> from benchmarks.portraits import write_portraits
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_portraits(folder, count=2)
        ...     images, labels, matches = next(python_loop(folder, ssd.Config(), 2))
        >>> images.shape, labels.shape
        ((2, 256, 256, 3), (2, 128, 5))
    """
    photos = itertools.chain.from_iterable(ssd.read_labels(labels) for _ in itertools.count())
    while True:
        some = itertools.islice(photos, batch_size)
        examples = [first_trainer.make_example(photo, config) for photo in some]
        yield tuple(np.stack(part) for part in zip(*examples, strict=True))


def matched_on_cpu(
    labels: str | os.PathLike, config: ssd.Config, batch_size: int
) -> Iterator[tuple[np.ndarray, ...]]:
    """Batches of `ssd.dataset` with every anchor's best box found in tensors, inside tf.data.

    Args:
        labels: Folder of labels.
        config: The `ssd.Config` of the model.
        batch_size: Photos in a batch.

    Returns:
        An iterator of (images, labels, matches).

    Example:
        >>> from benchmarks.portraits import write_portraits
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_portraits(folder, count=2)
        ...     images, labels, matches = next(matched_on_cpu(folder, ssd.Config(), 2))
        >>> matches.shape[-1]
        5
    """
    import tensorflow as tf

    import anchors

    grid = np.asarray(anchors.grid(config.feature_shapes, config.anchor_shapes))

    def best(images: Any, labels: Any) -> tuple[Any, Any, Any]:
        boxes = labels[:, None, :, :4]  # [batch, 1, boxes, 4]
        low = tf.maximum(boxes[..., :2], grid[:, None, :2])
        high = tf.minimum(boxes[..., 2:], grid[:, None, 2:])
        shared = tf.reduce_prod(tf.maximum(high - low, 0.0), axis=-1)  # [batch, anchors, boxes]
        areas = tf.reduce_prod(boxes[..., 2:] - boxes[..., :2], axis=-1)
        areas += tf.reduce_prod(grid[:, 2:] - grid[:, :2], axis=-1)[:, None]
        overlap = tf.math.divide_no_nan(shared, areas - shared)
        matches = tf.gather(labels, tf.argmax(overlap, axis=-1), batch_dims=1)
        positive = tf.reduce_max(overlap, axis=-1, keepdims=True) >= config.positive_iou
        return images, labels, matches * tf.cast(positive, tf.float32)

    made = ssd.dataset(labels, config, batch_size=batch_size, training=True).repeat()
    made = made.map(best, num_parallel_calls=tf.data.AUTOTUNE, deterministic=False)
    return made.prefetch(tf.data.AUTOTUNE).as_numpy_iterator()


def capped(
    labels: str | os.PathLike,
    config: ssd.Config,
    *,
    batch_size: int,
    seconds: float,
    serve: Callable[..., contextlib.AbstractContextManager] | None = None,
) -> dict[str, float]:
    """What two workers do for a loop that is bound by its input and may use one core only.

    The loop makes its batches itself, then has them made, then makes them itself again. A worker
    has one core too, its own where there are three; where there are two, one of the workers
    shares the loop's.

    Args:
        labels: Folder of labels.
        config: The `ssd.Config` of the model.
        batch_size: Photos in a batch.
        seconds: How long each loop is timed, after as long that is not.
        serve: Takes what `local_service` takes and yields the address of a data service, or None
            where the loop is to make its own batches; by default `local_service`.

    Returns:
        A dictionary: photos a second "alone" and "served", and their ratio, "gain".

    Example:
        >>> from benchmarks.portraits import write_portraits
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_portraits(folder, count=2)
        ...     nobody = lambda workers, on: contextlib.nullcontext()
        ...     found = capped(folder, ssd.Config(), batch_size=2, seconds=0.01, serve=nobody)
        >>> sorted(found)
        ['alone', 'gain', 'served']
    """

    def timed(batches: Iterator[Any]) -> float:
        time_data(batches, seconds)  # until what lay ready has gone
        return time_data(batches, seconds)

    serve, everything = serve or local_service, cores.available()
    with cores.confined(1):
        own = _batches(labels, config, batch_size)
        alone = [timed(own)]
        with serve(2, on=[*everything[1:], everything[0]]) as address:
            served = timed(_batches(labels, config, batch_size, service=address))
        alone.append(timed(own))
    mean = float(np.mean(alone))
    return {"alone": batch_size / mean, "served": batch_size / served, "gain": mean / served}


@contextlib.contextmanager
def local_service(workers: int, *, on: Sequence[int] | None = None) -> Iterator[str]:
    """A tf.data service on this machine, each part a process of its own.

    Args:
        workers: How many workers it has.
        on: Numbers of cores; each worker is kept to one of them, in turn.

    Yields:
        Its address.

    Raises:
        OSError: If one of its parts does not start.

    Example:
        >>> with local_service(0) as address:
        ...     address.startswith("grpc://localhost:")
        True
    """
    with contextlib.ExitStack() as running:
        port = running.enter_context(_service_part("dispatcher", "--port", "0"))
        address = f"grpc://localhost:{port}"
        for index in range(workers):
            core = on[index % len(on)] if on else None
            running.enter_context(
                _service_part("worker", address, "--host", "localhost", core=core)
            )
        yield address


@contextlib.contextmanager
def _service_part(*arguments: str, core: int | None = None) -> Iterator[str]:
    """A process of the service; its port, once it has said that it is there."""
    with subprocess.Popen(
        [sys.executable, "-m", "ssd.data.service", *arguments, "--open-to-network"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=pathlib.Path(ssd.__file__).parent.parent,
    ) as process:
        try:
            if core is not None and hasattr(os, "sched_setaffinity"):
                os.sched_setaffinity(process.pid, [core])
            said = process.stdout.readline() if process.stdout else ""
            if not said:
                raise OSError(f"{' '.join(arguments)}: the data service did not start")
            yield said.rpartition(":")[2].strip()
        finally:
            process.kill()


def _batches(
    labels: str | os.PathLike, config: ssd.Config, batch_size: int, **options: Any
) -> Iterator[Any]:
    made = ssd.dataset(labels, config, batch_size=batch_size, training=True, **options)
    return made.repeat().as_numpy_iterator()

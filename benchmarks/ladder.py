"""The same training fed in five ways, from the first trainer's Python loop to a data service."""

import contextlib
import itertools
import os
import pathlib
import subprocess
import sys
import tempfile

import numpy as np

import ssd
from benchmarks import cores, equation, first_trainer

RUNGS = (
    "Python loop, imageio",
    "tf.data, matched on the CPU",
    "tf.data, matched on the device",
    "... decoded photos cached",
    "... made by two service workers",
)


def climb(labels, config, step, device_seconds, run, *, batch_size, seconds):
    """Time the same loop on each rung.

    Args:
        labels: Folder of labels.
        config: The `ssd.Config` of the model.
        step: A function of a batch, (images, labels), that trains, or waits.
        device_seconds: How long it takes when data is there.
        run: A function of an iterator of batches, a step and a duration, that says how many
            seconds lie between two steps.
        batch_size: Photos in a batch.
        seconds: How long each rung is timed.

    Returns:
        A list of dictionaries: "rung"; "data_seconds" per batch when nothing takes the batches
        but a loop; "predicted" and "measured" seconds per step; "utilization" from the latter.
    """
    found = []
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        feeds = (
            lambda: python_loop(labels, config, batch_size),
            lambda: matched_on_cpu(labels, config, batch_size),
            lambda: _batches(labels, config, batch_size),
            lambda: _batches(labels, config, batch_size, cache=pathlib.Path(folder)),
            lambda: _batches(
                labels, config, batch_size, service=stack.enter_context(local_service(2))
            ),
        )
        for rung, feed in zip(RUNGS, feeds, strict=True):
            batches = feed()
            data = run(batches, lambda batch: None, seconds)
            measured = run(batches, step, seconds)
            predicted = equation.seconds_per_step(data, device_seconds, prefetch=rung != RUNGS[0])
            found.append(
                {
                    "rung": rung,
                    "data_seconds": data,
                    "predicted": predicted,
                    "measured": measured,
                    "utilization": min(1.0, device_seconds / measured),
                }
            )
    return found


def python_loop(labels, config, batch_size):
    """Batches of the first trainer: one photo after the other, nothing made ahead.

    Args:
        labels: Folder of labels.
        config: The `ssd.Config` of the model.
        batch_size: Photos in a batch.

    Yields:
        (images, labels) as `ssd.dataset` has them, and the matches: float32
        [batch, anchors, 5].
    """
    from ssd.data import pipeline, records

    photos = itertools.chain.from_iterable(records.read(labels) for _ in itertools.count())
    while True:
        batch = []
        for record in itertools.islice(photos, batch_size):
            image, matches = first_trainer.example(record, config)
            share = np.tile(
                np.float32(config.fit(record.height, record.width)) / config.image_size, 2
            )
            label = pipeline.make_label(record.boxes * share, record.class_ids, config)
            batch.append((image, label.numpy(), matches))
        yield tuple(np.stack(part) for part in zip(*batch, strict=True))


def matched_on_cpu(labels, config, batch_size):
    """Batches of `ssd.dataset` with every anchor's best box found in tensors, inside tf.data.

    Args:
        labels: Folder of labels.
        config: The `ssd.Config` of the model.
        batch_size: Photos in a batch.

    Returns:
        An iterator of (images, labels, matches).
    """
    import tensorflow as tf

    import anchors

    grid = np.asarray(anchors.grid(config.feature_shapes, config.anchor_shapes))

    def best(images, labels):
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


def capped(labels, config, run, *, batch_size, seconds):
    """What two workers do for a loop that is bound by its input and may use one core only.

    The loop makes its batches itself, then has them made, then makes them itself again. A worker
    has one core too, its own where there are three; where there are two, one of the workers
    shares the loop's.

    Args:
        labels: Folder of labels.
        config: The `ssd.Config` of the model.
        run: A function of an iterator of batches, a step and a duration, that says how many
            seconds lie between two steps.
        batch_size: Photos in a batch.
        seconds: How long each loop is timed, after as long that is not.

    Returns:
        A dictionary: photos a second "alone" and "served", and their ratio, "gain".
    """

    def timed(batches):
        run(batches, lambda batch: None, seconds)  # until what lay ready has gone
        return run(batches, lambda batch: None, seconds)

    everything = cores.available()
    with cores.confined(1):
        own = _batches(labels, config, batch_size)
        alone = [timed(own)]
        with local_service(2, on=[*everything[1:], everything[0]]) as address:
            served = timed(_batches(labels, config, batch_size, service=address))
        alone.append(timed(own))
    alone = float(np.mean(alone))
    return {
        "alone": batch_size / alone,
        "served": batch_size / served,
        "gain": alone / served,
    }


@contextlib.contextmanager
def local_service(workers, *, on=None):
    """A tf.data service on this machine, each part a process of its own.

    Args:
        workers: How many workers it has.
        on: Numbers of cores; each worker is kept to one of them, in turn.

    Yields:
        Its address.
    """
    command = [sys.executable, "-m", "ssd.data.service"]
    running = []

    def start(*arguments, core=None):
        running.append(
            subprocess.Popen(
                [*command, *arguments],
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                cwd=pathlib.Path(ssd.__file__).parent.parent,
            )
        )
        if core is not None and hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(running[-1].pid, [core])
        said = running[-1].stdout.readline()
        if not said:
            raise OSError(f"{' '.join(arguments)}: the data service did not start")
        return said.rpartition(":")[2].strip()

    try:
        address = f"grpc://localhost:{start('dispatcher', '--port', '0')}"
        for index in range(workers):
            core = on[index % len(on)] if on else None
            start("worker", address, "--host", "localhost", core=core)
        yield address
    finally:
        for process in reversed(running):
            process.kill()
            process.wait()
            process.stdout.close()


def _batches(labels, config, batch_size, **options):
    made = ssd.dataset(labels, config, batch_size=batch_size, training=True, **options)
    return made.repeat().as_numpy_iterator()

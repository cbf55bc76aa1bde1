"""Batches that the workers of a tf.data service make, and an end to waiting for them.

TensorFlow waits for a worker without an end and without a word, in code that not even Ctrl-C stops.
So a clock runs beside the batches, as a dataset too: its ticks and the batches come in one stream,
in the order in which they are there, and too many ticks in a row are an error.
"""

import socket
import sys

import tensorflow as tf

from ssd.data.service import host_and_port

SAID_AFTER = 30  # seconds without a batch after which a line says so, and each so many again
GIVEN_UP_AFTER = 600  # a worker that starts fills its shuffling first, from a disk that may be slow
_AHEAD = 4  # batches that a worker has ready


def distribute(batches: tf.data.Dataset, service: str) -> tf.data.Dataset:
    """The same batches, made by the workers of a tf.data service, without an end.

    Args:
        batches: Batches of static shape.
        service: Address of its dispatcher, `grpc://HOST:PORT`.

    Returns:
        A dataset of the same elements. While no batch comes a line on standard error says so
        (`SAID_AFTER`); at last the loop over it ends with a `tf.errors.InvalidArgumentError`
        that names the service (`GIVEN_UP_AFTER`).

    Raises:
        ConnectionError: If nobody answers at the address.
        ValueError: If it is no such address.

    Example:
        >>> distribute(tf.data.Dataset.range(3), "10.0.0.1")
        Traceback (most recent call last):
        ValueError: service: wanted grpc://HOST:PORT, got 10.0.0.1
    """
    _check_reachable(service)
    # Without an end, since workers would wait a second to be told of the next pass; and a
    # worker, too, makes the next batches while one is on its way.
    made = (
        batches.repeat()
        .prefetch(_AHEAD)
        .apply(
            tf.data.experimental.service.distribute(
                processing_mode=tf.data.experimental.service.ShardingPolicy.OFF,
                service=service,
                # Pixels hardly get smaller, and to try costs the workers time.
                compression=None,
            )
        )
    )
    return end_waits(made, service)


def end_waits(
    batches: tf.data.Dataset,
    name: str,
    *,
    tick: float = 1.0,
    said_after: int = SAID_AFTER,
    given_up_after: int = GIVEN_UP_AFTER,
) -> tf.data.Dataset:
    """The same elements; but where none comes for long, lines that say so, and then an error.

    A loop that is slow to ask for the next element is not waiting, however long it takes.

    Args:
        batches: A dataset without an end, of elements of static shape.
        name: Where they come from, for the line.
        tick: Seconds between two looks at the clock.
        said_after: Ticks without an element after which a line on standard error says so, and
            after as many again the next.
        given_up_after: Ticks without an element after which the loop ends with a
            `tf.errors.InvalidArgumentError`; more than a few, since some may have piled up.

    Returns:
        A dataset of the same elements, in the same order.

    Example:
        >>> [int(number) for number in end_waits(tf.data.Dataset.range(3).repeat(), "3").take(4)]
        [0, 1, 2, 0]
    """
    nothing = tf.nest.map_structure(
        lambda spec: tf.zeros(spec.shape, spec.dtype), batches.element_spec
    )
    ticks = _slowed(tf.data.Dataset.from_tensors((True, nothing)).repeat(), tick)
    marked = tf.data.Dataset.zip(tf.data.Dataset.from_tensors(False).repeat(), batches)
    both = tf.data.Dataset.from_tensors(marked).concatenate(tf.data.Dataset.from_tensors(ticks))
    # Whichever is there first; each is waited for in a thread of its own.
    stream = both.interleave(
        lambda each: each, cycle_length=2, num_parallel_calls=2, deterministic=False
    )

    def count(waited, is_tick, element):
        waited = tf.where(is_tick, waited + 1, 0)
        seconds = tf.strings.as_string(tf.cast(waited, tf.float32) * tick, precision=0)
        line = tf.strings.join(
            [f"{name}: no batch has come for ", seconds, " s; do its dispatcher and workers run?"]
        )
        saying = (waited > 0) & (waited % said_after == 0) & (waited < given_up_after)
        tf.cond(saying, lambda: _say(line), tf.no_op)
        tf.debugging.Assert(waited < given_up_after, [line])
        return waited, (is_tick, element)

    counted = stream.scan(0, lambda waited, element: count(waited, *element))
    batches_only = counted.filter(lambda is_tick, _: tf.logical_not(is_tick))
    endless = tf.data.experimental.assert_cardinality(tf.data.INFINITE_CARDINALITY)
    return batches_only.map(lambda _, element: element).apply(endless)


def _say(line: tf.Tensor) -> tf.Operation:
    return tf.print(line, output_stream=sys.stderr)


def _slowed(elements: tf.data.Dataset, seconds: float) -> tf.data.Dataset:
    specs = tf.nest.flatten(elements.element_spec)
    variant = tf.raw_ops.SleepDataset(
        input_dataset=tf.data.experimental.to_variant(elements),
        sleep_microseconds=tf.cast(seconds * 1e6, tf.int64),
        output_types=[spec.dtype for spec in specs],
        output_shapes=[spec.shape for spec in specs],
    )
    return tf.data.experimental.from_variant(variant, elements.element_spec)


def _check_reachable(service: str) -> None:
    """See that somebody answers: TensorFlow itself would try for an hour and say nothing."""
    try:
        socket.create_connection(host_and_port(service), timeout=10).close()
    except OSError as error:
        reason = error.strerror or str(error)
        raise ConnectionError(
            f"{service}: wanted the dispatcher of a data service, nobody answers there ({reason})"
        ) from None

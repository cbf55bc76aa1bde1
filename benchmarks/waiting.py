"""`python -m benchmarks.waiting`: is what `ssd.Balance` says of a run what happened in it?

A device that only sleeps and a pipeline that only sleeps clock themselves while Keras trains with
them. What the device waited is known from the two clocks alone: the time in which it did
nothing while the pipeline made its next batch. The callback sees neither clock.
"""

import argparse
import pathlib
import queue
import sys
import time
from collections.abc import Sequence
from concurrent import futures
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

import ssd
from benchmarks import envelope, outputs
from benchmarks.balance import describe_machine
from benchmarks.options import positive

CALLS = 100_000
_BEGUN = time.time()  # what a run notes is in seconds since


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure every row, print a table, and write what was asked for.

    Args:
        arguments: What was typed; by default those of the process.

    Returns:
        The exit status: 0 when all is done.

    Example:
        >>> main(["--json", "no/such/folder/figures.json"])
        1
    """
    options = _parser().parse_args(arguments)
    try:
        outputs.check_outputs("waiting", json=options.json)
    except (OSError, ValueError) as error:
        print(f"waiting: {error}", file=sys.stderr)
        return 1
    import keras

    backend = keras.backend.backend()
    rows = [
        _row(device / 1e3, data / 1e3, ahead, options)
        for device in options.device
        for data in options.data
        for ahead in (True, False)
    ]
    result: dict[str, Any] = {"machine": describe_machine(), "backend": backend, "rows": rows}
    print(f"Keras on {backend}, the median of {options.repeats}, {options.steps} steps each")
    print("device ms  data ms  made ahead  waited, by the clocks  by the callback  apart")
    for row in rows:
        print(
            f"{row['device_seconds'] * 1e3:9g}{row['data_seconds'] * 1e3:9g}"
            f"{'yes' if row['ahead'] else 'no':>12}{row['clocked']:23.1%}{row['said']:17.1%}"
            f"{100 * row['apart']:+7.1f}"
        )
    if options.calls:
        result["own_seconds"] = time_itself(options.calls)
        print(f"the callback's own time: {1e6 * result['own_seconds']:.0f} µs a step")
    if options.json:
        envelope.write(options.json, "waiting", result)
    return 0


def _row(device: float, data: float, ahead: bool, options: argparse.Namespace) -> dict[str, Any]:
    pairs = [run(device, data, ahead=ahead, steps=options.steps) for _ in range(options.repeats)]
    clocked, said = np.median(pairs, axis=0).tolist()
    apart = float(np.median([said - clocked for clocked, said in pairs]))
    return {
        "device_seconds": device,
        "data_seconds": data,
        "ahead": ahead,
        "clocked": clocked,
        "said": said,
        "apart": apart,
        "pairs": pairs,
    }


def run(device: float, data: float, *, ahead: bool, steps: int) -> tuple[float, float]:
    """Train for some steps, and say how long the device waited, by its clock and by the callback.

    Args:
        device: Seconds that the device sleeps for a batch.
        data: Seconds that the pipeline sleeps for one.
        ahead: Whether batches are made while the device works.
        steps: How many steps.

    Returns:
        (share that device and pipeline clocked, share that `ssd.Balance` says).

    Example:
        >>> clocked, said = run(0.001, 0.002, ahead=True, steps=4)
        >>> 0 <= clocked <= 1 and 0 <= said <= 1
        True
    """
    noted: list[_Step] = []
    balance = ssd.Balance(say=lambda line: None)
    batches = balance(_pipeline(data, steps, ahead))
    with futures.ThreadPoolExecutor(1) as watch:
        model = _imitated(device, noted, watch)
        fitted = model.fit(batches, epochs=1, verbose=0, callbacks=[balance], shuffle=False)
    # As the callback, from the end of the first step on: that one compiles.
    waits = [
        max(0.0, step.ready - max(step.asked, before.done)) for before, step in pairwise(noted)
    ]
    return sum(waits) / (noted[-1].done - noted[0].done), fitted.history["waited_for_data"][0]


class _Step(NamedTuple):
    """When the pipeline was asked for a batch and had it, and the device was done with it: s."""

    asked: float
    ready: float
    done: float


def _pipeline(seconds: float, steps: int, ahead: bool) -> Any:
    """A `tf.data` pipeline that sleeps for each batch; in the batch stands from when to when."""
    import tensorflow as tf

    def sleep(asked: Any) -> Any:
        time.sleep(seconds)
        return asked

    def batch(_: Any) -> tuple[Any, Any]:
        asked = tf.timestamp()
        with tf.control_dependencies([tf.numpy_function(sleep, [asked], tf.float64)]):
            times = tf.stack([asked, tf.timestamp()])
        since = tf.cast(times - _BEGUN, tf.float32)  # those of JAX have no more bits
        return since[None], tf.zeros([1, 1])

    data = tf.data.Dataset.range(steps).map(batch)
    return data.prefetch(2) if ahead else data


def _imitated(seconds: float, noted: list[_Step], watch: futures.Executor) -> Any:
    """A compiled model of a few weights, whose step sleeps and is noted once its loss is there."""
    import keras

    jax = keras.backend.backend() == "jax"
    made: queue.SimpleQueue[tuple[float, float]] = queue.SimpleQueue()

    def sleep(times: Any) -> np.float32:
        asked, ready = np.asarray(times)[0].tolist()
        made.put((asked, ready))
        time.sleep(seconds)
        return np.float32(0)

    def note(logs: Any) -> None:
        float(logs["loss"])
        noted.append(_Step(*made.get(), time.time() - _BEGUN))

    class Sleep(keras.layers.Layer):
        def call(self, x: Any) -> Any:
            if not jax:
                import tensorflow as tf

                return x + tf.ensure_shape(tf.numpy_function(sleep, [x], tf.float32), [])
            from jax import ShapeDtypeStruct, lax, pure_callback

            wanted = ShapeDtypeStruct((), np.float32)
            return x + pure_callback(sleep, wanted, lax.stop_gradient(x))

    class Imitated(keras.Sequential):
        def make_train_function(self, force: bool = False) -> None:
            super().make_train_function(force)
            step = self.train_function

            def clocked(*given: Any) -> Any:
                result = step(*given)
                if jax:  # it is still at work
                    watch.submit(note, result[0])
                else:
                    note(result)
                return result

            self.train_function = clocked

    # Weights come after the sleep, so that it takes no part in the gradient.
    model = Imitated([keras.Input((2,)), Sleep(), keras.layers.Dense(1)])
    model.compile("sgd", "mse", jit_compile=jax)
    return model


def time_itself(calls: int = CALLS) -> float:
    """Processor time that the callback costs a step: its calls and the clock in the data.

    Args:
        calls: How many steps.

    Returns:
        Seconds a step: those of a loop over data with a clock and the callback's calls, less
        those of the loop alone.

    Example:
        >>> time_itself(10) < 1
        True
    """
    import tensorflow as tf

    model = _imitated(0.0, [], futures.ThreadPoolExecutor(1))
    batch = tf.zeros([1, 2]), tf.zeros([1, 1])
    options = tf.data.Options()
    options.experimental_optimization.inject_prefetch = False  # as the clock has it
    data = tf.data.Dataset.from_tensors(batch).repeat(calls + 1).with_options(options)

    def loop(batches: Any, balance: ssd.Balance | None) -> float:
        left = iter(batches)
        next(left)
        begun = time.process_time()
        for step in range(calls):
            if balance is not None:
                balance.on_train_batch_begin(step)
            next(left)
            if balance is not None:
                balance.on_train_batch_end(step)
        if balance is not None:
            balance.on_epoch_end(0, {})
        return time.process_time() - begun

    balance = ssd.Balance(say=lambda line: None)
    balance.set_model(model)
    timed = balance(data)
    balance.on_epoch_begin(0)
    alone = loop(data, None)
    return (loop(timed, balance) - alone) / calls


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.waiting",
        description="Hold what ssd.Balance says against a device and a pipeline that only sleep "
        "and clock themselves, under the backend that KERAS_BACKEND names.",
    )
    numbers: dict[str, Any] = {
        "type": positive(float, "number of milliseconds"),
        "nargs": "+",
        "metavar": "MS",
    }
    parser.add_argument(
        "--device", default=[2, 10, 50], help="ms of the device (2 10 50)", **numbers
    )
    parser.add_argument("--data", default=[5, 20, 80], help="ms of a batch (5 20 80)", **numbers)
    count = positive(int, "positive integer")
    steps = positive(int, "integer of 2 or more", least=2)  # the first is not counted
    parser.add_argument("--repeats", type=count, default=5, help="runs of each row (5)")
    parser.add_argument("--steps", type=steps, default=60, help="steps of a run (60)")
    parser.add_argument(
        "--calls", type=int, default=CALLS, help=f"steps to time the callback itself ({CALLS})"
    )
    parser.add_argument("--json", type=pathlib.Path, help="write all figures to this file")
    return parser


if __name__ == "__main__":
    sys.exit(main())

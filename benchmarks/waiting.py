"""`python -m benchmarks.waiting`: is what `ssd.Balance` says of a run what happened in it?

A device that only sleeps and a pipeline that only sleeps clock themselves while Keras trains with
them. What the device waited is known from the two clocks alone: the time in which it did
nothing while the pipeline made its next batch. The callback sees neither clock.
"""

import argparse
import pathlib
import sys
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

import ssd
from benchmarks import envelope, outputs
from benchmarks.balance import describe_machine
from benchmarks.options import positive

CALLS = 100_000
_COLUMNS = 8  # of a batch, which is as good as none


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
    runs: list[list[tuple[float, float]]] = []
    worked: list[tuple[float, float]] = []
    model = _imitated(device, worked)
    balance = ssd.Balance(say=lambda line: None)
    batches = balance(_pipeline(data, steps, ahead, runs))
    history = model.fit(batches, epochs=1, verbose=0, callbacks=[balance], shuffle=False).history
    made = runs[-1]  # the one before, if any, is Keras looking at a batch to build a model
    ends = [end for _, end in worked]
    # As the callback, from the end of the first step on: that one compiles.
    waits = [
        max(0.0, ready - max(asked, end))
        for (asked, ready), end in zip(made[1:], ends[:-1], strict=True)
    ]
    return sum(waits) / (ends[-1] - ends[0]), history["waited_for_data"][0]


def _pipeline(
    seconds: float, steps: int, ahead: bool, runs: list[list[tuple[float, float]]]
) -> Any:
    """A `tf.data` pipeline that sleeps for each batch, and notes from when to when."""
    import tensorflow as tf

    images, targets = np.zeros((4, _COLUMNS), np.float32), np.zeros((4, 1), np.float32)

    def begin() -> np.int64:
        runs.append([])
        return np.int64(len(runs) - 1)

    def make(run: int, _: int) -> tuple[np.ndarray, np.ndarray]:
        begun = time.perf_counter()
        time.sleep(seconds)
        runs[run].append((begun, time.perf_counter()))
        return images, targets

    def batch(run: Any, number: Any) -> tuple[Any, Any]:
        made = tf.numpy_function(make, [run, number], [tf.float32, tf.float32])
        return tf.ensure_shape(made[0], images.shape), tf.ensure_shape(made[1], targets.shape)

    def batches(_: Any) -> Any:
        run = tf.numpy_function(begin, [], tf.int64)
        return tf.data.Dataset.range(steps).map(lambda number: batch(run, number))

    data = tf.data.Dataset.range(1).flat_map(batches)
    data = data.apply(tf.data.experimental.assert_cardinality(steps))  # type: ignore
    return data.prefetch(2) if ahead else data


def _imitated(seconds: float, worked: list[tuple[float, float]]) -> Any:
    """A compiled model of a few weights, whose step sleeps and notes from when to when."""
    import keras

    def sleep(_: Any) -> np.float32:
        begun = time.perf_counter()
        time.sleep(seconds)
        worked.append((begun, time.perf_counter()))
        return np.float32(0)

    class Sleep(keras.layers.Layer):
        def call(self, x: Any) -> Any:
            if keras.backend.backend() == "tensorflow":
                import tensorflow as tf

                slept = tf.numpy_function(sleep, [x[0, 0]], tf.float32)
                return x + tf.ensure_shape(slept, [])
            import jax

            wanted = jax.ShapeDtypeStruct((), np.float32)
            return x + jax.pure_callback(sleep, wanted, jax.lax.stop_gradient(x[0, 0]))

    # Weights come after the sleep, so that it takes no part in the gradient.
    model = keras.Sequential([keras.Input((_COLUMNS,)), Sleep(), keras.layers.Dense(1)])
    model.compile("sgd", "mse", jit_compile=keras.backend.backend() == "jax")
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

    model = _imitated(0.0, [])
    batch = tf.zeros([4, _COLUMNS]), tf.zeros([4, 1])
    data = tf.data.Dataset.from_tensors(batch).repeat(calls + 1)

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

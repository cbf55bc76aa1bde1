"""`ssd.Balance`: what a device waits for, said after each epoch of any `fit`."""

import collections
import math
import os
import time
from collections.abc import Callable, Mapping
from typing import Any

import keras

from ssd.balance import equation
from ssd.balance.clocks import Delivery, Spent
from ssd.balance.passing import ROWS, Take, through, works_ahead

TARGET = 0.95
_BINDS = 0.05  # waiting from here on is worth a word of advice
_IDLE = 0.5  # cores that are busy less than this do not lack others
_MOST = ROWS // 2  # deliveries that are left with the data, so that none is written over


class Balance(keras.callbacks.Callback):
    """How much of an epoch the device waited for data, and what would balance the two.

    A callback of Keras, for any model and any data, that needs nothing else of `ssd`: let the
    training data pass through it, and give it to `fit`. Batches stay as they are, and nothing is
    done twice. After each epoch it says a line such as

        waited for data 95 % · data 224 ms, device 10.4 ms a batch · 82 cores or 2,900 photos/s
        would balance

    and adds to the logs, for the callbacks after it (`TensorBoard`, `CSVLogger`):
    `waited_for_data`, a share from 0 to 1; `step_ms`, between two steps; and `device_ms`, of
    which the device worked. A step that compiles is not counted. docs/balance.md says how it is
    measured and how well that holds.

    Args:
        unit: What an example is called.
        say: Told the line of an epoch once its progress bar is done.

    Attributes:
        line: That of the last epoch.
        compile_seconds: How long the first step took, in which the model was compiled; NaN
            before.

    Example:
        >>> import numpy as np
        >>> model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
        >>> model.compile("sgd", "mse")
        >>> data = [(np.zeros((2, 3)), np.zeros((2, 1)))] * 4
        >>> balance = Balance(say=lambda line: None)
        >>> history = model.fit(balance(data), callbacks=[balance], verbose=0)
        >>> 0 <= history.history["waited_for_data"][0] <= 1
        True
    """

    async_safe = True  # under JAX steps may go on while the one before is looked at

    def __init__(self, *, unit: str = "photos", say: Callable[[str], object] = print):
        super().__init__()
        self.unit, self.say, self.line = unit, say, ""
        self.compile_seconds = math.nan
        self._take: Take | None = None
        self._works_ahead, self._several, self._compiled = True, False, None
        self._forget()

    def __call__(self, data: Any, *, shuffle: bool = True) -> Any:
        """The training data, with a clock that it passes on its way.

        Args:
            data: A `tf.data.Dataset`, or any iterable of batches as Keras takes them.
            shuffle: Whether `fit` has batches of a `keras.utils.PyDataset` come in another order
                in each epoch: what `fit` is told, whose default is the same. Under TensorFlow it
                cannot be known from `fit`; under JAX `fit`'s own is what counts.

        Returns:
            The same for `fit`: as many batches, as they were, in the order they would have.

        Raises:
            ValueError: If it is neither of them.
        """
        self._several = _under_a_strategy()
        if self._several:
            self._take = list
            return data
        self._works_ahead = works_ahead(data)
        data, self._take = through(data, shuffle=shuffle)
        return data

    def on_train_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        """Refuse data that no clock was put into.

        Args:
            logs: As Keras gives them.

        Raises:
            ValueError: If the training data has not passed through.
        """
        if self._take is None:
            raise ValueError(
                "Balance: wanted the training data to pass through it, as in "
                "model.fit(balance(data), callbacks=[balance])"
            )
        self.line = ""

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Begin to count anew.

        Args:
            epoch: Counted from 0.
            logs: As Keras gives them.
        """
        self._tell()
        self._forget()

    def on_train_batch_begin(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Note when a step is about to ask for its data.

        Args:
            batch: Counted from 0.
            logs: As Keras gives them.
        """
        if len(self._begun) * self._steps() >= _MOST:
            self._count()
        self._begun.append((batch, time.time()))

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Note when the device is done with a step: Keras gives its loss as a number.

        Args:
            batch: Counted from 0.
            logs: Means over the epoch so far.
        """
        now = time.time()
        self._ended[batch] = now
        self._worked[bool(self._worked) :] = [(now, time.process_time())]  # the first and the last

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Add up, and add to the logs.

        Args:
            epoch: Counted from 0.
            logs: Those that later callbacks see, too.
        """
        self._count()
        known, steps = self._why_not() == "", max(1, self.spent.steps)
        self.line = self._describe()
        if isinstance(logs, dict):
            logs["waited_for_data"] = self.spent.share if known else math.nan
            logs["step_ms"] = 1e3 * self.spent.total / steps if known else math.nan
            logs["device_ms"] = 1e3 * self.spent.device / steps if known else math.nan

    def on_train_end(self, logs: Mapping[str, Any] | None = None) -> None:
        """Say the last line.

        Args:
            logs: As Keras gives them.
        """
        self._tell()

    def _forget(self) -> None:
        self.spent = Spent()
        self._begun: list[tuple[int, float]] = []
        self._ended: dict[int, float] = {}
        self._worked: list[tuple[float, float]] = []
        self._delivered: collections.deque[Delivery] = collections.deque()
        self._previous: float | None = None
        if self._take is not None:
            self._take()

    def _tell(self) -> None:
        line, self.line = self.line, ""
        if line:
            self.say(line)

    def _steps(self) -> int:
        """Steps that Keras takes in one call."""
        return max(1, int(self.model.steps_per_execution))

    def _count(self) -> None:
        """Add up the steps that are done, with the batches that came for them."""
        steps = self._steps()
        self._delivered.extend(self._take() if self._take else ())
        counted = 0
        for (number, begun), following in zip(
            self._begun, [*self._begun[1:], (0, math.inf)], strict=True
        ):
            ended = self._ended.pop(number + steps - 1, None)
            if ended is None:
                break
            batches = []
            while self._delivered and self._delivered[0].asked < following[1]:
                batches.append(self._delivered.popleft())
            # Where Keras looks a batch ahead, the first call takes one more.
            batches = [batch for batch in batches if batch.asked >= begun][-steps:]
            self._add(begun, ended, batches)
            counted += 1
        del self._begun[:counted]

    def _add(self, begun: float, ended: float, batches: list[Delivery]) -> None:
        function = self.model.train_function
        if self._previous is not None:
            self.spent.add(self._previous, ended, batches, ahead=self._works_ahead)
        elif function is self._compiled:
            self.spent.add(begun, ended, batches, ahead=self._works_ahead)
        else:  # the first step of this function, which traces and compiles
            self._compiled, self.compile_seconds = function, ended - begun
        self._previous = max(ended, self._previous or ended)

    def _why_not(self) -> str:
        """Why nothing can be said of the epoch; empty if something can."""
        if self._several:
            return "TensorFlow hands batches to several devices in the background"
        if not self.spent.steps:
            return "the epoch has one step, the one that compiled"
        if not self.spent.batches:
            return "the data of this fit is not what has passed through"
        return ""

    def _describe(self) -> str:
        if why := self._why_not():
            return f"waiting for data is not measured: {why}"
        spent = self.spent
        device, step = spent.device / spent.steps, spent.total / spent.steps
        binds = spent.share >= _BINDS
        said = f"waited for data {100 * spent.share:.0f} %"
        if self._works_ahead and not binds:
            return f"{said} · data keeps up, device {_ms(device)} a batch"
        # What works ahead works all the time while it binds.
        data = step if self._works_ahead else spent.delivering / spent.batches
        said += f" · data {_ms(data)}, device {_ms(device)} a batch"
        size = spent.examples / spent.batches
        if binds and size and device:
            said += f" · {self._advise(data, device, size)}"
        if binds and not self._works_ahead:
            said += "; no batch is made ahead (prefetch)"
        return said

    def _advise(self, data: float, device: float, size: float) -> str:
        """What would balance the two: cores, if they are what binds, and a rate."""
        cores, busy = _cores(), self._busy_cores()
        rate = equation.photos_per_second_needed(size, device, target=TARGET)
        rate = f"{float(f'{rate:.2g}'):,.0f} {self.unit}/s"
        if busy < _IDLE * cores:
            return f"{rate} would balance, not more cores: {100 * busy / cores:.0f} % of these work"
        core_seconds = min(busy, cores) * data / size
        needed = math.ceil(equation.cores_needed(core_seconds, size, device, target=TARGET))
        return f"{needed:,} core{'s' * (needed > 1)} or {rate} would balance"

    def _busy_cores(self) -> float:
        """Cores that this process kept busy, from the first step's end to the last's."""
        if len(self._worked) < 2:
            return 0.0
        (since, before), (until, after) = self._worked
        return (after - before) / max(1e-9, until - since)


def _ms(seconds: float) -> str:
    return f"{1e3 * seconds:,.0f} ms" if seconds >= 0.1 else f"{1e3 * seconds:.3g} ms"


def _under_a_strategy() -> bool:
    """Whether TensorFlow is to spread steps over devices, as `tf.distribute` does."""
    if keras.backend.backend() != "tensorflow":
        return False
    import tensorflow as tf

    return tf.distribute.has_strategy()


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1

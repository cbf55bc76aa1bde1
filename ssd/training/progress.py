"""What a run prints: how far it is, what it has come to, and how long it will still take."""

import math
import sys
import time
from collections.abc import Mapping
from typing import Any

import keras

from ssd.balance.callback import Balance
from ssd.nets.losses import LossTerms

_EVERY = 0.5  # seconds between two looks in a terminal


class Progress(keras.callbacks.Callback):
    """A line or two for each epoch and, in a terminal, one for where it is.

    Args:
        epochs: Of the whole run.
        steps: Of an epoch.
        balance: Whose line is printed with an epoch's, if there is one.

    Example:
        >>> Progress(30, 100).steps
        100
    """

    async_safe = True  # under JAX steps may go on while the one before is looked at

    def __init__(self, epochs: int, steps: int, balance: Balance | None = None):
        super().__init__()
        self.epochs, self.steps, self.balance = epochs, steps, balance
        self._epoch = self._first = 0
        self._begun = self._compiled = self._shown = math.nan

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Note which epoch it is.

        Args:
            epoch: Counted from 0.
            logs: As Keras gives them.
        """
        self._epoch = epoch
        if math.isnan(self._begun):
            self._first, self._begun = epoch, time.monotonic()
            self._show("first step: compiling ...")

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Say where the run is, in a terminal.

        Args:
            batch: Counted from 0.
            logs: Means over the epoch so far.
        """
        now = time.monotonic()
        if math.isnan(self._compiled):
            self._compiled = self._shown = now
            self._print(f"first step: compiled in {spoken(now - self._begun)}")
        elif now - self._shown > _EVERY:
            self._shown = now
            loss = (logs or {}).get("loss", math.nan)
            self._show(
                f"epoch {self._epoch + 1} of {self.epochs} · step {batch + 1} of {self.steps} · "
                f"loss {loss:.3g} · {self._left(self._epoch + (batch + 1) / self.steps)}"
            )

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Say what the epoch has come to.

        Args:
            epoch: Counted from 0.
            logs: Means over the epoch, and of its validation.
        """
        logs = logs or {}
        terms = [f"{name} {logs[name]:.3g}" for name in LossTerms._fields if name in logs]
        said = f"epoch {epoch + 1} of {self.epochs}: loss {logs.get('loss', math.nan):.3g}"
        said += f" ({', '.join(terms)})" if terms else ""
        if "val_loss" in logs:
            said += f", validation {logs['val_loss']:.3g}"
        if not math.isnan(logs.get("val_ap50", math.nan)):
            said += f", AP50 {logs['val_ap50']:.3f}"
        self._print(said)
        waited = [self.balance.line] if self.balance and self.balance.line else []
        over = epoch + 1 == self.epochs or self.model.stop_training
        took = f"{spoken(time.monotonic() - self._begun)} in all"
        self._print("  " + " · ".join([*waited, took if over else self._left(epoch + 1)]))

    def _left(self, done: float) -> str:
        """How long the whole run will still take, judged by all of it but the compilation."""
        passed, epochs = time.monotonic() - self._compiled, done - self._first
        return f"{spoken(passed / max(1e-9, epochs) * (self.epochs - done))} left"

    def _show(self, line: str) -> None:
        """A line that the next one takes the place of."""
        if sys.stdout.isatty():
            print(f"\r\033[K{line}", end="", flush=True)

    def _print(self, line: str) -> None:
        self._show("")
        print(line, flush=True)


def spoken(seconds: float) -> str:
    """A length of time in one or two units, as people say it.

    Args:
        seconds: How long, 0 or more.

    Returns:
        str.

    Example:
        >>> spoken(4.2), spoken(70), spoken(600), spoken(7500), spoken(200_000)
        ('4 s', '1 min 10 s', '10 min', '2 h 5 min', '2 d 7 h')
    """
    whole = round(seconds)
    for size, unit, small, below in ((86400, "d", 3600, "h"), (3600, "h", 60, "min")):
        if whole >= size:
            rest = whole % size // small
            return f"{whole // size} {unit}" + (f" {rest} {below}" if rest else "")
    minutes, rest = divmod(whole, 60)
    if minutes >= 10 or (minutes and not rest):
        return f"{minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{whole} s"

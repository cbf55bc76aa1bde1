"""What a run does after each epoch."""

import math
from collections.abc import Mapping
from typing import Any

import keras

from ssd import atomic
from ssd.nets.model import check_finite
from ssd.training import history
from ssd.training.folder import RunFolder


class SaveEpoch(keras.callbacks.Callback):
    """Saves history, model and optimizer after each epoch; a kill at any moment harms nothing.

    In this order: a row too many can be dropped, a missing one could not be made up. An epoch in
    which the loss becomes NaN or infinite ends there: no later step could mend its mean.

    Args:
        run: Where to.
        validated: Whether there are validation labels to choose the best epoch by.
        patience: Epochs without a new best after which to stop; None trains to the end.

    Raises:
        ValueError: If the loss or a weight is not finite; what was saved before stays.

    Example:
        >>> saving = SaveEpoch(RunFolder("run"), validated=True, patience=5)
        >>> saving.on_epoch_end(3, {"loss": float("nan")})
        Traceback (most recent call last):
        ValueError: epoch 4: the loss became nan; run/model.keras has the epoch before
    """

    async_safe = True  # so that Keras goes on stepping while the loss of a step is looked at

    def __init__(self, run: RunFolder, *, validated: bool = False, patience: int | None = None):
        super().__init__()
        self.run, self.validated, self.patience = run, validated, patience

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        """End the epoch where its loss is not finite any more.

        Args:
            batch: Counted from 0.
            logs: Means of loss and terms over the epoch so far.
        """
        if not math.isfinite((logs or {}).get("loss", 0.0)):
            self.model.stop_training = True  # `on_epoch_end` says why

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Check, save, and stop where the best epoch is long past.

        Args:
            epoch: Counted from 0.
            logs: Means of loss and terms over it, and over the validation labels.
        """
        terms = {name: float(value) for name, value in (logs or {}).items()}
        self._check(epoch, terms)
        rows = history.read(self.run.history)[:epoch]
        history.write(self.run.history, [*rows, {"epoch": epoch, **terms}])
        self.model.provenance = {**self.model.provenance, "epochs_done": epoch + 1, "terms": terms}
        with atomic.whole(self.run.saved) as temporary:
            self.model.save(temporary)
        if self.validated:
            since = self.run.keep_best()
            if self.patience is not None and since >= self.patience:
                self.model.stop_training = True

    def _check(self, epoch, terms):
        kept = f"{self.run.saved} has the epoch before" if epoch else "no epoch was saved"
        if not math.isfinite(terms["loss"]):
            raise ValueError(f"epoch {epoch + 1}: the loss became {terms['loss']}; {kept}")
        try:
            check_finite(self.model)
        except ValueError as error:
            raise ValueError(f"epoch {epoch + 1}: {error}; {kept}") from None


class FreezeBody(keras.callbacks.Callback):
    """Trains the heads alone in the first epochs, and all from then on.

    Args:
        epochs: How many; a run that goes on counts from its beginning.

    Example:
        >>> FreezeBody(3).epochs
        3
    """

    def __init__(self, epochs: int):
        super().__init__()
        self.epochs, self.frozen = epochs, False

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Freeze the body, or free it, where that changes.

        Args:
            epoch: Counted from 0.
            logs: As Keras gives them.
        """
        frozen = epoch < self.epochs
        if frozen == self.frozen:
            return
        self.frozen = frozen
        self.model.freeze_body(frozen)
        self.model.make_train_function(force=True)

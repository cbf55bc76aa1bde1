"""Options of a run that are out of range or contradict each other: refused before any work."""

import dataclasses
import math
import numbers
import os
import pathlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ssd.config import Config
from ssd.data.plain import plain
from ssd.nets.growing import columns
from ssd.nets.losses import MultiboxLoss
from ssd.nets.model import SSD

_SEEDS = 2**32  # NumPy takes none beyond
# What says how a model that training starts with is to be treated.
_OF_START = {
    "freeze_normalization": "a trained model",
    "freeze_body": "a trained model",
    "parents": "a model",
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """What a run is asked for beside its labels, as `run.json` and a model's provenance keep it.

    Args:
        epochs: As for `ssd.train`, like all that follow.
        batch_size: As there.
        learning_rate: As there.
        seed: As there.
        loss: The options of the loss.
        freeze_normalization: As there.
        freeze_body: As there.
        weights: As there.
        balance: As there.
        crop_share: As there; None without crops.
        crop_spread: As there; None without crops.
        rotation: As there; None where nothing is turned.
        parents: As there; None without any.
        patience: As there.

    Example:
        >>> Options(epochs=3, batch_size=8, learning_rate=1e-3).seed is None
        True
    """

    epochs: int
    batch_size: int
    learning_rate: float
    seed: int | None = None
    loss: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    freeze_normalization: bool = False
    freeze_body: int = 0
    weights: Sequence[float] | None = None
    balance: str | None = None
    crop_share: float | None = None
    crop_spread: float | None = None
    rotation: float | None = None
    parents: Mapping[str, str] | None = None
    patience: int | None = None

    @classmethod
    def of(cls, **asked: Any) -> "Options":
        """Options of numbers that may be NumPy's.

        Args:
            asked: The fields.

        Returns:
            The same as Python's own, which JSON can hold.
        """
        return cls(**plain(asked))


def check_options(options: Options, *, started: bool, validated: bool) -> None:
    """See that the options of a run make sense by themselves and beside each other.

    Args:
        options: The `Options`.
        started: Whether there is a model to start from.
        validated: Whether there are labels to validate with.

    Raises:
        ValueError: If one does not.

    Example:
        >>> options = Options(epochs=3, batch_size=8, learning_rate=1e-3, freeze_body=5)
        >>> check_options(options, started=True, validated=False)
        Traceback (most recent call last):
        ValueError: freeze_body: wanted at most the 3 epochs of the run, got 5
    """
    epochs, rate, seed = options.epochs, options.learning_rate, options.seed
    freeze_body, patience = options.freeze_body, options.patience
    for option, value in {"epochs": epochs, "batch_size": options.batch_size}.items():
        if not _is_whole(value) or value < 1:
            raise ValueError(f"{option}: wanted a whole number of 1 or more, got {value!r}")
    if not (math.isfinite(rate) and rate >= 0):
        raise ValueError(f"learning_rate: wanted a number of 0 or more, got {rate}")
    if seed is not None and not (_is_whole(seed) and 0 <= seed < _SEEDS):
        raise ValueError(f"seed: wanted a whole number from 0 to {_SEEDS - 1}, got {seed!r}")
    if not _is_whole(freeze_body) or freeze_body < 0:
        raise ValueError(f"freeze_body: wanted 0 or more epochs, got {freeze_body!r}")
    if patience is not None and not (_is_whole(patience) and patience >= 1 and validated):
        raise ValueError(f"patience: wanted 1 or more and a validation, got {patience!r}")
    for option, value in {"freeze_body": freeze_body, "patience": patience or 0}.items():
        if value > epochs:
            raise ValueError(
                f"{option}: wanted at most the {epochs} epochs of the run, got {value}"
            )
    for option, what in _OF_START.items():
        if getattr(options, option) and not started:
            raise ValueError(f"{option}: wanted {what} to start from, got none")


def _is_whole(value: Any) -> bool:
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)


def check_loss(loss: MultiboxLoss, config: Config) -> None:
    """See that a loss is that of a Config's model.

    Args:
        loss: As for `ssd.train`.
        config: The `ssd.Config` of the model.

    Raises:
        ValueError: If it is not.

    Example:
        >>> config = Config(image_size=(64, 64))
        >>> check_loss(MultiboxLoss(config), config)
    """
    if not isinstance(loss, MultiboxLoss):
        raise ValueError(f"loss: wanted an ssd.MultiboxLoss, got {type(loss).__name__}")
    if loss.config != config:
        raise ValueError("loss: wanted an ssd.MultiboxLoss of the model's Config, got another's")


def check_balance(balance: str | None, config: Config) -> None:
    """See that there are classes to balance.

    Args:
        balance: As for `ssd.train`.
        config: The `ssd.Config` of the model.

    Raises:
        ValueError: If there is one class alone.

    Example:
        >>> check_balance("class", Config())
        Traceback (most recent call last):
        ValueError: balance: wanted a Config of several classes, got face alone
    """
    if balance == "class" and len(config.classes) == 1:
        raise ValueError(
            f"balance: wanted a Config of several classes, got {config.classes[0]} alone"
        )


def check_start(
    first: SSD,
    config: Config,
    start: str | os.PathLike,
    parents: Mapping[str, str] | None = None,
) -> None:
    """See that weights made under one Config mean something under another.

    Args:
        first: The model that a run starts from.
        config: The `ssd.Config` of the model to train.
        start: What the first model is called.
        parents: As for `ssd.train`.

    Raises:
        ValueError: If they do not.

    Example:
        >>> small = Config(image_size=(64, 64), width_multiplier=0.05)
        >>> check_start(SSD(small), Config(width_multiplier=1), "a.keras")
        Traceback (most recent call last):
        ValueError: a.keras: wanted a model with the Config's width_multiplier, 1, got one with 0.05
    """
    for field in ("backbone", "width_multiplier", "anchor_sizes", "anchor_aspect"):
        if getattr(first.config, field) != getattr(config, field):
            raise ValueError(
                f"{start}: wanted a model with the Config's {field}, {getattr(config, field)!r}, "
                f"got one with {getattr(first.config, field)!r}"
            )
    if first.config.fine_blocks > config.fine_blocks:
        raise ValueError(
            f"{start}: wanted a model with at most the Config's fine_blocks, {config.fine_blocks}, "
            f"got one with {first.config.fine_blocks}"
        )
    columns(config.classes, first.config.classes, parents)


def check_cache(cache: str | os.PathLike | None, others: Iterable[str | os.PathLike]) -> None:
    """See that a cache has a folder of its own.

    Args:
        cache: Its folder, or None.
        others: Folders that the run uses otherwise.

    Raises:
        ValueError: If it is one of them.

    Example:
        >>> check_cache("run", ["labels", "run"])
        Traceback (most recent call last):
        ValueError: cache: wanted a folder of its own, got run, which holds labels or the run
    """
    if cache is None:
        return
    own = pathlib.Path(cache).resolve()
    if any(own == pathlib.Path(other).resolve() for other in others):
        raise ValueError(
            f"cache: wanted a folder of its own, got {cache}, which holds labels or the run"
        )

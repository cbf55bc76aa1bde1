"""How far a share that was counted on a sample may be from the share of all."""

import functools
import math

import numpy as np

LEVEL = 0.95
_STEPS = 200  # between the limits of Clopper and Pearson and those that no interval can pass


@functools.lru_cache(maxsize=4096)
def clopper_pearson(count: int, total: int, *, level: float = LEVEL) -> tuple[float, float]:
    """The interval of Clopper and Pearson for a share.

    It leaves out every share for which so many, or more, would be seen with a probability of less
    than (1 - `level`) / 2, and so for as few. It covers the truth more often than it promises.

    Args:
        count: How many of the sample have what is looked for.
        total: Size of the sample.
        level: How often, at least, such an interval holds the truth.

    Returns:
        (low, high), shares in [0, 1].

    Raises:
        ValueError: If `count` is not between 0 and `total`, or `level` not in (0, 1).

    Example:
        >>> [round(limit, 3) for limit in clopper_pearson(3, 50)]
        [0.013, 0.165]
    """
    _check(count, total, level)
    tail = (1 - level) / 2
    return _lower(count, total, tail), 1 - _lower(total - count, total, tail)


@functools.lru_cache(maxsize=4096)
def blaker(count: int, total: int, *, level: float = LEVEL) -> tuple[float, float]:
    """The interval of Blaker for a share: inside Clopper and Pearson's, and exact as well.

    A share stays in the interval if the tail of the binomial distribution that `count` lies in,
    and as much of the other tail as is no more probable, have together a probability of more
    than 1 - `level`. (Blaker, Confidence curves and improved exact confidence intervals for
    discrete distributions, 2000.)

    Where a sample is stratified, each stratum in proportion, the count varies less than the
    binomial distribution has it (Hoeffding, 1956), and the interval covers more, not less.

    Args:
        count: How many of the sample have what is looked for.
        total: Size of the sample.
        level: How often, at least, such an interval holds the truth.

    Returns:
        (low, high), shares in [0, 1].

    Raises:
        ValueError: If `count` is not between 0 and `total`, or `level` not in (0, 1).

    Example:
        >>> [round(limit, 3) for limit in blaker(3, 50)]
        [0.017, 0.164]
    """
    _check(count, total, level)
    low, high = _blaker_lower(count, total, level), _blaker_lower(total - count, total, level)
    return low, 1 - high


def _check(count: int, total: int, level: float) -> None:
    if not 0 <= count <= total:
        raise ValueError(f"count: wanted a number from 0 to {total}, got {count}")
    if not 0 < level < 1:
        raise ValueError(f"level: wanted a number in (0, 1), got {level}")


def _lower(count: int, total: int, tail: float) -> float:
    """The share for which `count` or more would be seen with this probability."""
    if count == 0:
        return 0.0
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        seen = _probabilities(total, np.array([middle]))[0, count:].sum()
        low, high = (middle, high) if seen < tail else (low, middle)
    return low


def _blaker_lower(count: int, total: int, level: float) -> float:
    if count == 0:
        return 0.0

    def holds(shares: np.ndarray) -> np.ndarray:
        chances = _probabilities(total, shares)
        upper = chances[:, count:].sum(axis=1)
        lower = np.cumsum(chances, axis=1)
        other = np.where(lower <= upper[:, None] * (1 + 1e-9), lower, 0).max(axis=1)
        return upper + other > 1 - level

    # Neither tail alone may be rarer than 1 - level: then there is nothing to add to it.
    steps = np.linspace(
        _lower(count, total, (1 - level) / 2), _lower(count, total, 1 - level), _STEPS
    )
    held = holds(steps)
    first = int(np.argmax(held)) if held.any() else _STEPS - 1
    if first == 0:
        return float(steps[0])
    low, high = steps[first - 1], steps[first]
    for _ in range(30):
        middle = (low + high) / 2
        low, high = (low, middle) if holds(np.array([middle]))[0] else (middle, high)
    return float(low)


def _probabilities(total: int, shares: np.ndarray) -> np.ndarray:
    """[shares, total + 1]: how probable each count is, for shares in (0, 1)."""
    counts = np.arange(total + 1)
    logs = np.log(shares)[:, None] * counts + np.log1p(-shares)[:, None] * (total - counts)
    return np.exp(logs + _log_choices(total))


@functools.lru_cache(maxsize=64)
def _log_choices(total: int) -> np.ndarray:
    """[total + 1]: logarithms of the ways to choose so many."""
    logs = np.array([math.lgamma(count + 1) for count in range(total + 1)])
    return logs[-1] - logs - logs[::-1]

"""Numbers that are known within limits, and sums and shares of them."""

import math
import statistics
from collections.abc import Sequence
from typing import NamedTuple

from distill.audit.intervals import LEVEL, blaker


class Estimate(NamedTuple):
    """A number, and between which two it is with a probability of 95 %.

    Args:
        value: What it probably is.
        low: What it hardly is less than.
        high: What it hardly is more than.

    Example:
        >>> str(Estimate(0.957, 0.928, 0.976))
        '95.7 % (92.8 to 97.6)'
    """

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        value, low, high = (f"{100 * number:.1f}" for number in self)
        return f"{value} % ({low} to {high})"


def share(count: int, total: int) -> Estimate:
    """A share, from a sample.

    Args:
        count: How many of the sample have what is looked for.
        total: Size of the sample.

    Returns:
        The share of all, within the interval of Blaker; of an empty sample 0.5, within 0 and 1.

    Raises:
        ValueError: If `count` is not between 0 and `total`.

    Example:
        >>> [round(number, 3) for number in share(47, 50)]
        [0.94, 0.836, 0.983]
    """
    return Estimate(count / total if total else 0.5, *blaker(count, total))


def scaled(estimate: Estimate, factor: float) -> Estimate:
    """So many times an estimate.

    Args:
        estimate: Of a share, such as that of right labels.
        factor: At least 0, such as the number of labels.

    Returns:
        The product.

    Example:
        >>> scaled(Estimate(0.5, 0.25, 1), 100)
        Estimate(value=50.0, low=25.0, high=100)
    """
    return Estimate(*(number * factor for number in estimate))


def total(parts: Sequence[Estimate]) -> Estimate:
    """The sum of estimates from samples that know nothing of each other.

    How far the sum may be off is the root of the sum of squares of how far its parts may be, up
    and down each for itself (Zou and Donner, Construction of confidence limits about effect
    measures, 2008).

    Args:
        parts: What is to be added; none are 0.

    Returns:
        The sum.

    Example:
        >>> total([Estimate(10, 7, 14), Estimate(5, 1, 8)])
        Estimate(value=15, low=10.0, high=20.0)
    """
    value = sum(part.value for part in parts)
    down = math.hypot(*(part.value - part.low for part in parts))
    up = math.hypot(*(part.high - part.value for part in parts))
    return Estimate(value, value - down, value + up)


def part_of(part: Estimate, rest: Estimate) -> Estimate:
    """The share that one number has of its sum with another.

    Args:
        part: Such as the faces that are labels; 0 or more.
        rest: Such as the faces that are not; from another sample.

    Returns:
        `part` / (`part` + `rest`), by the same rule as `total`; of nothing 0.5, within 0 and 1.

    Example:
        >>> [round(number, 3) for number in part_of(Estimate(90, 80, 95), Estimate(10, 5, 20))]
        [0.9, 0.817, 0.948]
    """

    def of(a: float, b: float) -> float:
        a, b = max(0.0, a), max(0.0, b)
        return a / (a + b) if a + b else 0.5

    value = of(part.value, rest.value)
    down = math.hypot(value - of(part.low, rest.value), value - of(part.value, rest.high))
    up = math.hypot(of(part.high, rest.value) - value, of(part.value, rest.low) - value)
    if part.value + rest.value == 0:
        down = up = 0.5
    return Estimate(value, max(0.0, value - down), min(1.0, value + up))


def rare_sum(values: Sequence[float], *, greatest: float) -> Estimate:
    """A sum over all photos, from the values of those that were drawn.

    A gamma distribution with the mean and the variance of the sum has the limits (Fay and Feuer,
    Confidence intervals for directly standardized rates, 1997), its quantiles by Wilson and
    Hilferty. The variance is that of events that are rare and know nothing of each other, some
    larger than others, as photos with many missed faces are.

    Args:
        values: What each photo that was drawn adds, times the photos it was drawn from.
        greatest: What one event more would add at most: a face on the photo that stands for most.

    Returns:
        The sum.

    Example:
        >>> [round(number, 1) for number in rare_sum([0, 0, 10, 10, 20], greatest=10)]
        [40, 7.0, 113.6]
    """
    value = sum(values)
    variance = sum(each * each for each in values)
    return Estimate(
        value,
        _gamma_quantile(value, variance, (1 - LEVEL) / 2),
        _gamma_quantile(value + greatest, variance + greatest**2, (1 + LEVEL) / 2),
    )


def _gamma_quantile(mean: float, variance: float, level: float) -> float:
    if mean <= 0:
        return 0.0
    spread = variance / (9 * mean**2)
    normal = statistics.NormalDist().inv_cdf(level)
    return mean * max(0.0, 1 - spread + normal * math.sqrt(spread)) ** 3

"""Intervals for shares: what they cover, computed exactly, and how wide they are."""

import numpy as np
import pytest

from distill.audit.intervals import blaker, clopper_pearson

SIZES = (50, 300, 1000)
RATES = np.arange(0.005, 0.2001, 0.0025)


def counted(rates):
    """[len(rates) + 1]: how probable each number of errors is, one draw of each error rate."""
    chances = np.ones(1)
    for rate in rates:
        chances = np.append(chances * (1 - rate), 0) + np.append(0, chances * rate)
    return chances


def alike(size, rate):
    """Error rates of `size` strata where the score says nothing of errors."""
    return np.full(size, rate)


def rising(size, rate):
    """Where the least sure labels are wrong more often, in a straight line down to none."""
    return 2 * rate * np.arange(size)[::-1] / (size - 1)


def steep(size, rate):
    """Where half of all errors are among the tenth of the labels that is least sure."""
    rates = np.full(size, rate / 2 / 0.9)
    rates[: size // 10] = rate / 2 / 0.1
    return rates / rates.mean() * rate


STRATA = {each.__name__: each for each in (alike, rising, steep)}


def limits(size, interval):
    return np.array([interval(count, size) for count in range(size // 3 + 15)])


@pytest.mark.parametrize("size", SIZES)
def test_the_interval_covers_the_truth_as_often_as_it_says(size):
    """Exactly: over all samples that the audit can draw, stratum by stratum."""
    low, high = limits(size, blaker).T
    for strata in STRATA.values():
        covered = []
        for rate in RATES:
            chances = counted(strata(size, rate))
            assert chances[len(low) :].sum() < 1e-7
            covered.append(chances[: len(low)][(low <= rate) & (rate <= high)].sum())
        assert min(covered) >= 0.93, (strata.__name__, RATES[np.argmin(covered)])
        assert 0.95 <= np.mean(covered) <= 0.985, strata.__name__


@pytest.mark.parametrize("size", SIZES)
def test_the_interval_is_never_wider_than_clopper_pearsons(size):
    ours, theirs = limits(size, blaker), limits(size, clopper_pearson)
    assert np.all(ours[:, 0] >= theirs[:, 0])
    assert np.all(ours[:, 1] <= theirs[:, 1])
    assert np.all(np.diff(ours, axis=0) > 0)
    assert np.mean(ours[:, 1] - ours[:, 0]) < 0.99 * np.mean(theirs[:, 1] - theirs[:, 0])


@pytest.mark.parametrize(
    ("count", "total", "wanted"),  # from Clopper and Pearson's and from Blaker's tables
    [
        (0, 10, (0, 0.3085)),
        (1, 10, (0.0025, 0.4450)),
        (5, 10, (0.1871, 0.8129)),
        (10, 10, (0.6915, 1)),
    ],
)
def test_clopper_pearson(count, total, wanted):
    assert clopper_pearson(count, total) == pytest.approx(wanted, abs=1e-4)


@pytest.mark.parametrize("total", [1, 2, 7, 12])
@pytest.mark.parametrize("level", [0.9, 0.95])
def test_blaker_holds_what_its_definition_holds(total, level):
    """Share by share, with the tails added up by plain loops."""
    for count in range(total + 1):
        low, high = blaker(count, total, level=level)
        shares = np.linspace(0.001, 0.999, 500)
        held = [share for share in shares if plausibility(count, total, share) > 1 - level]
        assert low == pytest.approx(min(held), abs=0.0021)
        assert high == pytest.approx(max(held), abs=0.0021)


def plausibility(count, total, share):
    chances = counted([share] * total)
    tails = [min(chances[: i + 1].sum(), chances[i:].sum()) for i in range(total + 1)]
    return sum(c for c, tail in zip(chances, tails, strict=True) if tail <= tails[count] + 1e-12)


def test_nothing_drawn_says_nothing():
    assert blaker(0, 0) == clopper_pearson(0, 0) == (0, 1)


@pytest.mark.parametrize(("count", "total", "level"), [(-1, 5, 0.9), (6, 5, 0.9), (1, 5, 1)])
def test_what_is_no_sample_is_refused(count, total, level):
    for interval in (blaker, clopper_pearson):
        with pytest.raises(ValueError, match="wanted a number"):
            interval(count, total, level=level)

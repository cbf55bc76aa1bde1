"""How many labels are wrong, from nothing but how raters agree.

Raters who are each wrong with the probability e, each for themselves, agree on one of two classes
with the probability (1 - e)² + e². So agreement tells how often they are wrong; and that tells how
often they are wrong together, which a vote does not see.

With K classes wrong answers are taken to be spread evenly over the others. How often each rater is
wrong is what makes all answers together most likely, found by expectation and maximization (Dawid
and Skene, Maximum likelihood estimation of observer error-rates using the EM algorithm, 1979, with
one number a rater). So who rates what may depend on what others said: a third may see only what
two dispute. Raters whom the answers do not tell apart are taken to be wrong equally often, as two
always are; of two, that gives the most wrong labels that their agreement can mean.

What no agreement can show is a mistake that raters share: they agree on it. How far they do has
to be assumed: with a correlation c of errors, a share c of all things is taken to be one at which
all raters have the same fate, right or wrong.
"""

import collections
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from distill.audit.estimates import Estimate

Said = Mapping[str, str]  # {rater: class} of one thing
_RESAMPLED = 200
_STEPS, _CLOSE = 1000, 1e-7  # of the maximization: at most so many, or until rates stay so close
_START = 0.1  # share of wrong answers to begin with
_EDGE = 1e-9  # rates stay this far from 0 and 1


class LabelErrors(NamedTuple):
    """What the agreement of raters tells.

    Args:
        raters: {rater: how often it is wrong}.
        kept: Share of the things that have a label by the vote.
        wrong: Share of wrong labels among them.
        together: The same if all wrong answers to one thing are the same; more than `wrong` only
            where there are more than two classes.

    Example:
        >>> errors = LabelErrors({"ann": 0.14}, 0.76, Estimate(0.026, 0.02, 0.03), 0.026)
        >>> errors.wrong.value
        0.026
    """

    raters: dict[str, float]
    kept: float
    wrong: Estimate
    together: float


def estimate_errors(
    said: Sequence[Said], agreed: Sequence[str | None], *, correlation: float = 0.0
) -> LabelErrors:
    """Estimate how often raters are wrong, and how many labels by their vote.

    Args:
        said: For each thing rated {rater: class}.
        agreed: For each its label by the vote, None where there is none.
        correlation: That of the raters' errors, in [0, 1); 0: each errs for itself.

    Returns:
        The errors; `wrong` with the interval in which it is in 95 of 100 samples of as many
        things, if `correlation` is what was said.

    Raises:
        ValueError: If no two raters have rated one thing, nothing has a label, or `correlation` is
            not in [0, 1).

    Example:
        >>> rows = ["aa"] * 372 + ["bb"] * 388 + ["ab"] * 118 + ["ba"] * 122
        >>> said = [{"ann": row[0], "bob": row[1]} for row in rows]
        >>> agreed = [row[0] if row[0] == row[1] else None for row in rows]
        >>> errors = estimate_errors(said, agreed)
        >>> round(errors.raters["ann"], 2), round(errors.wrong.value, 3)
        (0.14, 0.026)
    """
    if not 0 <= correlation < 1:
        raise ValueError(f"correlation: wanted a number in [0, 1), got {correlation}")
    if not any(len(each) > 1 for each in said):
        raise ValueError("ratings: wanted some photos that two people rated, got none")
    if all(label is None for label in agreed):
        raise ValueError("ratings: wanted some photos on which people agree, got none")
    table = _Table(said, agreed)
    model = _Model(table.says, table.agreed, table.classes, correlation)
    rates = model.fit(table.counts)
    random = np.random.default_rng(0)
    shares = table.counts / table.counts.sum()
    drawn = random.multinomial(int(table.counts.sum()), shares, _RESAMPLED)
    several = [model.wrong(counts, model.fit(counts, rates)) for counts in drawn]
    value = model.wrong(table.counts, rates)
    low, high = np.nanquantile(several, [0.025, 0.975])
    return LabelErrors(
        raters=dict(zip(table.raters, rates.tolist(), strict=True)),
        kept=float(shares[table.agreed >= 0].sum()),
        wrong=Estimate(value, min(value, float(low)), max(value, float(high))),
        together=table.two_classes(correlation) if table.classes > 2 else value,
    )


class _Table:
    """What was said, each combination of answers once, with how often it came."""

    def __init__(self, said: Sequence[Said], agreed: Sequence[str | None]):
        found = collections.Counter(
            (frozenset(each.items()), label) for each, label in zip(said, agreed, strict=True)
        )
        self.raters = sorted({rater for each in said for rater in each})
        names = sorted({answer for each in said for answer in each.values()})
        places = {rater: number for number, rater in enumerate(self.raters)}
        class_ids = {name: number for number, name in enumerate(names)}
        self.classes = max(2, len(names))
        self.says = np.full([len(found), len(self.raters)], -1)  # [combinations, raters]
        for row, (answers, _) in zip(self.says, found, strict=True):
            for rater, answer in answers:
                row[places[rater]] = class_ids[answer]
        self.agreed = np.array([-1 if label is None else class_ids[label] for _, label in found])
        self.counts = np.array([*found.values()])

    def two_classes(self, correlation: float) -> float:
        """Share of wrong labels if there were the right class and one that it is taken for."""
        first = self.says.max(axis=1)
        label = np.where(self.agreed >= 0, self.agreed, first)
        says = np.where(self.says < 0, -1, self.says != label[:, None])
        model = _Model(says, np.where(self.agreed >= 0, 0, -1), 2, correlation)
        return model.wrong(self.counts, model.fit(self.counts))


class _Model:
    """How likely raters say what they say, given how often each is wrong.

    `says` and `agreed` hold class ids, -1 for nothing: [combinations, raters] and [combinations].
    """

    def __init__(self, says: np.ndarray, agreed: np.ndarray, classes: int, correlation: float):
        self.spoke, self.agreed, self.correlation = says >= 0, agreed, correlation
        self.right = (
            says[None] == np.arange(classes)[:, None, None]
        )  # [truth, combinations, raters]
        self.others = classes - 1
        unanimous = np.all((says == says.max(axis=1)[:, None]) | ~self.spoke, axis=1)
        self.shared = correlation * unanimous  # [combinations], how likely where all share a fate

    def alone(self, rates: np.ndarray) -> np.ndarray:
        """[truth, combinations]: how likely, where each errs for itself."""
        each = np.where(self.right, 1 - rates, rates / self.others)
        return (1 - self.correlation) * np.where(self.spoke, each, 1).prod(axis=2)

    def fit(self, counts: np.ndarray, start: np.ndarray | None = None) -> np.ndarray:
        """[raters]: how often each is wrong, as is most likely.

        Without a start all are first taken to be alike, which is what they stay as far as the
        answers do not tell them apart.
        """
        if start is None:
            start = self._climb(counts, np.full(self.spoke.shape[1], _START), alike=True)
        return self._climb(counts, start, alike=False)

    def _climb(self, counts: np.ndarray, rates: np.ndarray, *, alike: bool) -> np.ndarray:
        wrong = self.spoke & ~self.right
        for _ in range(_STEPS):
            likely = self.alone(rates)
            weights = counts * likely / (likely.sum(axis=0) + self.shared)
            rated = weights.sum(axis=0) @ self.spoke
            mistaken = np.einsum("tc,tcr->r", weights, wrong)
            if alike:
                rated, mistaken = (np.full(len(rates), each.mean()) for each in (rated, mistaken))
            before, rates = rates, np.clip(mistaken / np.maximum(rated, 1), _EDGE, 1 - _EDGE)
            if np.abs(rates - before).max() < _CLOSE:
                break
        return rates

    def wrong(self, counts: np.ndarray, rates: np.ndarray) -> float:
        """Share of wrong labels among those that the vote gives."""
        kept = self.agreed >= 0
        if not counts[kept].any():
            return float("nan")
        likely, shared = self.alone(rates)[:, kept], self.shared[kept]
        right = likely[self.agreed[kept], np.arange(np.sum(kept))] + shared * (1 - rates.mean())
        return float(np.average(1 - right / (likely.sum(axis=0) + shared), weights=counts[kept]))

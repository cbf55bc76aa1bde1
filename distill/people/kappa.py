"""How far raters agree beyond what chance would have them agree."""

import collections
from collections.abc import Mapping, Sequence
from typing import Any


def agreement(said: Sequence[Mapping[Any, Any]]) -> float:
    """How often two raters of the same thing say the same.

    Args:
        said: For each thing rated {rater: what they say}.

    Returns:
        Share of the pairs of ratings of one thing that are equal; NaN if there is no pair.

    Example:
        >>> agreement([{"ann": 1, "bob": 1}, {"ann": 1, "bob": 2}])
        0.5
    """
    pairs = sum(len(each) * (len(each) - 1) for each in said)
    return _equal_pairs(said) / pairs if pairs else float("nan")


def cohen(said: Sequence[Mapping[Any, Any]]) -> float:
    """Cohen's kappa of two raters: 1 if they always agree, 0 if as often as by chance.

    Each is taken to have shares of answers of their own (Cohen, A coefficient of agreement for
    nominal scales, 1960).

    Args:
        said: For each thing rated {rater: what they say}; what only one rated does not count.

    Returns:
        Kappa; 1 if both give one answer only, NaN if there is nothing that both rated.

    Raises:
        ValueError: If there are more than two raters.

    Example:
        >>> said = [("a", "a")] * 20 + [("a", "b")] * 5 + [("b", "a")] * 10 + [("b", "b")] * 15
        >>> round(cohen([{"ann": first, "bob": second} for first, second in said]), 3)
        0.4
    """
    both = [each for each in said if len(each) > 1]
    raters = sorted({rater for each in both for rater in each}, key=str)
    if len(raters) > 2:
        raise ValueError(f"raters: wanted two, got {len(raters)}: {', '.join(map(str, raters))}")
    shares = [_shares(each[rater] for each in both) for rater in raters]
    chance = sum(share * shares[1][answer] for answer, share in shares[0].items()) if both else 0
    return _beyond(agreement(both), chance)


def fleiss(said: Sequence[Mapping[Any, Any]]) -> float:
    """Fleiss' kappa of any raters: 1 if they always agree, 0 if as often as by chance.

    All are taken to have the same shares of answers (Fleiss, Measuring nominal scale agreement
    among many raters, 1971). Things may have been rated by different numbers of raters.

    Args:
        said: For each thing rated {rater: what they say}; what only one rated does not count.

    Returns:
        Kappa; 1 if all give one answer only, NaN if there is nothing that two rated.

    Example:
        >>> said = ["aaa", "aab", "bbb", "abb"]
        >>> round(fleiss([dict(enumerate(answers)) for answers in said]), 3)
        0.333
    """
    several = [each for each in said if len(each) > 1]
    shares = _shares(answer for each in several for answer in each.values())
    return _beyond(agreement(several), sum(share**2 for share in shares.values()))


def _equal_pairs(said):
    return sum(
        count * (count - 1)
        for each in said
        for count in collections.Counter(each.values()).values()
    )


def _shares(answers):
    counts = collections.Counter(answers)
    return collections.Counter({each: n / counts.total() for each, n in counts.items()})


def _beyond(seen, chance):
    return (seen - chance) / (1 - chance) if chance < 1 else 1.0

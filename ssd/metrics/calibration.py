"""Scores that mean something: of the boxes that score 0.7, 70 % are right."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

LEAST = 0.05  # scores under this are asked for by nobody, and are not judged
_EDGE = 1e-7  # how near to 0 and 1 a score is taken to come
_ROUNDS, _SMALLEST = 50, 1e-9  # of a search; its smallest step


class ScoreMap(NamedTuple):
    """What makes other scores of a model's: its logits, times a slope, and moved by a shift.

    Better scores stay better, so that no average precision changes; and a model can have it in
    the weights of its last layers (`ssd.nets.scores`), where no runtime has to know of it.

    Attributes:
        slope: Factor of what a class leads the background by; over 0.
        shift: What is added to that.

    Example:
        >>> ScoreMap(2.0, 0.0)([0.5, 0.8]).round(3).tolist()
        [0.5, 0.941]
    """

    slope: float
    shift: float

    def __call__(self, scores: ArrayLike) -> np.ndarray:
        """The other scores.

        Args:
            scores: [k], in [0, 1].

        Returns:
            float [k], in (0, 1).
        """
        return 1 / (1 + np.exp(-(self.slope * _lead(scores) + self.shift)))

    def then(self, other: "ScoreMap") -> "ScoreMap":
        """Both, one after the other.

        Args:
            other: What comes second.

        Returns:
            A `ScoreMap`.
        """
        return ScoreMap(other.slope * self.slope, other.slope * self.shift + other.shift)


def fit_scores(scores: ArrayLike, hits: ArrayLike) -> ScoreMap:
    """The map that makes scores the shares of boxes that are right.

    By maximum likelihood of the boxes whose new score is 0.05 or more: thousands of hopeless boxes
    would otherwise decide what a good score means.

    Args:
        scores: [k], in [0, 1].
        hits: bool [k], which boxes are right.

    Returns:
        A `ScoreMap`.

    Raises:
        ValueError: If there are not right and wrong boxes, or better scores are not oftener right.

    Example:
        >>> scores = np.repeat([0.2, 0.8], 100)
        >>> hits = np.arange(200) % 100 < np.repeat([40, 60], 100)
        >>> fit_scores(scores, hits)(np.array([0.2, 0.8])).round(3).tolist()
        [0.4, 0.6]

    Source:
        Platt: Probabilistic Outputs for Support Vector Machines (1999); of two classes, a
        temperature (Guo et al., 2017) with a shift.
    """
    scores, hits = np.asarray(scores, float), np.asarray(hits, bool)
    if not 0 < hits.sum() < len(hits):
        raise ValueError(
            f"scores: wanted boxes that are right and such that are wrong, got "
            f"{int(hits.sum())} and {int((~hits).sum())}"
        )
    counted, fitted = np.ones(len(scores), bool), ScoreMap(1.0, 0.0)
    for _ in range(_ROUNDS):
        fitted = _most_likely(_lead(scores[counted]), hits[counted])
        before, counted = counted, fitted(scores) >= LEAST
        if np.array_equal(before, counted) or not 0 < hits[counted].sum() < counted.sum():
            break
    if not (math.isfinite(fitted.slope) and fitted.slope > 0):
        raise ValueError("scores: wanted better scores to be right more often, they are not")
    return fitted


def calibration_error(
    scores: np.ndarray, hits: np.ndarray, *, bins: int = 15, least: float = LEAST
) -> float:
    """How far scores are from the share of boxes that are right.

    Of boxes that score 0.7, a calibrated model has 70 % right. Scores are put into bins of equal
    width; the error is the difference of mean score and share of hits, the mean over the boxes.

    Args:
        scores: [k].
        hits: bool [k], which are right.
        bins: Number of bins.
        least: Least score that counts.

    Returns:
        In [0, 1]; NaN without a box.

    Example:
        >>> round(calibration_error(np.array([0.8, 0.8, 0.3]), np.array([True, False, False])), 6)
        0.3

    Source:
        Guo et al.: On Calibration of Modern Neural Networks (2017), 2.
    """
    counted = scores >= least
    if not counted.any():
        return math.nan
    scores, hits = scores[counted], hits[counted]
    place = np.minimum((scores * bins).astype(int), bins - 1)
    gaps = np.bincount(place, scores - hits, minlength=bins)
    return float(np.abs(gaps).sum() / len(scores))


def _lead(scores):
    """By how much a class leads the background, in logits."""
    scores = np.clip(np.asarray(scores, float), _EDGE, 1 - _EDGE)
    return np.log(scores / (1 - scores))


def _most_likely(lead, hits):
    """The most likely map, by Newton's method, no step of which makes it less likely."""
    columns, wanted = np.stack([lead, np.ones_like(lead)], axis=1), hits.astype(float)

    def loss(weights):
        logits = columns @ weights
        return float(np.logaddexp(0, logits).sum() - wanted @ logits)

    weights = np.zeros(2)
    for _ in range(_ROUNDS):
        shares = 1 / (1 + np.exp(-columns @ weights))
        gradient = columns.T @ (wanted - shares)
        curvature = (columns * (shares * (1 - shares))[:, None]).T @ columns
        step = np.linalg.lstsq(curvature, gradient, rcond=None)[0]
        while np.abs(step).max() > _SMALLEST and loss(weights + step) > loss(weights):
            step /= 2
        weights = weights + step
        if np.abs(step).max() <= _SMALLEST:
            break
    return ScoreMap(*map(float, weights))

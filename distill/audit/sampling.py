"""A random sample that is spread over the scores."""

import numpy as np
from numpy.typing import ArrayLike


def draw_by_score(scores: ArrayLike, number: int, random: np.random.Generator) -> np.ndarray:
    """Draw a sample, stratified by score.

    In the order of their scores all are cut into as many strata of one size as there are to be
    drawn (sizes differ by one at most), and one of each stratum is drawn. So the sample has of
    each range of scores the share that all have, all are as likely to be drawn, and a share
    counted on it needs no weights. Equal scores keep their order, so that those are spread over
    the photos.

    Args:
        scores: [labels], what each scores.
        number: How many to draw; all if there are no more.
        random: Where chance comes from.

    Returns:
        int [drawn], indices, least score first.

    Example:
        >>> scores = np.linspace(0, 1, 1000)
        >>> drawn = draw_by_score(scores, 4, np.random.default_rng(0))
        >>> (drawn // 250).tolist()
        [0, 1, 2, 3]
    """
    order = np.argsort(np.asarray(scores), kind="stable")
    if number >= len(order):
        return order
    edges = np.arange(number + 1) * len(order) // number
    return order[random.integers(edges[:-1], edges[1:])]

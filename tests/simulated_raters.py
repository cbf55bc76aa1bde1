"""Raters who are wrong now and then, of whom the truth is known."""

import numpy as np


def simulate(number, raters, *, wrong=0.14, correlation=0.0, classes=2, share=0.5, seed=0):
    """The truth, and what raters say: int [number], int [number, raters].

    With the probability `correlation` all raters share one fate at a thing, as if it were hard for
    all of them alike: that is the correlation of their errors. `share` of the things are of the
    first class. `wrong` may be one number for each rater.
    """
    random = np.random.default_rng(seed)
    rest = np.full(classes - 1, (1 - share) / (classes - 1))
    truth = random.choice(classes, number, p=[share, *rest])
    fate = random.random([number, raters])
    shared = random.random(number) < correlation
    fate[shared] = fate[shared, :1]
    others = random.integers(1, classes, [number, raters])
    others[shared] = others[shared, :1]
    return truth, np.where(fate < wrong, (truth[:, None] + others) % classes, truth[:, None])


def as_ratings(answers, *, raters="abcdefgh"):
    """[{rater: class}], as `distill.people.label_errors` takes it."""
    return [dict(zip(raters, map(str, row), strict=False)) for row in answers.tolist()]

"""Which captures are worth their room: those on which the model was in two minds."""

from collections.abc import Hashable, Mapping
from typing import NamedTuple, TypeVar

import numpy as np

from ssd.detect.detections import Detections

# From this uncertainty on a frame is uncertain: a box scores from 0.25 to 0.75.
UNCERTAIN = 0.5
# Of the room, what sure frames keep however many uncertain ones come: without them nobody could
# tell what the device usually sees.
_FOR_SURE = 0.25

Name = TypeVar("Name", bound=Hashable)


class Kept(NamedTuple):
    """What has to be known of a capture to choose which one goes.

    Attributes:
        size: Bytes.
        time: When it was taken, in seconds since the epoch.
        uncertainty: As `uncertainty` gives it.

    Example:
        >>> Kept(size=1000, time=0.0, uncertainty=0.5).uncertainty
        0.5
    """

    size: int
    time: float
    uncertainty: float


def uncertainty(found: Detections) -> float:
    """How far a model was in two minds about a frame, told from its scores.

    Args:
        found: What it answered, best with boxes below its threshold among it.

    Returns:
        From 0, all boxes sure or none there, to 1, a box that scores 0.5.

    Example:
        >>> found = Detections(np.zeros((2, 4)), np.array([0.99, 0.6]), np.array([1, 1]))
        >>> round(uncertainty(found), 3)
        0.8
    """
    scores = np.asarray(found.scores, float)
    return float((1 - np.abs(2 * scores - 1)).max(initial=0.0))


def next_to_go(kept: Mapping[Name, Kept], limit: float) -> Name:
    """The capture that makes room first: the oldest sure one, while these have more than a quarter.

    Args:
        kept: The captures, oldest first; at least one.
        limit: Bytes that there are for all.

    Returns:
        The name of one.

    Example:
        >>> sure, unsure = Kept(100, 0.0, 0.0), Kept(100, 0.0, 1.0)
        >>> next_to_go({1: unsure, 2: sure}, 250), next_to_go({1: unsure, 2: sure}, 1000)
        (2, 1)
    """
    sure = [name for name, each in kept.items() if each.uncertainty < UNCERTAIN]
    room = sum(kept[name].size for name in sure)
    if sure and (len(sure) == len(kept) or room > _FOR_SURE * limit):
        return sure[0]
    return next(name for name, each in kept.items() if each.uncertainty >= UNCERTAIN)

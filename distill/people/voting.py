"""The judgements of several people, put to the vote: what most say counts, what none do is left."""

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from distill.people.majority import majority
from distill.votes.agreement import group_faces, mean_of
from distill.votes.rules import Rules
from ssd.photos.ratings import IGNORE, Box, Rating

VOTE = "vote"  # the rater of what most say
NOTHING = ""  # what one says who does not see a box that others see


class Judged(NamedTuple):
    """A photo, or a box that one or more of its raters see.

    Args:
        photo: Name of the photo.
        box: Its mean, or None for the whole photo.
        said: {rater: class}, of all who rated the photo; "" of those who do not see the box.
        class_name: What most of them say, "" if nobody sees anything on the photo; None if they do
            not agree, agree that it cannot be told, or most do not see the box.

    Example:
        >>> Judged("a.jpg", None, {"ann": "smile", "bob": "none"}, None).class_name is None
        True
    """

    photo: str
    box: Box | None
    said: dict[str, str]
    class_name: str | None


def judge(
    ratings: Sequence[Rating], *, least: int = 2, iou_threshold: float = Rules.iou_threshold
) -> list[Judged]:
    """Put to the vote what people say.

    Of two raters both have to say the same, of three or more more than half. Boxes that overlap
    are one, as in `distill.combine`.

    Args:
        ratings: What each says, in any order.
        least: Photos that fewer people rated are left out.
        iou_threshold: Least IoU of two boxes of one thing.

    Returns:
        For each photo, and each box that anybody sees, what was said; by name, photos before
        their boxes.

    Raises:
        ValueError: If `least` is less than 1.

    Example:
        >>> said = {"ann": "smile", "bob": "smile", "cy": "none"}
        >>> ratings = [Rating("a.jpg", None, what, who) for who, what in said.items()]
        >>> judge(ratings)[0].class_name
        'smile'
    """
    if least < 1:
        raise ValueError(f"least: wanted 1 or more raters, got {least}")
    judged = []
    by_name = sorted(ratings, key=lambda rating: rating.photo)
    for photo, group in itertools.groupby(by_name, key=lambda rating: rating.photo):
        said = [*group]
        raters = sorted({rating.rater for rating in said})
        if len(raters) >= least:
            judged += _whole(photo, said, raters) + _boxes(photo, said, raters, iou_threshold)
    return judged


def _whole(photo, ratings, raters):
    said = {each.rater: each.class_name for each in ratings if each.box is None and each.class_name}
    if not said and not any(each.box for each in ratings):
        said = dict.fromkeys(raters, NOTHING)
    return [Judged(photo, None, said, _agreed(said, (IGNORE,)))] if said else []


def _boxes(photo, ratings, raters, iou_threshold):
    of_each = [[each for each in ratings if each.box and each.rater == rater] for rater in raters]
    # In an order of their own, so that the order of the rows changes nothing.
    of_each = [sorted(some, key=lambda each: (each.box, each.class_name)) for some in of_each]
    boxes = [np.array([each.box for each in some], np.float32).reshape(-1, 4) for some in of_each]
    if not sum(map(len, boxes)):
        return []
    faces = group_faces(boxes, iou_threshold=iou_threshold)
    found = []
    for face, box in zip(faces.tolist(), mean_of(faces, boxes).tolist(), strict=True):
        said = {
            rater: some[place].class_name if place >= 0 else NOTHING
            for rater, some, place in zip(raters, of_each, face, strict=True)
        }
        found.append(
            Judged(photo, (box[0], box[1], box[2], box[3]), said, _agreed(said, (IGNORE, NOTHING)))
        )
    return sorted(found, key=lambda each: each.box or ())


def _agreed(said, nothing):
    agreed = majority([*said.values()])
    return None if agreed in nothing else agreed


def outcome(judged: Sequence[Judged]) -> list[Rating]:
    """What was agreed on, as ratings by "vote".

    Args:
        judged: As `judge` returns it.

    Returns:
        The classes that most say. A box on which people do not agree is a region to ignore, since
        what is left out would be background; a whole photo is left out.

    Example:
        >>> box = (0.0, 0.0, 0.5, 0.5)
        >>> [rating.class_name for rating in outcome([
        ...     Judged("a.jpg", None, {"ann": "smile", "bob": "none"}, None),
        ...     Judged("b.jpg", box, {"ann": "face", "bob": ""}, None)])]
        ['ignore']
    """
    return [
        Rating(each.photo, each.box, IGNORE if each.class_name is None else each.class_name, VOTE)
        for each in judged
        if each.class_name is not None or each.box is not None
    ]


def disputed(judged: Sequence[Judged]) -> list[Rating]:
    """What people do not agree on, as they said it, for one more of them to see.

    Args:
        judged: As `judge` returns it.

    Returns:
        Their ratings, of boxes at their mean.

    Example:
        >>> disputed([Judged("a.jpg", None, {"ann": "smile", "bob": "none"}, None)])[1].rater
        'bob'
    """
    return [
        Rating(photo, box, class_name, rater)
        for photo, box, said, agreed in judged
        if agreed is None
        for rater, class_name in said.items()
        if class_name
    ]

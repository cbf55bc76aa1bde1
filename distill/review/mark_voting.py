"""Marks of several people on the same labels, put to the vote.

Each has looked at all photos: who says nothing of a box says that it is right as it is. What more
than half say holds; a box on which they do not agree becomes a region to ignore, and so does a face
that too few of them drew. Faces that several drew, and boxes that some moved, are at their mean.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from distill.people.majority import majority
from distill.votes.agreement import group_faces, mean_of
from distill.votes.rules import Rules

Marks = Mapping[str, Sequence[Mapping[str, Any]]]  # as `distill.review.mark_files.read` gives them
Box = tuple[float, ...]
IGNORE = "ignore"


class Voted(NamedTuple):
    """What several people's marks come to.

    Args:
        marks: {photo: marks}, as one person's.
        agreed: How many boxes and photos most people say the same of.
        disputed: How many they do not.

    Example:
        >>> Voted({}, 3, 1).disputed
        1
    """

    marks: dict[str, list[dict[str, Any]]]
    agreed: int
    disputed: int


def vote_on_marks(people: Sequence[Marks], *, iou_threshold: float = Rules.iou_threshold) -> Voted:
    """Put the marks of several people to the vote.

    Args:
        people: The marks of each.
        iou_threshold: Least IoU of two boxes of one face that people drew.

    Returns:
        The outcome; of one person, their marks as they are.

    Example:
        >>> box = [0.1, 0.2, 0.3, 0.4]
        >>> drop = {"a.jpg": [{"photo": "a.jpg", "box": box, "drop": True}]}
        >>> vote_on_marks([drop, {}]).marks["a.jpg"][-1]["class"]
        'ignore'
        >>> vote_on_marks([drop, drop, {}]).marks["a.jpg"][0]["drop"]
        True
    """
    if len(people) == 1:
        marks = {photo: [dict(each) for each in said] for photo, said in people[0].items()}
        return Voted(marks, sum(map(len, marks.values())), 0)
    people = sorted(people, key=lambda each: json.dumps(each, sort_keys=True))  # in any order alike
    outcome, agreed, disputed = {}, 0, 0
    for photo in sorted({photo for each in people for photo in each}):
        said = [_Said(each.get(photo, ())) for each in people]
        parts = [_whole(said), *_named(said), *_drawn(said, iou_threshold)]
        outcome[photo] = [{"photo": photo, **mark} for part in parts for mark in part.marks]
        agreed += sum(part.agreed for part in parts)
        disputed += sum(part.disputed for part in parts)
    return Voted(outcome, agreed, disputed)


class _Part(NamedTuple):
    """What was made of one thing that somebody marked."""

    marks: list[dict[str, Any]]
    agreed: bool = False
    disputed: bool = False


class _Said:
    """What one person says of one photo, the last word of each kind of mark."""

    def __init__(self, marks: Sequence[Mapping[str, Any]]):
        self.ignored: bool | None = None
        self.boxes: dict[Box, dict[str, Any]] = {}  # {name: {verb: what is said}}
        for mark in marks:
            if "ignore" in mark:
                self.ignored = mark["ignore"]
                continue
            verb = next(field for field in mark if field not in ("photo", "box"))
            name = tuple(np.array(mark["box"], np.float32).tolist())
            self.boxes.setdefault(name, {})[verb] = mark[verb]

    def judgement(self, name: Box) -> str | None:
        """Of a box that was there: its class if it is to have another, "drop", or None."""
        said = self.boxes.get(name, {})
        return "drop" if said.get("drop") else (said.get("class") or None) and f"={said['class']}"

    def place(self, name: Box) -> Sequence[float]:
        """Where a box is to be."""
        return self.boxes.get(name, {}).get("move") or name

    def drawn(self, names: Sequence[Box]) -> list["_Drawn"]:
        """The faces that this person drew."""
        found = []
        for name in names:
            said = self.boxes.get(name, {})
            if said.get("draw") and not said.get("drop"):
                found.append(_Drawn(name, self.place(name), said.get("class") or said["draw"]))
        return found


class _Drawn(NamedTuple):
    """A face that one person drew: the name of its box, where that is now, and its class."""

    name: Box
    place: Sequence[float]
    class_name: str


def _whole(people: Sequence[_Said]) -> _Part:
    """Whether nothing is learnt from the photo: also where they do not agree."""
    votes = [bool(each.ignored) for each in people]
    if all(each.ignored is None for each in people):
        return _Part([])
    agreed = majority(votes)
    return _Part([{"ignore": agreed is not False}], agreed is not None, agreed is None)


def _named(people: Sequence[_Said]) -> list[_Part]:
    """Of the boxes that were there."""
    drawn = _names_drawn(people)
    names = sorted({name for each in people for name in each.boxes} - drawn)
    return [_box(people, name) for name in names]


def _box(people: Sequence[_Said], name: Box) -> _Part:
    votes = [each.judgement(name) or "keep" for each in people]
    agreed = majority(votes)
    classes = {"keep": False, "drop": False, None: IGNORE}
    marks: list[dict[str, Any]] = [
        {"drop": agreed == "drop"},
        {"class": classes[agreed] if agreed in classes else str(agreed).removeprefix("=")},
    ]
    if any("move" in each.boxes.get(name, {}) for each in people) and agreed != "drop":
        places = [
            each.place(name) for each, vote in zip(people, votes, strict=True) if vote != "drop"
        ]
        mean = np.mean(np.array(places, np.float32), axis=0).tolist()
        marks.append({"move": False if tuple(mean) == name else mean})
    return _Part(
        [{"box": list(name), **mark} for mark in marks], agreed is not None, agreed is None
    )


def _drawn(people: Sequence[_Said], iou_threshold: float) -> list[_Part]:
    """Of the faces that people drew; they take the place of what each of them drew."""
    names = sorted(_names_drawn(people))
    parts = [_Part([{"box": list(name), "draw": False}]) for name in names]
    found = [each.drawn(names) for each in people]
    boxes = [np.array([each.place for each in some], np.float32).reshape(-1, 4) for some in found]
    if not sum(map(len, boxes)):
        return parts
    faces = group_faces(boxes, iou_threshold=iou_threshold)
    for face, box in zip(faces.tolist(), mean_of(faces, boxes).tolist(), strict=True):
        seen = [
            some[place] if place >= 0 else None for some, place in zip(found, face, strict=True)
        ]
        agreed = majority([each and each.class_name for each in seen])
        # By a name that one of them gave it, so that another vote takes it away again.
        name = list(min(each.name for each in seen if each))
        marks: list[dict[str, Any]] = [{"box": name, "draw": agreed or IGNORE}]
        if name != box:
            marks.append({"box": name, "move": box})
        parts.append(_Part(marks, bool(agreed), not agreed))
    return parts


def _names_drawn(people: Sequence[_Said]) -> set[Box]:
    return {name for each in people for name, said in each.boxes.items() if "draw" in said}

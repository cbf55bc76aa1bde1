"""How well a detector tells its classes apart, on faces that it finds."""

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from ssd.boxes import iou
from ssd.metrics.judging import average_precision, curve, wanted_faces
from ssd.metrics.results import PhotoResult

PRECISION = 0.7  # at which recall is read, unless another is asked for
_IOU = 0.5


class ClassFigures(NamedTuple):
    """How well one class is told from the others.

    Attributes:
        faces: How many of the faces that were found are of it.
        average_precision: Of all faces found, ranked by their score for the class.
        roc_area: How often a face of the class scores more than one of another: 0.5 is chance.
        recall: Greatest recall at a precision of `TellingApart.at_precision` or more.

    Example:
        >>> ClassFigures(3, 1.0, 1.0, 1.0).faces
        3
    """

    faces: int
    average_precision: float
    roc_area: float
    recall: float


@dataclasses.dataclass(frozen=True, eq=False)
class TellingApart:
    """Classes told apart, on the faces that were found.

    A face is found where any box of any class overlaps it by half at the threshold. Its score for
    a class is the best score of a box of that class that overlaps it by half, or 0. It is called
    by the class that scores most.

    Attributes:
        classes: `ClassFigures` of each class by its name.
        confusion: int [classes, classes + 1]: of the faces of each class, how many are called what;
            the last column are those that were not found.
        at_precision: The precision at which recall is read.

    Example:
        >>> tell_apart([], ["face", "smile"], 0.5).confusion.tolist()
        [[0, 0, 0], [0, 0, 0]]
    """

    classes: Mapping[str, ClassFigures]
    confusion: np.ndarray
    at_precision: float

    def lines(self) -> Iterator[str]:
        """The figures in words and a table.

        Yields:
            Lines of text.

        Example:
            >>> [*tell_apart([], ["face", "smile"], 0.5).lines()][-1].split()
            ['smile', '0', '0', '0', '–', '–', '–']
        """
        heads = [f"called {name}" for name in self.classes] + ["not found"]
        heads += ["AP", "ROC area", f"recall at precision {self.at_precision:g}"]
        wide = max(len(name) for name in ("of faces found", *self.classes))
        yield f"{'of faces found':{wide}}" + "".join(f"  {head}" for head in heads)
        for row, (name, figures) in zip(self.confusion, self.classes.items(), strict=True):
            cells = [*map(str, row.tolist())]
            cells += ["–" if math.isnan(each) else f"{each:.3f}" for each in figures[1:]]
            yield f"{name:{wide}}" + "".join(
                f"  {cell:>{len(head)}}" for cell, head in zip(cells, heads, strict=True)
            )


def tell_apart(
    results: Sequence[PhotoResult],
    class_names: Sequence[str],
    threshold: float,
    *,
    at_precision: float | None = None,
    min_height: float = 0.0,
) -> TellingApart:
    """How well classes are told apart.

    Args:
        results: What was found in each photo.
        class_names: Names of the classes, the first for class 1.
        threshold: Least score of a box that finds a face.
        at_precision: The precision at which recall is read, 0.7 if left out.
        min_height: Height of a face as a share of the photo's long side under which it does not
            count.

    Returns:
        `TellingApart`.

    Example:
        >>> import pathlib
        >>> from ssd.detect.detections import Detections
        >>> box, smile = np.array([[0.0, 0, 10, 10]]), np.array([2])
        >>> found = Detections(box, np.array([0.9]), smile)
        >>> photo = PhotoResult(pathlib.Path("a.jpg"), (60, 80), box, smile, smile == 0, found)
        >>> tell_apart([photo], ["face", "smile"], 0.5).confusion.tolist()
        [[0, 0, 0], [0, 1, 0]]
    """
    at_precision = PRECISION if at_precision is None else at_precision
    count = len(class_names)
    true, scores = _scores(results, count, min_height)
    found = scores.max(axis=1, initial=0) >= threshold
    called = np.where(found, scores.argmax(axis=1), count)
    confusion = np.zeros((count, count + 1), int)
    np.add.at(confusion, (true - 1, called), 1)
    figures = {
        name: _figures(scores[found, class_id - 1], true[found] == class_id, at_precision)
        for class_id, name in enumerate(class_names, start=1)
    }
    return TellingApart(figures, confusion, at_precision)


def _scores(
    results: Sequence[PhotoResult], count: int, min_height: float
) -> tuple[np.ndarray, np.ndarray]:
    """Class [faces] of every face that counts, and its scores [faces, classes]."""
    true, scores = [np.zeros(0, int)], [np.zeros((0, count))]
    for result in results:
        wanted = wanted_faces(result, (min_height, np.inf))
        found = result.found
        near = iou(result.boxes[wanted], np.asarray(found.boxes, float).reshape(-1, 4)) >= _IOU
        own = np.asarray(found.class_ids)[:, None] == np.arange(1, count + 1)  # [boxes, classes]
        each = np.where(own, np.asarray(found.scores, float)[:, None], 0.0)
        scores.append((near[:, :, None] * each).max(axis=1, initial=0.0))
        true.append(np.asarray(result.class_ids)[wanted])
    return np.concatenate(true), np.concatenate(scores)


def _figures(scores: np.ndarray, own: np.ndarray, precision: float) -> ClassFigures:
    """Of faces, by their score for a class and whether they are of it."""
    faces = int(own.sum())
    if not faces:
        return ClassFigures(0, math.nan, math.nan, math.nan)
    points = curve(scores, own, faces)
    others = np.sort(scores[~own])
    # Of a tie, half counts as right.
    below = np.searchsorted(others, scores[own], "left") + np.searchsorted(
        others, scores[own], "right"
    )
    area = float(below.mean() / 2 / len(others)) if len(others) else math.nan
    recall = float(points.recall[points.precision >= precision].max(initial=0.0))
    return ClassFigures(faces, average_precision(points), area, recall)

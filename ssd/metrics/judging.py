"""Which of the boxes found are right, photo by photo; precision, recall and average precision."""

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ssd.boxes import covered, iou
from ssd.metrics.results import PhotoResult

RULES = ("coco", "scorer")
_HALF = 0.5  # by the rule of the scorer, what lies in an ignored face by that much is dropped
_RECALLS = np.linspace(0, 1, 101)  # where COCO reads precision


class Judged(NamedTuple):
    """What was found of one class in one photo, right or wrong; what does not count is left out.

    Attributes:
        indices: int [k], places among what was found, best score first.
        scores: float [k].
        ious: float [k], IoU with the box of the truth that was hit; 0 for a false positive.
        faces: int [k], place of that box in the truth; -1 for a false positive.

    Example:
        >>> judged = judge([[0, 0, 9, 9]], [0.9], [[0, 0, 9, 9]], [False])
        >>> judged.scores.tolist(), judged.faces.tolist()
        ([0.9], [0])
    """

    indices: np.ndarray
    scores: np.ndarray
    ious: np.ndarray
    faces: np.ndarray


def judge(
    boxes: ArrayLike,
    scores: ArrayLike,
    truth: ArrayLike,
    ignored: ArrayLike,
    *,
    iou_threshold: float = 0.5,
    heights: tuple[float, float] = (0.0, np.inf),
    rule: str = "coco",
) -> Judged:
    """Right or wrong, for each box found of one class in one photo.

    Each box, best score first, takes the free true box that it overlaps most, if it overlaps it
    by `iou_threshold` or more. What is left over is a false positive, unless it does not count:

    * rule "coco": a region to ignore covers `iou_threshold` of it; or it overlaps, by that much,
      a free face whose height is out of range, which it takes; or its own height is out of range.
    * rule "scorer": half of it lies in something to ignore, or overlaps it by `iou_threshold`. A
      face whose height is out of range is such a region, and its own height does not matter.

    Args:
        boxes: Found, [n, 4] `[ymin, xmin, ymax, xmax]`.
        scores: [n].
        truth: [m, 4], in the same unit.
        ignored: bool [m], which of the true boxes are regions to ignore.
        iou_threshold: Least IoU of a hit, in (0, 1].
        heights: (least, greatest) height of a box that counts, the greatest left out.
        rule: "coco" or "scorer".

    Returns:
        A `Judged`.

    Raises:
        ValueError: If the rule is neither.

    Example:
        >>> found = [[0, 0, 10, 10], [0, 0, 10, 9]]
        >>> judged = judge(found, [0.9, 0.8], found[:1], [False])
        >>> judged.ious.tolist(), judged.faces.tolist()
        ([1.0, 0.0], [0, -1])

    Source:
        `COCOeval.evaluateImg` of pycocotools.
    """
    return _judge(_compare(boxes, scores, truth, ignored), iou_threshold, heights, rule)


class _Pair(NamedTuple):
    """What is known of found and true boxes of one class in one photo before any is judged."""

    order: np.ndarray  # int [n], best score first, as all that follows
    scores: np.ndarray  # [n]
    tall: np.ndarray  # [n], heights
    overlap: np.ndarray  # [n, m], IoU
    inside: np.ndarray  # [n, m], share of the found box
    true_tall: np.ndarray  # [m]
    regions: np.ndarray  # bool [m]


def _compare(boxes: ArrayLike, scores: ArrayLike, truth: ArrayLike, ignored: ArrayLike) -> _Pair:
    scores = np.asarray(scores, float)
    order = np.argsort(-scores, kind="stable")
    boxes = np.asarray(boxes, float).reshape(-1, 4)[order]
    truth = np.asarray(truth, float).reshape(-1, 4)
    return _Pair(
        order=order,
        scores=scores[order],
        tall=boxes[:, 2] - boxes[:, 0],
        overlap=iou(boxes, truth),
        inside=covered(boxes, truth),
        true_tall=truth[:, 2] - truth[:, 0],
        regions=np.asarray(ignored, bool).reshape(-1),
    )


def _judge(pair: _Pair, iou_threshold: float, heights: tuple[float, float], rule: str) -> Judged:
    if rule not in RULES:
        raise ValueError(f"rule: wanted one of {', '.join(RULES)}, got {rule!r}")
    overlap, inside, regions = pair.overlap, pair.inside, pair.regions
    wanted = ~regions & ~_out_of_range(pair.true_tall, heights)
    hit = _assign(overlap, wanted, iou_threshold)
    missed = hit < 0
    if rule == "scorer":
        near = (overlap >= iou_threshold) | (inside >= _HALF)
        dropped = missed & (near & ~wanted).any(axis=1)
    else:
        # Boxes that hit a face do not compete for what is ignored, so this can be a second round.
        values = np.where(regions, inside, overlap)[missed]
        dropped = missed & _out_of_range(pair.tall, heights)
        dropped[missed] |= _assign(values, ~wanted, iou_threshold, shared=regions) >= 0
    rows = np.flatnonzero(~dropped)
    hit = hit[rows]
    ious = np.zeros(len(hit))
    ious[hit >= 0] = overlap[rows[hit >= 0], hit[hit >= 0]]
    return Judged(pair.order[rows], pair.scores[rows], ious, hit)


def _assign(
    overlap: np.ndarray, wanted: np.ndarray, least: float, *, shared: ArrayLike = False
) -> np.ndarray:
    """For each row in turn, the free wanted column that it overlaps most; -1 for none.

    Columns that are shared stay free.
    """
    shared = np.broadcast_to(shared, wanted.shape)
    taken = np.full(len(overlap), -1)
    reached = (overlap >= least) & wanted
    free = wanted.copy()
    for row in np.flatnonzero(reached.any(axis=1)):
        columns = np.flatnonzero(reached[row] & free)
        if len(columns):
            values = overlap[row, columns]
            best = columns[len(values) - 1 - values[::-1].argmax()]  # the last of equals, as COCO
            free[best] = shared[best]
            taken[row] = best
    return taken


def _out_of_range(tall: np.ndarray, heights: tuple[float, float]) -> np.ndarray:
    return (tall < heights[0]) | (tall >= heights[1])


@dataclasses.dataclass(frozen=True, eq=False)
class Judgement:
    """What was found in many photos, right or wrong, as one table.

    Attributes:
        faces: int [photos, classes], how many were to be found.
        photos: int [k], the photo of each box found, in the order of the photos, and in each photo
            best score first.
        class_ids: int [k], 1 for the first class.
        indices: int [k], its place among what was found in the photo.
        scores: float [k].
        ious: float [k], as in `Judged`.
        hits: int [k], place in the photo's truth of the box that was hit; -1: false positive.

    Example:
        >>> judged = judge_results([], 2)
        >>> judged.faces.shape, judged.hits.shape
        ((0, 2), (0,))
    """

    faces: np.ndarray
    photos: np.ndarray
    class_ids: np.ndarray
    indices: np.ndarray
    scores: np.ndarray
    ious: np.ndarray
    hits: np.ndarray

    def of_photos(self, chosen: ArrayLike) -> "Judgement":
        """The same of some photos.

        Args:
            chosen: bool [photos].

        Returns:
            A `Judgement` of as many photos as were chosen.

        Example:
            >>> two = judge_results([], 1)
            >>> two.of_photos(np.zeros(0, bool)).faces.shape
            (0, 1)
        """
        chosen = np.asarray(chosen, bool)
        places = np.cumsum(chosen) - 1
        kept = self.of_rows(chosen[self.photos])
        return dataclasses.replace(kept, faces=self.faces[chosen], photos=places[kept.photos])

    def of_class(self, class_id: int) -> "Judgement":
        """The same of one class; the others have no faces then.

        Args:
            class_id: 1 for the first class.

        Returns:
            A `Judgement` of as many photos and classes.

        Example:
            >>> judge_results([], 2).of_class(2).faces.shape
            (0, 2)
        """
        faces = np.zeros_like(self.faces)
        faces[:, class_id - 1] = self.faces[:, class_id - 1]
        return dataclasses.replace(self.of_rows(self.class_ids == class_id), faces=faces)

    def of_rows(self, kept: ArrayLike) -> "Judgement":
        """The same of some of the boxes found, with all faces.

        Args:
            kept: bool [k], which ones.

        Returns:
            A `Judgement` of as many photos and classes.

        Example:
            >>> judge_results([], 1).of_rows(np.zeros(0, bool)).hits.shape
            (0,)
        """
        names = ("photos", "class_ids", "indices", "scores", "ious", "hits")
        return dataclasses.replace(self, **{name: getattr(self, name)[kept] for name in names})


def judge_results(
    results: Sequence[PhotoResult],
    classes: int,
    *,
    iou_threshold: float = 0.5,
    heights: tuple[float, float] = (0.0, np.inf),
    rule: str = "coco",
) -> Judgement:
    """`judge`, of each class in each photo.

    Args:
        results: What was found in each photo.
        classes: Number of classes; class ids go from 1 to it.
        iou_threshold: As for `judge`.
        heights: As for `judge`, but as shares of the photo's long side.
        rule: As for `judge`.

    Returns:
        A `Judgement`.

    Example:
        >>> judge_results([], 1).scores
        array([], dtype=float64)
    """
    return Judge(results, classes)(iou_threshold=iou_threshold, heights=heights, rule=rule)


class Judge:
    """`judge_results` of the same photos again and again; overlaps are worked out once.

    Args:
        results: What was found in each photo.
        classes: Number of classes; class ids go from 1 to it.

    Example:
        >>> judge_all = Judge([], 1)
        >>> judge_all(iou_threshold=0.75).scores
        array([], dtype=float64)
    """

    def __init__(self, results: Sequence[PhotoResult], classes: int):
        self._results, self._classes = results, classes
        self._pairs: list[tuple[int, int, np.ndarray, np.ndarray, _Pair]] = []
        for place, result in enumerate(results):
            for class_id in range(1, classes + 1):
                found = np.flatnonzero(result.found.class_ids == class_id)
                true = np.flatnonzero(result.class_ids == class_id)
                if len(found):
                    boxes, scores = result.found.boxes[found], result.found.scores[found]
                    pair = _compare(boxes, scores, result.boxes[true], result.ignored[true])
                    self._pairs.append((place, class_id, found, true, pair))

    def __call__(
        self,
        *,
        iou_threshold: float = 0.5,
        heights: tuple[float, float] = (0.0, np.inf),
        rule: str = "coco",
    ) -> Judgement:
        """The judgement at one overlap.

        Args:
            iou_threshold: As for `judge_results`.
            heights: As for `judge_results`.
            rule: As for `judge_results`.

        Returns:
            A `Judgement`.
        """
        columns: list[tuple[np.ndarray, ...]] = []
        for place, class_id, found, true, pair in self._pairs:
            side = max(self._results[place].shape)
            limits = (heights[0] * side, heights[1] * side)
            judged = _judge(pair, iou_threshold, limits, rule)
            same = np.ones(len(judged.scores), int)
            own = place * same, class_id * same, found[judged.indices]
            columns.append((*own, judged.scores, judged.ious, np.append(true, -1)[judged.faces]))
        empty = (*np.zeros((3, 0), int), *np.zeros((2, 0)), np.zeros(0, int))
        faces = np.zeros((len(self._results), self._classes), int)
        for place, result in enumerate(self._results):
            wanted = result.class_ids[wanted_faces(result, heights)]
            faces[place] = np.bincount(wanted, minlength=self._classes + 1)[1:]
        return Judgement(faces, *map(np.concatenate, zip(empty, *columns, strict=True)))


def wanted_faces(result: PhotoResult, heights: tuple[float, float] = (0.0, np.inf)) -> np.ndarray:
    """Which boxes of a photo's truth are to be found.

    Args:
        result: The photo.
        heights: (least, greatest) height that counts, as shares of the photo's long side.

    Returns:
        bool [n].

    Example:
        >>> import pathlib
        >>> from ssd.detect.detections import Detections
        >>> boxes, one = np.array([[0.0, 0, 10, 10]]), np.array([1])
        >>> found = Detections(boxes, one, one)
        >>> photo = PhotoResult(pathlib.Path("a.jpg"), (60, 80), boxes, one, one == 0, found)
        >>> wanted_faces(photo).tolist(), wanted_faces(photo, (0.2, 1.0)).tolist()
        ([True], [False])
    """
    side = max(result.shape)
    return ~result.ignored & ~_out_of_range(
        result.boxes[:, 2] - result.boxes[:, 0], (heights[0] * side, heights[1] * side)
    )


class Curve(NamedTuple):
    """Precision and recall, from the best score down. Boxes of one score come in together.

    Attributes:
        scores: float [points], each distinct score, highest first.
        precision: float [points], of what scores as much or more.
        recall: float [points], likewise.
        false_positives: float [points], their number.

    Example:
        >>> curve([0.9, 0.8], [True, False], faces=2).recall.tolist()
        [0.5, 0.5]
    """

    scores: np.ndarray
    precision: np.ndarray
    recall: np.ndarray
    false_positives: np.ndarray


def curve(scores: ArrayLike, hits: ArrayLike, faces: float) -> Curve:
    """Precision and recall at each distinct score.

    Args:
        scores: [k].
        hits: bool [k], which are right.
        faces: How many boxes were to be found.

    Returns:
        A `Curve`.

    Example:
        >>> drawn = curve([0.9, 0.7, 0.7], [True, False, True], faces=4)
        >>> drawn.precision.round(2).tolist(), drawn.recall.tolist()
        ([1.0, 0.67], [0.25, 0.5])
    """
    scores, hits = np.asarray(scores, float), np.asarray(hits, bool)
    order = np.argsort(-scores, kind="stable")
    scores, right = scores[order], np.cumsum(hits[order])
    last = np.append(scores[1:] != scores[:-1], True)[: len(scores)]
    scores, right, found = scores[last], right[last], (np.arange(len(last)) + 1)[last]
    return Curve(scores, right / np.maximum(found, 1), right / max(faces, 1), found - right)


def average_precision(points: Curve) -> float:
    """The area under precision over recall, precision being the best at that recall or more.

    Args:
        points: The curve.

    Returns:
        In [0, 1].

    Example:
        >>> average_precision(curve([0.9, 0.8, 0.7], [True, False, True], faces=2)).__round__(3)
        0.833

    Source:
        Everingham et al.: The PASCAL VOC Challenge, as of 2010 (every point interpolated).
    """
    envelope = np.maximum.accumulate(points.precision[::-1])[::-1]
    return float((np.diff(points.recall, prepend=0.0) * envelope).sum())


def coco_average_precision(scores: ArrayLike, hits: ArrayLike, faces: float) -> float:
    """Average precision as COCO reads it: the mean of precision at 101 recalls.

    Boxes of equal score come in one by one, in the order given, as in pycocotools; there the
    order is that of the images' ids.

    Args:
        scores: [k].
        hits: bool [k], which are right.
        faces: How many boxes were to be found.

    Returns:
        In [0, 1].

    Example:
        >>> coco_average_precision([0.9, 0.8], [True, False], faces=2).__round__(3)
        0.505

    Source:
        `COCOeval.accumulate` of pycocotools.
    """
    scores, hits = np.asarray(scores, float), np.asarray(hits, bool)
    if not len(scores) or not faces:
        return 0.0
    right = np.cumsum(hits[np.argsort(-scores, kind="stable")])
    precision = right / np.arange(1, len(right) + 1)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    at = np.searchsorted(right / faces, _RECALLS, side="left")
    return float(np.append(envelope, 0.0)[at].mean())

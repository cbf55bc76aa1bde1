"""The figures that say how good a detector is, for whatever part of the photos."""

import dataclasses
import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from ssd.metrics.calibration import calibration_error
from ssd.metrics.judging import (
    Curve,
    Judge,
    Judgement,
    average_precision,
    coco_average_precision,
    curve,
)
from ssd.metrics.results import PhotoResult

# Heights as shares of the photo's long side; 0.05 is 16 px at 320.
_SIZES = (0.0, 0.05, 0.1, 0.2, 0.4, np.inf)
_COCO = tuple(round(0.5 + 0.05 * step, 2) for step in range(10))
LEVELS = (0.3, *_COCO)  # of IoU, at which boxes are judged
_STYLE = 0.03  # of a face's size; edges that lie farther off than this are a matter of style


class Edges(NamedTuple):
    """By how much found boxes lie off the truth's, at the median over the hits.

    Positive is farther down or to the right; NaN where nothing was hit.

    Attributes:
        top: Share of the face's height.
        bottom: Likewise.
        left: Share of the face's width.
        right: Likewise.

    Example:
        >>> str(Edges(0.07, 0.01, 0.0, -0.05))
        "found boxes are of another style than the truth's: top 7% lower, right 5% farther left"
    """

    top: float
    bottom: float
    left: float
    right: float

    def __str__(self) -> str:
        """What it means, in words."""
        if math.isnan(self.top):
            return "no hits to compare edges of"
        words = (
            ("higher", "lower"),
            ("higher", "lower"),
            *(("farther left", "farther right"),) * 2,
        )
        off = [
            f"{name} {abs(value):.0%} {word[value > 0]}"
            for name, value, word in zip(self._fields, self, words, strict=True)
            if abs(value) >= _STYLE
        ]
        if not off:
            return f"found boxes have the truth's edges, within {_STYLE:.0%} of the face"
        return f"found boxes are of another style than the truth's: {', '.join(off)}"


@dataclasses.dataclass(frozen=True, eq=False)
class Figures:
    """How good a detector is on some photos.

    Average precision is the area under the precision envelope, all points, unless it is called
    COCO's; of several classes it is the mean over those that have faces. NaN without a face.

    Attributes:
        photos: Photos that count.
        faces: Boxes that had to be found.
        ap30: Average precision where a hit overlaps its box by 0.3 (IoU) or more.
        ap50: The same at 0.5.
        ap75: The same at 0.75.
        coco_ap50: As `ap50`, but by COCO's 101 points.
        coco_ap: COCO's headline: by 101 points, the mean over IoU 0.5, 0.55 ... 0.95.
        precision: Share of what scores `Evaluation.score_threshold` or more that is right (at
            IoU 0.5, as all that follows); NaN where nothing does.
        recall: Share of the boxes that are found at that score or more; NaN without a face.
        false_positives: False positives per photo at that score or more.
        mean_iou: Mean overlap of the hits with their boxes; 0 without hits.
        calibration_error: By how much scores and the share that is right differ, on average (see
            `ssd.metrics.calibration`).
        edges: `Edges`, of hits at IoU 0.3 and at that score or more.
        recall_at_precision: Greatest recall at the precision that was asked for, or None.

    Example:
        >>> judged = {level: Judge([], 1)() for level in LEVELS}
        >>> measure_figures(judged, [], 0.5, None).mean_iou
        0.0
    """

    photos: int
    faces: int
    ap30: float
    ap50: float
    ap75: float
    coco_ap50: float
    coco_ap: float
    precision: float
    recall: float
    false_positives: float
    mean_iou: float
    calibration_error: float
    edges: Edges
    recall_at_precision: float | None = None


class SizeFigures(NamedTuple):
    """Average precision of faces of one size.

    Attributes:
        least: Least height, as share of the photo's long side.
        greatest: The height that is too large.
        faces: Faces in between.
        ap50: Average precision for them, NaN without any.

    Example:
        >>> SizeFigures(0.05, 0.1, 120, 0.5).faces
        120
    """

    least: float
    greatest: float
    faces: int
    ap50: float


def measure_figures(
    judged: Mapping[float, Judgement],
    results: Sequence[PhotoResult],
    threshold: float,
    at_precision: float | None,
) -> Figures:
    """All figures of the same photos.

    Args:
        judged: A `Judgement` of them for each of `LEVELS`.
        results: What was found in each of them.
        threshold: The score at which precision and recall are read.
        at_precision: The precision at which recall is read as well, or None.

    Returns:
        `Figures`.

    Example:
        >>> nothing = {level: Judge([], 1)() for level in LEVELS}
        >>> measure_figures(nothing, [], 0.5, None).faces
        0
    """
    at50 = judged[0.5]
    faces, photos = int(at50.faces.sum()), len(at50.faces)
    sure = at50.scores >= threshold
    hits = int((at50.hits[sure] >= 0).sum())
    wrong = int(sure.sum()) - hits
    hit = at50.ious[at50.hits >= 0]
    loose = judged[0.3]
    return Figures(
        photos=photos,
        faces=faces,
        ap30=mean_precision(loose),
        ap50=mean_precision(at50),
        ap75=mean_precision(judged[0.75]),
        coco_ap50=mean_precision(at50, coco_average_precision),
        coco_ap=float(np.mean([mean_precision(judged[t], coco_average_precision) for t in _COCO])),
        precision=hits / (hits + wrong) if hits + wrong else math.nan,
        recall=hits / faces if faces else math.nan,
        false_positives=wrong / max(photos, 1),
        mean_iou=float(hit.mean()) if len(hit) else 0.0,
        calibration_error=calibration_error(at50.scores, at50.hits >= 0),
        edges=measure_edges(loose.of_rows(loose.scores >= threshold), results),
        recall_at_precision=_recall_at(curve_of(at50), at_precision),
    )


def measure_edges(judged: Judgement, results: Sequence[PhotoResult]) -> Edges:
    """By how much the boxes that hit lie off the truth's, at the median.

    Args:
        judged: A `Judgement` of the results.
        results: What was found in each photo.

    Returns:
        `Edges`.

    Example:
        >>> measure_edges(Judge([], 1)(), []).top
        nan
    """
    right = judged.hits >= 0
    if not right.any():
        return Edges(*[math.nan] * 4)
    columns = judged.photos[right], judged.indices[right], judged.hits[right]
    pairs = [
        (results[photo].found.boxes[index], results[photo].boxes[hit])
        for photo, index, hit in zip(*columns, strict=True)
    ]
    found, true = np.array(pairs, float).transpose(1, 0, 2)
    sizes = np.tile(true[:, 2:] - true[:, :2], 2)  # height, width, height, width
    top, left, bottom, right = np.median((found - true) / np.maximum(sizes, 1e-9), axis=0)
    return Edges(float(top), float(bottom), float(left), float(right))


def mean_precision(
    judged: Judgement, average: Callable[[np.ndarray, np.ndarray, int], float] | None = None
) -> float:
    """Average precision, the mean over the classes that have faces.

    Args:
        judged: A `Judgement`.
        average: What makes one figure of (scores, hits, faces); all points by default.

    Returns:
        In [0, 1], or NaN where there is no face.

    Example:
        >>> mean_precision(Judge([], 1)())
        nan
    """
    average = average or _all_points
    values = []
    for class_id, faces in enumerate(judged.faces.sum(axis=0), 1):
        if faces:
            own = judged.class_ids == class_id
            values.append(average(judged.scores[own], judged.hits[own] >= 0, int(faces)))
    return float(np.mean(values)) if values else math.nan


def evaluate_sizes(judge_all: Judge) -> list[SizeFigures]:
    """Average precision at IoU 0.5 for faces of one size at a time.

    As COCO does for its areas: faces of other sizes do not count, nor do false positives of
    other sizes.

    Args:
        judge_all: A `Judge` of what was found.

    Returns:
        A `SizeFigures` for each range of sizes, from the smallest.

    Example:
        >>> [figures.greatest for figures in evaluate_sizes(Judge([], 1))]
        [0.05, 0.1, 0.2, 0.4, inf]
    """
    rows = []
    for heights in itertools.pairwise(_SIZES):
        judged = judge_all(heights=heights)
        rows.append(SizeFigures(*heights, int(judged.faces.sum()), mean_precision(judged)))
    return rows


def choose_threshold(points: Curve, false_positives: float) -> float:
    """The lowest score with no more false positives than that.

    Args:
        points: A curve.
        false_positives: How many there may be.

    Returns:
        The score; infinity where even the best score has more.

    Example:
        >>> choose_threshold(curve([0.9, 0.8, 0.7], [True, False, False], faces=1), 1)
        0.8
    """
    allowed = np.flatnonzero(points.false_positives <= false_positives)
    return float(points.scores[allowed[-1]]) if len(allowed) else math.inf


def curve_of(judged: Judgement) -> Curve:
    """The `Curve` of all that was judged, all classes together.

    Args:
        judged: A `Judgement`.

    Returns:
        A `Curve`.

    Example:
        >>> curve_of(Judge([], 1)()).recall
        array([], dtype=float64)
    """
    return curve(judged.scores, judged.hits >= 0, judged.faces.sum())


def _recall_at(points: Curve, precision: float | None) -> float | None:
    """The greatest recall at that precision or more."""
    if precision is None:
        return None
    return float(points.recall[points.precision >= precision].max(initial=0.0))


def _all_points(scores: np.ndarray, hits: np.ndarray, faces: int) -> float:
    return average_precision(curve(scores, hits, faces))

"""FDDB's own protocol: faces are ellipses, and a curve of faces found over false positives.

The discrete score counts a face that is matched at an IoU over 0.5 as one, the continuous score as
its IoU.
"""

import math
import os
import pathlib
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from ssd.detect.detections import Detections
from ssd.metrics.results import detect_named
from ssd.photos.annotations import read_text

_HIT = 0.5
_READ_AT = (100, 500, 1000, 2000)  # false positives at which figures are printed


class FddbPhoto(NamedTuple):
    """A photo and the faces on it.

    Attributes:
        name: Its path inside the folder of photos.
        ellipses: float [n, 5]: major radius, minor radius, angle of the major axis in radians,
            x and y of the middle.

    Example:
        >>> FddbPhoto("2002/08/11/big/img_591.jpg", np.zeros((0, 5))).ellipses.shape
        (0, 5)
    """

    name: str
    ellipses: np.ndarray


class FddbFigures(NamedTuple):
    """FDDB's two curves, from the best score down; as text, what they say at some points.

    Attributes:
        photos: Photos.
        faces: Faces on them.
        scores: float [points].
        false_positives: float [points].
        discrete: float [points], share of faces found.
        continuous: float [points], likewise, each by its IoU.

    Example:
        >>> one = np.ones(1)
        >>> print(FddbFigures(2845, 5171, one, one * 3, one * 0.9, one * 0.6))
        FDDB, 2,845 photos, 5,171 faces: discrete 0.900, continuous 0.600 at 3 false positives
    """

    photos: int
    faces: int
    scores: np.ndarray
    false_positives: np.ndarray
    discrete: np.ndarray
    continuous: np.ndarray

    def __str__(self) -> str:
        points = []
        for most in (*_READ_AT, math.inf):
            reached = np.flatnonzero(self.false_positives <= most)
            if len(reached) and (not points or reached[-1] != points[-1]):
                points.append(int(reached[-1]))
        said = "; ".join(
            f"discrete {self.discrete[at]:.3f}, continuous {self.continuous[at]:.3f} "
            f"at {self.false_positives[at]:.0f} false positives"
            for at in points
        )
        return f"FDDB, {self.photos:,} photos, {self.faces:,} faces: {said or 'nothing found'}"


def read_fddb_truth(folder: str | os.PathLike) -> list[FddbPhoto]:
    """The photos and faces of FDDB's folds.

    Args:
        folder: With the files `FDDB-fold-*-ellipseList.txt`.

    Returns:
        The photos.

    Raises:
        FileNotFoundError: If there is no such file in the folder.
        ValueError: If one is damaged.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = pathlib.Path(folder, "FDDB-fold-01-ellipseList.txt")
        ...     _ = path.write_text("2002/img_1\\n1\\n60.5 40.25 1.5 100 80  1\\n")
        ...     read_fddb_truth(folder)[0].ellipses.tolist()
        [[60.5, 40.25, 1.5, 100.0, 80.0]]
    """
    paths = sorted(pathlib.Path(folder).glob("*ellipseList.txt"))
    if not paths:
        raise FileNotFoundError(f"{folder}: wanted FDDB-fold-*-ellipseList.txt, there is none")
    photos: list[FddbPhoto] = []
    for path in paths:
        lines = iter([line.strip() for line in read_text(path).splitlines() if line.strip()])
        for name in lines:
            try:
                rows = [next(lines).split()[:5] for _ in range(int(next(lines)))]
                ellipses = np.array(rows, float).reshape(-1, 5)
            except (ValueError, StopIteration):
                raise ValueError(
                    f"{path}: wanted a number of faces and a row of numbers for each after {name}"
                ) from None
            photos.append(FddbPhoto(f"{name}.jpg", ellipses))
    return photos


def evaluate_fddb(
    detector: Callable[..., Detections],
    photos: str | os.PathLike,
    truth: str | os.PathLike,
    **limits: Any,
) -> FddbFigures:
    """FDDB's curves.

    Args:
        detector: An `ssd.Detector`.
        photos: Folder of the photos (`originalPics`).
        truth: As for `read_fddb_truth`.
        **limits: Of what is judged, as `ssd.metrics.results.detect_named` takes them.

    Returns:
        `FddbFigures`.

    Raises:
        FileNotFoundError: If a file or photo is not there.
        ValueError: If one is not what it should be.
        ImportError: If SciPy is not installed.

    Example:
        >>> evaluate_fddb(print, "photos", "nowhere")
        Traceback (most recent call last):
        FileNotFoundError: nowhere: wanted FDDB-fold-*-ellipseList.txt, there is none
    """
    named, changes = read_fddb_truth(truth), []
    every = detect_named(detector, photos, [photo.name for photo in named], **limits)
    for photo, (found, size) in zip(named, every, strict=True):
        changes += judge_photo(found, photo.ellipses, size)
    return fddb_curves(changes, len(named), sum(len(photo.ellipses) for photo in named))


def fddb_curves(
    changes: Sequence[tuple[float, int, float, int]], photos: int, faces: int
) -> FddbFigures:
    """The curves of what `judge_photo` said of all photos.

    Args:
        changes: Of all photos together.
        photos: Their number.
        faces: Faces on them.

    Returns:
        `FddbFigures`.

    Example:
        >>> fddb_curves([(0.9, 1, 0.75, 0), (0.5, 0, 0.0, 1)], 1, 2).discrete.tolist()
        [0.5, 0.5]
    """
    rows = np.array(changes, float).reshape(-1, 4)
    rows = rows[np.argsort(-rows[:, 0], kind="stable")]
    scores, hits, overlap, wrong = rows.T
    last = np.append(scores[1:] != scores[:-1], True)[: len(scores)]  # of equal scores, all
    sums = [np.cumsum(each)[last] for each in (wrong, hits, overlap)]
    least = max(faces, 1)
    return FddbFigures(photos, faces, scores[last], sums[0], sums[1] / least, sums[2] / least)


def judge_photo(
    found: Detections, ellipses: np.ndarray, size: tuple[int, int]
) -> list[tuple[float, int, float, int]]:
    """What each lower score adds in one photo.

    At each score, boxes and faces are matched one to one so that their IoUs have the greatest sum.

    Args:
        found: The boxes.
        ellipses: The faces, as in `FddbPhoto`.
        size: (height, width) of the photo; what lies outside does not count.

    Returns:
        For each distinct score, highest first: (score, faces more at an IoU over 0.5, sum of IoUs
        more, false positives more); less is possible.

    Example:
        >>> box = Detections(np.array([[0.0, 0, 20, 20]]), np.array([0.5]), np.array([1]))
        >>> judge_photo(box, np.zeros((0, 5)), (40, 40))
        [(0.5, 0, 0.0, 1)]
    """
    from scipy import optimize

    overlap = ellipse_iou(found.boxes, ellipses, size)
    changes, before = [], (0, 0.0, 0)
    for score in sorted(set(found.scores.tolist()), reverse=True):
        chosen = overlap[found.scores >= score]
        pairs = chosen[optimize.linear_sum_assignment(chosen, maximize=True)]
        hits = int((pairs > _HIT).sum())
        now = (hits, float(pairs.sum()), len(chosen) - hits)
        changes.append((score, now[0] - before[0], now[1] - before[1], now[2] - before[2]))
        before = now
    return changes


def ellipse_iou(boxes: np.ndarray, ellipses: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Intersection over union of boxes with ellipses, counted in pixels of the photo.

    Args:
        boxes: [m, 4] `[ymin, xmin, ymax, xmax]`.
        ellipses: [n, 5], as in `FddbPhoto`.
        size: (height, width) of the photo.

    Returns:
        float [m, n].

    Example:
        >>> circle = np.array([[20.0, 20, 0, 50, 50]])
        >>> ellipse_iou(np.array([[30.0, 30, 71, 71]]), circle, (100, 100)).round(2)
        array([[0.75]])
    """
    height, width = size
    edges = np.clip(np.round(np.asarray(boxes, float)), 0, np.tile(size, 2)).astype(int)
    top, left, bottom, right = edges.reshape(-1, 4).T
    areas = (bottom - top) * (right - left)
    rows, columns = np.mgrid[:height, :width]
    overlap = np.zeros((len(edges), len(ellipses)))
    for place, (major, minor, angle, x, y) in enumerate(ellipses):
        along = (columns - x) * math.cos(angle) + (rows - y) * math.sin(angle)
        across = (rows - y) * math.cos(angle) - (columns - x) * math.sin(angle)
        inside = (along / major) ** 2 + (across / minor) ** 2 <= 1
        sums = np.zeros((height + 1, width + 1), int)  # of all pixels above and to the left
        sums[1:, 1:] = inside.cumsum(axis=0).cumsum(axis=1)
        shared = sums[bottom, right] - sums[top, right] - sums[bottom, left] + sums[top, left]
        overlap[:, place] = shared / np.maximum(areas + sums[-1, -1] - shared, 1)
    return overlap

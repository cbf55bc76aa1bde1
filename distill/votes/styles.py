"""Boxes of one rater in the style of another, where the other does not see the face.

Where a better rater sees the face, its box is taken. Where it does not, the box of who does is
shifted by the medians of how far their edges are apart on photos of the same source. Otherwise the
faces that only people see, small and hard ones, would keep a style that the others have lost.
"""

import numpy as np

from distill.votes.columns import Columns
from distill.votes.comparing import Views, edges_by_source, median_edges
from ssd.boxes import area

LEAST_PAIRS = 30  # faces of a source that both see; medians of fewer say little


def measure_styles(views: Views, geometry: int) -> np.ndarray:
    """How far each rater's edges are from those of the rater that says where faces end.

    Args:
        views: What raters see.
        geometry: That rater.

    Returns:
        float32 [raters, sources, 4]: medians in shares of the box's size, positive where the other
        edge is lower or further right; NaN where fewer than `LEAST_PAIRS` faces tell.

    Example:
        >>> none = np.zeros([0, 2], int)
        >>> views = Views(np.zeros([0, 2, 4]), none, none[:, 0], none[:, 0], ["wider"])
        >>> measure_styles(views, 0).shape
        (2, 1, 4)
    """
    raters = views.boxes.shape[1]
    styles = np.full([raters, len(views.source_names), 4], np.nan, np.float32)
    for rater in range(raters):
        for source, rows in enumerate(edges_by_source(views, rater, geometry)):
            if len(rows) >= LEAST_PAIRS:
                styles[rater, source] = median_edges(rows)
    return styles


def count_shifted(views: Views, geometry: int, styles: np.ndarray) -> np.ndarray:
    """How many boxes are shifted: those of faces that `geometry` does not see.

    Args:
        views: What raters see.
        geometry: The rater that says where faces end.
        styles: As `measure_styles` gives them.

    Returns:
        int [raters, sources].

    Example:
        >>> none = np.zeros([0, 2], int)
        >>> views = Views(np.zeros([0, 2, 4]), none, none[:, 0], none[:, 0], ["wider"])
        >>> count_shifted(views, 0, measure_styles(views, 0)).tolist()
        [[0], [0]]
    """
    alone = views.is_seen & ~views.is_seen[:, [geometry]]
    counts = np.zeros(styles.shape[:2], int)
    faces, raters = np.nonzero(alone)
    np.add.at(counts, (raters, views.of_faces[faces]), 1)
    return np.where(np.isnan(styles[..., 0]), 0, counts)


def shift_to_style(labels: Columns, sources: np.ndarray, style: np.ndarray) -> Columns:
    """A rater's boxes with edges shifted.

    Args:
        labels: What the rater says.
        sources: int [photos], which source each photo is from.
        style: float32 [sources, 4], as `measure_styles` gives it; NaN leaves boxes as they are.

    Returns:
        The same with other boxes, inside the photo; one of which nothing would be left stays.

    Example:
        >>> nothing = np.ones(1, np.int32), np.ones(1, np.float32)
        >>> labels = Columns(
        ...     ["a.jpg"], [None], np.ones(1, int), np.float32([[0.5, 0.5, 0.75, 0.75]]), *nothing)
        >>> shift_to_style(labels, np.array([0]), np.float32([[-1, 0, 0, 2]])).boxes.tolist()
        [[0.25, 0.5, 0.75, 1.0]]
    """
    boxes = labels.boxes
    by = style[sources[labels.photos]]
    sizes = np.tile(boxes[:, 2:] - boxes[:, :2], 2)
    shifted = np.clip(boxes + np.nan_to_num(by) * sizes, 0, 1)
    return labels._replace(boxes=np.where(area(shifted)[:, None] > 0, shifted, boxes))

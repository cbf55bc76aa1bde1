"""How raters differ: who sees what the others see, and how far apart their boxes end.

Of the faces that a rater calls faces, the share at which another rater has a box, and the medians
of the distances between the edges of the two boxes, in shares of the face's height or width. People
who leave foreheads out of their boxes are seen there at a glance.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from distill.votes.agreement import spread
from distill.votes.columns import Columns, photos_of

EDGES = ("top", "left", "bottom", "right")
MOST_SOURCES = 20  # of which a comparison tells one by one: those with most faces
DIGITS = 4


class Views(NamedTuple):
    """What several raters see of the same faces.

    Args:
        boxes: float32 [faces, raters, 4], NaN where a rater does not see the face.
        class_ids: int [faces, raters], 0 where it does not.
        photos: int [faces], which photo each face is on.
        sources: int [photos], which collection each photo is from.
        source_names: Of the collections.

    Example:
        >>> ones = np.ones([2, 1], int)
        >>> Views(np.zeros([2, 1, 4]), ones, np.array([0, 0]), np.array([0]), ["wider"]).of_faces
        array([0, 0])
    """

    boxes: np.ndarray
    class_ids: np.ndarray
    photos: np.ndarray
    sources: np.ndarray
    source_names: list[str]

    @property
    def of_faces(self) -> np.ndarray:
        """int [faces], which collection the photo of each face is from."""
        return self.sources[self.photos]

    @property
    def is_face(self) -> np.ndarray:
        """bool [faces, raters]: which rater calls it a face, of whatever class."""
        return self.class_ids > 0

    @property
    def is_seen(self) -> np.ndarray:
        """bool [faces, raters]: which rater has a box there."""
        return ~np.isnan(self.boxes[:, :, 0])


def view_faces(labels: Sequence[Columns], faces: np.ndarray) -> Views:
    """What raters see of each face.

    Args:
        labels: Of each rater, of the same photos in the same order.
        faces: What `distill.votes.agreement.group_faces` gives of their boxes.

    Returns:
        `Views`, in the order of `faces`.

    Example:
        >>> from distill.votes.columns import to_columns
        >>> view_faces([to_columns([])], np.zeros([0, 1], int)).source_names
        []
    """
    names = sources_of(labels)
    places = {name: place for place, name in enumerate(sorted(set(names)))}
    return Views(
        spread(faces, [each.boxes for each in labels], np.float32(np.nan)),
        spread(faces, [each.class_ids for each in labels], 0),
        photos_of(faces, labels),
        np.array([places[name] for name in names], int),
        [*places],
    )


def compare(
    names: Sequence[str],
    views: Views,
    geometry: int | None = None,
    shifted: np.ndarray | None = None,
) -> dict[str, Any]:
    """How raters differ, as JSON can hold it; the same in whatever order the photos came.

    Args:
        names: Of the raters.
        views: What they see.
        geometry: The rater that says where faces end; None: each is held against each.
        shifted: int [raters, sources], how many boxes were brought to the style of `geometry`
            (`distill.votes.styles.count_shifted`).

    Returns:
        `raters`, their names; `faces`, how many each calls a face; `seen`, for each of them a
        row: the share of these at which each rater has a box (None where there are none);
        `edges`, a list of what two raters differ by: the `faces` of `rater` at which `against`
        has a box, and for each edge the median of where `against` draws it minus where `rater`
        does, in shares of the face's size; `source` is "" for all photos; `shifted`, where there
        is a `geometry`, how many boxes of `rater` at which it has none were shifted by as much.

    Example:
        >>> from distill.votes.columns import to_columns
        >>> from ssd.data.records import LabeledPhoto
        >>> def labels(boxes):
        ...     ones = np.ones(len(boxes), np.float32)
        ...     return to_columns(
        ...         [LabeledPhoto(b"", "a.jpg", 9, 9, np.float32(boxes), ones.astype(int), ones)])
        >>> people = labels([[0, 0, 0.5, 0.5], [0.8, 0.8, 1, 1]])
        >>> teacher = labels([[0.05, 0, 0.5, 0.5]])
        >>> views = view_faces([people, teacher], np.array([[0, 0], [1, -1]]))
        >>> compared = compare(["people", "teacher"], views)
        >>> compared["seen"], compared["edges"][0]["top"]
        ([[1.0, 0.5], [1.0, 1.0]], 0.1)
    """
    raters, is_seen = range(len(names)), views.is_seen
    counts = views.is_face.sum(axis=0)
    both = views.is_face.T.astype(int) @ is_seen
    if geometry is None:
        pairs = [(a, b) for a in raters for b in raters if a < b]
    else:
        pairs = [(a, geometry) for a in raters if a != geometry]
    edges = []
    for a, b in pairs:
        for row in _rows(views, a, b, None if shifted is None else shifted[a]):
            edges.append({"rater": names[a], "against": names[b], **row})
    return {
        "raters": [*names],
        "faces": counts.tolist(),
        "seen": [
            [round(shares / count, DIGITS) if count else None for shares in row]
            for row, count in zip(both.tolist(), counts.tolist(), strict=True)
        ],
        "edges": edges,
    }


def _rows(views: Views, a: int, b: int, shifted: np.ndarray | None) -> list[dict[str, Any]]:
    """Medians of all faces and, where there are several sources, of those of each."""
    shares, by_source = edges_apart(views, a, b), edges_by_source(views, a, b)
    groups = [("", shares, None if shifted is None else shifted.sum())]
    if len(views.source_names) > 1:
        of_each = [None] * len(by_source) if shifted is None else shifted
        found = [*zip(views.source_names, by_source, of_each, strict=True)]
        found.sort(key=lambda group: (-len(group[1]), group[0]))
        groups += found[:MOST_SOURCES]
    return [
        {
            "source": name,
            "faces": len(rows),
            **dict(zip(EDGES, median_edges(rows).round(DIGITS).tolist(), strict=True)),
            **({} if count is None else {"shifted": int(count)}),
        }
        for name, rows, count in groups
        if len(rows)
    ]


def edges_apart(views: Views, a: int, b: int) -> np.ndarray:
    """How far the edges of one rater's boxes are from those of another's.

    Args:
        views: What raters see.
        a: The rater whose faces count.
        b: The rater whose boxes they are held against.

    Returns:
        float32 [faces both see, 4] (`edge_shares`).

    Example:
        >>> boxes = np.float32([[[0, 0, 10, 20], [1, 0, 10, 10]]])
        >>> one = np.array([0])
        >>> views = Views(boxes, np.ones([1, 2], int), one, one, ["wider"])
        >>> edges_apart(views, 0, 1)[0].tolist()
        [0.10000000149011612, 0.0, 0.0, -0.5]
    """
    shared = views.is_face[:, a] & views.is_seen[:, b]
    return edge_shares(views.boxes[shared, a], views.boxes[shared, b])


def edges_by_source(views: Views, a: int, b: int) -> list[np.ndarray]:
    """The same, source by source.

    Args:
        views: What raters see.
        a: The rater whose faces count.
        b: The rater whose boxes they are held against.

    Returns:
        For each source float32 [faces, 4].

    Example:
        >>> boxes = np.float32([[[0, 0, 10, 20], [1, 0, 10, 10]]])
        >>> one = np.array([0])
        >>> views = Views(boxes, np.ones([1, 2], int), one, one, ["wider"])
        >>> edges_by_source(views, 0, 1)[0][0].tolist()
        [0.10000000149011612, 0.0, 0.0, -0.5]
    """
    sources = views.of_faces[views.is_face[:, a] & views.is_seen[:, b]]
    order = np.argsort(sources, kind="stable")
    edges = np.searchsorted(sources[order], np.arange(1, len(views.source_names)))
    return np.split(edges_apart(views, a, b)[order], edges)


def median_edges(rows: np.ndarray) -> np.ndarray:
    """Medians of how far edges are apart.

    Args:
        rows: float32 [faces, 4], one face or more.

    Returns:
        float64 [4].

    Example:
        >>> median_edges(np.float32([[0, 0, 1, 1], [0, 0.5, 1, 2]])).tolist()
        [0.0, 0.25, 1.0, 1.5]
    """
    return np.median(rows, axis=0).astype(float)


def sources_of(labels: Sequence[Columns]) -> list[str]:
    """Which collection each photo is from, or the first folder of its name.

    Args:
        labels: Of each rater, of the same photos in the same order.

    Returns:
        A name for each photo; "." for one that is in no folder.

    Example:
        >>> from distill.votes.columns import Columns
        >>> nothing = np.zeros(2, int), np.zeros([0, 4]), np.zeros(0), np.zeros(0)
        >>> names = ["2024/a.jpg", "b.jpg"]
        >>> sources_of([Columns(names, [None, None], *nothing)])
        ['2024', '.']
        >>> sources_of([Columns(names, [None, None], *nothing),
        ...             Columns(names, ["wider", None], *nothing)])
        ['wider', '.']
    """
    return [
        next(filter(None, named), None) or name.rpartition("/")[0].partition("/")[0] or "."
        for name, *named in zip(labels[0].names, *(each.sources for each in labels), strict=True)
    ]


def edge_shares(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """How far the edges of other boxes are from those of boxes, in shares of the boxes' size.

    Args:
        boxes: float32 [boxes, 4], `[ymin, xmin, ymax, xmax]`.
        others: float32 [boxes, 4], of the same faces.

    Returns:
        float32 [boxes, 4]; positive where the other edge is lower or further right.

    Example:
        >>> edge_shares(np.float32([[0, 0, 10, 20]]), np.float32([[1, 0, 10, 10]])).tolist()
        [[0.10000000149011612, 0.0, 0.0, -0.5]]
    """
    sizes = boxes[:, 2:] - boxes[:, :2]
    return (others - boxes) / np.maximum(np.tile(sizes, 2), np.finfo(np.float32).tiny)

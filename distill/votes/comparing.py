"""How raters differ: who sees what the others see, and how far apart their boxes end.

Of the faces that a rater calls faces, the share at which another rater has a box, and the medians
of the distances between the edges of the two boxes, in shares of the face's height or width. People
who leave foreheads out of their boxes are seen there at a glance.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from distill.votes.agreement import spread
from ssd.data import records

EDGES = ("top", "left", "bottom", "right")
MOST_SOURCES = 20  # of which a comparison tells one by one: those with most faces
DIGITS = 4


class Comparison:
    """What several raters said of the same photos, held against each other.

    Args:
        names: Of the raters.

    Example:
        >>> def photo(boxes):
        ...     ones = np.ones(len(boxes), np.float32)
        ...     return records.LabeledPhoto(
        ...         b"", "a.jpg", 9, 9, np.float32(boxes), ones.astype(int), ones)
        >>> comparison = Comparison(["person", "teacher"])
        >>> person = photo([[0, 0, 0.5, 0.5], [0.8, 0.8, 1, 1]])
        >>> comparison.add([person, photo([[0.05, 0, 0.5, 0.5]])], np.array([[0, 0], [1, -1]]))
        >>> comparison.to_json()["seen"]
        [[1.0, 0.5], [1.0, 1.0]]
        >>> comparison.to_json()["edges"][0]["top"]
        0.1
    """

    def __init__(self, names: Sequence[str]):
        self.names = list(names)
        self._sources: dict[str, int] = {}
        self._source_of: list[int] = []  # of each photo
        self._faces_of: list[int] = []
        self._boxes: list[np.ndarray] = []
        self._said: list[np.ndarray] = []

    def add(self, photos: Sequence[records.LabeledPhoto], faces: np.ndarray) -> None:
        """Takes in one photo.

        Args:
            photos: The same photo as each rater labeled it.
            faces: What `distill.votes.agreement.group_faces` gives of their boxes.
        """
        source = source_of(photos)
        self._source_of.append(self._sources.setdefault(source, len(self._sources)))
        self._faces_of.append(len(faces))
        self._boxes.append(spread(faces, [photo.boxes for photo in photos], np.float32(np.nan)))
        self._said.append(spread(faces, [photo.class_ids for photo in photos], 0))

    def to_json(self, geometry: int | None = None) -> dict[str, Any]:
        """All of it, as JSON can hold it; the same in whatever order the photos came.

        Args:
            geometry: The rater that says where faces end; None: each is held against each.

        Returns:
            `raters`, their names; `faces`, how many each calls a face; `seen`, for each of them a
            row: the share of these at which each rater has a box (None where there are none);
            `edges`, a list of what two raters differ by: the `faces` of `rater` at which `against`
            has a box, and for each edge the median of where `against` draws it minus where `rater`
            does, in shares of the face's size; `source` is "" for all photos.
        """
        raters = len(self.names)
        boxes = np.concatenate(self._boxes or [np.zeros([0, raters, 4], np.float32)])
        is_face = np.concatenate(self._said or [np.zeros([0, raters], int)]) > 0
        has_box = ~np.isnan(boxes[:, :, 0])
        counts = is_face.sum(axis=0)
        both = is_face.T.astype(int) @ has_box
        source_of_face = np.repeat(self._source_of, self._faces_of).astype(int)
        pairs = (
            [(a, b) for a in range(raters) for b in range(a + 1, raters)]
            if geometry is None
            else [(a, geometry) for a in range(raters) if a != geometry]
        )
        edges = []
        for a, b in pairs:
            shared = is_face[:, a] & has_box[:, b]
            apart = edge_shares(boxes[shared, a], boxes[shared, b])
            edges += self._rows(a, b, apart, source_of_face[shared])
        return {
            "raters": self.names,
            "faces": counts.tolist(),
            "seen": [
                [round(shares / count, DIGITS) if count else None for shares in row]
                for row, count in zip(both.tolist(), counts.tolist(), strict=True)
            ],
            "edges": edges,
        }

    def _rows(self, a: int, b: int, apart: np.ndarray, sources: np.ndarray) -> list[dict[str, Any]]:
        """Medians of all faces and, where there are several, of those of each source."""
        groups = [("", apart)]
        if len(self._sources) > 1:
            found = [(name, apart[sources == number]) for name, number in self._sources.items()]
            found.sort(key=lambda group: (-len(group[1]), group[0]))
            groups += found[:MOST_SOURCES]
        pair = {"rater": self.names[a], "against": self.names[b]}
        return [
            {**pair, "source": name, "faces": len(rows), **_medians(rows)}
            for name, rows in groups
            if len(rows)
        ]


def _medians(rows: np.ndarray) -> dict[str, float]:
    medians = np.median(rows, axis=0).astype(float).round(DIGITS)
    return dict(zip(EDGES, medians.tolist(), strict=True))


def source_of(photos: Sequence[records.LabeledPhoto]) -> str:
    """Which collection a photo is from, or the first folder of its name.

    Args:
        photos: The same photo as each rater labeled it.

    Returns:
        A name; "." for a photo that is in no folder.

    Example:
        >>> photo = records.LabeledPhoto(
        ...     b"", "2024/a.jpg", 9, 9, np.zeros([0, 4]), np.zeros(0), np.zeros(0))
        >>> source_of([photo]), source_of([photo, photo._replace(source="wider")])
        ('2024', 'wider')
    """
    named = next((photo.source for photo in photos if photo.source), None)
    return named or photos[0].filename.rpartition("/")[0].partition("/")[0] or "."


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

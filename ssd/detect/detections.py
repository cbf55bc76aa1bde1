"""What was found in one photo: boxes, how sure each is, and what it shows."""

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike


@dataclasses.dataclass(frozen=True, eq=False)
class Detections:
    """What was found in one photo, best first. `len` is the number of boxes.

    It unpacks like a tuple: `boxes, scores, class_ids = found`.

    Attributes:
        boxes: float32 [n, 4] `[ymin, xmin, ymax, xmax]`, pixels of the photo, inside it.
        scores: float32 [n] in [0, 1].
        class_ids: int [n]; 1 is the first of `config.classes`. Of classes of one kind, the most
            probable.
        ids: int [n], which boxes of a video are of one face (`ssd.Tracker`); None of one photo.
        class_scores: float32 [n, classes], the score of each class alone where some are of one
            kind (`config.kinds`) and share a box; 0 for classes of another kind. None where each
            class is found for itself.

    Example:
        >>> found = Detections(np.float32([[0, 0, 9, 9]]), np.float32([0.5]), np.array([1]))
        >>> len(found)
        1
        >>> for box, score, class_id in zip(*found):
        ...     print(box, score, class_id)
        [0. 0. 9. 9.] 0.5 1
    """

    boxes: np.ndarray
    scores: np.ndarray
    class_ids: np.ndarray
    ids: np.ndarray | None = None
    class_scores: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.scores)

    def __iter__(self) -> Iterator[np.ndarray]:
        return iter((self.boxes, self.scores, self.class_ids))

    def pick(self, chosen: ArrayLike) -> "Detections":
        """Some of them.

        Args:
            chosen: Their places, int [k], or which ones, bool [n].

        Returns:
            `Detections`, in that order.
        """
        chosen = np.asarray(chosen)
        some: dict[str, Any] = {
            name: None if each is None else np.asarray(each)[chosen]
            for name, each in vars(self).items()
        }
        return Detections(**some)

    def join(self, other: "Detections") -> "Detections":
        """These and others, one after the other.

        Args:
            other: What the same model found.

        Returns:
            `Detections` of both; without what one of them has not.
        """
        both: dict[str, Any] = {
            name: np.concatenate([one, two]).astype(one.dtype)
            for (name, one), two in zip(vars(self).items(), vars(other).values(), strict=True)
            if one is not None and two is not None
        }
        return Detections(**both)

    def best(self, most: int) -> "Detections":
        """The best of them.

        Args:
            most: How many, at most.

        Returns:
            `Detections`, best first; of equal scores the earlier.
        """
        return self.pick(np.argsort(-np.asarray(self.scores), kind="stable")[:most])

    def share(self, class_id: int) -> np.ndarray:
        """How far each box is of a class, among those of its kind: of faces, how far each smiles.

        Args:
            class_id: 1 is the first of `config.classes`.

        Returns:
            float32 [n] in [0, 1]; where each class is found for itself, 0 or 1.

        Example:
            >>> found = Detections(
            ...     np.zeros((1, 4)), np.float32([0.8]), np.array([2]),
            ...     class_scores=np.float32([[0.2, 0.6]]))
            >>> found.share(2).round(2).tolist()
            [0.75]
        """
        if self.class_scores is None:
            return (np.asarray(self.class_ids) == class_id).astype(np.float32)
        total = self.class_scores.sum(axis=1)
        return self.class_scores[:, class_id - 1] / np.where(total > 0, total, 1)

    @property
    def own_scores(self) -> np.ndarray:
        """How sure each box is to be of its class: `scores`, or the class's part of them.

        So a face that is sure to be one, and may smile or not, is not said to be a sure smile.
        """
        if self.class_scores is None:
            return np.asarray(self.scores)
        return self.class_scores[np.arange(len(self)), np.asarray(self.class_ids) - 1]

    def by_class(self) -> "Detections":
        """Each class of a box as a box of its own, with its own score.

        So classes are judged: a face that may smile is a smile as probable as that, and a
        neutral face as probable as the rest.

        Returns:
            `Detections`, best first; the same where each class is found for itself.
        """
        if self.class_scores is None:
            return self
        rows, classes = np.nonzero(self.class_scores)
        scores = self.class_scores[rows, classes]
        return Detections(self.boxes[rows], scores, classes + 1).best(len(rows))

    def same_kind(self, other: "Detections") -> np.ndarray:
        """Which boxes may be of one thing: those of one class, or of classes of one kind.

        Args:
            other: What the same model found.

        Returns:
            bool [n, m].
        """
        if self.class_scores is None or other.class_scores is None:
            return np.asarray(self.class_ids)[:, None] == other.class_ids
        return self.class_scores @ other.class_scores.T > 0

    def to_supervision(self) -> Any:
        """The same as `supervision.Detections`, for that package's annotators and counters.

        Returns:
            `supervision.Detections`: boxes as x, y, x, y; class ids from 0, with their
            `own_scores`; `tracker_id` where there are `ids`.

        Raises:
            ImportError: If the package supervision is not installed.
        """
        import supervision

        return supervision.Detections(
            xyxy=self.boxes[:, [1, 0, 3, 2]],
            confidence=self.own_scores,
            class_id=self.class_ids - 1,
            tracker_id=self.ids,
        )

"""What several raters say of photos, as labels that none of them could give alone.

A rater is whoever says where faces are: a teacher, a student of its labels, a person. Each makes
mistakes of its own, so what most of them see is a face. What fewer see is a region to ignore: too
little to learn a face from, and too much to learn background from.
"""

from collections.abc import Sequence

import numpy as np

from distill.votes.agreement import group_faces, mean_of, spread
from distill.votes.columns import Columns, photos_of
from distill.votes.rules import Rules
from ssd.data import records


def vote(
    labels: Sequence[Columns],
    faces: np.ndarray | None = None,
    *,
    kept: Sequence[int] = (),
    geometry: int | None = None,
    rules: Rules | None = None,
) -> Columns:
    """What several raters say of the same photos.

    A box that most raters have (of two both) is a face if any of them calls it one, else a region
    to ignore. A box that fewer have is a region to ignore, unless a rater that is kept is sure of
    it (`Rules.trusted_score`): then it is a face.

    Args:
        labels: Of each of them, of the same photos in the same order.
        faces: What `find_faces` gives of them, if that is known.
        kept: Which raters' word alone suffices.
        geometry: Which rater says where a face ends, if it has it; None: the mean of all.
        rules: `Rules`; by default the usual ones.

    Returns:
        `Columns` of these photos, with the greatest score of each face, and the collection that
        the first to name one names.

    Raises:
        ValueError: If there are no raters.

    Example:
        >>> from distill.votes.columns import to_columns
        >>> def labels(boxes, class_ids, scores):
        ...     return to_columns([records.LabeledPhoto(b"", "a.jpg", 9, 9, np.float32(boxes),
        ...                                             np.int32(class_ids), np.float32(scores))])
        >>> teacher = labels([[0, 0, 0.5, 0.5], [0, 0.6, 0.2, 0.8]], [1, 1], [0.99, 0.98])
        >>> student = labels([[0, 0, 0.5, 0.4]], [-1], [0.4])
        >>> both = vote([teacher, student])
        >>> both.boxes[0].round(2), both.class_ids.tolist()
        (array([0.  , 0.  , 0.5 , 0.45], dtype=float32), [1, -1])
    """
    if not labels:
        raise ValueError("wanted one or more raters' labels of the same photos, got none")
    rules = rules or Rules()
    if faces is None:
        faces = find_faces(labels, rules)
    boxes = mean_of(faces, [each.boxes for each in labels])
    if geometry is not None:
        has_it = faces[:, geometry] >= 0
        boxes[has_it] = labels[geometry].boxes[faces[has_it, geometry]]
    # [faces, raters]: what each says, and how surely; 0 and -1 where it says nothing.
    said = spread(faces, [each.class_ids for each in labels], 0)
    scores = spread(faces, [each.scores for each in labels], np.float32(-1))
    best = _best_class(said, scores)
    trusted = _best_class(np.where(scores >= rules.trusted_score, said, 0)[:, list(kept)],
                          scores[:, list(kept)])  # fmt: skip
    enough = np.sum(faces >= 0, axis=1) > len(labels) // 2
    class_ids = np.where(enough, best, trusted)
    greatest = scores.max(axis=1, initial=-1)
    stays = (
        enough
        | np.any((said > 0) | (said == records.UNKNOWN), axis=1)
        | (greatest >= rules.min_score_alone)
    )
    photo, first = photos_of(faces, labels)[stays], labels[0]
    return Columns(
        first.names,
        [
            next(filter(None, named), None)
            for named in zip(*(each.sources for each in labels), strict=True)
        ],
        np.bincount(photo, minlength=len(first.names)),
        boxes[stays],
        np.where(class_ids != 0, class_ids, records.IGNORE).astype(np.int32)[stays],
        greatest[stays],
    )


def find_faces(labels: Sequence[Columns], rules: Rules) -> np.ndarray:
    """The faces that raters see on the same photos.

    Args:
        labels: Of each of them, of the same photos in the same order.
        rules: `Rules`.

    Returns:
        int [faces, raters], as `distill.votes.agreement.group_faces` gives them.

    Example:
        >>> from distill.votes.columns import to_columns
        >>> find_faces([to_columns([]), to_columns([])], Rules()).shape
        (0, 2)
    """
    return group_faces(
        [each.boxes for each in labels],
        iou_threshold=rules.iou_threshold,
        photos=[each.photos for each in labels],
    )


def _best_class(said, scores):
    """[faces]: the class that the surest of those who call it a face says; 0 if none does.

    Who does not know the class is asked last.
    """
    if not said.shape[1]:
        return np.zeros(len(said), int)
    surest = np.argmax(np.where(said > 0, scores, -2), axis=1)
    best = np.maximum(said[np.arange(len(said)), surest], 0)
    unknown = (best == 0) & np.any(said == records.UNKNOWN, axis=1)
    return np.where(unknown, records.UNKNOWN, best)

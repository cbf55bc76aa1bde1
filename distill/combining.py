"""Two labellers' words on the same photos, as labels that neither could give alone.

A second round of labels: a student that learnt from one set of labels is a labeller itself, whose
mistakes are not its teacher's. What both see is a face. What only one sees is a region to ignore.
"""

import pathlib

import numpy as np

from distill.agreement import pairs
from ssd.data import manifest, records


def combine(
    first,
    second,
    out,
    *,
    iou_threshold=0.45,
    min_score_alone=0.6,
    trusted_score=0.9,
    shard_photos=256,
):
    """Combine two folders of labels of the same photos into a third.

    Args:
        first: Folder of labels, such as the teacher's.
        second: Folder of labels of the same photos in the same order, such as the student's.
        out: Folder for the combined labels: new, or left by the same call, stopped.
        iou_threshold, min_score_alone, trusted_score: As in `agree`.
        shard_photos: Photos to a shard.

    Returns:
        The counts, as `dataset.json` holds them: `photos`, `faces` and `ignored` regions.

    Raises:
        ValueError: If the two are not of the same photos, or `out` holds something else.
    """
    out = pathlib.Path(out)
    about = {
        "classes": manifest.read(first)["classes"],
        "first": str(pathlib.Path(first).resolve()),
        "second": str(pathlib.Path(second).resolve()),
        "iou_threshold": iou_threshold,
        "min_score_alone": min_score_alone,
        "trusted_score": trusted_score,
        "shard_photos": shard_photos,
    }
    earlier = manifest.claim(out, about)
    if earlier and earlier.get("complete"):
        return earlier["counts"]
    if records.count(first) != records.count(second):
        raise ValueError(
            f"{second}: wanted labels of the {records.count(first)} photos of {first}, "
            f"got {records.count(second)} photos"
        )
    out.mkdir(parents=True, exist_ok=True)
    manifest.write(out, {**about, "complete": False})
    counts, shard, index = {"photos": 0, "faces": 0, "ignored": 0}, [], 0
    total = records.count(first)
    for one, other in zip(records.read(first), records.read(second), strict=True):
        if one.filename != other.filename:
            raise ValueError(f"{second}: wanted the photo {one.filename}, got {other.filename}")
        photo = agree(
            one,
            other,
            iou_threshold=iou_threshold,
            min_score_alone=min_score_alone,
            trusted_score=trusted_score,
        )
        counts["photos"] += 1
        counts["faces"] += int(np.sum(photo.class_ids > 0))
        counts["ignored"] += int(np.sum(photo.class_ids == records.IGNORE))
        shard.append(photo)
        if len(shard) == shard_photos or counts["photos"] == total:
            path = records.shard_path(out, index)
            records.write_shard(path, shard, class_names=about["classes"])
            shard, index = [], index + 1
    manifest.write(out, {**about, "complete": True, "counts": counts})
    return counts


def agree(first, second, *, iou_threshold=0.45, min_score_alone=0.6, trusted_score=0.9):
    """What two labellers say of one photo, as one `LabelledPhoto`.

    A box that both have is a face if either calls it one, and a region to ignore if neither
    does; it is their mean. A box that only one of them has is a region to ignore, with two
    exceptions for the second: one that scores less than `min_score_alone` is left out, and a
    face that scores `trusted_score` or more is a face.

    Args:
        first: `ssd.data.records.LabelledPhoto`, such as the teacher's.
        second: The same photo labelled by another, such as the student.
        iou_threshold: Least IoU of two boxes of one face.
        min_score_alone: Score under which the second's word alone counts for nothing.
        trusted_score: Score from which the second's word alone is enough.

    Returns:
        A `LabelledPhoto` with the pixels of the first and the greater score of each pair.

    Example:
        >>> def photo(boxes, classes, scores):
        ...     return records.LabelledPhoto(
        ...         b"", "a.jpg", 9, 9, np.float32(boxes), np.int32(classes), np.float32(scores))
        >>> teacher = photo([[0, 0, 0.5, 0.5], [0, 0.6, 0.2, 0.8]], [1, 1], [0.99, 0.98])
        >>> student = photo([[0, 0, 0.5, 0.4]], [-1], [0.4])
        >>> both = agree(teacher, student)
        >>> both.boxes[0].round(2), both.class_ids.tolist()
        (array([0.  , 0.  , 0.5 , 0.45], dtype=float32), [1, -1])
    """
    i, j = pairs(first.boxes, second.boxes, iou_threshold=iou_threshold).T
    only_first = np.setdiff1d(np.arange(len(first.boxes)), i)
    alone = np.setdiff1d(np.arange(len(second.boxes)), j)
    alone = alone[second.scores[alone] >= min_score_alone]
    trusted = (second.class_ids[alone] > 0) & (second.scores[alone] >= trusted_score)
    return first._replace(
        boxes=np.concatenate(
            [(first.boxes[i] + second.boxes[j]) / 2, first.boxes[only_first], second.boxes[alone]]
        ),
        class_ids=np.concatenate(
            [
                np.maximum(first.class_ids[i], second.class_ids[j]),
                np.full(len(only_first), records.IGNORE),
                np.where(trusted, second.class_ids[alone], records.IGNORE),
            ]
        ),
        scores=np.concatenate(
            [
                np.maximum(first.scores[i], second.scores[j]),
                first.scores[only_first],
                second.scores[alone],
            ]
        ),
    )

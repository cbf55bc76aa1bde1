"""What people said of photos, joined by name with labels that know where the faces are.

A teacher says where faces are and not of which class; a person who looks at photos says the class
and draws no boxes. Together they are labels of several classes.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

import ssd
from ssd.boxes import area, iou
from ssd.data import manifest, records
from ssd.data.classes import BACKGROUND, ClassIds
from ssd.photos.ratings import Rating, read_ratings

SAME_FACE = 0.5  # least IoU of a box that a person named and the labels' box of the same face


class Joined(NamedTuple):
    """What became of labels and ratings.

    Attributes:
        photos: Photos written.
        rated: Of these, how many somebody had rated.
        left_out: Photos that show something, says a person, of which nobody knows the place.
        strange: Names that were rated and that the labels do not have.

    Example:
        >>> Joined(3, 2, 0, []).rated
        2
    """

    photos: int
    rated: int
    left_out: int
    strange: list[str]


def join(
    labels: str | os.PathLike,
    ratings: Sequence[str | os.PathLike],
    out: str | os.PathLike,
    *,
    class_names: Sequence[str],
    mapping: Mapping[str, str] | None = None,
) -> Joined:
    """Give the boxes of labels the classes that people gave their photos.

    A rating of a whole photo is that of its largest face. One of a box is that of the face there,
    or of a face that the labels lack. Nothing on the photo, no boxes. What nobody rated is a face
    of unknown class, unless the labels have the same classes already.

    Args:
        labels: Folder of labels.
        ratings: CSV files (`ssd.photos.ratings`), boxes on the unit square.
        out: Folder for the joined labels, new or of the same call.
        class_names: Names of the classes, the first for class 1.
        mapping: Other names in the ratings, as `ssd.data.classes.ClassIds` takes them.

    Returns:
        `Joined`.

    Raises:
        FileNotFoundError: If there are no such labels or ratings.
        ValueError: If a class is not known, people say two things of one photo or box, a box is
            not on the unit square, or no rated photo is in the labels; nothing is written then.

    Example:
        >>> import pathlib, tempfile
        >>> photo = records.LabeledPhoto(b"", "a.jpg", 9, 9, np.float32([[0, 0, 0.5, 0.5]]),
        ...                               np.int32([1]), np.float32([0.99]))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     csv = pathlib.Path(folder, "ann.csv")
        ...     _ = csv.write_text("photo,class\\na.jpg,smile\\n")
        ...     _ = ssd.write_labels(f"{folder}/labels", [photo])
        ...     _ = join(f"{folder}/labels", [csv], f"{folder}/out", class_names=["face", "smile"])
        ...     [each.class_ids.tolist() for each in ssd.read_labels(f"{folder}/out")]
        [[2]]
    """
    ids = ClassIds(class_names, mapping)
    said = _by_photo(read_ratings(ratings), ids)
    names = [photo.filename for photo in records.read(labels)]
    strange = sorted(said.keys() - {*names})
    if len(strange) == len(said):
        raise ValueError(f"{labels}: wanted one of the photos that were rated, has none of them")
    keeps = manifest.read(labels)["classes"] == ids.names
    left_out = 0

    def photos() -> Iterator[records.LabeledPhoto]:
        nonlocal left_out
        for photo in records.read(labels):
            joined = apply_ratings(photo, said.get(photo.filename, []), keeps=keeps)
            if joined is None:
                left_out += 1
            else:
                yield joined

    counts = ssd.write_labels(out, photos(), class_names=ids.names, source=str(labels))
    rated = len(said) - len(strange) - left_out
    return Joined(counts["photos"], rated, left_out, strange)


def apply_ratings(
    photo: records.LabeledPhoto,
    said: Sequence[tuple[tuple[float, ...] | None, int]],
    *,
    keeps: bool = False,
) -> records.LabeledPhoto | None:
    """A photo with the classes that people gave it.

    Args:
        photo: The photo with its boxes.
        said: (box on the unit square or None for the whole photo, class id); the id 0 with no box
            is a photo with nothing on it.
        keeps: Whether a face that nobody rated keeps its class; else that is unknown.

    Returns:
        The photo, or None where something is on it of which nobody knows the place.

    Example:
        >>> photo = records.LabeledPhoto(
        ...     b"", "a.jpg", 9, 9, np.float32([[0, 0, 0.5, 0.5], [0, 0.5, 0.2, 0.7]]),
        ...     np.int32([1, 1]), np.float32([0.9, 0.8]))
        >>> apply_ratings(photo, [(None, 2)]).class_ids.tolist()
        [2, -2]
    """
    boxes = np.array(photo.boxes, np.float32).reshape(-1, 4)
    class_ids, scores = np.array(photo.class_ids, np.int32), np.array(photo.scores, np.float32)
    if not keeps:
        class_ids[class_ids > 0] = records.UNKNOWN
    for box, class_id in said:
        if box is None and class_id == BACKGROUND:
            boxes, class_ids, scores = boxes[:0], class_ids[:0], scores[:0]
            continue
        place = _largest(boxes, class_ids) if box is None else _at(box, boxes)
        if place is None and box is None:
            return None
        if place is None:
            boxes = np.concatenate([boxes, np.array([box], np.float32)])
            class_ids, scores = np.append(class_ids, 0), np.append(scores, 0)
            place = len(boxes) - 1
        class_ids[place], scores[place] = class_id, 1
    there = class_ids != BACKGROUND
    return photo._replace(
        boxes=boxes[there],
        class_ids=class_ids[there].astype(np.int32),
        scores=scores[there].astype(np.float32),
    )


def _largest(boxes, class_ids):
    """The largest face; where there is none, the largest region to ignore; else None."""
    if not len(boxes):
        return None
    size = area(boxes) + 2.0 * (class_ids != records.IGNORE)  # no area is above 1
    return int(np.argmax(size))


def _at(box, boxes):
    overlaps = iou([box], boxes)[0] if len(boxes) else np.zeros(1)
    best = int(np.argmax(overlaps))
    return best if overlaps[best] >= SAME_FACE else None


def _by_photo(ratings: Sequence[Rating], ids: ClassIds):
    """{photo: [(box or None, class id)]}, each thing said once."""
    found: dict[str, dict[tuple[float, ...] | None, int]] = {}
    for rating in ratings:
        class_id = BACKGROUND if not rating.class_name else ids.find(rating.class_name)
        if class_id is None:
            class_id = records.IGNORE if rating.class_name == "ignore" else None
        if class_id is None:
            raise ValueError(
                f"{rating.photo!r}: wanted a class of {', '.join(ids.names)} or ignore, "
                f"got {rating.class_name!r}; --map says what is meant by it"
            )
        if rating.box is not None and not (min(rating.box) >= 0 and max(rating.box) <= 1):
            raise ValueError(
                f"{rating.photo!r}: wanted a box on the unit square, got {[*rating.box]}"
            )
        before = found.setdefault(rating.photo, {}).setdefault(rating.box, class_id)
        if before != class_id:
            raise ValueError(
                f"{rating.photo!r}: wanted one class, got two; distill vote puts several people's "
                "ratings to the vote"
            )
    return {photo: [*said.items()] for photo, said in found.items()}

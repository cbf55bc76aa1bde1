"""Labels of many photos as columns, without the pixels, so that all are put to the vote at once."""

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from distill.votes.agreement import spread
from ssd.data import records


class Columns(NamedTuple):
    """What one rater says of photos.

    Args:
        names: Of the photos.
        sources: Which collection each photo is from, None where labels do not say.
        counts: int [photos], how many boxes each photo has.
        boxes: float32 [boxes, 4], `[ymin, xmin, ymax, xmax]`; those of the first photo first.
        class_ids: int32 [boxes].
        scores: float32 [boxes].

    Example:
        >>> photo = records.LabeledPhoto(
        ...     b"", "a.jpg", 9, 9, np.eye(2, 4), np.array([1, -1]), np.array([1.0, 0.7]))
        >>> to_columns([photo, photo._replace(filename="b.jpg")]).photos.tolist()
        [0, 0, 1, 1]
    """

    names: list[str]
    sources: list[str | None]
    counts: np.ndarray
    boxes: np.ndarray
    class_ids: np.ndarray
    scores: np.ndarray

    @property
    def photos(self) -> np.ndarray:
        """int [boxes], which photo each box is on."""
        return np.repeat(np.arange(len(self.counts)), self.counts)

    @property
    def digest(self) -> str:
        """The same for the same labels, whatever shards they are in."""
        ordered = self.take(sorted(range(len(self.names)), key=self.names.__getitem__))
        digest = hashlib.sha256(repr((ordered.names, ordered.sources)).encode())
        for values in ordered[2:]:
            digest.update(values.tobytes())
        return digest.hexdigest()[:16]

    def take(self, places: Sequence[int] | np.ndarray) -> "Columns":
        """Some of the photos, in another order.

        Args:
            places: int [photos taken], where they stand now.

        Returns:
            Their columns.
        """
        places = np.asarray(places, int)
        starts, counts = np.cumsum(self.counts) - self.counts, self.counts[places]
        rows = np.repeat(starts[places] - np.cumsum(counts) + counts, counts)
        rows += np.arange(len(rows))
        return Columns(
            [self.names[place] for place in places.tolist()],
            [self.sources[place] for place in places.tolist()],
            counts,
            *(values[rows] for values in (self.boxes, self.class_ids, self.scores)),
        )

    def to_photos(self) -> Iterator[records.LabeledPhoto]:
        """The photos one by one, without pixels and size.

        Yields:
            `LabeledPhoto`s.
        """
        end = 0
        for name, source, count in zip(self.names, self.sources, self.counts.tolist(), strict=True):
            start, end = end, end + count
            yield records.LabeledPhoto(
                encoded=b"",
                filename=name,
                height=0,
                width=0,
                boxes=self.boxes[start:end],
                class_ids=self.class_ids[start:end],
                scores=self.scores[start:end],
                source=source,
            )


def photos_of(faces: np.ndarray, labels: Sequence[Columns]) -> np.ndarray:
    """Which photo each face is on.

    Args:
        faces: What `distill.votes.agreement.group_faces` gives of the boxes of several raters.
        labels: Of each of them, of the same photos in the same order.

    Returns:
        int [faces].

    Example:
        >>> photos_of(np.zeros([0, 1], int), [to_columns([])]).shape
        (0,)
    """
    return spread(faces, [each.photos for each in labels], -1).max(axis=1, initial=-1)


def join(labels: Sequence[Columns]) -> tuple[list[Columns], int]:
    """The labels of those photos that all raters have.

    Args:
        labels: Of each of them.

    Returns:
        The same of these photos alone, in the order of the first rater; and how many photos some
        have and others do not.

    Example:
        >>> photo = records.LabeledPhoto(
        ...     b"", "a.jpg", 9, 9, np.zeros([0, 4]), np.zeros(0), np.zeros(0))
        >>> one, both = to_columns([photo]), to_columns([photo._replace(filename="b.jpg"), photo])
        >>> shared, left_out = join([one, both])
        >>> shared[1].names, left_out
        (['a.jpg'], 1)
    """
    places = [{name: place for place, name in enumerate(each.names)} for each in labels]
    shared = [name for name in labels[0].names if all(name in each for each in places)]
    taken = [
        each.take([place[name] for name in shared])
        for each, place in zip(labels, places, strict=True)
    ]
    return taken, len(set().union(*places)) - len(shared)


def pair_up(
    serialized: Iterable[bytes],
    names: Iterator[str],
    photos: Mapping[str, records.LabeledPhoto],
) -> Iterator[tuple[bytes, records.LabeledPhoto]]:
    """Records of shards with the labels that their photos are to have.

    Args:
        serialized: Records, as `ssd.data.records.read_serialized` gives them.
        names: Of their photos, one record after the other; no more are taken than there are
            records.
        photos: {name: photo} of those that are to have labels.

    Yields:
        (record, photo) of each of these.

    Example:
        >>> [*pair_up([b"...", b"..."], iter(["a.jpg", "b.jpg"]), {})]
        []
    """
    for record, name in zip(serialized, names, strict=False):
        if name in photos:
            yield record, photos[name]


def to_columns(photos: Iterable[records.LabeledPhoto]) -> Columns:
    """Labeled photos as columns.

    Args:
        photos: `LabeledPhoto`s; may be a generator.

    Returns:
        Their columns.

    Example:
        >>> to_columns([]).boxes.shape
        (0, 4)
    """
    names, sources, boxes, class_ids, scores = [], [], [], [], []
    for photo in photos:
        names.append(photo.filename)
        sources.append(photo.source)
        boxes.append(photo.boxes)
        class_ids.append(photo.class_ids)
        scores.append(photo.scores)
    return Columns(
        names,
        sources,
        np.array([len(each) for each in boxes], int),
        np.concatenate([np.zeros([0, 4], np.float32), *boxes]).astype(np.float32, copy=False),
        np.concatenate([np.zeros(0, np.int32), *class_ids]).astype(np.int32, copy=False),
        np.concatenate([np.zeros(0, np.float32), *scores]).astype(np.float32, copy=False),
    )


def read_columns(folder: str | os.PathLike, class_names: Sequence[str] = ("face",)) -> Columns:
    """A folder's labels.

    Args:
        folder: A folder of labels.
        class_names: Names of its classes, the first for class 1.

    Returns:
        Their columns, photos in the order of the shards.

    Raises:
        FileNotFoundError: If there is no such folder, or no shard in it.
        ValueError: If two photos have one name, a shard is damaged or labels do not hold together
            (`ssd.data.records.check_labels`).

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     records.write_shard(records.shard_path(folder, 0), [])
        ...     read_columns(folder).names
        []
    """
    met: set[str] = set()

    def checked() -> Iterable[records.LabeledPhoto]:
        for photo in records.read(folder):
            if photo.filename in met:
                raise ValueError(f"{folder}: {photo.filename!r} is the name of more than one photo")
            met.add(photo.filename)
            if not len(photo.boxes) == len(photo.class_ids) == len(photo.scores):
                records.check_labels(photo, class_names)
            yield photo

    columns = to_columns(checked())
    try:  # all at once, which costs little
        records.check_labels(_as_one(columns), class_names)
    except ValueError:
        for photo in columns.to_photos():
            records.check_labels(photo, class_names)
        raise
    return columns


def _as_one(columns: Columns) -> records.LabeledPhoto:
    """All boxes as if they were of one photo."""
    return records.LabeledPhoto(
        b"", "labels", 0, 0, columns.boxes, columns.class_ids, columns.scores
    )

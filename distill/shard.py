"""The photos of one shard: read, looked at, and put down as they are to be stored."""

import collections
import functools
import itertools
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent import futures
from typing import NamedTuple

import numpy as np
from PIL import Image

from distill.options import LOOKS, Options
from distill.votes.agreement import merge
from ssd.data import records
from ssd.data.jpeg import is_decodable
from ssd.photos import reading
from ssd.processors import processors

SMALLER = 0.75  # scale of the other look: between two levels of the teacher's own pyramid
BATCH_PHOTOS = 32
BATCH_PIXELS = 32_000_000  # bounds memory where photos are large
FACE_PIXELS = 48  # side of a face as the teacher's last network sees it
MOST_SHRUNK = 8  # what a JPEG decoder can do


class Part(NamedTuple):
    """What came of some photos of a shard.

    Args:
        labeled: `ssd.data.records.LabeledPhoto`s, in the order of the photos.
        errors: A list of [name, reason] of the photos that could not be read.
        one_sided: Number of sure faces that not every look sees.
        repaired: Number of photos whose JPEG file had to be encoded anew to be decoded again.

    Example:
        >>> Part([], [["a.jpg", "empty file"]], 0, 0).photos
        1
    """

    labeled: list[records.LabeledPhoto]
    errors: list[list[str]]
    one_sided: int
    repaired: int

    @property
    def photos(self) -> int:
        """Number of photos that are dealt with."""
        return len(self.labeled) + len(self.errors)

    @property
    def boxes(self) -> int:
        """Number of faces to learn."""
        return sum(int(np.sum(photo.class_ids > 0)) for photo in self.labeled)

    @property
    def ignored(self) -> int:
        """Number of regions to ignore."""
        return sum(int(np.sum(photo.class_ids == records.IGNORE)) for photo in self.labeled)


def label_shard(
    source: str | os.PathLike, names: Sequence[str], teacher: Callable, options: Options
) -> Iterator[Part]:
    """Labels the photos of one shard, some at a time.

    The same names give the same parts, wherever and however often.

    Args:
        source: Folder the names are in.
        names: Names of the photos, all of which were there when the run began.
        teacher: A function; see `distill.options.Options`.
        options: `distill.options.Options`.

    Yields:
        `Part`s, in the order of the names.

    Raises:
        OSError: If a photo cannot be read for a reason that is not its own (`read_photo`).

    Example:
        >>> list(label_shard("photos", [], print, Options(teacher="time:sleep")))
        []
    """
    shrink = choose_shrink(options.min_face)
    read = functools.partial(read_photo, source, options=options, shrink=shrink)
    for batch, errors in _in_batches(_read_ahead(names, read)):
        looks = _run_looks([photo.pixels for _, photo in batch], teacher, options, shrink)
        labeled, one_sided = [], 0
        for (name, photo), seen in zip(batch, looks, strict=True):
            boxes, scores, agreed = merge(seen)
            sure = scores >= options.label
            one_sided += int(np.sum(~agreed & sure))
            class_ids = np.where(agreed & sure, 1, records.IGNORE)
            labeled.append(_to_labeled(name, photo, boxes * shrink, class_ids, scores))
        repaired = sum(photo.repaired for _, photo in batch)
        yield Part(labeled, errors, one_sided, repaired)


def choose_shrink(min_face: int) -> int:
    """How many times smaller than stored the teacher may see photos: 1, 2, 4 or 8.

    The smallest face keeps the pixels that the last network of MTCNN looks at, so nothing is lost
    that it would use. What is stored is not touched.

    Args:
        min_face: Side of the smallest face to look for, in pixels of the stored photo.

    Returns:
        By how much each side is divided.

    Example:
        >>> [choose_shrink(side) for side in (20, 95, 96, 200, 2000)]
        [1, 1, 2, 4, 8]
    """
    shrink = 1
    while shrink < MOST_SHRUNK and min_face >= 2 * shrink * FACE_PIXELS:
        shrink *= 2
    return shrink


def _run_looks(
    photos: Sequence[np.ndarray], teacher: Callable, options: Options, shrink: int
) -> Iterator[tuple]:
    """For each photo, (boxes in pixels, scores) of each look at it."""
    run = functools.partial(_run_teacher, teacher, options.min_face / shrink, options.ignore)
    others = {"mirror": _run_mirrored, "scale": _run_smaller}
    looks = [run(photos), *(others[name](photos, run) for name in LOOKS[options.second_opinion])]
    return zip(*looks, strict=True)


def _run_teacher(
    teacher: Callable, min_face: float, floor: float, photos: Sequence[np.ndarray]
) -> list[tuple]:
    """For each photo, (boxes in pixels, scores) of those that score `floor` or more."""
    faces = []
    for boxes, scores in teacher(photos, min_face=min_face, floor=floor) if photos else ():
        scores = np.asarray(scores, np.float32)
        sure = scores >= floor
        faces.append((np.asarray(boxes, np.float32).reshape(-1, 4)[sure], scores[sure]))
    return faces


def _run_mirrored(photos: Sequence[np.ndarray], run: Callable) -> list[tuple]:
    """The same of the mirrored photos, on the photos as they are."""
    mirrored = run([photo[:, ::-1] for photo in photos])
    edges = (photo.shape[1] * np.array([0, 1, 0, 1], np.float32) for photo in photos)
    flip = np.array([1, -1, 1, -1], np.float32)
    return [
        (edge + flip * boxes[:, [0, 3, 2, 1]], scores)
        for edge, (boxes, scores) in zip(edges, mirrored, strict=True)
    ]


def _run_smaller(photos: Sequence[np.ndarray], run: Callable) -> list[tuple]:
    """The same of smaller photos, on the photos as they are."""
    small = [_scale_down(photo) for photo in photos]
    scales = (
        np.array([*np.divide(photo.shape[:2], less.shape[:2])] * 2, np.float32)
        for photo, less in zip(photos, small, strict=True)
    )
    return [
        (boxes * scale, scores) for scale, (boxes, scores) in zip(scales, run(small), strict=True)
    ]


def _scale_down(photo: np.ndarray) -> np.ndarray:
    size = [max(1, round(SMALLER * side)) for side in photo.shape[1::-1]]
    return np.asarray(Image.fromarray(photo).resize(size, Image.Resampling.BILINEAR))


def _to_labeled(
    name: str,
    photo: reading.Photo,
    boxes: np.ndarray,
    class_ids: np.ndarray,
    scores: np.ndarray,
) -> records.LabeledPhoto:
    """A photo with what was seen on it, boxes in pixels; those outside of it are dropped."""
    height, width = photo.size
    boxes = np.clip(boxes / np.array([height, width] * 2, np.float32), 0, 1)
    inside = np.all(boxes[:, 2:] > boxes[:, :2], axis=-1)
    return records.LabeledPhoto(
        encoded=photo.encoded,
        filename=name,
        height=height,
        width=width,
        boxes=boxes[inside],
        class_ids=class_ids[inside],
        scores=scores[inside],
        full_size=photo.full_size,
    )


def _in_batches(
    photos: Iterable[tuple[str, reading.Photo | str]],
) -> Iterator[tuple[list[tuple[str, reading.Photo]], list[list[str]]]]:
    """Lists of (name, Photo) and of [name, reason] that are few enough to look at together."""
    batch, errors, pixels = [], [], 0
    for name, photo in photos:
        if isinstance(photo, str):
            errors.append([name, photo])
        else:
            batch.append((name, photo))
            pixels += photo.pixels.size // 3
        if len(batch) + len(errors) == BATCH_PHOTOS or pixels >= BATCH_PIXELS:
            yield batch, errors
            batch, errors, pixels = [], [], 0
    if batch or errors:
        yield batch, errors


def _read_ahead(
    names: Sequence[str], read: Callable[[str], reading.Photo | str]
) -> Iterator[tuple[str, reading.Photo | str]]:
    """(name, what `read` says of it) in order, read by threads before it is asked for."""
    waiting = iter(names)
    with futures.ThreadPoolExecutor(processors()) as pool:

        def begin(number: int) -> list[tuple]:
            return [(name, pool.submit(read, name)) for name in itertools.islice(waiting, number)]

        ahead = collections.deque(begin(BATCH_PHOTOS))
        try:
            while ahead:
                name, pending = ahead.popleft()
                ahead += begin(1)
                yield name, pending.result()
        finally:  # stopped on the way: what is read ahead is wanted no more
            pool.shutdown(cancel_futures=True)


def read_photo(
    source: str | os.PathLike, name: str, options: Options, *, shrink: int = 1
) -> reading.Photo | str:
    """A photo of the folder, or why it can never be one.

    Args:
        source: Folder of photos.
        name: Of the photo, inside it.
        options: `distill.options.Options`.
        shrink: How many times smaller than stored its pixels are to be.

    Returns:
        A `ssd.photos.reading.Photo`, or a str: what is wrong with the photo itself.

    Raises:
        OSError: If something else is wrong, which may pass: the folder is gone, a disk fails,
            memory or file handles are short. Nothing is known of the photo then.

    Example:
        >>> import pathlib, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     pathlib.Path(folder, "a.jpg").write_text("no photo") and None
        ...     read_photo(folder, "a.jpg", Options(teacher="time:sleep"))
        'no photo that can be read'
    """
    path = os.path.join(source, name)
    try:
        return reading.read_and_encode(
            path,
            max_side=options.max_side,
            max_pixels=options.max_pixels,
            shrink=shrink,
            may_keep=is_decodable,
        )
    except ValueError as error:
        return str(error)
    except MemoryError:
        reason = "not enough memory to decode it (--max-pixels refuses large photos)"
    except OSError as error:
        reason = error.strerror or str(error)
        if isinstance(error, PermissionError) and os.access(os.path.dirname(path), os.X_OK):
            return reason
    raise OSError(f"{path}: {reason}; nothing is lost, the same command goes on from here")

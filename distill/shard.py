"""The photos of one shard: read, looked at, and put down as they are to be stored."""

import collections
import functools
import itertools
import os
from concurrent import futures
from typing import NamedTuple

import numpy as np
from PIL import Image

from distill.agreement import merge
from distill.options import LOOKS
from ssd.data import records
from ssd.data.jpeg import is_decodable
from ssd.photos import reading

SMALLER = 0.75  # scale of the other look: between two levels of the teacher's own pyramid
BATCH_PHOTOS = 32
BATCH_PIXELS = 32_000_000  # bounds memory where photos are large
FACE_PIXELS = 48  # side of a face as the teacher's last network sees it
MOST_SHRUNK = 8  # what a JPEG decoder can do


class Part(NamedTuple):
    """What came of some photos of a shard.

    Args:
        labelled: `LabelledPhoto`s, in the order of the photos.
        errors: A list of [name, reason] of the photos that could not be read.
        one_sided: Number of sure faces that not every look sees.
        repaired: Number of photos whose JPEG file had to be encoded anew to be decoded again.
    """

    labelled: list
    errors: list
    one_sided: int
    repaired: int = 0

    @property
    def photos(self):
        """Number of photos that are dealt with."""
        return len(self.labelled) + len(self.errors)

    @property
    def faces(self):
        """Number of faces to learn."""
        return sum(int(np.sum(photo.class_ids > 0)) for photo in self.labelled)

    @property
    def ignored(self):
        """Number of regions to ignore."""
        return sum(int(np.sum(photo.class_ids == records.IGNORE)) for photo in self.labelled)


def label_shard(source, names, teacher, options):
    """Labels the photos of one shard, some at a time.

    The same names give the same parts, wherever and however often.

    Args:
        source: Folder the names are in.
        names: Names of the photos, all of which were there when the run began.
        teacher: A function; see `distill.labeling.Options`.
        options: `distill.labeling.Options`.

    Yields:
        `Part`s, in the order of the names.

    Raises:
        OSError: If a photo cannot be read for a reason that is not its own (`read_photo`).
    """
    shrink = shrinkage(options.min_face)
    read = functools.partial(read_photo, source, options=options, shrink=shrink)
    for batch, errors in _in_batches(_read_ahead(names, read)):
        labelled, one_sided = [], 0
        looks = _look([photo.pixels for _, photo in batch], teacher, options, shrink)
        for (name, photo), seen in zip(batch, looks, strict=True):
            boxes, scores, agreed = merge(seen)
            sure = scores >= options.label
            one_sided += int(np.sum(~agreed & sure))
            classes = np.where(agreed & sure, 1, records.IGNORE)
            labelled.append(_to_labelled(name, photo, boxes * shrink, classes, scores))
        repaired = sum(photo.repaired for _, photo in batch)
        yield Part(labelled, errors, one_sided, repaired)


def shrinkage(min_face):
    """How many times smaller than stored the teacher may see photos: 1, 2, 4 or 8.

    The smallest face keeps the pixels that the last network of MTCNN looks at, so nothing is lost
    that it would use. What is stored is not touched.

    Args:
        min_face: Side of the smallest face to look for, in pixels of the stored photo.

    Example:
        >>> [shrinkage(side) for side in (20, 95, 96, 200, 2000)]
        [1, 1, 2, 4, 8]
    """
    shrink = 1
    while shrink < MOST_SHRUNK and min_face >= 2 * shrink * FACE_PIXELS:
        shrink *= 2
    return shrink


def _look(pixels, teacher, options, shrink):
    """For each photo, (boxes in pixels, scores) of each look at it."""

    def look(pixels):
        if not pixels:
            return
        found = teacher(pixels, min_face=options.min_face / shrink, floor=options.ignore)
        for boxes, scores in found:
            boxes = np.asarray(boxes, np.float32).reshape(-1, 4)
            sure = np.asarray(scores) >= options.ignore
            yield boxes[sure], np.asarray(scores, np.float32)[sure]

    looks = [list(look(pixels))]
    for other in LOOKS[options.second_opinion]:
        if other == "mirror":
            mirrored = look([photo[:, ::-1] for photo in pixels])
            looks.append(
                [
                    (photo.shape[1] * np.float32([0, 1, 0, 1]) + _FLIP * boxes[:, [0, 3, 2, 1]], s)
                    for photo, (boxes, s) in zip(pixels, mirrored, strict=True)
                ]
            )
        else:
            smaller = [_smaller(photo) for photo in pixels]
            looks.append(
                [
                    (boxes * np.float32([*np.divide(photo.shape[:2], small.shape[:2])] * 2), s)
                    for photo, small, (boxes, s) in zip(pixels, smaller, look(smaller), strict=True)
                ]
            )
    return zip(*looks, strict=True)


_FLIP = np.float32([1, -1, 1, -1])


def _smaller(photo):
    size = [max(1, round(SMALLER * side)) for side in photo.shape[1::-1]]
    return np.asarray(Image.fromarray(photo).resize(size, Image.Resampling.BILINEAR))


def _to_labelled(name, photo, boxes, classes, scores):
    height, width = photo.size
    boxes = np.clip(boxes / np.float32([height, width] * 2), 0, 1)
    kept = np.all(boxes[:, 2:] > boxes[:, :2], axis=-1)
    return records.LabelledPhoto(
        encoded=photo.encoded,
        filename=name,
        height=height,
        width=width,
        boxes=boxes[kept],
        class_ids=classes[kept],
        scores=scores[kept],
        full_size=photo.full_size,
    )


def _in_batches(photos):
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


def _read_ahead(names, read):
    """(name, what `read` says of it) in order, read by threads before it is asked for."""
    waiting = iter(names)
    with futures.ThreadPoolExecutor(os.cpu_count() or 1) as pool:

        def begin(number):
            return [(name, pool.submit(read, name)) for name in itertools.islice(waiting, number)]

        ahead = collections.deque(begin(BATCH_PHOTOS))
        try:
            while ahead:
                name, pending = ahead.popleft()
                ahead += begin(1)
                yield name, pending.result()
        finally:  # stopped on the way: what is read ahead is wanted no more
            pool.shutdown(cancel_futures=True)


def read_photo(source, name, options, *, shrink=1):
    """A photo of the folder, or why it can never be one.

    Args:
        source: Folder of photos.
        name: Of the photo, inside it.
        options: `distill.labeling.Options`.
        shrink: How many times smaller than stored its pixels are to be.

    Returns:
        A `ssd.photos.reading.Photo`, or a str: what is wrong with the photo itself.

    Raises:
        OSError: If something else is wrong, which may pass: the folder is gone, a disk fails,
            memory or file handles are short. Nothing is known of the photo then.

    Example:
        >>> import pathlib, tempfile
        >>> from distill.labeling import Options
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     pathlib.Path(folder, "a.jpg").write_text("no photo") and None
        ...     read_photo(folder, "a.jpg", Options())
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
        if isinstance(error, PermissionError) and os.access(os.path.dirname(path), os.X_OK):
            return error.strerror
        reason = error.strerror or str(error)
    raise OSError(f"{path}: {reason}; nothing is lost, the same command goes on from here")

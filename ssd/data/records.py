"""One labeled photo on disk: its fields, written as shards and read back.

A folder of labels holds `shard-00000.tfrecord` and so on, and `dataset.json`, which says where
they come from. A shard is a TFRecord file of `tf.train.Example` with the field names of the
TensorFlow Object Detection API, so that other tools read it too.

A box is `[ymin, xmin, ymax, xmax]` on the unit square of the stored photo.
"""

import collections
import itertools
import os
import pathlib
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
from google.protobuf import message

from ssd import atomic
from ssd.config import IGNORE, UNKNOWN

# A folder of labels, or several.
Labels = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]

_READ_AT_ONCE = 64
# A record is its length (8 bytes) with a checksum (4), the data and another checksum (4).
_HEADER, _CHECKSUM = 12, 4
_CORNERS = ("ymin", "xmin", "ymax", "xmax")
_WORDS = {IGNORE: "ignore", UNKNOWN: "unknown"}


class LabeledPhoto(NamedTuple):
    """A photo as it is stored, and what is known to be on it.

    Args:
        encoded: JPEG file as bytes: upright, color or gray.
        filename: Where it came from: a path inside the labeled folder, with `/`.
        height: Rows of the stored photo.
        width: Columns of the stored photo.
        boxes: float32 [boxes, 4], `[ymin, xmin, ymax, xmax]` on the unit square of the photo.
        class_ids: int [boxes], 1 for the first of the dataset's classes and so on; -1 marks a
            region to ignore, -2 an object of which the class is not known.
        scores: float32 [boxes], how sure the labeler was, in [0, 1]; 1 for a person's labels.
        full_size: (height, width) in pixels that the upright photo had before it was scaled down
            to be stored; None if that is not known.
        source: Which collection it is from, where annotations say so.

    Example:
        >>> photo = LabeledPhoto(b"", "a.jpg", 8, 8, np.zeros([1, 4]), np.array([1]), np.ones(1))
        >>> photo._replace(class_ids=np.array([IGNORE])).class_ids.tolist()
        [-1]
    """

    encoded: bytes
    filename: str
    height: int
    width: int
    boxes: np.ndarray
    class_ids: np.ndarray
    scores: np.ndarray
    full_size: tuple[int, int] | None = None
    source: str | None = None


def serialize(photo: LabeledPhoto, *, class_names: Sequence[str] = ("face",)) -> bytes:
    """A labeled photo as the bytes of one `tf.train.Example`.

    The same photo gives the same bytes, always: shards of two runs can be compared as files.

    Args:
        photo: A `LabeledPhoto`.
        class_names: Names of the classes, the first for class 1.

    Returns:
        bytes, one record of a shard.

    Raises:
        ValueError: If boxes, classes and scores do not fit together, a box is not finite or
            leaves the unit square, or a class has no name.

    Example:
        >>> photo = LabeledPhoto(
        ...     encoded=tf.io.encode_jpeg(np.zeros([8, 8, 3], np.uint8)).numpy(),
        ...     filename="black.jpg", height=8, width=8,
        ...     boxes=np.float32([[0, 0.25, 0.5, 0.75]]), class_ids=np.int32([1]),
        ...     scores=np.float32([0.99]))
        >>> parse(serialize(photo))["boxes"].numpy()
        array([[0.  , 0.25, 0.5 , 0.75]], dtype=float32)
    """
    check_labels(photo, class_names)
    example, filename = tf.train.Example(), os.fsencode(photo.filename)
    feature = example.features.feature
    for name, data in (
        ("encoded", photo.encoded),
        ("format", b"jpeg"),
        ("filename", filename),
        ("source_id", filename),
    ):
        feature[f"image/{name}"].bytes_list.value.append(data)
    sides = {"height": photo.height, "width": photo.width}
    if photo.full_size:
        sides["full_height"], sides["full_width"] = photo.full_size
    for name, side in sides.items():
        feature[f"image/{name}"].int64_list.value.append(side)
    _set_labels(feature, photo, class_names)
    return example.SerializeToString(deterministic=True)


def relabel(
    serialized: bytes, photo: LabeledPhoto, *, class_names: Sequence[str] = ("face",)
) -> bytes:
    """A record with the labels of a photo; its pixels are not touched, which makes it quick.

    Args:
        serialized: What `serialize` gave.
        photo: A `LabeledPhoto` of the same name, of which pixels and size do not matter.
        class_names: Names of the classes, the first for class 1.

    Returns:
        bytes, one record of a shard.

    Raises:
        ValueError: If the record is damaged or of another photo. Labels are not checked
            (`check_labels`).

    Example:
        >>> photo = LabeledPhoto(b"", "a.jpg", 8, 8, np.zeros([0, 4]), np.zeros(0), np.zeros(0))
        >>> other = photo._replace(boxes=np.eye(1, 4), class_ids=np.ones(1), scores=np.ones(1))
        >>> relabel(serialize(photo), other) == serialize(other)
        True
    """
    example = tf.train.Example.FromString(serialized)
    name = _name(example.features.feature)
    if name != photo.filename:
        raise ValueError(f"wanted a record of {photo.filename!r}, got one of {name!r}")
    _set_labels(example.features.feature, photo, class_names)
    return example.SerializeToString(deterministic=True)


def with_photo(
    serialized: bytes, encoded: bytes, size: Sequence[int], *, form: str = "jpeg"
) -> bytes:
    """A record with another file of the same photo, of another size; labels stay as they are.

    Args:
        serialized: What `serialize` gave.
        encoded: The file as bytes.
        size: (height, width) of the photo in it, in pixels.
        form: What kind of file it is.

    Returns:
        bytes, one record of a shard. How large the photo was first stays known.

    Example:
        >>> photo = LabeledPhoto(b"", "a.jpg", 8, 6, np.zeros([0, 4]), np.zeros(0), np.zeros(0))
        >>> record = with_photo(serialize(photo), b"smaller", (4, 3))
        >>> parse(record)["size"].numpy().tolist()
        [4, 3]
    """
    example = tf.train.Example.FromString(serialized)
    feature = example.features.feature
    feature["image/encoded"].bytes_list.value[0] = encoded
    _set(feature["image/format"].bytes_list, [form.encode()])
    for side, pixels in zip(("height", "width"), size, strict=True):
        value = feature[f"image/{side}"].int64_list.value
        full = feature[f"image/full_{side}"].int64_list
        if not full.value:
            _set(full, value)
        value[0] = int(pixels)
    return example.SerializeToString(deterministic=True)


def _set_labels(feature, photo, class_names):
    corners = np.asarray(photo.boxes, np.float32).reshape(-1, 4).T.tolist()
    floats = {f"bbox/{side}": values for side, values in zip(_CORNERS, corners, strict=True)}
    floats["score"] = np.asarray(photo.scores, np.float32).tolist()
    for name, values in floats.items():
        _set(feature[f"image/object/{name}"].float_list, values)
    ids = np.asarray(photo.class_ids, np.int64).tolist()
    _set(feature["image/object/class/label"].int64_list, ids)
    text = [_WORDS.get(each) or str(class_names[each - 1]) for each in ids]
    _set(feature["image/object/class/text"].bytes_list, [name.encode() for name in text])
    if photo.source:
        _set(feature["image/source"].bytes_list, [photo.source.encode("utf-8", "replace")])


def _set(values, to):
    values.SetInParent()  # a list of nothing is there as well
    values.value[:] = to


def parse(serialized: Any) -> dict[str, Any]:
    """Records as tensors, inside `tf.data` or outside: one, or several at once.

    Args:
        serialized: string tensor [...] of up to one axis, or bytes: what `serialize` gave.

    Returns:
        A dictionary: `encoded` and `filename`, string [...]; `size`, int32 [..., 2], height and
        width of the stored photo in pixels; `boxes`, float32 [..., boxes, 4]; `class_ids`, int32
        [..., boxes]; `scores`, float32 [..., boxes]. Of several records, those with fewer boxes
        than others end in rows of zeros.

    Example:
        >>> records = tf.data.TFRecordDataset([]).map(parse)
        >>> sorted(records.element_spec)
        ['boxes', 'class_ids', 'encoded', 'filename', 'scores', 'size']
    """

    def list_of(dtype):
        return tf.io.FixedLenSequenceFeature([], dtype, allow_missing=True)

    corners = [f"image/object/bbox/{side}" for side in _CORNERS]
    fields = tf.io.parse_example(
        serialized,
        {
            "image/encoded": tf.io.FixedLenFeature([], tf.string),
            "image/filename": tf.io.FixedLenFeature([], tf.string),
            "image/height": tf.io.FixedLenFeature([], tf.int64),
            "image/width": tf.io.FixedLenFeature([], tf.int64),
            "image/object/class/label": list_of(tf.int64),
            "image/object/score": list_of(tf.float32),
            **{corner: list_of(tf.float32) for corner in corners},
        },
    )
    return {
        "encoded": fields["image/encoded"],
        "filename": fields["image/filename"],
        "size": tf.cast(tf.stack([fields["image/height"], fields["image/width"]], -1), tf.int32),
        "boxes": tf.stack([fields[corner] for corner in corners], axis=-1),
        "class_ids": tf.cast(fields["image/object/class/label"], tf.int32),
        "scores": fields["image/object/score"],
    }


def shard_path(folder: str | os.PathLike, index: int) -> pathlib.Path:
    """Where a shard of a folder lies.

    Args:
        folder: A folder of labels.
        index: Number of the shard, from 0.

    Returns:
        Its path.

    Example:
        >>> shard_path("labels", 7).name
        'shard-00007.tfrecord'
    """
    return pathlib.Path(folder) / f"shard-{index:05d}.tfrecord"


def write_shards(
    folder: str | os.PathLike,
    photos: Iterable[LabeledPhoto],
    *,
    shard_photos: int = 256,
    class_names: Sequence[str] = ("face",),
    keep: bool = False,
    progress: Callable[[int], None] = lambda done: None,
) -> dict[str, int]:
    """Writes photos to the shards of a folder, so many to each; shards that were more go.

    Args:
        folder: Where they go; must exist.
        photos: `LabeledPhoto`s, in the order they are to have; may be a generator.
        shard_photos: Photos to a shard, at least 1.
        class_names: Names of the classes, the first for class 1.
        keep: Whether a shard that is there stays as it is, left by the same call, stopped.
        progress: Called with the number of photos done after each shard.

    Returns:
        What the shards hold: `photos`, `boxes` to learn, `ignored` regions.

    Raises:
        ValueError: If a photo's labels do not hold together; shards before it are written.
        OSError: If the disk is full or cannot be written to; what is written is whole.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_shards(folder, [])
        {'photos': 0, 'boxes': 0, 'ignored': 0}
    """
    if shard_photos < 1:
        raise ValueError(f"shard_photos: wanted a positive number of photos, got {shard_photos}")
    counts = {"photos": 0, "boxes": 0, "ignored": 0}
    photos, written = iter(photos), []
    while (shard := list(itertools.islice(photos, shard_photos))) or not written:
        written.append(shard_path(folder, len(written)))
        if not (keep and written[-1].exists()):
            write_shard(written[-1], shard, class_names=class_names)
        counts["photos"] += len(shard)
        for photo in shard:
            counts["boxes"] += int(np.sum(np.asarray(photo.class_ids) != IGNORE))
            counts["ignored"] += int(np.sum(np.asarray(photo.class_ids) == IGNORE))
        progress(counts["photos"])
    for stale in set(shards(folder)) - set(written):
        stale.unlink()
    return counts


def write_shard(
    path: str | os.PathLike,
    photos: Iterable[LabeledPhoto],
    *,
    class_names: Sequence[str] = ("face",),
) -> None:
    """Writes photos to a shard that appears whole or not at all.

    Args:
        path: The shard, as `shard_path` names it. A shard of that name is replaced.
        photos: `LabeledPhoto`s, in the order they are to have; may be a generator.
        class_names: Names of the classes, the first for class 1.

    Raises:
        ValueError: If a photo's labels do not hold together; nothing is written.
        OSError: If the disk is full or cannot be written to; nothing is left behind.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_shard(shard_path(folder, 0), [])
        ...     count(folder)
        0
    """
    write_records(path, (serialize(photo, class_names=class_names) for photo in photos))


def write_records(path: str | os.PathLike, records: Iterable[bytes]) -> None:
    """Writes a TFRecord file that appears whole or not at all.

    Args:
        path: The file. One of that name is replaced.
        records: bytes each; may be a generator.

    Raises:
        OSError: If the disk is full or cannot be written to; nothing is left behind.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_records(f"{folder}/two.tfrecord", [b"one", b"two"])
        ...     len(checksums(f"{folder}/two.tfrecord"))
        2
    """
    try:
        with atomic.whole(path) as temporary, tf.io.TFRecordWriter(str(temporary)) as writer:
            for record in records:
                writer.write(record)
    except tf.errors.OpError as error:  # TensorFlow's writer has its own names for a full disk
        raise OSError(f"{path}: {error.message}") from None


def folders(labels: Labels) -> list[pathlib.Path]:
    """The folders of labels that an argument names.

    Args:
        labels: A folder, or a list of folders.

    Returns:
        A list of paths.

    Raises:
        ValueError: If the list is empty.

    Example:
        >>> [path.name for path in folders(["human", "human", "mtcnn"])]
        ['human', 'human', 'mtcnn']
    """
    several = [labels] if isinstance(labels, str | os.PathLike) else labels
    paths = [pathlib.Path(each) for each in several]
    if not paths:
        raise ValueError("labels: wanted a folder of labels or several, got none")
    return paths


def shards(labels: Labels) -> list[pathlib.Path]:
    """The shards of a folder of labels, or of several, in order.

    Args:
        labels: A folder, or a list of folders; one that is named twice counts twice.

    Returns:
        Their paths.

    Raises:
        FileNotFoundError: If there is no such folder, or no shard in it.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_shard(shard_path(folder, 0), [])
        ...     [path.name for path in shards(folder)]
        ['shard-00000.tfrecord']
    """
    return [path for folder in folders(labels) for path in _shards(folder)]


def _shards(folder):
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder}: wanted a folder of labels, there is no such folder")
    paths = sorted(folder.glob("shard-*.tfrecord"))
    if not paths:
        raise FileNotFoundError(
            f"{folder}: wanted a folder of labels, found no shard-*.tfrecord in it"
        )
    return paths


def count(labels: Labels) -> int:
    """How many photos the shards of a folder hold, or of several, without reading them.

    Args:
        labels: As for `shards`.

    Returns:
        The number of records.

    Raises:
        FileNotFoundError: If there is no such folder, or no shard in it.
        ValueError: If a shard is cut off.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_shard(shard_path(folder, 0), [])
        ...     count([folder, folder])
        0
    """
    return sum(len(checksums(path)) for path in shards(labels))


def checksums(path: str | os.PathLike) -> list[bytes]:
    """The checksum of each record of a shard, as it stands there, without reading the records.

    Args:
        path: A shard.

    Returns:
        4 bytes for each record.

    Raises:
        ValueError: If the shard is cut off.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_shard(shard_path(folder, 0), [])
        ...     checksums(shard_path(folder, 0))
        []
    """
    found, end, size = [], 0, os.path.getsize(path)
    with open(path, "rb") as shard:
        while header := shard.read(_HEADER):
            end += _HEADER + int.from_bytes(header[:8], "little") + _CHECKSUM
            if len(header) < _HEADER or end > size:
                raise ValueError(f"{path}: damaged shard (cut off in record {len(found)})")
            shard.seek(end - _CHECKSUM)
            found.append(shard.read(_CHECKSUM))
    return found


def read(folder: Labels) -> Iterator[LabeledPhoto]:
    """Every labeled photo of a folder, as NumPy, in the order of the shards.

    Args:
        folder: A folder of labels, or a list of several.

    Yields:
        `LabeledPhoto`s, boxes float32 [boxes, 4], classes int32 [boxes], scores float32 [boxes].

    Raises:
        FileNotFoundError: If there is no such folder, or no shard in it.
        ValueError: If a shard is damaged.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_shard(shard_path(folder, 0), [])
        ...     [*read(folder)]
        []
    """
    paths = shards(folder)
    for serialized in read_serialized(paths):
        try:
            photo = _to_photo(serialized)
        except (message.DecodeError, ValueError):
            _name_what_is_damaged(paths)
            raise
        yield photo


def read_shard(path: str | os.PathLike) -> Iterator[LabeledPhoto]:
    """The labeled photos of one shard, as `read` gives them.

    Args:
        path: A shard.

    Yields:
        `LabeledPhoto`s. Where a shard of another program has no scores, they are 1.

    Raises:
        ValueError: If the shard, or a record of it, is damaged.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_shard(shard_path(folder, 0), [])
        ...     [*read_shard(shard_path(folder, 0))]
        []
    """
    for index, serialized in enumerate(read_serialized([path])):
        try:
            photo = _to_photo(serialized)
        except (message.DecodeError, ValueError) as error:
            raise ValueError(f"{path}: damaged record {index} ({error})") from None
        yield photo


def read_serialized(paths: Sequence[str | os.PathLike]) -> Iterator[bytes]:
    """The records of shards as they are, without a look inside.

    Args:
        paths: Shards; many at once are read more quickly than one after the other.

    Yields:
        bytes, as `serialize` gave them.

    Raises:
        ValueError: If a shard is damaged.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_records(f"{folder}/two.tfrecord", [b"one", b"two"])
        ...     [*read_serialized([f"{folder}/two.tfrecord"])]
        [b'one', b'two']
    """
    try:
        # Some at a time: each that is handed over by TensorFlow's threads waits for a processor.
        data = tf.data.TFRecordDataset([*map(str, paths)]).batch(_READ_AT_ONCE)
        yield from itertools.chain.from_iterable(data.as_numpy_iterator())
    except tf.errors.DataLossError as error:
        if len(paths) > 1:
            _name_what_is_damaged(paths)
        # "{{where in the graph}} what is wrong [where in the graph]"
        what = error.message.rpartition("}} ")[2].partition(" [")[0]
        raise ValueError(f"{paths[0]}: damaged shard ({what})") from None


def read_places(path: str | os.PathLike, places: Collection[int]) -> dict[int, LabeledPhoto]:
    """Some of the photos of a shard; the others are passed over without being read.

    Args:
        path: A shard.
        places: Which of its records, from 0.

    Returns:
        {place: `LabeledPhoto`}, without places that the shard does not have. Checksums are not
        compared.

    Raises:
        ValueError: If one of these records is damaged.

    Example:
        >>> import tempfile
        >>> photo = LabeledPhoto(b"", "a.jpg", 8, 8, np.zeros([0, 4]), np.zeros(0), np.zeros(0))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_shard(shard_path(folder, 0), [photo, photo._replace(filename="b.jpg")])
        ...     read_places(shard_path(folder, 0), [1])[1].filename
        'b.jpg'
    """
    found = {}
    with open(path, "rb") as shard:
        for place in range(max(places, default=-1) + 1):
            header = shard.read(_HEADER)
            if len(header) < _HEADER:
                break
            length = int.from_bytes(header[:8], "little")
            if place not in places:
                shard.seek(length + _CHECKSUM, os.SEEK_CUR)
                continue
            try:
                found[place] = _to_photo(shard.read(length))
            except (message.DecodeError, ValueError) as error:
                raise ValueError(f"{path}: damaged record {place} ({error})") from None
            shard.seek(_CHECKSUM, os.SEEK_CUR)
    return found


def _name_what_is_damaged(paths):
    """Raises what reading one shard after the other raises."""
    for path in paths:
        collections.deque(read_shard(path), maxlen=0)


def check_labels(photo: LabeledPhoto, class_names: Sequence[str]) -> None:
    """See that the labels of a photo can be learned from.

    Args:
        photo: A `LabeledPhoto`.
        class_names: Names of the classes, the first for class 1.

    Raises:
        ValueError: If boxes, classes and scores do not fit together, a box is not finite or
            leaves the unit square, or a class has no name.

    Example:
        >>> photo = LabeledPhoto(b"", "a.jpg", 8, 8, np.zeros([1, 4]), np.array([2]), np.ones(1))
        >>> check_labels(photo, ["face"])
        Traceback (most recent call last):
        ValueError: a.jpg: wanted classes from 1 to 1, -1 to ignore or -2 if unknown, got [2]
    """
    boxes = np.asarray(photo.boxes, np.float32).reshape(-1, 4)
    class_ids, count = np.asarray(photo.class_ids), len(class_names)
    if not len(boxes) == len(class_ids) == len(photo.scores):
        raise ValueError(
            f"{photo.filename}: wanted a class and a score for each box, got {len(boxes)} boxes, "
            f"{len(class_ids)} classes and {len(photo.scores)} scores"
        )
    if not np.all((boxes >= 0) & (boxes <= 1)):  # False for NaN as well
        raise ValueError(f"{photo.filename}: wanted boxes on the unit square, got {boxes.tolist()}")
    if not np.all(np.isin(class_ids, (IGNORE, UNKNOWN)) | ((class_ids > 0) & (class_ids <= count))):
        raise ValueError(
            f"{photo.filename}: wanted classes from 1 to {count}, {IGNORE} to ignore "
            f"or {UNKNOWN} if unknown, got {class_ids.tolist()}"
        )


def _to_photo(serialized):
    feature = tf.train.Example.FromString(serialized).features.feature
    # [:] makes a list at once; NumPy would ask for one element after the other.
    corners = [feature[f"image/object/bbox/{side}"].float_list.value[:] for side in _CORNERS]
    if len({len(corner) for corner in corners}) > 1:
        raise ValueError(f"wanted four corners for each box, got {[*map(len, corners)]}")
    class_ids = feature["image/object/class/label"].int64_list.value[:]
    scores = feature["image/object/score"].float_list.value[:] or [1.0] * len(class_ids)
    return LabeledPhoto(
        encoded=_one("image/encoded", feature["image/encoded"].bytes_list.value),
        filename=_name(feature),
        height=_one("image/height", feature["image/height"].int64_list.value),
        width=_one("image/width", feature["image/width"].int64_list.value),
        boxes=np.ascontiguousarray(np.array(corners, np.float32).T),
        class_ids=np.array(class_ids, np.int32),
        scores=np.array(scores, np.float32),
        full_size=_full_size(feature),
        source=_source(feature),
    )


def _one(name, values):
    if len(values) != 1:
        raise ValueError(f"wanted one {name}, got {len(values)}")
    return values[0]


def _name(feature):
    return os.fsdecode(_one("image/filename", feature["image/filename"].bytes_list.value))


def _full_size(feature):
    height, width = (feature[f"image/full_{side}"].int64_list.value for side in ("height", "width"))
    return (height[0], width[0]) if height and width else None


def _source(feature):
    values = feature["image/source"].bytes_list.value
    return values[0].decode("utf-8", "replace") if values else None

"""One labelled photo on disk: its fields, written as shards and read back.

A folder of labels holds `shard-00000.tfrecord` and so on, and `dataset.json`, which says where
they come from. A shard is a TFRecord file of `tf.train.Example` with the field names of the
TensorFlow Object Detection API, so that other tools read it too.

A box is `[ymin, xmin, ymax, xmax]` on the unit square of the stored photo.
"""

import contextlib
import json
import os
import pathlib
from typing import NamedTuple

import numpy as np
import tensorflow as tf

SCHEMA = 1
IGNORE = -1  # class of a region that is neither a face to learn nor background


class LabelledPhoto(NamedTuple):
    """A photo as it is stored, and what is known to be on it.

    Args:
        encoded: JPEG file as bytes: upright, colour or gray.
        filename: Where it came from: a path inside the labelled folder, with `/`.
        height: Rows of the stored photo.
        width: Columns of the stored photo.
        boxes: float32 [boxes, 4], `[ymin, xmin, ymax, xmax]` on the unit square of the photo.
        classes: int [boxes], 1 for the first of the dataset's classes and so on; -1 marks a
            region to ignore.
        scores: float32 [boxes], how sure the labeller was, in [0, 1]; 1 for a person's labels.
    """

    encoded: bytes
    filename: str
    height: int
    width: int
    boxes: np.ndarray
    classes: np.ndarray
    scores: np.ndarray


def serialize(photo, *, names=("face",)):
    """A labelled photo as the bytes of one `tf.train.Example`.

    The same photo gives the same bytes, always: shards of two runs can be compared as files.

    Args:
        photo: A `LabelledPhoto`.
        names: Names of the classes, the first for class 1.

    Returns:
        bytes, one record of a shard.

    Raises:
        ValueError: If boxes, classes and scores do not fit together, a box is not finite or
            leaves the unit square, or a class has no name.

    Example:
        >>> photo = LabelledPhoto(
        ...     encoded=tf.io.encode_jpeg(np.zeros([8, 8, 3], np.uint8)).numpy(),
        ...     filename="black.jpg", height=8, width=8,
        ...     boxes=np.float32([[0, 0.25, 0.5, 0.75]]), classes=np.int32([1]),
        ...     scores=np.float32([0.99]))
        >>> parse(serialize(photo))["boxes"].numpy()
        array([[0.  , 0.25, 0.5 , 0.75]], dtype=float32)
    """
    boxes = np.asarray(photo.boxes, np.float32).reshape(-1, 4)
    classes = np.asarray(photo.classes, np.int64)
    scores = np.asarray(photo.scores, np.float32)
    if not len(boxes) == len(classes) == len(scores):
        raise ValueError(
            f"{photo.filename}: wanted a class and a score for each box, "
            f"got {len(boxes)} boxes, {len(classes)} classes and {len(scores)} scores"
        )
    if not np.all((boxes >= 0) & (boxes <= 1)):  # False for NaN as well
        raise ValueError(f"{photo.filename}: wanted boxes on the unit square, got {boxes.tolist()}")
    if not np.all((classes == IGNORE) | ((classes > 0) & (classes <= len(names)))):
        raise ValueError(
            f"{photo.filename}: wanted classes from 1 to {len(names)}, or {IGNORE} to ignore, "
            f"got {classes.tolist()}"
        )
    text = ["ignore" if label == IGNORE else names[label - 1] for label in classes.tolist()]
    filename = os.fsencode(photo.filename)
    ymin, xmin, ymax, xmax = boxes.T
    fields = {
        "image/encoded": _bytes([photo.encoded]),
        "image/format": _bytes([b"jpeg"]),
        "image/filename": _bytes([filename]),
        "image/source_id": _bytes([filename]),
        "image/height": _ints([photo.height]),
        "image/width": _ints([photo.width]),
        "image/object/bbox/ymin": _floats(ymin),
        "image/object/bbox/xmin": _floats(xmin),
        "image/object/bbox/ymax": _floats(ymax),
        "image/object/bbox/xmax": _floats(xmax),
        "image/object/class/label": _ints(classes),
        "image/object/class/text": _bytes([name.encode() for name in text]),
        "image/object/score": _floats(scores),
    }
    example = tf.train.Example(features=tf.train.Features(feature=fields))
    return example.SerializeToString(deterministic=True)


def parse(serialized):
    """Records as tensors, inside `tf.data` or outside: one, or several at once.

    Args:
        serialized: string tensor [...] of up to one axis, or bytes: what `serialize` gave.

    Returns:
        A dictionary: `encoded` and `filename`, string [...]; `size`, int32 [..., 2], height and
        width of the stored photo in pixels; `boxes`, float32 [..., boxes, 4]; `classes`, int32
        [..., boxes]; `scores`, float32 [..., boxes]. Of several records, those with fewer boxes
        than others end in rows of zeros.

    Example:
        >>> records = tf.data.TFRecordDataset([]).map(parse)
        >>> sorted(records.element_spec)
        ['boxes', 'classes', 'encoded', 'filename', 'scores', 'size']
    """

    def list_of(dtype):
        return tf.io.FixedLenSequenceFeature([], dtype, allow_missing=True)

    corners = [f"image/object/bbox/{side}" for side in ("ymin", "xmin", "ymax", "xmax")]
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
        "classes": tf.cast(fields["image/object/class/label"], tf.int32),
        "scores": fields["image/object/score"],
    }


def shard_path(folder, index):
    """Where shard number `index` of a folder lies.

    Example:
        >>> shard_path("labels", 7).name
        'shard-00007.tfrecord'
    """
    return pathlib.Path(folder) / f"shard-{index:05d}.tfrecord"


def write_shard(path, photos, *, names=("face",)):
    """Writes photos to a shard that appears whole or not at all.

    Args:
        path: The shard, as `shard_path` names it. A shard of that name is replaced.
        photos: `LabelledPhoto`s, in the order they are to have; may be a generator.
        names: Names of the classes, the first for class 1.

    Raises:
        ValueError: If a photo's labels do not hold together; nothing is written.
        OSError: If the disk is full or cannot be written to; nothing is left behind.
    """
    with whole(path) as temporary, tf.io.TFRecordWriter(str(temporary)) as writer:
        for photo in photos:
            writer.write(serialize(photo, names=names))


def folders(labels):
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
    paths = [
        pathlib.Path(each) for each in (labels if isinstance(labels, list | tuple) else [labels])
    ]
    if not paths:
        raise ValueError("labels: wanted a folder of labels or several, got none")
    return paths


def shards(labels):
    """The shards of a folder of labels, or of several, in order.

    Args:
        labels: A folder, or a list of folders; one that is named twice counts twice.

    Raises:
        ValueError: If there is no such folder, or no shard in it.
    """
    return [path for folder in folders(labels) for path in _shards(folder)]


def _shards(folder):
    if not folder.is_dir():
        raise ValueError(f"{folder}: wanted a folder of labels, there is no such folder")
    paths = sorted(folder.glob("shard-*.tfrecord"))
    if not paths:
        raise ValueError(f"{folder}: wanted a folder of labels, found no shard-*.tfrecord in it")
    return paths


def count(labels):
    """How many photos the shards of a folder hold, or of several, without reading them.

    Args:
        labels: As for `shards`.

    Raises:
        ValueError: If there is no such folder, or no shard in it.
    """
    # A record is its length (8 bytes), a checksum (4), the data and another checksum (4).
    found = 0
    for path in shards(labels):
        with open(path, "rb") as shard:
            while header := shard.read(12):
                shard.seek(int.from_bytes(header[:8], "little") + 4, os.SEEK_CUR)
                found += 1
    return found


def read(folder):
    """Every labelled photo of a folder, as NumPy, in the order of the shards.

    Args:
        folder: A folder of labels.

    Yields:
        `LabelledPhoto`s, boxes float32 [boxes, 4], classes int32 [boxes], scores float32 [boxes].

    Raises:
        ValueError: If there is no such folder, no shard in it, or a shard is damaged.
    """
    for path in shards(folder):
        yield from read_shard(path)


def read_shard(path):
    """The labelled photos of one shard, as `read` gives them.

    Args:
        path: A shard.

    Yields:
        `LabelledPhoto`s.

    Raises:
        ValueError: If the shard is damaged.
    """
    try:
        for serialized in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
            yield _to_photo(serialized)
    except tf.errors.DataLossError as error:
        raise ValueError(f"{path}: damaged shard ({error.message.split(' [')[0]})") from None


def write_dataset(folder, about):
    """Writes `dataset.json`: what the labels of a folder are and where they come from.

    Args:
        folder: A folder of labels.
        about: A dictionary that JSON can hold, such as `classes`, `teacher`, `thresholds`,
            `source` and `counts`. The schema version is added.
    """
    text = json.dumps({"schema": SCHEMA, **about}, indent=2) + "\n"
    write_whole(pathlib.Path(folder) / "dataset.json", text)


def read_dataset(folder):
    """What `write_dataset` wrote, without the schema version.

    Raises:
        ValueError: If the folder holds no `dataset.json`, or one that this version cannot read.
    """
    path = pathlib.Path(folder) / "dataset.json"
    try:
        about = json.loads(path.read_text())
    except FileNotFoundError:
        raise ValueError(f"{folder}: wanted a folder of labels, found no dataset.json") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: wanted JSON, got something else ({error})") from None
    if not isinstance(about, dict) or about.pop("schema", None) != SCHEMA:
        raise ValueError(f"{path}: wanted a dataset.json of schema {SCHEMA}, got another")
    return about


def claim(folder, about):
    """Makes sure that a folder is free for a dataset, or holds an earlier run of the same one.

    Args:
        folder: Where labels are to be written; need not exist.
        about: What decides the labels, as `write_dataset` takes it.

    Returns:
        What the earlier run wrote to `dataset.json`, or None if the folder is free.

    Raises:
        ValueError: If the folder holds other labels, or is a file; the message names the first
            difference.
    """
    folder = pathlib.Path(folder)
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"{folder}: wanted a folder for the labels, it is a file")
    if not (folder / "dataset.json").exists():
        if any(folder.glob("shard-*.tfrecord")):
            raise ValueError(
                f"{folder}: wanted a new folder, it holds shards without a dataset.json"
            )
        return None
    earlier = read_dataset(folder)
    for field, value in about.items():
        if earlier.get(field) != value:
            raise ValueError(
                f"{folder} holds another dataset: its {field} is {earlier.get(field)!r}, "
                f"wanted {value!r}; name another folder"
            )
    return earlier


def write_whole(path, text):
    """Writes a text file that appears whole or not at all.

    Args:
        path: The file. One of that name is replaced.
        text: str.
    """
    with whole(path) as temporary:
        # Names of files need not be valid UTF-8; line ends stay as they are.
        temporary.write_bytes(text.encode("utf-8", "surrogateescape"))


@contextlib.contextmanager
def whole(path):
    """A temporary path that takes the name `path` once it is safely on the disk.

    If the block raises, nothing is left behind, and a file that was at `path` is still there.

    Args:
        path: The file that is to appear.

    Yields:
        The path to write to.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with whole(f"{folder}/note.txt") as temporary:
        ...         _ = temporary.write_text("whole")
        ...     os.listdir(folder)
        ['note.txt']
    """
    path = pathlib.Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield temporary
        with open(temporary, "rb+") as written:
            os.fsync(written.fileno())
        os.replace(temporary, path)
        with contextlib.suppress(OSError):  # a folder cannot be opened on Windows
            folder = os.open(path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)  # the new name, not only the bytes, survives a power cut
            finally:
                os.close(folder)
    except tf.errors.OpError as error:  # TensorFlow's writer has its own names for a full disk
        raise OSError(f"{path}: {error.message}") from None
    finally:
        temporary.unlink(missing_ok=True)


def _to_photo(serialized):
    feature = tf.train.Example.FromString(serialized).features.feature

    def floats(name):
        return np.array(feature[name].float_list.value, np.float32)

    return LabelledPhoto(
        encoded=feature["image/encoded"].bytes_list.value[0],
        filename=os.fsdecode(feature["image/filename"].bytes_list.value[0]),
        height=feature["image/height"].int64_list.value[0],
        width=feature["image/width"].int64_list.value[0],
        boxes=np.stack(
            [floats(f"image/object/bbox/{side}") for side in ("ymin", "xmin", "ymax", "xmax")], -1
        ),
        classes=np.array(feature["image/object/class/label"].int64_list.value, np.int32),
        scores=floats("image/object/score"),
    )


def _bytes(values):
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=values))


def _ints(values):
    return tf.train.Feature(int64_list=tf.train.Int64List(value=values))


def _floats(values):
    return tf.train.Feature(float_list=tf.train.FloatList(value=values))

"""Crops placed into scenes while training: a detector never sees a bare crop.

A scene is an example of a photo on which nothing is; a crop is a photo that a face fills, with its
class and where its box ends. Size, place, mirroring and sharpness are drawn without a look at the
class, so none of them can be what the class is told by.
"""

import math
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from ssd.config import IGNORE, Config
from ssd.data import augment, checking, records
from ssd.data.jpeg import recompress

# Rows and columns of cells that a scene is divided into, each with a crop: evenly drawn.
LAYOUTS = ((1, 1), (1, 1), (1, 2), (2, 2))
PER_SCENE = max(rows * columns for rows, columns in LAYOUTS)
_LARGEST = 0.95  # side of a crop, as a share of its cell's shorter side
_USUAL = 2 / 3  # likewise, where sizes do not vary
_TRIMMED = 0.06  # up to how much of a side is cut off
_STRETCHED = 0.08  # up to how much taller than wide, or wider than tall
# Half of the crops are scaled down first, to at least this share of the side that they will have.
_BLURRED, _LEAST_SHARP = 0.5, 0.35
_SOFT = 0.5  # share of the crops whose edges fade into the scene
_FADE = 0.12  # over up to this share of their side
_DRAWS = 16
_AT_ONCE = 64


def without_objects(serialized: tf.Tensor) -> tf.Tensor:
    """Which photos are scenes: those with no object on them, and no region to ignore.

    Args:
        serialized: Records, string [photos].

    Returns:
        bool [photos].

    Example:
        >>> photo = records.LabeledPhoto(b"", "a.jpg", 8, 8, [], [], [])
        >>> without_objects(tf.constant([records.serialize(photo)])).numpy().tolist()
        [True]
    """
    return tf.reduce_all(records.parse(serialized)["class_ids"] == 0, axis=-1)


def check(
    labels: records.Labels,
    crops: records.Labels,
    share: float,
    class_names: Sequence[str],
    *,
    spread: float = 1.0,
) -> str:
    """See that crops can be placed into photos of some labels.

    Args:
        labels: A folder, or a list of folders, among whose photos the scenes are.
        crops: A folder of crops, or a list of folders.
        share: How many of the examples are to be scenes with crops.
        class_names: The classes.
        spread: How far sizes and places are to vary.

    Returns:
        A short text that is another where a crop or its label is.

    Raises:
        FileNotFoundError: If there are no such crops.
        ValueError: If share or spread is out of range, there are no crops, they are unfinished or
            of other classes, one has not just one face, or there is no photo to place them into.

    Example:
        >>> check("labels", "crops", 1.0, ["face"])
        Traceback (most recent call last):
        ValueError: crop_share: wanted a number over 0 and below 1, got 1.0
    """
    if not 0 < share < 1:
        raise ValueError(f"crop_share: wanted a number over 0 and below 1, got {share!r}")
    if not 0 <= spread <= 1:
        raise ValueError(f"crop_spread: wanted a number from 0 to 1, got {spread!r}")
    content = checking.check(crops, class_names)
    named = ", ".join(map(str, records.folders(crops)))
    if not content.photos:
        raise ValueError(f"{named}: wanted crops, got none")
    for folder in records.folders(crops):
        for crop in records.read(folder):
            if len(crop.class_ids) != 1 or crop.class_ids[0] in (0, IGNORE):
                raise ValueError(f"{folder}: wanted one face on a crop, {crop.filename} has others")
    files = [str(path) for path in records.shards(labels)]
    photos = tf.data.TFRecordDataset(files).batch(_AT_ONCE)
    if not any(without_objects(some).numpy().any() for some in photos):
        named = ", ".join(map(str, records.folders(labels)))
        raise ValueError(f"{named}: wanted a photo without a face, to place crops into")
    return content.digest


def place(
    scene: tf.Tensor,
    crops: dict[str, tf.Tensor],
    config: Config,
    *,
    seed: Any,
    spread: float = 1.0,
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """A scene with one crop, or several side by side, each at a random size and place.

    Sizes are drawn evenly on a logarithmic scale, between `config.min_face` and what fits.

    Args:
        scene: uint8 [height, width, 3], of the input's size.
        crops: What `ssd.data.records.parse` gives of `PER_SCENE` crops, of which the first ones
            are placed.
        config: The `ssd.Config` of the model.
        seed: Two integers; the same seed makes the same example.
        spread: How far sizes and places vary, from 0, one crop in the middle, to 1.

    Returns:
        The image, uint8 [height, width, 3]; boxes float32 [boxes, 4] `[ymin, xmin, ymax, xmax]` on
        its unit square; and their classes, int32 [boxes], 0 for those that are not there.

    Example:
        >>> black = tf.io.encode_jpeg(tf.zeros([64, 64, 3], tf.uint8))
        >>> crops = {
        ...     "encoded": tf.fill([PER_SCENE], black),
        ...     "boxes": tf.constant([[[0.0, 0.1, 1.0, 0.9]]] * PER_SCENE),
        ...     "class_ids": tf.constant([[1]] * PER_SCENE),
        ... }
        >>> gray = tf.fill([224, 288, 3], tf.constant(128, tf.uint8))
        >>> image, boxes, class_ids = place(gray, crops, Config(image_size=(224, 288)), seed=[1, 2])
        >>> image.shape, boxes.shape, bool(tf.reduce_min(image) == 0)
        (TensorShape([224, 288, 3]), TensorShape([4, 4]), True)
    """
    draw = tf.random.stateless_uniform([PER_SCENE + 1, _DRAWS], seed)
    cells, used = _cells(config.image_size, draw[-1, 0] * spread)
    image = tf.cast(scene, tf.float32)
    boxes, class_ids = [], []
    for number in range(PER_SCENE):
        image, box, class_id = tf.cond(
            number < used,
            lambda each=number, image=image: _place_one(
                image, crops, each, cells[each], config, draw[each], spread
            ),
            lambda image=image: (image, tf.zeros([4]), tf.constant(0)),
        )
        boxes.append(box)
        class_ids.append(class_id)
    quality = augment.draw_quality(draw[-1, 1], draw[-1, 2])
    image = tf.ensure_shape(augment.to_bytes(image), (*config.image_size, 3))
    return recompress(image, quality), tf.stack(boxes), tf.stack(class_ids)


def _cells(image_size, draw):
    """Cells of a layout drawn at random, `[ymin, xmin, ymax, xmax]` in pixels; and how many."""
    height, width = image_size
    layouts, counts = [], []
    for rows, columns in LAYOUTS:
        corners = [
            [row / rows, column / columns, (row + 1) / rows, (column + 1) / columns]
            for row in range(rows)
            for column in range(columns)
        ]
        counts.append(len(corners))
        layouts.append(corners + [[0.0] * 4] * (PER_SCENE - len(corners)))
    chosen = tf.cast(draw * len(LAYOUTS), tf.int32)
    cells = tf.constant(layouts) * tf.constant([height, width, height, width], tf.float32)
    return cells[chosen], tf.constant(counts)[chosen]


def _place_one(image, crops, number, cell, config, draw, spread):
    """The image with a crop in one of its cells, the crop's box on the unit square, its class."""
    crop = tf.io.decode_jpeg(crops["encoded"][number], channels=3)
    box, class_id = crops["boxes"][number, 0], crops["class_ids"][number, 0]
    crop, box = _mirror(*_trim(crop, box, draw[0:4] * spread), draw[4])

    low, extent = cell[:2], cell[2:] - cell[:2]
    room = tf.reduce_min(extent)
    side = (room * _USUAL) ** (1 - spread) * _draw_side(room, config.min_face, draw[5]) ** spread
    taller = tf.exp((draw[6] - 0.5) * _STRETCHED * spread)
    size = tf.cast(tf.round(tf.stack([side * taller, side / taller])), tf.int32)
    size = tf.minimum(size, tf.cast(extent, tf.int32))
    free = extent - tf.cast(size, tf.float32)
    corner = tf.cast(low + (0.5 + (draw[7:9] - 0.5) * spread) * free, tf.int32)

    patch = _scale(crop, size, draw[9:11])
    image = _paste(image, patch, _fade(size, draw[11:13]), corner)
    whole = tf.constant([*config.image_size] * 2, tf.float32)
    pixels = tf.cast(tf.concat([corner, corner], 0), tf.float32)
    moved = pixels + box * tf.cast(tf.concat([size, size], 0), tf.float32)
    return image, moved / whole, class_id


def _draw_side(room, least, draw):
    most = tf.math.log(room * _LARGEST)
    return tf.exp(math.log(least) + draw * (most - math.log(least)))


def _trim(crop, box, draw):
    """A crop without a little of each side, and where its box then is."""
    size = tf.cast(tf.shape(crop)[:2], tf.float32)
    first = tf.cast(size * draw[:2] * _TRIMMED, tf.int32)
    last = tf.cast(size * (1 - draw[2:4] * _TRIMMED), tf.int32)
    start, extent = tf.cast(first, tf.float32), tf.cast(last - first, tf.float32)
    moved = (box * tf.tile(size, [2]) - tf.tile(start, [2])) / tf.tile(extent, [2])
    return crop[first[0] : last[0], first[1] : last[1]], tf.clip_by_value(moved, 0.0, 1.0)


def _mirror(crop, box, draw):
    ymin, xmin, ymax, xmax = tf.unstack(box)
    mirrored = tf.reverse(crop, [1]), tf.stack([ymin, 1 - xmax, ymax, 1 - xmin])
    return tf.cond(draw < 0.5, lambda: mirrored, lambda: (crop, box))


def _scale(crop, size, draw):
    """A crop at its size, half of them by way of a smaller one: then it is less sharp."""
    sharp = _LEAST_SHARP + (1 - _LEAST_SHARP) * draw[1]
    small = tf.minimum(tf.cast(size, tf.float32), tf.cast(tf.shape(crop)[:2], tf.float32))
    small = tf.maximum(tf.cast(small * sharp, tf.int32), 8)
    first = tf.where(draw[0] < _BLURRED, small, tf.shape(crop)[:2])
    return tf.image.resize(tf.image.resize(crop, first, antialias=True), size, antialias=True)


def _fade(size, draw):
    """How far each pixel of a crop covers the scene, [height, width, 1]: all, or less at edges."""
    width = tf.where(draw[0] < _SOFT, tf.maximum(draw[1] * _FADE, 1e-3), 1e-3)

    def along(count):
        place = (tf.range(tf.cast(count, tf.float32)) + 0.5) / tf.cast(count, tf.float32)
        return tf.clip_by_value(tf.minimum(place, 1 - place) / width, 0.0, 1.0)

    return (along(size[0])[:, None] * along(size[1]))[..., None]


def _paste(image, patch, cover, corner):
    rest = tf.shape(image)[:2] - corner - tf.shape(patch)[:2]
    around = tf.stack([tf.stack([corner[0], rest[0]]), tf.stack([corner[1], rest[1]]), [0, 0]])
    cover = tf.pad(cover, around)
    return image * (1 - cover) + tf.pad(patch, around) * cover

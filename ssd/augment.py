"""Photo and boxes changed together, each change a pure function of both and a seed."""

import math
from typing import Any, NamedTuple

import tensorflow as tf

from ssd.jpeg import damage

# A face is shown at a size between these shares of its anchors' whole range, so that every
# level has something to learn, and never enlarged beyond what a resize can invent.
_ENLARGE = 2.0
# A crop may reach beyond the photo by this factor; what lies there is black.
_REACH = 2.0
# A face of which a crop keeps less than this share is a region to ignore.
_VISIBLE = 0.6


def augment(photo, boxes, classes, config, *, seed):
    """A training example: a random crop of the photo, perhaps mirrored, perhaps compressed.

    Its light changes later, on the device (`ssd/light.py`).

    Args:
        photo: uint8 [height, width, 3], or string []: a JPEG file, of which only what shows is
            decoded, and no finer than needed.
        boxes: float32 [boxes, 4], `[ymin, xmin, ymax, xmax]` on the unit square of the photo.
        classes: int [boxes]; -1 marks a region to ignore.
        config: The `ssd.Config` of the model.
        seed: Two integers; the same seed makes the same example.

    Returns:
        uint8 [*config.image_size, 3]; the boxes on its unit square and their classes.
    """
    seeds = tf.unstack(tf.random.split(tf.cast(seed, tf.int64), 3))
    window = choose_window(size_of(photo), boxes, classes, config, seed=seeds[0])
    image, boxes, classes = crop(photo, boxes, classes, window, config.image_size)
    image, boxes = flip(image, boxes, seed=seeds[1])
    return damage(image, seed=seeds[2]), boxes, classes


def choose_window(shape, boxes, classes, config, *, seed):
    """A window onto the photo in which one of its faces has a size drawn from the whole range.

    Sizes are drawn evenly on a logarithmic scale between `config.min_face` and the largest
    anchor, whatever sizes the photos happen to have. A photo without a face is shown as a
    whole or in part, just as evenly.

    Args:
        shape: (height, width) of the photo in pixels.
        boxes: float32 [boxes, 4] on the unit square of the photo.
        classes: int [boxes].
        config: The `ssd.Config` of the model.
        seed: Two integers.

    Returns:
        float32 [4], `[ymin, xmin, ymax, xmax]` in pixels of the photo; it has the aspect of the
        input, and may reach beyond the photo.
    """
    rows, columns = config.image_size
    draw = tf.random.stateless_uniform([5], seed)
    height, width = tf.unstack(tf.cast(shape, tf.float32))
    # Pixels of the photo per pixel of the input when the whole photo just fits.
    whole = tf.maximum(height / rows, width / columns)

    faces = tf.boolean_mask(boxes, classes > 0)
    count = tf.shape(faces)[0]

    def around_face():
        index = tf.minimum(tf.cast(draw[0] * tf.cast(count, tf.float32), tf.int32), count - 1)
        ymin, xmin, ymax, xmax = tf.unstack(faces[index] * [height, width, height, width])
        size = tf.sqrt(tf.maximum((ymax - ymin) * (xmax - xmin), 1.0))
        smallest, largest = math.log(config.min_face + 1), math.log(config.anchor_sizes[-1][-1])
        scale = size / tf.exp(smallest + draw[1] * (largest - smallest))
        scale = tf.clip_by_value(scale, 1 / _ENLARGE, tf.maximum(_REACH * whole, 1 / _ENLARGE))
        window = tf.stack([rows * scale, columns * scale])
        # Anywhere, as long as the whole face is inside (or, too large, its middle).
        low = tf.stack([ymax, xmax]) - window
        high = tf.stack([ymin, xmin])
        low, high = tf.minimum(low, high), tf.maximum(low, high)
        return window, low, high

    def anywhere():
        scale = whole * tf.exp(math.log(0.25) + draw[1] * (math.log(1.25) - math.log(0.25)))
        window = tf.stack([rows * scale, columns * scale])
        low = tf.minimum(tf.stack([height, width]) - window, 0.0)
        high = tf.maximum(tf.stack([height, width]) - window, 0.0)
        return window, low, high

    window, low, high = tf.cond(count > 0, around_face, anywhere)
    # Where the photo is large enough, the window stays inside it: black bars are rare in life.
    photo = tf.stack([height, width])
    inside_low, inside_high = tf.minimum(photo - window, 0.0), tf.maximum(photo - window, 0.0)
    low, high = (
        tf.clip_by_value(low, inside_low, inside_high),
        tf.clip_by_value(high, inside_low, inside_high),
    )
    corner = low + draw[2:4] * (high - low)
    return tf.concat([corner, corner + window], axis=0)


def crop(photo, boxes, classes, window, image_size):
    """The part of the photo under the window, scaled to the input, and the boxes in it.

    Args:
        photo: uint8 [height, width, 3], or string []: a JPEG file, of which only what shows is
            decoded, and no finer than needed.
        boxes: float32 [boxes, 4] on the unit square of the photo.
        classes: int [boxes].
        window: float32 [4], `[ymin, xmin, ymax, xmax]` in pixels of the photo; beyond the photo
            lies black.
        image_size: (height, width) of the result in pixels.

    Returns:
        uint8 [*image_size, 3]; the boxes that show in it, clipped, on its unit square; their
        classes, -1 for a face of which too little is left.
    """
    photo = tf.convert_to_tensor(photo)
    view = look(size_of(photo), window, image_size, reduce=photo.dtype == tf.string)
    image = place(take(photo, view), view, image_size)

    # Boxes follow the rectangle that was really copied, not the window before rounding.
    size = tf.constant(image_size, tf.float32)
    photo_size = tf.cast(size_of(photo), tf.float32)
    start, stop = view.start * view.unit, view.stop * view.unit
    zoom = (view.to_stop - view.to_start) / (stop - start)
    moved = (boxes * tf.tile(photo_size, [2]) - tf.tile(start, [2])) * tf.tile(zoom, [2])
    moved = (moved + tf.tile(view.to_start, [2])) / tf.tile(size, [2])
    seen = tf.clip_by_value(moved, 0.0, 1.0)
    left_over = tf.math.divide_no_nan(area(seen), area(moved))
    classes = tf.where(left_over < _VISIBLE, -1, tf.cast(classes, tf.int32))
    kept = left_over > 0
    return image, tf.boolean_mask(seen, kept), tf.boolean_mask(classes, kept)


class View(NamedTuple):
    """Which whole pixels of a photo go where; (row, column) pairs, float32 [2], whole numbers.

    Attributes:
        halved: How often the photo is halved first, int32 [], from 0 to 3.
        unit: Pixels of the photo per pixel of the halved one: 1, 2, 4 or 8, float32 [].
        start: First pixel shown, in the halved photo.
        stop: One past the last pixel shown, in the halved photo.
        to_start: Where the first one goes in the result.
        to_stop: One past where the last one goes in the result.
    """

    halved: Any
    unit: Any
    start: Any
    stop: Any
    to_start: Any
    to_stop: Any


def look(photo_size, window, image_size, *, reduce):
    """The rectangle of whole pixels that both window and photo cover, here and in the result.

    Args:
        photo_size: (height, width) of the photo in pixels, int32 [2].
        window: float32 [4], `[ymin, xmin, ymax, xmax]` in pixels of the photo.
        image_size: (height, width) of the result in pixels.
        reduce: Whether the photo may be halved first.

    Returns:
        A `View`.
    """
    size = tf.constant(image_size, tf.float32)
    corner, extent = window[:2], window[2:] - window[:2]
    halved = halvings(extent[0] / size[0]) if reduce else tf.constant(0)
    unit = tf.cast(tf.bitwise.left_shift(1, halved), tf.float32)
    edge = tf.math.floordiv(tf.cast(photo_size, tf.float32), unit)
    start = tf.clip_by_value(tf.round(corner / unit), 0.0, edge - 1)
    stop = tf.clip_by_value(tf.round((corner + extent) / unit), start + 1, edge)
    to_start = tf.round((start * unit - corner) / extent * size)
    to_start = tf.clip_by_value(to_start, 0.0, size - 1)
    to_stop = tf.round((stop * unit - corner) / extent * size)
    to_stop = tf.clip_by_value(to_stop, to_start + 1, size)
    return View(halved, unit, start, stop, to_start, to_stop)


def take(photo, view):
    """The pixels that a `View` shows.

    Args:
        photo: uint8 [height, width, 3], or string []: a JPEG file.
        view: What `look` said.

    Returns:
        uint8 [rows, columns, 3].
    """
    top, left = tf.unstack(tf.cast(view.start, tf.int32))
    rows, columns = tf.unstack(tf.cast(view.stop - view.start, tf.int32))
    if photo.dtype != tf.string:
        return photo[top : top + rows, left : left + columns]

    def at(ratio):
        return lambda: tf.io.decode_and_crop_jpeg(
            photo,
            [top, left, rows, columns],
            channels=3,
            ratio=ratio,
            dct_method="INTEGER_ACCURATE",
        )

    # The ratio is an attribute of the operation, so each has an operation of its own.
    return tf.switch_case(view.halved, [at(1), at(2), at(4), at(8)])


def place(part, view, image_size):
    """The pixels that `take` gave, scaled and put where they belong; the rest is black.

    Args:
        part: uint8 [rows, columns, 3].
        view: What `look` said.
        image_size: (height, width) of the result in pixels.

    Returns:
        uint8 [*image_size, 3].
    """
    inner = view.to_stop - view.to_start
    image = resize(part, tf.cast(inner, tf.int32))
    top, left = tf.unstack(tf.cast(view.to_start, tf.int32))
    return tf.image.pad_to_bounding_box(image, top, left, *image_size)


def size_of(photo):
    """(height, width), int32 [2], of a photo or of a JPEG file, whose header is all that is read.

    Args:
        photo: uint8 [height, width, 3], or string [].
    """
    photo = tf.convert_to_tensor(photo)
    shape = tf.io.extract_jpeg_shape(photo) if photo.dtype == tf.string else tf.shape(photo)
    return shape[:2]


def halvings(scale):
    """How often a JPEG file may be halved while it is decoded.

    Halving costs the decoder less than decoding all of it. What is left to do stays at 3 or more:
    a resize by less leaves the decoder's own, sharper filter to be seen (2.7/255 on average over
    a grainy photo, where serving decodes it whole).

    Args:
        scale: Pixels of the photo per pixel of the result, float32 [].

    Returns:
        int32 [], from 0 to 3.

    Example:
        >>> [int(halvings(scale)) for scale in (0.7, 5.0, 6.0, 12.0, 40.0)]
        [0, 0, 1, 2, 3]
    """
    return tf.reduce_sum(tf.cast(scale >= tf.constant([6.0, 12.0, 24.0]), tf.int32))


def resize(photo, size):
    """A photo at another size, resized as serving does it: antialiased, bilinear, rounded.

    Averaging over areas would take a third of the time where photos get smaller, but what it
    gives is sharper than what `ssd.Detector` sees, by up to 2/255 on average over a photo.

    Args:
        photo: uint8 [height, width, 3].
        size: (height, width) of the result, int32 [2].

    Returns:
        uint8 [*size, 3].
    """

    def resized():
        image = tf.image.resize(photo, size, antialias=True)
        return tf.saturate_cast(tf.round(image), tf.uint8)

    # What already has the size (a cached photo has) need not go through the filter.
    same = tf.reduce_all(tf.shape(photo)[:2] == size)
    return tf.cond(same, lambda: photo, resized)


def flip(image, boxes, *, seed):
    """Left and right exchanged, every other time.

    Args:
        image: [height, width, 3].
        boxes: float32 [boxes, 4] on the unit square of the image.
        seed: Two integers.

    Returns:
        The image and its boxes.
    """
    image = tf.convert_to_tensor(image)
    ymin, xmin, ymax, xmax = tf.unstack(boxes, axis=1)
    mirrored = tf.stack([ymin, 1 - xmax, ymax, 1 - xmin], axis=1)
    # One branch or the other: choosing between two finished images takes ten times as long.
    return tf.cond(
        tf.random.stateless_uniform([], seed) < 0.5,
        lambda: (tf.reverse(image, axis=[1]), mirrored),
        lambda: (image, boxes),
    )


def area(boxes):
    """Areas [boxes] of boxes [boxes, 4]."""
    return (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])

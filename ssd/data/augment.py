"""A training example in two steps: numbers for many photos at once, then pixels photo by photo.

`plan` decides what each example shows and where its boxes go. That is a hundred operations on a
few numbers each; for one photo they take as long as decoding it, for 32 at once hardly longer
than for one. `show` then makes the pixels of one example. What changes light and colour alone
waits until the photo is on the device.
"""

import math
from typing import Any, NamedTuple

import tensorflow as tf

from ssd.data.jpeg import recompress

# Share of the examples that show a photo about as the detector will: as a whole, or half of it.
_AS_SERVED = 0.75
_PART, _MORE = 0.5, 1.25
# In the others a face has a size from anywhere in the anchors' whole range, so that every level
# has something to learn, but none is enlarged beyond what a resize can invent.
_ENLARGE = 2.0
# A crop may reach beyond the photo by this factor; what lies there is black.
_REACH = 2.0
# A face of which a crop keeps less than this share is a region to ignore.
_VISIBLE = 0.6
# The JPEG decoder halves up to three times while it decodes.
_HALVINGS = 3
# Share of the examples that are compressed, each at the price of an encoder and a decoder, and
# the qualities drawn.
_COMPRESSED = 0.15
_WORST, _BEST = 15, 75


class View(NamedTuple):
    """Which whole pixels of a photo go where in the image; pairs are (row, column).

    Attributes:
        halved: How often the photo is halved while it is decoded, int32 [...], from 0 to 3.
        start: First pixel shown, in the photo so halved, int32 [..., 2].
        stop: One past the last pixel shown, in the photo so halved, int32 [..., 2].
        to_start: Where the first one goes in the image, int32 [..., 2].
        to_stop: One past where the last one goes in the image, int32 [..., 2].
        mirrored: Whether left and right are exchanged in the end, bool [...].
        quality: Of the JPEG file that the image is made into and read from, int32 [...], from 1
            to 100; 0 for none.
    """

    halved: Any
    start: Any
    stop: Any
    to_start: Any
    to_stop: Any
    mirrored: Any
    quality: Any


def plan(sizes, boxes, classes, config, *, seed, halve=True):
    """Training examples, all but their pixels: random crops of photos, every other one mirrored.

    Some are compressed to a JPEG file of low quality, as cameras and messengers do.

    Args:
        sizes: int32 [..., 2], (height, width) of the photos in pixels.
        boxes: float32 [..., boxes, 4], `[ymin, xmin, ymax, xmax]` on the unit square of the photo.
        classes: int [..., boxes]; -1 marks a region to ignore, 0 an unused row.
        config: The `ssd.Config` of the model.
        seed: Two integers; the same seed makes the same examples.
        halve: Whether the photos are JPEG files, which may be halved while they are decoded.

    Returns:
        The `View` of each; boxes [..., boxes, 4] on the unit square of the image; their classes
        [..., boxes], 0 for those that do not show.
    """
    draw = tf.random.stateless_uniform(tf.concat([tf.shape(sizes)[:-1], [8]], axis=0), seed)
    windows = choose_windows(sizes, boxes, classes, config, draw=draw[..., :5])
    view = look(sizes, windows, config.image_size, mirrored=draw[..., 5] < 0.5, halve=halve)
    quality = tf.cast(_WORST + draw[..., 6] * (_BEST - _WORST), tf.int32)
    view = view._replace(quality=tf.where(draw[..., 7] < _COMPRESSED, quality, 0))
    return view, *move(boxes, classes, sizes, view, config.image_size)


def choose_windows(sizes, boxes, classes, config, *, draw):
    """Windows onto photos: three in four as served, the rest with a face of a size drawn at random.

    As served means about the whole photo, so that the sizes of faces, and how many there are, are
    those of life. Where most faces are small that alone would teach little about large ones: in
    the others one of the faces, if there are any, has a size drawn evenly on a logarithmic
    scale between `config.min_face` and the largest anchor.

    Args:
        sizes: int32 [..., 2], (height, width) of the photos in pixels.
        boxes: float32 [..., boxes, 4] on the unit square of the photo.
        classes: int [..., boxes].
        config: The `ssd.Config` of the model.
        draw: float32 [..., 5], evenly drawn from 0 to 1: as served or not, which face, how large,
            and where (two).

    Returns:
        float32 [..., 4], `[ymin, xmin, ymax, xmax]` in pixels of the photo; it has the aspect of
        the input, and may reach beyond the photo.
    """
    photo, image = tf.cast(sizes, tf.float32), tf.constant(config.image_size, tf.float32)
    # Pixels of the photo per pixel of the input when the whole photo just fits.
    whole = tf.reduce_max(photo / image, axis=-1)

    faces = tf.cast(classes > 0, tf.int32)
    count = tf.reduce_sum(faces, axis=-1)
    chosen = tf.minimum(tf.cast(draw[..., 1] * tf.cast(count, tf.float32), tf.int32), count - 1)
    this = faces * tf.cast(tf.cumsum(faces, axis=-1) - 1 == chosen[..., None], tf.int32)
    face = tf.reduce_sum(boxes * tf.cast(this, tf.float32)[..., None], axis=-2)
    face_low, face_high = face[..., :2] * photo, face[..., 2:] * photo

    size = tf.sqrt(tf.maximum(tf.reduce_prod(face_high - face_low, axis=-1), 1.0))
    smallest, largest = math.log(config.min_face + 1), math.log(config.anchor_sizes[-1][-1])
    around = size / tf.exp(smallest + draw[..., 2] * (largest - smallest))
    around = tf.clip_by_value(around, 1 / _ENLARGE, tf.maximum(_REACH * whole, 1 / _ENLARGE))
    served = whole * tf.exp(math.log(_PART) + draw[..., 2] * (math.log(_MORE) - math.log(_PART)))
    found = tf.logical_and(draw[..., 0] >= _AS_SERVED, count > 0)
    window = image * tf.where(found, around, served)[..., None]

    # Anywhere, as long as the whole face is inside (or, too large, its middle) ...
    found = found[..., None]
    one, other = tf.where(found, face_high, photo) - window, tf.where(found, face_low, 0.0)
    low, high = tf.minimum(one, other), tf.maximum(one, other)
    # ... and, where the photo is large enough, inside the photo: black bars are rare in life.
    inside_low, inside_high = tf.minimum(photo - window, 0.0), tf.maximum(photo - window, 0.0)
    low = tf.clip_by_value(low, inside_low, inside_high)
    high = tf.clip_by_value(high, inside_low, inside_high)
    corner = low + draw[..., 3:] * (high - low)
    return tf.concat([corner, corner + window], axis=-1)


def look(sizes, windows, image_size, *, mirrored=False, halve=True):
    """The rectangles of whole pixels that both window and photo cover, here and in the image.

    Args:
        sizes: int32 [..., 2], (height, width) of the photos in pixels.
        windows: float32 [..., 4], `[ymin, xmin, ymax, xmax]` in pixels of the photo.
        image_size: (height, width) of the image in pixels.
        mirrored: Whether left and right are exchanged, bool [...].
        halve: Whether the photos are JPEG files, which may be halved while they are decoded.

    Returns:
        A `View`.
    """
    photo, image = tf.cast(sizes, tf.float32), tf.constant(image_size, tf.float32)
    corner, extent = windows[..., :2], windows[..., 2:] - windows[..., :2]
    start = tf.clip_by_value(tf.round(corner), 0.0, photo - 1)
    stop = tf.clip_by_value(tf.round(corner + extent), start + 1, photo)
    to_start = tf.clip_by_value(tf.round((start - corner) / extent * image), 0.0, image - 1)
    to_stop = tf.round((stop - corner) / extent * image)
    to_stop = tf.clip_by_value(to_stop, to_start + 1, image)
    pixels = [tf.cast(each, tf.int32) for each in (start, stop, to_start, to_stop)]
    return view(sizes, *pixels, mirrored=mirrored, halve=halve)


def view(sizes, start, stop, to_start, to_stop, *, mirrored=False, halve=True):
    """Rectangles of photos and images as a `View`: what of it the decoder can halve, it does.

    Args:
        sizes: int32 [..., 2], (height, width) of the photos in pixels.
        start: First pixel shown of the photo, int32 [..., 2].
        stop: One past the last pixel shown of the photo.
        to_start: Where the first one goes in the image.
        to_stop: One past where the last one goes in the image.
        mirrored: Whether left and right are exchanged, bool [...].
        halve: Whether the photos are JPEG files, which may be halved while they are decoded.

    Returns:
        A `View`. Its start and stop are rounded to whole pixels of the halved photo.
    """
    halved = tf.zeros(tf.shape(sizes)[:-1], tf.int32)
    if halve:
        halved = tf.minimum(halvings(stop - start, to_stop - to_start), _HALVINGS)
        unit = unit_of(halved)
        edge = sizes // unit
        start = tf.clip_by_value((start + unit // 2) // unit, 0, edge - 1)
        stop = tf.clip_by_value((stop + unit // 2) // unit, start + 1, edge)
    mirrored = tf.broadcast_to(mirrored, tf.shape(halved))
    quality = tf.zeros_like(halved)
    return View(halved, start, stop, to_start, to_stop, mirrored, quality)


def unit_of(halved):
    """Pixels of the photo per pixel of the halved one: int32 [...] to int32 [..., 1]."""
    return tf.bitwise.left_shift(1, halved)[..., None]


def move(boxes, classes, sizes, view, image_size):
    """Boxes where a `View` shows them: of the pixels really shown, not of the window wanted.

    Args:
        boxes: float32 [..., boxes, 4] on the unit square of the photo.
        classes: int [..., boxes].
        sizes: int32 [..., 2], (height, width) of the photos in pixels.
        view: A `View` of each photo.
        image_size: (height, width) of the image in pixels.

    Returns:
        Boxes [..., boxes, 4], clipped, on the unit square of the image, and their classes: -1
        for a face of which too little is left, 0 for what does not show.
    """
    image = tf.constant(image_size, tf.float32)
    start, stop = (tf.cast(edge * unit_of(view.halved), tf.float32) for edge in view[1:3])
    to_start, to_stop = (tf.cast(edge, tf.float32) for edge in view[3:5])
    zoom = (to_stop - to_start) / (stop - start)
    gain, shift = tf.cast(sizes, tf.float32) * zoom / image, (to_start - start * zoom) / image
    gain, shift = (tf.concat([each, each], axis=-1)[..., None, :] for each in (gain, shift))
    moved = boxes * gain + shift
    seen = tf.clip_by_value(moved, 0.0, 1.0)
    left_over = tf.math.divide_no_nan(area(seen), area(moved))
    classes = tf.where(left_over < _VISIBLE, -1, tf.cast(classes, tf.int32))
    classes = tf.where(left_over > 0, classes, 0)
    ymin, xmin, ymax, xmax = tf.unstack(seen, axis=-1)
    turned = tf.stack([ymin, 1 - xmax, ymax, 1 - xmin], axis=-1)
    return tf.where(view.mirrored[..., None, None], turned, seen), classes


def show(photo, view, image_size):
    """The pixels of one example; beyond the photo lies black.

    Args:
        photo: string [], a JPEG file, of which only what shows is decoded; or uint8
            [height, width, 3].
        view: The `View` of this photo.
        image_size: (height, width) of the image in pixels.

    Returns:
        uint8 [*image_size, 3].
    """
    return recompress(place(take(photo, view), view, image_size), view.quality)


def take(photo, view):
    """The pixels that a `View` shows, as they are before they are scaled.

    Args:
        photo: string [], a JPEG file; or uint8 [height, width, 3].
        view: The `View` of this photo.

    Returns:
        uint8 [rows, columns, 3].
    """
    photo = tf.convert_to_tensor(photo)
    if photo.dtype != tf.string:
        (top, left), (bottom, right) = tf.unstack(view.start), tf.unstack(view.stop)
        return photo[top:bottom, left:right]
    rectangle = tf.concat([view.start, view.stop - view.start], axis=0)

    def at(ratio):
        return lambda: tf.io.decode_and_crop_jpeg(
            photo, rectangle, channels=3, ratio=ratio, dct_method="INTEGER_ACCURATE"
        )

    # The ratio is an attribute of the operation, so each has an operation of its own.
    return tf.switch_case(view.halved, [at(2**times) for times in range(_HALVINGS + 1)])


def place(part, view, image_size):
    """The pixels that `take` gave, scaled, put where they belong and perhaps mirrored.

    Args:
        part: uint8 [rows, columns, 3].
        view: The `View` they are of.
        image_size: (height, width) of the image in pixels.

    Returns:
        uint8 [*image_size, 3].
    """
    image = resize(part, view.to_stop - view.to_start)
    around = tf.stack([view.to_start, image_size - view.to_stop], axis=1)
    image = tf.pad(image, tf.pad(around, [[0, 1], [0, 0]]))
    # One branch or the other: choosing between two finished images takes ten times as long.
    image = tf.cond(view.mirrored, lambda: tf.reverse(image, axis=[1]), lambda: image)
    return tf.ensure_shape(image, (*image_size, 3))


def halvings(old, new):
    """How often pixels are halved before the bilinear filter scales them by less than two.

    Args:
        old: int32 [..., 2], (height, width) as it is.
        new: int32 [..., 2], (height, width) as it is to be.

    Returns:
        int32 [...].

    Example:
        >>> [int(halvings((480, 640), size)) for size in [(241, 321), (240, 320), (15, 20)]]
        [0, 1, 5]
    """
    ratio = tf.reduce_min(tf.math.floordiv(old, new), axis=-1)
    return tf.reduce_sum(tf.cast(ratio[..., None] >= [2**n for n in range(1, 16)], tf.int32), -1)


def resize(photo, size):
    """A photo at another size, resized as `ssd.photos.resizing` does it when serving.

    It is halved while that leaves at least the size wanted, each pixel the mean of two by two,
    and then sampled bilinearly. What a JPEG decoder has halved arrives here halved: its scaled
    transform differs from the mean by half of 1/255 on average over a photo.

    Args:
        photo: uint8 [height, width, 3].
        size: (height, width) of the result, int32 [2].

    Returns:
        uint8 [*size, 3].
    """
    old = tf.shape(photo)[:2]
    times = halvings(old, size)

    def halve():
        unit = tf.bitwise.left_shift(1, times)
        rows, columns = tf.unstack(old // unit)
        whole = photo[None, : rows * unit, : columns * unit]
        return to_bytes(tf.raw_ops.ResizeArea(images=whole, size=[rows, columns])[0])

    def scale(photo):
        return to_bytes(
            tf.raw_ops.ResizeBilinear(images=photo[None], size=size, half_pixel_centers=True)[0]
        )

    photo = tf.cond(times > 0, halve, lambda: photo)
    # What has the size by now (a cached photo may) need not go through the filter.
    same = tf.reduce_all(tf.shape(photo)[:2] == size)
    return tf.cond(same, lambda: photo, lambda: scale(photo))


def to_bytes(image):
    """Float pixels from 0 to 255, rounded to uint8."""
    return tf.cast(image + 0.5, tf.uint8)


def area(boxes):
    """Areas [...] of boxes [..., 4]."""
    return (boxes[..., 2] - boxes[..., 0]) * (boxes[..., 3] - boxes[..., 1])

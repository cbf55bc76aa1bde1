"""A training example in two steps: numbers for many photos at once, then pixels photo by photo.

`plan_examples` decides what each example shows and where its boxes go. That is a hundred
operations on a few numbers each; for one photo they take as long as decoding it, for 32 at once
hardly longer than for one. `make_image` then makes the pixels of one example. What changes light
and color alone waits until the photo is on the device.
"""

import math
from typing import Any, NamedTuple

import tensorflow as tf

from ssd.config import UNKNOWN, Config
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
VISIBLE = 0.6
# The JPEG decoder halves up to three times while it decodes.
_DECODER_HALVINGS = 3
# Share of the examples that are compressed, each at the price of an encoder and a decoder, and
# the qualities drawn.
_COMPRESSED = 0.15
_WORST, _BEST = 15, 75


class View(NamedTuple):
    """Which pixels of a photo go where in the image; all whole numbers, pairs are (row, column).

    That is one affine map, `start` to `to_start` and `stop` to `to_stop`: of boxes (`move_boxes`)
    as of pixels (`make_image`).

    Attributes:
        halved: How often the photo is halved before it is scaled by less than two, int32 [...].
        start: First pixel shown of the photo, int32 [..., 2], a multiple of `2**halved`.
        stop: One past the last pixel shown of the photo, int32 [..., 2].
        to_start: Where the first one goes in the image, int32 [..., 2].
        to_stop: One past where the last one goes in the image, int32 [..., 2].
        mirrored: Whether left and right are exchanged in the end, bool [...].
        quality: Of the JPEG file that the image is made into and read from, int32 [...], from 1
            to 100; 0 for none.

    Example:
        >>> view = photo_to_view(tf.constant([480, 640]), tf.constant([192, 256]))
        >>> view.stop.numpy().tolist(), view.to_stop.numpy().tolist()
        ([480, 640], [192, 256])
    """

    halved: Any
    start: Any
    stop: Any
    to_start: Any
    to_stop: Any
    mirrored: Any
    quality: Any


def plan_examples(
    sizes: tf.Tensor,
    boxes: tf.Tensor,
    class_ids: tf.Tensor,
    config: Config,
    *,
    seed: Any,
    all_qualities: bool = False,
) -> tuple[View, tf.Tensor, tf.Tensor]:
    """Training examples, all but their pixels: random crops of photos, every other one mirrored.

    Some are compressed to a JPEG file of low quality, as cameras and messengers do.

    Args:
        sizes: int32 [..., 2], (height, width) of the photos in pixels.
        boxes: float32 [..., boxes, 4], `[ymin, xmin, ymax, xmax]` on the unit square of the photo.
        class_ids: int [..., boxes]; -1 marks a region to ignore, 0 an unused row, -2 a face of
            unknown class.
        config: The `ssd.Config` of the model.
        seed: Two integers; the same seed makes the same examples.
        all_qualities: Whether every view says a quality, since it is the device that compresses
            and chooses which.

    Returns:
        The `View` of each; boxes [..., boxes, 4] on the unit square of the image; their classes
        [..., boxes], 0 for those that do not show.

    Example:
        >>> view, boxes, class_ids = plan_examples(
        ...     [[480, 640]], [[[0.25, 0.25, 0.75, 0.75]]], [[1]], Config(), seed=(1, 2)
        ... )
        >>> boxes.shape
        TensorShape([1, 1, 4])
    """
    draw = tf.random.stateless_uniform(tf.concat([tf.shape(sizes)[:-1], [8]], axis=0), seed)
    windows = choose_windows(sizes, boxes, class_ids, config, draw=draw[..., :5])
    view = window_to_view(sizes, windows, config.image_size, mirrored=draw[..., 5] < 0.5)
    whether = tf.zeros_like(draw[..., 7]) if all_qualities else draw[..., 7]
    view = view._replace(quality=draw_quality(whether, draw[..., 6]))
    return view, *move_boxes(boxes, class_ids, sizes, view, config.image_size)


def draw_quality(whether: tf.Tensor, which: tf.Tensor) -> tf.Tensor:
    """Qualities of the JPEG files that examples are made into, 0 for most, which are not.

    Args:
        whether: float32 [...], evenly drawn from 0 to 1.
        which: float32 [...], likewise.

    Returns:
        int32 [...].

    Example:
        >>> draw_quality(tf.constant([0.1, 0.9]), tf.constant([0.5, 0.5])).numpy().tolist()
        [45, 0]
    """
    quality = tf.cast(_WORST + which * (_BEST - _WORST), tf.int32)
    return tf.where(whether < _COMPRESSED, quality, 0)


def choose_windows(
    sizes: tf.Tensor, boxes: tf.Tensor, class_ids: tf.Tensor, config: Config, *, draw: tf.Tensor
) -> tf.Tensor:
    """Windows onto photos: three in four as served, the rest with a face of a size drawn at random.

    As served means about the whole photo, so that the sizes of faces, and how many there are, are
    those of life. Where most faces are small that alone would teach little about large ones: in
    the others one of the faces, if there are any, has a size drawn evenly on a logarithmic
    scale between `config.min_face` and the largest anchor.

    Args:
        sizes: int32 [..., 2], (height, width) of the photos in pixels.
        boxes: float32 [..., boxes, 4] on the unit square of the photo.
        class_ids: int [..., boxes].
        config: The `ssd.Config` of the model.
        draw: float32 [..., 5], evenly drawn from 0 to 1: as served or not, which face, how large,
            and where (two).

    Returns:
        float32 [..., 4], `[ymin, xmin, ymax, xmax]` in pixels of the photo; it has the aspect of
        the input, and may reach beyond the photo.

    Example:
        >>> window = choose_windows(
        ...     [480, 640], [[0.25, 0.25, 0.75, 0.75]], [1], Config(), draw=tf.fill([5], 0.5)
        ... )
        >>> window.numpy().round().tolist()
        [-13.0, 67.0, 493.0, 573.0]
    """
    photo, image = tf.cast(sizes, tf.float32), tf.constant(config.image_size, tf.float32)
    which, how_large, where = draw[..., 1], draw[..., 2], draw[..., 3:]
    face, found = _choose_face(boxes, class_ids, which)
    found = tf.logical_and(draw[..., 0] >= _AS_SERVED, found)
    face_low, face_high = face[..., :2] * photo, face[..., 2:] * photo

    # Pixels of the photo per pixel of the input when the whole photo just fits.
    whole = tf.reduce_max(photo / image, axis=-1)
    served = whole * _between(_PART, _MORE, how_large)
    around = _scale_around(face_high - face_low, whole, config, how_large)
    window = image * tf.where(found, around, served)[..., None]

    found = found[..., None]
    shown_low, shown_high = tf.where(found, face_low, 0.0), tf.where(found, face_high, photo)
    corner = _choose_corner(window, shown_low, shown_high, photo, where)
    return tf.concat([corner, corner + window], axis=-1)


def _choose_face(boxes, class_ids, draw):
    """One of each photo's faces, [..., 4], all zeros where there is none; and whether there is."""
    faces = tf.cast(is_object(class_ids), tf.int32)
    count = tf.reduce_sum(faces, axis=-1)
    chosen = tf.minimum(tf.cast(draw * tf.cast(count, tf.float32), tf.int32), count - 1)
    this = faces * tf.cast(tf.cumsum(faces, axis=-1) - 1 == chosen[..., None], tf.int32)
    return tf.reduce_sum(boxes * tf.cast(this, tf.float32)[..., None], axis=-2), count > 0


def _scale_around(extent, whole, config, draw):
    """Pixels of the photo per pixel of the input at which a face has a size drawn at random."""
    size = tf.sqrt(tf.maximum(tf.reduce_prod(extent, axis=-1), 1.0))
    largest = max(max(sizes) for sizes in config.anchor_sizes if sizes)
    scale = size / _between(config.min_face + 1, largest, draw)
    return tf.clip_by_value(scale, 1 / _ENLARGE, tf.maximum(_REACH * whole, 1 / _ENLARGE))


def _between(least, most, draw):
    """A number drawn evenly on a logarithmic scale."""
    return tf.exp(math.log(least) + draw * (math.log(most) - math.log(least)))


def _choose_corner(window, shown_low, shown_high, photo, draw):
    """Where a window of a size begins that is to show something."""
    # Anywhere, as long as all that is to be shown is inside (or, too large, its middle) ...
    one, other = shown_high - window, shown_low
    low, high = tf.minimum(one, other), tf.maximum(one, other)
    # ... and, where the photo is large enough, inside the photo: black bars are rare in life.
    inside_low, inside_high = tf.minimum(photo - window, 0.0), tf.maximum(photo - window, 0.0)
    low = tf.clip_by_value(low, inside_low, inside_high)
    high = tf.clip_by_value(high, inside_low, inside_high)
    return low + draw * (high - low)


def window_to_view(
    sizes: tf.Tensor,
    windows: tf.Tensor,
    image_size: tuple[int, int],
    *,
    mirrored: tf.Tensor | bool = False,
) -> View:
    """The rectangles of whole pixels that both window and photo cover, here and in the image.

    Args:
        sizes: int32 [..., 2], (height, width) of the photos in pixels.
        windows: float32 [..., 4], `[ymin, xmin, ymax, xmax]` in pixels of the photo.
        image_size: (height, width) of the image in pixels.
        mirrored: Whether left and right are exchanged, bool [...].

    Returns:
        A `View`.

    Example:
        >>> view = window_to_view([427, 640], tf.constant([0.0, 0, 640, 640]), (256, 256))
        >>> int(view.halved), view.stop.numpy().tolist(), view.to_stop.numpy().tolist()
        (1, [427, 640], [171, 256])
    """
    sizes = tf.convert_to_tensor(sizes)
    photo, image = tf.cast(sizes, tf.float32), tf.constant(image_size, tf.float32)
    corner, extent = windows[..., :2], windows[..., 2:] - windows[..., :2]
    start = tf.clip_by_value(tf.round(corner), 0.0, photo - 1)
    stop = tf.clip_by_value(tf.round(corner + extent), start + 1, photo)
    to_start = tf.clip_by_value(tf.round((start - corner) / extent * image), 0.0, image - 1)
    to_stop = tf.round((stop - corner) / extent * image)
    to_stop = tf.clip_by_value(to_stop, to_start + 1, image)
    start, stop, to_start, to_stop = (
        tf.cast(each, tf.int32) for each in (start, stop, to_start, to_stop)
    )
    halved = count_halvings(stop - start, to_stop - to_start)
    start, stop = _round_to_halved(start, stop, sizes, halved)
    mirrored = tf.broadcast_to(mirrored, tf.shape(halved))
    return View(halved, start, stop, to_start, to_stop, mirrored, tf.zeros_like(halved))


def _round_to_halved(start, stop, sizes, halved):
    """Edges moved to those of pixels of the halved photo; the photo's own stay where they are."""
    unit = tf.bitwise.left_shift(1, halved)[..., None]
    first = tf.clip_by_value((start + unit // 2) // unit, 0, (sizes - 1) // unit)
    last = tf.maximum((stop + unit // 2) // unit, first + 1)
    return first * unit, tf.where(stop == sizes, sizes, tf.minimum(last * unit, sizes))


def photo_to_view(sizes: tf.Tensor, inner: tf.Tensor) -> View:
    """Whole photos, each scaled to a size in the image's top left corner.

    Args:
        sizes: int32 [..., 2], (height, width) of the photos in pixels.
        inner: int32 [..., 2], the size that each is to have.

    Returns:
        A `View`.

    Example:
        >>> view = photo_to_view([427, 640], [171, 256])
        >>> int(view.halved), view.stop.numpy().tolist(), view.to_stop.numpy().tolist()
        (1, [427, 640], [171, 256])
    """
    sizes, inner = tf.convert_to_tensor(sizes), tf.convert_to_tensor(inner)
    halved, corner = count_halvings(sizes, inner), tf.zeros_like(sizes)
    mirrored, quality = tf.zeros_like(halved, tf.bool), tf.zeros_like(halved)
    return View(halved, corner, sizes, corner, inner, mirrored, quality)


def move_boxes(
    boxes: tf.Tensor,
    class_ids: tf.Tensor,
    sizes: tf.Tensor,
    view: View,
    image_size: tuple[int, int],
) -> tuple[tf.Tensor, tf.Tensor]:
    """Boxes where a `View` shows them: of the pixels really shown, not of the window wanted.

    Args:
        boxes: float32 [..., boxes, 4] on the unit square of the photo.
        class_ids: int [..., boxes].
        sizes: int32 [..., 2], (height, width) of the photos in pixels.
        view: A `View` of each photo.
        image_size: (height, width) of the image in pixels.

    Returns:
        Boxes [..., boxes, 4] on the unit square of the image, clipped to what shows, and their
        classes: -1 for a face of which too little is left, 0 for what does not show.

    Example:
        >>> view = photo_to_view([480, 640], [192, 256])
        >>> boxes, class_ids = move_boxes([[0.0, 0.25, 1, 0.5]], [1], [480, 640], view, (256, 256))
        >>> boxes.numpy().tolist(), class_ids.numpy().tolist()
        ([[0.0, 0.25, 0.75, 0.5]], [1])
    """

    def both(pairs):
        """(row, column) as often as a box has corners."""
        return tf.concat([pairs, pairs], axis=-1)[..., None, :]

    start, stop, to_start, to_stop = (
        tf.cast(each, tf.float32) for each in (view.start, view.stop, view.to_start, view.to_stop)
    )
    zoom = (to_stop - to_start) / (stop - start)
    moved = boxes * both(tf.cast(sizes, tf.float32) * zoom) + both(to_start - start * zoom)
    seen = tf.clip_by_value(moved, both(to_start), both(to_stop))
    left_over = tf.math.divide_no_nan(area(seen), area(moved))
    class_ids = tf.where(left_over < VISIBLE, -1, tf.cast(class_ids, tf.int32))
    class_ids = tf.where(left_over > 0, class_ids, 0)
    ymin, xmin, ymax, xmax = tf.unstack(seen / both(tf.constant(image_size, tf.float32)), axis=-1)
    shown = tf.stack([ymin, xmin, ymax, xmax], axis=-1)
    turned = tf.stack([ymin, 1 - xmax, ymax, 1 - xmin], axis=-1)
    return tf.where(view.mirrored[..., None, None], turned, shown), class_ids


def make_image(photo: tf.Tensor, view: View, image_size: tuple[int, int]) -> tf.Tensor:
    """The pixels of one example; beyond the photo lies black.

    Args:
        photo: string [], a JPEG file, of which only what shows is decoded; or uint8
            [height, width, 3].
        view: The `View` of this photo.
        image_size: (height, width) of the image in pixels.

    Returns:
        uint8 [*image_size, 3].

    Example:
        >>> photo = tf.io.encode_jpeg(tf.zeros([480, 640, 3], tf.uint8))
        >>> make_image(photo, photo_to_view([480, 640], [192, 256]), (256, 256)).shape
        TensorShape([256, 256, 3])
    """
    image = _place(scale_part(*decode_part(photo, view), view), view, image_size)
    # One branch or the other: choosing between two finished images takes ten times as long.
    image = tf.cond(view.mirrored, lambda: tf.reverse(image, axis=[1]), lambda: image)
    return recompress(image, view.quality)


def _place(part, view, image_size):
    """A scaled part where it belongs in the image, black around it."""
    around = tf.stack([view.to_start, image_size - view.to_stop], axis=1)
    # As rows of bytes: where pixels are an axis of their own this takes nine times as long.
    rows = tf.reshape(part, [tf.shape(part)[0], -1])
    return tf.reshape(tf.pad(rows, around * [[1], [3]]), (*image_size, 3))


def make_part(photo: tf.Tensor, view: View, image_size: tuple[int, int]) -> dict[str, tf.Tensor]:
    """What a device needs to make the image itself (`ssd.nets.sampling`).

    Args:
        photo: string [], a JPEG file; or uint8 [height, width, 3].
        view: The `View` of this photo.
        image_size: (height, width) of the image in pixels.

    Returns:
        "windows", uint8 [rows, columns, 3], the part halved but not sampled, at most twice the
        image in either direction; "views", int32 [9]: its extent in pixels of the photo, how many
        of these make one of its own, where it begins and ends in the image, 1 where left and right
        are exchanged, and the quality of the JPEG file.

    Example:
        >>> photo = tf.io.encode_jpeg(tf.zeros([480, 640, 3], tf.uint8))
        >>> part = make_part(photo, photo_to_view([480, 640], [192, 256]), (256, 256))
        >>> part["windows"].shape.as_list(), part["views"].numpy().tolist()
        ([240, 320, 3], [480, 640, 2, 0, 0, 192, 256, 0, 0])
    """
    part, halvings = decode_part(photo, view)
    size, extent = view.to_stop - view.to_start, view.stop - view.start
    unit = tf.bitwise.left_shift(1, view.halved)
    part = tf.cond(halvings > 0, lambda: _halve(part, halvings), lambda: part)
    # A panorama that becomes a single row may be longer than that: it is sampled here.
    fits = tf.reduce_all(tf.shape(part)[:2] <= 2 * tf.constant(image_size))

    def sampled():
        return scale_part(part, tf.zeros_like(halvings), view), size, tf.ones_like(unit)

    windows, extent, unit = tf.cond(fits, lambda: (part, extent, unit), sampled)
    mirrored = tf.cast(view.mirrored, tf.int32)
    ends = tf.concat([view.to_start, view.to_stop], axis=0)
    numbers = tf.stack([unit, mirrored, view.quality])
    views = tf.concat([extent, numbers[:1], ends, numbers[1:]], axis=0)
    return {"windows": windows, "views": views}


def finished_part(image: tf.Tensor) -> dict[str, tf.Tensor]:
    """An image that is made already, as a part: the device leaves it as it is.

    Args:
        image: uint8 [height, width, 3], of the image's size.

    Returns:
        "windows" and "views", as `make_part` gives them.

    Example:
        >>> finished_part(tf.zeros([64, 96, 3], tf.uint8))["views"].numpy().tolist()
        [64, 96, 1, 0, 0, 64, 96, 0, 0]
    """
    height, width, _ = image.shape
    return {"windows": image, "views": tf.constant([height, width, 1, 0, 0, height, width, 0, 0])}


def decode_part(photo: tf.Tensor, view: View) -> tuple[tf.Tensor, tf.Tensor]:
    """The pixels that a `View` shows, before they are scaled; a JPEG decoder halves them already.

    Args:
        photo: string [], a JPEG file; or uint8 [height, width, 3].
        view: The `View` of this photo.

    Returns:
        uint8 [rows, columns, 3], and how often these are still to be halved, int32 [].

    Example:
        >>> photo = tf.io.encode_jpeg(tf.zeros([480, 640, 3], tf.uint8))
        >>> part, halvings = decode_part(photo, photo_to_view([480, 640], [15, 20]))
        >>> part.shape.as_list(), int(halvings)
        ([60, 80, 3], 2)
    """
    photo = tf.convert_to_tensor(photo)
    if photo.dtype != tf.string:
        (top, left), (bottom, right) = tf.unstack(view.start), tf.unstack(view.stop)
        return photo[top:bottom, left:right], view.halved
    decoded = tf.minimum(view.halved, _DECODER_HALVINGS)
    start = tf.bitwise.right_shift(view.start, decoded)
    rectangle = tf.concat([start, _halve_size(view.stop, decoded) - start], axis=0)

    def at(ratio):
        return lambda: tf.io.decode_and_crop_jpeg(
            photo, rectangle, channels=3, ratio=ratio, dct_method="INTEGER_ACCURATE"
        )

    # The ratio is an attribute of the operation, so each has an operation of its own.
    ratios = [at(2**times) for times in range(_DECODER_HALVINGS + 1)]
    return tf.switch_case(decoded, ratios), view.halved - decoded


def scale_part(part: tf.Tensor, halvings: tf.Tensor, view: View) -> tf.Tensor:
    """What `decode_part` gave at the size that the `View` says, as serving would scale it.

    It is halved, each pixel the mean of two by two, and then sampled bilinearly
    (`ssd.photos.resizing.resize`). What a JPEG decoder has halved arrives here halved: its scaled
    transform differs from the mean by half of 1/255 on average over a photo.

    Args:
        part: uint8 [height, width, 3].
        halvings: How often it is still to be halved, int32 [].
        view: The `View` that it is of.

    Returns:
        uint8 [*(view.to_stop - view.to_start), 3].

    Example:
        >>> photo = tf.constant([[[9] * 3, [10] * 3]] * 2, tf.uint8)
        >>> scale_part(photo, 1, photo_to_view([2, 2], [1, 1])).numpy().tolist()
        [[[10, 10, 10]]]
    """
    size = view.to_stop - view.to_start
    part = tf.cond(halvings > 0, lambda: _halve(part, halvings), lambda: part)
    # In pixels of the halved photo, of which the photo's edge may cut the last.
    unit = tf.bitwise.left_shift(1, view.halved)
    extent = tf.cast(view.stop - view.start, tf.float32) / tf.cast(unit, tf.float32)

    def sample_whole():
        return to_bytes(
            tf.raw_ops.ResizeBilinear(images=part[None], size=size, half_pixel_centers=True)[0]
        )

    def sample_cut():  # ScaleAndTranslate would take twice the time
        rows = _sample_rows(part, extent[0], size[0])
        columns = _sample_rows(tf.transpose(rows, [1, 0, 2]), extent[1], size[1])
        return to_bytes(tf.transpose(columns, [1, 0, 2]))

    # What has the size by now (a cached photo may) need not go through a filter.
    cut = tf.reduce_any(tf.cast(tf.shape(part)[:2], tf.float32) != extent)
    other = tf.reduce_any(tf.shape(part)[:2] != size)
    way = tf.where(cut, 2, tf.cast(other, tf.int32))
    return tf.switch_case(way, [lambda: part, sample_whole, sample_cut])


def _sample_rows(image, extent, size):
    """An extent of rows, no whole number of them, at a size: float, each between two of its own."""
    size, last = tf.cast(size, tf.float32), tf.shape(image)[0] - 1
    place = (tf.range(size) + 0.5) * (extent / size) - 0.5
    place = tf.clip_by_value(place, 0.0, tf.cast(last, tf.float32))
    above = tf.cast(place, tf.int32)
    share = (place - tf.cast(above, tf.float32))[:, None, None]
    one, other = (
        tf.cast(tf.gather(image, rows), tf.float32) for rows in (above, tf.minimum(above + 1, last))
    )
    return one + share * (other - one)


def count_halvings(old: tf.Tensor, new: tf.Tensor) -> tf.Tensor:
    """How often pixels are halved before they are sampled: `ssd.photos.resizing.count_halvings`.

    Args:
        old: int32 [..., 2], (height, width) as it is.
        new: int32 [..., 2], (height, width) as it is to be.

    Returns:
        int32 [...].

    Example:
        >>> [int(count_halvings([480, 640], size)) for size in ([241, 321], [240, 320], [15, 20])]
        [0, 1, 5]
    """
    ratio = tf.reduce_min(tf.math.floordiv(old, new), axis=-1)
    return tf.reduce_sum(tf.cast(ratio[..., None] >= [2**n for n in range(1, 16)], tf.int32), -1)


def _halve_size(size, times):
    """What a size comes to, halved; a pixel that the photo's edge cuts counts."""
    unit = tf.bitwise.left_shift(1, times)
    return (size + unit - 1) // unit


def _halve(part, times):
    """Each pixel the mean of `2**times` squared; where the photo ends, its last is repeated."""
    old = tf.shape(part)[:2]
    size = _halve_size(old, times)
    wanted = tf.bitwise.left_shift(size, times)

    def repeat_last():
        # Put together of what lies together: gathering columns takes longer than halving.
        below, beside = tf.unstack(wanted - old)
        longer = tf.concat([part, tf.repeat(part[-1:], below, axis=0)], axis=0)
        return tf.concat([longer, tf.repeat(longer[:, -1:], beside, axis=1)], axis=1)

    whole = tf.cond(tf.reduce_all(wanted == old), lambda: part, repeat_last)
    return to_bytes(tf.raw_ops.ResizeArea(images=whole[None], size=size)[0])


def to_bytes(image: tf.Tensor) -> tf.Tensor:
    """Pixels as bytes.

    Args:
        image: float [...], from 0 to 255.

    Returns:
        uint8 [...], rounded.

    Example:
        >>> to_bytes(tf.constant([9.4, 9.6])).numpy().tolist()
        [9, 10]
    """
    return tf.cast(image + 0.5, tf.uint8)


def is_object(class_ids: Any) -> tf.Tensor:
    """Which labels are of something to be found, whether or not its class is known.

    Args:
        class_ids: Numbers [...]: classes from 1 on, 0 for an unused row, -1 for a region to ignore,
            -2 for an object of unknown class.

    Returns:
        bool [...].

    Example:
        >>> is_object([2, 0, -1, -2]).numpy().tolist()
        [True, False, False, True]
    """
    class_ids = tf.convert_to_tensor(class_ids)
    return (class_ids > 0) | (class_ids == UNKNOWN)


def area(boxes: tf.Tensor) -> tf.Tensor:
    """Areas of boxes.

    Args:
        boxes: [..., 4], `[ymin, xmin, ymax, xmax]`.

    Returns:
        float [...], in the square of their unit.

    Example:
        >>> area(tf.constant([[0.0, 0.0, 0.5, 1.0]])).numpy().tolist()
        [0.5]
    """
    return (boxes[..., 2] - boxes[..., 0]) * (boxes[..., 3] - boxes[..., 1])

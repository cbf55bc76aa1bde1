"""Photo and boxes changed together, each change a pure function of both and a seed."""

import math

import tensorflow as tf

# A face is shown at a size between these shares of its anchors' whole range, so that every
# level has something to learn, and never enlarged beyond what a resize can invent.
_ENLARGE = 2.0
# A crop may reach beyond the photo by this factor; what lies there is black.
_REACH = 2.0
# A face of which a crop keeps less than this share is a region to ignore.
_VISIBLE = 0.6


def augment(photo, boxes, classes, config, *, seed):
    """A training example: a random crop of the photo, perhaps mirrored, in other light.

    Args:
        photo: uint8 [height, width, 3].
        boxes: float32 [boxes, 4], `[ymin, xmin, ymax, xmax]` on the unit square of the photo.
        classes: int [boxes]; -1 marks a region to ignore.
        config: The `ssd.Config` of the model.
        seed: Two integers; the same seed makes the same example.

    Returns:
        uint8 [*config.image_size, 3]; the boxes on its unit square and their classes.
    """
    seeds = tf.unstack(tf.random.split(tf.cast(seed, tf.int64), 3))
    window = choose_window(tf.shape(photo)[:2], boxes, classes, config, seed=seeds[0])
    image, boxes, classes = crop(photo, boxes, classes, window, config.image_size)
    image, boxes = flip(image, boxes, seed=seeds[1])
    return relight(image, seed=seeds[2]), boxes, classes


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
        photo: uint8 [height, width, 3].
        boxes: float32 [boxes, 4] on the unit square of the photo.
        classes: int [boxes].
        window: float32 [4], `[ymin, xmin, ymax, xmax]` in pixels of the photo; beyond the photo
            lies black.
        image_size: (height, width) of the result in pixels.

    Returns:
        uint8 [*image_size, 3]; the boxes that show in it, clipped, on its unit square; their
        classes, -1 for a face of which too little is left.
    """
    shape = tf.shape(photo)[:2]
    size = tf.constant(image_size, tf.float32)
    photo_size = tf.cast(shape, tf.float32)
    corner, extent = window[:2], window[2:] - window[:2]

    # The rectangle of whole pixels that both window and photo cover, here and in the result.
    start = tf.clip_by_value(tf.round(corner), 0.0, photo_size - 1)
    stop = tf.clip_by_value(tf.round(corner + extent), start + 1, photo_size)
    place = tf.round((start - corner) / extent * size)
    place = tf.clip_by_value(place, 0.0, size - 1)
    place_stop = tf.clip_by_value(tf.round((stop - corner) / extent * size), place + 1, size)

    y, x = tf.unstack(tf.cast(start, tf.int32))
    y_stop, x_stop = tf.unstack(tf.cast(stop, tf.int32))
    inner = tf.cast(place_stop - place, tf.int32)
    image = tf.image.resize(photo[y:y_stop, x:x_stop], inner, antialias=True)
    image = tf.saturate_cast(tf.round(image), tf.uint8)
    top, left = tf.unstack(tf.cast(place, tf.int32))
    image = tf.image.pad_to_bounding_box(image, top, left, *image_size)

    # Boxes follow the rectangle that was really copied, not the window before rounding.
    scale = (place_stop - place) / (stop - start)
    moved = (boxes * tf.tile(photo_size, [2]) - tf.tile(start, [2])) * tf.tile(scale, [2])
    moved = (moved + tf.tile(place, [2])) / tf.tile(size, [2])
    seen = tf.clip_by_value(moved, 0.0, 1.0)
    left_over = tf.math.divide_no_nan(area(seen), area(moved))
    classes = tf.where(left_over < _VISIBLE, -1, tf.cast(classes, tf.int32))
    kept = left_over > 0
    return image, tf.boolean_mask(seen, kept), tf.boolean_mask(classes, kept)


def flip(image, boxes, *, seed):
    """Left and right exchanged, every other time.

    Args:
        image: [height, width, 3].
        boxes: float32 [boxes, 4] on the unit square of the image.
        seed: Two integers.

    Returns:
        The image and its boxes.
    """
    ymin, xmin, ymax, xmax = tf.unstack(boxes, axis=1)
    mirrored = tf.stack([ymin, 1 - xmax, ymax, 1 - xmin], axis=1)
    if_flipped = tf.random.stateless_uniform([], seed) < 0.5
    return (
        tf.where(if_flipped, tf.reverse(image, axis=[1]), image),
        tf.where(if_flipped, mirrored, boxes),
    )


def relight(image, *, seed):
    """Other brightness, contrast, saturation and gamma.

    Args:
        image: uint8 [height, width, 3].
        seed: Two integers.

    Returns:
        uint8 [height, width, 3]. Black stays black, so that padding does.
    """
    draw = tf.random.stateless_uniform([4], seed, minval=-1.0)
    light = tf.cast(image, tf.float32) / 255
    # A gamma above 1 crushes the shadows, as a camera against the light does.
    light = tf.pow(light, tf.exp(0.5 * draw[0]))
    grey = tf.reduce_mean(light, axis=2, keepdims=True)
    light = grey + (light - grey) * (1 + 0.5 * draw[1])
    middle = tf.reduce_mean(light)
    light = tf.where(light > 0, middle + (light - middle) * (1 + 0.3 * draw[2]), 0.0)
    light = light * (1 + 0.3 * draw[3])
    return tf.saturate_cast(tf.round(light * 255), tf.uint8)


def area(boxes):
    """Areas [boxes] of boxes [boxes, 4]."""
    return (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])

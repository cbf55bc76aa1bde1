"""Training examples turned about the middle of the image: heads are not always upright."""

import math

import tensorflow as tf

from ssd.data import augment

# Half of the examples stay upright, as most heads are.
_TURNED = 0.5


def check(rotation: float, *, training: bool = True, sample_on_device: bool = False) -> None:
    """See that examples can be turned so.

    Args:
        rotation: Greatest angle in degrees.
        training: As for `ssd.dataset`.
        sample_on_device: As for `ssd.dataset`.

    Raises:
        ValueError: If they cannot.

    Example:
        >>> check(200)
        Traceback (most recent call last):
        ValueError: rotation: wanted degrees from 0 to 180, got 200
    """
    if not 0 <= rotation <= 180:
        raise ValueError(f"rotation: wanted degrees from 0 to 180, got {rotation!r}")
    if rotation and (not training or sample_on_device):
        raise ValueError("rotation: wanted training=True and photos sampled here, not on a device")


def draw_angle(rotation: float, seed: tf.Tensor) -> tf.Tensor:
    """How far an example is turned: every other one, evenly up to an angle, either way.

    Args:
        rotation: Greatest angle in degrees.
        seed: Two integers.

    Returns:
        float32 [], in degrees.

    Example:
        >>> abs(float(draw_angle(30.0, tf.constant([1, 2])))) <= 30
        True
    """
    whether, which = tf.unstack(tf.random.stateless_uniform([2], seed))
    return tf.where(whether < _TURNED, rotation * (2 * which - 1), 0.0)


def turn_example(
    image: tf.Tensor, label: tf.Tensor, degrees: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """An example turned about the middle of its image; what comes in from outside is black.

    Args:
        image: uint8 [height, width, 3].
        label: float32 [rows, 5], as `ssd.dataset` has it.
        degrees: How far, against the clock as seen; 0 leaves all as it is.

    Returns:
        Both, in the same shape. A face of which too little is left in the image is a region to
        ignore.

    Example:
        >>> image = tf.zeros([40, 40, 3], tf.uint8)
        >>> label = tf.constant([[0.0, 0.25, 0.5, 0.5, 1.0]])
        >>> _, turned = turn_example(image, label, 90.0)
        >>> turned.numpy().round(3).tolist()
        [[0.5, 0.0, 0.75, 0.5, 1.0]]
    """
    size = tuple(image.shape[:2])
    radians = tf.cast(degrees, tf.float32) * (math.pi / 180)

    def turned():
        return turn_image(image, radians), turn_label(label, radians, size)

    return tf.cond(radians == 0, lambda: (image, label), turned)


def turn_image(image: tf.Tensor, radians: tf.Tensor) -> tf.Tensor:
    """The pixels of a turned image, sampled bilinearly.

    Args:
        image: uint8 [height, width, 3].
        radians: How far, against the clock as seen.

    Returns:
        uint8 [height, width, 3].

    Example:
        >>> image = tf.constant([[[1], [2]], [[3], [4]]], tf.uint8)
        >>> turn_image(image, tf.constant(math.pi / 2))[..., 0].numpy().tolist()
        [[2, 4], [1, 3]]
    """
    height, width, _ = image.shape
    y, x = (height - 1) / 2, (width - 1) / 2
    cosine, sine = tf.cos(radians), tf.sin(radians)
    # Of a pixel of the result, where it is taken from: both ways are (across, down).
    across = [cosine, -sine, x - cosine * x + sine * y]
    down = [sine, cosine, y - sine * x - cosine * y]
    made = tf.raw_ops.ImageProjectiveTransformV3(
        images=tf.cast(image, tf.float32)[None],
        transforms=tf.stack([*across, *down, 0.0, 0.0])[None],
        output_shape=[height, width],
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="CONSTANT",
    )
    return tf.ensure_shape(augment.to_bytes(made[0]), image.shape)


def turn_label(label: tf.Tensor, radians: tf.Tensor, size: tuple[int, int]) -> tf.Tensor:
    """Boxes of a turned image: those of turned ellipses (`ssd.turn_boxes` says why).

    Args:
        label: float32 [rows, 5]: box `[ymin, xmin, ymax, xmax]` on the unit square, class.
        radians: How far, against the clock as seen.
        size: (height, width) of the image in pixels.

    Returns:
        float32 [rows, 5]. Boxes are clipped to the image; what is left of a face to less than a
        training example wants is class -1, and what is outside an unused row.

    Example:
        >>> label = tf.constant([[0.25, 0.25, 0.75, 0.75, -1.0]])
        >>> (turned,) = turn_label(label, tf.constant(math.pi / 4), (40, 40)).numpy()
        >>> [round(float(each), 2) for each in turned]
        [0.15, 0.15, 0.85, 0.85, -1.0]
    """
    pixels = tf.constant(size, tf.float32)
    low, high, class_ids = label[:, :2] * pixels, label[:, 2:4] * pixels, label[:, 4]
    cosine, sine = tf.cos(radians), tf.sin(radians)
    y, x = tf.unstack((low + high - pixels) / 2, axis=1)
    tall, wide = tf.unstack((high - low) / 2, axis=1)
    center = tf.stack([cosine * y - sine * x, sine * y + cosine * x], axis=1) + pixels / 2
    one = tf.abs(tf.stack([cosine * tall, sine * tall], axis=1))
    other = tf.abs(tf.stack([sine * wide, cosine * wide], axis=1))
    # A region to ignore hides what is in its corners, too.
    region = tf.logical_not(augment.is_object(class_ids))[:, None]
    half = tf.where(region, one + other, tf.sqrt(one * one + other * other))
    boxes = tf.concat([center - half, center + half], axis=1)
    seen = tf.clip_by_value(boxes, 0.0, tf.tile(pixels, [2]))
    left = tf.math.divide_no_nan(augment.area(seen), augment.area(boxes))
    class_ids = tf.where((class_ids != 0) & (left < augment.VISIBLE), -1.0, class_ids)
    turned = tf.concat([seen / tf.tile(pixels, [2]), class_ids[:, None]], axis=1)
    return tf.where((left > 0)[:, None], turned, 0.0)

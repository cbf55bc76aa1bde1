"""JPEG files: which can be decoded, and what compression does to a photo."""

import tensorflow as tf


def recompress(image: tf.Tensor, quality: tf.Tensor | int) -> tf.Tensor:
    """A photo that has been a JPEG file of some quality.

    Before the batch; where the device samples, it also does this (`ssd/nets/compression.py`).

    Args:
        image: uint8 [height, width, 3].
        quality: int32 [], from 1 to 100, or 0 to leave the photo as it is.

    Returns:
        uint8 [height, width, 3].

    Example:
        >>> image = tf.zeros([16, 16, 3], tf.uint8)
        >>> recompress(image, 15).shape
        TensorShape([16, 16, 3])
    """
    image, quality = tf.convert_to_tensor(image), tf.convert_to_tensor(quality)

    def damaged():
        return tf.image.adjust_jpeg_quality(image, quality)

    return tf.ensure_shape(tf.cond(quality > 0, damaged, lambda: image), image.shape)


def is_decodable(encoded: bytes) -> bool:
    """Whether training can decode a JPEG file: TensorFlow wants more of one than Pillow does.

    Args:
        encoded: The file.

    Returns:
        bool.

    Example:
        >>> black = tf.io.encode_jpeg(tf.zeros([16, 16, 3], tf.uint8)).numpy()
        >>> is_decodable(black), is_decodable(black[:-2])
        (True, False)
    """
    try:
        tf.io.decode_jpeg(encoded, channels=3, ratio=8)  # reads all, computes an eighth of a side
    except tf.errors.InvalidArgumentError:
        return False
    return True

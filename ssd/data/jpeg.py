"""What a camera's or a messenger's compression does to a photo."""

import tensorflow as tf


def recompress(image, quality):
    """A photo that has been a JPEG file of some quality.

    Before the batch and not with the rest of the light (`ssd/nets/photometric.py`), since no device
    encodes JPEG.

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

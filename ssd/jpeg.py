"""What a camera's or a messenger's compression does to a photo."""

import tensorflow as tf

# It costs an encoder and a decoder, so only a share of the photos goes through it.
_SHARE = 0.15
_WORST, _BEST = 15, 75


def damage(image, *, seed, share=_SHARE):
    """A photo that has been a JPEG file of low quality, for a share of the photos.

    Here and not with the rest of the light (`ssd/light.py`), since no device encodes JPEG.

    Args:
        image: uint8 [height, width, 3].
        seed: Two integers.
        share: Of the photos, in [0, 1].

    Returns:
        uint8 [height, width, 3].

    Example:
        >>> image = tf.zeros([16, 16, 3], tf.uint8)
        >>> damage(image, seed=(1, 2), share=1.0).shape
        TensorShape([16, 16, 3])
    """
    seeds = tf.unstack(tf.random.split(tf.cast(seed, tf.int64), 2))
    image = tf.convert_to_tensor(image)

    def damaged():
        return tf.image.stateless_random_jpeg_quality(image, _WORST, _BEST, seed=seeds[1])

    chosen = tf.random.stateless_uniform([], seeds[0]) < share
    return tf.ensure_shape(tf.cond(chosen, damaged, lambda: image), image.shape)

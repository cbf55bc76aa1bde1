"""A backbone as a user writes one: a file of its own, layers of Keras, one function."""

from keras import layers

import ssd


@ssd.backbone("own")
def own(images, width_multiplier):
    """Separable convolutions, and ways to see and to add that none of the others has."""
    x, maps = images, []
    for _ in range(5):
        x = layers.ZeroPadding2D(((0, 1), (0, 1)))(x)
        x = layers.Conv2D(max(8, int(64 * width_multiplier)), 3, 2, use_bias=False)(x)
        x = layers.BatchNormalization()(x)
        x = layers.Activation("hard_swish")(x)
        x = layers.DepthwiseConv2D(5, padding="same", activation="relu")(x)
        maps.append(x)
    return maps[2:]

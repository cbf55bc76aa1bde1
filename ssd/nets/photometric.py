"""Photos in other light, out of focus, grainy: changed on the device, while training only.

Each change is a pure function of images, float [batch, height, width, 3] with values in
[0, 255], and of numbers drawn for each photo, [batch]. None moves a pixel's content, so boxes
stay right; what is black stays black (but for a blur's edge), so that padding does.
`PhotometricAugmentation` draws the numbers.
"""

import math
from typing import Any

import keras
from keras import ops

# The first half of a batch is changed, the rest is shown as served: photos come in random order,
# and on a processor the changes take as long as the network's forward pass. Of that half, the
# first half again is blurred, in 14 passes over the pixels.
_CHANGED = 2
_BLURRED = 2
# Shares of the changed photos that a change falls upon. Tone changes on all of them.
_CRUSHED = 0.15
_BACKLIT = 0.2
_GRAINY = 0.3
# Reach of the blur in pixels to either side; two standard deviations at its strongest.
_REACH = 3


def tone(images: Any, gamma: Any, saturation: Any, contrast: Any, gain: Any) -> Any:
    """Gamma, then saturation, contrast and brightness; all 1 changes nothing.

    Args:
        images: float [batch, height, width, 3] in [0, 255].
        gamma: [batch], above 0; above 1 darkens the middle, as a camera against the light does.
        saturation: [batch], 0 or more; 0 is gray.
        contrast: [batch], 0 or more, about the mean of the photo.
        gain: [batch], 0 or more.

    Returns:
        Images of the same shape, in [0, 255]. Black stays black.

    Example:
        >>> gray = ops.full([1, 1, 1, 3], 255 / 4)
        >>> one = ops.ones([1])
        >>> float(ops.round(tone(gray, 0.5 * one, one, one, one))[0, 0, 0, 0])  # 255 / 2
        128.0
    """
    batch, height, width, _ = ops.shape(images)
    draws = (gamma, saturation, contrast, gain)
    gamma, saturation, contrast, gain = (draw[:, None, None] for draw in draws)
    # (x / 255) ** gamma; exp and log use the processor's vector units, a power may not.
    light = ops.reshape(ops.log(images / 255 + 1e-6), [batch, height * width, 3])
    light = ops.exp(gamma * light)
    # What follows is linear: gray + (light - gray) * saturation, then
    # middle + (light - middle) * contrast, then gain. One 3 x 3 matrix and a constant.
    mix = (1 - saturation) / 3 + saturation * ops.eye(3)
    middle = ops.mean(light, axis=[1, 2], keepdims=True)
    light = 255 * gain * (contrast * ops.matmul(light, mix) + (1 - contrast) * middle)
    light = ops.reshape(light, [batch, height, width, 3])
    return ops.clip(_lit(images) * light, 0.0, 255.0)


def crush(images: Any, strength: Any) -> Any:
    """Shadows crushed: what is darker than a level becomes black, the rest is spread out.

    Args:
        images: float [batch, height, width, 3] in [0, 255].
        strength: [batch] in [0, 1]; 0 changes nothing, at 1 the level is 60.

    Returns:
        Images of the same shape, in [0, 255].

    Example:
        >>> ops.convert_to_numpy(crush(ops.full([1, 1, 1, 3], 60.0), ops.ones([1]))).tolist()
        [[[[0.0, 0.0, 0.0]]]]
    """
    level = 60 * strength[:, None, None, None]
    return ops.relu(images - level) * (255 / (255 - level))


def backlight(images: Any, strength: Any, center: Any, size: Any) -> Any:
    """A dark subject before a bright background: a smooth field of light over the photo.

    Args:
        images: float [batch, height, width, 3] in [0, 255].
        strength: [batch] in [0, 1]. 0 changes nothing; at 1 the middle of the subject keeps
            0.3 of its light, and the background far from it has 1.8 times its own.
        center: [batch, 2], (y, x) of the subject on the unit square.
        size: [batch], standard deviation of the subject's bell on the unit square.

    Returns:
        Images of the same shape, in [0, 255]. What gets too bright is blown out.

    Example:
        >>> gray, one = ops.full([1, 9, 9, 3], 100.0), ops.ones([1])
        >>> lit = backlight(gray, one, [[0.5, 0.5]], 0.1 * one)
        >>> [round(float(lit[0, row, row, 0])) for row in (0, 4)]
        [180, 30]
    """
    _, height, width, _ = ops.shape(images)
    center = ops.convert_to_tensor(center)

    def bell(count, middle):
        place = (ops.arange(count, dtype="float32") + 0.5) / ops.cast(count, "float32")
        return ops.exp(-0.5 * ops.square((place - middle[:, None]) / size[:, None]))

    subject = bell(height, center[:, 0])[:, :, None] * bell(width, center[:, 1])[:, None, :]
    light = 1 + strength[:, None, None] * (0.8 - 1.5 * subject)
    return ops.minimum(images * light[..., None], 255.0)


def blur(images: Any, down: Any, across: Any) -> Any:
    """Out of focus, or moved: a Gaussian down the photo and one across it.

    Equal widths are defocus, one of them alone is the camera or the subject moving. Kernels
    reach 3 pixels; each photo has its own.

    Args:
        images: float [batch, height, width, 3] in [0, 255].
        down: [batch], standard deviation in pixels, 0 to 1.5; 0 changes nothing.
        across: [batch], likewise.

    Returns:
        Images of the same shape, in [0, 255]. Beyond its edge a photo is mirrored.

    Example:
        >>> line = 99 * ops.one_hot([[[3]]], 7)  # one bright column, [1, 1, 1, 7]
        >>> line = ops.tile(ops.transpose(line, [0, 1, 3, 2]), [1, 7, 1, 3])
        >>> blurred = blur(line, ops.ones([1]), ops.ones([1]))
        >>> [round(float(x)) for x in blurred[0, 3, :, 0]]
        [0, 5, 24, 40, 24, 5, 0]
    """
    offsets = ops.arange(-_REACH, _REACH + 1, dtype="float32")

    def along(images, axis, width):
        # At width 0 all weight is on the middle.
        weights = ops.exp(-0.5 * ops.square(offsets / ops.maximum(width, 1e-2)[:, None]))
        weights = weights / ops.sum(weights, axis=-1, keepdims=True)
        pads = [[0, 0]] * 4
        pads[axis] = [_REACH, _REACH]
        padded, count = ops.pad(images, pads, mode="symmetric"), ops.shape(images)[axis]
        total = 0.0
        for index in range(2 * _REACH + 1):
            window = [slice(None)] * 4
            window[axis] = slice(index, index + count)
            total = total + weights[:, index, None, None, None] * padded[tuple(window)]
        return total

    return along(along(images, 1, down), 2, across)


def grain(images: Any, read: Any, shot: Any, noise: Any) -> Any:
    """A sensor's noise: the same everywhere (read), and more where there is more light (shot).

    Args:
        images: float [batch, height, width, 3] in [0, 255].
        read: [batch], standard deviation of the noise in black, in [0, 255].
        shot: [batch], variance of the noise per unit of light.
        noise: [batch or 1, height, width, 3], standard normal.

    Returns:
        Images of the same shape, in [0, 255]. Black stays black.

    Example:
        >>> gray, one = ops.full([1, 1, 1, 3], 100.0), ops.ones([1])
        >>> float(grain(gray, 3 * one, 0.16 * one, ops.ones([1, 1, 1, 3]))[0, 0, 0, 0])
        105.0
    """
    read, shot = read[:, None, None, None], shot[:, None, None, None]
    noisy = images + noise * ops.sqrt(ops.square(read) + shot * images)
    return ops.clip(_lit(images) * noisy, 0.0, 255.0)


def _lit(images):
    """1 where there is light, 0 in black. A product with it takes a third of the time of where."""
    return ops.cast(images > 0, images.dtype)


@keras.saving.register_keras_serializable("ssd")
class PhotometricAugmentation(keras.layers.Layer):
    """Draws other light, blur and noise for half of a batch; serving passes through it.

    Args:
        seed: Of the draws. If left out, `keras.utils.set_random_seed` decides.

    Call arguments:
        images: [batch, height, width, 3], values in [0, 255].
        training: Whether to change them.

    Returns:
        Images of the same shape and range; while not training, the very same.

    Example:
        >>> layer, photos = PhotometricAugmentation(seed=0), ops.full([2, 8, 8, 3], 100.0)
        >>> bool(ops.any(layer(photos, training=True)[0] != photos[0])), layer(photos) is photos
        (True, True)
    """

    def __init__(self, seed: int | None = None, dtype: Any = "float32", **kwargs: Any):
        # In half precision a photo would lose its finer steps here.
        super().__init__(dtype=dtype, **kwargs)
        self.seed_generator = keras.random.SeedGenerator(seed)

    def call(self, images: Any, training: bool = False) -> Any:
        """The images, half of them changed if training.

        Args:
            images: [batch, height, width, 3], values in [0, 255].
            training: Whether to change them.

        Returns:
            Images of the same shape.
        """
        if not training:
            return images
        count = ops.shape(images)[0] // _CHANGED
        return ops.concatenate([self._changed(images[:count]), images[count:]], axis=0)

    def _changed(self, images):
        batch, rows, columns, _ = ops.shape(images)
        draws = keras.random.uniform([16, batch], seed=self.seed_generator)

        def some(index, share):
            """In [0, 1] for a share of the photos, 0 for the others."""
            return draws[index] * ops.cast(draws[index + 1] < share, "float32")

        def about_one(index, least):
            return least ** (2 * draws[index] - 1)

        images = tone(
            images,
            gamma=about_one(0, math.exp(0.5)),
            saturation=0.5 + draws[1],
            contrast=0.7 + 0.6 * draws[2],
            gain=0.7 + 0.6 * draws[3],
        )
        images = crush(images, some(4, _CRUSHED))
        images = backlight(
            images,
            some(6, _BACKLIT),
            center=0.2 + 0.6 * ops.stack([draws[8], draws[9]], axis=-1),
            size=0.15 + 0.25 * draws[10],
        )
        # Of the blurred, a third each: down alone, across alone, both.
        count = batch // _BLURRED
        width, way = 1.5 * draws[11, :count], draws[13, :count]
        blurred = blur(
            images[:count],
            down=width * ops.cast(way < 2 / 3, "float32"),
            across=width * ops.cast(way > 1 / 3, "float32"),
        )
        images = ops.concatenate([blurred, images[count:]], axis=0)
        # One field for all of them: no photo can tell that another has the same grain.
        noise = keras.random.normal([1, rows, columns, 3], seed=self.seed_generator)
        amount = some(14, _GRAINY)
        return grain(images, read=6 * amount, shot=0.4 * amount, noise=noise)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The same.

        Args:
            input_shape: [batch, height, width, 3].

        Returns:
            As given.
        """
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """The arguments as plain values.

        Returns:
            What `__init__` takes.
        """
        return {**super().get_config(), "seed": self.seed_generator.get_config()["seed"]}

"""Backbone, context, heads: photos in, offsets and logits for every anchor out."""

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from ssd.config import STRIDES, Config
from ssd.nets.backbones import find_backbone, home_of
from ssd.nets.layers import Gate, NormalizedConvolution, added, channels, convolution
from ssd.nets.losses import LossTerms, MultiboxLoss, refuse_weights
from ssd.nets.photometric import PhotometricAugmentation
from ssd.nets.sampling import make_images
from ssd.old_names import renamed

# A fresh model calls an anchor background with this confidence. It mostly is, and starting
# at one half would let the first steps be about nothing else (Lin et al., Focal Loss, 3.3).
_BACKGROUND = 0.99


@keras.saving.register_keras_serializable("ssd")
class SSD(keras.Model):
    """A single-shot detector as a Keras model: compile it, fit it, save it.

    Args:
        config: The `ssd.Config` to build; it travels inside every file the model is saved to.

    Call arguments:
        images: [batch, height, width, 3], uint8 or float, values in [0, 255]; or what
            `ssd.dataset(..., sample_on_device=True)` has in their place.

    Returns:
        [batch, anchors, 4 + 1 + classes]: offsets from the anchor as `anchors.encode` makes
        them, then logits, background first. Anchors are in the order of `anchors.grid`.

    Attributes:
        config: As given.
        provenance: How the model was trained: a dictionary that JSON can hold, which `ssd.train`
            fills and every file the model is saved to keeps, `.tflite` files as well. Empty for
            a fresh model.

    Raises:
        ValueError: In `fit`, if there is a `sample_weight`.

    Example:
        >>> import ssd
        >>> model = ssd.SSD(ssd.Config(image_size=(64, 64), width_multiplier=0.1))
        >>> tuple(model.output_shape)
        (None, 304, 6)

    Source:
        Liu et al.: SSD: Single Shot MultiBox Detector (2016). The context handed down to the
        finer maps is that of Lin et al.: Feature Pyramid Networks (2017), the bottleneck that
        mixes them that of He et al.: Deep Residual Learning for Image Recognition (2015).
    """

    def __init__(self, config: Config, **kwargs: Any):
        images = keras.Input((*config.image_size, 3), name="images")
        super().__init__(inputs=images, outputs=_network(images, config), **kwargs)
        self.config = config
        self.provenance = {}
        self.term_means = {name: keras.metrics.Mean(name=name) for name in LossTerms._fields}
        several = config.classes if len(config.classes) > 1 else ()
        self.class_shares = {name: keras.metrics.Mean(name=f"share_{name}") for name in several}

    def __call__(self, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        """Predictions; parts of photos are made into images first.

        Args:
            inputs, args, kwargs: As Keras gives them.

        Returns:
            Predictions.
        """
        return super().__call__(self._images(inputs, kwargs.get("training")), *args, **kwargs)

    def call(self, inputs: Any, training: bool | None = None, **kwargs: Any) -> Any:
        """As `__call__`; Keras comes here at once where it has no state to keep.

        Args:
            inputs, training, kwargs: As Keras gives them.

        Returns:
            Predictions.
        """
        return super().call(self._images(inputs, training), training=training, **kwargs)

    def _images(self, inputs, training):
        if not isinstance(inputs, Mapping):
            return inputs
        return make_images(inputs, self.config.image_size, training=bool(training))

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        """As Keras does, and keeps each term of a `MultiboxLoss` visible while training.

        Args:
            x, y, y_pred, sample_weight, training: As Keras gives them; there is no weight.

        Returns:
            The loss of a batch, a scalar.
        """
        refuse_weights(sample_weight)
        if not isinstance(self.loss, MultiboxLoss):
            return super().compute_loss(x, y, y_pred, sample_weight, training)
        terms = self.loss.terms(y, y_pred, x)
        for name, mean in self.term_means.items():
            mean.update_state(getattr(terms, name))
        self._count_classes(y)
        return _per_replica(y, self.loss.total(terms) + sum(self.losses))

    def _count_classes(self, labels):
        """Keep in sight how much of what is learned from is of each class."""
        class_ids = ops.cast(labels[..., 4], "float32")
        objects = ops.sum(ops.cast(class_ids > 0, "float32"))
        for class_id, mean in enumerate(self.class_shares.values(), start=1):
            own = ops.sum(ops.cast(class_ids == class_id, "float32"))
            mean.update_state(own / ops.maximum(objects, 1.0), sample_weight=objects)

    def freeze_normalization(self) -> None:
        """From here on, train with the normalization that the model has learned so far.

        A step is quicker then, for the normalization is part of the convolutions. For a model
        that has been trained: a fresh one has learned nothing that could stay. Call it before
        `compile`; it is not saved. Layers of Keras in a user's own backbone go on as they are.
        """
        for layer in self.layers:
            if isinstance(layer, NormalizedConvolution):
                layer.frozen = True

    def freeze_body(self, frozen: bool = True) -> None:
        """From here on, train the heads alone, or all again: offsets and logits of each level.

        For heads that have something to learn and a body that has learned already. Nothing
        before the heads changes, its normalization neither (averages that layers of Keras keep in
        a user's own backbone do). Not saved.

        Args:
            frozen: Whether the body stays as it is.
        """
        for layer in self.layers:
            if isinstance(layer, Gate):
                layer.frozen = frozen
            elif isinstance(layer, NormalizedConvolution):
                layer.body_frozen = frozen
        self.train_function = None  # it was made of the layers as they were

    def get_config(self) -> dict[str, Any]:
        """Config and provenance as plain values.

        Returns:
            What `from_config` takes.
        """
        home = home_of(self.config.backbone)
        return {
            "config": dataclasses.asdict(self.config),
            **({} if home is None else {"backbone_home": home}),
            "name": self.name,
            # By way of JSON, because Keras wraps the dictionaries that a model holds.
            "provenance": json.loads(json.dumps(self.provenance)),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "SSD":
        """The untrained model that `get_config` described.

        Args:
            config: What it returned; names of before 0.1.0 are understood.

        Returns:
            An `SSD`.
        """
        config = renamed(config)
        made = Config.from_dict(config["config"])
        find_backbone(made.backbone, config.get("backbone_home"))
        model = cls(made, name=config["name"])
        model.provenance = config.get("provenance", {})
        return model


class _PerReplica(keras.losses.Loss):
    """A loss as it is; under tf.distribute Keras divides it by the devices that will add it up."""

    def call(self, labels, loss):
        return ops.reshape(loss, [1])  # Keras leaves a scalar as it is, undivided


_per_replica = _PerReplica(name="per_replica")


def check_finite(model: keras.Model) -> None:
    """See that a model computes at all: one NaN among its weights, and all its answers are.

    Args:
        model: Any Keras model.

    Raises:
        ValueError: If a weight is not finite; the message names it.

    Example:
        >>> model = SSD(Config(width_multiplier=0.05))
        >>> check_finite(model)
        >>> _ = model.get_layer("conv1").beta.assign(8 * [float("nan")])
        >>> check_finite(model)
        Traceback (most recent call last):
        ValueError: weights: wanted finite numbers, conv1/beta has others
    """
    for weight in model.weights:
        if not np.isfinite(ops.convert_to_numpy(weight)).all():
            raise ValueError(f"weights: wanted finite numbers, {weight.path} has others")


def _network(images, config):
    # Light changes while training only. Scaling is in the model, too: photos travel as bytes, and
    # no caller can forget it.
    x = PhotometricAugmentation(name="light")(images)
    x = layers.Rescaling(1 / 255, name="scale")(x)
    maps = _backbone_maps(x, config)[: len(config.anchor_sizes)]
    for level in range(len(maps), len(config.anchor_sizes)):
        count = channels(256, config.width_multiplier)
        maps.append(convolution(maps[-1], count, 3, stride=2, name=f"extra{level}"))
    maps = _context(
        maps, channels(256, config.width_multiplier), channels(128, config.width_multiplier)
    )
    for number in range(1, config.fine_blocks + 1):
        narrow = channels(192, config.width_multiplier)
        finest = config.levels[0]
        maps[finest] = _block(maps[finest], narrow, name="fine" if number == 1 else f"fine{number}")
    heads = [
        _head(maps[level], level, len(config.anchor_sizes[level]), config)
        for level in config.levels
    ]
    offsets, logits = zip(*heads, strict=True)
    # Half precision ends here: the loss takes logarithms, and matching compares small boxes.
    offsets = layers.Concatenate(axis=1, dtype="float32", name="offsets")(offsets)
    logits = layers.Concatenate(axis=1, dtype="float32", name="logits")(logits)
    return layers.Concatenate(axis=2, dtype="float32", name="predictions")([offsets, logits])


def _backbone_maps(x, config):
    """What a backbone makes of images, if it is what the rest is built on."""
    maps = list(find_backbone(config.backbone)(x, config.width_multiplier))
    got = [tuple(each.shape[1:3]) for each in maps]
    wanted = [config.cells(stride) for stride in STRIDES]
    if got != wanted:
        raise ValueError(
            f"backbone {config.backbone!r}: wanted maps of {_sizes(wanted)} "
            f"cells, finest first, got {_sizes(got)}"
        )
    return maps


def _sizes(shapes):
    return ", ".join("×".join(map(str, shape)) for shape in shapes) or "none"


def _context(maps, count, narrow):
    """Each map plus what the coarser ones know about the same place, all `count` channels wide."""
    above, result = None, []
    for level, x in reversed(list(enumerate(maps))):
        x = convolution(x, count, 1, name=f"lateral{level}")
        if above is not None:
            above = layers.UpSampling2D(2, interpolation="bilinear", name=f"up{level}")(above)
            x = layers.Add(name=f"context{level}")([x, above])
        above = _bottleneck(x, narrow, name=f"mix{level}")
        result.insert(0, above)
    return result


def _bottleneck(x, narrow, *, name):
    """A second look at a map whose parts were only added up (He et al., 2015, figure 5).

    It begins as the identity: what it adds is scaled by zero until training finds a use for it.
    """
    y = convolution(x, narrow, 1, name=f"{name}_in")
    y = convolution(y, narrow, 3, name=f"{name}_around")
    y = NormalizedConvolution(x.shape[-1], 1, start=0.0, name=f"{name}_out")(y)
    return added(x, y, name=name)


def _block(x, narrow, *, name):
    """Two more layers for the finest map (He et al., 2015, figure 2), which has the fewest before.

    Most faces are found on it, and the hardest. It begins as the identity, too.
    """
    y = convolution(x, narrow, 3, name=f"{name}_in")
    y = NormalizedConvolution(x.shape[-1], 3, start=0.0, name=f"{name}_out")(y)
    return added(x, y, name=name)


def _head(x, level, anchors, config):
    """Offsets and logits of one level, [batch, cells * anchors, 4] and [.., 1 + classes]."""
    classes = 1 + len(config.classes)
    share = (1 - _BACKGROUND) / len(config.classes)
    prior = [ops.log(_BACKGROUND), *[ops.log(share)] * len(config.classes)]
    bias = [float(value) for value in prior] * anchors

    def start(shape, dtype=None):
        return ops.convert_to_tensor(bias, dtype=dtype)

    x = Gate(name=f"gate{level}")(x)
    offsets = layers.Conv2D(4 * anchors, 3, padding="same", name=f"offsets{level}")(x)
    logits = layers.Conv2D(
        classes * anchors, 3, padding="same", bias_initializer=start, name=f"logits{level}"
    )(x)
    offsets = layers.Reshape((-1, 4), name=f"offsets{level}_rows")(offsets)
    logits = layers.Reshape((-1, classes), name=f"logits{level}_rows")(logits)
    return offsets, logits

"""The loss of a model that learns a new class and is to forget nothing."""

import dataclasses
import os
from concurrent import futures
from typing import Any

import keras
import numpy as np
from keras import ops

from ssd.config import UNKNOWN, Config
from ssd.nets import losses
from ssd.nets.losses import LossTerms, MultiboxLoss

_CERTAIN = 0.9  # the share that an anchor of a face of known class is to give to all classes
_TINY = 1e-7


@keras.saving.register_keras_serializable("ssd")
class KeepingLoss(MultiboxLoss):
    """Which class an object of known class has, and how far the model came away from an old one.

    What tells a new class may be a detail that the old model has learned to look past. Beside the
    detector's own loss, which is large and noisy, such a detail is hardly found; and the old model
    has learned from that loss what there was to learn. So here the old model itself says, of every
    photo, what is to stay: how sure each anchor is of any class at all, and its offsets. Its loss
    is zero at first. A face of known class is to be found even where the old model did not find
    it: its anchors are to be sure to 0.9.

    The loss is `class_factor` · L_class + L_any + L_box, each a mean over what it counts. L_class
    is the cross-entropy among classes, of anchors that are assigned to an object of known class.
    L_any is the divergence of "any class" from the old model's, L_box smooth L1 between offsets,
    weighed by how sure the old model is.

    Args:
        config: The `ssd.Config` of the model.
        old: A `.keras` file, the model whose knowledge is to stay; of the same backbone and
            anchors; of any classes and image size. Usually that which training starts with.
        class_factor: Factor of L_class.

    Call arguments:
        labels: As for `ssd.MultiboxLoss`.
        predictions: As `ssd.SSD` returns them.

    Attributes:
        config: As given.
        options: A dictionary of the other arguments.

    Raises:
        ValueError: If the factor is below 0; when it is first used, if the old model has other
            anchors.

    Example:
        >>> import ssd
        >>> loss = ssd.KeepingLoss(ssd.Config(classes=("face", "smile")), old="face.keras")
        >>> loss.options["class_factor"]
        2.0

    Source:
        Li and Hoiem: Learning without Forgetting (2016).
    """

    def __init__(
        self,
        config: Config,
        *,
        old: str | os.PathLike,
        class_factor: float = 2.0,
        name: str = "keeping_loss",
    ):
        super().__init__(config, name=name)
        if not class_factor >= 0:
            raise ValueError(
                f"KeepingLoss class_factor: wanted a number of 0 or more, got {class_factor}"
            )
        self.options = {"old": os.fspath(old), "class_factor": class_factor}
        self._old = None

    def terms(self, labels: Any, predictions: Any, images: Any = None) -> LossTerms:
        """Each term of the loss of a batch by itself.

        Args:
            labels, predictions: As for a call.
            images: [batch, height, width, 3], what the predictions are of.

        Returns:
            `LossTerms`: `confidence` is class_factor · L_class + L_any, `location` is L_box.

        Raises:
            ValueError: If there are no images.
        """
        if images is None:
            return self.call(labels, predictions)
        labels = ops.cast(labels, "float32")
        predictions = ops.cast(predictions, "float32")
        boxes, classes = labels[..., :4], labels[..., 4]
        match = self._match(boxes, classes)
        own_class = ops.where(
            match.positive, ops.take_along_axis(classes, match.box, axis=1), 0.0
        )  # [batch, anchors]
        known = ops.cast(own_class > 0, "float32")
        own_any, among = _log_odds(predictions)
        old = ops.stop_gradient(ops.cast(self.open_old()(images, training=False), "float32"))
        old_any, _ = _log_odds(old)

        # L_class = -log softmax(logits of the classes)[class]
        target = ops.one_hot(
            ops.cast(ops.maximum(own_class - 1, 0.0), "int32"), len(self.config.classes)
        )
        of_class = -ops.sum(target * ops.log_softmax(among, axis=-1), axis=-1)
        of_class = ops.sum(known * of_class) / ops.maximum(ops.sum(known), 1.0)

        # L_any = KL(old share of any class || own share), L_box = smooth L1(offsets - old offsets)
        share = ops.sigmoid(old_any)
        sure = ops.sum(share) + 1.0
        wanted = ops.maximum(share, _CERTAIN * known)
        of_any = ops.sum(_divergence(wanted, own_any)) / sure
        apart = ops.abs(predictions[..., :4] - old[..., :4])
        apart = ops.where(apart < 1, 0.5 * ops.square(apart), apart - 0.5)
        of_box = ops.sum(share[..., None] * apart) / sure

        assigned = losses._assigned_anchors(match, ops.shape(classes))
        positives = ops.sum(ops.cast(match.positive, "float32"), axis=-1)
        return LossTerms(
            confidence=self.options["class_factor"] * of_class + of_any,
            location=of_box,
            extra=ops.zeros(()),
            positives=ops.mean(positives),
            unmatched=losses._unmatched(assigned, (classes > 0) | (classes == UNKNOWN)),
        )

    def call(self, labels: Any, predictions: Any) -> Any:
        """Refused: what the old model says, it says of images. `ssd.SSD` passes them to `terms`.

        Args:
            labels, predictions: As for `terms`.

        Raises:
            ValueError: Always.
        """
        raise ValueError("KeepingLoss: wanted images as well; an ssd.SSD trains with it")

    def total(self, terms: LossTerms) -> Any:
        """The loss that these terms add up to.

        Args:
            terms: As `terms` gives them.

        Returns:
            A scalar.
        """
        return terms.confidence + terms.location

    def open_old(self) -> Any:
        """The old model, on images of the new one's size.

        Returns:
            An `ssd.SSD`, that does not learn.

        Raises:
            ValueError: If it has other anchors.
        """
        if self._old is None:
            # While a step is traced no model can be made; another thread traces nothing.
            with futures.ThreadPoolExecutor(1) as thread:
                policy = keras.config.dtype_policy()
                asked = self.options["old"], self.config, policy
                self._old = thread.submit(_open, *asked).result()
        return self._old

    def share_old(self, other: "KeepingLoss") -> None:
        """Take the old model from another loss, as where its file has been moved.

        Args:
            other: A loss of the same Config.
        """
        self.options = {**self.options, "old": other.options["old"]}
        self._old = other.open_old()


def _open(path, config, policy):
    from ssd.nets.loading import load

    keras.config.set_dtype_policy(policy)  # each thread has its own
    return resized(load(path), config)


def resized(model: Any, config: Config) -> Any:
    """A model for images of another size, which has all learned and learns no more.

    Args:
        model: An `ssd.SSD`.
        config: The `ssd.Config` whose `image_size` it is to have.

    Returns:
        An `ssd.SSD` of the model's classes.

    Raises:
        ValueError: If it has other anchors than the Config says.

    Example:
        >>> import ssd
        >>> small = ssd.Config(image_size=(64, 64), width_multiplier=0.05)
        >>> resized(ssd.SSD(small), ssd.Config(image_size=(96, 64))).input_shape
        (None, 96, 64, 3)
    """
    for field in ("anchor_sizes", "anchor_aspect"):
        if getattr(model.config, field) != getattr(config, field):
            raise ValueError(
                f"old: wanted a model with the Config's {field}, {getattr(config, field)!r}, "
                f"got one with {getattr(model.config, field)!r}"
            )
    other = type(model)(dataclasses.replace(model.config, image_size=config.image_size))
    other.set_weights([np.asarray(weight) for weight in model.weights])
    other.freeze_normalization()
    other.trainable = False
    return other


def _log_odds(predictions):
    """Log odds of any class against background [batch, anchors], and the logits of classes."""
    background, classes = predictions[..., 4], predictions[..., 5:]
    return ops.logsumexp(classes, axis=-1) - background, classes


def _divergence(wanted, odds):
    """Kullback-Leibler divergence of a yes of share sigmoid(odds) from one of the share wanted."""
    cross = ops.softplus(odds) - wanted * odds
    own = wanted * ops.log(wanted + _TINY) + (1 - wanted) * ops.log(1 - wanted + _TINY)
    return cross + own

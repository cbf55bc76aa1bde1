"""The multibox loss, with the confidence-gated extra offset term."""

import dataclasses
import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import keras
from keras import ops

import anchors
from ssd.config import IGNORE, UNKNOWN, Config
from ssd.nets.offset_losses import OFFSET_LOSSES, offset_loss, predicted_iou
from ssd.old_names import renamed


class LossTerms(NamedTuple):
    """What one batch was charged for, and two counts to judge it by; scalars all.

    Attributes:
        confidence: Cross-entropy of positives and of mined negatives, per positive.
        location: Offset loss of the positives, per positive.
        extra: What the gate charged again, per positive (before its factor).
        positives: Anchors that are assigned to a box, per photo.
        unmatched: Share of the boxes that no anchor is assigned to.

    Example:
        >>> LossTerms(confidence=1.5, location=0.5, extra=0.0, positives=7.0, unmatched=0.0)._fields
        ('confidence', 'location', 'extra', 'positives', 'unmatched')
    """

    confidence: Any
    location: Any
    extra: Any
    positives: Any
    unmatched: Any


@keras.saving.register_keras_serializable("ssd")
class MultiboxLoss(keras.losses.Loss):
    """The loss of SSD: softmax confidence with hard negatives, offsets, and an extra term.

    The loss is (L_conf + alpha · L_loc + extra · L_extra) / matched anchors. L_extra is the
    offset loss again of those positives whose predicted confidence for their class exceeds
    `gate`: the boxes that greedy suppression will keep are the ones that should fit best. The
    gate carries no gradient, so a box cannot become less confident to escape it.

    Args:
        config: The `ssd.Config` of the model.
        gate: Confidence above which offsets are charged again, in (0, 1].
        extra: Factor of that charge; 0 leaves it out. 1 doubles the offset loss of a confident
            anchor (where alpha is 1). What it does: docs/extra-offset-loss.md.
        alpha: Factor of the offset loss.
        offsets: What the offset loss is, {name: factor}: smooth L1 as in the paper (`smooth_l1`),
            or of the overlap (`giou`, `diou`, `ciou`), or a sum. Overlap is what a detector is
            judged by; smooth L1 also knows a way where boxes are far apart.
        quality: How far the confidence wanted of a positive is the overlap (IoU) of its predicted
            box with the face, in [0, 1]: at 0 it is 1, as in the paper; at 1 it is the overlap,
            so that of a face's boxes the best fitting one becomes the most confident one.
        balance_objects: How far each face counts the same, in [0, 1]. At 0 each anchor does, as
            in the paper; but with the recipe's Config a face of 13 pixels has 2 anchors and one of
            30 pixels 12. A positive is weighed by the number of its face's anchors to the power of
            -`balance_objects`, and all weights by what makes 1 of their mean; at 1, faces are even.
        combine: "sum", or "max" to charge only the larger of L_conf and alpha · L_loc.
        negatives_per_positive: Background anchors that count per positive, the hardest of
            each photo.
        min_negatives_per_image: Background anchors that count in a photo without a face.

    Call arguments:
        labels: [batch, rows, 5], box `[ymin, xmin, ymax, xmax]` on the unit square, class.
            Rows of zeros are unused, class -1 marks a region to ignore, class -2 an object of
            unknown class: it is charged for not being any of the classes.
        predictions: [batch, anchors, 4 + 1 + classes] as `ssd.SSD` returns them.

    Attributes:
        config: As given.
        options: A dictionary of the other arguments.

    Raises:
        ValueError: If an option is out of its range; in a call, if there is a `sample_weight`.

    Example:
        >>> import ssd
        >>> config = ssd.Config(image_size=(64, 64), width_multiplier=0.05)
        >>> loss = ssd.MultiboxLoss(config, alpha=3.0, balance_objects=0.5)
        >>> labels = ops.convert_to_tensor([[[0.25, 0.25, 0.75, 0.75, 1.0]]])
        >>> predictions = ops.zeros([1, 304, 6])
        >>> float(loss(labels, predictions)) > float(loss.terms(labels, predictions).confidence) > 0
        True

    Source:
        Liu et al.: SSD (2016), section 2.2. The extra term is this project's own.
    """

    def __init__(
        self,
        config: Config,
        *,
        gate: float = 0.999,
        extra: float = 1.0,
        alpha: float = 1.0,
        offsets: Mapping[str, float] = MappingProxyType({"smooth_l1": 1.0}),
        quality: float = 0.0,
        balance_objects: float = 0.0,
        combine: str = "sum",
        negatives_per_positive: float = 3,
        min_negatives_per_image: float = 8,
        name: str = "multibox_loss",
    ):
        super().__init__(name=name, reduction="sum")
        self.config = config
        self.options = {
            "gate": gate,
            "extra": extra,
            "alpha": alpha,
            "offsets": dict(offsets),
            "quality": quality,
            "balance_objects": balance_objects,
            "combine": combine,
            "negatives_per_positive": negatives_per_positive,
            "min_negatives_per_image": min_negatives_per_image,
        }
        _check(self.options)
        self.grid = ops.convert_to_numpy(anchors.grid(config.feature_shapes, config.anchor_shapes))

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """The loss of a batch, a scalar."""
        refuse_weights(sample_weight)
        return super().__call__(y_true, y_pred)

    def call(self, labels: Any, predictions: Any) -> Any:
        """The loss of a batch.

        Args:
            labels, predictions: As for the loss itself.

        Returns:
            A scalar.
        """
        return self.total(self.terms(labels, predictions))

    def total(self, terms: LossTerms) -> Any:
        """The loss that these terms add up to.

        Args:
            terms: As `terms` gives them.

        Returns:
            A scalar.
        """
        join = ops.maximum if self.options["combine"] == "max" else ops.add
        both = join(terms.confidence, self.options["alpha"] * terms.location)
        return both + self.options["extra"] * terms.extra

    def terms(self, labels: Any, predictions: Any, images: Any = None) -> LossTerms:
        """Each term of the loss of a batch by itself.

        Args:
            labels, predictions: As for a call.
            images: What the predictions are of; not needed here.

        Returns:
            `LossTerms`.
        """
        labels = ops.cast(labels, "float32")
        predictions = ops.cast(predictions, "float32")
        boxes, classes = labels[..., :4], labels[..., 4]
        offsets, logits = predictions[..., :4], predictions[..., 4:]

        match = self._match(boxes, classes)
        positive = ops.cast(match.positive, "float32")  # [batch, anchors]
        assigned = _assigned_anchors(match, ops.shape(classes))
        weight = positive * self._object_weights(match, assigned)

        own_box = ops.take_along_axis(boxes, match.box[..., None], axis=1)
        wanted = anchors.encode(own_box, self.grid)

        # L_conf = -log softmax(logits)[class], of positives and of mined negatives; of an object of
        # unknown class, -log of the sum over all classes
        own_class = positive * ops.take_along_axis(classes, match.box, axis=1)
        cross_entropy, confidence = self._cross_entropy(logits, own_class, offsets, wanted)
        charged = weight + ops.cast(self._mined(match, cross_entropy), "float32")

        # L_loc, such as smooth L1(offsets - encode(box))
        aspect, factors = self.config.anchor_aspect, self.options["offsets"]
        fit = weight * offset_loss(offsets, wanted, factors, anchor_aspect=aspect)

        # L_extra = L_loc where the confidence for the own class exceeds the gate
        sure = confidence > self.options["gate"]

        matched = ops.maximum(ops.sum(positive), 1.0)
        return LossTerms(
            confidence=ops.sum(charged * cross_entropy) / matched,
            location=ops.sum(fit) / matched,
            extra=ops.sum(ops.cast(sure, "float32") * fit) / matched,
            positives=ops.mean(ops.sum(positive, axis=-1)),
            unmatched=_unmatched(assigned, (classes > 0) | (classes == UNKNOWN)),
        )

    def _match(self, boxes, classes):
        return anchors.match(
            self.grid,
            boxes,
            positive_iou=self.config.positive_iou,
            negative_iou=self.config.negative_iou,
            ignore=classes == IGNORE,
        )

    def _cross_entropy(self, logits, own_class, offsets, wanted):
        """Of each anchor what it is charged and its confidence for its class, [batch, anchors]."""
        log_shares = ops.log_softmax(logits, axis=-1)
        target = ops.one_hot(
            ops.cast(ops.maximum(own_class, 0.0), "int32"), 1 + len(self.config.classes)
        )
        known = -ops.sum(target * log_shares, axis=-1)
        own = ops.where(own_class == UNKNOWN, -ops.logsumexp(log_shares[..., 1:], axis=-1), known)
        confidence = ops.stop_gradient(ops.exp(-own))
        if not self.options["quality"]:
            return own, confidence
        # Quality focal loss's target (Li et al.: Generalized Focal Loss, 2020): a box is wanted to
        # be a face as far as it fits one, and background for the rest.
        iou = predicted_iou(offsets, wanted, anchor_aspect=self.config.anchor_aspect)
        rest = self.options["quality"] * (1 - ops.stop_gradient(iou))
        return own + rest * (-log_shares[..., 0] - own), confidence

    def _mined(self, match, cross_entropy):
        """The background anchors that count, the hardest of each photo; bool [batch, anchors]."""
        background = ops.logical_not(ops.logical_or(match.positive, match.ignored))
        positives = ops.sum(ops.cast(match.positive, "float32"), axis=-1)
        count = ops.maximum(
            self.options["negatives_per_positive"] * positives,
            self.options["min_negatives_per_image"],
        )
        return hardest(cross_entropy, background, count)

    def _object_weights(self, match, assigned):
        """What each positive counts for, [batch, anchors]; on average over the positives, 1."""
        if not self.options["balance_objects"]:
            return 1.0
        count = ops.cast(ops.take_along_axis(assigned, match.box, axis=1), "float32")
        weights = ops.power(ops.maximum(count, 1.0), -self.options["balance_objects"])
        positive = ops.cast(match.positive, "float32")
        total = ops.sum(positive * weights)
        return weights * ops.sum(positive) / ops.maximum(total, 1e-6)

    def get_config(self) -> dict[str, Any]:
        """The Config and the options as plain values.

        Returns:
            What `from_config` takes.
        """
        return {"config": dataclasses.asdict(self.config), "name": self.name, **self.options}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "MultiboxLoss":
        """The loss that `get_config` described.

        Args:
            config: What it returned; names of before 0.1.0 are understood.

        Returns:
            A `MultiboxLoss`.
        """
        options = renamed(config)
        return cls(Config.from_dict(options.pop("config")), **options)


def _check(options):
    gate, combine = options["gate"], options["combine"]
    if not 0 < gate <= 1:
        raise ValueError(f"MultiboxLoss gate: wanted a confidence in (0, 1], got {gate}")
    if combine not in ("sum", "max"):
        raise ValueError(f'MultiboxLoss combine: wanted "sum" or "max", got {combine!r}')
    for option in ("balance_objects", "quality"):
        if not 0 <= options[option] <= 1:
            raise ValueError(
                f"MultiboxLoss {option}: wanted a number in [0, 1], got {options[option]}"
            )
    unknown = sorted(set(options["offsets"]) - set(OFFSET_LOSSES))
    if unknown or not options["offsets"]:
        raise ValueError(
            f"MultiboxLoss offsets: wanted factors of {', '.join(OFFSET_LOSSES)}, "
            f"got {unknown[0] if unknown else 'none'}"
        )
    numbers = {f"offsets, {name}": factor for name, factor in options["offsets"].items()}
    for option in ("extra", "alpha", "negatives_per_positive", "min_negatives_per_image"):
        numbers[option] = options[option]
    for option, value in numbers.items():
        if not (math.isfinite(value) and value >= 0):
            raise ValueError(f"MultiboxLoss {option}: wanted a number of 0 or more, got {value}")


def refuse_weights(sample_weight: Any) -> None:
    """Say that photos are not weighed one by one: the terms of a batch are shared by its anchors.

    Args:
        sample_weight: What Keras was given.

    Raises:
        ValueError: If there are weights.

    Example:
        >>> refuse_weights(None)
    """
    if sample_weight is not None:
        raise ValueError(
            "sample_weight: wanted none; labels are weighed by naming their folder several times"
        )


def hardest(losses: Any, candidates: Any, count: Any) -> Any:
    """Which candidates are among the `count` of their row with the largest loss.

    By the loss of the last one picked, found by halving: some 25 counts of a row cost less than
    sorting it, and nothing of variable length is ever gathered. No gradient flows.

    Args:
        losses: [batch, anchors], finite.
        candidates: bool [batch, anchors].
        count: How many to pick, [batch]. Where a row has fewer candidates, all are picked.

    Returns:
        bool [batch, anchors]; among equal losses the lowest index comes first.

    Example:
        >>> from keras import ops
        >>> losses = ops.convert_to_tensor([[0.1, 0.9, 0.5, 0.7]])
        >>> candidates = ops.convert_to_tensor([[True, False, True, True]])
        >>> ops.convert_to_numpy(hardest(losses, candidates, ops.convert_to_tensor([2]))).tolist()
        [[False, False, True, True]]
    """
    candidates = ops.convert_to_tensor(candidates, "bool")
    losses = ops.stop_gradient(ops.convert_to_tensor(losses, "float32"))
    low = ops.min(ops.where(candidates, losses, float("inf")), axis=-1)  # [batch]
    losses = ops.where(candidates, losses, float("-inf"))
    high = ops.max(losses, axis=-1)
    wanted = ops.cast(ops.ceil(ops.cast(count, "float32")), "int32")
    wanted = ops.minimum(wanted, _number(candidates))

    def apart(low, middle, high):
        return ops.any((low < middle) & (middle < high))

    def halve(low, middle, high):
        found = _number(losses >= middle[:, None])
        low = ops.where(found >= wanted, middle, low)
        high = ops.where(found <= wanted, middle, high)  # where both, nothing is left to halve
        return low, low + (high - low) / 2, high

    # In the end no loss lies between `low` and `high`.
    low, _, high = ops.while_loop(apart, halve, (low, low + (high - low) / 2, high))
    last = ops.where(_number(losses >= high[:, None]) >= wanted, high, low)[:, None]
    last = ops.min(ops.where(losses >= last, losses, float("inf")), axis=-1, keepdims=True)
    larger, equal = losses > last, losses == last
    left = (wanted - _number(larger))[:, None]
    first = equal & (ops.cumsum(ops.cast(equal, "int32"), axis=-1) <= left)
    return candidates & (larger | first)


def _number(marks):
    """How many of each row are true; int32 [batch]."""
    return ops.sum(ops.cast(marks, "int32"), axis=-1)


def _assigned_anchors(match, shape):
    """How many positive anchors each box has, int32 [batch, boxes]."""
    batch, boxes = shape
    row = ops.arange(batch, dtype="int32")[:, None] * boxes + ops.cast(match.box, "int32")
    count = ops.segment_sum(
        ops.reshape(ops.cast(match.positive, "int32"), (-1,)),
        ops.reshape(row, (-1,)),
        num_segments=batch * boxes,
    )
    return ops.reshape(count, (batch, boxes))


def _unmatched(assigned, real):
    """Share of the real boxes, bool [batch, boxes], without an anchor; 0 where no box is real."""
    boxes = ops.sum(ops.cast(real, "float32"))
    without = ops.sum(ops.cast(ops.logical_and(assigned == 0, real), "float32"))
    return without / ops.maximum(boxes, 1.0)

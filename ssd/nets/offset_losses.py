"""What a predicted box costs for lying beside the face it is assigned to: one number an anchor."""

import math
from collections.abc import Mapping
from typing import Any

from keras import ops

import anchors
from anchors.boxes import Sides, overlap, shared_area, sides


def smooth_l1(x: Any) -> Any:
    """x²/2 where |x| < 1, |x| - 1/2 elsewhere.

    Args:
        x: Differences, any shape.

    Returns:
        The losses, same shape.

    Example:
        >>> ops.convert_to_numpy(smooth_l1(ops.convert_to_tensor([0.0, 0.5, -3.0]))).tolist()
        [0.0, 0.125, 2.5]

    Source:
        Girshick: Fast R-CNN (2015), section 2.3.
    """
    size = ops.abs(x)
    return ops.where(size < 1, 0.5 * ops.square(x), size - 0.5)


def giou_loss(predicted: Any, wanted: Any) -> Any:
    """1 - GIoU: not only what two boxes share counts, but what lies empty between them.

    Args:
        predicted, wanted: [..., 4], `[ymin, xmin, ymax, xmax]`.

    Returns:
        float32 [...], from 0 for equal boxes to 2.

    Example:
        >>> float(giou_loss([0.0, 0.0, 1.0, 1.0], [0.0, 0.0, 1.0, 0.5]))
        0.5

    Source:
        Rezatofighi et al.: Generalized Intersection over Union (2019).
    """
    a, b = sides(predicted), sides(wanted)
    shared, area, other = shared_area(a, b), shared_area(a, a), shared_area(b, b)
    around = _around(a, b)
    hull = (around.ymax - around.ymin) * (around.xmax - around.xmin)
    empty = hull - (area + other - shared)
    return 1 - overlap(shared, area, other) + _share(empty, hull)


def diou_loss(predicted: Any, wanted: Any) -> Any:
    """1 - DIoU: beside the overlap counts how far the centers are apart.

    Args:
        predicted, wanted: [..., 4], `[ymin, xmin, ymax, xmax]`.

    Returns:
        float32 [...], from 0 for equal boxes to 2.

    Example:
        >>> float(diou_loss([0.0, 0.0, 1.0, 1.0], [0.0, 0.0, 1.0, 0.5]))
        0.53125

    Source:
        Zheng et al.: Distance-IoU Loss (2020), section 3.
    """
    a, b = sides(predicted), sides(wanted)
    lost = 1 - overlap(shared_area(a, b), shared_area(a, a), shared_area(b, b))
    around = _around(a, b)
    diagonal = ops.square(around.ymax - around.ymin) + ops.square(around.xmax - around.xmin)
    down = (a.ymin + a.ymax - b.ymin - b.ymax) / 2
    across = (a.xmin + a.xmax - b.xmin - b.xmax) / 2
    return lost + _share(ops.square(down) + ops.square(across), diagonal)


def ciou_loss(predicted: Any, wanted: Any) -> Any:
    """1 - CIoU: DIoU, and how far the shapes of the boxes differ.

    Args:
        predicted, wanted: [..., 4], `[ymin, xmin, ymax, xmax]`.

    Returns:
        float32 [...], from 0 for equal boxes.

    Example:
        >>> square, tall = [0.0, 0.0, 1.0, 1.0], [0.0, 0.0, 1.0, 0.5]
        >>> float(ciou_loss(square, tall)) > float(diou_loss(square, tall))
        True

    Source:
        Zheng et al.: Distance-IoU Loss (2020), section 3.3. The weight of the shape carries no
        gradient, as there.
    """
    a, b = sides(predicted), sides(wanted)
    difference = 4 / math.pi**2 * ops.square(_slant(b) - _slant(a))
    lost = 1 - overlap(shared_area(a, b), shared_area(a, a), shared_area(b, b))
    weight = ops.stop_gradient(_share(difference, lost + difference))
    return diou_loss(predicted, wanted) + weight * difference


# How each is called in `ssd.MultiboxLoss`.
BOX_LOSSES = {"giou": giou_loss, "diou": diou_loss, "ciou": ciou_loss}
OFFSET_LOSSES = ("smooth_l1", *BOX_LOSSES)


def offset_loss(
    offsets: Any, wanted: Any, factors: Mapping[str, float], *, anchor_aspect: float = 1.0
) -> Any:
    """The offset loss of each anchor: a sum of those above, each times a factor.

    Smooth L1 compares offsets with offsets. The others compare the boxes they stand for, on an
    anchor one wide: no overlap depends on where an anchor is, nor on how large it is.

    Args:
        offsets, wanted: [..., 4], as `anchors.encode` makes them.
        factors: {one of `OFFSET_LOSSES`: factor}.
        anchor_aspect: Height over width of an anchor in pixels.

    Returns:
        float32 [...].

    Example:
        >>> half_as_wide = anchors.encode([[0.0, 0.25, 1.0, 0.75]], [[0.0, 0.0, 1.0, 1.0]])
        >>> round(float(offset_loss(ops.zeros([1, 4]), half_as_wide, {"giou": 2.0})[0]), 5)
        1.0
    """
    anchor = [0.0, 0.0, anchor_aspect, 1.0]
    total = 0.0
    for name, factor in factors.items():
        if name == "smooth_l1":
            each = ops.sum(smooth_l1(offsets - wanted), axis=-1)
        else:
            each = BOX_LOSSES[name](anchors.decode(offsets, anchor), anchors.decode(wanted, anchor))
        total = total + factor * each
    return total


def predicted_iou(offsets: Any, wanted: Any, *, anchor_aspect: float = 1.0) -> Any:
    """The overlap (IoU) of each predicted box with the wanted one.

    Args:
        offsets, wanted: As for `offset_loss`.
        anchor_aspect: Likewise.

    Returns:
        float32 [...], in [0, 1].

    Example:
        >>> half_as_wide = anchors.encode([[0.0, 0.25, 1.0, 0.75]], [[0.0, 0.0, 1.0, 1.0]])
        >>> round(float(predicted_iou(ops.zeros([1, 4]), half_as_wide)[0]), 5)
        0.5
    """
    anchor = [0.0, 0.0, anchor_aspect, 1.0]
    a, b = (sides(anchors.decode(each, anchor)) for each in (offsets, wanted))
    return overlap(shared_area(a, b), shared_area(a, a), shared_area(b, b))


def _around(a, b):
    """The smallest boxes that hold two."""
    return Sides(
        ops.minimum(a.ymin, b.ymin),
        ops.minimum(a.xmin, b.xmin),
        ops.maximum(a.ymax, b.ymax),
        ops.maximum(a.xmax, b.xmax),
    )


def _share(part, whole):
    """A part of a whole; 0 of nothing."""
    return part / ops.where(whole > 0, whole, 1.0)


def _slant(box):
    """The angle of a box's diagonal."""
    return ops.arctan2(box.xmax - box.xmin, box.ymax - box.ymin)

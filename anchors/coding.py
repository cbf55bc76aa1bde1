"""A box as offsets from an anchor, and back."""

from keras import ops

from anchors.boxes import Array, center_to_corners, corners_to_center

VARIANCES = (0.1, 0.1, 0.2, 0.2)

# A size below this is taken as this. Neighboring float32 coordinates are 6e-8 apart near 1,
# so no smaller box can be told from a point; its logarithm must still be finite.
SMALLEST = 1e-7

# Offsets of a size stop here: exp(20) times an anchor is larger than any box, and finite.
LARGEST_EXPONENT = 20.0


def encode(boxes: Array, anchors: Array) -> Array:
    """Boxes as offsets from anchors, as a network learns them.

    The center is told in sizes of the anchor, the size by its logarithm, all divided by
    `VARIANCES` so that each is about 1 in spread.

    Args:
        boxes: [..., anchors, 4], the box of each anchor, as in `anchors.boxes`.
        anchors: [anchors, 4] or [..., anchors, 4].

    Returns:
        float32 [..., anchors, 4], `[y, x, height, width]` offsets. Finite for every finite
        input: a box without size counts as one of size `SMALLEST`.

    Example:
        >>> import numpy as np
        >>> np.asarray(encode([[0.0, 0.0, 0.5, 0.5]], [[0.0, 0.0, 0.5, 0.5]])).tolist()
        [[0.0, 0.0, 0.0, 0.0]]

    Source: Liu et al., "SSD: Single Shot MultiBox Detector" (2016), equation 2; the variances
    are those of its published code.
    """
    center, size = _center_and_size(boxes)
    anchor_center, anchor_size = _center_and_size(anchors)
    # (y - y_anchor) / height_anchor / 0.1,  log(height / height_anchor) / 0.2
    move = (center - anchor_center) / anchor_size / ops.convert_to_tensor(VARIANCES[:2], "float32")
    grow = ops.log(size / anchor_size) / ops.convert_to_tensor(VARIANCES[2:], "float32")
    return ops.concatenate([move, grow], axis=-1)


def decode(offsets: Array, anchors: Array) -> Array:
    """The boxes that `encode` told as offsets.

    Args:
        offsets: [..., anchors, 4], `[y, x, height, width]` offsets.
        anchors: [anchors, 4] or [..., anchors, 4], boxes as in `anchors.boxes`.

    Returns:
        float32 [..., anchors, 4], boxes as in `anchors.boxes`, not clipped. Finite for every
        offset that half precision can say.

    Example:
        >>> import numpy as np
        >>> np.asarray(decode([[0.0, 5.0, 0.0, 0.0]], [[0.0, 0.0, 0.5, 0.5]])).tolist()
        [[0.0, 0.25, 0.5, 0.75]]

    Source: as `encode`.
    """
    offsets = ops.convert_to_tensor(offsets, "float32")
    anchor_center, anchor_size = _center_and_size(anchors)
    move = offsets[..., :2] * ops.convert_to_tensor(VARIANCES[:2], "float32")
    grow = offsets[..., 2:] * ops.convert_to_tensor(VARIANCES[2:], "float32")
    center = anchor_center + move * anchor_size
    size = anchor_size * ops.exp(ops.minimum(grow, LARGEST_EXPONENT))
    return center_to_corners(ops.concatenate([center, size], axis=-1))


def _center_and_size(boxes):
    boxes = corners_to_center(boxes)
    return boxes[..., :2], ops.maximum(boxes[..., 2:], SMALLEST)

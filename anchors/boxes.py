"""The one box format, and what can be asked of boxes.

A box is `[ymin, xmin, ymax, xmax]`: float32, on the unit square of the image, the origin in
the top left corner. It may reach outside the square. A box whose `ymax` is not above its
`ymin`, or whose `xmax` is not above its `xmin`, has no area: it overlaps nothing. An unused
row of a label is all zeros, which is such a box.

The same box said by its center is `[y, x, height, width]`.
"""

from typing import Any, NamedTuple

from keras import ops

# What `keras.ops` takes: a tensor of the backend, a NumPy array, lists of numbers.
Array = Any


def area(boxes: Array) -> Array:
    """The area of each box.

    Args:
        boxes: [..., 4], boxes as in `anchors.boxes`.

    Returns:
        float32 [...], as a share of the image; 0 where a box has no area.

    Example:
        >>> import numpy as np
        >>> np.asarray(area([[0.0, 0.0, 0.5, 0.5], [0.5, 0.0, 0.0, 0.5]])).tolist()
        [0.25, 0.0]
    """
    boxes = sides(boxes)
    return shared_area(boxes, boxes)


def intersection(a: Array, b: Array) -> Array:
    """The area that each box of `a` shares with each box of `b`.

    Args:
        a: [..., m, 4], boxes as in `anchors.boxes`.
        b: [..., n, 4], likewise.

    Returns:
        float32 [..., m, n], as a share of the image.

    Example:
        >>> import numpy as np
        >>> np.asarray(intersection([[0.0, 0.0, 0.5, 0.5]], [[0.0, 0.25, 1.0, 1.0]])).tolist()
        [[0.125]]
    """
    a = Sides(*(side[..., :, None] for side in sides(a)))
    b = Sides(*(side[..., None, :] for side in sides(b)))
    return shared_area(a, b)


def iou(a: Array, b: Array) -> Array:
    """How far two boxes overlap: the area shared over the area covered together.

    Args:
        a: [..., m, 4], boxes as in `anchors.boxes`.
        b: [..., n, 4], likewise.

    Returns:
        float32 [..., m, n], from 0 to 1; 0 where a box has no area. Its gradient is finite
        everywhere.

    Example:
        >>> import numpy as np
        >>> left, right = [0.0, 0.0, 1.0, 0.75], [0.0, 0.25, 1.0, 1.0]
        >>> np.asarray(iou([left], [left, right])).tolist()
        [[1.0, 0.5]]

    Source: Jaccard, "The distribution of the flora in the alpine zone" (1912).
    """
    return overlap(intersection(a, b), area(a)[..., :, None], area(b)[..., None, :])


class Sides(NamedTuple):
    """The four numbers of boxes apart, each of any shape: no tensor then ends in an axis of 4.

    Attributes:
        ymin, xmin, ymax, xmax: float32 [...], as in `anchors.boxes`.

    Example:
        >>> Sides(0.0, 0.25, 0.5, 1.0).xmax
        1.0
    """

    ymin: Array
    xmin: Array
    ymax: Array
    xmax: Array


def sides(boxes: Array) -> Sides:
    """The four numbers of each box apart.

    Args:
        boxes: [..., 4], boxes as in `anchors.boxes`. Half precision becomes float32 here, before
            anything is computed from it.

    Returns:
        `Sides` of float32 [...].

    Raises:
        ValueError: If the last axis is not 4 long.

    Example:
        >>> float(sides([0.0, 0.25, 0.5, 1.0]).xmax)
        1.0
    """
    boxes = ops.convert_to_tensor(boxes, "float32")
    if not boxes.shape or boxes.shape[-1] != 4:
        raise ValueError(f"wanted boxes of shape [..., 4], got {tuple(boxes.shape)}")
    return Sides(*(boxes[..., side] for side in range(4)))


def shared_area(a: Sides, b: Sides) -> Array:
    """The area shared by boxes given as `Sides` of shapes that broadcast; with itself, its area.

    Args:
        a, b: `Sides` of [...].

    Returns:
        float32 [...], as a share of the image.

    Example:
        >>> a, b = sides([0.0, 0.0, 0.5, 0.5]), sides([0.0, 0.25, 1.0, 1.0])
        >>> float(shared_area(a, b)), float(shared_area(b, b))
        (0.125, 0.75)
    """
    height = ops.minimum(a.ymax, b.ymax) - ops.maximum(a.ymin, b.ymin)
    width = ops.minimum(a.xmax, b.xmax) - ops.maximum(a.xmin, b.xmin)
    # A `where`, not two clamps: it stands between this product and the sum that IoU makes of it,
    # so that no compiler folds them into one fused multiply-add, and all of them round alike.
    return ops.where(ops.logical_and(height > 0, width > 0), height * width, 0.0)


def overlap(shared: Array, area: Array, other_area: Array) -> Array:
    """IoU from the area shared and the two areas: `shared / (area + other_area - shared)`.

    Args:
        shared, area, other_area: Areas, [...] of shapes that broadcast.

    Returns:
        float32 [...], from 0 to 1; 0 where nothing is shared.

    Example:
        >>> float(overlap(ops.convert_to_tensor(0.25), 0.5, 0.75))
        0.25
    """
    # Nothing shared may mean two boxes without area: 0 / 0.
    union = ops.where(shared > 0, area + other_area - shared, 1.0)
    return shared / union


def corners_to_center(boxes: Array) -> Array:
    """Boxes by their corners, as boxes by their center and size.

    Args:
        boxes: [..., 4], `[ymin, xmin, ymax, xmax]`.

    Returns:
        float32 [..., 4], `[y, x, height, width]`.

    Example:
        >>> import numpy as np
        >>> np.asarray(corners_to_center([0.0, 0.25, 0.5, 0.75])).tolist()
        [0.25, 0.5, 0.5, 0.5]
    """
    ymin, xmin, ymax, xmax = sides(boxes)
    return ops.stack([(ymin + ymax) / 2, (xmin + xmax) / 2, ymax - ymin, xmax - xmin], axis=-1)


def center_to_corners(boxes: Array) -> Array:
    """Boxes by their center and size, as boxes by their corners.

    Args:
        boxes: [..., 4], `[y, x, height, width]`.

    Returns:
        float32 [..., 4], `[ymin, xmin, ymax, xmax]`.

    Example:
        >>> import numpy as np
        >>> np.asarray(center_to_corners([0.25, 0.5, 0.5, 0.5])).tolist()
        [0.0, 0.25, 0.5, 0.75]
    """
    y, x, height, width = sides(boxes)
    return ops.stack([y - height / 2, x - width / 2, y + height / 2, x + width / 2], axis=-1)


def clip(boxes: Array) -> Array:
    """The part of each box that lies inside the image.

    Args:
        boxes: [..., 4], boxes as in `anchors.boxes`.

    Returns:
        float32 [..., 4], each coordinate from 0 to 1. A box outside the image loses its area.

    Example:
        >>> import numpy as np
        >>> np.asarray(clip([-0.5, 0.25, 0.5, 1.5])).tolist()
        [0.0, 0.25, 0.5, 1.0]
    """
    return ops.clip(ops.stack(sides(boxes), axis=-1), 0.0, 1.0)

"""Which box each anchor answers for."""

from typing import Any, NamedTuple

from keras import ops

from anchors.boxes import area, intersection, overlap


class Match(NamedTuple):
    """What `match` says of every anchor; each field is [..., anchors].

    Args:
        box: int32, the row of the box this anchor answers for. Always in range; 0 where no box
            overlaps the anchor.
        positive: bool, whether the anchor should find that box.
        ignored: bool, whether the anchor should be left out of the loss. Never with `positive`.
            An anchor that is neither is background.
        overlap: float32, IoU with that box, from 0 to 1.
    """

    box: Any
    positive: Any
    ignored: Any
    overlap: Any


def match(anchors, boxes, *, positive=0.5, negative=0.4, ignore=None):
    """Which box each anchor answers for, and whether it is positive, ignored or background.

    1. Every box that overlaps any anchor gets one of its own: over all pairs, the highest
       overlap first (a box is left without only where others hold every anchor it overlaps).
    2. Another anchor takes the box it overlaps most, and is positive from `positive` on.
    3. The rest are ignored from `negative` on, or where a region to ignore covers half of them,
       and background otherwise.

    Ties go to the lowest index. No gradient flows through a match.

    Args:
        anchors: [anchors, 4], boxes as in `anchors.boxes`.
        boxes: [..., boxes, 4], likewise. Rows without area are padding: they match nothing.
        positive: Least overlap at which an anchor answers for its best box, in (0, 1].
        negative: Overlap under which an anchor is background, from 0 to `positive`.
        ignore: bool [..., boxes], true where a row is a region to ignore and no box.

    Returns:
        A `Match` of [..., anchors].

    Raises:
        ValueError: If a shape or a threshold is not as above.

    Example:
        >>> import numpy as np
        >>> anchors = [[0.0, 0.0, 1.0, 0.5], [0.0, 0.5, 1.0, 1.0]]
        >>> found = match(anchors, [[0.0, 0.5, 1.0, 0.75], [0.0, 0.0, 0.0, 0.0]])
        >>> [np.asarray(field).tolist() for field in found]
        [[0, 0], [False, True], [False, False], [0.0, 0.5]]
    """
    if not 0 <= negative <= positive <= 1 or positive == 0:
        raise ValueError(
            f"match: wanted 0 <= negative <= positive <= 1 and positive over 0, "
            f"got negative={negative} and positive={positive}"
        )
    anchors = ops.stop_gradient(ops.convert_to_tensor(anchors, "float32"))
    boxes = ops.stop_gradient(ops.convert_to_tensor(boxes, "float32"))
    if len(anchors.shape) != 2 or anchors.shape[-1] != 4:
        raise ValueError(f"match: wanted anchors of shape [anchors, 4], got {anchors.shape}")
    if len(boxes.shape) < 2 or boxes.shape[-1] != 4:
        raise ValueError(f"match: wanted boxes of shape [..., boxes, 4], got {boxes.shape}")
    rows = boxes
    if ignore is not None:
        ignore = ops.convert_to_tensor(ignore, "bool")
        rows = ops.where(ignore[..., None], 0.0, boxes)
    # A row of padding at the end, so that a batch without boxes has something to reduce.
    rows = ops.pad(rows, [(0, 0)] * (len(rows.shape) - 2) + [(0, 1), (0, 0)])
    shared = intersection(rows, anchors)
    found = overlap(shared, area(rows)[..., :, None], area(anchors)[..., None, :])
    claim = _claims(found)  # [..., boxes]
    index = ops.arange(anchors.shape[0], dtype="int32")
    own = claim[..., :, None] == index  # [..., boxes, anchors]
    won = ops.any(own, axis=-2)
    box = ops.where(won, ops.argmax(own, axis=-2), ops.argmax(found, axis=-2))
    box = ops.cast(box, "int32")
    best = ops.where(won, ops.max(ops.where(own, found, 0.0), axis=-2), ops.max(found, axis=-2))
    is_positive = ops.logical_or(won, best >= positive)
    ignored = best >= negative
    if ignore is not None:
        regions = ops.where(ignore[..., None], boxes, 0.0)
        shared = intersection(regions, anchors)
        covered = ops.logical_and(shared > 0, shared >= 0.5 * area(anchors))
        ignored = ops.logical_or(ignored, ops.any(covered, axis=-2))
    return Match(box, is_positive, ops.logical_and(ignored, ~is_positive), best)


def _claims(found):
    """The anchor that each box holds in the end, or -1; int32 [..., boxes]."""
    order = ops.arange(ops.shape(found)[-2], dtype="int32")

    def refused(claim, value):
        same = claim[..., :, None] == claim[..., None, :]
        higher = ops.logical_or(
            value[..., None, :] > value[..., :, None],
            ops.logical_and(
                value[..., None, :] == value[..., :, None], order[None, :] < order[:, None]
            ),
        )
        return ops.logical_and(claim >= 0, ops.any(ops.logical_and(same, higher), axis=-1))

    def more(left, claim, value):
        return ops.any(ops.logical_and(claim < 0, ops.max(left, axis=-1) > 0))

    def step(left, claim, value):
        best = ops.max(left, axis=-1)
        seeks = ops.logical_and(claim < 0, best > 0)
        claim = ops.where(seeks, ops.cast(ops.argmax(left, axis=-1), "int32"), claim)
        value = ops.where(seeks, best, value)
        index = ops.arange(ops.shape(left)[-1], dtype="int32")
        left = ops.where(claim[..., None] == index, 0.0, left)
        return left, ops.where(refused(claim, value), -1, claim), value

    value = ops.zeros_like(found[..., 0])
    claim = ops.cast(value, "int32") - 1
    return ops.while_loop(more, step, (found, claim, value))[1]

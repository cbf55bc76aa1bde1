"""Which box each anchor answers for.

The order of work, and why it is fast:

1. One pass over all pairs, `GROUP` rows of boxes at a time, so that memory holds a few rows and
   never all pairs. It keeps each anchor's best box, and each box's best overlap in every tile of
   `TILE` neighbouring anchors.
2. Rounds of deferred acceptance. An overlap means the same to the box and to the anchor, so these
   rounds end in exactly what a greedy loop over all sorted pairs finds, with every box of every
   photo asking at once. A box finds its next anchor by its best tile, so a round looks at
   tiles + `TILE` numbers of a box where a plain one would look at all anchors.
3. Anchors that a box holds are written over the best boxes of the first pass.

A product and a sum of it, or a maximum and its place, are never left to one fused operation of
a compiler, so every compiler gives the same bits.
"""

from typing import Any, NamedTuple

from keras import ops

from anchors.boxes import Sides, overlap, shared_area

# Measured on two cores, 32 photos of 16 boxes, 8,192 and 24,564 anchors. Memory grows with the
# rows in a group; 2, 3, 4 and 8 take the same time under XLA within a tenth, 1 takes longer.
# Tiles of 128 are a tenth faster than tiles of 64 or less, and no slower than tiles of 256.
GROUP = 2
TILE = 128

NOBODY = -1


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
       overlap first. A box goes without only where others hold every anchor it overlaps.
    2. Another anchor takes the box it overlaps most, and is positive from `positive` on.
    3. The rest are ignored from `negative` on, or where a region to ignore covers half of the
       anchor or more, and background otherwise.

    Ties go to the lowest index. No gradient flows through a match.

    Args:
        anchors: [anchors, 4], boxes as in `anchors.boxes`: a known number, one or more.
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

    Source: Liu et al., "SSD: Single Shot MultiBox Detector" (2016), section 2.2, made exact by
    Gale and Shapley, "College admissions and the stability of marriage" (1962).
    """
    anchors = ops.stop_gradient(ops.convert_to_tensor(anchors, "float32"))
    boxes = ops.stop_gradient(ops.convert_to_tensor(boxes, "float32"))
    ignore = None if ignore is None else ops.convert_to_tensor(ignore, "bool")
    _check(anchors, boxes, positive, negative, ignore)
    photos = ops.shape(boxes)[:-2]

    real = boxes if ignore is None else ops.where(ignore[..., None], 0.0, boxes)
    box, held, overlap = _answer(anchors, _grouped(real))
    is_positive = ops.logical_or(held, overlap >= positive)
    ignored = overlap >= negative
    if ignore is not None:
        regions = ops.where(ignore[..., None], boxes, 0.0)
        ignored = ops.logical_or(ignored, _covered(anchors, _grouped(regions)))
    ignored = ops.logical_and(ignored, ops.logical_not(is_positive))
    fields = (box, is_positive, ignored, overlap)
    return Match(*(ops.reshape(field, (*photos, anchors.shape[0])) for field in fields))


def _check(anchors, boxes, positive, negative, ignore):
    if len(anchors.shape) != 2 or anchors.shape[-1] != 4 or not anchors.shape[0]:
        raise ValueError(
            "match: wanted anchors of shape [anchors, 4], a known number of one or more, "
            f"got {tuple(anchors.shape)}"
        )
    if len(boxes.shape) < 2 or boxes.shape[-1] != 4:
        raise ValueError(f"match: wanted boxes of shape [..., boxes, 4], got {tuple(boxes.shape)}")
    if not (0 <= negative <= positive <= 1 and positive > 0):
        raise ValueError(
            "match: wanted 0 <= negative <= positive <= 1 and positive above 0, "
            f"got negative {negative} and positive {positive}"
        )
    if ignore is not None:
        known = zip(ignore.shape, boxes.shape[:-1], strict=False)
        if len(ignore.shape) != len(boxes.shape) - 1 or any(
            None not in pair and pair[0] != pair[1] for pair in known
        ):
            raise ValueError(
                f"match: wanted ignore of shape {tuple(boxes.shape[:-1])}, as boxes have rows, "
                f"got {tuple(ignore.shape)}"
            )


def _grouped(boxes):
    """Boxes by groups of rows, [groups, GROUP, 4, photos, 1, 1]; the last filled with padding."""
    *photos, rows, _ = ops.shape(boxes)
    batch = 1
    for axis in photos:
        batch = batch * axis
    # At least one group, so that a batch without boxes has the shape of any other.
    least = max(rows, 1) if isinstance(rows, int) else ops.maximum(rows, 1)
    filled = least + -least % GROUP
    boxes = ops.reshape(boxes, (batch, rows, 4))
    boxes = ops.concatenate([boxes, ops.zeros((batch, filled - rows, 4))], axis=1)
    boxes = ops.transpose(boxes, (1, 2, 0))  # [rows, 4, photos]
    return ops.reshape(boxes, (filled // GROUP, GROUP, 4, batch, 1, 1))


def _used(groups):
    """How many groups hold a real box: the padding after them costs nothing."""
    sides = Sides(*(groups[:, :, side] for side in range(4)))
    real = ops.any(shared_area(sides, sides) > 0, axis=(1, 2, 3, 4))  # [groups]
    order = ops.arange(ops.shape(groups)[0], dtype="int32")
    return ops.max(ops.where(real, order + 1, 0))


def _for_each(count, step, *state):
    """The state after `step(turn, *state)` for every turn below `count`."""

    def body(turn, *state):
        return turn + 1, *step(turn, *state)

    start = ops.convert_to_tensor(0, "int32")
    return ops.while_loop(lambda turn, *_: turn < count, body, (start, *state))[1:]


def _tiled(anchors):
    """Anchors by tiles of neighbours, [4, TILE, tiles]; the last filled with padding.

    The tiles lie along the last axis, so that the best of each tile is taken across vectors
    and not within one.
    """
    anchors = ops.concatenate([anchors, ops.zeros((-anchors.shape[0] % TILE, 4))], axis=0)
    return ops.transpose(ops.reshape(anchors, (-1, TILE, 4)), (2, 1, 0))


def _answer(anchors, groups):
    """Each anchor's box, whether that box holds it, and their overlap; [photos, anchors]."""
    tiles = _tiled(anchors)
    best, box, reach = _survey(tiles, groups)
    claim, value = _claims(tiles, groups, reach)  # [rows, photos]

    # Each claim in its place among all anchors; those of nobody in one more place at the end.
    rows, photos = ops.shape(claim)
    count = tiles.shape[1] * tiles.shape[2]
    place = ops.arange(photos, dtype="int32") * count + claim
    place = ops.reshape(ops.where(claim == NOBODY, photos * count, place), (-1, 1))
    row = ops.broadcast_to(ops.arange(rows, dtype="int32")[:, None] + 1, (rows, photos))

    def placed(values):
        values = ops.scatter(place, ops.reshape(values, (-1,)), (photos * count + 1,))
        return ops.reshape(values[:-1], (photos, count))

    def in_order(values):  # [photos, TILE, tiles] -> [photos, anchors]
        return ops.reshape(ops.transpose(values, (0, 2, 1)), (photos, count))

    holder = placed(row)
    held = holder > 0
    box = ops.where(held, holder - 1, in_order(box))
    best = ops.where(held, placed(value), in_order(best))
    return tuple(values[:, : anchors.shape[0]] for values in (box, held, best))


def _survey(tiles, groups):
    """Each anchor's best overlap and box, and each box's best overlap in every tile.

    Returns:
        float32 and int32 [photos, TILE, tiles], and float32 [groups, GROUP, photos, tiles].
    """
    anchors = Sides(*(tiles[side] for side in range(4)))
    count, _, _, photos, _, _ = ops.shape(groups)

    def step(group, best, box, reach):
        boxes = groups[group]
        boxes = Sides(*(boxes[:, side] for side in range(4)))  # each [GROUP, photos, 1, 1]
        found = _overlap(boxes, anchors)  # [GROUP, photos, TILE, tiles]
        for member in range(GROUP):
            # The first of equals stays.
            box = ops.where(found[member] > best, group * GROUP + member, box)
            best = ops.maximum(found[member], best)
        # The maximum over TILE, by halves: XLA turns its own reduction into a slow loop.
        while found.shape[-2] > 1:
            half = found.shape[-2] // 2
            found = ops.maximum(found[..., :half, :], found[..., half:, :])
        reach = ops.slice_update(reach, (group, 0, 0, 0), ops.squeeze(found, -2)[None])
        return best, box, reach

    best = ops.zeros((photos, *tiles.shape[1:]))
    box = ops.zeros((photos, *tiles.shape[1:]), "int32")
    reach = ops.zeros((count, GROUP, photos, tiles.shape[2]))
    return _for_each(_used(groups), step, best, box, reach)


def _claims(tiles, groups, reach):
    """The anchor each box holds in the end, or NOBODY, and their overlap; [rows, photos].

    In a round, every box without an anchor asks the best one it has not asked yet, and each
    anchor keeps the best box that ever asked it.
    """
    count, _, _, photos, _, _ = ops.shape(groups)
    rows = count * GROUP
    boxes = ops.reshape(groups, (rows, 4, photos, 1))
    boxes = Sides(*(boxes[:, side] for side in range(4)))  # each [rows, photos, 1]
    reach = ops.reshape(reach, (rows, photos, tiles.shape[2]))
    neighbours = [ops.transpose(tiles[side]) for side in range(4)]  # each [tiles, TILE]
    order = ops.arange(rows, dtype="int32")
    tile_order = ops.arange(tiles.shape[2], dtype="int32")
    neighbour_order = ops.arange(TILE, dtype="int32")

    def someone_asks(claim, value, reach, after):
        return ops.any(ops.logical_and(claim == NOBODY, reach > 0))

    def ask(claim, value, reach, after):
        # `reach` is the best overlap left in each tile. In a tile already asked, `after` is the
        # place it was found at; everything before it in the order of asking has been asked.
        top, tile = _first_best(reach, tile_order)  # [rows, photos, 1]
        asks = ops.logical_and(claim == NOBODY, top > 0)
        here = ops.logical_and(asks, tile_order == tile)  # [rows, photos, tiles]
        since = ops.max(ops.where(here, after, NOBODY), axis=-1, keepdims=True)
        found = _overlap(
            boxes, Sides(*(ops.take(side, tile[..., 0], axis=0) for side in neighbours))
        )  # [rows, photos, TILE]
        left = ops.logical_or(found < top, ops.logical_and(found == top, neighbour_order >= since))
        left = ops.logical_or(since == NOBODY, left)
        found = ops.where(left, found, 0.0)
        best, place = _first_best(found, neighbour_order)
        next_best, next_place = _first_best(
            ops.where(neighbour_order == place, 0.0, found), neighbour_order
        )
        claim = ops.where(ops.logical_and(asks, best > 0), tile * TILE + place, claim)
        value = ops.where(asks, best, value)
        claim = ops.where(_refused(claim[..., 0], value[..., 0], order)[..., None], NOBODY, claim)
        return (
            claim,
            value,
            ops.where(here, next_best, reach),
            ops.where(here, next_place, after),
        )

    value = ops.zeros((rows, photos, 1))
    claim = ops.full((rows, photos, 1), NOBODY, "int32")
    after = ops.full((rows, photos, tiles.shape[2]), NOBODY, "int32")
    claim, value, _, _ = ops.while_loop(someone_asks, ask, (claim, value, reach, after))
    return claim[..., 0], value[..., 0]


def _refused(claim, value, order):
    """Whether another box asks for the same anchor with a better right; bool [rows, photos]."""
    rival = claim[None], value[None], order[None, :, None]
    claim, value, order = claim[:, None], value[:, None], order[:, None, None]
    ahead = ops.logical_and(rival[1] == value, rival[2] < order)
    ahead = ops.logical_or(rival[1] > value, ahead)
    return ops.any(ops.logical_and(rival[0] == claim, ahead), axis=1)


def _first_best(values, order):
    """The highest value along the last axis, and the first place it stands at; each [..., 1]."""
    best = ops.max(values, axis=-1, keepdims=True)
    place = ops.min(ops.where(values == best, order, ops.shape(order)[0]), axis=-1, keepdims=True)
    return best, place


def _overlap(boxes, anchors):
    return overlap(
        shared_area(boxes, anchors), shared_area(boxes, boxes), shared_area(anchors, anchors)
    )


def _covered(anchors, groups):
    """Whether a region shares half of the anchor's area or more; bool [photos, anchors]."""
    anchors = Sides(*(anchors[:, side] for side in range(4)))
    half = 0.5 * shared_area(anchors, anchors)  # [anchors]
    photos = ops.shape(groups)[3]

    def step(group, covered):
        for member in range(GROUP):
            region = groups[group, member, :, :, 0]  # [4, photos, 1]
            shared = shared_area(Sides(*(region[side] for side in range(4))), anchors)
            enough = ops.logical_and(shared > 0, shared >= half)
            covered = ops.logical_or(covered, enough)
        return (covered,)

    covered = ops.zeros((photos, anchors.ymin.shape[0]), "bool")
    return _for_each(_used(groups), step, covered)[0]

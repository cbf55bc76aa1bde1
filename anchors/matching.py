"""Which box each anchor is assigned to.

The order of work, and why it is fast:

1. One pass over all pairs, `GROUP` rows of boxes at a time, so that memory holds a few rows and
   never all pairs. It keeps each anchor's best box, and each box's best overlap in every tile of
   `TILE` neighboring anchors.
2. Deferred acceptance. An overlap means the same to the box and to the anchor, so this ends in
   exactly what a greedy loop over all sorted pairs finds. Every box of every photo claims its best
   anchor at once; few are refused, and those take turns, one of each photo at a time. A box finds
   its next anchor by its best tile, so a turn looks at tiles + `TILE` numbers of a photo.
3. A claim is written over the best box of the anchor where it stands. What is there also tells
   the next box that asks whether the anchor is held, and how well.

A product and a sum of it, or a maximum and its place, are never left to one fused operation of
a compiler, so every compiler gives the same bits.
"""

import functools
from typing import NamedTuple

import keras
from keras import ops

from anchors.boxes import Array, Sides, overlap, shared_area

# Measured on two cores under XLA, 32 photos of 16 boxes, 4,096 anchors. Memory grows with the rows
# in a group, and 2 take the same time as 4. Tiles of 128 are faster than tiles of 64 by a fifth.
GROUP = 2
TILE = 128

# Tiles in one pass: with 32 photos a group of rows is then 1 MB, which stays in a core's cache.
PART = 32


class Match(NamedTuple):
    """What `match` says of every anchor; each field is [..., anchors].

    Attributes:
        box: int32, the row of the box this anchor is assigned to. Always in range; 0 where no box
            overlaps the anchor.
        positive: bool, whether the anchor should find that box.
        ignored: bool, whether the anchor should be left out of the loss. Never with `positive`.
            An anchor that is neither is background.
        overlap: float32, IoU with that box, from 0 to 1.

    Example:
        >>> found = match([[0.0, 0.0, 1.0, 0.5]], [[0.0, 0.0, 1.0, 0.5]])
        >>> bool(found.positive[0]), float(found.overlap[0])
        (True, 1.0)
    """

    box: Array
    positive: Array
    ignored: Array
    overlap: Array


def match(
    anchors: Array,
    boxes: Array,
    *,
    positive_iou: float = 0.5,
    negative_iou: float = 0.4,
    ignore: Array = None,
) -> Match:
    """Which box each anchor is assigned to, and whether it is positive, ignored or background.

    1. Every box that overlaps any anchor gets one of its own: over all pairs, the highest
       overlap first. A box goes without only where others hold every anchor it overlaps.
    2. Another anchor takes the box it overlaps most, and is positive from `positive_iou` on.
    3. The rest are ignored from `negative_iou` on, or where a region to ignore covers half of the
       anchor or more, and background otherwise.

    Ties go to the lowest index. No gradient flows through a match.

    Args:
        anchors: [anchors, 4], boxes as in `anchors.boxes`: a known number, one or more.
        boxes: [..., boxes, 4], likewise. Rows without area are padding: they match nothing.
        positive_iou: Least overlap at which an anchor is assigned to its best box, in (0, 1].
        negative_iou: Overlap under which an anchor is background, from 0 to `positive_iou`.
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
    _check(anchors, boxes, positive_iou, negative_iou, ignore)
    return Match(*_compiled(_match)(anchors, boxes, ignore, positive_iou, negative_iou))


@functools.cache
def _compiled(function):
    """By XLA, once for each shape.

    Otherwise TensorFlow would run every small operation by itself, and JAX, called eagerly,
    would compile the loops in every call.
    """
    if keras.backend.backend() == "jax":
        import jax

        return jax.jit(function)
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return tf.function(function, jit_compile=True, autograph=False)
    return function


def _match(anchors, boxes, ignore, positive_iou, negative_iou):
    photos = ops.shape(boxes)[:-2]
    real = boxes if ignore is None else ops.where(ignore[..., None], 0.0, boxes)
    box, held, overlap = _assign(anchors, _grouped(real))
    is_positive = ops.logical_or(held, overlap >= positive_iou)
    ignored = overlap >= negative_iou
    if ignore is not None:
        regions = ops.where(ignore[..., None], boxes, 0.0)
        ignored = ops.logical_or(ignored, _covered(anchors, _grouped(regions)))
    ignored = ops.logical_and(ignored, ops.logical_not(is_positive))
    fields = (box, is_positive, ignored, overlap)
    return tuple(ops.reshape(field, (*photos, anchors.shape[0])) for field in fields)


def _check(anchors, boxes, positive_iou, negative_iou, ignore):
    if len(anchors.shape) != 2 or anchors.shape[-1] != 4 or not anchors.shape[0]:
        raise ValueError(
            "match: wanted anchors of shape [anchors, 4], a known number of one or more, "
            f"got {tuple(anchors.shape)}"
        )
    if len(boxes.shape) < 2 or boxes.shape[-1] != 4:
        raise ValueError(f"match: wanted boxes of shape [..., boxes, 4], got {tuple(boxes.shape)}")
    if not (0 <= negative_iou <= positive_iou <= 1 and positive_iou > 0):
        raise ValueError(
            "match: wanted 0 <= negative_iou <= positive_iou <= 1 and positive_iou above 0, "
            f"got negative_iou {negative_iou} and positive_iou {positive_iou}"
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


def _areas(groups):
    """The area of each box, [groups, GROUP, photos, 1, 1]."""
    boxes = Sides(*(groups[:, :, side] for side in range(4)))
    return shared_area(boxes, boxes)


def _used(areas):
    """How many groups hold a real box: the padding after them costs nothing."""
    real = ops.any(areas > 0, axis=(1, 2, 3, 4))  # [groups]
    order = ops.arange(ops.shape(areas)[0], dtype="int32")
    return ops.max(ops.where(real, order + 1, 0))


def _for_each(count, step, *state):
    """The state after `step(turn, *state)` for every turn below `count`, the last turn first."""

    def body(turn, *state):
        return turn - 1, *step(turn - 1, *state)

    return ops.while_loop(lambda turn, *_: turn > 0, body, (count, *state))[1:]


def _tiled(anchors):
    """Anchors by tiles of neighbors, each side [tiles, TILE]; the last filled with padding."""
    anchors = ops.concatenate([anchors, ops.zeros((-anchors.shape[0] % TILE, 4))], axis=0)
    tiles = ops.reshape(anchors, (-1, TILE, 4))
    return Sides(*(tiles[..., side] for side in range(4)))


def _assign(anchors, groups):
    """Each anchor's box, whether that box holds it, and their overlap; [photos, anchors]."""
    tiles = _tiled(anchors)
    starts = range(0, tiles.ymin.shape[0], PART)
    parts = (Sides(*(side[start : start + PART] for side in tiles)) for start in starts)
    surveys = zip(*(_survey(part, groups) for part in parts), strict=True)
    box, best, reach = (
        ops.concatenate(parts, axis=axis) for parts, axis in zip(surveys, (1, 1, 3), strict=True)
    )
    count, _, _, photos, _, _ = ops.shape(groups)
    rows = count * GROUP
    boxes = ops.reshape(ops.transpose(groups, (0, 1, 3, 2, 4, 5)), (rows * photos, 4))
    reach = ops.reshape(reach, (rows * photos, tiles.ymin.shape[0]))
    waiting, *claims = _first_claims(tiles, boxes, reach, box, best, rows)
    box, best, held = _turns(tiles, boxes, waiting, reach, *claims)
    shape = (photos, tiles.ymin.shape[0] * TILE)
    fields = (ops.reshape(field, shape) for field in (box, held, best))
    return tuple(field[:, : anchors.shape[0]] for field in fields)


def _survey(tiles, groups):
    """Each anchor's best box and overlap, and each box's best overlap in every tile.

    Returns:
        int32 and float32 [photos, tiles, TILE], and float32 [groups, GROUP, photos, tiles].
    """
    count, _, _, photos, _, _ = ops.shape(groups)
    areas, tile_areas = _areas(groups), shared_area(tiles, tiles)

    # From the last row to the first: of equals the first then stays, and which box is best can be
    # told from the best overlap alone, which is overwritten in place.
    def step(group, box, best, reach):
        boxes = groups[group]
        boxes = Sides(*(boxes[:, side] for side in range(4)))  # each [GROUP, photos, 1, 1]
        found = overlap(shared_area(boxes, tiles), areas[group], tile_areas)
        for member in range(GROUP):
            best = ops.maximum(found[member], best)
        for member in reversed(range(GROUP)):
            box = ops.where(found[member] == best, group * GROUP + member, box)
        most = ops.squeeze(_most(found), -1)  # [GROUP, photos, tiles]
        return box, best, ops.slice_update(reach, (group, 0, 0, 0), most[None])

    shape = (photos, *tiles.ymin.shape)
    box, best = ops.zeros(shape, "int32"), ops.zeros(shape)
    reach = ops.zeros((count, GROUP, photos, shape[1]))
    return _for_each(_used(areas), step, box, best, reach)


def _first_claims(tiles, boxes, reach, box, best, rows):
    """Every box claims its best anchor, and the best claim is written where it stands.

    Args:
        tiles: `Sides` of [tiles, TILE].
        boxes: [rows · photos, 4].
        reach: [rows · photos, tiles], each box's best overlap in every tile.
        box: int32 [photos, tiles, TILE], each anchor's best box.
        best: [photos, tiles, TILE], and their overlap.
        rows: Rows of boxes in a photo.

    Returns:
        bool [rows, photos], the boxes refused; and `box`, `best` and whether the anchor is held,
        [photos · tiles, TILE].
    """
    photos, tile_count, _ = ops.shape(box)
    # `initial` says what a batch without photos has, for which Keras would raise.
    tile = _first(reach, ops.max(reach, axis=-1, keepdims=True, initial=0.0))
    found = _tile_iou(tiles, tile, boxes)
    value = _most(found)
    # A box that overlaps nothing claims anchor 0 and has nothing to offer.
    claim = ops.reshape(tile * TILE + _first(found, value), (rows, photos))
    value = ops.reshape(value, (rows, photos))

    row = ops.arange(rows, dtype="int32")[:, None]
    same = claim[None] == claim[:, None]  # [rows, rows, photos]
    offer = ops.max(ops.where(same, value[None], 0.0), axis=1, initial=0.0)
    holder = ops.where(same & (value[None] == offer[:, None]), row[None], rows)
    holder = ops.min(holder, axis=1, initial=rows)  # [rows, photos]

    # All that claim the same anchor write its holder, so that no order of writing matters.
    spot = ops.arange(photos, dtype="int32") * (tile_count * TILE) + claim
    spot = ops.reshape(spot, (-1, 1))

    def written(field, values):
        field = ops.reshape(field, (-1,))
        before = ops.reshape(ops.take(field, spot[:, 0], axis=0), (rows, photos))
        values = ops.reshape(ops.where(offer > 0, values, before), (-1,))
        return ops.reshape(ops.scatter_update(field, spot, values), (-1, TILE))

    held = ops.zeros(ops.shape(box), "bool")
    return (
        (holder != row) & (value > 0),
        written(box, holder),
        written(best, offer),
        written(held, offer > 0),
    )


def _turns(tiles, boxes, waiting, reach, box, best, held):
    """Boxes without an anchor take turns, one of each photo at a time, until nobody waits.

    Args:
        tiles, boxes: As for `_first_claims`.
        waiting: bool [rows, photos], the boxes without an anchor that overlap one.
        reach: [rows · photos, tiles], what each box hopes for in every tile: what a better box
            has taken meanwhile is found out in its turn.
        box, best, held: [photos · tiles, TILE], as `_first_claims` left them.

    Returns:
        `box`, `best` and `held` at the end.
    """
    return ops.while_loop(
        lambda waiting, *_: ops.any(waiting),
        functools.partial(_turn, tiles, boxes),
        (waiting, reach, box, best, held),
    )[2:]


def _turn(tiles, boxes, waiting, reach, box, best, held):
    """One box of each photo claims the best anchor that no better box holds.

    Whom it replaces waits. Arguments as for `_turns`; returned is what changes, from `waiting` on.
    """
    rows, photos = ops.shape(waiting)
    row = ops.arange(rows, dtype="int32")[:, None]  # [rows, 1]
    photo = ops.arange(photos, dtype="int32")  # [photos]
    asker = ops.min(ops.where(waiting, row, rows), axis=0)  # [photos]
    asks = asker < rows
    asker = ops.minimum(asker, rows - 1)

    # It looks into the tile that it hopes most of.
    pair = asker * photos + photo
    hopes = ops.take(reach, pair, axis=0)  # [photos, tiles]
    tile = _first(hopes, ops.max(hopes, axis=-1, keepdims=True))
    spot = photo * tiles.ymin.shape[0] + tile
    here = [ops.take(field, spot, axis=0) for field in (box, best, held)]  # [photos, TILE] each
    free = _free(_tile_iou(tiles, tile, ops.take(boxes, pair, axis=0)), asker, *here)
    hopes, overlaps, takes, taken = _decide(free, hopes, tile, asks)

    box_here, best_here, held_here = here
    replaced = ops.max(ops.where(taken & held_here, box_here, -1), axis=-1)
    best_free = _most(free)
    spot = spot[:, None]
    return (
        ops.where(row == asker, overlaps & ~takes, waiting | (row == replaced)),
        ops.scatter_update(reach, pair[:, None], hopes),
        ops.scatter_update(box, spot, ops.where(taken, asker[:, None], box_here)),
        ops.scatter_update(best, spot, ops.where(taken, best_free, best_here)),
        ops.scatter_update(held, spot, taken | held_here),
    )


def _free(found, asker, box_here, best_here, held_here):
    """Overlaps with a tile's anchors, [photos, TILE]; 0 where a better box holds the anchor."""
    better = (found > best_here) | ((found == best_here) & (asker[:, None] < box_here))
    return ops.where(better | ~held_here, found, 0.0)


def _decide(free, hopes, tile, asks):
    """What boxes do that have seen their tiles: each takes an anchor unless it may hope for more.

    Returns:
        `hopes` as they are now, [photos, tiles]; whether each asks and overlaps something, and
        whether it takes an anchor, bool [photos]; and which, bool [photos, TILE].
    """
    value = _most(free)
    tile_order = ops.arange(hopes.shape[-1], dtype="int32")
    hopes = ops.where(tile_order == tile[:, None], value, hopes)
    most = ops.max(hopes, axis=-1, keepdims=True)
    overlaps = asks & (most[:, 0] > 0)
    takes = overlaps & (_first(hopes, most) == tile)
    order = ops.arange(TILE, dtype="int32")
    return hopes, overlaps, takes, takes[:, None] & (order == _first(free, value)[:, None])


def _tile_iou(tiles, tile, boxes):
    """How far each box, [boxes, 4], overlaps the anchors of its tile; [boxes, TILE]."""
    boxes = Sides(*(boxes[:, side, None] for side in range(4)))
    return _overlap(boxes, Sides(*(ops.take(side, tile, axis=0) for side in tiles)))


def _most(values):
    """The maximum along the last axis, a power of two long, kept as an axis.

    By halves: XLA turns its own reduction into a slow loop.
    """
    while values.shape[-1] > 1:
        half = values.shape[-1] // 2
        values = ops.maximum(values[..., :half], values[..., half:])
    return values


def _first(values, best):
    """The first place along the last axis where `best`, [..., 1], stands; int32 [...]."""
    count = values.shape[-1]
    order = ops.arange(count, dtype="int32")
    return ops.min(ops.where(values == best, order, count), axis=-1, initial=count)


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
    return _for_each(_used(_areas(groups)), step, covered)[0]

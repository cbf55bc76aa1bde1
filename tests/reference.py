"""What the fast code must do, in plain Python loops: written for reading, not for speed.

A box is a list `[ymin, xmin, ymax, xmax]`. Overlaps and thresholds are rounded to float32,
as the fast code holds them, so that a tie here is a tie there.
"""

import math

import numpy as np

VARIANCES = (0.1, 0.1, 0.2, 0.2)


def float32(number):
    """The number as float32 holds it."""
    return float(np.float32(number))


def area(box):
    """Height times width; 0 where either is not positive."""
    ymin, xmin, ymax, xmax = box
    if ymax <= ymin or xmax <= xmin:
        return 0.0
    return (ymax - ymin) * (xmax - xmin)


def intersection(a, b):
    """The area two boxes share."""
    return area([max(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), min(a[3], b[3])])


def iou(a, b):
    """The area two boxes share over the area they cover together."""
    shared = intersection(a, b)
    if shared == 0:
        return 0.0
    return float32(shared / (area(a) + area(b) - shared))


def grid(feature_shapes, sizes):
    """Anchors level by level, row by row, column by column, size by size."""
    anchors = []
    for (rows, columns), level in zip(feature_shapes, sizes, strict=True):
        for row in range(rows):
            for column in range(columns):
                for height, width in level:
                    y = (row + 0.5) / rows
                    x = (column + 0.5) / columns
                    anchors.append([y - height / 2, x - width / 2, y + height / 2, x + width / 2])
    return anchors


def greedy(overlaps):
    """Pairs (box, anchor) in the order they are taken: the highest overlap first.

    A box and an anchor are taken once each; of equal overlaps the lowest indices come first.
    """
    pairs = [
        (-overlap, b, a)
        for b, row in enumerate(overlaps)
        for a, overlap in enumerate(row)
        if overlap > 0
    ]
    taken, boxes, anchors = [], set(), set()
    for _, b, a in sorted(pairs):
        if b not in boxes and a not in anchors:
            taken.append((b, a))
            boxes.add(b)
            anchors.add(a)
    return taken


def match(anchors, boxes, *, positive_iou=0.5, negative_iou=0.4, ignore=None, overlaps=None):
    """For every anchor of one photo: (box, positive, ignored, overlap).

    `overlaps`, a row of anchors for every box, stand in for those of the boxes where given.
    """
    ignore = ignore or [False] * len(boxes)
    if overlaps is None:
        overlaps = [[iou(box, anchor) for anchor in anchors] for box in boxes]
    overlaps = [[0.0] * len(anchors) if ignore[b] else overlaps[b] for b, _ in enumerate(boxes)]

    # Every box gets an anchor of its own.
    box_of = {a: b for b, a in greedy(overlaps)}

    found = []
    for a, anchor in enumerate(anchors):
        # The best box of this anchor, unless a box holds it.
        box, overlap = 0, 0.0
        for b in range(len(boxes)):
            if overlaps[b][a] > overlap:
                box, overlap = b, overlaps[b][a]
        if a in box_of:
            box = box_of[a]
            overlap = overlaps[box][a]

        is_positive = a in box_of or overlap >= float32(positive_iou)
        covered = False
        for b, region in enumerate(boxes):
            if ignore[b] and area(anchor) > 0:
                covered = covered or intersection(region, anchor) >= 0.5 * area(anchor)
        between = overlap >= float32(negative_iou)
        found.append((box, is_positive, not is_positive and (between or covered), overlap))
    return found


def encode(box, anchor):
    """One box as offsets from one anchor."""
    y, x = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    anchor_y, anchor_x = (anchor[0] + anchor[2]) / 2, (anchor[1] + anchor[3]) / 2
    height, width = box[2] - box[0], box[3] - box[1]
    anchor_height, anchor_width = anchor[2] - anchor[0], anchor[3] - anchor[1]
    return [
        (y - anchor_y) / anchor_height / VARIANCES[0],
        (x - anchor_x) / anchor_width / VARIANCES[1],
        math.log(height / anchor_height) / VARIANCES[2],
        math.log(width / anchor_width) / VARIANCES[3],
    ]


def decode(offsets, anchor):
    """The box that one anchor's offsets tell."""
    anchor_height, anchor_width = anchor[2] - anchor[0], anchor[3] - anchor[1]
    y = (anchor[0] + anchor[2]) / 2 + offsets[0] * VARIANCES[0] * anchor_height
    x = (anchor[1] + anchor[3]) / 2 + offsets[1] * VARIANCES[1] * anchor_width
    height = anchor_height * math.exp(offsets[2] * VARIANCES[2])
    width = anchor_width * math.exp(offsets[3] * VARIANCES[3])
    return [y - height / 2, x - width / 2, y + height / 2, x + width / 2]


def nms(boxes, scores, *, iou_threshold=0.45):
    """Indices of the boxes kept, best first: each drops those it overlaps by more than that."""
    best_first = sorted(range(len(boxes)), key=lambda index: (-scores[index], index))
    kept = []
    for index in best_first:
        if all(iou(boxes[index], boxes[other]) <= iou_threshold for other in kept):
            kept.append(index)
    return kept

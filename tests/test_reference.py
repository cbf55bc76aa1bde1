"""The references, on numbers worked out by hand."""

import math

import pytest
import reference

LEFT = [0.0, 0.0, 1.0, 0.5]
RIGHT = [0.0, 0.5, 1.0, 1.0]
MIDDLE = [0.0, 0.25, 1.0, 0.75]
PADDING = [0.0, 0.0, 0.0, 0.0]


def test_iou():
    assert reference.iou(LEFT, LEFT) == 1.0
    assert reference.iou(LEFT, RIGHT) == 0.0
    # A quarter shared, three quarters covered.
    assert reference.iou(LEFT, MIDDLE) == reference.float32(1 / 3)
    assert reference.iou(PADDING, PADDING) == 0.0
    assert reference.iou([1.0, 1.0, 0.0, 0.0], LEFT) == 0.0


def test_grid():
    assert reference.grid([(1, 2), (1, 1)], [[(0.5, 0.25)], [(1.0, 1.0), (2.0, 1.0)]]) == [
        [0.25, 0.125, 0.75, 0.375],
        [0.25, 0.625, 0.75, 0.875],
        [0.0, 0.0, 1.0, 1.0],
        [-0.5, 0.0, 1.5, 1.0],
    ]


def test_match_takes_the_best_box_from_the_threshold_on():
    # IoU of the box with LEFT 1/2, with MIDDLE 1/2 shared... 0.25 / 0.5, with RIGHT 0.
    box = [0.0, 0.25, 1.0, 0.5]
    assert reference.match([RIGHT, LEFT, MIDDLE], [box]) == [
        (0, False, False, 0.0),
        (0, True, False, 0.5),  # its own, the lowest index of two
        (0, True, False, 0.5),  # at the threshold
    ]
    assert reference.match([RIGHT, LEFT, MIDDLE], [box], positive_iou=0.75, negative_iou=0.5) == [
        (0, False, False, 0.0),
        (0, True, False, 0.5),  # its own
        (0, False, True, 0.5),  # between the thresholds
    ]


def test_match_gives_every_box_an_anchor():
    # Both boxes overlap MIDDLE most; the first is the better one, the second yields to LEFT.
    boxes = [MIDDLE, [0.0, 0.1875, 1.0, 0.6875]]
    found = reference.match([LEFT, MIDDLE], boxes)
    assert found[0] == (1, True, False, reference.float32(0.3125 / 0.6875))
    assert found[1] == (0, True, False, 1.0)
    # Two of the same box: the lower index has the first choice.
    assert [row[0] for row in reference.match([LEFT, MIDDLE], [MIDDLE, MIDDLE])] == [1, 0]
    # More boxes than anchors: the rest go without.
    assert reference.match([LEFT], [MIDDLE, LEFT]) == [(1, True, False, 1.0)]


def test_match_leaves_padding_out():
    assert reference.match([LEFT, RIGHT], [PADDING]) == [(0, False, False, 0.0)] * 2
    assert reference.match([LEFT], []) == [(0, False, False, 0.0)]
    assert reference.match([LEFT], [PADDING, LEFT]) == [(1, True, False, 1.0)]


def test_match_ignores_what_a_region_covers():
    # The region covers half of LEFT and none of RIGHT.
    region = [0.0, 0.0, 0.5, 0.5]
    assert reference.match([LEFT, RIGHT], [region], ignore=[True]) == [
        (0, False, True, 0.0),
        (0, False, False, 0.0),
    ]
    # A box on the same place is still found.
    assert reference.match([LEFT], [region, LEFT], ignore=[True, False]) == [(1, True, False, 1.0)]


def test_coding():
    anchor = [0.25, 0.25, 0.75, 0.75]
    box = [0.25, 0.5, 1.25, 1.0]  # center (0.75, 0.75), 1 high, 0.5 wide
    offsets = reference.encode(box, anchor)
    assert offsets == pytest.approx([5.0, 5.0, math.log(2) / 0.2, 0.0])
    assert reference.decode(offsets, anchor) == pytest.approx(box)


def test_nms():
    boxes = [LEFT, [0.0, 0.0, 1.0, 0.4375], RIGHT, MIDDLE]
    assert reference.nms(boxes, [0.5, 0.75, 0.25, 0.125]) == [1, 2, 3]
    assert reference.nms(boxes, [0.5, 0.75, 0.25, 0.125], iou_threshold=0.25) == [1, 2]
    assert reference.nms(boxes, [0.5, 0.5, 0.5, 0.5]) == [0, 2, 3]
    assert reference.nms([], []) == []

import numpy as np
import pytest
import reference
from hypothesis import given, settings
from hypothesis import strategies as st

import ssd
from ssd.detect.suppression import vote

# Small whole corners meet often: touching, nested, identical, empty and turned-over boxes.
corner = st.integers(0, 6)
boxes_and_scores = st.lists(
    st.tuples(st.tuples(corner, corner, corner, corner), st.sampled_from([0.1, 0.5, 0.5, 0.9])),
    max_size=12,
)


def test_keeps_the_best_of_what_overlaps():
    boxes = [[0, 0, 10, 10], [0, 1, 10, 11], [0, 5, 10, 15], [30, 30, 40, 40]]
    # 0 and 1 share 90 of 110. 1 and 2 share 60 of 140, less than 0.45.
    assert ssd.nms(boxes, [0.8, 0.9, 0.7, 0.95]).tolist() == [3, 1, 2]
    assert ssd.nms(boxes, [0.8, 0.9, 0.7, 0.95], iou_threshold=0.4).tolist() == [3, 1]


def test_an_overlap_of_exactly_the_limit_stays():
    boxes = [[0, 0, 2, 2], [0, 0, 2, 1]]
    assert ssd.nms(boxes, [0.9, 0.8], iou_threshold=0.5).tolist() == [0, 1]
    assert ssd.nms(boxes, [0.9, 0.8], iou_threshold=0.49).tolist() == [0]


def test_a_suppressed_box_suppresses_nothing():
    boxes = [[0, 0, 10, 10], [0, 4, 10, 14], [0, 8, 10, 18]]
    assert ssd.nms(boxes, [0.9, 0.8, 0.7], iou_threshold=0.4).tolist() == [0, 2]


def test_ties_go_to_the_lowest_index():
    assert ssd.nms([[0, 0, 4, 4]] * 3, [0.5, 0.5, 0.5]).tolist() == [0]
    apart = [[0, 0, 1, 1], [2, 2, 3, 3], [4, 4, 5, 5]]
    assert ssd.nms(apart, [0.5, 0.6, 0.5]).tolist() == [1, 0, 2]


def test_boxes_without_area_overlap_nothing():
    assert ssd.nms([[1, 1, 1, 5]] * 2, [0.5, 0.5], iou_threshold=0.0).tolist() == [0, 1]


@pytest.mark.parametrize("boxes", [[], np.zeros((0, 4))])
def test_no_boxes(boxes):
    kept = ssd.nms(boxes, [])
    assert kept.tolist() == []
    assert kept.dtype.kind == "i"


@given(boxes_and_scores, st.sampled_from([0.0, 0.25, 0.45, 0.5, 1.0]))
@settings(max_examples=200)
def test_keeps_what_the_reference_keeps(drawn, overlap):
    boxes = [box for box, _ in drawn]
    scores = [score for _, score in drawn]
    assert ssd.nms(boxes, scores, iou_threshold=overlap).tolist() == reference.nms(
        boxes, scores, iou_threshold=overlap
    )


@pytest.mark.parametrize(
    ("boxes", "scores", "overlap", "wanted"),
    [
        ([[0, 0, 1, 1]], [0.5, 0.6], 0.5, r"boxes \[n, 4\] and scores \[n\], got \[1, 4\] and"),
        ([[0, 0, 1]], [0.5], 0.5, r"boxes \[n, 4\]"),
        ([0, 0, 1, 1], [0.5], 0.5, r"boxes \[n, 4\]"),
        ([[0, 0, 1, 1]], [0.5], 1.5, "from 0 to 1, got 1.5"),
        ([[0, 0, 1, 1]], [0.5], float("nan"), "from 0 to 1, got nan"),
    ],
)
def test_bad_input(boxes, scores, overlap, wanted):
    with pytest.raises(ValueError, match=wanted):
        ssd.nms(boxes, scores, iou_threshold=overlap)


def test_votes_by_hand():
    boxes = np.float32([[0, 0, 10, 10], [0, 4, 10, 14], [0, 20, 10, 30], [5, 5, 5, 5]])
    scores = np.float32([0.6, 0.3, 0.9, 0.8])
    # The first two overlap by 6 / 14; weights are 0.36 and 0.09.
    kept, moved = vote(boxes, scores, iou_threshold=0.4)
    assert kept.tolist() == [2, 3, 0]
    assert moved == pytest.approx(
        np.float32([[0, 20, 10, 30], [5, 5, 5, 5], [0, 0.8, 10, 10.8]]), abs=1e-5
    )
    kept, moved = vote(boxes, scores, iou_threshold=0.45)
    assert kept.tolist() == [2, 3, 0, 1]
    assert (moved == boxes[kept]).all()
    kept, moved = vote(boxes, 0 * scores, iou_threshold=0.4)
    assert kept.tolist() == [0, 2, 3]
    assert (moved == boxes[kept]).all()


@given(boxes_and_scores, st.sampled_from([0.0, 0.3, 0.45, 1.0]))
def test_a_vote_keeps_what_nms_keeps(rows, overlap):
    boxes, scores = [row[0] for row in rows], [row[1] for row in rows]
    kept, moved = vote(boxes, scores, iou_threshold=overlap)
    assert kept.tolist() == ssd.nms(boxes, scores, iou_threshold=overlap).tolist()
    assert moved.shape == (len(kept), 4)


def test_whichever_of_two_wins_the_vote_is_the_same():
    random = np.random.default_rng(0)
    boxes = np.float32([10, 10, 50, 50]) + random.normal(0, 2, (8, 4)).astype(np.float32)
    scores = np.full(8, 0.8) + 1e-6 * np.eye(8)  # each wins once
    kept, votes = zip(*(vote(boxes, row) for row in scores), strict=True)
    assert np.concatenate(kept).tolist() == list(range(8))
    assert np.abs(np.subtract(votes, votes[0])).max() < 1e-3
    assert np.abs(boxes - boxes[0]).max() > 2

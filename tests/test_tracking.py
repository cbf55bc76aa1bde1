"""Ids that last from frame to frame."""

import dataclasses

import numpy as np
import pytest

from ssd.detect.detections import Detections
from ssd.detect.smoothing import Smoother
from ssd.detect.tracking import Tracker


def found(*lefts, size=100, classes=None):
    boxes = np.array([[0, left, size, left + size] for left in lefts], np.float32).reshape(-1, 4)
    scores = np.linspace(0.9, 0.8, len(lefts)).astype(np.float32)
    return Detections(boxes, scores, np.array(classes or [1] * len(lefts), int))


def ids(track, *frames):
    return [track(frame).ids.tolist() for frame in frames]


def test_a_face_that_moves_keeps_its_id_however_boxes_are_ordered():
    assert ids(Tracker(), found(0, 300), found(310, 20), found(40, 320)) == [[1, 2], [2, 1], [1, 2]]


def test_boxes_scores_and_classes_stay_what_they_are():
    given = found(0, 300)
    got = Tracker()(given)
    for one, other in zip(given, got, strict=True):
        np.testing.assert_array_equal(one, other)
    assert given.ids is None


def test_a_face_that_jumps_less_than_its_size_keeps_its_id():
    assert ids(Tracker(), found(0), found(95)) == [[1], [1]]
    assert ids(Tracker(), found(0), found(105)) == [[1], [2]]


def test_the_nearest_of_two_takes_the_id():
    assert ids(Tracker(), found(100), found(0, 130)) == [[1], [2, 1]]


def test_a_lost_face_is_remembered_for_as_many_frames_and_no_more():
    nothing = found()
    assert ids(Tracker(memory=3), found(0), *[nothing] * 3, found(10))[-1] == [1]
    assert ids(Tracker(memory=3), found(0), *[nothing] * 4, found(10))[-1] == [2]
    assert ids(Tracker(memory=0), found(0), found(0), nothing, found(0)) == [[1], [1], [], [2]]


def test_no_id_is_given_twice():
    track = Tracker(memory=0)
    assert ids(track, found(0), found(), found(0), found(0, 500)) == [[1], [], [2], [2, 3]]
    track.reset()
    assert ids(track, found(0)) == [[4]]


def test_classes_are_told_apart():
    assert ids(Tracker(), found(0, classes=[1]), found(0, classes=[2])) == [[1], [2]]


@pytest.mark.parametrize("memory", [-1, 1.5, True])
def test_a_memory_that_is_none_is_refused(memory):
    with pytest.raises(ValueError, match="memory: wanted a whole number of frames"):
        Tracker(memory=memory)


def test_smoothing_goes_by_ids_where_there_are_some():
    """Two faces swap places: by overlap each box would be drawn to the other's."""
    smooth = Smoother(steadiness=0.8)
    first = dataclasses.replace(found(0, 40), ids=np.array([7, 8]))
    swapped = dataclasses.replace(found(0, 40), ids=np.array([8, 7]))
    smooth(first)
    got = smooth(swapped)
    assert got.ids.tolist() == [8, 7]
    # By ids the two overlap by 60 of 140, so a sixth of the old place is kept.
    kept = 0.8 * (60 / 140) ** 2
    np.testing.assert_allclose(got.boxes[:, 1], [kept * 40, 40 - kept * 40], atol=1e-3)


def test_a_box_that_waits_for_its_face_keeps_the_id():
    track, smooth = Tracker(), Smoother(patience=2)
    got = [smooth(track(frame)) for frame in (found(0, 300), found(0), found(0, 300))]
    assert [each.ids.tolist() for each in got] == [[1, 2], [1, 2], [1, 2]]


def test_without_ids_smoothing_gives_none():
    assert Smoother()(found(0)).ids is None


def test_the_best_few_keep_their_ids():
    given = dataclasses.replace(found(0, 300, 600), ids=np.array([5, 6, 7]))
    assert given.best(2).ids.tolist() == [5, 6]
    assert found(0, 300).best(1).ids is None


def test_supervision_gets_the_same_boxes():
    pytest.importorskip("supervision")
    given = dataclasses.replace(found(0, 300), ids=np.array([5, 6]))
    got = given.to_supervision()
    assert got.xyxy.tolist() == [[0, 0, 100, 100], [300, 0, 400, 100]]
    assert got.class_id.tolist() == [0, 0]
    assert got.tracker_id.tolist() == [5, 6]
    np.testing.assert_array_equal(got.confidence, given.scores)
    assert len(found().to_supervision()) == 0

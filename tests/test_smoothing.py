import numpy as np
import pytest

import ssd


def found(*boxes, scores=None, class_ids=None):
    count = len(boxes)
    return ssd.Detections(
        np.array(boxes, np.float32).reshape(-1, 4),
        np.array(scores if scores else [0.9] * count, np.float32),
        np.array(class_ids if class_ids else [1] * count, int),
    )


def square(left, top=0, side=100):
    return [top, left, top + side, left + side]


def test_a_still_face_has_a_still_box():
    random = np.random.default_rng(0)
    smooth = ssd.Smoother()
    seen = [square(0) + random.normal(0, 3, 4) for _ in range(200)]
    smoothed = [smooth(found(box)).boxes[0] for box in seen]
    raw, calm = (np.abs(np.diff(boxes, axis=0)).mean() for boxes in (seen, smoothed))
    assert calm < raw / 2
    assert np.mean(smoothed[20:], axis=0) == pytest.approx(square(0), abs=1)


def test_a_moving_face_is_followed():
    smooth = ssd.Smoother()
    for left in range(0, 2000, 50):
        (box,) = smooth(found(square(left))).boxes
        assert abs(box[1] - left) < 10


def test_a_new_face_appears_at_once_where_it_is():
    smooth = ssd.Smoother()
    smooth(found(square(0)))
    both = smooth(found(square(0), square(500), scores=[0.8, 0.9]))
    assert both.boxes.tolist() == [square(500), square(0)]
    assert both.scores.tolist() == pytest.approx([0.9, 0.8])


@pytest.mark.parametrize("patience", [0, 1, 3])
def test_a_missed_face_stays_a_few_frames(patience):
    smooth = ssd.Smoother(patience=patience)
    smooth(found(square(0)))
    counts = [len(smooth(found())) for _ in range(5)]
    assert counts == [1] * patience + [0] * (5 - patience)


def test_a_face_seen_again_begins_its_patience_anew():
    smooth = ssd.Smoother(patience=1)
    for boxes in ([square(0)], [], [square(0)], []):
        assert len(smooth(found(*boxes))) == 1
    assert len(smooth(found())) == 0


def test_each_box_follows_its_own_face():
    smooth = ssd.Smoother(steadiness=0.5)
    smooth(found(square(0), square(60)))
    after = smooth(found(square(62), square(2)))
    assert sorted(after.boxes[:, 1]) == pytest.approx([1, 61], abs=0.2)


def test_classes_do_not_mix():
    smooth = ssd.Smoother(patience=0)
    smooth(found(square(0), class_ids=[1]))
    after = smooth(found(square(4), class_ids=[2]))
    assert after.class_ids.tolist() == [2]
    assert after.boxes.tolist() == [square(4)]


def test_without_steadiness_nothing_changes():
    smooth = ssd.Smoother(steadiness=0, patience=0)
    for left in (0, 3, 7):
        given = found(square(left), square(left + 300), scores=[0.9, 0.8])
        for before, after in zip(given, smooth(given), strict=True):
            assert before.dtype == after.dtype
            assert (before == after).all()


def test_what_was_given_and_returned_may_be_changed():
    smooth = ssd.Smoother()
    first = found(square(0))
    smooth(first).boxes[:] = 999
    first.boxes[:] = 999
    assert smooth(found(square(0))).boxes.tolist() == [square(0)]


def test_reset_forgets():
    smooth = ssd.Smoother()
    smooth(found(square(0)))
    smooth.reset()
    assert len(smooth(found())) == 0


@pytest.mark.parametrize("options", [{"steadiness": 1}, {"steadiness": -0.1}, {"patience": -1}])
def test_bad_values(options):
    with pytest.raises(ValueError, match=f"{next(iter(options))}: wanted"):
        ssd.Smoother(**options)

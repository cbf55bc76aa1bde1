import numpy as np
import pytest

import ssd


def found(*boxes, class_ids=None):
    if class_ids is None:
        class_ids = np.ones(len(boxes), int)
    return ssd.Detections(
        np.array(boxes, np.float32).reshape(-1, 4),
        np.full(len(boxes), 0.9, np.float32),
        np.array(class_ids),
    )


def test_draws_a_frame_on_a_copy():
    photo = np.zeros((100, 120, 3), np.uint8)
    drawn = ssd.draw(photo, found([40, 30, 80, 70]))
    assert not photo.any()
    assert drawn.shape == photo.shape
    assert drawn.dtype == np.uint8
    assert drawn[60, 30].any()  # left
    assert drawn[60, 69].any()  # right, the last column inside
    assert drawn[79, 50].any()  # bottom
    assert not drawn[60, 50].any()  # nothing is hidden
    assert not drawn[60, 70].any()


def test_classes_have_colors_of_their_own():
    drawn = ssd.draw(
        np.zeros((100, 120, 3), np.uint8),
        found([40, 5, 80, 45], [40, 60, 80, 100], class_ids=[1, 2]),
    )
    assert drawn[60, 5].tolist() != drawn[60, 60].tolist()


def test_a_label_grows_with_the_name():
    photo = np.zeros((100, 200, 3), np.uint8)
    short = ssd.draw(photo, found([40, 10, 80, 50]))
    long = ssd.draw(photo, found([40, 10, 80, 50]), names=("somebody",))
    assert (long > 0).sum() > (short > 0).sum()


@pytest.mark.parametrize(
    "box", [[0, 0, 100, 120], [0, 0, 0.4, 0.4], [99.5, 119.5, 100, 120], [50, 50, 50, 50]]
)
def test_boxes_at_the_edge_and_tiny_ones(box):
    drawn = ssd.draw(np.zeros((100, 120, 3), np.uint8), found(box))
    assert drawn.shape == (100, 120, 3)
    assert drawn.any()


def test_nothing_found_changes_nothing():
    photo = np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8)
    assert (ssd.draw(photo, found()) == photo).all()


def test_bad_photo():
    with pytest.raises(ValueError, match=r"wanted uint8 \[height, width, 3\].*got float64"):
        ssd.draw(np.zeros((4, 4, 3)), found())


def test_a_class_without_a_name():
    found = ssd.Detections(np.float32([[5, 5, 20, 20]]), np.float32([0.9]), np.array([2]))
    with pytest.raises(ValueError, match="names: wanted one for each of 2 classes, got 1"):
        ssd.draw(np.zeros((40, 40, 3), np.uint8), found, names=("face",))

"""Areas, overlaps and conversions of boxes."""

import keras
import numpy as np
import pytest
import reference

import anchors

pytestmark = pytest.mark.device

BOXES = [
    [0.0, 0.0, 1.0, 0.5],
    [0.0, 0.25, 1.0, 0.75],
    [-0.5, -0.5, 0.25, 0.25],  # reaches outside
    [0.0, 0.0, 0.0, 0.0],  # padding
    [0.5, 0.0, 0.5, 1.0],  # no height
    [1.0, 1.0, 0.0, 0.0],  # upside down: two negative sides are no area
]


def drawn(seed, *shape):
    random = np.random.default_rng(seed)
    low = random.integers(-16, 64, (*shape, 2))
    return (np.concatenate([low, low + random.integers(-8, 64, (*shape, 2))], -1) / 64).astype("f4")


def test_area_of_hand_worked_boxes():
    assert np.asarray(anchors.area(BOXES)).tolist() == [0.5, 0.5, 0.5625, 0, 0, 0]


def test_iou_of_hand_worked_boxes():
    found = np.asarray(anchors.iou(BOXES[:3], BOXES[:2]))
    third = np.float32(1 / 3)
    assert found.tolist() == [[1, third], [third, 1], [np.float32(1 / 16), 0]]
    assert not np.asarray(anchors.iou(BOXES, BOXES[3:])).any()


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_agrees_with_the_loops(dtype):
    a, b = drawn(0, 40), drawn(1, 30)
    wanted_iou = [[reference.iou(p, q) for q in b.tolist()] for p in a.tolist()]
    wanted_shared = [[reference.intersection(p, q) for q in b.tolist()] for p in a.tolist()]
    a, b = keras.ops.cast(a, dtype), keras.ops.cast(b, dtype)
    np.testing.assert_array_equal(np.asarray(anchors.iou(a, b)), np.float32(wanted_iou))
    np.testing.assert_array_equal(np.asarray(anchors.intersection(a, b)), wanted_shared)


def test_batch_axes_broadcast():
    many, few = drawn(2, 2, 3, 5), drawn(3, 7)
    found = np.asarray(anchors.iou(many, few))
    assert found.shape == (2, 3, 5, 7)
    np.testing.assert_array_equal(found[1, 2], np.asarray(anchors.iou(many[1, 2], few)))


def test_half_precision_does_not_overflow():
    # 300 x 300 is more than float16 holds.
    big = keras.ops.cast(np.array([[0.0, 0.0, 300.0, 300.0]]), "float16")
    assert np.asarray(anchors.area(big)).tolist() == [90000.0]
    assert np.asarray(anchors.iou(big, big)).tolist() == [[1.0]]


def test_gradient_of_iou_is_finite():
    def total(boxes):
        return keras.ops.sum(anchors.iou(boxes, BOXES))

    boxes = keras.ops.convert_to_tensor(BOXES, "float32")
    if keras.backend.backend() == "jax":
        import jax

        gradient = jax.grad(total)(boxes)
    else:
        import tensorflow as tf

        with tf.GradientTape() as tape:
            tape.watch(boxes)
            value = total(boxes)
        gradient = tape.gradient(value, boxes)
    gradient = np.asarray(gradient)
    assert np.isfinite(gradient).all()
    assert gradient[0].any()


def test_corners_and_center_are_inverses():
    boxes = drawn(4, 3, 50)
    there = anchors.corners_to_center(boxes)
    np.testing.assert_array_equal(np.asarray(there)[0, 0, 2:], boxes[0, 0, 2:] - boxes[0, 0, :2])
    np.testing.assert_array_equal(np.asarray(anchors.center_to_corners(there)), boxes)


def test_clip():
    found = np.asarray(anchors.clip([[-0.5, 0.25, 0.5, 1.5], [1.5, 0.0, 2.0, 1.0]]))
    assert found.tolist() == [[0, 0.25, 0.5, 1], [1, 0, 1, 1]]
    assert np.asarray(anchors.area(found)).tolist() == [0.375, 0]


@pytest.mark.parametrize("function", [anchors.area, anchors.corners_to_center, anchors.clip])
def test_bad_input(function):
    with pytest.raises(ValueError, match=r"\[..., 4\].*\(2, 3\)"):
        function(np.zeros((2, 3)))

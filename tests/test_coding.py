"""Boxes as offsets from anchors, and back."""

import keras
import numpy as np
import pytest
import reference

import anchors
from anchors.coding import VARIANCES

pytestmark = pytest.mark.device


def drawn(seed, count, smallest=1e-3):
    """Boxes of every size from `smallest` to 2, evenly by logarithm."""
    random = np.random.default_rng(seed)
    center = random.random((count, 2))
    half = np.exp(random.uniform(np.log(smallest), np.log(2), (count, 2))) / 2
    return np.concatenate([center - half, center + half], -1).astype("float32")


def test_variances_are_those_of_the_reference():
    assert VARIANCES == reference.VARIANCES


def test_agrees_with_the_loops():
    boxes, grid = drawn(0, 500), drawn(1, 500)
    offsets = np.asarray(anchors.encode(boxes, grid))
    assert offsets.dtype == np.float32
    wanted = [reference.encode(b, a) for b, a in zip(boxes.tolist(), grid.tolist(), strict=True)]
    np.testing.assert_allclose(offsets, wanted, rtol=1e-4, atol=1e-3)
    wanted = [reference.decode(o, a) for o, a in zip(offsets.tolist(), grid.tolist(), strict=True)]
    np.testing.assert_allclose(np.asarray(anchors.decode(offsets, grid)), wanted, atol=1e-5)


@pytest.mark.parametrize("smallest", [1e-6, 1e-3, 0.5])
def test_decode_is_the_inverse_of_encode(smallest):
    boxes, grid = drawn(2, 4000, smallest), drawn(3, 4000, 1e-3)
    again = np.asarray(anchors.decode(anchors.encode(boxes, grid), grid))
    # A few steps of float32 at the size of the largest number that went in.
    scale = np.maximum(np.abs(boxes).max(-1), np.abs(grid).max(-1))[:, None]
    assert (np.abs(again - boxes) <= 16 * np.finfo("float32").eps * scale).all()


def test_encode_is_the_inverse_of_decode():
    offsets = np.random.default_rng(4).normal(size=(2, 500, 4)).astype("float32")
    grid = drawn(5, 500, 0.05)
    again = np.asarray(anchors.encode(anchors.decode(offsets, grid), grid))
    np.testing.assert_allclose(again, offsets, atol=1e-3)


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_degenerate_boxes_stay_finite(dtype):
    boxes = np.array([[0, 0, 0, 0], [0.5, 0.5, 0.5, 1], [1, 1, 0, 0], [0, 0, 1, 1]], "float32")
    grid = np.array([[0, 0, 1, 1], [0.5, 0.5, 0.5, 0.5]], "float32")
    boxes, grid = (keras.ops.cast(value, dtype) for value in (boxes[:, None], grid))
    assert np.isfinite(np.asarray(anchors.encode(boxes, grid))).all()

    def total(boxes):
        return keras.ops.sum(anchors.encode(boxes, grid))

    boxes = keras.ops.cast(boxes, "float32")
    if keras.backend.backend() == "jax":
        import jax

        gradient = jax.grad(total)(boxes)
    else:
        import tensorflow as tf

        with tf.GradientTape() as tape:
            tape.watch(boxes)
            value = total(boxes)
        gradient = tape.gradient(value, boxes)
    assert np.isfinite(np.asarray(gradient)).all()


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_is_computed_in_single(dtype):
    boxes, grid = (keras.ops.cast(drawn(seed, 100, 0.05), dtype) for seed in (6, 7))
    wide = [keras.ops.cast(value, "float32") for value in (boxes, grid)]
    np.testing.assert_array_equal(
        np.asarray(anchors.encode(boxes, grid)), np.asarray(anchors.encode(*wide))
    )
    largest = keras.ops.cast(np.array([[6e4, -6e4, 6e4, -6e4]]), dtype)
    found = np.asarray(anchors.decode(largest, [[0.0, 0.0, 1.0, 1.0]]))
    assert np.isfinite(found).all()

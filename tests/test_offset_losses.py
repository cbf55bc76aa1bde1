import math

import keras
import numpy as np
import pytest
from keras import ops

import anchors
import ssd
from ssd.nets.offset_losses import BOX_LOSSES, offset_loss, smooth_l1

pytestmark = pytest.mark.device


def reference(name, a, b):
    """One pair of boxes, as the papers write it."""
    height = max(0, min(a[2], b[2]) - max(a[0], b[0]))
    width = max(0, min(a[3], b[3]) - max(a[1], b[1]))
    sizes = [(box[2] - box[0], box[3] - box[1]) for box in (a, b)]
    union = sum(h * w for h, w in sizes) - height * width
    iou = height * width / union
    hull = max(a[2], b[2]) - min(a[0], b[0]), max(a[3], b[3]) - min(a[1], b[1])
    if name == "giou":
        return 1 - iou + (hull[0] * hull[1] - union) / (hull[0] * hull[1])
    centers = [((box[0] + box[2]) / 2, (box[1] + box[3]) / 2) for box in (a, b)]
    lost = 1 - iou + math.dist(*centers) ** 2 / (hull[0] ** 2 + hull[1] ** 2)
    if name == "diou":
        return lost
    slants = [math.atan(width / height) for height, width in sizes]
    v = 4 / math.pi**2 * (slants[1] - slants[0]) ** 2
    return lost + (v * v / (1 - iou + v) if v else 0)


def random_boxes(seed, count=200):
    rng = np.random.default_rng(seed)
    corner, size = rng.uniform(-1, 1, (count, 2)), rng.uniform(0.05, 1, (count, 2))
    return np.float32(np.concatenate([corner, corner + size], axis=1))


@pytest.mark.parametrize("name", BOX_LOSSES)
def test_box_losses_are_those_of_the_papers(name):
    a, b = random_boxes(1), random_boxes(2)
    b[:20] = a[:20]  # equal boxes; many others share nothing
    got = ops.convert_to_numpy(BOX_LOSSES[name](a, b))
    assert np.allclose(got, [reference(name, *pair) for pair in zip(a, b, strict=True)], atol=1e-5)
    assert np.abs(got[:20]).max() < 1e-6
    assert got[20:].max() > 1


@pytest.mark.parametrize("name", BOX_LOSSES)
def test_what_a_box_costs_depends_on_no_place_and_no_size(name):
    """The same offsets, from a small anchor and from a large one."""
    offsets, wanted = np.float32([[0.5, -1, 0.4, 0.2]]), np.float32([[-0.3, 0.2, 0.1, -0.6]])
    got = float(offset_loss(offsets, wanted, {name: 1.0}, anchor_aspect=1.25)[0])
    for height in (3.0, 80.0):
        anchor = np.float32([[5, 9, 5 + 1.25 * height, 9 + height]])
        boxes = [
            ops.convert_to_numpy(anchors.decode(each, anchor))[0] for each in (offsets, wanted)
        ]
        assert got == pytest.approx(reference(name, *boxes), rel=1e-3)


def test_the_sum_of_several():
    rng = np.random.default_rng(3)
    offsets, wanted = rng.normal(size=(2, 2, 50, 4)).astype(np.float32)
    each = {name: offset_loss(offsets, wanted, {name: 1.0}) for name in ("smooth_l1", "diou")}
    both = offset_loss(offsets, wanted, {"smooth_l1": 2.0, "diou": 5.0})
    assert np.allclose(both, 2 * each["smooth_l1"] + 5 * each["diou"], rtol=1e-5)
    assert np.allclose(each["smooth_l1"], ops.sum(smooth_l1(offsets - wanted), axis=-1))


@pytest.mark.parametrize("name", ["smooth_l1", *BOX_LOSSES])
def test_a_model_learns_a_box_by_each(name, tiny):
    """And no gradient is ever other than finite, unused rows and regions among the labels."""
    label = np.zeros((1, 6, 5), np.float32)
    label[0, 0] = [0.2, 0.25, 0.8, 0.7, 1]
    label[0, 1] = [0.0, 0.0, 0.2, 0.2, -1]
    loss = ssd.MultiboxLoss(tiny, alpha=1.0, offsets={name: 1.0})
    rows = keras.Variable(np.zeros((1, len(loss.grid), 6), np.float32))
    layer = _Rows(rows)
    model = keras.Sequential([keras.Input((1,)), layer])
    model.compile(keras.optimizers.Adam(0.1), loss)
    before = float(loss.terms(label, ops.convert_to_tensor(layer.rows)).location)
    model.fit(np.zeros((1, 1)), label, epochs=60, verbose=0)
    after = float(loss.terms(label, ops.convert_to_tensor(layer.rows)).location)
    assert np.isfinite(ops.convert_to_numpy(layer.rows)).all()
    assert after < before / 10


class _Rows(keras.layers.Layer):
    """Predictions that are weights themselves."""

    def __init__(self, rows):
        super().__init__()
        self.rows = self.add_weight(shape=rows.shape, initializer="zeros")

    def call(self, x):
        return self.rows + 0 * ops.sum(x)


@pytest.mark.parametrize(
    ("offsets", "message"),
    [
        ({}, "offsets: wanted factors of smooth_l1, giou, diou, ciou, got none"),
        ({"iou": 1.0}, "got iou"),
        ({"giou": -1.0}, "offsets, giou: wanted a number of 0 or more, got -1.0"),
        ({"giou": math.nan}, "got nan"),
    ],
)
def test_other_factors_are_refused(tiny, offsets, message):
    with pytest.raises(ValueError, match=message):
        ssd.MultiboxLoss(tiny, offsets=offsets)


def test_it_travels_with_the_model(tiny):
    loss = ssd.MultiboxLoss(tiny, offsets={"smooth_l1": 1.0, "diou": 5.0})
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(loss))
    assert again.options == loss.options

import dataclasses

import keras
import numpy as np
import pytest
from keras import ops

import anchors
import ssd
from ssd.nets.losses import MultiboxLoss, hardest
from ssd.nets.offset_losses import smooth_l1

pytestmark = pytest.mark.device

NO_FACE = np.zeros((1, 6, 5), np.float32)


def one_face(tiny, index=40):
    """A label whose only face is exactly one anchor."""
    label = NO_FACE.copy()
    label[0, 0, :4] = grid(tiny)[index]
    label[0, 0, 4] = 1
    return label


def grid(tiny):
    return ops.convert_to_numpy(anchors.grid(tiny.feature_shapes, tiny.anchor_shapes))


def predictions(tiny, offsets=0.0, background=0.0, face=0.0):
    count = len(grid(tiny))
    rows = np.zeros((1, count, 6), np.float32)
    rows[..., :4], rows[..., 4], rows[..., 5] = offsets, background, face
    return rows


def values(terms):
    return {name: float(value) for name, value in terms._asdict().items()}


def test_terms_on_hand_worked_numbers(tiny):
    # positive_iou=1: only the anchor that is the face itself is assigned to it.
    config = dataclasses.replace(tiny, positive_iou=1.0, negative_iou=1.0)
    loss = MultiboxLoss(config, negatives_per_positive=3, min_negatives_per_image=0)
    terms = values(loss.terms(one_face(tiny), predictions(tiny, offsets=2.0)))
    # Equal logits: every anchor costs log 2; one positive and three negatives are charged.
    assert terms["confidence"] == pytest.approx(4 * np.log(2), rel=1e-5)
    # The wanted offsets are 0, the predicted ones 2: smooth L1 is 1.5, four times.
    assert terms["location"] == pytest.approx(6.0, rel=1e-3)
    assert terms["extra"] == 0
    assert terms["positives"] == 1
    assert terms["unmatched"] == 0


def test_the_larger_of_two_terms_is_charged_alone(tiny):
    label, guess = one_face(tiny), predictions(tiny, offsets=2.0)
    terms = values(MultiboxLoss(tiny).terms(label, guess))
    for alpha in (0.01, 10.0):
        loss = MultiboxLoss(tiny, alpha=alpha, extra=0.0, combine="max")
        wanted = max(terms["confidence"], alpha * terms["location"])
        assert float(loss(label, guess)) == pytest.approx(wanted, rel=1e-5)


@pytest.mark.parametrize("quality", [0.0, 0.4, 1.0])
def test_a_box_is_wanted_to_be_as_confident_as_it_fits(tiny, quality):
    """By hand: one positive whose box has a quarter too much on each side, so an IoU of 4/9."""
    config = dataclasses.replace(tiny, positive_iou=1.0, negative_iou=1.0)
    rows = predictions(tiny, face=1.2)
    rows[..., 2:4] = np.log(1.5) / 0.2
    loss = MultiboxLoss(
        config, quality=quality, negatives_per_positive=0, min_negatives_per_image=0
    )
    got = values(loss.terms(one_face(tiny), rows))["confidence"]
    share = np.exp(1.2) / (1 + np.exp(1.2))
    wanted = 1 - quality * (1 - 4 / 9)
    expected = -wanted * np.log(share) - (1 - wanted) * np.log(1 - share)
    assert got == pytest.approx(expected, rel=1e-4)


def test_an_anchor_that_is_no_positive_has_no_quality(tiny):
    label, rows = NO_FACE, predictions(tiny, offsets=1.0, face=0.5)
    plain, other = (values(MultiboxLoss(tiny, quality=q).terms(label, rows)) for q in (0.0, 1.0))
    assert plain == pytest.approx(other)


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_faces_with_few_anchors_are_made_up_for(tiny, share):
    """Two faces; only the boxes of the one with more anchors are guessed wrong."""
    label = one_face(tiny)
    label[0, 1] = [0.05, 0.45, 0.95, 0.98, 1]
    match = anchors.match(
        grid(tiny), label[..., :4], positive_iou=tiny.positive_iou, negative_iou=tiny.negative_iou
    )
    box, positive = (ops.convert_to_numpy(each)[0] for each in (match.box, match.positive))
    few, many = sorted((positive & (box == face)).sum() for face in (0, 1))
    wrong = int((positive & (box == 1)).sum() == many)
    assert 0 < few < many
    rows = predictions(tiny)
    rows[..., :4] = ops.convert_to_numpy(anchors.encode(label[0, box, :4], grid(tiny)))
    rows[0, box == wrong, :4] += 2.0  # a smooth L1 of 1.5, four times
    got = values(MultiboxLoss(tiny, balance_objects=share).terms(label, rows))
    weights = {count: count**-share for count in (few, many)}
    of_many = weights[many] * many / (weights[few] * few + weights[many] * many)
    assert got["location"] == pytest.approx(6.0 * of_many, rel=1e-3)
    # Equal logits: whatever positives weigh, on average it is 1.
    same = values(MultiboxLoss(tiny).terms(label, predictions(tiny)))
    again = values(MultiboxLoss(tiny, balance_objects=share).terms(label, predictions(tiny)))
    assert again["confidence"] == pytest.approx(same["confidence"], rel=1e-5)


def test_the_gate_opens_above_its_confidence(tiny):
    label, sure = one_face(tiny), np.log(0.9995 / 0.0005)
    loss = MultiboxLoss(tiny, gate=0.999, extra=1.0)
    below = loss.terms(label, predictions(tiny, offsets=2.0, face=np.log(0.998 / 0.002)))
    above = loss.terms(label, predictions(tiny, offsets=2.0, face=sure))
    assert float(below.extra) == 0
    assert float(above.extra) == pytest.approx(float(above.location))


def test_extra_is_added_with_its_factor(tiny):
    label, rows = one_face(tiny), predictions(tiny, offsets=2.0, face=9.0)
    without = MultiboxLoss(tiny, extra=0.0)
    tenfold = MultiboxLoss(tiny, extra=10.0)
    added = float(tenfold(label, rows)) - float(without(label, rows))
    assert added == pytest.approx(10 * float(without.terms(label, rows).extra), rel=1e-5)
    assert added > 0


def gradient(loss, label, rows):
    if keras.backend.backend() == "jax":
        import jax

        return np.asarray(jax.grad(lambda x: loss(label, x))(ops.convert_to_tensor(rows)))
    import tensorflow as tf

    rows = tf.constant(rows)
    with tf.GradientTape() as tape:
        tape.watch(rows)
        value = loss(label, rows)
    return tape.gradient(value, rows).numpy()


def test_the_gate_carries_no_gradient(tiny):
    label, rows = one_face(tiny), predictions(tiny, offsets=2.0, face=9.0)
    with_extra = gradient(MultiboxLoss(tiny, extra=5.0), label, rows)
    without = gradient(MultiboxLoss(tiny, extra=0.0), label, rows)
    np.testing.assert_allclose(with_extra[..., 4:], without[..., 4:], atol=1e-7)
    assert np.abs(with_extra[..., :4]).sum() > 2 * np.abs(without[..., :4]).sum()


@pytest.mark.parametrize("name", ["no face", "only a region to ignore"])
def test_a_photo_without_a_face_has_a_finite_loss_and_gradient(tiny, name):
    label = NO_FACE.copy()
    if name != "no face":
        label[0, 0] = [0.1, 0.1, 0.9, 0.9, -1]
    loss, rows = MultiboxLoss(tiny), predictions(tiny, offsets=3.0)
    terms = values(loss.terms(label, rows))
    assert terms["positives"] == 0
    assert terms["location"] == 0
    assert terms["unmatched"] == 0
    assert terms["confidence"] == pytest.approx(8 * np.log(2), rel=1e-5)
    slope = gradient(loss, label, rows)
    assert np.isfinite(slope).all()
    assert not slope[..., :4].any()


def test_anchors_in_a_region_to_ignore_are_not_charged(tiny):
    rows, label = predictions(tiny, background=-20.0), NO_FACE.copy()
    label[0, 0] = [0.0, 0.0, 1.0, 1.0, -1]
    charged = float(MultiboxLoss(tiny)(NO_FACE, rows))
    # The region covers all of the photo: what is left are anchors that stick out of it.
    slope = gradient(MultiboxLoss(tiny, min_negatives_per_image=10_000), label, rows)
    boxes = grid(tiny)
    inside = ((boxes[:, :2] >= 0) & (boxes[:, 2:] <= 1)).all(axis=1)
    assert charged > 0
    assert not slope[0, inside].any()


def test_half_precision_predictions_are_computed_in_float32(tiny):
    label, rows = one_face(tiny), predictions(tiny, offsets=2.0, face=1.0)
    half = ops.cast(ops.convert_to_tensor(rows), "float16")
    assert float(MultiboxLoss(tiny)(label, half)) == pytest.approx(
        float(MultiboxLoss(tiny)(label, rows)), rel=1e-3
    )


def compiled(function):
    if keras.backend.backend() == "jax":
        import jax

        return jax.jit(function)
    import tensorflow as tf

    return tf.function(function, jit_compile=True, autograph=False)


@pytest.mark.parametrize("way", [lambda function: function, compiled])
@pytest.mark.parametrize("spread", ["ties", "all equal", "magnitudes", "neighbors", "negative"])
def test_hardest_is_a_sort(spread, way):
    random = np.random.default_rng(0)
    shape = (24, 40)
    losses = {
        "ties": random.random(shape).round(1),
        "all equal": np.full(shape, np.log(2)),
        "magnitudes": 10.0 ** random.uniform(-30, 30, shape),
        "neighbors": 1 + random.integers(0, 9, shape) * 2.0**-23,
        "negative": random.normal(size=shape).round(1),
    }[spread].astype(np.float32)
    candidates = random.random(shape) < 0.6
    candidates[:3] = False
    count = np.resize([0, 1, 3, 7.5, 20, 100], len(losses)).astype(np.float32)
    got = ops.convert_to_numpy(way(hardest)(losses, candidates, count))
    for row in range(len(losses)):
        order = sorted(np.flatnonzero(candidates[row]), key=lambda i: (-losses[row, i], i))
        assert np.flatnonzero(got[row]).tolist() == sorted(order[: int(np.ceil(count[row]))])


def test_smooth_l1():
    got = ops.convert_to_numpy(smooth_l1(ops.convert_to_tensor([-2.0, -1.0, 0.0, 0.5, 1.0])))
    np.testing.assert_allclose(got, [1.5, 0.5, 0.0, 0.125, 0.5])


def test_the_loss_survives_saving(tiny):
    loss = MultiboxLoss(
        tiny,
        gate=0.9,
        extra=2.0,
        balance_objects=0.5,
        negatives_per_positive=5,
        min_negatives_per_image=1,
    )
    again = MultiboxLoss.from_config(loss.get_config())
    assert again.config == tiny
    assert again.options == loss.options


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("gate", 0),
        ("gate", 1.5),
        ("extra", -1),
        ("alpha", -1),
        ("alpha", float("nan")),
        ("balance_objects", -0.1),
        ("balance_objects", 1.1),
    ],
)
def test_options_out_of_range_are_refused(tiny, option, value):
    with pytest.raises(ValueError, match=option):
        MultiboxLoss(tiny, **{option: value})


def test_weights_of_photos_are_refused_in_a_line(tiny):
    with pytest.raises(ValueError, match="sample_weight: wanted none"):
        MultiboxLoss(tiny)(NO_FACE, predictions(tiny), sample_weight=np.ones(1))
    model = ssd.SSD(tiny)
    model.compile("adam", MultiboxLoss(tiny))
    photos = np.zeros((1, *tiny.image_size, 3), np.uint8)
    with pytest.raises(ValueError, match="sample_weight: wanted none"):
        model.fit(photos, NO_FACE, sample_weight=np.ones(1), verbose=0)


def test_an_object_of_unknown_class_is_charged_for_being_none_of_the_classes(tiny):
    config = dataclasses.replace(tiny, classes=("face", "smile"))
    label, rows = one_face(config), np.zeros((1, len(grid(tiny)), 7), np.float32)
    rows[..., 5] = 2.0  # log(e^2 + 1 + 1), of which background has 1
    loss = MultiboxLoss(config, negatives_per_positive=0, min_negatives_per_image=0)
    label[0, 0, 4] = -2
    terms, matched = values(loss.terms(label, rows)), values(loss.terms(label, rows))["positives"]
    whole = np.log(np.exp(2.0) + 2)
    assert terms["confidence"] == pytest.approx(whole - np.log(np.exp(2.0) + 1), rel=1e-5)
    assert matched > 0
    # A class that is known is charged for more; boxes and matches are the same.
    label[0, 0, 4] = 2
    smile = values(loss.terms(label, rows))
    assert smile["confidence"] == pytest.approx(whole, rel=1e-5)
    for name in ("location", "positives", "unmatched"):
        assert smile[name] == terms[name]


def test_an_object_of_unknown_class_is_counted_as_an_object(tiny):
    label = one_face(tiny)
    label[0, 0, :4] = [0.0, 0.0, 1e-3, 1e-3]  # no anchor overlaps it but its own
    label[0, 0, 4] = -2
    far = [0.0, 0.0, 1e-3, 1e-3, -1]
    assert values(MultiboxLoss(tiny).terms(label, predictions(tiny)))["positives"] == 1
    label[0, 0] = far
    assert values(MultiboxLoss(tiny).terms(label, predictions(tiny)))["positives"] == 0

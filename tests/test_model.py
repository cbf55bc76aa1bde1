import dataclasses

import keras
import numpy as np
import pytest
from keras import ops

import anchors
import ssd
from ssd.config import Config
from ssd.nets.layers import NormalizedConvolution

pytestmark = pytest.mark.device


def photos(config, count=2):
    shape = (count, *config.image_size, 3)
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def test_one_row_per_anchor_and_one_logit_per_class(tiny):
    config = dataclasses.replace(tiny, classes=("face", "smile"))
    rows = len(anchors.grid(config.feature_shapes, config.anchor_shapes))
    assert ssd.SSD(config)(photos(config)).shape == (2, rows, 4 + 1 + 2)


def test_bytes_and_floats_are_the_same_photo(tiny):
    model, batch = ssd.SSD(tiny), photos(tiny)
    np.testing.assert_allclose(
        ops.convert_to_numpy(model(batch)),
        ops.convert_to_numpy(model(batch.astype(np.float32))),
        atol=1e-6,
    )


def test_a_fresh_model_takes_everything_for_background(tiny):
    keras.utils.set_random_seed(0)
    logits = ops.convert_to_numpy(ssd.SSD(tiny)(photos(tiny)))[..., 4:]
    shares = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    assert np.median(shares[..., 0]) == pytest.approx(0.99, abs=0.02)


def test_rows_are_in_the_order_of_the_anchors(tiny):
    """What changes in a corner of the photo shows in rows whose anchors are there."""
    model = ssd.SSD(tiny)
    boxes = ops.convert_to_numpy(anchors.grid(tiny.feature_shapes, tiny.anchor_shapes))
    height, width = tiny.image_size
    batch = photos(tiny, 1)
    blank = batch.copy()
    blank[:, : height // 4, : width // 4] = 0
    change = np.abs(ops.convert_to_numpy(model(batch)) - ops.convert_to_numpy(model(blank))).sum(
        -1
    )[0]
    finest = 2 * np.prod(tiny.feature_shapes[0])
    strongest = boxes[:finest][np.argsort(change[:finest])[-20:]]
    middle = (strongest[:, :2] + strongest[:, 2:]) / 2
    assert (middle.mean(axis=0) < 0.3).all()


def test_coarse_maps_inform_the_finest(tiny):
    """Context flows down: a change far from a fine cell still reaches its rows."""
    model = ssd.SSD(tiny)
    batch = photos(tiny, 1)
    other = batch.copy()
    other[:, :, -tiny.image_size[1] // 3 :] = 0
    change = np.abs(ops.convert_to_numpy(model(batch) - model(other))).sum(-1)[0]
    left_column = change[: 2 * np.prod(tiny.feature_shapes[0])].reshape(8, 12, 2)[:, 2]
    assert left_column.max() > 0


@pytest.mark.parametrize(
    ("name", "last"),
    [("detail", "detail"), ("fine_in", "fine_out"), ("mix1_around", "mix1_out")],
)
def test_what_is_added_later_begins_at_zero(tiny, name, last):
    model, batch = ssd.SSD(tiny), photos(tiny)
    before = ops.convert_to_numpy(model(batch))
    kernel = model.get_layer(name).kernel
    kernel.assign(np.ones(kernel.shape))
    np.testing.assert_array_equal(ops.convert_to_numpy(model(batch)), before)
    gamma = model.get_layer(last).gamma
    gamma.assign(np.ones(gamma.shape))
    assert (ops.convert_to_numpy(model(batch)) != before).any()


def test_saved_and_loaded_it_is_the_same_model(tiny, tmp_path):
    model = ssd.SSD(tiny)
    model.compile("adam", ssd.MultiboxLoss(tiny, gate=0.9))
    model.save(tmp_path / "model.keras")
    again = ssd.load(tmp_path / "model.keras")
    assert again.config == tiny
    assert again.loss.options["gate"] == 0.9
    np.testing.assert_array_equal(
        ops.convert_to_numpy(model(photos(tiny))), ops.convert_to_numpy(again(photos(tiny)))
    )


def test_a_few_steps_of_training_lower_the_loss_and_show_its_terms(tiny):
    keras.utils.set_random_seed(0)
    model = ssd.SSD(tiny)
    model.compile(keras.optimizers.Adam(3e-3), ssd.MultiboxLoss(tiny))
    batch, labels = photos(tiny, 4), np.zeros((4, tiny.max_boxes, 5), np.float32)
    labels[:, 0] = [0.2, 0.2, 0.6, 0.5, 1]
    history = model.fit(batch, labels, epochs=15, verbose=0).history
    assert set(history) == {
        "loss",
        "confidence",
        "location",
        "extra",
        "positives",
        "unmatched",
    }
    assert history["loss"][-1] < 0.5 * history["loss"][0]
    total = history["confidence"][-1] + history["location"][-1] + history["extra"][-1]
    assert history["loss"][-1] == pytest.approx(total, rel=1e-4)
    assert history["positives"][-1] >= 1
    assert history["unmatched"][-1] == 0


@pytest.mark.parametrize("stride", [1, 2])
def test_a_normalized_convolution_is_one_and_then_the_other(stride):
    """In training and in serving as Keras's two layers, and so are the averages it keeps."""
    keras.utils.set_random_seed(0)
    own = NormalizedConvolution(5, 3, stride=stride)
    convolution = keras.layers.Conv2D(5, 3, stride, padding="same", use_bias=False)
    norm = keras.layers.BatchNormalization(momentum=0.97)
    random = np.random.default_rng(0)
    x = random.normal(1, 2, (4, 8, 6, 3)).astype(np.float32)
    assert own(x).shape == norm(convolution(x)).shape == own.compute_output_shape(x.shape)
    weights = [random.uniform(0.5, 2, each.shape) for each in own.weights]
    own.set_weights(weights)
    convolution.set_weights(weights[:1])
    norm.set_weights(weights[1:])
    for training in (False, True, False):
        one, two = own(x, training=training), norm(convolution(x), training=training)
        np.testing.assert_allclose(*map(ops.convert_to_numpy, (one, two)), rtol=1e-4, atol=1e-4)
        for mine, theirs in zip(own.get_weights()[1:], norm.get_weights(), strict=True):
            np.testing.assert_allclose(mine, theirs, rtol=1e-4)


def test_a_settled_model_trains_the_function_that_it_serves(tiny):
    model, batch = ssd.SSD(tiny), photos(tiny, 4)
    model.freeze_normalization()
    model.compile(keras.optimizers.Adam(1e-3), ssd.MultiboxLoss(tiny))
    labels = np.zeros((4, tiny.max_boxes, 5), np.float32)
    labels[:, 0] = [0.2, 0.2, 0.6, 0.5, 1]
    before = {weight.path: np.array(weight) for weight in model.weights}
    model.fit(batch, labels, epochs=2, verbose=0)
    changed = {
        weight.path
        for weight in model.weights
        if (np.asarray(weight) != before[weight.path]).any() and "seed" not in weight.path
    }
    assert "conv1/gamma" in changed
    assert "conv1/kernel" in changed
    assert not {path for path in changed if path.split("/")[-1] in ("mean", "variance")}
    fine = model.get_layer("fine_in")
    x = np.random.default_rng(0).normal(size=(2, 8, 8, fine.kernel.shape[2]))
    np.testing.assert_array_equal(
        *(ops.convert_to_numpy(fine(x, training=training)) for training in (True, False))
    )


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.keras: wanted a \.keras model file"):
        ssd.load(tmp_path / "none.keras")


@pytest.mark.parametrize("content", [b"", b"not a model", b"PK\x05\x06" + bytes(18)])
def test_a_file_that_is_no_model_is_refused_by_name(tmp_path, content):
    path = tmp_path / "model.keras"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"model\.keras: wanted a \.keras model file"):
        ssd.load(path)


def test_another_keras_model_is_refused(tmp_path):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.save(tmp_path / "other.keras")
    with pytest.raises(
        ValueError, match=r"wanted a .keras model file \(it holds a Sequential, no ssd\.SSD\)"
    ):
        ssd.load(tmp_path / "other.keras")


def test_every_face_from_16_pixels_to_the_whole_frame_has_an_anchor():
    """The range of face sizes that the README states."""
    config = Config()
    grid = anchors.grid(config.feature_shapes, config.anchor_shapes)
    random, tall = np.random.default_rng(0), config.anchor_aspect**0.5
    sizes = np.exp(random.uniform(np.log(16), np.log(256 / tall), 4000))
    sizes[:50], sizes[50:100] = 16, 256 / tall
    shape = np.stack([sizes * tall, sizes / tall], 1) / config.image_size
    corner = random.random((4000, 2)) * (1 - shape)
    faces = np.concatenate([corner, corner + shape], 1).astype(np.float32)
    best = ops.convert_to_numpy(anchors.iou(faces, grid)).max(axis=1)
    assert best.min() > 0.35
    assert np.quantile(best, 0.05) > 0.5

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

import ssd
from ssd.nets import photometric

pytestmark = pytest.mark.device
BATCH = 8


def photos(batch=BATCH):
    """Smooth colors, with a black bar such as padding is."""
    y, x = np.mgrid[:40, :48]
    waves = [np.sin(y / 7) + np.cos(x / 5), np.sin(x / 6 + y / 9), np.cos(y / 8)]
    photo = (127 + 60 * np.stack(waves, axis=2)).clip(1, 255).round()
    photo[32:] = 0
    return np.tile(np.float32(photo), [batch, 1, 1, 1])


def full(value, batch=BATCH):
    return ops.full([batch], float(value))


STILL = {
    "tone": lambda x: photometric.tone(x, full(1), full(1), full(1), full(1)),
    "crush": lambda x: photometric.crush(x, full(0)),
    "backlight": lambda x: photometric.backlight(x, full(0), ops.full([BATCH, 2], 0.5), full(0.3)),
    "blur": lambda x: photometric.blur(x, full(0), full(0)),
    "grain": lambda x: photometric.grain(x, full(0), full(0), ops.ones([1, 40, 48, 3])),
}
STRONG = {
    "tone": lambda x: photometric.tone(x, full(1.6), full(1.5), full(1.3), full(1.3)),
    "crush": lambda x: photometric.crush(x, full(1)),
    "backlight": lambda x: photometric.backlight(x, full(1), ops.full([BATCH, 2], 0.5), full(0.3)),
    "blur": lambda x: photometric.blur(x, full(1.5), full(1.5)),
    "grain": lambda x: photometric.grain(
        x, full(6), full(0.4), keras.random.normal([1, 40, 48, 3])
    ),
}


def numpy(x):
    return ops.convert_to_numpy(x)


@pytest.mark.parametrize("name", STILL)
def test_without_strength_nothing_changes(name):
    np.testing.assert_allclose(numpy(STILL[name](photos())), photos(), atol=0.02)


@pytest.mark.parametrize("name", STRONG)
def test_strength_changes_and_keeps_range_shape_and_black(name):
    changed = numpy(STRONG[name](photos()))
    assert changed.shape == photos().shape
    assert changed.dtype == np.float32
    assert changed.min() >= 0
    assert changed.max() <= 255
    assert np.abs(changed - photos())[:, :32].mean() > 2
    assert not changed[:, 32 + 3 * (name == "blur") :].any()


def test_tone_is_gamma_saturation_contrast_and_gain():
    """Step by step, in the words of its docstring."""
    random, images = np.random.default_rng(0), photos()
    draws = [random.uniform(0.6, 1.5, BATCH).astype(np.float32) for _ in range(4)]
    gamma, saturation, contrast, gain = (draw[:, None, None, None] for draw in draws)
    slow = (images / 255) ** gamma
    gray = slow.mean(axis=3, keepdims=True)
    slow = gray + (slow - gray) * saturation
    middle = slow.mean(axis=(1, 2, 3), keepdims=True)
    slow = ((middle + (slow - middle) * contrast) * gain * 255).clip(0, 255)
    changed = photometric.tone(images, *map(ops.convert_to_tensor, draws))
    np.testing.assert_allclose(numpy(changed), np.where(images > 0, slow, 0), atol=0.05)


def test_blur_spreads_one_way_or_both_and_each_photo_its_own():
    images = np.zeros((3, 15, 15, 3), np.float32)
    images[:, 7, 7] = 255
    down, across = ops.convert_to_tensor([1.0, 0.0, 1.0]), ops.convert_to_tensor([0.0, 1.0, 1.0])
    blurred = numpy(photometric.blur(images, down, across))[..., 0]
    np.testing.assert_allclose(blurred.sum(axis=(1, 2)), 255, rtol=1e-4)
    assert [int((photo > 0.1).any(axis=1).sum()) for photo in blurred] == [7, 1, 7]
    assert [int((photo > 0.1).any(axis=0).sum()) for photo in blurred] == [1, 7, 7]


def test_the_subject_is_dark_where_it_is_said_to_be():
    gray = ops.full([2, 40, 40, 3], 100.0)
    centers = ops.convert_to_tensor([[0.25, 0.25], [0.75, 0.5]])
    lit = numpy(photometric.backlight(gray, full(1, 2), centers, full(0.1, 2)))[..., 0]
    darkest = [np.unravel_index(photo.argmin(), photo.shape) for photo in lit]
    np.testing.assert_allclose(darkest, [(10, 10), (30, 20)], atol=1)


def plain(function, images):
    return function(images)


def compiled(function, images):
    if keras.backend.backend() == "jax":
        import jax

        return jax.jit(function)(images)
    return tf.function(function, jit_compile=True)(images)


def graph(function, images):
    if keras.backend.backend() == "jax":
        pytest.skip("TensorFlow's graphs")
    unknown = tf.TensorSpec([None, None, None, 3])
    return tf.function(function, input_signature=[unknown])(images)


@pytest.mark.parametrize("way", [compiled, graph])
def test_compiled_they_give_what_they_give_eagerly(way):
    noise = np.random.default_rng(0).normal(size=(1, 40, 48, 3)).astype(np.float32)

    def all_of_them(images):
        for name in ("tone", "crush", "backlight", "blur"):
            images = STRONG[name](images)
        return photometric.grain(images, full(6), full(0.4), noise)

    expected = numpy(all_of_them(ops.convert_to_tensor(photos())))
    np.testing.assert_allclose(numpy(way(all_of_them, photos())), expected, atol=0.2)


@pytest.mark.parametrize("way", [plain, compiled, graph])
def test_the_layer_repeats_under_a_seed_however_it_runs(way):
    def draw(seed):
        """What a layer draws first and second, as a train step runs it: its seed goes along."""
        layer = photometric.PhotometricAugmentation(seed=seed)
        state = layer.seed_generator.state

        def twice(images):
            with keras.StatelessScope(state_mapping=[(state, ops.convert_to_tensor(state))]):
                return ops.stack([layer(images, training=True) for _ in range(2)])

        return numpy(way(twice, photos()))

    first, second = draw(3)
    np.testing.assert_array_equal(draw(3), [first, second])
    assert np.abs(first - second).mean() > 5
    assert np.abs(draw(4)[0] - first).mean() > 5


@pytest.mark.parametrize("seed", range(10))
def test_what_the_layer_draws_stays_a_photo(seed):
    layer, images = photometric.PhotometricAugmentation(seed=seed), photos(32)
    changed = numpy(layer(images, training=True))
    assert np.isfinite(changed).all()
    assert changed.min() >= 0
    assert changed.max() <= 255
    # Nothing is so dark or so flat that what was there cannot be seen.
    assert (changed[:, :32].std(axis=(1, 2, 3)) > 4).all()
    assert not changed[:, 35:].any()


def test_serving_passes_through_the_layer(tiny):
    model = ssd.SSD(tiny)
    images = np.random.default_rng(0).integers(0, 256, (2, *tiny.image_size, 3), np.uint8)
    without = keras.Model(model.get_layer("light").output, model.output)
    np.testing.assert_array_equal(
        numpy(model(images, training=False)), numpy(without(images, training=False))
    )
    one, other = (numpy(model(images, training=True)) for _ in range(2))
    assert np.abs(one - other).max() > 0


def test_the_exported_file_knows_nothing_of_it(tiny, tmp_path):
    model = ssd.SSD(tiny)
    ssd.export(model, tmp_path / "model.tflite", precision="float32")
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(tmp_path / "model.tflite"))
    interpreter.allocate_tensors()
    images = np.random.default_rng(0).integers(0, 256, (1, *tiny.image_size, 3), np.uint8)
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], np.float32(images))
    interpreter.invoke()
    found = [interpreter.get_tensor(each["index"]) for each in interpreter.get_output_details()]
    predictions = np.concatenate(sorted(found, key=lambda x: -x.shape[-1]), axis=-1)
    np.testing.assert_allclose(predictions, numpy(model(images, training=False)), atol=1e-3)
    names = [each["name"] for each in interpreter.get_tensor_details()]
    assert not [name for name in names if "random" in name.lower() or "normal" in name.lower()]

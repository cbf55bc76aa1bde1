"""All backbones through one suite, and one that is defined outside the package."""

import dataclasses
import json
import os
import pathlib
import subprocess
import sys
import zipfile

import keras
import numpy as np
import own_backbone
import pytest
from keras import ops

import ssd
from ssd.config import BACKBONES, Config
from ssd.nets import layers
from ssd.nets.backbones import find_backbone
from ssd.nets.layers import NormalizedConvolution, NormalizedDepthwise

ROOT = pathlib.Path(__file__).parent.parent
EVERY = (*BACKBONES, "own")


@pytest.fixture(scope="module", params=EVERY)
def config(request, tiny):
    return dataclasses.replace(tiny, backbone=request.param)


@pytest.fixture(scope="module")
def model(config):
    """A model whose normalization has seen photos, and whose residual blocks add something."""
    keras.utils.set_random_seed(0)
    made = ssd.SSD(config)
    averages = [each for each in made.layers if isinstance(each, keras.layers.BatchNormalization)]
    for layer in averages:
        layer.momentum = 0.0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(layers, "_MOMENTUM", 0.0)
        for layer in made.layers:
            if isinstance(layer, NormalizedConvolution) and layer.start == 0:
                layer.gamma.assign(np.full(layer.gamma.shape, 0.5))
        made(photos(config, 4), training=True)
    return compiled(made)


def compiled(model):
    """A model to be trained step by step: to compile many layers takes TensorFlow longer, and JAX
    less long."""
    loss = ssd.MultiboxLoss(model.config)
    eagerly = keras.backend.backend() == "tensorflow"
    model.compile(keras.optimizers.SGD(0.01), loss, run_eagerly=eagerly)
    return model


def photos(config, count):
    """Noise in patches of four pixels."""
    height, width = config.image_size
    shape = (count, height // 4, width // 4, 3)
    small = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    return small.repeat(4, axis=1).repeat(4, axis=2)


def labels(config, count):
    rows = np.zeros((count, config.max_boxes, 5), np.float32)
    rows[:, 0] = [0.2, 0.2, 0.7, 0.6, 1]
    rows[:, 1] = [0.7, 0.7, 0.9, 0.85, 1]  # a small one: every level has something to learn
    return rows


def test_maps_have_the_strides_and_grow_with_the_multiplier(config):
    images = keras.Input((64, 96, 3))
    thin, wide = (find_backbone(config.backbone)(images, width) for width in (0.05, 0.5))
    assert [each.shape[1:3] for each in thin] == [(8, 12), (4, 6), (2, 3)]
    for few, many in zip(thin, wide, strict=True):
        assert 8 <= few.shape[-1] < many.shape[-1]


def test_the_coarsest_map_sees_all_of_the_largest_anchor(config):
    """Every weight positive: then a pixel that can reach a cell does, and black gives nothing."""
    large = dataclasses.replace(Config(image_size=(384, 384)), width_multiplier=0.01)
    model = ssd.SSD(dataclasses.replace(large, backbone=config.backbone))
    for layer in model.layers:
        if layer.name.startswith("logits"):
            layer.set_weights([np.zeros(each.shape) for each in layer.weights])
            continue
        for weight in layer.trainable_weights:
            name = weight.name
            size = np.prod(weight.shape[:3]) if "kernel" in name else 1
            weight.assign(np.full(weight.shape, 0.0 if name in ("beta", "bias") else 2.0 / size))
    rows, columns = large.feature_shapes[-1]
    middle, anchors = np.array([rows // 2, columns // 2]) * 32 + 16, len(large.anchor_sizes[-1])
    tall, wide = np.multiply(large.anchor_shapes[-1][-1], large.image_size)
    cell = anchors * ((rows // 2) * columns + columns // 2)
    cell += sum(
        np.prod(shape) * len(sizes)
        for shape, sizes in zip(large.feature_shapes[:-1], large.anchor_sizes[:-1], strict=True)
    )
    reach = np.array([tall / 2 - 2, wide / 2 - 2])
    images = np.zeros((5, 384, 384, 3), np.uint8)
    for image, corner in zip(images, [(-1, -1), (-1, 1), (1, -1), (1, 1)], strict=False):
        row, column = (middle + corner * reach).astype(int)
        image[row, column] = 255
    seen = ops.convert_to_numpy(model(images))[:, cell, 0]
    assert (seen[:4] > seen[4]).all(), seen


def test_it_learns_and_its_averages_follow_until_frozen(model, config):
    changing = ssd.SSD(config)
    changing.set_weights(model.get_weights())
    compiled(changing)
    own = [each for each in changing.layers if isinstance(each, NormalizedConvolution)]
    first, *_, last = (step(changing) for _ in range(3))
    assert last < first
    before = [[np.array(each) for each in (layer.mean, layer.kernel)] for layer in own]
    assert any((np.asarray(a.mean) != np.asarray(b.mean)).any() for a, b in pairs(changing, model))
    changing.freeze_normalization()
    compiled(changing)
    step(changing)
    for layer, (mean, kernel) in zip(own, before, strict=True):
        np.testing.assert_array_equal(layer.mean, mean)
        assert (np.asarray(layer.kernel) != kernel).any(), layer.name


def step(model):
    """The loss of one step."""
    return float(model.train_on_batch(*batch(model.config))[0])


def batch(config):
    return photos(config, 4), labels(config, 4)


def pairs(one, other):
    """Convolutions of two models of one Config."""
    for layer in one.layers:
        if isinstance(layer, NormalizedConvolution):
            yield layer, other.get_layer(layer.name)


@pytest.mark.device
def test_a_depthwise_convolution_is_keras_own_one_and_then_the_other():
    keras.utils.set_random_seed(0)
    own = NormalizedDepthwise(3, 3, stride=2)
    convolution = keras.layers.DepthwiseConv2D(3, 2, padding="same", use_bias=False)
    norm = keras.layers.BatchNormalization(momentum=0.97)
    random = np.random.default_rng(0)
    x = random.normal(1, 2, (4, 8, 6, 3)).astype(np.float32)
    assert own(x).shape == norm(convolution(x)).shape == own.compute_output_shape(x.shape)
    weights = [random.uniform(0.5, 2, each.shape) for each in own.weights]
    own.set_weights(weights)
    convolution.set_weights([weights[0].transpose(0, 1, 3, 2)])
    norm.set_weights(weights[1:])
    for training in (False, True, False):
        one, two = own(x, training=training), norm(convolution(x), training=training)
        np.testing.assert_allclose(*map(ops.convert_to_numpy, (one, two)), rtol=1e-4, atol=1e-4)
    own.frozen = True
    np.testing.assert_array_equal(
        *(ops.convert_to_numpy(own(x, training=training)) for training in (True, False))
    )


def test_a_depthwise_convolution_of_other_channels_is_refused():
    with pytest.raises(ValueError, match="dw: wanted 4 channels, got 3"):
        NormalizedDepthwise(4, 3, name="dw")(np.zeros((1, 4, 4, 3), np.float32))


@pytest.mark.device
def test_the_one_with_most_kinds_of_layers_learns_under_each_backend(tiny):
    """What the others are made of, the rest of the suite trains under each backend."""
    model = compiled(ssd.SSD(dataclasses.replace(tiny, backbone="mobilenet")))
    first, second = step(model), step(model)
    assert second < first


def test_in_half_precision_it_takes_a_step_and_is_finite(config):
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        half = compiled(ssd.SSD(config))
        assert np.isfinite(step(half))
        assert half.get_layer("lateral0").compute_dtype == "bfloat16"
    finally:
        keras.config.set_dtype_policy("float32")


def test_saved_and_loaded_it_is_the_same(model, config, tmp_path):
    model.save(tmp_path / "model.keras")
    again = ssd.load(tmp_path / "model.keras")
    assert again.config == config
    images = photos(config, 2)
    np.testing.assert_array_equal(*(ops.convert_to_numpy(each(images)) for each in (model, again)))


@pytest.mark.parametrize("precision", ["float32", "float16", "int8"])
def test_an_exported_file_says_what_the_model_says(model, config, tmp_path, precision):
    images = photos(config, 8)
    path = ssd.export(model, tmp_path / "model.tflite", precision=precision, calibration=images)
    found = np.concatenate([run(path, image) for image in images[:2]])
    most = {"float32": 1e-3, "float16": 0.05, "int8": 0.5}[precision]
    assert_near(found, ops.convert_to_numpy(model(images[:2])), most)
    ssd.Detector(path)(images[0])


def test_an_onnx_file_says_what_the_model_says(model, config, tmp_path):
    runtime = pytest.importorskip("onnxruntime")
    path = ssd.export(model, tmp_path / "model.onnx")
    image = photos(config, 1)
    found = runtime.InferenceSession(path).run(["offsets", "logits"], {"images": image})
    found, whole = np.concatenate(found, axis=2), ops.convert_to_numpy(model(image))
    np.testing.assert_allclose(found, whole, atol=2e-3)
    ssd.Detector(path)(image[0])


def test_what_onnx_cannot_be_is_named(tmp_path):
    class Doubled(keras.layers.Conv2D):
        def call(self, x):
            return 2 * super().call(x)

    @ssd.backbone("doubled")
    def doubled(images, width_multiplier):
        return own_backbone.own(Doubled(8, 1, name="twofold")(images), width_multiplier)

    @ssd.backbone("shared")
    def shared(images, width_multiplier):
        again = keras.layers.Conv2D(3, 1, name="again")
        return own_backbone.own(again(again(images)), width_multiplier)

    for name, message in (
        ("doubled", "twofold: wanted a layer that ONNX export knows, got this Doubled"),
        ("shared", "wanted to follow layers used once, got one used twice"),
    ):
        with pytest.raises(ValueError, match=message):
            ssd.export(ssd.SSD(Config(backbone=name, image_size=(64, 64))), tmp_path / "m.onnx")


def assert_near(found, whole, most):
    """Outputs apart by a small share of how far they are apart from each other; those of an int8
    file saturate, and differ in what the logits of an anchor have in common."""
    limits = [5, 5, 5, 5, 10]  # of two logits each 5 from their mean
    found, whole = (
        np.concatenate([each[..., :4], each[..., 5:] - each[..., 4:5]], axis=-1).clip(
            np.negative(limits), limits
        )
        for each in (found, whole)
    )
    spread = np.abs(whole - whole.mean(axis=(0, 1))).mean()
    assert np.abs(found - whole).mean() < most * spread


def run(path, image):
    from ai_edge_litert.interpreter import Interpreter

    runner = Interpreter(model_path=str(path)).get_signature_runner()
    given = runner(images=image[None].astype(runner.get_input_details()["images"]["dtype"]))
    result = {}
    for name, details in runner.get_output_details().items():
        scale, zero = details["quantization"]
        result[name] = (given[name].astype(np.float32) - zero) * scale if scale else given[name]
    return np.concatenate([result["offsets"], result["logits"]], axis=2)


def test_a_run_goes_on_where_it_was(config, disc_labels, tmp_path, monkeypatch):
    import tensorflow as tf

    options = {"batch_size": 48, "seed": 1, "epochs": 2}
    data = tf.data.Dataset.from_tensors(batch(config))
    monkeypatch.setattr("ssd.training.material.dataset", lambda *labels, **options: data)
    eager = property(lambda model: True, lambda model, value: None)
    monkeypatch.setattr(ssd.SSD, "run_eagerly", eager)

    class Stop(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ssd.train(disc_labels, tmp_path / "run", config, callbacks=[Stop()], **options)
    model = ssd.train(disc_labels, tmp_path / "run", config, **options)
    assert model.provenance["epochs_done"] == 2
    assert model.config == config


# A user's own


def saved_alone(tmp_path, backbone="own"):
    """A `.keras` file of a user's backbone."""
    ssd.SSD(Config(backbone=backbone, image_size=(64, 64), width_multiplier=0.05)).save(
        tmp_path / "own.keras"
    )
    return tmp_path / "own.keras"


def in_a_new_process(script, *arguments):
    return subprocess.run(
        [sys.executable, "-c", script, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}"},
        capture_output=True,
        text=True,
    )


def test_a_new_process_loads_it_once_it_is_imported(tmp_path):
    script = """
import sys, ssd, keras
for opened in (ssd.load, keras.saving.load_model):
    try:
        opened(sys.argv[1])
    except ValueError as error:
        print(error)
import own_backbone
print(ssd.load(sys.argv[1]).config.backbone)
"""
    path = saved_alone(tmp_path)
    done = in_a_new_process(script, path)
    assert done.returncode == 0, done.stderr[-800:]
    plain, of_keras, last = done.stdout.splitlines()
    wanted = "backbone 'own' is not registered: import own_backbone first"
    assert plain == f"{path}: {wanted}"
    assert wanted in of_keras
    assert last == "own"


def test_what_a_strangers_file_says_of_its_home_is_not_repeated(tmp_path):
    path, bad = saved_alone(tmp_path), tmp_path / "bad.keras"
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(bad, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name == "config.json":
                about = json.loads(content)
                about["config"]["config"]["backbone"] = "other"
                about["config"]["backbone_home"] = "x first; rm -rf\n"
                content = json.dumps(about)
            new.writestr(name, content)
    with pytest.raises(ValueError, match=r"registered by ssd\.backbone, got 'other'") as caught:
        ssd.load(bad)
    assert "rm" not in str(caught.value)


@pytest.mark.device
def test_a_detector_of_an_exported_file_needs_no_backbone(tmp_path):
    model = ssd.load(saved_alone(tmp_path))
    path = ssd.export(model, tmp_path / "own.tflite", precision="float32")
    script = """
import sys, numpy as np, ssd
print(ssd.Detector(sys.argv[1]).config.backbone, "keras" in sys.modules)
"""
    done = in_a_new_process(script, path)
    assert done.stdout.split() == ["own", "False"], done.stderr[-800:]


def test_an_unknown_backbone_is_refused_before_work(disc_labels, tmp_path):
    wanted = "wanted one of alexnet, darknet, mobilenet, resnet, or one registered .* got 'vgg'"
    with pytest.raises(ValueError, match=wanted):
        ssd.SSD(Config(backbone="vgg"))
    with pytest.raises(ValueError, match=wanted):
        ssd.train(disc_labels, tmp_path / "run", Config(backbone="vgg"))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("name", ["alexnet", "two words", "", 3])
def test_a_name_that_cannot_be_registered_is_refused(name):
    with pytest.raises(ValueError, match=f"backbone: wanted .*, got {name!r}"):
        ssd.backbone(name)


def test_maps_of_other_strides_are_refused():
    @ssd.backbone("flat")
    def flat(images, width_multiplier):
        return [keras.layers.Conv2D(8, 3, 8, padding="same")(images)] * 3

    with pytest.raises(
        ValueError, match=r"'flat': wanted maps of 8×8, 4×4, 2×2 cells.*got 8×8, 8×8"
    ):
        ssd.SSD(Config(backbone="flat", image_size=(64, 64)))


def test_under_another_backend_a_script_cannot_hand_over_its_backbone(tmp_path, monkeypatch):
    @ssd.backbone("scripted")
    def scripted(images, width_multiplier):
        return own_backbone.own(images, width_multiplier)

    scripted.__module__ = "__main__"
    model = ssd.SSD(Config(backbone="scripted", image_size=(64, 64)))
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(ValueError, match=r"'scripted' in a module.*got one of a script"):
        ssd.export(model, tmp_path / "m.tflite", precision="float32")

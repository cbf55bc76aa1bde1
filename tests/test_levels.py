"""Other levels than three: heads on some of the maps alone, and maps coarser than a backbone's."""

import dataclasses

import numpy as np
import pytest
from keras import ops

import anchors
import ssd
from ssd.nets.growing import take_over
from ssd.nets.scores import center_scores, rescale_scores

LEVELS = {
    "one head of stride 16": ((), (24.0, 40.0), ()),
    "a finest map that sees no coarser one": ((10.0, 14.0),),
    "the coarsest two": ((), (24.0,), (40.0, 56.0)),
    "four": ((10.0, 14.0), (24.0,), (34.0,), (48.0, 60.0)),
}


@pytest.fixture(params=LEVELS.values(), ids=LEVELS.keys())
def config(request, tiny):
    return dataclasses.replace(tiny, image_size=(64, 128), anchor_sizes=request.param)


def test_each_head_sits_on_the_map_of_its_stride(config):
    shapes = {level: (64 // 2 ** (3 + level), 128 // 2 ** (3 + level)) for level in range(4)}
    wanted = [shapes[level] for level, sizes in enumerate(config.anchor_sizes) if sizes]
    assert list(config.feature_shapes) == wanted
    model = ssd.SSD(config)
    rows = sum(
        height * width * len(sizes)
        for (height, width), sizes in zip(config.feature_shapes, config.anchor_shapes, strict=True)
    )
    assert model.output_shape == (None, rows, 6)
    heads = {
        layer.name for layer in model.layers if layer.name in map("offsets{}".format, range(6))
    }
    assert heads == {f"offsets{level}" for level in config.levels}


def test_a_face_moves_the_anchors_that_lie_on_it(config):
    """Anchors are in the order of the outputs: what changes on the left changes on the left."""
    config = dataclasses.replace(config, image_size=(64, 1024))  # the right end sees nothing of it
    model = ssd.SSD(config)
    dark = np.zeros((1, *config.image_size, 3), np.uint8)
    lit = dark.copy()
    lit[:, :, :8] = 255
    change = np.abs(np.asarray(model(lit)) - np.asarray(model(dark)))[0].max(axis=-1)
    left = 0
    for (height, width), sizes in zip(config.feature_shapes, config.anchor_shapes, strict=True):
        count = height * width * len(sizes)
        columns = change[left : left + count].reshape(height, width, -1).max(axis=(0, 2))
        assert columns[0] > 1e-4
        assert columns[-1] < 1e-5
        left += count


@pytest.mark.device
def test_it_learns_is_saved_and_grows(config, disc_labels, tmp_path):
    model = ssd.train(disc_labels, tmp_path / "run", config, epochs=1, batch_size=4, seed=0)
    photos = np.random.default_rng(0).integers(0, 256, (2, *config.image_size, 3), np.uint8)
    before = np.asarray(model(photos))
    again = ssd.load(tmp_path / "run" / "model.keras")
    assert again.config == config
    assert np.abs(np.asarray(again(photos)) - before).max() < 1e-5
    grown = ssd.SSD(dataclasses.replace(config, classes=("face", "smile")))
    take_over(grown, again)
    assert np.abs(np.asarray(grown(photos))[..., :4] - before[..., :4]).max() < 1e-4
    rescale_scores(again, 2.0, 0.0)
    center_scores(again)
    assert np.isfinite(np.asarray(again(photos))).all()


def test_every_file_of_it_gives_the_same(config, tmp_path):
    pytest.importorskip("onnxruntime")
    model = ssd.SSD(config)
    photo = np.random.default_rng(0).integers(0, 256, (96, 160, 3), np.uint8)
    wanted = ssd.Detector(model)(photo, score_threshold=0.001)
    ssd.export(model, tmp_path / "it.tflite", precision="float32")
    ssd.export(model, tmp_path / "it.onnx")
    for name in ("it.tflite", "it.onnx"):
        found = ssd.Detector(tmp_path / name)(photo, score_threshold=0.001)
        assert len(found) == len(wanted) > 0
        assert np.abs(np.sort(found.scores) - np.sort(wanted.scores)).max() < 1e-3
    images = np.random.default_rng(1).integers(0, 256, (4, *config.image_size, 3), np.uint8)
    ssd.export(model, tmp_path / "int8.tflite", precision="int8", calibration=images)
    ssd.Detector(tmp_path / "int8.tflite")(photo)


@pytest.mark.device
def test_faces_are_matched_on_the_levels_there_are(config):
    grid = anchors.grid(config.feature_shapes, config.anchor_shapes)
    loss = ssd.MultiboxLoss(config)
    middle = np.float32([[0.3, 0.4, 0.7, 0.6]])
    labels = np.full((1, 4, 5), -1, np.float32)
    labels[0, 0] = [*middle[0], 1]
    terms = loss.terms(ops.convert_to_tensor(labels), ops.zeros((1, len(grid), 6)))
    assert float(terms.positives) >= 1
    assert float(terms.unmatched) == 0


def test_an_input_that_the_last_level_does_not_divide_is_refused(tiny):
    sizes = ((10.0,), (24.0,), (40.0,), (60.0,))
    with pytest.raises(ValueError, match=r"multiples of 64, the stride of the last of 4 levels"):
        dataclasses.replace(tiny, image_size=(96, 128), anchor_sizes=sizes)

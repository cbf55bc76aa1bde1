"""An ONNX file has the outputs of the TFLite file of the same model, and finds the same."""

import dataclasses
import os
import pathlib
import pickle

import box_files
import numpy as np
import pytest

import ssd
from ssd.exporting import choose_format
from ssd.shipped import SHIPPED

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")


@pytest.fixture(scope="module")
def model(tiny):
    """A model of which normalization has something to say, and whose scores are neither 0 nor 1."""
    made = ssd.SSD(tiny)
    random = np.random.default_rng(0)
    for layer in made.layers:
        if hasattr(layer, "variance"):
            shape = layer.variance.shape
            layer.mean.assign(random.normal(0, 0.3, shape))
            layer.variance.assign(random.uniform(0.3, 2, shape))
            layer.gamma.assign(random.uniform(0.5, 1.5, shape))
    logits = np.asarray(made(random.integers(0, 256, (4, 64, 96, 3), dtype=np.uint8)))[..., 4:]
    for level in range(len(tiny.anchor_sizes)):
        last = made.get_layer(f"logits{level}")
        last.set_weights([3 * each / np.ptp(logits, axis=-1).max() for each in last.get_weights()])
    made.provenance = {"epochs": 3}
    return made


@pytest.fixture(scope="module")
def file(model, tmp_path_factory):
    return ssd.export(model, tmp_path_factory.mktemp("onnx") / "tiny.onnx")


def photos(count, height, width):
    """Photos of SSD_PHOTOS where the folder is given, else noise in patches."""
    folder = os.environ.get("SSD_PHOTOS")
    if folder:
        paths = sorted(pathlib.Path(folder, "validation").iterdir())
        return [ssd.read_photo(path) for path in paths[:count]]
    random = np.random.default_rng(1)
    small = random.integers(0, 256, (count, height // 4, width // 4, 3), dtype=np.uint8)
    return [*small.repeat(4, axis=1).repeat(4, axis=2)]


def test_outputs_and_boxes_are_those_of_the_tflite_file(model, file, tmp_path):
    tflite = ssd.export(model, tmp_path / "tiny.tflite", precision="float32")
    assert_alike(ssd.Detector(file), ssd.Detector(tflite), photos(10, 64, 96))


def test_pickle_takes_a_detector_elsewhere(file, tmp_path):
    moved = tmp_path / "moved.onnx"
    moved.write_bytes(file.read_bytes())
    pickled = pickle.dumps(ssd.Detector(moved))
    moved.unlink()  # what was opened is what is used
    assert_alike(pickle.loads(pickled), ssd.Detector(file), photos(3, 64, 96))


@pytest.mark.skipif(not SHIPPED.is_file(), reason="no model ships")
def test_the_shipped_model_finds_the_same_in_both_formats(tmp_path):
    model = ssd.load(SHIPPED.with_suffix(".keras"))
    tflite = ssd.export(model, tmp_path / "face.tflite", precision="float32")
    file = ssd.export(model, tmp_path / "face.onnx")
    found = assert_alike(ssd.Detector(file), ssd.Detector(tflite), photos(100, 240, 320))
    assert found > 100 or "SSD_PHOTOS" not in os.environ


def assert_alike(one, other, photos):
    """Outputs as near as two orders of adding up are, and boxes; returns how many boxes."""
    total = 0
    for photo in photos:
        tensor = one.prepare(photo)
        offsets, logits = one.forward(tensor)
        expected = other.forward(other.prepare(photo))
        np.testing.assert_allclose(offsets, expected[0], rtol=1e-5, atol=1e-4)
        np.testing.assert_allclose(logits, expected[1], rtol=1e-5, atol=1e-3)
        boxes, scores, _ = one(photo, score_threshold=0.3)
        wanted = other(photo, score_threshold=0.3)
        if len(np.unique(wanted.scores.round(4))) == len(wanted):  # else ties decide
            pixel = max(photo.shape[0] / tensor.shape[1], photo.shape[1] / tensor.shape[2])
            np.testing.assert_allclose(scores, wanted.scores, atol=1e-3)
            np.testing.assert_allclose(boxes, wanted.boxes, atol=0.05 * pixel)
            total += len(boxes)
    return total


def test_the_file_says_what_it_is(model, file):
    opened = ssd.Detector(file)
    assert opened.config == model.config
    assert opened.about["provenance"] == {"epochs": 3}
    np.testing.assert_array_equal(opened.anchors, ssd.Detector(model).anchors)
    props = {each.key: each.value for each in onnx.load(file).metadata_props}
    assert props["labels.txt"] == "background\nface\n"
    assert repr(opened) == f"Detector({str(file)!r}, threads=1)"


def test_stock_onnxruntime_takes_bytes(file):
    session = onnxruntime.InferenceSession(file)
    offsets, logits = session.run(None, {"images": np.zeros((1, 64, 96, 3), np.uint8)})
    assert offsets.shape[:2] == logits.shape[:2]


def test_a_file_of_something_else_is_refused(file, tmp_path):
    damaged = tmp_path / "damaged.onnx"
    damaged.write_bytes(b"nothing of the kind")
    with pytest.raises(ValueError, match=r"damaged\.onnx: wanted an \.onnx model file \("):
        ssd.Detector(damaged)

    bare = onnx.load(file)
    del bare.metadata_props[:]
    onnx.save(bare, tmp_path / "bare.onnx")
    with pytest.raises(ValueError, match=r"wanted a model that ssd\.export wrote"):
        ssd.Detector(tmp_path / "bare.onnx")

    small = onnx.load(file)
    small.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 2
    small.graph.input[0].type.tensor_type.elem_type = onnx.TensorProto.INT8
    onnx.save(small, tmp_path / "small.onnx")
    with pytest.raises(ValueError, match=r"small\.onnx: wanted "):
        ssd.Detector(tmp_path / "small.onnx")


def test_what_onnx_cannot_be_is_refused(model, tmp_path):
    with pytest.raises(ValueError, match="wanted float32 for an ONNX file, got 'int8'"):
        ssd.export(model, tmp_path / "a.onnx", precision="int8")
    with pytest.raises(ValueError, match="format: wanted one of tflite, onnx, got 'pb'"):
        ssd.export(model, tmp_path / "a", format="pb")
    kinds = dataclasses.replace(model.config, classes=("face", "smile"), kinds={"smile": "face"})
    for name in ("a.onnx", "a.tflite"):
        with pytest.raises(ValueError, match="boxes: wanted a model whose classes are each"):
            ssd.export(ssd.SSD(kinds), tmp_path / name, precision="float32", boxes=True)
    assert choose_format(tmp_path / "a.ONNX", None) == "onnx"
    assert choose_format(tmp_path / "a", "onnx") == "onnx"
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize("classes", [("face",), ("face", "dog")])
def test_boxes_of_the_file_are_those_of_nms(model, classes, tmp_path):
    if len(classes) > 1:
        model = ssd.SSD(dataclasses.replace(model.config, classes=classes))
    detector = ssd.Detector(model, suppression="nms")
    random = np.random.default_rng(2)
    for photo in random.integers(0, 256, (3, 64, 96, 3), dtype=np.uint8):
        threshold = between_scores(detector(photo, score_threshold=0, iou_threshold=1).scores)
        easy = ssd.SSD(dataclasses.replace(model.config, score_threshold=threshold))
        easy.set_weights(model.get_weights())
        session = open_plainly(ssd.export(easy, tmp_path / "boxes.onnx", boxes=True))
        boxes, scores, class_ids = session.run(None, {"images": photo[None]})
        found = detector(photo, score_threshold=threshold)
        assert len(found) > 2
        np.testing.assert_allclose(scores, found.scores, atol=1e-4)
        np.testing.assert_allclose(boxes, found.boxes, atol=0.05)
        np.testing.assert_array_equal(class_ids, found.class_ids)


@pytest.mark.skipif(not SHIPPED.is_file(), reason="no model ships")
def test_boxes_of_the_shipped_model_are_those_of_a_detector_without_voting(tmp_path):
    shipped = ssd.load(SHIPPED.with_suffix(".keras"))
    session = open_plainly(ssd.export(shipped, tmp_path / "boxes.onnx", boxes=True))
    detector, total = ssd.Detector(shipped, suppression="nms"), 0
    for photo in box_files.faces(100 if "SSD_PHOTOS" in os.environ else 10):
        images = detector.prepare(photo).astype(np.uint8)
        boxes, scores, class_ids = session.run(None, {"images": images})
        found = detector(photo)
        np.testing.assert_array_equal(class_ids, found.class_ids)
        boxes, scores = box_files.on_photo(boxes, scores, photo, detector.config)
        box_files.assert_found(boxes, scores, found, photo, detector.config)
        total += len(found)
    assert total > 10


def between_scores(scores):
    """A threshold of which no score is near, best first."""
    some = slice(len(scores) // 4, len(scores) // 2)
    gap = np.argmax(scores[some][:-1] - scores[some][1:])
    return float(scores[some][gap : gap + 2].mean())


def open_plainly(file):
    """A session as any program opens one; the runtime has nothing to say about the file."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 2
    return onnxruntime.InferenceSession(file, options)


def test_a_file_that_gives_boxes_is_told_from_one_for_a_detector(model, tmp_path):
    file = ssd.export(model, tmp_path / "boxes.onnx", boxes=True)
    with pytest.raises(ValueError, match="this file gives boxes itself"):
        ssd.Detector(file)


def test_where_nothing_is_found_there_are_no_boxes(model, tmp_path):
    blind = ssd.SSD(dataclasses.replace(model.config, score_threshold=1.0))
    session = open_plainly(ssd.export(blind, tmp_path / "blind.onnx", boxes=True))
    boxes, scores, _ = session.run(None, {"images": np.zeros((1, 64, 96, 3), np.uint8)})
    assert boxes.shape == (0, 4)
    assert scores.shape == (0,)

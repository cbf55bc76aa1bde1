"""A TFLite file that gives boxes itself: stock programs find with it what `Detector` finds."""

import dataclasses
import os
import zipfile

import box_files
import lamps
import numpy as np
import pytest

import ssd
from ssd.shipped import SHIPPED

WHITE, RED = 255, (255, 0, 0)


class Plain:
    """A file as a stock program runs it: four outputs, by their order."""

    def __init__(self, path):
        self.interpreter = ssd.find_runtime().Interpreter(str(path))
        self.interpreter.allocate_tensors()

    def __call__(self, tensor, photo, config):
        """Boxes in pixels of the photo, scores, and classes of all boxes."""
        interpreter = self.interpreter
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], tensor)
        interpreter.invoke()
        outputs = [interpreter.get_tensor(o["index"]) for o in interpreter.get_output_details()]
        boxes, classes, scores, count = outputs
        assert boxes.shape == (1, 100, 4)
        some = slice(int(count[0]))
        pixels = boxes[0, some] * np.array([*config.image_size] * 2)
        return *box_files.on_photo(pixels, scores[0, some], photo, config), classes[0, some]


@pytest.mark.skipif(not SHIPPED.is_file(), reason="no model ships")
def test_boxes_of_eight_bits_are_those_of_a_detector_without_voting(tmp_path):
    file, detector = box_files.give_boxes(SHIPPED, tmp_path / "boxes.tflite")
    plain = Plain(file)
    total = 0
    for photo in box_files.faces(100 if "SSD_PHOTOS" in os.environ else 10):
        found = detector(photo)
        boxes, scores, _ = plain(detector.prepare(photo), photo, detector.config)
        box_files.assert_found(boxes, scores, found, photo, detector.config)
        total += len(found)
    assert total > 10


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """The shipped model with weights of 32 bits, as a file that gives boxes; and its Detector."""
    model = ssd.load(SHIPPED.with_suffix(".keras"))
    file = tmp_path_factory.mktemp("boxes") / "boxes.tflite"
    return ssd.export(model, file, precision="float32", boxes=True), ssd.Detector(
        model, suppression="nms"
    )


def test_an_exported_file_gives_the_boxes_of_its_model(exported):
    file, detector = exported
    plain = Plain(file)
    for photo in box_files.faces(5):
        boxes, scores, _ = plain(detector.prepare(photo), photo, detector.config)
        box_files.assert_found(boxes, scores, detector(photo), photo, detector.config)


def test_an_exported_file_says_what_its_outputs_are(exported):
    file, _ = exported
    runner = ssd.find_runtime().Interpreter(str(file)).get_signature_runner()
    assert sorted(runner.get_output_details()) == ["boxes", "classes", "count", "scores"]
    with zipfile.ZipFile(file) as archive:
        assert sorted(archive.namelist()) == ["labels.txt", "model.json"]
        # MediaPipe reads no other, and takes a class for the number of a line.
        assert {each.compress_type for each in archive.infolist()} == {zipfile.ZIP_STORED}
        assert archive.read("labels.txt") == b"face\n"
    # By these it tells the outputs apart.
    for name in (b"location", b"category", b"score", b"number of detections"):
        assert name in file.read_bytes()


def test_opencv_opens_the_file(exported):
    cv2 = pytest.importorskip("cv2")
    file, detector = exported
    network = cv2.dnn.readNetFromTFLite(str(file))
    for photo in box_files.faces(2):
        network.setInput(detector.prepare(photo).transpose(0, 3, 1, 2))
        rows = network.forward().reshape(-1, 7)  # photo, class, score, xmin, ymin, xmax, ymax
        rows = rows[rows[:, 2] > 0]
        height, width = detector.config.image_size
        boxes = rows[:, [4, 3, 6, 5]] * [height, width, height, width]
        boxes, scores = box_files.on_photo(boxes, rows[:, 2], photo, detector.config)
        box_files.assert_found(boxes, scores, detector(photo), photo, detector.config)


@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_each_class_is_for_itself(tmp_path, precision):
    # Boxes three cells wide and tall overlap their neighbors' by half.
    wide = np.log(3) / 0.2
    path = lamps.write_model(
        tmp_path / "lamps.tflite",
        offset=(0, 0, wide, wide),
        classes=("lamp", "red"),
        precision=precision,
    )
    file, detector = box_files.give_boxes(path, tmp_path / "boxes.tflite", 0.5)
    plain = Plain(file)
    photo = np.zeros((64, 96, 3), np.uint8)
    for column, color in ((3, WHITE), (4, RED), (8, WHITE), (9, WHITE)):
        photo[24:32, 8 * column : 8 * column + 8] = color
    found = detector(photo)
    boxes, scores, classes = plain(detector.prepare(photo), photo, detector.config)
    order = np.lexsort((boxes[:, 1], classes))  # scores are alike
    expected = np.lexsort((found.boxes[:, 1], found.class_ids))
    assert (classes[order] + 1).tolist() == [1, 1, 2]
    np.testing.assert_array_equal(classes[order] + 1, found.class_ids[expected])
    np.testing.assert_allclose(boxes[order], found.boxes[expected], atol=0.01)
    np.testing.assert_allclose(scores, found.scores, atol=1e-4)


def test_so_can_a_file_of_eight_bits(tiny, tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (4, 64, 96, 3), dtype=np.uint8)
    model = ssd.SSD(dataclasses.replace(tiny, score_threshold=0.0))
    file = ssd.export(model, tmp_path / "tiny.tflite", boxes=True, calibration=images)
    plain = Plain(file)
    assert plain.interpreter.get_input_details()[0]["dtype"] == np.uint8
    boxes, scores, classes = plain(images[:1], images[0], tiny)
    assert 0 < len(boxes) <= 100
    assert (np.diff(scores) <= 0).all()
    assert {*classes} == {0}


def test_a_detector_refuses_it(exported):
    with pytest.raises(ValueError, match="this file gives boxes itself"):
        ssd.Detector(exported[0])

"""What files that give boxes themselves, and programs in other languages, are held to."""

import os
import pathlib

import matplotlib.cbook
import numpy as np
import skimage.data
from PIL import Image

import ssd
from ssd.photos.letterbox import letterbox_scale


def faces(count):
    """Photos with faces: of SSD_PHOTOS where it is given, else composed of two portraits."""
    folder = os.environ.get("SSD_PHOTOS")
    if folder:
        paths = sorted(pathlib.Path(folder, "validation").iterdir())
        return [ssd.read_photo(path) for path in paths[:count]]
    path = matplotlib.cbook.get_sample_data("grace_hopper.jpg", asfileobj=False)
    people = [Image.open(path).convert("RGB"), Image.fromarray(skimage.data.astronaut())]
    return [_compose(people, number) for number in range(count)]


def _compose(people, number):
    """Two people side by side, of another size in each photo."""
    photo = Image.new("RGB", (400 + 37 * number % 300, 300 + 53 * number % 200), (90, 110, 80))
    for place, person in enumerate(people):
        side = photo.width // 2 - 20 * (number % 5)
        photo.paste(person.resize((side, side)), (place * photo.width // 2, 10 * (number % 3)))
    return np.asarray(photo)


def on_photo(boxes, scores, photo, config):
    """Boxes in pixels of the input as boxes in the photo's, as docs/model-file.md says."""
    height, width = photo.shape[:2]
    boxes = np.asarray(boxes) * np.array(letterbox_scale(height, width, config) * 2)
    boxes = np.clip(boxes, 0, [height, width, height, width])
    inside = (boxes[:, 2:] > boxes[:, :2]).all(axis=1)
    return boxes[inside], np.asarray(scores)[inside]


def assert_found(boxes, scores, found, photo, config):
    """Boxes within a pixel of the input of what a Detector found, and scores within 0.01."""
    pixel = max(letterbox_scale(*photo.shape[:2], config))
    assert len(boxes) == len(found), (boxes, found)
    np.testing.assert_allclose(scores, found.scores, atol=0.01)
    np.testing.assert_allclose(boxes, found.boxes, atol=pixel)


def give_boxes(path, out, threshold=None):
    """A TFLite file, quantized or not, as one that gives boxes; that, and the first's Detector."""
    from ssd.tflite.boxes import add_boxes
    from ssd.tflite.flatbuffer import pack, unpack

    detector = ssd.Detector(path, suppression="nms")
    model = unpack(path.read_bytes())
    threshold = detector.config.score_threshold if threshold is None else threshold
    add_boxes(model, detector.anchors, detector.about["variances"], score_threshold=threshold)
    out.write_bytes(pack(model))
    return out, detector

"""Boxes go where pixels go: in training, in serving, and from there back to the photo."""

import io

import lamps
import numpy as np
import pytest
import reference
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import ssd
from ssd.data import augment, pipeline
from ssd.photos.letterbox import letterbox

CONFIG = lamps.config()
sides = st.integers(20, 5000)
edges = st.tuples(st.floats(0, 1), st.floats(0, 1)).map(sorted)


@pytest.fixture(scope="module")
def detector(tmp_path_factory):
    return ssd.Detector(lamps.write_model(tmp_path_factory.mktemp("model") / "lamps.tflite"))


SIZE, BOXES = tf.TensorSpec([2], tf.int32), tf.TensorSpec([1, 4], tf.float32)
VIEW = augment.View(
    tf.TensorSpec([], tf.int32),
    *[SIZE] * 4,
    tf.TensorSpec([], tf.bool),
    tf.TensorSpec([], tf.int32),
)


@tf.function(input_signature=[SIZE, BOXES])
def letterbox_box(size, boxes):
    """The view that shows a whole photo, and where a box in pixels of the photo is in it."""
    view = pipeline.letterbox_view(size, CONFIG)
    share = boxes / tf.tile(tf.cast(size, tf.float32), [2])
    moved, class_ids = augment.move_boxes(share, [1], size, view, CONFIG.image_size)
    return view, (moved * np.tile(CONFIG.image_size, 2))[0], class_ids[0]


@tf.function(input_signature=[SIZE, BOXES, SIZE])
def window_box(size, boxes, seed):
    """The same of a training example."""
    share = boxes / tf.tile(tf.cast(size, tf.float32), [2])
    view, moved, class_ids = augment.plan_examples(size, share, [1], CONFIG, seed=seed)
    view = view._replace(quality=0)
    return view, (moved * np.tile(CONFIG.image_size, 2))[0], class_ids[0]


@tf.function(input_signature=[tf.TensorSpec([], tf.string), VIEW])
def image_of_file(encoded, view):
    return augment.make_image(encoded, view, CONFIG.image_size)


@tf.function(input_signature=[tf.TensorSpec([None, None, 3], tf.uint8), VIEW])
def image_of_array(photo, view):
    return augment.make_image(photo, view, CONFIG.image_size)


def detect(detector, box, size):
    """What the detector makes of a box that the model found in its input."""
    anchor = detector.anchors[50]
    share = box / np.tile(CONFIG.image_size, 2)
    offsets = np.zeros((len(detector.anchors), 4), np.float32)
    offsets[50] = reference.encode(share.tolist(), anchor.tolist())
    logits = np.zeros((len(detector.anchors), 2), np.float32)
    logits[:, 1] = -10
    logits[50, 1] = 10
    return detector.decode(offsets, logits, size).boxes[0]


@settings(max_examples=500)
@given(height=sides, width=sides, rows=edges, columns=edges)
def test_a_box_comes_back_from_the_input_to_where_it_was(detector, height, width, rows, columns):
    scale = max(height / CONFIG.image_size[0], width / CONFIG.image_size[1])
    low = np.array([rows[0] * height, columns[0] * width])
    high = np.array([rows[1] * height, columns[1] * width])
    # At least a hundredth of a pixel of the input, so that offsets have a logarithm.
    low = np.minimum(low, [height - scale / 100, width - scale / 100])
    box = np.concatenate([low, np.maximum(high, low + scale / 100)])

    _, moved, _ = letterbox_box([height, width], [box])
    back = detect(detector, moved.numpy().astype(float), (height, width))
    assert np.abs(back - box).max() / scale <= 0.05


def draw_bar(random, size):
    """A black photo with a white bar, as an array and as a JPEG file, and the bar's box."""
    height, width = size
    scale = max(height / CONFIG.image_size[0], width / CONFIG.image_size[1])
    low = [random.integers(0, max(1, side - 6 * scale)) for side in size]
    high = [
        random.integers(min(side, start + 6 * scale), side + 1)
        for start, side in zip(low, size, strict=True)
    ]
    photo = np.zeros(size, np.uint8)
    photo[low[0] : high[0], low[1] : high[1]] = 255
    file = io.BytesIO()
    Image.fromarray(photo).save(file, "JPEG", quality=95)
    return np.repeat(photo[..., None], 3, axis=2), file.getvalue(), np.array([*low, *high])


def measure_bar(image, box):
    """Where the white of an image begins and ends, to parts of a pixel, near a box."""
    ymin, xmin, ymax, xmax = box.numpy().tolist()
    light = np.asarray(image)[..., 0] / 255
    found = []
    for profile, low, high in (
        (light[:, int(xmin + 1.5) : int(xmax - 0.5)].mean(axis=1), ymin, ymax),
        (light[int(ymin + 1.5) : int(ymax - 0.5)].mean(axis=0), xmin, xmax),
    ):
        middle = round((low + high) / 2)
        found.append((middle - profile[:middle].sum(), middle + profile[middle:].sum()))
    return np.array(found).T.ravel()


def test_bars_are_where_their_boxes_say():
    """In the letterboxed view, in training windows, and in the detector's input."""
    random = np.random.default_rng(0)
    drift = {name: [] for name in ("letterbox", "cached", "served", "window", "cached window")}

    def compare(name, image, box):
        drift[name].append((np.abs(measure_bar(image, box) - box).max(), size))

    while len(drift["window"]) < 100:
        size = tuple(np.exp(random.uniform(np.log(20), np.log(5000), 2)).astype(int).tolist())
        photo, encoded, bar = draw_bar(random, size)
        view, box, _ = letterbox_box(size, [bar])
        if not_narrow(box):
            compare("letterbox", image_of_file(encoded, view), box)
            compare("cached", image_of_array(photo, view), box)
            compare("served", letterbox(photo, CONFIG), box)
        view, box, class_id = window_box(size, [bar], random.integers(0, 2**31, 2))
        if class_id != 0 and not_narrow(box):
            compare("window", image_of_file(encoded, view), box)
            compare("cached window", image_of_array(photo, view), box)
    assert min(map(len, drift.values())) >= 50
    assert {name: max(found) for name, found in drift.items() if max(found)[0] > 0.5} == {}


def not_narrow(box):
    """Whether a box has an inside whose light can be measured."""
    return (box[2:] - box[:2]).numpy().min() >= 3

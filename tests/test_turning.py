"""Turned examples: boxes are where the pixels of a face went, and nowhere else."""

import math

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

import ssd
from benchmarks import rotation
from ssd.boxes import area, turn_boxes
from ssd.data import turning

SIZE = (96, 128)

middles = st.floats(0.3, 0.7)


def ellipse(box):
    """White in the ellipse that fills a box of the unit square, black around it."""
    height, width = SIZE
    y, x = (np.mgrid[:height, :width] + 0.5) / np.reshape(SIZE, (2, 1, 1))
    center, half = (box[:2] + box[2:]) / 2, (box[2:] - box[:2]) / 2
    inside = ((y - center[0]) / half[0]) ** 2 + ((x - center[1]) / half[1]) ** 2 <= 1
    return np.repeat(inside[..., None], 3, axis=2).astype(np.uint8) * 255


@given(
    y=middles,
    x=middles,
    tall=st.floats(0.1, 0.5),
    wide=st.floats(0.1, 0.5),
    a=st.integers(-180, 180),
)
@settings(max_examples=40)
def test_a_box_is_that_of_the_pixels_of_a_turned_face(y, x, tall, wide, a):
    box = np.array([y - tall / 2, x - wide / 2, y + tall / 2, x + wide / 2], np.float32)
    label = np.zeros((2, 5), np.float32)
    label[0] = [*box, 1]
    image, turned = turning.turn_example(tf.constant(ellipse(box)), tf.constant(label), float(a))
    seen = np.argwhere(image.numpy()[..., 0] > 127)
    (ymin, xmin, ymax, xmax, class_id), unused = turned.numpy()
    assert not unused.any()
    if not len(seen):
        assert class_id in (0, -1)
        return
    pixels = np.array([*seen.min(axis=0), *seen.max(axis=0) + 1])
    found = np.array([ymin, xmin, ymax, xmax]) * (SIZE * 2)
    if (found <= 0).any() or (found >= SIZE * 2).any():  # cut, a box may be larger than it need be
        assert (found[:2] < pixels[:2] + 1.6).all()
        assert (found[2:] > pixels[2:] - 1.6).all()
    else:
        np.testing.assert_allclose(found, pixels, atol=1.6)


@given(a=st.floats(-180, 180), wide=st.floats(2, 90), tall=st.floats(2, 90))
def test_in_numpy_the_same_and_of_nearly_the_same_area(a, wide, tall):
    box = np.array([[30.0, 40, 30 + tall, 40 + wide]])
    found = turn_boxes(box, a, SIZE)
    label = np.concatenate([box / (SIZE * 2), [[1.0]]], axis=1).astype(np.float32)
    inside = turning.turn_label(tf.constant(label), tf.constant(math.radians(a)), SIZE).numpy()
    clipped = found.clip(0, SIZE * 2)
    if inside[0, 4]:
        np.testing.assert_allclose(inside[:, :4] * (SIZE * 2), clipped, atol=0.02)
    else:
        assert area(clipped)[0] < 0.05 * area(found)[0] + 1e-6
    # of a box of a face, 1.25 times as tall as wide, never more than 3 % more
    face = turn_boxes([[0, 0, 12.5, 10]], a, SIZE)
    assert 0.999 < area(face)[0] / 125 < 1.03


def test_a_region_to_ignore_hides_its_corners_too():
    label = tf.constant([[0.25, 0.25, 0.75, 0.75, -1.0], [0.25, 0.25, 0.75, 0.75, 1.0]])
    region, face = turning.turn_label(label, tf.constant(math.pi / 4), (80, 80)).numpy()
    np.testing.assert_allclose(region[0], 0.5 - 0.25 * math.sqrt(2), atol=1e-6)
    np.testing.assert_allclose(face[:4], label[1, :4], atol=1e-6)


def test_what_leaves_the_image_is_a_region_and_then_nothing():
    def turned(box):
        label = tf.constant([[*box, 1.0]])
        return turning.turn_label(label, tf.constant(math.pi / 2), (100, 200)).numpy()[0]

    assert turned([0.4, 0.4, 0.6, 0.6])[4] == 1
    assert turned([0.3, 0.65, 0.7, 0.85])[4] == -1  # its middle is at the upper edge
    assert not turned([0.4, 0.9, 0.6, 1.0]).any()


def test_every_other_example_is_turned_evenly_either_way():
    angles = [float(turning.draw_angle(30.0, tf.constant([3, n]))) for n in range(400)]
    turned = np.array([each for each in angles if each])
    assert 150 < len(turned) < 250
    assert np.abs(turned).max() <= 30
    assert np.histogram(turned, bins=4, range=(-30, 30))[0].min() > len(turned) / 8


def test_a_dataset_turns_and_repeats_itself_by_its_seed(disc_labels, tiny):
    def batch(**options):
        data = ssd.dataset(disc_labels, tiny, batch_size=16, training=True, seed=3, **options)
        return [each.numpy() for each in next(iter(data))]

    (plain, _), (images, labels), (again, same) = batch(), batch(rotation=40), batch(rotation=40)
    np.testing.assert_array_equal(images, again)
    np.testing.assert_array_equal(labels, same)
    changed = (plain != images).any(axis=(1, 2, 3))
    assert 3 <= changed.sum() <= 13


def test_what_cannot_be_turned_is_refused(disc_labels, tiny, tmp_path):
    with pytest.raises(ValueError, match="rotation: wanted degrees from 0 to 180, got -1"):
        ssd.dataset(disc_labels, tiny, training=True, rotation=-1)
    with pytest.raises(ValueError, match="rotation: wanted training=True"):
        ssd.dataset(disc_labels, tiny, rotation=30)
    with pytest.raises(ValueError, match="rotation: wanted training=True"):
        ssd.train(disc_labels, tmp_path / "run", tiny, rotation=30, sample_on_device=True)
    assert not (tmp_path / "run").exists()


def test_the_benchmark_turns_photos_as_it_turns_boxes():
    """A face of one color is found by what it is, at every angle."""
    photo = np.zeros((90, 120, 3), np.uint8)
    photo[20:50, 50:75] = 255

    def of_color(pixels, **options):
        rows, columns = np.nonzero(pixels[..., 0] > 127)
        return [rows.mean() + 0.5, columns.mean() + 0.5]

    class Result:
        shape, boxes = (90, 120), np.array([[20.0, 50, 50, 75]])
        ignored, class_ids = np.zeros(1, bool), np.ones(1, int)

        def _replace(self, **new):
            return new

    for degrees in rotation.ANGLES:
        middle = rotation.Turned(of_color, degrees)(photo)
        (box,) = rotation.turned_truth(Result(), degrees)["boxes"]
        np.testing.assert_allclose((box[:2] + box[2:]) / 2, middle, atol=0.7)


def test_faces_are_the_same_at_every_angle():
    random = np.random.default_rng(0)
    corner = random.uniform(-10, 80, (50, 2))
    found = random.uniform(5, 40, (50, 2))

    class Result:
        shape, boxes = (90, 120), np.concatenate([corner, corner + found], axis=1)
        ignored, class_ids = np.zeros(50, bool), np.ones(50, int)

        def _replace(self, **new):
            return new

    counts = {
        int((~rotation.turned_truth(Result(), degrees, min_height=0.2)["ignored"]).sum())
        for degrees in rotation.ANGLES
    }
    assert len(counts) == 1
    assert counts.pop() > 5

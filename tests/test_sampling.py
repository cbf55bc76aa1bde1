import io

import keras
import numpy as np
import pytest
import skimage.data
import tensorflow as tf
from keras import ops
from PIL import Image

import ssd
from ssd.config import Config
from ssd.data import augment, jpeg, pipeline, records
from ssd.nets import sampling
from ssd.nets.compression import compress
from ssd.photos.letterbox import letterbox
from ssd.photos.reading import read_photo

pytestmark = pytest.mark.device
SIZE = (96, 128)


def numpy(x):
    return ops.convert_to_numpy(x)


def encode(photo):
    file = io.BytesIO()
    Image.fromarray(photo).save(file, "JPEG", quality=92)
    return file.getvalue()


def resized(height, width):
    return np.asarray(Image.fromarray(skimage.data.astronaut()).resize((width, height)))


def batch(parts, image_size=SIZE):
    """Parts as `ssd.dataset` batches them."""
    windows = np.zeros((len(parts), 2 * image_size[0], 2 * image_size[1], 3), np.uint8)
    for window, part in zip(windows, parts, strict=True):
        rows, columns = part["windows"].shape[:2]
        window[:rows, :columns] = part["windows"]
    return {"windows": windows, "views": np.stack([part["views"] for part in parts])}


def on_device(encoded, views, image_size=SIZE):
    parts = batch([augment.make_part(encoded, view, image_size) for view in views], image_size)
    parts = {name: ops.convert_to_tensor(part) for name, part in parts.items()}
    return numpy(sampling.make_images(parts, image_size, training=False))


@pytest.mark.parametrize(
    ("height", "width"), [(512, 400), (70, 90), (333, 501), (1201, 1003), (96, 128), (2, 900)]
)
def test_device_and_serving_see_the_same_photo(tmp_path, height, width):
    (tmp_path / "a.jpg").write_bytes(encoded := encode(resized(height, width)))
    config = Config(image_size=SIZE)
    serving = letterbox(read_photo(tmp_path / "a.jpg"), config)
    view = pipeline.letterbox_view(tf.constant([height, width]), config)
    (image,) = on_device(encoded, [view])
    assert np.abs(image - serving).mean() < 1  # of 255, as for the pipeline's own images
    processor = augment.make_image(encoded, view, SIZE).numpy()
    assert np.abs(image - processor).max() <= 1


def test_device_and_processor_show_the_same_of_any_window():
    encoded, random = encode(resized(301, 403)), np.random.default_rng(0)
    corner = random.uniform(-80, 250, (40, 2))
    windows = np.concatenate([corner, corner + random.uniform(20, 500, (40, 1)) * [1, 4 / 3]], 1)
    views = [
        augment.window_to_view([301, 403], tf.constant(window, tf.float32), SIZE, mirrored=mirrored)
        for window, mirrored in zip(windows, random.random(40) < 0.5, strict=True)
    ]
    assert {int(view.halved) for view in views} == {0, 1, 2}
    for image, view in zip(on_device(encoded, views), views, strict=True):
        assert np.abs(image - augment.make_image(encoded, view, SIZE).numpy()).max() <= 1


def test_what_is_longer_than_a_window_is_sampled_before():
    view = augment.photo_to_view([1, 900], [1, 128])
    part = augment.make_part(encode(resized(1, 900)), view, SIZE)
    assert part["windows"].shape.as_list() == [1, 128, 3]
    assert part["views"].numpy().tolist() == [1, 128, 1, 0, 0, 1, 128, 0, 0]


@pytest.mark.parametrize("quality", [15, 40, 75])
@pytest.mark.parametrize("size", [(96, 128), (90, 121)])
def test_a_device_compresses_as_a_file_does(quality, size):
    photo = resized(*size)
    file = jpeg.recompress(photo, quality).numpy().astype(float)
    image = numpy(compress(ops.convert_to_tensor(photo[None]), ops.full([1], quality)))[0]
    damage = np.abs(file - photo).mean()
    assert np.abs(image - file).mean() < 0.35 * damage
    assert np.abs(image - photo).mean() == pytest.approx(damage, rel=0.15)


def test_quality_0_compresses_nothing():
    photos = np.stack([resized(32, 32)] * 2).astype(np.float32)
    image = numpy(compress(ops.convert_to_tensor(photos), ops.convert_to_tensor([0, 15])))
    np.testing.assert_array_equal(image[0], photos[0])
    assert (image[1] != photos[1]).any()


def test_the_pipeline_s_batches_become_its_images(disc_labels, tiny):
    options = {"batch_size": 16, "training": True, "seed": 3}
    images = np.concatenate([x for x, _ in ssd.dataset(disc_labels, tiny, **options)])
    made, labels = [], []
    for parts, label in ssd.dataset(disc_labels, tiny, **options, sample_on_device=True):
        assert parts["windows"].shape == (16, 128, 192, 3)
        parts = {name: ops.convert_to_tensor(part.numpy()) for name, part in parts.items()}
        made.append(numpy(sampling.make_images(parts, tiny.image_size, training=False)))
        labels.append(label)
    same = np.abs(np.concatenate(made) - images).max(axis=(1, 2, 3)) <= 1
    assert 0.6 < same.mean() < 1  # the others were compressed before they were batched
    plain = np.concatenate([y for _, y in ssd.dataset(disc_labels, tiny, **options)])
    np.testing.assert_array_equal(np.concatenate(labels), plain)


def test_crops_placed_into_scenes_come_as_parts_that_are_made_already(disc_labels, tiny, tmp_path):
    def gray(name, side, classes):
        height, width = side, 2 * side
        boxes = np.array([[0.0, 0.0, 1.0, 1.0]] * len(classes), np.float32).reshape(-1, 4)
        class_ids = np.array(classes, np.int32)
        encoded = encode(np.full((height, width, 3), 9 * side, np.uint8))
        return records.LabeledPhoto(
            encoded, name, height, width, boxes, class_ids, np.ones(len(classes))
        )

    crops, scenes = tmp_path / "crops", tmp_path / "scenes"
    ssd.write_labels(crops, [gray(f"{n}.jpg", 20, [1]) for n in range(4)], class_names=["face"])
    ssd.write_labels(scenes, [gray(f"{n}.jpg", 10, []) for n in range(48)], class_names=["face"])
    options = {"batch_size": 16, "training": True, "seed": 3, "crops": crops, "crop_share": 0.5}
    labels = [disc_labels, scenes]
    images, wanted = zip(*ssd.dataset(labels, tiny, **options).as_numpy_iterator(), strict=True)
    images, made, finished, got = np.concatenate(images), [], [], []
    data = ssd.dataset(labels, tiny, **options, sample_on_device=True)
    for parts, label in data.as_numpy_iterator():
        tensors = {name: ops.convert_to_tensor(part) for name, part in parts.items()}
        made.append(numpy(sampling.make_images(tensors, tiny.image_size, training=True)))
        finished.append((parts["views"] == [64, 96, 1, 0, 0, 64, 96, 0, 0]).all(axis=1))
        got.append(label)
    made, finished = np.concatenate(made), np.concatenate(finished)
    assert 0.3 < finished.mean() < 0.7
    # Even where a training batch is compressed they stay: theirs was drawn before.
    np.testing.assert_array_equal(made[finished], images[finished])
    np.testing.assert_array_equal(np.concatenate(got), np.concatenate(wanted))


def test_some_of_a_training_batch_are_compressed(disc_labels, tiny):
    data = ssd.dataset(disc_labels, tiny, batch_size=40, training=True, sample_on_device=True)
    parts = {
        name: ops.convert_to_tensor(part)
        for name, part in next(iter(data.as_numpy_iterator()))[0].items()
    }
    still, changed = (
        numpy(sampling.make_images(parts, tiny.image_size, training=training))
        for training in (False, True)
    )
    differ = (still != changed).any(axis=(1, 2, 3))
    assert differ.sum() == 6
    assert differ[17:23].all()


def test_a_model_learns_from_parts_and_answers_as_to_images(disc_labels, tiny):
    model = ssd.SSD(tiny)
    model.compile(keras.optimizers.Adam(1e-3), ssd.MultiboxLoss(tiny))
    data = ssd.dataset(disc_labels, tiny, batch_size=16, training=True, sample_on_device=True)
    told = model.fit(data.repeat(), steps_per_epoch=3, epochs=2, verbose=0).history
    assert np.isfinite(told["loss"]).all()
    (parts, _), (images, _) = (
        next(ssd.dataset(disc_labels, tiny, sample_on_device=way).as_numpy_iterator())
        for way in (True, False)
    )
    answers = [model.predict_on_batch(x) for x in (parts, images)]
    np.testing.assert_allclose(*answers, atol=0.05)
    judged = model.evaluate(
        ssd.dataset(disc_labels, tiny, sample_on_device=True), verbose=0, return_dict=True
    )
    assert np.isfinite(judged["loss"])


def test_a_run_trains_on_parts_and_keeps_what_an_old_model_knew(disc_labels, tiny, tmp_path):
    ssd.SSD(tiny).save(old := tmp_path / "old.keras")
    options = {"epochs": 1, "batch_size": 16, "start": old, "sample_on_device": True}
    loss = ssd.KeepingLoss(tiny, old=old)
    model = ssd.train(disc_labels, tmp_path / "run", tiny, loss=loss, **options)
    assert np.isfinite(model.provenance["terms"]["loss"])

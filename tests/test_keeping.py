import dataclasses
import shutil

import keras
import numpy as np
import pytest
from keras import ops

import ssd
from ssd.nets.growing import take_over
from ssd.nets.keeping import resized

BOX = [0.2, 0.2, 0.8, 0.7]


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, 255, (2, 64, 96, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def old(tiny, tmp_path_factory):
    """A file of a face model whose weights are not those of a fresh one."""
    model, random = ssd.SSD(tiny), np.random.default_rng(1)
    for weight in model.trainable_weights:
        weight.assign(np.asarray(weight) + 0.02 * random.standard_normal(weight.shape))
    path = tmp_path_factory.mktemp("old") / "face.keras"
    model.save(path)
    return path


@pytest.fixture
def grown(tiny, old):
    model = ssd.SSD(dataclasses.replace(tiny, classes=("face", "smile")))
    take_over(model, ssd.load(old))
    return model


def terms(model, old, images, classes, **options):
    labels = np.zeros([len(images), 4, 5], np.float32)
    labels[:, 0] = [[*BOX, each] for each in classes]
    loss = ssd.KeepingLoss(model.config, old=old, **options)
    found = loss.terms(labels, model(images), images)
    return {name: float(value) for name, value in found._asdict().items()}, loss


def test_a_grown_model_has_come_away_by_nothing(grown, old, images):
    found, _ = terms(grown, old, images, [-2, 0])
    assert found["confidence"] == pytest.approx(0, abs=1e-4)
    assert found["location"] == pytest.approx(0, abs=1e-5)
    assert found["positives"] > 0


def test_another_box_and_another_score_are_charged(grown, old, images):
    grown.get_layer("offsets0").bias.assign_add(np.ones_like(grown.get_layer("offsets0").bias))
    moved, _ = terms(grown, old, images, [-2, 0])
    assert moved["location"] > 1e-3
    assert moved["confidence"] == pytest.approx(0, abs=1e-4)
    bias = grown.get_layer("logits0").bias
    bias.assign(np.asarray(bias) + np.tile([0.0, 1.0, 1.0], bias.shape[0] // 3))
    surer, _ = terms(grown, old, images, [-2, 0])
    assert surer["confidence"] > 1e-3


def test_a_known_class_is_charged_among_the_classes(grown, old, images):
    even, _ = terms(grown, old, images, [2, 0], class_factor=3.0)
    unlearned, _ = terms(grown, old, images, [2, 0], class_factor=0.0)
    # Both classes begin with half of what the face had.
    assert even["confidence"] - unlearned["confidence"] == pytest.approx(3 * np.log(2), abs=1e-4)
    assert unlearned["confidence"] > 0  # the old model was less sure that this is a face
    for layer in range(3):
        bias = grown.get_layer(f"logits{layer}").bias
        bias.assign(np.asarray(bias) + np.tile([0.0, -2.0, 2.0], bias.shape[0] // 3))
    right, _ = terms(grown, old, images, [2, 0], class_factor=3.0)
    wrong, _ = terms(grown, old, images, [1, 0], class_factor=3.0)
    assert right["confidence"] < even["confidence"] < wrong["confidence"]


def test_in_a_loop_of_ones_own_the_old_model_is_there_in_time(grown, old, images):
    """It is opened before Keras traces a step, in which no model can be."""
    labels = np.zeros([2, 4, 5], np.float32)
    labels[:, 0] = [[*BOX, 2], [*BOX, 1]]
    grown.compile("sgd", ssd.KeepingLoss(grown.config, old=old))
    assert np.isfinite(grown.evaluate(images, labels, verbose=0, return_dict=True)["loss"])
    grown.compile("sgd", ssd.KeepingLoss(grown.config, old=old))
    assert np.isfinite(grown.train_on_batch(images, labels, return_dict=True)["loss"])


def test_nothing_of_the_old_model_learns(grown, old, images):
    _, loss = terms(grown, old, images, [2, 1])
    assert not loss.open_old().trainable_weights
    before = [np.array(weight) for weight in loss.open_old().weights]
    grown.compile(keras.optimizers.SGD(0.1), loss)
    labels = np.zeros([2, 4, 5], np.float32)
    labels[:, 0] = [[*BOX, 2], [*BOX, 1]]
    grown.fit(images, labels, epochs=2, verbose=0)
    for one, other in zip(before, loss.open_old().weights, strict=True):
        np.testing.assert_array_equal(one, np.asarray(other))


def test_an_old_model_of_another_size_or_other_classes_will_do(grown, old):
    two = resized(grown, dataclasses.replace(grown.config, image_size=(96, 96)))
    assert two.input_shape == (None, 96, 96, 3)
    images = np.zeros([1, 96, 96, 3], np.uint8)
    config = dataclasses.replace(grown.config, image_size=(96, 96))
    found, _ = terms(two, old, images, [-2])
    assert two.config == config
    assert found["confidence"] == pytest.approx(0, abs=1e-4)


def test_what_makes_no_sense_is_refused_before_any_work(grown, old, disc_labels, tmp_path):
    with pytest.raises(ValueError, match="class_factor: wanted a number of 0 or more, got -1"):
        ssd.KeepingLoss(grown.config, old=old, class_factor=-1)
    with pytest.raises(ValueError, match="wanted images as well"):
        ssd.KeepingLoss(grown.config, old=old)(ops.zeros([1, 4, 5]), ops.zeros([1, 4, 7]))
    face = ssd.load(old).config
    missing = ssd.KeepingLoss(face, old=tmp_path / "nowhere.keras")
    with pytest.raises(FileNotFoundError, match=r"nowhere\.keras: wanted a \.keras"):
        ssd.train(disc_labels, tmp_path / "run", face, loss=missing)
    other = dataclasses.replace(face, anchor_aspect=1.25)
    with pytest.raises(ValueError, match="old: wanted a model with the Config's anchor_aspect"):
        ssd.train(disc_labels, tmp_path / "run", other, loss=ssd.KeepingLoss(other, old=old))
    assert not (tmp_path / "run").exists()


def test_a_run_with_it_is_stopped_and_goes_on(old, grown, disc_labels, tmp_path):
    """Wherever the old model lies; but it is the same one."""
    config = ssd.load(old).config
    options = {"start": old, "freeze_normalization": True, "batch_size": 16, "seed": 0}

    def run(path, **more):
        loss = ssd.KeepingLoss(config, old=path)
        return ssd.train(
            disc_labels, tmp_path / "run", config, loss=loss, epochs=2, **options, **more
        )

    class Stop(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            raise KeyboardInterrupt

    first, moved = tmp_path / "first.keras", tmp_path / "moved.keras"
    shutil.copyfile(old, first)
    with pytest.raises(KeyboardInterrupt):
        run(first, callbacks=[Stop()])
    first.rename(moved)
    grown.save(first)
    with pytest.raises(ValueError, match="its loss's old model has changed since it began"):
        run(first)
    first.unlink()
    model = run(moved)
    assert model.provenance["epochs_done"] == 2
    assert model.provenance["loss"] == {"old": str(first), "class_factor": 2.0}
    assert model.loss.options["old"] == str(moved)

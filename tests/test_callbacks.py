"""What a run does after an epoch: nothing that is not finite is ever saved."""

import keras
import numpy as np
import pytest

import ssd
from ssd.training import history
from ssd.training.callbacks import SaveEpoch
from ssd.training.folder import RunFolder


@pytest.fixture
def saving(tiny, tmp_path):
    callback = SaveEpoch(RunFolder(tmp_path), validated=True, patience=2)
    callback.set_model(ssd.SSD(tiny))
    callback.model.stop_training = False
    return callback


def test_the_best_epoch_is_kept_and_patience_ends(saving, tmp_path):
    for epoch, loss in enumerate([3.0, 2.0, float("nan"), 2.5]):
        assert not saving.model.stop_training
        saving.on_epoch_end(epoch, {"loss": 1.0, "val_loss": loss})
    assert saving.model.stop_training
    assert [row["epoch"] for row in history.read(tmp_path / "history.csv")] == ["0", "1", "2", "3"]
    assert ssd.load(tmp_path / "best.keras").provenance["epochs_done"] == 2
    assert ssd.load(tmp_path / "model.keras").provenance["epochs_done"] == 4


def test_an_epoch_that_is_run_again_has_one_row(saving, tmp_path):
    for loss in (3.0, 2.0):
        saving.on_epoch_end(0, {"loss": loss, "val_loss": loss})
    assert history.read(tmp_path / "history.csv") == [
        {"epoch": "0", "loss": "2.0", "val_loss": "2.0"}
    ]


@pytest.mark.parametrize("bad", ["loss", "weight"])
def test_what_is_not_finite_stops_the_run_and_leaves_the_last_good_model(saving, tmp_path, bad):
    saving.on_epoch_end(0, {"loss": 1.0, "val_loss": 1.0})
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    if bad == "weight":
        kernel = saving.model.get_layer("conv1").kernel
        kernel.assign(np.full(kernel.shape, np.nan))
        wanted = "epoch 2: weights: wanted finite numbers, conv1/kernel has others; .*epoch before"
    else:
        wanted = "epoch 2: the loss became nan; .*model.keras has the epoch before"
    with pytest.raises(ValueError, match=wanted):
        saving.on_epoch_end(1, {"loss": np.nan if bad == "loss" else 1.0, "val_loss": 1.0})
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_an_epoch_ends_at_the_step_that_made_the_loss_nan(disc_labels, tiny, tmp_path):
    """A long one would waste hours else."""
    steps = []

    class Count(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            steps.append(batch)
            if batch == 2:
                kernel = self.model.get_layer("conv1").kernel
                kernel.assign(np.full(kernel.shape, np.nan))

    with pytest.raises(ValueError, match="epoch 1: the loss became nan; no epoch was saved"):
        ssd.train(disc_labels, tmp_path / "run", tiny, epochs=2, batch_size=4, callbacks=[Count()])
    assert steps == [0, 1, 2, 3]
    assert not (tmp_path / "run" / "model.keras").exists()


def test_weights_that_are_not_finite_are_not_exported(tiny, tmp_path):
    model = ssd.SSD(tiny)
    model.get_layer("conv1").beta.assign(np.full(8, np.inf))
    with pytest.raises(ValueError, match="weights: wanted finite numbers, conv1/beta has others"):
        ssd.export(model, tmp_path / "face.tflite", precision="float32")
    assert not (tmp_path / "face.tflite").exists()

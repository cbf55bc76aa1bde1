"""What a run prints of itself, and the AP that it measures after each epoch."""

import re

import keras
import numpy as np
import pytest

import ssd
from ssd.detect.detections import Detections
from ssd.training import measuring, progress


def test_each_epoch_says_losses_ap_waiting_and_the_time_left(disc_labels, tiny, tmp_path, capsys):
    shares = []

    class Watch(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            shares.append(logs["waited_for_data"])

    options = {"epochs": 2, "batch_size": 8, "validation": disc_labels, "callbacks": [Watch()]}
    ssd.train(disc_labels, tmp_path / "run", tiny, **options)
    first, *lines = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"first step: compiled in \d+ (s|min.*)", first)
    for number, (losses, times) in enumerate(zip(lines[::2], lines[1::2], strict=True), 1):
        assert re.match(
            rf"epoch {number} of 2: loss \S+ \(confidence \S+, location \S+, .*\), "
            r"validation \S+, AP50 [01]\.\d{3}$",
            losses,
        )
        assert re.match(r"  waited for data \d+ % · .* · .* (left|in all)$", times)
    assert lines[-1].endswith("in all")
    assert len(shares) == 2
    assert all(0 <= share <= 1 for share in shares)
    # How long steps took is no part of what a run comes to: the same run again is the same.
    assert "step_ms" not in (tmp_path / "run" / "history.csv").read_text()


def test_in_a_terminal_a_line_says_where_the_run_is(monkeypatch, capsys):
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    shown = progress.Progress(10, 4)
    shown.set_model(keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)]))
    shown.model.stop_training = False
    shown.on_epoch_begin(0)
    now[0] = 30.0
    shown.on_train_batch_end(0, {"loss": 3.0})
    now[0] = 40.0
    shown.on_train_batch_end(1, {"loss": 2.0})
    said = capsys.readouterr().out.replace("\r\033[K", "\n")
    assert "first step: compiling ..." in said
    assert "first step: compiled in 30 s" in said
    # Half an epoch in 10 s, so nine and a half more are 190 s, whatever compiling took.
    assert said.endswith("epoch 1 of 10 · step 2 of 4 · loss 2 · 3 min 10 s left")
    now[0] = 50.0
    shown.on_epoch_end(0, {"loss": 2.0, "val_ap50": float("nan")})
    assert capsys.readouterr().out.endswith("epoch 1 of 10: loss 2\n\r\033[K  3 min left\n")


def test_ap_is_that_of_ssd_evaluate(disc_labels, tiny, monkeypatch):
    """A model that finds what the labels say is perfect; one that finds nothing is not."""
    photos = [*ssd.read_labels(disc_labels)]
    watching = measuring.MeasureAP(disc_labels, photos=20)
    watching.set_model(ssd.SSD(tiny))
    watching.on_train_begin()
    assert len(watching._truth) == 16  # every third of 48
    names = [photos[index].filename for index in range(0, 48, 3)]
    assert [truth.name for truth in watching._truth] == names

    truths = iter(watching._truth)

    def perfect(detector, outputs, shape):
        truth = next(truths)
        return Detections(truth.boxes, np.ones(len(truth.boxes)), truth.class_ids)

    monkeypatch.setattr(measuring, "_find", perfect)
    assert watching.measure() == pytest.approx(1.0)
    nothing = Detections(np.zeros((0, 4)), np.zeros(0), np.zeros(0, int))
    monkeypatch.setattr(measuring, "_find", lambda *_: nothing)
    assert watching.measure() == 0
    logs = {"loss": float("nan")}
    watching.on_epoch_end(0, logs)
    assert np.isnan(logs["val_ap50"])


def test_what_is_no_class_is_a_region_to_ignore_for_each():
    photo = ssd.LabeledPhoto(
        b"", "a.jpg", 80, 120, boxes=np.float32([[0, 0, 0.5, 0.5], [0.5, 0.5, 1, 1]]),
        class_ids=np.array([2, -2]), scores=np.ones(2),
    )  # fmt: skip
    truth = measuring._truth(photo, (80, 120), 2)
    assert truth.class_ids.tolist() == [2, 1, 2]
    assert truth.ignored.tolist() == [False, True, True]
    assert truth.boxes[1].tolist() == [40, 60, 80, 120]

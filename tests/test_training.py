import csv
import dataclasses
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time
import warnings
from typing import Any

import keras
import numpy as np
import pytest

import ssd
from ssd.data import checking, manifest, records
from ssd.training import fitting
from ssd.training.folder import RunFolder

ROOT = pathlib.Path(__file__).parent.parent
SCRIPT = """
import json, sys, ssd
labels, out, config, epochs = sys.argv[1:]
ssd.train(labels, out, ssd.Config.from_json(config), epochs=int(epochs), batch_size=16, seed=1)
"""


def relabeled(labels, out, **about):
    """A copy of a folder of labels that says something else of itself."""
    shutil.copytree(labels, out)
    manifest.write(out, {**manifest.read(labels), **about})
    return out


def rows(out):
    with open(out / "history.csv", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def trained(disc_labels, tiny, tmp_path_factory):
    """A finished run: its model, its folder, and the options to call it with again."""
    out = tmp_path_factory.mktemp("first")
    options = {"epochs": 6, "batch_size": 16, "seed": 0, "cache": out / "cache"}
    options |= {"validation": disc_labels}
    board = keras.callbacks.TensorBoard(out / "run" / "tensorboard", write_graph=False)
    model = ssd.train(disc_labels, out / "run", tiny, callbacks=[board], **options)
    return model, out / "run", options


def test_a_run_learns_and_leaves_model_history_and_curves(trained, tiny):
    model, out, options = trained
    assert len(list(options["cache"].glob("*.decoded"))) == 2  # one file for each shard
    assert list((out / "tensorboard").rglob("events*"))
    history = rows(out)
    assert [int(row["epoch"]) for row in history] == list(range(6))
    assert float(history[-1]["loss"]) < 0.8 * float(history[0]["loss"])
    assert float(history[-1]["unmatched"]) == 0
    assert (out / "curves.png").stat().st_size > 5000
    assert json.loads((out / "run.json").read_text())["epochs"] == 6
    again = ssd.load(out / "best.keras")
    image = np.zeros((1, *tiny.image_size, 3), np.uint8)
    np.testing.assert_array_equal(model.predict(image, verbose=0), again.predict(image, verbose=0))


def test_killed_it_goes_on_after_the_last_epoch(disc_labels, tiny, tmp_path):
    out, epochs = tmp_path / "run", 40
    command = [sys.executable, "-c", SCRIPT, disc_labels, out, tiny.to_json(), str(epochs)]
    running = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, start_new_session=True)
    deadline = time.monotonic() + 600  # it is there in seconds where nothing else runs
    while time.monotonic() < deadline:
        if (out / "history.csv").exists() and len(rows(out)) >= 3:
            break
        time.sleep(0.05)
    os.killpg(running.pid, signal.SIGKILL)
    running.wait()
    before = rows(out)
    assert 3 <= len(before) < epochs
    saved = int(ssd.load(out / "model.keras").optimizer.iterations) // 3
    assert saved >= len(before) - 1

    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    after = rows(out)
    assert [int(row["epoch"]) for row in after] == list(range(epochs))
    assert after[: min(saved, len(before))] == before[:saved]
    assert int(ssd.load(out / "model.keras").optimizer.iterations) == 3 * epochs


@pytest.mark.slow
def test_killed_at_any_moment_the_same_call_goes_on_and_ends(disc_labels, tiny, tmp_path):
    """30 moments, drawn with a seed among all that whole runs do, first epochs included."""
    script = ROOT / "tests" / "killed_runs.py"
    done = subprocess.run(
        [sys.executable, script, disc_labels, tmp_path / "runs", tiny.to_json(), "0", "30"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    summary = json.loads(done.stdout.splitlines()[-1])
    print(summary)
    assert len(summary["kills"]) == 30


def test_a_run_read_back_takes_the_same_steps(disc_labels, tiny, tmp_path):
    """Weights, optimizer and rate are all there is to a run, but for what is drawn at random."""
    ssd.train(disc_labels, tmp_path / "run", tiny, epochs=2, batch_size=16, seed=0)
    saved = tmp_path / "run" / "model.keras"
    one = ssd.load(saved)
    one.optimizer.iterations.assign(2)  # in the middle of the schedule
    batches = list(ssd.dataset(disc_labels, tiny, batch_size=16, training=True, seed=3))
    one.train_on_batch(*batches[0])
    one.save(tmp_path / "again.keras")
    other = ssd.load(tmp_path / "again.keras")
    seeds = [[each for each in model.variables if "seed" in each.path] for model in (one, other)]
    for mine, its in zip(*seeds, strict=True):
        its.assign(mine)
    before = one.get_weights()
    for images, labels in batches[1:]:
        one.train_on_batch(images, labels)
        other.train_on_batch(images, labels)
    moved = [np.abs(a - b).max() for a, b in zip(before, one.get_weights(), strict=True)]
    assert max(moved) > 1e-4
    for mine, its in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_allclose(mine, its, rtol=0, atol=1e-6)


def test_a_finished_run_is_not_run_again(disc_labels, tiny, trained):
    _, out, options = trained
    before = (out / "model.keras").read_bytes()
    ssd.train(disc_labels, out, tiny, **options)
    assert (out / "model.keras").read_bytes() == before


def test_a_folder_with_another_run_is_left_alone(disc_labels, tiny, trained, tmp_path):
    _, out, options = trained
    before = (out / "model.keras").read_bytes()
    said = r"another run: its epochs is 6, wanted 7; name another folder .* start=.*model.keras"
    with pytest.raises(ValueError, match=said):
        ssd.train(disc_labels, out, tiny, **{**options, "epochs": 7})
    assert (out / "model.keras").read_bytes() == before
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("kept")
    with pytest.raises(ValueError, match="wanted an empty folder"):
        ssd.train(disc_labels, tmp_path / "full", tiny, epochs=1, batch_size=16)
    assert (tmp_path / "full" / "thesis.txt").read_text() == "kept"


def test_a_run_goes_on_where_what_it_is_made_of_lies_elsewhere(disc_labels, tiny, tmp_path):
    start, options = tmp_path / "start.keras", {"batch_size": 16, "seed": 3, "epochs": 1}
    ssd.SSD(tiny).save(start)
    moved = shutil.copytree(disc_labels, tmp_path / "moved")
    ssd.train(disc_labels, tmp_path / "run", tiny, start=start, validation=moved, **options)
    saved = (tmp_path / "run" / "model.keras").read_bytes()
    start.rename(tmp_path / "renamed.keras")
    options["start"] = tmp_path / "renamed.keras"
    ssd.train(moved, tmp_path / "run", tiny, validation=disc_labels, **options)
    assert (tmp_path / "run" / "model.keras").read_bytes() == saved
    with pytest.raises(ValueError, match="its labels have changed since it began"):
        ssd.train([moved, moved], tmp_path / "run", tiny, validation=moved, **options)


def test_contents_are_noted_and_numbers_are_pythons(disc_labels, tiny, tmp_path, monkeypatch):
    asked, start = [], tmp_path / "start.keras"

    def stop(out, about):
        asked.append(json.loads(json.dumps(about)))
        raise ValueError("before any work")

    monkeypatch.setattr(fitting, "claim", stop)
    judged = shutil.copytree(disc_labels, tmp_path / "judged")
    ssd.SSD(tiny).save(start)

    def ask(**options):
        options = {"epochs": 1, "start": start, "validation": judged, **options}
        with pytest.raises(ValueError, match="before any work"):
            ssd.train([disc_labels, disc_labels], tmp_path / "run", tiny, batch_size=16, **options)
        return asked[-1]

    one = ask(seed=3, weights=[1, 2], learning_rate=0.5)
    other = ask(
        seed=np.int64(3),
        epochs=np.int64(1),
        weights=np.array([1, 2]),
        learning_rate=np.float32(0.5),
    )
    assert one == other
    photos = [*records.read_shard(records.shard_path(judged, 0))]
    photos[0] = photos[0]._replace(class_ids=-photos[0].class_ids)
    records.write_shard(records.shard_path(judged, 0), photos)
    third = ask(seed=3, weights=[1, 2], learning_rate=0.5)
    assert {name for name in one if one[name] != third[name]} == {"validation_content"}
    ssd.SSD(tiny).save(start)
    fourth = ask(seed=3, weights=[1, 2], learning_rate=0.5)
    assert {name for name in third if third[name] != fourth[name]} == {"start_content"}
    keeping = ask(seed=3, loss=ssd.KeepingLoss(tiny, old=start))
    assert one["old_content"] is None
    assert keeping["old_content"] == keeping["start_content"]


def test_numbers_of_numpy_are_numbers(disc_labels, tiny, tmp_path):
    numbers: dict[str, Any] = {"epochs": np.int64(1), "batch_size": np.int32(16)}
    numbers |= {"seed": np.int64(3), "freeze_body": np.int8(0)}
    model = ssd.train(
        disc_labels,
        tmp_path / "run",
        tiny,
        weights=np.array([2]),
        **numbers,
    )
    assert model.provenance["seed"] == 3
    assert ssd.load(tmp_path / "run" / "model.keras").provenance["weights"] == [2]


def test_callbacks_are_called_after_a_resume_for_the_epochs_that_are_left(
    disc_labels, tiny, trained, tmp_path
):
    _, out, options = trained
    shutil.copytree(out, tmp_path / "run")
    note = json.loads((tmp_path / "run" / "run.json").read_text())
    (tmp_path / "run" / "run.json").write_text(json.dumps({**note, "epochs": 7}))
    seen = []
    mine = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(epoch))
    ssd.train(disc_labels, tmp_path / "run", tiny, callbacks=[mine], **{**options, "epochs": 7})
    assert seen == [6]
    assert len(rows(tmp_path / "run")) == 7


@pytest.mark.parametrize(
    ("spoil", "wanted"),
    [
        ({"complete": False}, "wanted finished labels"),
        ({"classes": ["mask"]}, "wanted labels of the Config's classes, face"),
    ],
)
def test_labels_that_do_not_fit_are_refused_before_the_folder_is_claimed(
    disc_labels, tiny, tmp_path, spoil, wanted
):
    bad = relabeled(disc_labels, tmp_path / "bad", **spoil)
    for labels, judge in ((bad, None), ([disc_labels, bad], None), (disc_labels, bad)):
        with pytest.raises(ValueError, match=wanted):
            ssd.train(labels, tmp_path / "run", tiny, validation=judge, batch_size=16)
    assert not (tmp_path / "run").exists()


def test_validation_without_a_photo_is_refused(disc_labels, tiny, tmp_path):
    records.write_shard(records.shard_path(tmp_path, 0), [])
    manifest.write(tmp_path, {"classes": ["face"]})
    with pytest.raises(ValueError, match="wanted photos to validate with, got none"):
        ssd.train(disc_labels, tmp_path / "run", tiny, validation=tmp_path, batch_size=16)
    assert not (tmp_path / "run").exists()


def test_a_loss_of_another_config_is_refused(disc_labels, tiny, tmp_path):
    other = dataclasses.replace(tiny, positive_iou=0.6)
    with pytest.raises(ValueError, match=r"loss: wanted an ssd.MultiboxLoss of the model's Config"):
        ssd.train(disc_labels, tmp_path / "run", tiny, loss=ssd.MultiboxLoss(other))
    with pytest.raises(ValueError, match=r"loss: wanted an ssd.MultiboxLoss, got str"):
        ssd.train(disc_labels, tmp_path / "run", tiny, loss="mse")


@pytest.mark.parametrize("rate", [float("nan"), float("inf"), -1e-3])
def test_a_rate_that_is_none_is_refused(disc_labels, tiny, tmp_path, rate):
    with pytest.raises(ValueError, match="learning_rate: wanted a number of 0 or more, got"):
        ssd.train(disc_labels, tmp_path / "run", tiny, learning_rate=rate)
    assert not (tmp_path / "run").exists()


def test_too_few_photos_are_refused(disc_labels, tiny, tmp_path):
    with pytest.raises(ValueError, match="wanted at least a batch of 64 photos, got 48"):
        ssd.train(disc_labels, tmp_path / "run", tiny, batch_size=64)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("option", ["epochs", "batch_size"])
def test_options_out_of_range_are_refused(disc_labels, tiny, tmp_path, option):
    with pytest.raises(ValueError, match=f"{option}: wanted a whole number of 1 or more, got 0"):
        ssd.train(disc_labels, tmp_path / "run", tiny, **{option: 0})


def test_a_folder_named_twice_is_seen_twice(disc_labels, tiny, tmp_path):
    assert records.count([disc_labels, disc_labels]) == 96
    images = 0
    data = ssd.dataset([disc_labels, disc_labels], tiny, batch_size=16, cache=tmp_path / "cache")
    for batch, _ in data:
        images += len(batch)
    assert images == 96
    assert len(list((tmp_path / "cache").glob("*.decoded"))) == 2  # kept once all the same
    with pytest.raises(ValueError, match="wanted a folder of labels or several, got none"):
        records.count([])


def test_a_run_begins_with_the_weights_of_another(disc_labels, trained, tmp_path):
    first, out, _ = trained
    # A learning rate of zero leaves the weights where they began.
    still = {"epochs": 1, "batch_size": 16, "learning_rate": 0.0, "start": out / "best.keras"}
    wider = dataclasses.replace(first.config, classes=("face", "smile"), image_size=(96, 96))
    smiling = relabeled(disc_labels, tmp_path / "smiling", classes=["face", "smile"])
    model = ssd.train([smiling, smiling], tmp_path / "wider", wider, **still)
    assert model.config == wider
    assert model.provenance["start"]["epochs"] == 6
    assert model.provenance["photos"] == 96
    assert model.provenance["content"] == checking.check([smiling, smiling], wider.classes).digest
    assert int(model.optimizer.iterations) == 6
    fresh = [
        own.path
        for own, other in zip(model.trainable_weights, first.trainable_weights, strict=True)
        if own.shape != other.shape or (np.asarray(own) != np.asarray(other)).any()
    ]
    assert len(fresh) == 6  # kernel and bias at three levels, a column wider
    assert all("logits" in path for path in fresh)


def test_a_settled_run_keeps_the_normalization_and_goes_on_with_it(disc_labels, trained, tmp_path):
    first, out, _ = trained
    run = tmp_path / "run"
    options = {
        "batch_size": 16,
        "seed": 0,
        "start": out / "best.keras",
        "freeze_normalization": True,
    }
    model = ssd.train(disc_labels, run, epochs=1, **options)
    assert model.provenance["freeze_normalization"]
    # As if killed after the first of two epochs.
    note = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps({**note, "epochs": 2}))
    model = ssd.train(disc_labels, run, epochs=2, **options)
    assert len(rows(run)) == 2
    # Not the same crops over again.
    assert rows(run)[0]["positives"] != rows(run)[1]["positives"]
    for own, other in zip(model.weights, first.weights, strict=True):
        if own.path.split("/")[-1] in ("mean", "variance"):
            np.testing.assert_array_equal(np.asarray(own), np.asarray(other))
    with pytest.raises(
        ValueError, match="freeze_normalization: wanted a trained model to start from, got none"
    ):
        ssd.train(disc_labels, tmp_path / "other", freeze_normalization=True)


def test_the_body_is_frozen_for_some_epochs_and_then_free(disc_labels, trained, tmp_path):
    first, out, _ = trained
    options = {"batch_size": 16, "seed": 0, "start": out / "best.keras", "freeze_body": 1}
    run = tmp_path / "run"
    with warnings.catch_warnings():
        warnings.filterwarnings("error", "Gradients do not exist")
        ssd.train(disc_labels, run, epochs=1, **options)
    assert {each.split("/")[0][:-1] for each in moved(first, ssd.load(run / "model.keras"))} == {
        "offsets",
        "logits",
    }
    # As if killed after the first of two epochs.
    note = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps({**note, "epochs": 2}))
    free = moved(first, ssd.train(disc_labels, run, epochs=2, **options))
    assert "conv1/kernel" in free
    assert "conv1/mean" in free
    at_once = moved(first, ssd.train(disc_labels, tmp_path / "other", epochs=2, **options))
    assert at_once == free


def moved(first, model):
    pairs = zip(first.weights, model.weights, strict=True)
    return {own.path for other, own in pairs if (np.asarray(other) != np.asarray(own)).any()} - {
        each.path for each in model.weights if "seed" in each.path
    }


def test_a_start_that_does_not_fit_is_refused(disc_labels, tiny, trained, tmp_path):
    other = dataclasses.replace(tiny, width_multiplier=0.1)
    with pytest.raises(
        ValueError, match=r"with the Config.s width_multiplier, 0\.1, got one with 0\.05"
    ):
        ssd.train(
            disc_labels, tmp_path / "run", other, start=trained[1] / "model.keras", batch_size=16
        )
    assert not (tmp_path / "run").exists()


def test_the_best_epoch_is_kept_beside_the_last(trained):
    model, out, _ = trained
    worth = [(float(row["val_ap50"]), -float(row["val_loss"])) for row in rows(out)]
    assert len(worth) == 6
    assert model.provenance["terms"]["val_ap50"] == pytest.approx(max(worth)[0])
    assert model.provenance["epochs_done"] == worth.index(max(worth)) + 1
    assert ssd.load(out / "model.keras").provenance["epochs_done"] == 6


def test_what_is_best_and_when_to_stop_is_read_from_the_history(tmp_path):
    run = RunFolder(tmp_path)

    def since(*losses):
        run.history.write_text("epoch,val_loss\n" + "".join(f"0,{loss}\n" for loss in losses))
        run.saved.write_text(str(len(losses)))
        return run.keep_best()

    assert since("nan") == 1
    assert not run.best.exists()
    assert since("nan", 3) == 0
    assert since("nan", 3, 2) == 0
    assert since("nan", 3, 2, "nan") == 1
    assert since("nan", 3, 2, "nan", 2) == 2
    assert run.best.read_text() == "3"
    assert since("nan", 3, 2, "nan", 2, 1.9) == 0
    assert run.best.read_text() == "6"


def test_patience_wants_a_validation(disc_labels, tiny, tmp_path):
    with pytest.raises(ValueError, match="wanted 1 or more and a validation, got 3"):
        ssd.train(disc_labels, tmp_path / "run", tiny, patience=3)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"freeze_body": 4}, "freeze_body: wanted at most the 3 epochs of the run, got 4"),
        ({"freeze_body": 1.5}, "freeze_body: wanted 0 or more epochs, got 1.5"),
        ({"patience": 4, "validation": "labels"}, "patience: wanted at most the 3 epochs of the"),
        ({"epochs": 2.5}, "epochs: wanted a whole number of 1 or more, got 2.5"),
        ({"batch_size": True}, "batch_size: wanted a whole number of 1 or more, got True"),
        ({"seed": -1}, "seed: wanted a whole number from 0 to 4294967295, got -1"),
        ({"balance": "class"}, "balance: wanted a Config of several classes, got face alone"),
        ({"cache": "labels"}, "cache: wanted a folder of its own, got .*, which holds labels"),
        ({"cache": "run"}, "cache: wanted a folder of its own, got .*, which holds labels"),
    ],
)
def test_options_that_contradict_each_other_are_refused_before_any_work(
    disc_labels, tiny, tmp_path, options, said
):
    run, start = tmp_path / "run", tmp_path / "start.keras"
    ssd.SSD(tiny).save(start)
    places = {"labels": disc_labels, "run": run}
    options = {name: places.get(value, value) for name, value in options.items()}
    options = {"epochs": 3, "batch_size": 16, "start": start, **options}
    before = sorted(path.name for path in disc_labels.iterdir())
    with pytest.raises(ValueError, match=said):
        ssd.train(disc_labels, run, tiny, **options)
    assert not run.exists()
    assert sorted(path.name for path in disc_labels.iterdir()) == before


def test_how_it_was_trained_stands_in_the_model_file(trained):
    about = ssd.load(trained[1] / "model.keras").provenance
    assert json.loads(json.dumps(about)) == about
    assert about["epochs_done"] == about["epochs"] == 6
    assert about["batch_size"] == 16
    assert about["backend"] == keras.backend.backend()
    assert about["terms"]["loss"] > 0


@pytest.mark.slow
@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_half_precision_trains_to_a_finite_loss(disc_labels, tiny, tmp_path, policy):
    keras.config.set_dtype_policy(policy)
    try:
        model = ssd.train(disc_labels, tmp_path / "run", tiny, epochs=2, batch_size=16, seed=0)
        assert model.get_layer("lateral0_relu").compute_dtype == policy.removeprefix("mixed_")
    finally:
        keras.config.set_dtype_policy("float32")
    assert all(np.isfinite(float(row["loss"])) for row in rows(tmp_path / "run"))
    # What comes out of it is an ordinary model.
    again = ssd.load(tmp_path / "run" / "model.keras")
    assert {weight.dtype for weight in again.trainable_weights} == {"float32"}
    assert again.provenance["epochs_done"] == 2


DEVICES = {
    "jax": """
import keras
devices = keras.distribution.list_devices()
keras.distribution.set_distribution(keras.distribution.DataParallel(devices=devices))
import contextlib
scope = contextlib.nullcontext()
""",
    "tensorflow": """
import tensorflow as tf
cpu, = tf.config.list_physical_devices("CPU")
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
devices = [device.name for device in tf.config.list_logical_devices("CPU")]
scope = tf.distribute.MirroredStrategy(devices).scope()
""",
}
DISTRIBUTED = """
import sys, ssd
assert len(devices) == 2, devices
labels, out, config = sys.argv[1:]
with scope:
    ssd.train(labels, out, ssd.Config.from_json(config), epochs=3, batch_size=16, seed=1)
"""


@pytest.mark.slow
@pytest.mark.parametrize("backend", DEVICES)
def test_two_devices_reach_what_one_does(disc_labels, tiny, tmp_path, backend):
    losses = {}
    for name, script in {"two": DEVICES[backend] + DISTRIBUTED, "one": SCRIPT}.items():
        arguments = [disc_labels, tmp_path / name, tiny.to_json()] + ["3"] * (name == "one")
        flags = f"--xla_force_host_platform_device_count={2 if name == 'two' else 1}"
        done = subprocess.run(
            [sys.executable, "-c", script, *arguments],
            cwd=ROOT,
            capture_output=True,
            text=True,
            env={**os.environ, "KERAS_BACKEND": backend, "XLA_FLAGS": flags},
        )
        assert done.returncode == 0, done.stderr[-2000:]
        for row in rows(tmp_path / name):  # two devices report one loss, not two added up
            terms = float(row["confidence"]) + float(row["location"]) + float(row["extra"])
            assert float(row["loss"]) == pytest.approx(terms, rel=1e-4)
        losses[name] = float(row["loss"])
    # Not epoch by epoch: each device draws its own light, and the first three steps are wild.
    assert losses["two"] == pytest.approx(losses["one"], rel=0.15)


def test_the_backend_is_the_one_asked_for():
    assert keras.backend.backend() == os.environ.get("KERAS_BACKEND", "tensorflow")

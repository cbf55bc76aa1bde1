import csv
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import keras
import numpy as np
import pytest

import ssd

ROOT = pathlib.Path(__file__).parent.parent
SCRIPT = """
import json, sys, ssd
labels, out, config, epochs = sys.argv[1:]
ssd.train(labels, out, ssd.Config.from_json(config), epochs=int(epochs), batch_size=16, seed=1)
"""


def rows(out):
    with open(out / "history.csv", newline="") as file:
        return list(csv.DictReader(file))


def test_a_run_learns_and_leaves_model_history_and_curves(disc_labels, tiny, tmp_path):
    options = {"epochs": 6, "batch_size": 16, "seed": 0, "cache": tmp_path / "cache"}
    model = ssd.train(disc_labels, tmp_path / "run", tiny, **options)
    assert len(list((tmp_path / "cache").iterdir())) == 2  # one file for each shard
    history = rows(tmp_path / "run")
    assert [int(row["epoch"]) for row in history] == list(range(6))
    assert float(history[-1]["loss"]) < 0.8 * float(history[0]["loss"])
    assert float(history[-1]["unmatched"]) == 0
    assert (tmp_path / "run" / "curves.png").stat().st_size > 5000
    assert json.loads((tmp_path / "run" / "run.json").read_text())["epochs"] == 6
    again = ssd.load(tmp_path / "run" / "model.keras")
    image = np.zeros((1, *tiny.image_size, 3), np.uint8)
    np.testing.assert_array_equal(model.predict(image, verbose=0), again.predict(image, verbose=0))


def test_killed_it_goes_on_after_the_last_epoch(disc_labels, tiny, tmp_path):
    out, epochs = tmp_path / "run", 40
    command = [sys.executable, "-c", SCRIPT, disc_labels, out, tiny.to_json(), str(epochs)]
    running = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, start_new_session=True)
    deadline = time.monotonic() + 120
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


def test_a_finished_run_is_not_run_again(disc_labels, tiny, tmp_path):
    ssd.train(disc_labels, tmp_path / "run", tiny, epochs=1, batch_size=16)
    before = (tmp_path / "run" / "model.keras").read_bytes()
    ssd.train(disc_labels, tmp_path / "run", tiny, epochs=1, batch_size=16)
    assert (tmp_path / "run" / "model.keras").read_bytes() == before


def test_a_folder_with_another_run_is_left_alone(disc_labels, tiny, tmp_path):
    ssd.train(disc_labels, tmp_path / "run", tiny, epochs=1, batch_size=16)
    with pytest.raises(ValueError, match="holds another run: its epochs is 1, wanted 2"):
        ssd.train(disc_labels, tmp_path / "run", tiny, epochs=2, batch_size=16)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("kept")
    with pytest.raises(ValueError, match="wanted an empty folder"):
        ssd.train(disc_labels, tmp_path / "full", tiny, epochs=1, batch_size=16)
    assert (tmp_path / "full" / "thesis.txt").read_text() == "kept"


def test_too_few_photos_are_refused(disc_labels, tiny, tmp_path):
    with pytest.raises(ValueError, match="wanted at least a batch of 64 photos, got 48"):
        ssd.train(disc_labels, tmp_path / "run", tiny, batch_size=64)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("option", ["epochs", "batch_size"])
def test_options_out_of_range_are_refused(disc_labels, tiny, tmp_path, option):
    with pytest.raises(ValueError, match=f"{option}: wanted 1 or more, got 0"):
        ssd.train(disc_labels, tmp_path / "run", tiny, **{option: 0})


def test_the_backend_is_the_one_asked_for():
    assert keras.backend.backend() == os.environ.get("KERAS_BACKEND", "tensorflow")

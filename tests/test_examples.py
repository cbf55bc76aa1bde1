"""The scripts in examples/, run as a user runs them."""

import os
import pathlib
import subprocess
import sys

import imageio.v3 as iio
import numpy as np
import pytest
import skimage.data

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "examples"))
import compose

ROOT = pathlib.Path(__file__).parent.parent


def run(*command):
    done = subprocess.run(
        [sys.executable, *map(str, command)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@pytest.mark.slow
def test_the_demo_walks_the_whole_road_on_your_own_photos(tmp_path):
    compose.write_photos(tmp_path / "mine", 48, seed=5)
    (tmp_path / "mine" / "notes.txt").write_text("no photo")
    (tmp_path / "mine" / "broken.jpg").write_text("no photo either")
    before = sorted((tmp_path / "mine").iterdir())
    out = run("examples/demo.py", tmp_path / "demo", "--photos", tmp_path / "mine", "--epochs", 2)
    assert "The student is" in out
    assert "held back" in out
    assert iio.imread(tmp_path / "demo" / "yours" / "demo.png").shape[2] >= 3
    assert sorted((tmp_path / "mine").iterdir()) == before
    # Walked again, it has nothing left to do but compare.
    again = run("examples/demo.py", tmp_path / "demo", "--photos", tmp_path / "mine", "--epochs", 2)
    assert "Epoch 1/" not in again


@pytest.mark.slow
def test_the_training_script_trains_exports_and_detects(disc_labels, tmp_path):
    photo = tmp_path / "photo.png"
    iio.imwrite(photo, skimage.data.astronaut())
    (tmp_path / "run").mkdir()
    run("examples/train.py", disc_labels, tmp_path / "run", photo)
    assert (tmp_path / "run" / "model.keras").exists()
    assert (tmp_path / "run" / "face.tflite").stat().st_size > 100_000


def test_composed_photos_are_the_same_every_time_and_differ_from_each_other(tmp_path):
    compose.write_photos(tmp_path / "one", 6, seed=3)
    compose.write_photos(tmp_path / "other", 6, seed=3)
    ones = [path.read_bytes() for path in sorted((tmp_path / "one").iterdir())]
    assert ones == [path.read_bytes() for path in sorted((tmp_path / "other").iterdir())]
    assert len(set(ones)) == 6
    assert len({np.asarray(iio.imread(path)).shape for path in (tmp_path / "one").iterdir()}) > 1

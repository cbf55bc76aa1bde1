"""What a board has and no more: the detector there answers as here, in the space it may take."""

import json
import pathlib
import subprocess
import sys

import numpy as np
import pytest

import ssd

pytestmark = pytest.mark.slow

ROOT = pathlib.Path(__file__).parent.parent
# On Python 3.13 the smallest runtime there is takes 28 MB instead of 12.
LITERT = "ai-edge-litert~=1.2.0" if sys.version_info < (3, 13) else "ai-edge-litert==2.1.0"
BOARDS = {"litert": ("numpy", "imageio", LITERT)}
if sys.version_info < (3, 12):  # the last tflite-runtime is for Python 3.11 and NumPy 1
    BOARDS["tflite"] = ("numpy<2", "imageio", "tflite-runtime")

DETECT = """
import json, sys
import numpy as np
import ssd
assert not {"keras", "tensorflow", "anchors", "matplotlib"} & set(sys.modules)
detector = ssd.Detector(sys.argv[1])
found = [detector(photo, threshold=0.4) for photo in np.load(sys.argv[2])]
print(json.dumps([[values.tolist() for values in each] for each in found]))
"""


def run(command, **options):
    done = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, **options
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@pytest.fixture(scope="module", params=BOARDS)
def board(request, tmp_path_factory):
    """The interpreter of an environment that holds this project and a board's packages alone."""
    folder = tmp_path_factory.mktemp(request.param)
    run([sys.executable, "-m", "venv", "--without-pip", folder])
    python = folder / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", python, "--quiet"]
    run([*pip, "install", "--disable-pip-version-check", *BOARDS[request.param]])
    run([*pip, "install", "--disable-pip-version-check", "--no-deps", ROOT])
    return python


@pytest.fixture(scope="module")
def trained(disc_labels, tiny, tmp_path_factory):
    """A small model that finds what it is shown, in both precisions, and photos to find it in."""
    folder = tmp_path_factory.mktemp("trained")
    model = ssd.train(disc_labels, folder / "run", tiny, epochs=60, batch_size=16, seed=0)
    calibration = ssd.dataset(disc_labels, tiny)
    paths = {
        precision: ssd.export(
            model, folder / f"{precision}.tflite", precision=precision, calibration=calibration
        )
        for precision in ("float32", "int8")
    }
    from conftest import disc_photo

    random = np.random.default_rng(5)
    photos = np.stack([disc_photo(random)[0] for _ in range(40)])
    np.save(folder / "photos.npy", photos)
    return paths, folder / "photos.npy"


@pytest.fixture(scope="module")
def full_size(tmp_path_factory):
    """An untrained model of the default Config, int8: what it costs does not depend on training."""
    config = ssd.Config()
    random = np.random.default_rng(0)
    photos = random.integers(0, 256, (8, *config.image_size, 3), dtype=np.uint8)
    path = tmp_path_factory.mktemp("full") / "model.tflite"
    return ssd.export(ssd.SSD(config), path, precision="int8", calibration=photos)


@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_finds_there_what_it_finds_here(board, trained, precision, tmp_path):
    paths, photos = trained
    there = json.loads(run([board, "-c", DETECT, paths[precision], photos], cwd=tmp_path))
    detector = ssd.Detector(paths[precision])
    here = [detector(photo, threshold=0.4) for photo in np.load(photos)]
    assert sum((each.scores >= 0.5).sum() for each in here) >= 20, "too little to compare"
    # tflite-runtime's int8 convolutions round otherwise: a step of an int8 score or so.
    closeness = 1e-3 if precision == "float32" else 0.05
    for mine, lists in zip(here, there, strict=True):
        yours = ssd.Detections(*map(np.array, lists))
        assert all_found(mine, yours, closeness)
        assert all_found(yours, mine, closeness)


def all_found(found, other, closeness):
    """Whether each sure box is among the others' within a pixel and a score so close."""
    return all(
        any(
            abs(np.subtract(box, box2)).max() < 1 and abs(score - score2) < closeness and k == k2
            for box2, score2, k2 in zip(*other, strict=True)
        )
        for box, score, k in zip(*found, strict=True)
        if score >= 0.5
    )


def test_takes_little_room(board):
    site = next((board.parent.parent / "lib").glob("python*/site-packages"))
    sizes = {}
    for path in site.rglob("*"):
        if path.is_file() and path.suffix != ".pyc":
            name = path.relative_to(site).parts[0].split("-")[0].split(".")[0]
            sizes[name] = sizes.get(name, 0) + path.stat().st_size / 1e6
    assert "numpy" in sizes
    assert "tensorflow" not in sizes
    total = sum(size for name, size in sizes.items() if name != "numpy")
    assert total < (40 if sys.version_info < (3, 13) else 60), sizes


def test_starts_fast_and_small_and_measures_itself(board, full_size, tmp_path):
    out = tmp_path / "latency.json"
    command = [board, "-m", "benchmarks.latency", full_size, "--runs", 50, "--threads", 1]
    run([*command, "--json", out], cwd=tmp_path)
    cold = json.loads(out.read_text())["cold_start"]
    assert cold["import_ssd"] < 0.1
    assert cold["peak_memory_mb"] < 120
    # Half a second on an idle machine; tests may run beside other work.
    assert cold["total"] < 1.5

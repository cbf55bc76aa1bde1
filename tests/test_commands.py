"""`python -m ssd`, as typed: what it prints, what it leaves, and how it refuses."""

import contextlib
import io
import json
import os
import pathlib
import subprocess
import sys

import imageio.v3 as iio
import numpy as np
import pytest
from conftest import disc_photo

from ssd.__main__ import main

ROOT = pathlib.Path(__file__).parent.parent


def command(*arguments):
    """Exit status, lines of stdout and lines of stderr."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = main(list(map(str, arguments)))
    return status, out.getvalue().splitlines(), err.getvalue().splitlines()


def refused(*arguments, status=1):
    """The one line on stderr with which a command ends that did nothing."""
    came, _, err = command(*arguments)
    assert came == status
    assert len(err) == 1, err
    return err[0]


@contextlib.contextmanager
def descriptors(path):
    """Everything that is written to the process's own standard error, by libraries in C++ too."""
    kept = os.dup(2)
    with open(path, "wb") as file:
        os.dup2(file.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)


@pytest.fixture(scope="module")
def road(disc_labels, tiny, tmp_path_factory):
    """A folder in which every command has been run once, in order."""
    folder = tmp_path_factory.mktemp("road")
    with descriptors(folder / "standard error"):
        return _road(folder, disc_labels, tiny)


def _road(folder, disc_labels, tiny):
    (folder / "config.json").write_text(tiny.to_json())
    status, out, _ = command(
        *("train", disc_labels, folder / "run", "--config", folder / "config.json"),
        *("--epochs", 30, "--batch-size", 16, "--learning-rate", 5e-3, "--seed", 1),
    )
    assert status == 0
    assert out[-1].endswith("curves.png")
    for precision, photos in {"int8": ["--calibration", disc_labels], "float32": []}.items():
        status, out, _ = command(
            *("export", folder / "run" / "model.keras", folder / f"{precision}.tflite"),
            *("--precision", precision, *photos),
        )
        assert status == 0
        assert "KB" in out[0]

    random = np.random.default_rng(99)
    images, annotations = [], []
    for index in range(20):
        photo, boxes = disc_photo(random)
        iio.imwrite(folder / f"{index}.png", photo)
        images.append({"id": index, "file_name": f"{index}.png", "height": 80, "width": 120})
        for ymin, xmin, ymax, xmax in boxes.tolist():
            box = [xmin, ymin, xmax - xmin, ymax - ymin]
            annotations.append({"image_id": index, "category_id": 1, "bbox": box})
    truth = {
        "images": images,
        "annotations": annotations,
        "categories": [{"id": 1, "name": "face"}],
    }
    (folder / "truth.json").write_text(json.dumps(truth))
    return folder


def test_what_was_trained_finds_what_it_was_trained_on(road):
    status, out, _ = command("evaluate", road / "int8.tflite", road, road / "truth.json")
    assert status == 0
    average = float(out[0].split("AP50 ")[1].split(",")[0])
    assert average > 0.5
    assert out[0].startswith("20 photos,")


def test_no_library_says_a_word(road):
    assert (road / "standard error").read_bytes() == b""


def test_detect_prints_a_line_per_photo_a_summary_and_draws(road, tmp_path):
    photos = [road / f"{index}.png" for index in range(5)]
    status, out, _ = command(
        *("detect", "--model", road / "int8.tflite", "--out", tmp_path / "drawn"),
        *("--score-threshold", 0.3, *photos),
    )
    assert status == 0
    boxes = 0
    for photo, line in zip(photos, out[:-1], strict=True):
        path, _, said = (
            line.rpartition(": ")
            if line.endswith("nothing found")
            else (line.partition(": ")[0], "", line.partition("found: ")[2])
        )
        assert path == str(photo)
        for box in said.split(", ") if said != "nothing found" else []:
            name, score, _, *edges = box.split()
            ymin, xmin, ymax, xmax = map(float, edges)
            assert name == "face"
            assert 0.3 <= float(score) <= 1
            assert 0 <= ymin < ymax <= 80
            assert 0 <= xmin < xmax <= 120
            boxes += 1
    assert boxes
    assert out[-1].startswith(f"5 photos: {boxes} found")
    assert sorted(path.name for path in (tmp_path / "drawn").iterdir()) == [
        f"{index}.png" for index in range(5)
    ]


def test_detect_says_when_it_found_nothing(road, tmp_path):
    iio.imwrite(tmp_path / "black.png", np.zeros((80, 120, 3), np.uint8))
    model = ("detect", "--model", road / "int8.tflite", "--score-threshold", 0.9)
    black = tmp_path / "black.png"
    assert command(*model, black) == (0, [f"{black}: nothing found"], [])
    assert command(*model, black, black)[1][-1] == "2 photos: 0 found, nothing in 2 of them"


def test_detect_goes_on_after_a_photo_that_is_none(road, tmp_path):
    wrong = tmp_path / "wrong.jpg"
    wrong.write_text("no photo")
    status, out, err = command(
        *("detect", "--model", road / "int8.tflite", "--score-threshold", 0.01),
        *(wrong, road / "0.png", tmp_path / "nowhere.jpg"),
    )
    assert status == 1
    assert len(out) == 2
    assert out[-1].endswith("2 not readable")
    assert len(err) == 2
    assert "wrong.jpg: wanted a photo" in err[0]
    assert "nowhere.jpg" in err[1]


def test_detect_never_draws_over_a_file(road, tmp_path, monkeypatch):
    """Photos of one name in two folders, or of two suffixes; pictures that are there."""
    monkeypatch.chdir(tmp_path)
    for name in ("a/1.png", "b/1.png", "a/1.jpg"):
        pathlib.Path(name).parent.mkdir(exist_ok=True)
        iio.imwrite(name, np.zeros((80, 120, 3), np.uint8))
    photos = ("a/1.png", "b/1.png", "a/1.jpg")
    model = ("detect", "--model", road / "int8.tflite")
    assert command(*model, *photos, "--out", "drawn")[0] == 0
    assert sorted(os.listdir("drawn")) == ["1-2.png", "1-3.jpg", "1.png"]

    before = {path: path.read_bytes() for path in tmp_path.rglob("*.*g")}
    assert "drawn/1.png: wanted a new file" in refused(*model, "b/1.png", "--out", "drawn")
    assert "wanted a folder without the photos" in refused(*model, *photos, "--out", "a")
    assert "wanted a folder without the photos" in refused(*model, *photos, "--out", "b/../a")
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.*g")} == before


def test_models_that_are_none_are_refused(road, tmp_path):
    wrong = tmp_path / "wrong.tflite"
    wrong.write_text("no model")
    assert "wrong.tflite: wanted a .tflite model file" in refused(
        "detect", "--model", wrong, road / "0.png"
    )
    assert "nowhere.tflite" in refused(
        "evaluate", tmp_path / "nowhere.tflite", road, road / "truth.json"
    )
    assert "wanted a .keras model file" in refused(
        "export", wrong, tmp_path / "out.tflite", "--precision", "float32"
    )
    assert not (tmp_path / "out.tflite").exists()


def test_export_refuses_what_it_cannot_do(road, tmp_path):
    model, out = road / "run" / "model.keras", tmp_path / "out.tflite"
    assert "--calibration" in refused("export", model, out)
    assert "'int4'" in refused("export", model, out, "--precision", "int4", status=2)
    assert not out.exists()


def test_train_refuses_what_it_cannot_do(road, disc_labels, tmp_path):
    out = tmp_path / "run"
    assert "nowhere" in refused("train", tmp_path / "nowhere", out)
    (tmp_path / "empty").mkdir()
    assert "empty" in refused("train", tmp_path / "empty", out)
    config = tmp_path / "config.json"
    config.write_text('{"image_sise": 64}')
    assert "'image_sise'; did you mean 'image_size'?" in refused(
        "train", disc_labels, out, "--config", config
    )
    assert "no_config.json" in refused(
        "train", disc_labels, out, "--config", tmp_path / "no_config.json"
    )
    assert not out.exists()
    before = (road / "run" / "model.keras").read_bytes()
    assert "holds another run" in refused("train", disc_labels, road / "run", "--epochs", 3)
    assert (road / "run" / "model.keras").read_bytes() == before


def test_labels_go_out_as_coco_and_come_in_again(disc_labels, road, tmp_path):
    status, out, _ = command("coco", disc_labels, tmp_path / "out.json")
    assert status == 0
    assert out[0].startswith(f"{tmp_path / 'out.json'}: 48 photos")

    status, out, err = command("import", "coco", road / "truth.json", road, tmp_path / "labels")
    assert (status, err) == (0, [])
    assert out[0].startswith("20 photos of 20 taken over")
    assert command("coco", tmp_path / "labels", tmp_path / "again.json")[0] == 0
    before = json.loads((road / "truth.json").read_text())["annotations"]
    after = json.loads((tmp_path / "again.json").read_text())["annotations"]
    boxes = [sorted(each["bbox"] for each in side) for side in (before, after)]
    np.testing.assert_allclose(*boxes, atol=0.01)


def test_import_refuses_what_it_cannot_read(road, tmp_path):
    out = tmp_path / "labels"
    assert "'pascal'" in refused("import", "pascal", road / "truth.json", road, out, status=2)
    assert "nowhere" in refused("import", "coco", road / "truth.json", tmp_path / "nowhere", out)
    assert "wrong.json" in refused("import", "coco", tmp_path / "wrong.json", road, out)
    assert "nowhere" in refused("coco", tmp_path / "nowhere", tmp_path / "out.json")
    assert not out.exists()


def test_evaluate_refuses_a_truth_that_is_none(road):
    assert "wanted a COCO JSON file" in refused(
        "evaluate", road / "int8.tflite", road, road / "nowhere.json"
    )
    assert "wanted COCO JSON with images" in refused(
        "evaluate", road / "int8.tflite", road, road / "0.png"
    )


def test_an_error_is_the_only_line_even_where_tensorflow_is_loaded(tmp_path):
    (tmp_path / "empty").mkdir()
    command = [sys.executable, "-m", "ssd", "train", tmp_path / "empty", tmp_path / "run"]
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "empty: wanted a folder of labels" in done.stderr

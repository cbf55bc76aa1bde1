"""The scripts in examples/, run as a user runs them."""

import json
import os
import pathlib
import re
import subprocess
import sys

import imageio.v3 as iio
import numpy as np
import pytest
import skimage.data

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "examples"))
import compose

import ssd
from ssd.data import records
from ssd.detect.detections import Detections

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
    assert "epoch 1 of" not in again


@pytest.mark.slow
def test_the_training_script_trains_exports_and_detects(disc_labels, tmp_path):
    photo = tmp_path / "photo.png"
    iio.imwrite(photo, skimage.data.astronaut())
    run("examples/train.py", disc_labels, tmp_path / "run", photo)
    assert (tmp_path / "run" / "model.keras").exists()
    assert (tmp_path / "run" / "face.tflite").stat().st_size > 100_000


def test_the_training_script_opens_the_photo_before_the_work(tmp_path):
    with pytest.raises(AssertionError, match=r"nowhere\.jpg"):
        run("examples/train.py", tmp_path / "no_labels", tmp_path / "run", tmp_path / "nowhere.jpg")


def test_composed_photos_are_the_same_every_time_and_differ_from_each_other(tmp_path):
    compose.write_photos(tmp_path / "one", 6, seed=3)
    compose.write_photos(tmp_path / "other", 6, seed=3)
    ones = [path.read_bytes() for path in sorted((tmp_path / "one").iterdir())]
    assert ones == [path.read_bytes() for path in sorted((tmp_path / "other").iterdir())]
    assert len(set(ones)) == 6
    assert len({np.asarray(iio.imread(path)).shape for path in (tmp_path / "one").iterdir()}) > 1


@pytest.fixture(scope="module")
def composed(tmp_path_factory):
    """40 composed photos, and a COCO file for half of them: what MTCNN would say there."""
    from distill.teachers.mtcnn import mtcnn

    folder = tmp_path_factory.mktemp("composed")
    compose.write_photos(folder, 40, seed=11)
    images, annotations = [], []
    for number, path in enumerate(sorted(folder.iterdir())[:20]):
        photo = iio.imread(path)
        images.append(
            {"id": number, "file_name": path.name, "height": len(photo), "width": len(photo[0])}
        )
        for ymin, xmin, ymax, xmax in mtcnn([photo])[0].boxes.tolist():
            box = [max(xmin, 0), max(ymin, 0), xmax - max(xmin, 0), ymax - max(ymin, 0)]
            annotations.append(
                {"id": len(annotations), "image_id": number, "category_id": 1, "bbox": box}
            )
    coco = {
        "images": images,
        "annotations": annotations,
        "categories": [{"id": 1, "name": "face"}],
    }
    truth = tmp_path_factory.mktemp("truth") / "human.json"
    truth.write_text(json.dumps(coco))
    return folder, truth


@pytest.fixture(scope="module")
def tiny_json(tiny, tmp_path_factory):
    path = tmp_path_factory.mktemp("config") / "tiny.json"
    path.write_text(tiny.to_json())
    return path


@pytest.mark.slow
def test_the_recipe_makes_what_ships_and_is_walked_once(composed, tiny_json, tmp_path):
    photos, human = composed
    command = ["examples/recipe.py", photos, tmp_path, "--human", human, "--validation", photos]
    command += [human, "--config", tiny_json, "--epochs", 6, 2, 2, "--seed", 1]
    run(*command)
    for name in ("face.tflite", "face_float16.tflite", "face.keras"):
        assert (tmp_path / name).stat().st_size > 10_000
    card = (tmp_path / "face.md").read_text()
    # The 20 photos with people's labels twice, the 20 that MTCNN alone labeled once.
    for line in ("1. 60 photos (repeats counted), 6 epochs", "3. 60 photos (repeats counted), 2 "):
        assert line in card
    assert "| face.tflite | human.json | 20 |" in card
    assert "| labels_human_styled | 20 |" in card
    assert "| labels_others | 20 |" in card
    again = run(*command)
    assert "Epoch" not in again


@pytest.mark.slow
def test_people_say_where_a_face_is_and_teachers_where_it_ends(composed, tiny_json, tmp_path):
    """People's boxes are a fifth too low, and they overlooked a face."""
    photos, human = composed
    coco = json.loads(human.read_text())
    moved = {
        **coco,
        "annotations": [{**row, "bbox": list(row["bbox"])} for row in coco["annotations"]],
    }
    for row in moved["annotations"]:
        row["bbox"][1] += 0.2 * row["bbox"][3]
    dropped = moved["annotations"].pop()
    (tmp_path / "low.json").write_text(json.dumps(moved))
    command = ["examples/recipe.py", photos, tmp_path, "--human", tmp_path / "low.json"]
    run(*command, "--config", tiny_json, "--epochs", 1, 1, 1, "--seed", 1)
    taught = {each.filename: each for each in records.read(tmp_path / "labels_teachers")}
    styled = {each.filename: each for each in records.read(tmp_path / "labels_low_styled")}
    name = next(each["file_name"] for each in coco["images"] if each["id"] == dropped["image_id"])
    assert (styled[name].class_ids == -1).any()
    faces = 0
    for name, each in styled.items():
        for box in each.boxes[each.class_ids > 0]:
            faces += 1
            assert np.abs(taught[name].boxes - box).max(axis=1).min() < 1e-6
    assert faces > 10


@pytest.mark.slow
def test_the_recipe_needs_no_labels_by_people(composed, tiny_json, tmp_path):
    photos, _ = composed
    command = ["examples/recipe.py", photos, tmp_path, "--config", tiny_json]
    run(*command, "--epochs", 2, 1, 1, "--seed", 1)
    card = (tmp_path / "face.md").read_text()
    for line in ("1. 40 photos", "2. 40 photos", "3. 40 photos", "| labels_agreed | 40 |"):
        assert line in card
    taught = list(records.read(tmp_path / "labels_teachers"))
    agreed = list(records.read(tmp_path / "labels_agreed"))
    assert sum((each.class_ids > 0).sum() for each in taught) > 20
    # What MTCNN calls a face stays one, whatever the student says.
    for one, both in zip(taught, agreed, strict=True):
        assert one.filename == both.filename
        assert (both.class_ids > 0).sum() >= (one.class_ids > 0).sum()


@pytest.mark.slow
def test_the_recipe_goes_on_from_a_model_that_is_there(composed, tiny, tiny_json, tmp_path):
    photos, _ = composed
    ssd.SSD(tiny).save(tmp_path / "start.keras")
    command = ["examples/recipe.py", photos, tmp_path, "--config", tiny_json]
    run(*command, "--start", tmp_path / "start.keras", "--epochs", 1, 1, 1)
    assert not (tmp_path / "round1").exists()
    assert (tmp_path / "face.tflite").stat().st_size > 10_000


@pytest.mark.slow
def test_the_study_compares_its_losses_and_is_walked_once(
    composed, disc_labels, tiny_json, tmp_path
):
    command = ["examples/extra_offset.py", disc_labels, *composed, tmp_path, "--epochs", 1]
    command += ["--seeds", 1, "--config", tiny_json]
    run(*command)
    runs = json.loads((tmp_path / "extra_offset.json").read_text())
    assert len({each["loss"] for each in runs}) == len(runs) == 9
    assert all(each["best"] >= each["iou"] for each in runs)
    assert iio.imread(tmp_path / "extra_offset.png").shape[1] > 1000
    assert "Epoch" not in run(*command)


def test_the_study_looks_at_boxes_before_suppression(tmp_path):
    """Two boxes of one face: the surer one overlaps it by 0.6, the other fits it exactly."""
    import extra_offset

    iio.imwrite(tmp_path / "photo.png", np.zeros((100, 100, 3), np.uint8))
    coco = {
        "images": [{"id": 1, "file_name": "photo.png", "height": 100, "width": 100}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [20, 20, 50, 50]}],
        "categories": [{"id": 1, "name": "face"}],
    }
    (tmp_path / "truth.json").write_text(json.dumps(coco))

    class Stand:
        """Answers as an `ssd.Detector` does, whatever the photo."""

        def __init__(self, boxes, scores):
            self.raw = Detections(np.float32(boxes), np.float32(scores), np.ones(2, int))

        def prepare(self, photo):
            return photo

        def forward(self, tensor):
            return tensor, tensor

        def decode(self, offsets, logits, shape, score_threshold):
            return self.raw

        def suppress(self, found):
            return Detections(*(values[:1] for values in found))

    boxes = [[20, 20, 50, 70], [20, 20, 70, 70]]
    found = extra_offset.measure_fit(Stand(boxes, [0.9, 0.8]), tmp_path, tmp_path / "truth.json")
    assert found["iou"] == pytest.approx(0.6)
    assert found["best"] == 1
    assert found["agree"] == 0
    found = extra_offset.measure_fit(Stand(boxes, [0.8, 0.9]), tmp_path, tmp_path / "truth.json")
    assert found["iou"] == found["agree"] == found["faces"] == 1


def test_crops_are_told_apart_by_the_backbone_alone(tmp_path):
    random = np.random.default_rng(0)
    for name in ("neutral", "smiling"):
        (tmp_path / "crops" / name).mkdir(parents=True)
        for number in range(60):
            crop = random.integers(90, 160, (64, 64, 3), dtype=np.uint8)
            if name == "smiling":  # a mouth
                top, left = random.integers(36, 48), random.integers(12, 24)
                crop[top : top + 6, left : left + 28] = 240
            iio.imwrite(tmp_path / "crops" / name / f"{number}.png", crop)
    out = run("examples/classify.py", tmp_path / "crops", tmp_path / "out", 8)
    said = re.search(r"24 crops kept out: accuracy (\S+), area under ROC (\S+),", out)
    assert said is not None, out
    assert float(said[2]) > 0.9
    assert "at a precision of 70 % or more: recall " in out
    assert iio.imread(tmp_path / "out" / "roc.png").shape[:2] == (480, 480)

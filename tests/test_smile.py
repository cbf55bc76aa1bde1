"""`examples/smile.py` from crops to a model of faces and smiles, small: one stage, twenty crops."""

import io
import json
import pathlib
import sys

import numpy as np
import pytest
from PIL import Image

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "examples"))

import ssd

KIND = {"smile": "face"}


@pytest.fixture(scope="module")
def portraits():
    """A neutral and a smiling face, with the box of each."""
    data = pytest.importorskip("skimage.data", reason="scikit-image brings a smiling portrait")
    import matplotlib.cbook

    neutral = matplotlib.cbook.get_sample_data("grace_hopper.jpg", asfileobj=False)
    detector = ssd.Detector()
    photos = {"neutral": ssd.read_photo(neutral), "smiling": data.astronaut()}
    return {name: (photo, detector(photo).boxes[0]) for name, photo in photos.items()}


def write_crops(folder, portraits, count=10):
    """Squares around the faces, each a little elsewhere."""
    random = np.random.default_rng(0)
    for name, (photo, box) in portraits.items():
        (folder / name).mkdir(parents=True)
        for number in range(count):
            top, left = (box[:2] + random.uniform(-4, 4, 2)).astype(int).tolist()
            side = int(box[2] - box[0])
            crop = Image.fromarray(photo).crop((left, top, left + side, top + side))
            crop.resize((64, 64)).save(folder / name / f"{number}.jpg", quality=95)


def write_faces(folder, portraits, scenes=8):
    """Labels of the portraits, and of photos on which nothing is."""
    random, photos = np.random.default_rng(0), []

    def add(photo, name, boxes):
        file = io.BytesIO()
        Image.fromarray(photo).save(file, "JPEG")
        count, size = len(boxes), photo.shape[:2]
        boxes = np.array(boxes, np.float32).reshape(-1, 4) / np.array([*size, *size], np.float32)
        ones = np.ones(count, int), np.ones(count)
        photos.append(ssd.LabeledPhoto(file.getvalue(), name, *size, boxes, *ones))

    for name, (photo, box) in portraits.items():
        add(photo, f"{name}.jpg", [box])
    for number in range(scenes):
        scene = Image.fromarray(random.integers(60, 190, (6, 8, 3), dtype=np.uint8))
        add(np.asarray(scene.resize((320, 240))), f"{number}.jpg", [])
    ssd.write_labels(folder, photos, class_names=("face",))


def write_truth(folder, portraits):
    """Each portrait four times, so that each half of the photos has sure boxes and wrong ones."""
    folder.mkdir()
    images, annotations = [], []
    for number, (photo, box) in enumerate(4 * [*portraits.values()]):
        ssd.write_photo(folder / f"{number}.png", photo)
        images.append({"id": number, "file_name": f"{number}.png"})
        ymin, xmin, ymax, xmax = map(float, box)
        box = [xmin, ymin, xmax - xmin, ymax - ymin]
        annotations.append({"id": number, "image_id": number, "category_id": 1, "bbox": box})
    categories = [{"id": 1, "name": "face"}]
    coco = {"images": images, "annotations": annotations, "categories": categories}
    (folder / "truth.json").write_text(json.dumps(coco))


@pytest.mark.slow
def test_the_road_to_smiles_is_walked_once(portraits, tmp_path, monkeypatch, capsys):
    import smile

    write_crops(tmp_path / "crops", portraits)
    gray = np.full((64, 64, 3), 128, np.uint8)
    ssd.write_photo(tmp_path / "crops" / "smiling" / "no_face.png", gray)
    write_faces(tmp_path / "faces", portraits)
    write_truth(tmp_path / "people", portraits)
    monkeypatch.setattr(smile, "STAGES", (((96, 96), 0.0, 0.8, 1, 4, 1e-3),))
    out, people = tmp_path / "out", tmp_path / "people"
    words = [tmp_path / "crops", tmp_path / "faces", out]
    words += ["--validation", people, people / "truth.json"]
    monkeypatch.setattr(sys, "argv", ["smile.py", *map(str, words)])
    smile.main()
    assert "stage 1 of 1" in capsys.readouterr().out

    detector = ssd.Detector(out / "smile.tflite")
    assert detector.config.classes == ("face", "smile")
    assert detector.config.kinds == ssd.load(out / "smile.keras").config.kinds == KIND
    kept = json.loads((out / "kept.json").read_text())
    assert [class_id for _, class_id, _ in kept["crops"]] == [1, 1, 2, 2]
    assert kept["learned"] == len([*ssd.read_labels(out / "crops")]) == 16
    assert kept["without"] == 1
    assert not any("no_face" in path for path, _, _ in kept["crops"])
    (unknown,) = {
        class_id
        for photo in ssd.read_labels(out / "labels_faces")
        for class_id in photo.class_ids.tolist()
    }
    assert unknown == -2
    assert len([*(out / "scenes").iterdir()]) == 2
    for kind in ("placed", "bare"):
        truth = json.loads((out / f"{kind}.json").read_text())
        assert [each["category_id"] for each in truth["annotations"]] == [1, 1, 2, 2]
        assert len([*(out / kind).iterdir()]) == 4
    card = (out / "smile.md").read_text()
    for words in ("16 crops were learned from; on 0 more", "## placed, at", "## truth.json, face"):
        assert words in card

    smile.main()
    again = capsys.readouterr().out
    assert "looks for faces" not in again
    assert "Epoch" not in again

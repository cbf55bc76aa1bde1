"""A detector of a model in memory, or of its file, finds what the exported file finds."""

import subprocess
import sys

import keras
import numpy as np
import pytest

import ssd
from ssd.opening import KerasModel

pytestmark = pytest.mark.device

PHOTO = np.random.default_rng(0).integers(0, 256, (90, 131, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def model(tiny):
    keras.utils.set_random_seed(0)
    return ssd.SSD(tiny)


def every_anchor(detector):
    """Boxes and scores of all anchors, in their order."""
    outputs = detector.forward(detector.prepare(PHOTO))
    return detector.decode(*outputs, PHOTO.shape, score_threshold=0)


def test_a_model_and_its_files_find_the_same(model, tmp_path):
    model.save(tmp_path / "model.keras")
    ssd.export(model, tmp_path / "model.tflite", precision="float32")
    wanted = every_anchor(ssd.Detector(tmp_path / "model.tflite"))
    assert len(wanted) > 100
    for opened in (model, tmp_path / "model.keras", str(tmp_path / "model.keras")):
        found = every_anchor(ssd.Detector(opened))
        np.testing.assert_allclose(found.boxes, wanted.boxes, atol=0.01)
        np.testing.assert_allclose(found.scores, wanted.scores, atol=1e-5)

    detector = ssd.Detector(model)
    assert detector.config == model.config
    assert detector.path is None
    assert repr(detector) == f"Detector(<{model.name}>, threads=1)"
    assert repr(ssd.Detector(tmp_path / "model.keras")).startswith("Detector('")
    assert [len(found) for found in detector.batch([PHOTO] * 3)] == [len(detector(PHOTO))] * 3


def test_what_the_model_learns_later_is_used(model):
    detector = ssd.Detector(model)
    tensor = detector.prepare(PHOTO)
    _, before = detector.forward(tensor)
    kept = model.get_weights()
    model.set_weights([weights * 1.5 for weights in kept])
    assert np.abs(detector.forward(tensor)[1] - before).max() > 1e-3
    model.set_weights(kept)
    np.testing.assert_allclose(detector.forward(tensor)[1], before, atol=1e-5)


def test_any_open_model_will_do(model):
    class Dark(KerasModel):
        """As another framework would be joined in."""

        def prepare(self, image):
            return super().prepare(image // 4)

    dark = ssd.Detector(Dark(model))
    assert dark.prepare(PHOTO).max() < 64
    assert dark(PHOTO, score_threshold=0).boxes.shape[1] == 4


def test_files_and_things_that_are_no_models(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"a\.keras: wanted a \.keras model file"):
        ssd.Detector(tmp_path / "a.keras")
    (tmp_path / "a.keras").write_bytes(b"PK\3\4 and no more")
    with pytest.raises(ValueError, match=r"a\.keras: wanted a \.keras model file"):
        ssd.Detector(tmp_path / "a.keras")
    with pytest.raises(
        TypeError, match=r"wanted a \.tflite, \.onnx or \.keras file, or an ssd\.SSD, got i"
    ):
        ssd.Detector(7)


def test_opening_a_tflite_file_imports_no_keras():
    script = "import sys, ssd; ssd.Detector(); print('keras' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"

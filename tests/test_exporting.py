import io
import json
import subprocess
import zipfile

import numpy as np
import pytest
from keras import ops

import anchors
import ssd
from ssd.config import Config

pytestmark = pytest.mark.device


@pytest.fixture(scope="module")
def model(tiny):
    """An untrained model whose batch normalization has seen photos."""
    made = ssd.SSD(tiny)
    made.compile("adam", ssd.MultiboxLoss(tiny))
    labels = np.zeros((8, tiny.max_boxes, 5), np.float32)
    labels[:, 0] = [0.2, 0.2, 0.7, 0.6, 1]
    for _ in range(10):
        made.train_on_batch(photos(tiny, 8), labels)
    return made


def photos(config, count):
    random = np.random.default_rng(count)
    return random.integers(0, 256, (count, *config.image_size, 3), dtype=np.uint8)


def run(path, image):
    from ai_edge_litert.interpreter import Interpreter

    runner = Interpreter(model_path=str(path)).get_signature_runner()
    wanted = runner.get_input_details()["images"]["dtype"]
    given = runner(images=image[None].astype(wanted))
    result = {}
    for name, details in runner.get_output_details().items():
        scale, zero = details["quantization"]
        result[name] = (given[name].astype(np.float32) - zero) * scale if scale else given[name]
    return np.concatenate([result["offsets"], result["logits"]], axis=2)


def test_float32_agrees_with_keras_on_every_output(model, tmp_path):
    path = ssd.export(model, tmp_path / "f.tflite", precision="float32")
    for image in photos(model.config, 5):
        expected = ops.convert_to_numpy(model(image[None]))
        np.testing.assert_allclose(run(path, image), expected, atol=1e-3)


def test_float16_is_half_the_size_and_close(model, tmp_path):
    full = ssd.export(model, tmp_path / "full.tflite", precision="float32")
    half = ssd.export(model, tmp_path / "half.tflite", precision="float16")
    image = photos(model.config, 1)[0]
    np.testing.assert_allclose(run(half, image), run(full, image), atol=0.05)
    assert half.stat().st_size < 0.75 * full.stat().st_size


def test_int8_takes_bytes_as_they_are_and_is_close(model, tmp_path):
    from ai_edge_litert.interpreter import Interpreter

    seen = photos(model.config, 32)
    path = ssd.export(model, tmp_path / "i.tflite", precision="int8", calibration=seen)
    details = Interpreter(model_path=str(path)).get_input_details()[0]
    assert details["dtype"] == np.uint8
    assert details["quantization"] == (1.0, 0)
    image = seen[0]
    expected = ops.convert_to_numpy(model(image[None]))
    assert np.abs(run(path, image) - expected).mean() < 0.1


def test_int8_calibrates_on_a_dataset_too(model, disc_labels, tmp_path):
    data = ssd.dataset(disc_labels, model.config, batch_size=16)
    path = ssd.export(model, tmp_path / "i.tflite", calibration=data)
    assert path.stat().st_size > 10_000


def test_the_file_explains_itself(model, tmp_path):
    path = ssd.export(model, tmp_path / "f.tflite", precision="float32")
    with zipfile.ZipFile(path) as archive:
        about = json.loads(archive.read("model.json"))
        grid = np.load(io.BytesIO(archive.read("anchors.npy")))
    assert Config.from_dict(about["config"]) == model.config
    expected = anchors.grid(model.config.feature_shapes, model.config.anchor_shapes)
    np.testing.assert_array_equal(grid, ops.convert_to_numpy(expected))


def test_unzip_reads_it(model, tmp_path):
    path = ssd.export(model, tmp_path / "f.tflite", precision="float32")
    done = subprocess.run(["unzip", "-p", path, "model.json"], capture_output=True, text=True)
    assert json.loads(done.stdout)["precision"] == "float32"
    assert (done.returncode, done.stderr) == (0, "")


def test_bad_wishes_are_refused_and_nothing_is_written(model, tmp_path):
    path = tmp_path / "model.tflite"
    path.write_text("kept")
    with pytest.raises(ValueError, match="wanted one of float32, float16, int8, got 'int4'"):
        ssd.export(model, path, precision="int4")
    with pytest.raises(ValueError, match="wanted calibration photos, got none"):
        ssd.export(model, path, precision="int8")
    with pytest.raises(ValueError, match=r"wanted uint8 images .*, got float64 \[3, 2\]"):
        ssd.export(model, path, precision="int8", calibration=np.zeros((3, 2)))
    assert path.read_text() == "kept"
    assert list(tmp_path.iterdir()) == [path]

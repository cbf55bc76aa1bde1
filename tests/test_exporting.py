import io
import json
import subprocess
import zipfile

import flatbuffers
import keras
import numpy as np
import pytest
from flatbuffers import number_types as N
from keras import ops

import anchors
import ssd
from ssd.config import Config
from ssd.tflite import ranges
from ssd.tflite.flatbuffer import pack, unpack
from ssd.tflite.saturation import saturate

pytestmark = pytest.mark.device

TRAINING = {"epochs": 3, "loss": {"total": 1.5}, "labels": "labels"}


@pytest.fixture(scope="module")
def model(tiny):
    """A model whose batch normalization has seen photos."""
    made = ssd.SSD(tiny)
    assert made.provenance == {}
    made.provenance = TRAINING
    made.compile("adam", ssd.MultiboxLoss(tiny))
    labels = np.zeros((8, tiny.max_boxes, 5), np.float32)
    labels[:, 0] = [0.2, 0.2, 0.7, 0.6, 1]
    for _ in range(10):
        made.train_on_batch(photos(tiny, 8), labels)
    return made


@pytest.fixture(scope="module")
def files(model, tmp_path_factory):
    """The model in each precision: a conversion takes seconds, what it made is only looked at."""
    folder, seen = tmp_path_factory.mktemp("files"), photos(model.config, 32)
    return {
        precision: ssd.export(
            model, folder / f"{precision}.tflite", precision=precision, calibration=seen
        )
        for precision in ("float32", "float16", "int8")
    }


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


def test_float32_agrees_with_keras_on_every_output(model, files):
    for image in photos(model.config, 5):
        expected = ops.convert_to_numpy(model(image[None]))
        np.testing.assert_allclose(run(files["float32"], image), expected, atol=1e-3)


def test_a_model_that_computes_in_16_bits_is_exported_in_32(tiny, tmp_path):
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        half = ssd.SSD(tiny)
        path = ssd.export(half, tmp_path / "model.tflite", precision="float32")
        assert half.get_layer("conv1").compute_dtype == "bfloat16"
    finally:
        keras.config.set_dtype_policy("float32")
    full = ssd.SSD(tiny)
    full.set_weights(half.get_weights())
    image = photos(tiny, 1)
    np.testing.assert_allclose(run(path, image[0]), ops.convert_to_numpy(full(image)), atol=1e-3)


def test_float16_is_half_the_size_and_close(model, files):
    full, half = files["float32"], files["float16"]
    image = photos(model.config, 1)[0]
    np.testing.assert_allclose(run(half, image), run(full, image), atol=0.05)
    assert half.stat().st_size < 0.75 * full.stat().st_size


def centered(predictions):
    """What a file of 8 bits has: a softmax is of differences, so the logits' mean can be 0."""
    offsets, logits = np.split(predictions, [4], axis=-1)
    return np.concatenate([offsets, logits - logits.mean(axis=-1, keepdims=True)], axis=-1)


def test_int8_takes_bytes_as_they_are_and_is_close(model, files):
    from ai_edge_litert.interpreter import Interpreter

    details = Interpreter(model_path=str(files["int8"])).get_input_details()[0]
    assert details["dtype"] == np.uint8
    assert details["quantization"] == (1.0, 0)
    image = photos(model.config, 32)[0]
    expected = ops.convert_to_numpy(model(image[None]))
    assert np.abs(run(files["int8"], image) - centered(expected)).mean() < 0.2


def test_int8_outputs_saturate_calibrated_on_a_dataset(model, disc_labels, tmp_path):
    """Offsets twentyfold: as those of anchors that no face has ever asked, they reach far."""
    far = ssd.SSD(model.config)
    far.set_weights(model.get_weights())
    for level in range(len(model.config.anchor_sizes)):
        last = far.get_layer(f"offsets{level}")
        last.set_weights([20 * weight for weight in last.get_weights()])
    data = ssd.dataset(disc_labels, model.config, batch_size=16)
    path = ssd.export(far, tmp_path / "i.tflite", calibration=data)
    seen = np.asarray(next(iter(data))[0])
    from ai_edge_litert.interpreter import Interpreter

    outputs = Interpreter(model_path=str(path)).get_signature_runner().get_output_details()
    scales = {name: details["quantization"] for name, details in outputs.items()}
    assert scales == {"offsets": (pytest.approx(5 / 128), 0), "logits": (pytest.approx(5 / 128), 0)}
    whole = centered(ops.convert_to_numpy(far(seen[:1]))[0])
    assert (np.abs(whole[:, :4]) > 5).mean() > 0.1
    found = run(path, seen[0])[0]
    assert np.abs(found[:, :4] - whole[:, :4].clip(-5, 5 - 5 / 128)).mean() < 0.3
    assert np.abs(found[:, 4:] - whole[:, 4:].clip(-5, 5 - 5 / 128)).mean() < 0.1


def refitted(flatbuffer, seen):
    made = unpack(flatbuffer)
    ranges.fit_ranges(made, flatbuffer, seen)
    return pack(made)


def test_ranges_too_wide_are_fitted_to_what_is_in_them(model, files, tmp_path, monkeypatch):
    seen, fine = photos(model.config, 8), files["int8"].read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(ranges, "fitted", lambda counts, scale, zero: (4 * scale, zero))
        wide = refitted(fine, seen)
    whole = centered(ops.convert_to_numpy(model(seen)))

    def lost(made):
        (tmp_path / "model.tflite").write_bytes(made)
        return np.abs([run(tmp_path / "model.tflite", image)[0] for image in seen] - whole).mean()

    # Outputs have steps of their own, which hide most of it.
    before, after, at_best = lost(wide), lost(refitted(wide, seen)), lost(fine)
    assert before > 1.1 * at_best
    assert after - at_best < 0.5 * (before - at_best)


def test_a_range_is_fitted_within_what_was_seen():
    random = np.random.default_rng(0)
    for spread, zero in ((10, -128), (10, 0), (60, 20), (200, -128)):
        values = np.clip(np.round(random.normal(zero, spread, 50_000)), -128, 127).astype(int)
        scale, moved = ranges.fitted(np.bincount(values + 128, minlength=256), 0.1, zero)
        assert scale <= 0.1 + 1e-9
        assert -128 <= moved <= 127
        real = 0.1 * (values - zero)
        held = scale * (np.clip(np.round(real / scale) + moved, -128, 127) - moved)
        # No other range of a few does better.
        for share in (0.3, 0.6, 1.0):
            low, high = share * 0.1 * (-128 - zero), share * 0.1 * (127 - zero)
            step = (high - low) / 255
            lost = np.square(np.clip(real, low, high) - real).mean()
            lost += (values != zero).mean() * step**2 / 12
            assert np.square(held - real).mean() < 1.2 * lost


def test_what_no_ssd_computes_keeps_its_ranges(tmp_path):
    made = unpack(doubling(tmp_path))
    (graph,) = made.subgraphs
    before = [str(each.quantization.scale) for each in graph.tensors]
    ranges.fit_ranges(made, pack(made), [])
    assert [str(each.quantization.scale) for each in graph.tensors] == before


def doubling(tmp_path):
    """An int8 model that is no detector."""
    import tensorflow as tf

    module = tf.Module()
    module.twice = tf.function(lambda x: {"offsets": 2 * x}, [tf.TensorSpec([1, 4])])
    tf.saved_model.save(module, tmp_path, signatures=module.twice)
    converter = tf.lite.TFLiteConverter.from_saved_model(str(tmp_path))
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: [[np.ones((1, 4), np.float32)]]
    return converter.convert()


def test_what_is_no_convolution_cannot_saturate(tmp_path):
    with pytest.raises(ValueError, match="offsets: wanted a convolution"):
        saturate(unpack(doubling(tmp_path)), {"offsets": 5.0})


def test_the_file_explains_itself(model, files):
    with zipfile.ZipFile(files["float32"]) as archive:
        about = json.loads(archive.read("model.json"))
        grid = np.load(io.BytesIO(archive.read("anchors.npy")))
    assert Config.from_dict(about["config"]) == model.config
    expected = anchors.grid(model.config.feature_shapes, model.config.anchor_shapes)
    np.testing.assert_array_equal(grid, ops.convert_to_numpy(expected))


def test_what_is_known_of_the_training_travels_along(model, files, tmp_path):
    model.save(tmp_path / "m.keras")
    assert ssd.load(tmp_path / "m.keras").provenance == TRAINING
    with zipfile.ZipFile(files["float32"]) as archive:
        assert json.loads(archive.read("model.json"))["provenance"] == TRAINING


class Table:
    """A flatbuffer table, read slot by slot as the schema counts them: nothing of ours."""

    def __init__(self, data, place):
        self.table = flatbuffers.table.Table(data, place)

    def _offset(self, slot):
        return self.table.Offset(4 + 2 * slot)

    def byte(self, slot):
        place = self._offset(slot)
        return self.table.Get(N.Uint8Flags, self.table.Pos + place) if place else 0

    def text(self, slot):
        return self.table.String(self._offset(slot) + self.table.Pos).decode()

    def child(self, slot):
        place = self._offset(slot) + self.table.Pos
        return Table(self.table.Bytes, self.table.Indirect(place))

    def children(self, slot):
        if not self._offset(slot):
            return []
        start, count = (
            self.table.Vector(self._offset(slot)),
            self.table.VectorLen(self._offset(slot)),
        )
        places = [self.table.Indirect(start + 4 * index) for index in range(count)]
        return [Table(self.table.Bytes, place) for place in places]

    def floats(self, slot):
        start, count = (
            self.table.Vector(self._offset(slot)),
            self.table.VectorLen(self._offset(slot)),
        )
        return [self.table.Get(N.Float32Flags, start + 4 * index) for index in range(count)]


def standard_metadata(path):
    """The `ModelMetadata` of a file, and the names of its inputs and outputs in graph order."""
    from tensorflow.lite.python import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(path.read_bytes(), 0)
    (entry,) = (each for each in model.metadata if each.name == b"TFLITE_METADATA")
    data = bytearray(model.buffers[entry.buffer].data)
    assert data[4:8] == b"M001"
    graph, signature = model.subgraphs[0], model.signatureDefs[0]
    names = {each.tensorIndex: each.name.decode() for each in signature.outputs}
    place = flatbuffers.encode.Get(N.UOffsetTFlags.packer_type, data, 0)
    return Table(data, place), [names[index] for index in graph.outputs]


@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_the_standard_metadata_says_what_the_archive_says(model, files, precision):
    path = files[precision]
    root, order = standard_metadata(path)
    with zipfile.ZipFile(path) as archive:
        about = json.loads(archive.read("model.json"))
        labels = archive.read("labels.txt").decode().split()
        stored = archive.namelist()
    assert root.text(0) == "ssd-faces"
    assert about["precision"] in root.text(1)
    assert about["preprocessing"] in root.text(1)
    assert root.text(2) == about["version"]
    assert sorted(file.text(0) for file in root.children(6)) == sorted(stored)

    (graph,) = root.children(3)
    (image,) = graph.children(2)
    assert image.text(0) == "images"
    assert about["preprocessing"] in image.text(1)
    content, (unit,) = image.child(3), image.children(4)
    assert (content.byte(0), content.child(1).byte(0)) == (2, 1)  # an image, RGB
    assert (unit.byte(0), unit.child(1).floats(0), unit.child(1).floats(1)) == (1, [0.0], [1.0])

    outputs = graph.children(3)
    assert [output.text(0) for output in outputs] == order
    files = {output.text(0): output.children(6) for output in outputs}
    assert files["offsets"] == []
    (file,) = files["logits"]
    assert (file.text(0), file.byte(2)) == ("labels.txt", 2)
    assert labels == ["background", *model.config.classes]


def test_the_description_moves_no_weight_out_of_line(files):
    """Runtimes map weights where they lie, and want them at multiples of 16 bytes."""
    from tensorflow.lite.python import schema_py_generated as schema

    packed = schema.Model.GetRootAs(files["float32"].read_bytes(), 0)
    starts = [
        packed.Buffers(index)._tab.Vector(packed.Buffers(index)._tab.Offset(4))
        for index in range(packed.BuffersLength())
        if packed.Buffers(index).DataLength()
    ]
    assert starts
    assert [start % 16 for start in starts] == [0] * len(starts)


def test_unzip_reads_it(files):
    command = ["unzip", "-p", files["float32"], "model.json"]
    done = subprocess.run(command, capture_output=True, text=True)
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


def test_what_moves_all_logits_of_an_anchor_costs_a_file_of_8_bits_nothing(tmp_path):
    model = ssd.SSD(ssd.Config(image_size=(64, 64), width_multiplier=0.05, classes=("a", "b")))
    photos = np.random.default_rng(0).integers(0, 256, (4, 64, 64, 3), dtype=np.uint8)
    before = ssd.export(model, tmp_path / "before.tflite", calibration=photos)
    for level in range(3):
        bias = model.get_layer(f"logits{level}").weights[1]
        bias.assign(bias - 30.0)
    after = ssd.export(model, tmp_path / "after.tflite", calibration=photos)
    first, second = (
        detector.forward(detector.prepare(photos[0]))[1].astype(int)
        for detector in (ssd.Detector(before), ssd.Detector(after))
    )
    assert np.abs(first - second).max() <= 1

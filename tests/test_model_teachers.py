"""Model files as teachers: a `.tflite` of ours, and an ONNX file with YuNet's outputs."""

import itertools
import math
import pathlib

import lamps
import numpy as np
import pytest
from test_centerface import overlap, reference_faces
from test_labeling import make_photos

import ssd
from distill.__main__ import main
from distill.labeling import label
from distill.options import Options
from ssd.data import manifest
from ssd.shipped import SHIPPED

ROOT = pathlib.Path(__file__).parent.parent
PORTRAIT = ROOT / "docs" / "demo.png"


def test_a_student_says_what_its_detector_finds(monkeypatch):
    photo = ssd.read_photo(PORTRAIT)
    boxes, scores, _ = ssd.Detector()(photo, score_threshold=0.3)
    assert len(boxes) > 0
    teacher = Options(teacher=str(SHIPPED)).load_teacher()
    again, nothing = teacher([photo, photo[:8, :8]], min_face=12, floor=0.3)
    np.testing.assert_array_equal(again.boxes, boxes)
    np.testing.assert_array_equal(again.scores, scores)
    assert len(nothing.boxes) == 0
    (large,) = teacher([photo], min_face=10_000, floor=0.3)
    assert len(large.boxes) == 0


def test_a_file_as_a_teacher_is_known_by_what_is_in_it(tmp_path):
    folder, file = make_photos(tmp_path / "photos", 2), tmp_path / "mine.tflite"
    file.write_bytes(SHIPPED.read_bytes())
    chosen = Options(teacher=str(file))
    assert (chosen.name, chosen.label, chosen.ignore) == ("mine", 0.5, 0.3)
    label(folder, tmp_path / "out", chosen)
    about = manifest.read(tmp_path / "out")
    assert about["teacher"] == str(file)
    file.write_bytes((SHIPPED.parent / "face_float16.tflite").read_bytes())
    with pytest.raises(ValueError, match="holds another dataset: its teacher_digest is"):
        label(folder, tmp_path / "out", chosen)
    with pytest.raises(FileNotFoundError, match=r"nowhere\.tflite: wanted a model file to teach"):
        Options(teacher=str(tmp_path / "nowhere.tflite"))
    file.write_bytes(b"no model")
    with pytest.raises(ValueError, match=r"mine\.tflite"):
        Options(teacher=str(file))


def test_the_command_takes_a_file(tmp_path):
    folder, out = make_photos(tmp_path / "photos", 2), tmp_path / "out"
    assert main([str(folder), str(out), "--teacher", str(SHIPPED)]) == 0
    assert manifest.read(out)["teacher"] == str(SHIPPED)


def test_of_a_model_with_smiles_each_is_a_face_and_that_is_said(tmp_path, capsys):
    photo = np.zeros((64, 96, 3), np.uint8)
    photo[8:16, 16:24], photo[40:48, 40:48] = 255, (255, 0, 0)
    for kinds, faces, told in (
        ({"smile": "face"}, 2, "one class, face: smile becomes face"),
        ({}, 1, "one class, face: smile is left out"),
    ):
        model = tmp_path / f"{faces}.tflite"
        lamps.write_model(model, classes=("face", "smile"), kinds=kinds)
        (found,) = Options(teacher=str(model)).load_teacher()([photo], floor=0.5)
        assert len(found.boxes) == faces
        folder = make_photos(tmp_path / "photos", 2)
        assert main([str(folder), str(tmp_path / f"out{faces}"), "--teacher", str(model)]) == 0
        assert told in capsys.readouterr().err


STRIDES = (8, 16, 32)


def stand_in(path, height=64, width=96, seed=0, outputs=("cls", "obj", "bbox", "kps"), size=None):
    """A file with YuNet's outputs, which are constants but for the first cell's score.

    That is the mean of the input's first channel in 255ths: blue.
    """
    onnx = pytest.importorskip("onnx")
    random = np.random.default_rng(seed)
    nodes, constants, values, tables = [], [], [], {}
    for stride in STRIDES:
        cells = height // stride * (width // stride)
        for what, columns in (("cls", 1), ("obj", 1), ("bbox", 4), ("kps", 10)):
            if what not in outputs:
                continue
            table = random.random([1, cells, columns]).astype(np.float32)
            if what == "bbox":
                table = random.normal(0.5, 0.8, [1, cells, columns]).astype(np.float32)
            name = f"{what}_{stride}"
            tables[name] = table[0]
            constants.append(onnx.numpy_helper.from_array(table, f"constant_{name}"))
            nodes.append(onnx.helper.make_node("Add", [f"constant_{name}", "zero"], [name]))
            shape = [1, cells, columns]
            values.append(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape))
    # Nothing, but of the photo: the least of its pixels below 0, of which there is none.
    nodes.insert(0, onnx.helper.make_node("ReduceMin", ["input"], ["least"], keepdims=0))
    nodes.insert(1, onnx.helper.make_node("Min", ["least", "nought"], ["zero"]))
    constants.append(onnx.numpy_helper.from_array(np.float32(0), "nought"))
    shape = [1, 3, *(size or (height, width))]
    photo = onnx.helper.make_tensor_value_info("input", onnx.TensorProto.FLOAT, shape)
    graph = onnx.helper.make_graph(nodes, "yunet", [photo], values, constants)
    opset = [onnx.helper.make_opsetid("", 13)]
    onnx.save(onnx.helper.make_model(graph, opset_imports=opset, ir_version=8), path)
    return tables


def reference_boxes(tables, width):
    """As OpenCV decodes them (modules/objdetect/src/face_detect.cpp), cell by cell."""
    boxes, scores = [], []
    for stride in STRIDES:
        columns = width // stride
        for cell, box in enumerate(tables[f"bbox_{stride}"].tolist()):
            row, column = divmod(cell, columns)
            x, y = (column + box[0]) * stride, (row + box[1]) * stride
            wide, high = math.exp(box[2]) * stride, math.exp(box[3]) * stride
            boxes.append([y - high / 2, x - wide / 2, y + high / 2, x + wide / 2])
            sure = [min(max(float(tables[f"{w}_{stride}"][cell, 0]), 0), 1) for w in ("cls", "obj")]
            scores.append(math.sqrt(sure[0] * sure[1]))
    return boxes, scores


@pytest.mark.parametrize("photo_size", [(64, 96), (32, 48), (100, 60), (130, 400)])
def test_yunets_boxes_are_those_of_the_plain_reference(photo_size, tmp_path):
    """Photos smaller, larger and of another shape than the input: boxes are in their pixels."""
    pytest.importorskip("onnxruntime")
    tables = stand_in(tmp_path / "yunet.onnx")
    teacher = Options(teacher=str(tmp_path / "yunet.onnx")).load_teacher()
    photo = np.zeros([*photo_size, 3], np.uint8)
    (faces,) = teacher([photo], min_face=12, floor=0.6)
    boxes, scores = reference_boxes(tables, 96)
    sure = [(box, score) for box, score in zip(boxes, scores, strict=True) if score >= 0.6]
    height, width = photo_size
    scale = min(64 / height, 96 / width)
    side = int(max(photo_size) * scale)
    inner = [max(1, round(each * side / max(photo_size))) for each in photo_size]
    wanted = reference_faces(
        *zip(*sure, strict=True), height, width, (height / inner[0], width / inner[1]), 12
    )
    assert len(wanted) > 1
    np.testing.assert_allclose(faces.boxes, [box for _, box in wanted], rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(faces.scores, [score for score, _ in wanted], rtol=1e-5)
    for one, other in itertools.combinations(faces.boxes.tolist(), 2):
        assert overlap(one, other) <= 0.3 + 1e-6


def test_yunet_sees_blue_green_red_and_the_size_it_declares(tmp_path, monkeypatch):
    pytest.importorskip("onnxruntime")
    from distill.teachers import yunet

    fed = []

    class Session:
        def get_inputs(self):
            return [type("Input", (), {"name": "input"})]

        def run(self, names, feeds):
            fed.append(feeds["input"])
            cells = [64 // stride * (96 // stride) for stride in STRIDES]
            return [
                np.zeros([1, number, 4 if name.startswith("bbox") else 1], np.float32)
                for name, number in zip(names, np.repeat(cells, 3), strict=True)
            ]

    photo = np.zeros([20, 30, 3], np.uint8)
    photo[..., 0] = 200  # red
    (faces,) = yunet._find_faces(Session(), (64, 96), [photo])
    assert faces.boxes.shape == (0, 4)
    (tensor,) = fed
    assert tensor.shape == (1, 3, 64, 96)
    assert tensor.dtype == np.float32
    assert tensor[0, 2, :60, :90].min() == 200
    assert tensor[0, :2].max() == 0


def test_an_onnx_file_of_something_else_is_refused(tmp_path):
    pytest.importorskip("onnxruntime")
    stand_in(tmp_path / "other.onnx", outputs=("cls", "bbox"))
    with pytest.raises(ValueError, match="with YuNet's outputs, it has no obj_16, obj_32, obj_8"):
        Options(teacher=str(tmp_path / "other.onnx"))
    (tmp_path / "damaged.onnx").write_bytes(b"no model")
    with pytest.raises(ValueError, match=r"damaged\.onnx: wanted an ONNX file with YuNet's"):
        Options(teacher=str(tmp_path / "damaged.onnx"))
    stand_in(tmp_path / "free.onnx", 640, 640, size=("height", "width"))
    chosen = Options(teacher=str(tmp_path / "free.onnx"))
    assert (chosen.label, chosen.ignore) == (0.6, 0.3)
    assert len(chosen.load_teacher()([np.zeros([8, 8, 3], np.uint8)], min_face=1, floor=0.5)) == 1

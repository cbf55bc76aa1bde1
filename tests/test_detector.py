import concurrent.futures
import copy
import itertools
import os
import pathlib
import pickle
import subprocess
import sys
import zipfile

import lamps
import numpy as np
import pytest

import ssd
from ssd.detect import detector as module
from ssd.detect import runtime

ROOT = pathlib.Path(__file__).parent.parent


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """The lamp model with two classes, in both precisions."""
    folder = tmp_path_factory.mktemp("models")
    return {
        precision: lamps.write_model(
            folder / f"{precision}.tflite", precision=precision, classes=("lamp", "red")
        )
        for precision in ("float32", "int8")
    }


@pytest.fixture(params=["float32", "int8"])
def detector(request, models):
    return ssd.Detector(models[request.param])


def photo_with(*lit, shape=(64, 96)):
    """A dark photo with cells of 8 x 8 pixels lit: (row, column, color)."""
    photo = np.zeros((*shape, 3), np.uint8)
    for row, column, color in lit:
        photo[8 * row : 8 * row + 8, 8 * column : 8 * column + 8] = color
    return photo


WHITE, RED = (255, 255, 255), (255, 0, 0)


def test_finds_each_lamp_and_its_class(detector):
    found = detector(photo_with((1, 2, WHITE), (5, 7, RED)))
    assert len(found) == 2
    assert found.boxes.round(3).tolist() == [[8, 16, 16, 24], [40, 56, 48, 64]]
    assert found.class_ids.tolist() == [1, 2]
    # Logits 0, 10 and -10: the softmax gives the second almost all.
    assert found.scores == pytest.approx([0.99995] * 2, abs=2e-4)
    assert (found.boxes.dtype, found.scores.dtype) == (np.float32, np.float32)
    assert found.class_ids.dtype.kind == "i"


def test_best_first(detector):
    found = detector(photo_with((1, 2, (0, 140, 0)), (3, 4, WHITE), (5, 6, (0, 180, 0))))
    assert (found.boxes[:, 0] / 8).round().tolist() == [3, 5, 1]
    assert (np.diff(found.scores) < 0).all()


def test_a_higher_threshold_leaves_out_what_scores_less(detector):
    # Green of 140 and 180 is a logit of 0.98 and 4.1, a score of 0.73 and 0.98.
    photo = photo_with((1, 2, (0, 140, 0)), (3, 4, (0, 180, 0)))
    assert len(detector(photo, score_threshold=0.5)) == 2
    assert len(detector(photo, score_threshold=0.8)) == 1
    assert len(detector(photo, score_threshold=0.999)) == 0
    every = detector(photo, score_threshold=0)
    assert len(every) == 2 * len(lamps.cells())
    assert (every.scores >= 0).all()
    assert len(detector(photo, score_threshold=1)) == 0


@pytest.mark.parametrize("score_threshold", [0.02, 0.3, 0.5, 0.9])
def test_the_shortcut_loses_no_anchor(detector, score_threshold):
    random = np.random.default_rng(0)
    photo = photo_with(
        *((row, column, random.integers(0, 256, 3)) for row in range(8) for column in range(12))
    )
    outputs = detector.forward(detector.prepare(photo))
    every = detector.decode(*outputs, photo.shape, score_threshold=0)
    some = detector.decode(*outputs, photo.shape, score_threshold=score_threshold)
    wanted = every.scores >= score_threshold
    assert 0 < wanted.sum() < len(wanted)
    for all_values, values in zip(every, some, strict=True):
        assert (all_values[wanted] == values).all()


@pytest.mark.parametrize("shape", [(128, 192), (128, 96), (64, 300), (32, 48), (200, 201)])
def test_boxes_are_pixels_of_the_photo_given(detector, shape):
    # A lamp that is one cell of the input, wherever the letterbox puts it.
    height, width = detector.config.fit(*shape)
    photo = np.zeros((*shape, 3), np.uint8)
    top, left, bottom, right = (
        round(8 * shape[0] / height),
        round(16 * shape[1] / width),
        round(16 * shape[0] / height),
        round(24 * shape[1] / width),
    )
    photo[top:bottom, left:right] = 255
    found = detector(photo)
    assert len(found) == 1
    assert found.boxes[0] == pytest.approx([top, left, bottom, right], abs=0.7)


def test_offsets_are_decoded_as_they_are_encoded(tmp_path):
    # dy of 5 variances of 0.1 is half a cell down, dh of log(2) a cell twice as tall.
    offset = (5.0, 0.0, np.log(2) / 0.2, 0.0)
    for precision, tolerance in (("float32", 1e-3), ("int8", 0.2)):
        path = lamps.write_model(
            tmp_path / f"{precision}.tflite", precision=precision, offset=offset
        )
        found = ssd.Detector(path)(photo_with((3, 4, WHITE)))
        # Center 28 + 4, height 16.
        assert found.boxes[0] == pytest.approx([24, 32, 40, 40], abs=tolerance)


def test_boxes_end_where_the_photo_ends(tmp_path):
    path = lamps.write_model(tmp_path / "a.tflite", offset=(0, 0, np.log(4) / 0.2, 0))
    found = ssd.Detector(path)(photo_with((0, 3, WHITE), (7, 5, WHITE)))
    assert found.boxes.round(3).tolist() == [[0, 24, 20, 32], [44, 40, 64, 48]]


def test_boxes_outside_the_photo_are_left_out(tmp_path):
    # 30 variances of 0.1 move the box three cells up, beyond the edge for the first row.
    path = lamps.write_model(tmp_path / "a.tflite", offset=(-30, 0, 0, 0))
    found = ssd.Detector(path)(photo_with((0, 3, WHITE), (4, 5, WHITE)))
    assert found.boxes.round(3).tolist() == [[8, 40, 16, 48]]


def test_suppression_is_by_class(tmp_path):
    # Boxes three cells wide and tall overlap their neighbors' by half.
    wide = np.log(3) / 0.2
    path = lamps.write_model(
        tmp_path / "a.tflite", offset=(0, 0, wide, wide), classes=("lamp", "red")
    )
    detector = ssd.Detector(path)
    same = photo_with((3, 4, WHITE), (3, 5, (0, 200, 0)))
    assert detector(same).class_ids.tolist() == [1]
    assert detector(same, iou_threshold=0.6).class_ids.tolist() == [1, 1]
    assert detector(photo_with((3, 4, WHITE), (3, 5, RED))).class_ids.tolist() == [1, 2]


def test_boxes_of_one_face_vote(tmp_path):
    # Boxes three cells wide: those of two neighbors overlap by half, and are one face.
    wide = np.log(3) / 0.2
    path = lamps.write_model(tmp_path / "a.tflite", offset=(0, 0, wide, wide))
    found = ssd.Detector(path)(photo_with((3, 4, WHITE), (3, 5, WHITE)))
    assert found.boxes == pytest.approx(np.float32([[16, 28, 40, 52]]), abs=0.01)


def test_without_a_vote_the_best_box_stays(tmp_path):
    wide = np.log(3) / 0.2
    path = lamps.write_model(
        tmp_path / "a.tflite", offset=(0, 0, wide, wide), classes=("lamp", "red")
    )
    detector = ssd.Detector(path, suppression="nms")
    found = detector(photo_with((3, 4, WHITE), (3, 5, WHITE), (3, 6, RED)))
    assert found.class_ids.tolist() == [1, 2]
    boxes = [[16, 24, 40, 48], [16, 40, 40, 64]]
    assert found.boxes == pytest.approx(np.float32(boxes), abs=0.01)
    with pytest.raises(ValueError, match="suppression: wanted vote or nms, got 'soft'"):
        ssd.Detector(path, suppression="soft")


def test_a_batch_is_the_same_as_single_calls(detector):
    photos = [photo_with((row, row + 1, WHITE), shape=(64 + 8 * row, 96)) for row in range(6)]
    together = detector.batch(photos, score_threshold=0.6)
    assert len(together) == 6
    for photo, found in zip(photos, together, strict=True):
        for whole, single in zip(found, detector(photo, score_threshold=0.6), strict=True):
            assert (whole == single).all()
    assert [len(found) for found in detector.batch(np.stack([photos[0]] * 3))] == [1, 1, 1]
    assert detector.batch([]) == []
    with pytest.raises(ValueError, match="photo: wanted uint8"):
        detector.batch([photos[0], photos[0].astype(float)])


def test_portable_kernels_find_the_same(models):
    photo = photo_with((1, 2, WHITE), (5, 7, RED))
    for path in models.values():
        usual, portable = ssd.Detector(path)(photo), ssd.Detector(path, portable=True)(photo)
        assert portable.boxes == pytest.approx(usual.boxes, abs=0.01)
        assert portable.class_ids.tolist() == usual.class_ids.tolist()


def test_the_shipped_model_finds_the_one_face_of_a_portrait():
    cbook = pytest.importorskip("matplotlib.cbook")
    detector = ssd.Detector()
    assert detector.about["precision"] == "int8"
    assert len(detector(np.zeros((480, 640, 3), np.uint8))) == 0
    portrait = ssd.read_photo(cbook.get_sample_data("grace_hopper.jpg", asfileobj=False))
    boxes, scores, _ = detector(portrait)
    assert len(boxes) == 1
    assert scores[0] > 0.9
    ymin, xmin, ymax, xmax = boxes[0]
    assert 100 < ymin < 180 < 320 < ymax < 380
    assert 140 < xmin < 210 < 310 < xmax < 370


def test_nothing_found_keeps_shapes_and_types(detector):
    found = detector(photo_with())
    assert len(found) == 0
    assert not found
    assert found.boxes.shape == (0, 4)
    assert (found.boxes.dtype, found.scores.dtype) == (np.float32, np.float32)
    assert found.class_ids.dtype.kind == "i"
    assert list(zip(*found, strict=True)) == []


def test_detections_unpack_and_travel(detector):
    found = detector(photo_with((1, 2, WHITE)))
    boxes, scores, classes = found
    assert boxes is found.boxes
    assert [class_id for _, _, class_id in zip(*found, strict=True)] == classes.tolist()
    for other in (copy.copy(found), pickle.loads(pickle.dumps(found))):
        assert type(other) is ssd.Detections
        assert (other.scores == scores).all()


def test_precisions_agree(models):
    random = np.random.default_rng(1)
    photo = photo_with(
        *((row, column, random.integers(0, 256, 3)) for row in range(8) for column in range(12))
    )
    results = [ssd.Detector(path)(photo, score_threshold=0) for path in models.values()]
    by_place = [np.lexsort((found.class_ids, *found.boxes.T.round())) for found in results]
    exact, coarse = (found.scores[order] for found, order in zip(results, by_place, strict=True))
    assert coarse == pytest.approx(exact, abs=0.03)


def test_stages_make_the_call(detector):
    photo = photo_with((1, 2, WHITE), (5, 7, RED))
    outputs = detector.forward(detector.prepare(photo))
    found = detector.suppress(detector.decode(*outputs, photo.shape))
    for whole, staged in zip(detector(photo), found, strict=True):
        assert (whole == staged).all()


def test_answers_do_not_depend_on_what_came_before(detector):
    photo = photo_with((1, 2, WHITE))
    before = detector(photo)
    kept = before.scores.copy()
    detector(photo_with((5, 7, RED), (1, 1, WHITE)))
    assert (before.scores == kept).all()
    assert (detector(photo).boxes == before.boxes).all()


def test_many_threads_share_a_detector(detector):
    photos = [photo_with((row, column, WHITE)) for row in range(8) for column in range(12)] * 4
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        results = list(pool.map(detector, photos))
    for (row, column), found in zip(
        itertools.cycle(itertools.product(range(8), range(12))), results, strict=False
    ):
        assert found.boxes.round().tolist() == [[8 * row, 8 * column, 8 * row + 8, 8 * column + 8]]


def test_threads_change_nothing(models):
    photo = photo_with((1, 2, WHITE), (5, 7, RED))
    one, two = (ssd.Detector(models["float32"], threads=threads)(photo) for threads in (1, 2))
    assert (one.boxes == two.boxes).all()


@pytest.mark.parametrize("threads", [0, -1, 1.5, True, "2"])
def test_bad_threads(models, threads):
    with pytest.raises(ValueError, match="threads: wanted a positive integer, got"):
        ssd.Detector(models["int8"], threads=threads)


def test_bad_photos_and_limits(detector):
    with pytest.raises(ValueError, match=r"wanted uint8 \[height, width, 3\].*uint8 \[64, 96\]"):
        detector(np.zeros((64, 96), np.uint8))
    with pytest.raises(ValueError, match=r"got float32 \[64, 96, 3\]"):
        detector(np.zeros((64, 96, 3), np.float32))
    with pytest.raises(ValueError, match="score_threshold: wanted a number from 0 to 1, got 50"):
        detector(photo_with(), score_threshold=50)
    with pytest.raises(ValueError, match=r"iou_threshold: wanted a number from 0 to 1, got -0\.1"):
        detector(photo_with((1, 1, WHITE)), iou_threshold=-0.1)


def test_files_that_are_no_models(models, tmp_path):
    path = tmp_path / "a.tflite"
    with pytest.raises(FileNotFoundError, match=r"a\.tflite: wanted a \.tflite model file"):
        ssd.Detector(path)
    path.write_text("hello")
    with pytest.raises(ValueError, match=r"a\.tflite: wanted a \.tflite model file, this is"):
        ssd.Detector(path)
    path.write_bytes(b"")
    with pytest.raises(ValueError, match=r"a\.tflite: wanted a \.tflite model file, this is"):
        ssd.Detector(path)
    whole = models["float32"].read_bytes()
    path.write_bytes(whole[: whole.index(b"PK\x03\x04")])
    with pytest.raises(ValueError, match=r"a\.tflite: wanted a model that ssd\.export wrote"):
        ssd.Detector(path)
    archive = whole[whole.index(b"PK\x03\x04") :]
    path.write_bytes(whole[:400] + archive)
    with pytest.raises(ValueError, match=r"a\.tflite: wanted a \.tflite model file \("):
        ssd.Detector(path)
    path.write_bytes(whole[: whole.index(b"PK\x03\x04")])
    with zipfile.ZipFile(path, "a") as file:
        file.writestr("model.json", "{}")
        file.writestr("anchors.npy", b"")
    with pytest.raises(ValueError, match=r"a\.tflite: wanted a model that ssd\.export wrote"):
        ssd.Detector(path)


def test_a_model_that_contradicts_itself(tmp_path, monkeypatch):
    monkeypatch.setattr(lamps, "cells", lambda: np.zeros((7, 4), np.float32))
    path = lamps.write_model(tmp_path / "a.tflite")
    with pytest.raises(ValueError, match=r"wanted offsets \[1, 7, 4\], this model has \[1, 96, 4"):
        ssd.Detector(path)


def test_without_a_shipped_model_the_way_out_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr(module, "SHIPPED", tmp_path / "face.tflite")
    with pytest.raises(FileNotFoundError, match=r"Detector\('face\.tflite'\)"):
        ssd.Detector()


def test_models_that_ship_are_opened_by_their_names(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert ssd.Detector("face").path == ssd.Detector().path == module.SHIPPED
    monkeypatch.setattr(module, "SHIPPED", tmp_path / "face.tflite")
    with pytest.raises(FileNotFoundError, match=r"smile.tflite: wanted .* Detector\('smile"):
        ssd.Detector("smile")


def test_the_smile_model_knows_faces_and_smiles_in_half_a_megabyte():
    detector = ssd.Detector("smile")
    assert detector.config.classes == ("face", "smile")
    assert detector.path is not None
    assert detector.path.stat().st_size <= 500_000


def test_without_a_runtime_the_way_out_is_named(models, monkeypatch):
    monkeypatch.setattr(runtime, "_RUNTIMES", ("no_such_runtime.interpreter",))
    with pytest.raises(ImportError, match="pip install ai-edge-litert"):
        ssd.Detector(models["int8"])


def test_detecting_imports_nothing_of_training(models):
    script = (
        "import sys, numpy as np, ssd\n"
        "ssd.Detector(sys.argv[1])(np.zeros((64, 96, 3), np.uint8))\n"
        "print([name for name in ('tensorflow', 'keras', 'anchors', 'matplotlib')"
        " if name in sys.modules])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(models["int8"])],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"


def test_the_example_draws_what_it_finds(models, tmp_path):
    from ssd.photos.reading import read_photo, write_photo

    photo = photo_with((1, 2, WHITE), (5, 7, RED))
    write_photo(tmp_path / "lamps.png", photo)
    done = subprocess.run(
        [sys.executable, "examples/detect.py", models["int8"], tmp_path / "lamps.png"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "2 found in" in done.stdout
    assert "red 1.00  rows 40 to 48, columns 56 to 64" in done.stdout
    assert (read_photo(tmp_path / "lamps-found.png") != photo).any()


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        ({"max_detections": 2.5}, "max_detections: wanted a positive integer, got 2.5"),
        ({"max_detections": True}, "max_detections: wanted a positive integer, got True"),
        ({"score_threshold": "0.5"}, "score_threshold: wanted a number from 0 to 1, got '0.5'"),
        (
            {"score_threshold": float("nan")},
            "score_threshold: wanted a number from 0 to 1, got nan",
        ),
        ({"iou_threshold": "0.5"}, "iou_threshold: wanted a number from 0 to 1, got '0.5'"),
    ],
)
def test_limits_of_other_types(limits, words):
    with pytest.raises(ValueError, match=words):
        ssd.Detector()(np.zeros((8, 8, 3), np.uint8), **limits)
    numbers = {"score_threshold": np.float32(0.5), "max_detections": np.int64(3)}
    assert len(ssd.Detector()(np.zeros((8, 8, 3), np.uint8), **numbers)) == 0

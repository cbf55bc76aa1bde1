"""Classes of one kind, such as faces and smiling faces: one box, one score, and each its part."""

import json
import sys
from types import SimpleNamespace

import lamps
import numpy as np
import pytest

import ssd
from ssd.__main__ import main
from ssd.config import Config
from ssd.detect.detections import Detections
from ssd.metrics.evaluation import evaluate
from ssd.photos.reading import write_photo
from ssd.sinks.coco_file import CocoFile, Ids
from ssd.sinks.csv_file import CsvFile
from ssd.sinks.json_file import JsonFile
from ssd.sinks.sink import FrameResult
from ssd.sinks.yolo_folder import YoloFolder
from ssd.sources.frame import Frame

TWO = {"classes": ("lamp", "red"), "kinds": {"red": "lamp"}}
# Of the lamps: background, lamp and red lamp are as likely.
EITHER = (255, 127, 0)


def photo_with(*cells):
    photo = np.zeros((64, 96, 3), np.uint8)
    for row, column, color in cells:
        photo[8 * row : 8 * row + 8, 8 * column : 8 * column + 8] = color
    return photo


@pytest.fixture(params=["float32", "int8"])
def detector(request, tmp_path):
    return ssd.Detector(
        lamps.write_model(tmp_path / "lamps.tflite", precision=request.param, **TWO)
    )


def test_a_lamp_that_may_be_red_is_one_box_with_the_score_of_both(detector):
    found = detector(photo_with((1, 2, EITHER), (5, 6, (255, 0, 0)), (3, 3, (255, 255, 255))))
    assert found.class_ids.tolist()[:2] in ([1, 2], [2, 1])
    assert found.scores[-1] == pytest.approx(2 / 3, abs=0.02)
    assert found.class_scores[-1] == pytest.approx([1 / 3, 1 / 3], abs=0.02)
    assert found.share(2)[-1] == pytest.approx(0.5, abs=0.03)
    assert sorted(found.share(2)[:2].round(2).tolist()) == [0, 1]
    alone = detector(photo_with((1, 2, EITHER)), max_detections=3)
    assert len(alone) == 1


@pytest.mark.parametrize("score_threshold", [0.02, 0.3, 0.5, 0.9])
def test_the_shortcut_loses_no_anchor(detector, score_threshold):
    random = np.random.default_rng(0)
    colors = random.integers(0, 256, (8, 12, 3))
    photo = photo_with(*((*cell, colors[cell]) for cell in np.ndindex(8, 12)))
    outputs = detector.forward(detector.prepare(photo))
    every = detector.decode(*outputs, photo.shape, score_threshold=0)
    some = detector.decode(*outputs, photo.shape, score_threshold=score_threshold)
    wanted = every.scores >= score_threshold
    assert 0 < wanted.sum() < len(wanted) == 96
    for one, other in zip(vars(every.pick(wanted)).values(), vars(some).values(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_classes_of_another_kind_have_boxes_of_their_own(tmp_path):
    apart = ssd.Detector(lamps.write_model(tmp_path / "a.tflite", classes=("lamp", "red")))
    assert len(apart(photo_with((1, 2, EITHER)))) == 0
    found = apart(photo_with((1, 2, EITHER)), score_threshold=0.3)
    assert found.class_ids.tolist() in ([1, 2], [2, 1])
    assert found.class_scores is None
    assert found.share(2).tolist() == (found.class_ids == 2).tolist()
    assert found.by_class() is found


def test_each_class_takes_its_best_score_on_boxes_like_the_one_kept(detector):
    """But none of those that are another's: they are like a better one that is not this."""
    box, low, far = [0, 0, 40, 40], [8, 0, 48, 40], [16, 0, 56, 40]
    scores = np.float32([[0.6, 0.3], [0.2, 0.6], [0.1, 0.1]])
    candidates = Detections(
        np.float32([box, low, far]), scores.sum(axis=1), np.array([1, 2, 1]), class_scores=scores
    )
    found = detector.suppress(candidates)
    assert found.scores == pytest.approx([0.9, 0.2])
    assert found.class_scores == pytest.approx(np.float32([[0.6, 0.6], [0.1, 0.1]]))


def test_by_class_each_class_is_a_box():
    scores = np.float32([[0.3, 0.6, 0], [0, 0, 0.5]])
    found = Detections(
        np.float32([[0, 0, 9, 9], [0, 0, 5, 5]]),
        np.float32([0.9, 0.5]),
        np.array([2, 3]),
        class_scores=scores,
    )
    each = found.by_class()
    assert each.class_ids.tolist() == [2, 3, 1]
    assert each.scores == pytest.approx([0.6, 0.5, 0.3])
    assert each.boxes[:, 2].tolist() == [9, 5, 9]
    assert found.same_kind(found).tolist() == [[True, False], [False, True]]


@pytest.mark.parametrize("follower", [ssd.Tracker, ssd.Smoother])
def test_a_face_that_begins_to_smile_is_the_same_face(follower):
    follow, boxes = follower(), []
    for left, smile in ((0, 0.1), (4, 0.8)):
        scores = np.float32([[0.9 - smile, smile]])
        found = Detections(
            np.float32([[0, left, 100, left + 100]]),
            np.float32([0.9]),
            scores.argmax(axis=1) + 1,
            class_scores=scores,
        )
        boxes.append(follow(found))
    assert boxes[1].class_ids.tolist() == [2]
    assert boxes[1].share(2) == pytest.approx([0.8 / 0.9])
    if follower is ssd.Tracker:
        assert boxes[1].ids.tolist() == [1]
    else:
        assert 0 < boxes[1].boxes[0, 1] < 4


def write_truth(folder, names):
    """One photo: a lamp that may be red, and one that is."""
    write_photo(folder / "a.png", photo_with((1, 2, EITHER), (5, 6, (255, 0, 0))))
    rows = [[16, 8, 8, 8], [48, 40, 8, 8]]
    classes = [1, len(names)]
    coco = {
        "images": [{"id": 1, "file_name": "a.png", "height": 64, "width": 96}],
        "annotations": [
            {"id": place, "image_id": 1, "category_id": class_id, "bbox": box}
            for place, (box, class_id) in enumerate(zip(rows, classes, strict=True), 1)
        ],
        "categories": [{"id": number, "name": name} for number, name in enumerate(names, 1)],
    }
    (folder / "truth.json").write_text(json.dumps(coco))
    return folder, folder / "truth.json"


def test_a_truth_that_does_not_know_a_class_has_it_as_what_it_is_a_kind_of(detector, tmp_path):
    result = evaluate(detector, *write_truth(tmp_path, ["lamp"]))
    assert (result.ap50, result.faces) == (1, 2)
    found = result.run.results[0].found
    assert found.class_ids.tolist() == [1, 1]
    assert found.scores == pytest.approx([1, 2 / 3], abs=0.02)
    assert not any("red" in line for line in result.run.problems)


def test_where_the_truth_knows_both_each_is_judged_by_its_own_score(detector, tmp_path):
    result = evaluate(detector, *write_truth(tmp_path, ["lamp", "red"]))
    assert (result.classes["lamp"].ap50, result.classes["red"].ap50) == (1, 1)
    found = result.run.results[0].found
    both = found.scores[np.isclose(found.boxes[:, 0], 8, atol=0.1)]
    assert both == pytest.approx([1 / 3, 1 / 3], abs=0.02)


def test_sinks_say_the_score_of_each_class(tmp_path):
    scores = np.float32([[0.25, 0.5]])
    found = Detections(
        np.float32([[0, 0, 9, 9]]), np.float32([0.75]), np.array([2]), class_scores=scores
    )
    result = FrameResult(Frame("a.jpg", "a", (64, 96)), found)
    rows = JsonFile(tmp_path / "a.json", TWO["classes"])
    coco = CocoFile(tmp_path / "coco.json", Ids(TWO["classes"]))
    for sink in (rows, coco):
        sink.add(result)
        sink.close()
    (each,) = json.loads((tmp_path / "a.json").read_text())["frames"][0]["found"]
    assert (each["class"], each["score"]) == ("red", 0.75)
    assert each["class_scores"] == {"lamp": 0.25, "red": 0.5}
    both = json.loads((tmp_path / "coco.json").read_text())
    assert [(each["category_id"], each["score"]) for each in both] == [(2, 0.5), (1, 0.25)]


def test_where_one_class_is_named_beside_one_score_it_is_its_own(tmp_path):
    found = Detections(
        np.float32([[0, 0, 9, 9]]),
        np.float32([0.75]),
        np.array([2]),
        class_scores=np.float32([[0.25, 0.5]]),
    )
    result = FrameResult(Frame("a.jpg", "a", (64, 96)), found)
    table, texts = CsvFile(tmp_path / "a.csv", TWO["classes"]), YoloFolder(tmp_path / "yolo")
    for sink in (table, texts):
        sink.add(result)
        sink.close()
    assert ",red,0.5," in (tmp_path / "a.csv").read_text()
    assert (tmp_path / "yolo" / "a.txt").read_text().split()[::5] == ["1", "0.500000"]
    module = SimpleNamespace(Detections=lambda **values: values)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "supervision", module)
        assert found.to_supervision()["confidence"].tolist() == [0.5]


def test_coco_results_count_a_kind_that_the_truth_does_not_know_as_its_root(detector, tmp_path):
    photos, truth = write_truth(tmp_path, ["Lamp"])
    found = detector(ssd.read_photo(photos / "a.png"), score_threshold=0.05)
    assert 2 in found.class_ids
    coco = CocoFile(tmp_path / "coco.json", Ids(TWO["classes"], truth, detector.config.kinds))
    coco.add(FrameResult(Frame("a.png", "a", (64, 96)), found))
    coco.close()
    rows = json.loads((tmp_path / "coco.json").read_text())
    judged = evaluate(detector, photos, truth, score_floor=0.05).run.results[0].found
    assert [row["category_id"] for row in rows] == [1] * len(judged)
    assert [row["score"] for row in rows] == pytest.approx(judged.scores.tolist())


def test_a_capture_keeps_them(detector, tmp_path):
    log = ssd.CaptureLog(tmp_path / "seen")
    photos = [photo_with(), photo_with((1, 2, EITHER))]
    for photo in photos:
        log.add(detector.prepare(photo), detector(photo), shape=photo.shape)
    nothing, one = (capture.found for capture in log)
    assert (len(nothing), nothing.share(2).tolist()) == (0, [])
    assert one.share(2) == pytest.approx([0.5], abs=0.03)


@pytest.mark.parametrize(
    ("kinds", "words"),
    [
        ({"smile": "cat"}, "got 'smile' as a kind of 'cat'"),
        ({"grin": "face"}, "got 'grin' as a kind of 'face'"),
        ({"face": "face"}, "got 'face' as a kind of 'face'"),
        ({"smile": "face", "face": "smile"}, "as a kind of"),
        (["smile"], r"Config.kinds: wanted classes by name, such as {.*got \['smile'\]"),
    ],
)
def test_what_is_no_kind_is_refused(kinds, words):
    with pytest.raises(ValueError, match=words):
        Config(classes=("face", "smile"), kinds=kinds)


def test_kinds_travel_with_the_config():
    config = Config(classes=("face", "smile", "dog"), kinds={"smile": "face"})
    assert config.roots == (1, 1, 3)
    assert Config.from_json(config.to_json()) == config
    assert hash(config) == hash(Config.from_json(config.to_json()))


def test_what_may_be_red_or_not_is_not_said_to_be_surely_red(detector, tmp_path, capsys):
    photo = photo_with((1, 2, EITHER))
    found = detector(photo)
    assert found.scores[0] == pytest.approx(2 / 3, abs=0.02)
    assert found.own_scores == pytest.approx([1 / 3], abs=0.02)
    write_photo(tmp_path / "lamp.png", photo)
    file = str(detector.path)
    assert main(["detect", str(tmp_path / "lamp.png"), "--model", file]) == 0
    assert f" {found.own_scores[0]:.2f} at " in capsys.readouterr().out


def test_where_no_class_has_kinds_a_box_is_as_sure_of_its_class_as_it_is():
    found = Detections(np.zeros((1, 4)), np.float32([0.9]), np.array([1]))
    assert found.own_scores.tolist() == found.scores.tolist()

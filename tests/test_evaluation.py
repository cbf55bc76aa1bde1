import contextlib
import io
import json

import imageio.v3 as iio
import numpy as np
import pytest

from ssd.detect.detector import Detections
from ssd.metrics.evaluation import (
    evaluate,
    evaluate_sizes,
    judge,
    precision_recall,
    read_truth,
    run_detector,
)

NONE_IGNORED = np.array([False])


def test_judge_gives_each_face_to_one_box():
    found = np.array([[0, 0, 10, 9], [0, 0, 10, 10], [50, 50, 60, 60]], float)
    judged = judge(
        found, np.array([0.9, 0.8, 0.7]), found[1:2].copy(), NONE_IGNORED, iou_threshold=0.5
    )
    # The better scored box takes the face although the other one fits better.
    np.testing.assert_allclose(judged, [[0.9, 0.9, 0], [0.8, 0, 1], [0.7, 0, 2]])


def test_judge_drops_what_lies_in_a_region_to_ignore():
    truth = np.array([[0, 0, 100, 100]], float)
    found = np.array([[10, 10, 20, 20], [95, 95, 115, 115]], float)
    judged = judge(found, np.array([0.9, 0.8]), truth, np.array([True]), iou_threshold=0.5)
    # The first lies inside; of the second only a sixteenth does.
    np.testing.assert_allclose(judged, [[0.8, 0, 1]])


def test_judge_of_nothing():
    nothing, face = np.zeros((0, 4)), np.array([[0, 0, 10, 10]], float)
    assert judge(nothing, np.zeros(0), face, NONE_IGNORED, iou_threshold=0.5).shape == (0, 3)
    got = judge(face, np.array([0.5]), nothing, np.zeros(0, bool), iou_threshold=0.5)
    np.testing.assert_allclose(got, [[0.5, 0, 0]])


def test_average_precision_on_hand_worked_numbers():
    judged = [np.array([[0.9, 0.8], [0.7, 0.0]]), np.array([[0.6, 0.9]])]
    scores, precision, recall, average = precision_recall(judged, faces=4)
    np.testing.assert_allclose(scores, [0.9, 0.7, 0.6])
    np.testing.assert_allclose(precision, [1, 1 / 2, 2 / 3])
    np.testing.assert_allclose(recall, [1 / 4, 1 / 4, 1 / 2])
    assert average == pytest.approx(1 / 4 * 1 + 1 / 4 * 2 / 3)


def test_boxes_of_equal_score_come_in_together():
    right, wrong = [0.5, 1.0], [0.5, 0.0]
    one = precision_recall([np.array([right, wrong])], faces=1)[3]
    other = precision_recall([np.array([wrong, right])], faces=1)[3]
    assert one == other == 0.5


@pytest.fixture
def scene(tmp_path):
    """Photos with random faces, some to ignore, and a detector that finds most of them."""
    random = np.random.default_rng(7)
    images, annotations, answers = [], [], []
    for index in range(40):
        name = f"{index}.png"
        iio.imwrite(tmp_path / name, np.full((100, 120, 3), index, np.uint8))
        images.append({"id": index, "file_name": f"far/{name}", "height": 100, "width": 120})
        boxes, scores = [], []
        for _ in range(random.integers(0, 4)):
            corner, size = random.uniform(0, 60, 2), random.uniform(15, 40, 2)
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": index,
                    "category_id": 3,
                    "bbox": [*corner[::-1], *size[::-1]],
                    "area": float(size.prod()),
                    "iscrowd": int(random.random() < 0.15),
                }
            )
            for _ in range(random.integers(0, 3)):
                low, high = corner + random.normal(0, 3, 2), corner + size + random.normal(0, 3, 2)
                boxes.append([*low, *high])
                scores.append(random.uniform(0.3, 1))
        for _ in range(random.integers(0, 2)):
            corner = random.uniform(0, 60, 2)
            boxes.append([*corner, *(corner + 25)])
            scores.append(random.uniform(0.02, 0.8))
        order = np.argsort(scores)[::-1]
        answers.append(
            Detections(
                np.array(boxes, np.float32).reshape(-1, 4)[order],
                np.array(scores, np.float32)[order],
                np.ones(len(boxes), np.int64),
            )
        )
    truth = tmp_path / "truth.json"
    categories = [{"id": 3, "name": "face"}]
    truth.write_text(
        json.dumps({"images": images, "annotations": annotations, "categories": categories})
    )

    def detector(photo, *, score_threshold):
        return answers[photo[0, 0, 0]]

    return detector, tmp_path, truth, answers


def coco_evaluation(truth, answers, area=(0, 1e10)):
    """The same figures by pycocotools, at IoU 0.5 to 0.95 and (nearly) every recall."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO(str(truth))
        found = [
            {
                "image_id": index,
                "category_id": 3,
                "score": float(score),
                "bbox": [float(x) for x in (box[1], box[0], box[3] - box[1], box[2] - box[0])],
            }
            for index, answer in enumerate(answers)
            for box, score in zip(answer.boxes, answer.scores, strict=True)
        ]
        theirs = COCOeval(coco, coco.loadRes(found), "bbox")
        theirs.params.recThrs = np.linspace(0, 1, 10001)
        theirs.params.areaRng, theirs.params.areaRngLbl = [list(area)], ["all"]
        theirs.evaluate()
        theirs.accumulate()
    return theirs


def test_figures_agree_with_pycocotools(scene):
    detector, photos, truth, answers = scene
    result, theirs = evaluate(detector, photos, truth), coco_evaluation(truth, answers)
    precision = theirs.eval["precision"][:, :, 0, 0, -1]
    assert result.ap50 == pytest.approx(precision[0].mean(), abs=2e-3)
    assert result.ap75 == pytest.approx(precision[5].mean(), abs=2e-3)
    assert 0.05 < result.ap75 < result.ap50 < 0.95
    assert result.recalls[-1] == pytest.approx(theirs.eval["recall"][0, 0, 0, -1], abs=1e-6)
    # FDDB's curve: hits over false alarms, at each score.
    hits = result.recalls * result.faces
    np.testing.assert_allclose(result.precision, hits / (hits + result.false_positives))


def test_recall_is_read_where_the_false_alarms_allow_it(scene):
    detector, photos, truth, _ = scene
    few = evaluate(detector, photos, truth, false_positives_per_image=0.05)
    many = evaluate(detector, photos, truth, false_positives_per_image=10)
    assert 0 < few.recall < many.recall == many.recalls[-1]
    none = evaluate(detector, photos, truth, false_positives_per_image=0)
    first_alarm = np.flatnonzero(none.precision < 1)[0]
    assert none.recall == (none.recalls[first_alarm - 1] if first_alarm else 0)


def test_small_faces_can_be_left_out(scene):
    detector, photos, truth, _ = scene
    everything, large = (evaluate(detector, photos, truth, min_height=share) for share in (0, 0.2))
    heights = [
        each["bbox"][3]
        for each in json.loads(truth.read_text())["annotations"]
        if not each["iscrowd"]
    ]
    assert everything.faces == len(heights)
    assert large.faces == sum(height >= 0.2 * 120 for height in heights)


def test_by_size_agrees_with_pycocotools(scene):
    detector, photos, truth, answers = scene
    rows = evaluate_sizes(run_detector(detector, photos, truth))
    assert sum(faces for _, _, faces, _ in rows) == evaluate(detector, photos, truth).faces
    # Their ranges are areas. With square faces in them a range of heights is one of areas.
    squares = json.loads(truth.read_text())
    for each in squares["annotations"]:
        each["bbox"][2] = each["bbox"][3]
        each["area"] = each["bbox"][3] ** 2
    truth.write_text(json.dumps(squares))
    for index, answer in enumerate(answers):
        tall = answer.boxes[:, 2] - answer.boxes[:, 0]
        boxes = np.stack([*answer.boxes.T[:3], answer.boxes[:, 1] + tall], axis=1)
        answers[index] = Detections(boxes, answer.scores, answer.class_ids)
    low, high = 0.2 * 120, 0.4 * 120
    theirs = coco_evaluation(truth, answers, area=(low**2, high**2 - 1e-3))
    ours = evaluate_sizes(
        run_detector(lambda photo, *, score_threshold: answers[photo[0, 0, 0]], photos, truth)
    )[3]
    assert ours[:2] == (0.2, 0.4)
    assert ours[3] == pytest.approx(theirs.eval["precision"][0, :, 0, 0, -1].mean(), abs=2e-3)
    assert ours[2] > 10


def test_truth_of_a_photo_stored_smaller_is_scaled_to_it(scene):
    detector, photos, truth, _ = scene
    halved = json.loads(truth.read_text())
    for each in halved["images"]:
        each["height"], each["width"] = 50, 60
    for each in halved["annotations"]:
        each["bbox"] = [side / 2 for side in each["bbox"]]
    (photos / "halved.json").write_text(json.dumps(halved))
    result = evaluate(detector, photos, photos / "halved.json")
    assert result.ap50 == evaluate(detector, photos, truth).ap50 > 0


def test_a_detector_that_finds_nothing(scene):
    _, photos, truth, _ = scene
    nothing = Detections(np.zeros((0, 4)), np.zeros(0), np.zeros(0, int))
    result = evaluate(lambda photo, *, score_threshold: nothing, photos, truth)
    assert result.ap50 == result.ap75 == result.recall == result.mean_iou == 0
    assert "AP50 0.000" in str(result)


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"images": [{"id": 1}], "annotations": [], "categories": []}']
)
def test_a_file_that_is_no_coco_is_refused_by_name(tmp_path, text):
    path = tmp_path / "truth.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"truth\.json: wanted COCO detection JSON"):
        read_truth(path, tmp_path)


def test_a_missing_truth_or_photo_is_named(scene, tmp_path):
    _, photos, truth, _ = scene
    with pytest.raises(ValueError, match=r"nowhere\.json: wanted a COCO JSON file"):
        read_truth(tmp_path / "nowhere.json", photos)
    (photos / "3.png").unlink()
    with pytest.raises(ValueError, match=r"names far/3\.png, which is not in"):
        read_truth(truth, photos)

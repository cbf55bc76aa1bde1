import contextlib
import io
import json

import imageio.v3 as iio
import lamps
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ssd.config import Config
from ssd.detect.detections import Detections
from ssd.detect.detector import Detector
from ssd.metrics.calibration import calibration_error
from ssd.metrics.evaluation import evaluate, evaluate_run
from ssd.metrics.figures import mean_precision
from ssd.metrics.judging import coco_average_precision, judge_results
from ssd.metrics.results import run_detector


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


def coco_evaluation(truth, answers, area=(0, 1e10), recalls=101):
    """The same figures by pycocotools; (nearly) every recall if there are many."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO(str(truth))
        found = [
            {
                "image_id": index,
                "category_id": 2 + int(class_id),
                "score": float(score),
                "bbox": [float(x) for x in (box[1], box[0], box[3] - box[1], box[2] - box[0])],
            }
            for index, answer in enumerate(answers)
            for box, score, class_id in zip(*answer, strict=True)
        ]
        theirs = COCOeval(coco, coco.loadRes(found), "bbox")
        theirs.params.recThrs = np.linspace(0, 1, recalls)
        theirs.params.areaRng, theirs.params.areaRngLbl = [list(area)], ["all"]
        theirs.params.maxDets = [300]
        theirs.evaluate()
        theirs.accumulate()
    return theirs


def average(theirs, level):
    """Their average precision at one of the ten levels of IoU."""
    precision = theirs.eval["precision"][level, :, :, 0, -1]
    return precision[precision > -1].mean()


def change(truth, edit):
    """The truth with something changed."""
    coco = json.loads(truth.read_text())
    edit(coco)
    truth.write_text(json.dumps(coco))


def test_figures_agree_with_pycocotools(scene):
    detector, photos, truth, answers = scene
    result, theirs = evaluate(detector, photos, truth), coco_evaluation(truth, answers)
    assert result.coco_ap50 == pytest.approx(average(theirs, 0), abs=1e-6)
    assert result.coco_ap == pytest.approx(
        np.mean([average(theirs, level) for level in range(10)]), abs=1e-6
    )
    every = coco_evaluation(truth, answers, recalls=10001)
    assert result.ap50 == pytest.approx(average(every, 0), abs=2e-3)
    assert result.ap75 == pytest.approx(average(every, 5), abs=2e-3)
    assert 0.05 < result.ap75 < result.ap50 < result.ap30 < 0.99
    points = result.curve
    assert points.recall[-1] == pytest.approx(theirs.eval["recall"][0, 0, 0, -1], abs=1e-6)
    # FDDB's curve: hits over false positives, at each score.
    hits = points.recall * result.faces
    np.testing.assert_allclose(points.precision, hits / (hits + points.false_positives))


def test_scores_that_are_often_equal_agree_with_pycocotools(scene):
    """An int8 model has few different scores."""
    _, photos, truth, answers = scene
    rough = [Detections(a.boxes, np.round(a.scores * 8) / 8, a.class_ids) for a in answers]
    result = evaluate(lambda photo, **_: rough[photo[0, 0, 0]], photos, truth)
    theirs = coco_evaluation(truth, rough)
    assert result.coco_ap50 == pytest.approx(average(theirs, 0), abs=1e-6)


def test_several_classes_agree_with_pycocotools(scene):
    _, photos, truth, answers = scene
    random = np.random.default_rng(1)

    def two(coco):
        coco["categories"] = [{"id": 4, "name": "mask"}, {"id": 3, "name": "face"}]
        for each in coco["annotations"]:
            each["category_id"] = int(random.integers(3, 5))

    change(truth, two)
    found = [
        Detections(a.boxes, a.scores, random.integers(1, 3, len(a.class_ids))) for a in answers
    ]
    result = evaluate(lambda photo, **_: found[photo[0, 0, 0]], photos, truth)
    theirs = coco_evaluation(truth, found)
    assert result.coco_ap50 == pytest.approx(average(theirs, 0), abs=1e-6)
    for place, name in enumerate(("face", "mask")):
        own = theirs.eval["precision"][0, :, place, 0, -1].mean()
        assert result.classes[name].coco_ap50 == pytest.approx(own, abs=1e-6)
    assert result.ap50 == pytest.approx(np.mean([each.ap50 for each in result.classes.values()]))
    assert sum(each.faces for each in result.classes.values()) == result.faces
    assert "\nclass" in str(result)


@pytest.mark.parametrize("area", [(0, 24**2), (24**2, 32**2), (24**2, 1e10)])
def test_ignored_sizes_follow_the_rule_of_coco(scene, area):
    """Their ranges are areas: with square boxes, a range of heights is one of areas."""
    _, photos, truth, answers = scene

    def square(coco):
        for each in coco["annotations"]:
            each["bbox"][2] = each["bbox"][3]
            each["area"] = each["bbox"][3] ** 2

    change(truth, square)
    squares = []
    for answer in answers:
        tall = answer.boxes[:, 2] - answer.boxes[:, 0]
        boxes = np.stack([*answer.boxes.T[:3], answer.boxes[:, 1] + tall], axis=1)
        squares.append(Detections(boxes, answer.scores, answer.class_ids))
    run = run_detector(lambda photo, **_: squares[photo[0, 0, 0]], photos, truth)
    theirs = coco_evaluation(truth, squares, area=(area[0], area[1] - 1e-3))
    heights = tuple(np.sqrt(area) / 120)
    judged = judge_results(run.results, 1, heights=heights)
    ours = mean_precision(judged, coco_average_precision)
    assert ours == pytest.approx(average(theirs, 0), abs=1e-6)
    assert judged.faces.sum() > 10
    # The regions to ignore and the faces out of range matter here.
    assert len(judged.scores) < sum(map(len, squares))
    if area[1] == 1e10:
        result = evaluate_run(run, min_height=heights[0])
        assert result.coco_ap50 == pytest.approx(ours)


def test_sizes_are_judged_as_min_height_is(scene):
    detector, photos, truth, _ = scene
    result = evaluate(detector, photos, truth)
    assert sum(size.faces for size in result.sizes) == result.faces
    # None is taller than 0.4 of the side, so these are the same faces.
    large = evaluate(detector, photos, truth, min_height=0.2)
    assert result.sizes[3].faces == large.faces > 10
    assert result.sizes[3].ap50 == pytest.approx(large.ap50, abs=0.01)
    assert np.isnan(result.sizes[4].ap50)


@settings(
    max_examples=15,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(seed=st.integers(0, 2**32 - 1))
def test_no_figure_depends_on_the_order_of_categories_images_or_annotations(scene, seed):
    _, photos, truth, answers = scene
    random = np.random.default_rng(5)
    coco = json.loads(truth.read_text())
    coco["categories"] = [{"id": number, "name": f"class {number}"} for number in (3, 4, 10)]
    for each in coco["annotations"]:
        each["category_id"] = (3, 4, 10)[random.integers(3)]
    found = [
        Detections(a.boxes, np.round(a.scores * 16) / 16, random.integers(1, 4, len(a)))
        for a in answers
    ]

    def figures():
        truth.write_text(json.dumps(coco))
        result = evaluate(lambda photo, **_: found[photo[0, 0, 0]], photos, truth)
        each = [result.ap30, result.ap50, result.ap75, result.coco_ap50, result.coco_ap]
        each += [result.recall, result.mean_iou, *(size.ap50 for size in result.sizes)]
        return [*each, *((name, row.ap50) for name, row in sorted(result.classes.items()))]

    before, shuffle = figures(), np.random.default_rng(seed).shuffle
    for name in ("categories", "images", "annotations"):
        shuffle(coco[name])
    assert figures() == before


def test_recall_is_read_where_the_false_positives_allow_it(scene):
    detector, photos, truth, _ = scene
    few = evaluate(detector, photos, truth, false_positives_per_image=0.05)
    many = evaluate(detector, photos, truth, false_positives_per_image=10)
    assert 0 < few.recall < many.recall == many.curve.recall[-1]
    assert few.false_positives <= 0.05
    none = evaluate(detector, photos, truth, false_positives_per_image=0)
    first = np.flatnonzero(none.curve.precision < 1)[0]
    assert none.recall == (none.curve.recall[first - 1] if first else 0)


def test_precision_and_recall_can_be_read_elsewhere(scene):
    detector, photos, truth, answers = scene
    result = evaluate(detector, photos, truth, score_threshold=0.6, at_precision=0.7)
    sure = sum(int((answer.scores >= 0.6).sum()) for answer in answers)
    place = np.flatnonzero(result.curve.scores >= 0.6)[-1]
    assert (result.precision, result.recall) == (
        result.curve.precision[place],
        result.curve.recall[place],
    )
    wrong = result.false_positives * result.photos
    assert result.recall * result.faces + wrong <= sure  # some lie in regions to ignore
    asked = result.curve.recall[result.curve.precision >= 0.7].max()
    assert result.recall_at_precision == asked > 0
    assert "at a precision of 0.7 or more: recall" in str(result)
    assert evaluate(detector, photos, truth, at_precision=1).recall_at_precision < asked


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


def test_the_rules_differ_in_what_is_ignored(scene):
    _, photos, truth, _ = scene
    change(truth, lambda coco: coco["annotations"].__delitem__(slice(1, None)))
    (annotation,) = json.loads(truth.read_text())["annotations"]
    x, y, width, height = annotation["bbox"]
    corner = np.array([[y, x, y + height / 4, x + width / 4]])  # inside a face that is ignored
    small = Detections(corner, np.array([0.9]), np.array([1]))
    nothing = Detections(np.zeros((0, 4)), np.zeros(0), np.zeros(0, int))

    def detector(photo, score_threshold):
        return small if photo[0, 0, 0] == annotation["image_id"] else nothing

    options = {"min_height": 0.5, "score_threshold": 0.5}
    coco, scorer = (
        evaluate(detector, photos, truth, rule=rule, **options) for rule in ("coco", "scorer")
    )
    assert coco.faces == scorer.faces == 0
    assert coco.false_positives == 0  # as small as what is ignored
    assert scorer.false_positives == 0  # inside what is ignored
    options["min_height"] = 0.0
    coco, scorer = (
        evaluate(detector, photos, truth, rule=rule, **options) for rule in ("coco", "scorer")
    )
    assert coco.false_positives == scorer.false_positives == 1 / 40


def test_truth_of_a_photo_stored_smaller_is_scaled_to_it(scene):
    detector, photos, truth, _ = scene
    before = evaluate(detector, photos, truth).ap50

    def halve(coco):
        for each in coco["images"]:
            each["height"], each["width"] = 50, 60
        for each in coco["annotations"]:
            each["bbox"] = [side / 2 for side in each["bbox"]]

    change(truth, halve)
    assert evaluate(detector, photos, truth).ap50 == pytest.approx(before) != 0


def test_a_detector_that_finds_nothing(scene):
    _, photos, truth, _ = scene
    nothing = Detections(np.zeros((0, 4)), np.zeros(0), np.zeros(0, int))
    result = evaluate(lambda photo, *, score_threshold: nothing, photos, truth)
    assert result.ap50 == result.ap75 == result.recall == result.mean_iou == 0
    assert "AP50 0.000" in str(result)


def test_a_truth_without_faces_still_counts_false_positives(scene):
    detector, photos, truth, answers = scene
    change(truth, lambda coco: coco["annotations"].clear())
    result = evaluate(detector, photos, truth, score_threshold=0)
    assert result.false_positives == sum(map(len, answers)) / 40
    assert np.isnan(result.ap50)
    assert "AP50 –" in str(result)
    assert "recall –" in str(result)


def test_what_is_judged_has_a_least_score_and_a_greatest_number(scene):
    _, photos, truth, _ = scene
    asked = []

    def weak(photo, *, score_threshold):
        asked.append(score_threshold)
        boxes = np.tile(np.float32([[0, 0, 9, 9]]), (900, 1))
        return Detections(boxes, np.linspace(0.5, 0.4, 900), np.ones(900, int))

    result = evaluate(weak, photos, truth, score_threshold=0)
    assert {*asked} == {0.001}
    assert result.false_positives == 300
    assert "boxes from a score of 0.001 on, at most 300 a photo" in str(result)
    few = evaluate(weak, photos, truth, score_threshold=0, max_detections=7, score_floor=0.2)
    assert few.false_positives == 7
    assert asked[-1] == 0.2


def test_calibration_is_the_difference_of_scores_and_the_share_that_is_right():
    random = np.random.default_rng(0)
    scores = random.uniform(0, 1, 100_000)
    right = random.uniform(0, 1, 100_000) < scores
    assert calibration_error(scores, right) < 0.01
    assert calibration_error(scores, random.uniform(0, 1, 100_000) < scores / 2) == pytest.approx(
        0.5 * (1 + 0.05) / 2, abs=0.01
    )
    # Bins of 1/15: 0.80 and 0.85 share one, 0.95 has its own; scores under 0.05 do not count.
    scores = np.array([0.81, 0.85, 0.95, 0.01])
    error = calibration_error(scores, np.array([True, False, True, False]))
    assert error == pytest.approx((abs(0.81 + 0.85 - 1) + 0.05) / 3)
    assert np.isnan(calibration_error(np.zeros(3), np.zeros(3, bool)))


def test_only_the_best_candidates_go_into_suppression(tmp_path, monkeypatch):
    """At a low score nearly all anchors of a model are candidates, thousands of a real one."""
    iio.imwrite(tmp_path / "a.png", np.zeros((64, 96, 3), np.uint8))
    images = [{"id": 1, "file_name": "a.png"}]
    lamp = {"images": images, "annotations": [], "categories": [{"id": 1, "name": "lamp"}]}
    (tmp_path / "truth.json").write_text(json.dumps(lamp))
    detector, counts = Detector(lamps.write_model(tmp_path / "lamps.tflite")), []
    suppress = detector.suppress

    def count(found, *options):
        counts.append(len(found))
        return suppress(found, *options)

    monkeypatch.setattr(detector, "suppress", count)
    run_detector(detector, tmp_path, tmp_path / "truth.json", score_floor=0)
    few = run_detector(detector, tmp_path, tmp_path / "truth.json", score_floor=0, max_detections=2)
    assert counts == [96, 8]
    assert len(few.results[0].found) == 2


def test_sources_are_told_apart_and_so_is_their_style(scene):
    detector, photos, truth, _ = scene

    def edit(coco):
        for image in coco["images"]:
            image["source"] = "street" if image["id"] % 2 else "wider"
        for each in coco["annotations"]:
            if each["image_id"] % 2:  # people who begin a face at the hair
                each["bbox"][1] -= each["bbox"][3] * 0.25
                each["bbox"][3] *= 1.25

    change(truth, edit)
    result = evaluate(detector, photos, truth)
    street, wider = result.sources["street"], result.sources["wider"]
    assert street.faces + wider.faces == result.faces
    assert street.ap75 < wider.ap75
    assert street.edges.top == pytest.approx(0.2, abs=0.05)
    assert abs(wider.edges.top) < 0.03
    assert "top 20% lower" in str(street.edges) or "lower" in str(street.edges)
    assert "edges, street: found boxes are of another style than the truth's" in str(result)


def test_categories_and_classes_belong_together_by_name(scene):
    _, photos, truth, answers = scene

    class Model:
        config = Config(classes=("mask", "face"))

        def __call__(self, photo, score_threshold):
            found = answers[photo[0, 0, 0]]
            return Detections(found.boxes, found.scores, found.class_ids * 2)

    expected = evaluate(lambda photo, **_: answers[photo[0, 0, 0]], photos, truth).ap50
    change(truth, lambda coco: coco.update(categories=[{"id": 3, "name": "FACE "}]))
    result = evaluate(Model(), photos, truth)
    assert result.ap50 == expected
    assert "has no category 'mask'" in result.run.problems[0]
    # A root category, as Roboflow writes one, is a line.
    root = [{"id": 0, "name": "faces"}, {"id": 3, "name": "face"}]
    change(truth, lambda coco: coco.update(categories=root))
    result = evaluate(Model(), photos, truth)
    assert result.ap50 == expected
    assert any("category 'faces' is none of the model's classes" in p for p in result.run.problems)
    change(truth, lambda coco: coco.update(categories=[{"id": 3, "name": "car"}]))
    with pytest.raises(ValueError, match=r"wanted a category .* \(mask, face\), got car"):
        evaluate(Model(), photos, truth)
    assert evaluate(Model(), photos, truth, class_map={"Car": "face"}).ap50 == expected
    with pytest.raises(ValueError, match="map: wanted mask or face after car=, got dog"):
        evaluate(Model(), photos, truth, class_map={"car": "dog"})
    # What the model finds of one class counts as the other.
    change(truth, lambda coco: coco.update(categories=[{"id": 3, "name": "mask"}]))
    result = evaluate(Model(), photos, truth, class_map={"face": "mask"})
    assert result.ap50 == expected
    assert not result.run.problems


@pytest.mark.parametrize(
    ("gap", "line"),
    [
        ({"bbox": []}, "a box whose place cannot be told"),
        ({"bbox": None}, "a box whose place cannot be told"),
        ({"bbox": [float("nan")] * 4}, "a box whose place cannot be told"),
        ({"category_id": 77}, "a class that is not listed"),
        ({"bbox": [5, 5, 0, 0]}, "a box without area"),
        ({"image_id": 999}, "an image that is not listed"),
    ],
)
def test_an_annotation_with_a_gap_costs_a_line(scene, gap, line):
    detector, photos, truth, _ = scene
    before = evaluate(detector, photos, truth)

    def edit(coco):
        next(each for each in coco["annotations"] if not each["iscrowd"]).update(gap)

    change(truth, edit)
    result = evaluate(detector, photos, truth)
    assert any(line in problem for problem in result.run.problems)
    assert result.faces == before.faces - 1
    assert result.photos == before.photos
    wrong = result.curve.false_positives[-1] - before.curve.false_positives[-1]
    if "cannot be told" in line or "class" in line:
        assert wrong <= 0  # what is found where the box may be does not count
    else:
        assert wrong >= 0  # it counts as what it was said to be: no face


@pytest.mark.parametrize("size", [(None, None), ("100", "120"), (0, 0)])
def test_a_size_that_is_not_said_is_the_photos_own(scene, size):
    detector, photos, truth, _ = scene
    before = evaluate(detector, photos, truth).ap50

    def edit(coco):
        for each in coco["images"]:
            each["height"], each["width"] = size

    change(truth, edit)
    assert evaluate(detector, photos, truth).ap50 == before


def test_twins_are_one_face(scene):
    detector, photos, truth, _ = scene
    before = evaluate(detector, photos, truth)
    change(truth, lambda coco: coco["annotations"].append(coco["annotations"][0] | {"id": 999}))
    result = evaluate(detector, photos, truth)
    assert (result.faces, result.ap50) == (before.faces, before.ap50)


def test_a_photo_that_cannot_be_read_is_left_out_by_name(scene):
    detector, photos, truth, _ = scene
    (photos / "3.png").unlink()
    (photos / "4.png").write_text("no photo")
    result = evaluate(detector, photos, truth)
    assert (result.photos, result.run.left_out) == (38, 2)
    assert "2 photos of the truth left out" in str(result)
    assert any("far/3.png: no such photo" in each for each in result.run.problems)
    assert any("4.png: wanted a photo" in each for each in result.run.problems)
    for path in photos.glob("*.png"):
        path.unlink()
    with pytest.raises(ValueError, match=r"truth\.json: wanted photos that are in .*, could use"):
        evaluate(detector, photos, truth)


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"images": 1, "annotations": [], "categories": []}']
)
def test_a_file_that_is_no_coco_is_refused_by_name(tmp_path, text):
    path = tmp_path / "truth.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"truth\.json: wanted COCO JSON"):
        evaluate(None, tmp_path, path)


def test_missing_files_and_options_out_of_range_are_named(scene, tmp_path):
    detector, photos, truth, _ = scene
    with pytest.raises(FileNotFoundError, match=r"nowhere\.json"):
        evaluate(detector, photos, tmp_path / "nowhere.json")
    with pytest.raises(FileNotFoundError, match=r"nowhere: wanted a folder of photos"):
        evaluate(detector, tmp_path / "nowhere", truth)
    for option in (
        {"min_height": 16},
        {"false_positives_per_image": -1},
        {"score_threshold": 2},
        {"at_precision": 70},
        {"rule": "voc"},
        {"score_floor": -0.1},
        {"max_detections": 0},
    ):
        (name,) = option
        with pytest.raises(ValueError, match=name):
            evaluate(detector, photos, truth, **option)

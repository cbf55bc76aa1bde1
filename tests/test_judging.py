import numpy as np
import pytest

from ssd.boxes import covered, iou
from ssd.metrics.judging import (
    average_precision,
    coco_average_precision,
    curve,
    judge,
    judge_results,
)

NONE_IGNORED = [False]


def test_each_face_goes_to_one_box():
    found = [[0, 0, 10, 9], [0, 0, 10, 10], [50, 50, 60, 60]]
    judged = judge(found, [0.9, 0.8, 0.7], found[1:2], NONE_IGNORED)
    # The better scored box takes the face although the other one fits better.
    assert judged.ious.tolist() == pytest.approx([0.9, 0, 0])
    assert judged.faces.tolist() == [0, -1, -1]
    assert judged.indices.tolist() == [0, 1, 2]


def test_boxes_are_taken_in_the_order_of_their_scores():
    judged = judge([[0, 0, 10, 9], [0, 0, 10, 10]], [0.2, 0.8], [[0, 0, 10, 10]], NONE_IGNORED)
    assert judged.indices.tolist() == [1, 0]
    assert judged.faces.tolist() == [0, -1]


@pytest.mark.parametrize("rule", ["coco", "scorer"])
def test_what_lies_in_a_region_to_ignore_does_not_count(rule):
    found = [[10, 10, 20, 20], [12, 12, 22, 22], [95, 95, 115, 115]]
    judged = judge(found, [0.9, 0.8, 0.7], [[0, 0, 100, 100]], [True], rule=rule)
    # Two lie inside; of the third only a sixteenth does.
    assert judged.indices.tolist() == [2]


def test_a_face_out_of_range_takes_one_box_by_the_rule_of_coco_and_what_lies_in_it_by_the_scorers():
    face = [[0, 0, 20, 20]]
    # Two that match it, one that lies inside and does not match, all too tall to be out of range.
    found = [[0, 0, 20, 19], [0, 0, 19, 20], [0, 0, 19, 4]]
    scores = [0.9, 0.8, 0.7]
    coco = judge(found, scores, face, [False], heights=(19, 20), rule="coco")
    # The first is itself too tall for the range: it would not count either way.
    assert coco.indices.tolist() == [1, 2]
    in_range = judge(found, scores, face, [False], heights=(21, np.inf), rule="scorer")
    assert in_range.indices.tolist() == []
    # By COCO's rule a wrong box of a size that does not count is no false positive.
    assert judge([[50, 50, 55, 55]], [0.9], face, [False], heights=(10, 30)).indices.tolist() == []
    own = judge([[50, 50, 55, 55]], [0.9], face, [False], heights=(10, 30), rule="scorer")
    assert own.indices.tolist() == [0]


def test_a_wanted_face_goes_before_one_that_is_out_of_range():
    found, truth = [[0, 0, 30, 10]], [[0, 0, 30, 10], [0, 0, 18, 10]]
    judged = judge(found, [0.9], truth, [False, False], heights=(20, np.inf))
    assert judged.faces.tolist() == [0]


def test_nothing_found_and_nothing_to_find():
    nothing, face = np.zeros((0, 4)), np.array([[0, 0, 10, 10]], float)
    assert len(judge(nothing, [], face, NONE_IGNORED).scores) == 0
    judged = judge(face, [0.5], nothing, [])
    assert judged.scores.tolist() == [0.5]
    assert judged.faces.tolist() == [-1]
    assert judge_results([], 3).faces.shape == (0, 3)


def test_an_unknown_rule_is_refused():
    with pytest.raises(ValueError, match="rule: wanted one of coco, scorer, got 'voc'"):
        judge([], [], [], [], rule="voc")


def scorer(boxes, scores, truth, ignored, threshold):
    """The rule of the scorer in plain loops: (score, IoU or 0) of each box that counts."""
    free, rows = set(np.flatnonzero(~ignored)), []
    overlap, inside = iou(boxes, truth), covered(boxes, truth)
    for index in np.argsort(-scores, kind="stable"):
        fits = [(overlap[index, j], j) for j in free if overlap[index, j] >= threshold]
        if fits:
            best = max(fits)
            free.discard(best[1])
            rows.append((scores[index], best[0]))
        elif not any(
            overlap[index, j] >= threshold or inside[index, j] >= 0.5
            for j in np.flatnonzero(ignored)
        ):
            rows.append((scores[index], 0.0))
    return rows


@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.75])
def test_the_rule_of_the_scorer_agrees_with_plain_loops(threshold):
    random = np.random.default_rng(0)
    for _ in range(200):
        count, faces = random.integers(0, 12), random.integers(0, 6)
        truth = random.uniform(0, 30, (faces, 4))
        truth[:, 2:] += truth[:, :2] + 4
        boxes = random.uniform(0, 30, (count, 4))
        boxes[:, 2:] += boxes[:, :2] + 4
        if faces and count:
            near = truth[random.integers(faces, size=count)] + random.normal(0, 3, (count, 4))
            boxes = np.where(random.random((count, 1)) < 0.7, near, boxes)
        scores, ignored = random.random(count), random.random(faces) < 0.3
        tall = truth[:, 2] - truth[:, 0]
        judged = judge(
            boxes, scores, truth, ignored,
            iou_threshold=threshold, heights=(10, np.inf), rule="scorer",
        )  # fmt: skip
        wanted = scorer(boxes, scores, truth, ignored | (tall < 10), threshold)
        np.testing.assert_allclose(np.c_[judged.scores, judged.ious], np.reshape(wanted, (-1, 2)))


def test_average_precision_on_hand_worked_numbers():
    points = curve([0.9, 0.7, 0.6], [True, False, True], faces=4)
    np.testing.assert_allclose(points.scores, [0.9, 0.7, 0.6])
    np.testing.assert_allclose(points.precision, [1, 1 / 2, 2 / 3])
    np.testing.assert_allclose(points.recall, [1 / 4, 1 / 4, 1 / 2])
    np.testing.assert_allclose(points.false_positives, [0, 1, 1])
    assert average_precision(points) == pytest.approx(1 / 4 * 1 + 1 / 4 * 2 / 3)
    # Recalls 0 to 0.25 have precision 1 (26 of 101), up to 0.5 it is 2 / 3 (25 of them).
    coco = coco_average_precision([0.9, 0.7, 0.6], [True, False, True], faces=4)
    assert coco == pytest.approx((26 + 25 * 2 / 3) / 101)


def test_boxes_of_equal_score_come_in_together():
    one = average_precision(curve([0.5, 0.5], [True, False], faces=1))
    other = average_precision(curve([0.5, 0.5], [False, True], faces=1))
    assert one == other == 0.5

import imageio.v3 as iio
import numpy as np
import pytest

from ssd.detect.detections import Detections
from ssd.metrics.evaluation import evaluate_run
from ssd.metrics.report import draw_report, find_mistakes
from ssd.metrics.results import DetectorRun, PhotoResult


@pytest.fixture
def result(tmp_path):
    """One photo: a hit, a miss, two false positives, a region to ignore with a box in it."""
    path = tmp_path / "photo.png"
    iio.imwrite(path, np.random.default_rng(0).integers(0, 255, (200, 300, 3), dtype=np.uint8))
    truth = np.array([[10, 10, 50, 50], [100, 100, 180, 170], [0, 200, 200, 300], [5, 90, 9, 95]])
    found = np.array(
        [[10, 10, 50, 48], [60, 5, 90, 30], [20, 220, 60, 260], [150, 10, 180, 40]], np.float32
    )
    return PhotoResult(
        path=path,
        shape=(200, 300),
        boxes=truth.astype(float),
        class_ids=np.ones(4, int),
        ignored=np.array([False, False, True, False]),
        found=Detections(found, np.float32([0.9, 0.4, 0.8, 0.7]), np.ones(4, int)),
    )


def texts(evaluation):
    return tuple([mistake.text for mistake in each] for each in find_mistakes(evaluation))


def test_mistakes_are_the_surest_false_positives_and_the_largest_misses(result):
    evaluation = evaluate_run(DetectorRun([result]), score_threshold=0.1)
    wrong, missed = find_mistakes(evaluation)
    assert texts(evaluation) == (["0.70", "0.40"], ["80 px", "4 px"])
    np.testing.assert_array_equal(wrong[0].box, [150, 10, 180, 40])
    np.testing.assert_array_equal(missed[0].box, [100, 100, 180, 170])


def test_mistakes_are_counted_at_the_threshold(result):
    run = DetectorRun([result])
    assert texts(evaluate_run(run, score_threshold=0.5)) == (["0.70"], ["80 px", "4 px"])
    # A face whose box scores less is missed as well.
    assert texts(evaluate_run(run, score_threshold=0.95)) == ([], ["80 px", "40 px", "4 px"])
    # At no false positive at all, the threshold is the hit's own score.
    assert texts(evaluate_run(run)) == ([], ["80 px", "4 px"])


def test_faces_too_small_to_count_are_no_mistakes(result):
    evaluation = evaluate_run(DetectorRun([result]), min_height=0.05)
    assert texts(evaluation)[1] == ["80 px"]


def test_the_report_is_a_picture(result, tmp_path):
    evaluation = evaluate_run(DetectorRun([result]), min_height=0.05)
    assert (evaluation.faces, evaluation.recall) == (2, 0.5)
    draw_report(evaluation, tmp_path / "report.png")
    picture = iio.imread(tmp_path / "report.png")
    assert picture.shape[0] > 600
    assert len(np.unique(picture.reshape(-1, picture.shape[2]), axis=0)) > 500


def test_a_report_of_nothing(result, tmp_path):
    nothing = Detections(np.zeros((0, 4)), np.zeros(0), np.zeros(0, int))
    evaluation = evaluate_run(DetectorRun([result._replace(found=nothing)]))
    assert evaluation.ap50 == 0
    draw_report(evaluation, tmp_path / "report.png")
    assert (tmp_path / "report.png").exists()

import imageio.v3 as iio
import numpy as np
import pytest

from ssd.detect.detector import Detections
from ssd.metrics.evaluation import PhotoResult
from ssd.metrics.report import draw_report, find_mistakes


@pytest.fixture
def results(tmp_path):
    """One photo: a hit, a miss, two false alarms, a region to ignore with a box in it."""
    path = tmp_path / "photo.png"
    iio.imwrite(path, np.random.default_rng(0).integers(0, 255, (200, 300, 3), dtype=np.uint8))
    truth = np.array([[10, 10, 50, 50], [100, 100, 180, 170], [0, 200, 200, 300], [5, 90, 9, 95]])
    found = np.array(
        [[10, 10, 50, 48], [60, 5, 90, 30], [20, 220, 60, 260], [150, 10, 180, 40]], np.float32
    )
    return [
        PhotoResult(
            path=path,
            shape=(200, 300),
            boxes=truth.astype(float),
            class_ids=np.ones(4, int),
            ignored=np.array([False, False, True, False]),
            found=Detections(found, np.float32([0.9, 0.4, 0.8, 0.7]), np.ones(4, int)),
        )
    ]


def test_mistakes_are_the_surest_alarms_and_the_largest_misses(results):
    alarms, misses = find_mistakes(results)
    assert [text for _, _, text in alarms] == ["0.70", "0.40"]
    np.testing.assert_array_equal(alarms[0][1], [150, 10, 180, 40])
    assert [text for _, _, text in misses] == ["80 px", "4 px"]
    np.testing.assert_array_equal(misses[0][1], [100, 100, 180, 170])


def test_faces_too_small_to_count_are_no_mistakes(results):
    assert [text for _, _, text in find_mistakes(results, min_height=0.05)[1]] == ["80 px"]


def test_the_report_is_a_picture_and_gives_the_figures(results, tmp_path):
    result = draw_report(results, tmp_path / "report.png", min_height=0.05)
    assert result.faces == 2
    assert result.recall == 0.5
    picture = iio.imread(tmp_path / "report.png")
    assert picture.shape[0] > 600
    assert len(np.unique(picture.reshape(-1, picture.shape[2]), axis=0)) > 500


def test_a_report_of_nothing(results, tmp_path):
    nothing = Detections(np.zeros((0, 4)), np.zeros(0), np.zeros(0, int))
    result = draw_report([results[0]._replace(found=nothing)], tmp_path / "report.png")
    assert result.ap50 == 0
    assert (tmp_path / "report.png").exists()

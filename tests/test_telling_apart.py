import math
import pathlib

import numpy as np
import pytest

from ssd.detect.detections import Detections
from ssd.metrics.evaluation import evaluate_run
from ssd.metrics.results import DetectorRun, PhotoResult
from ssd.metrics.telling_apart import tell_apart

NAMES = ["face", "smile"]
BOX = [0.0, 0, 40, 40]


def photo(true, *found, box=BOX, ignored=False):
    """A photo with one face of a class, and (class, score, down by how many pixels) found."""
    rows = np.array(found, float).reshape(-1, 3)
    boxes = np.array(box) + rows[:, 2:] * [1, 0, 1, 0]
    detections = Detections(boxes, rows[:, 1], rows[:, 0].astype(int))
    return PhotoResult(
        pathlib.Path("a.jpg"), (100, 200), np.array([box], float), np.array([true]),
        np.array([ignored]), detections,
    )  # fmt: skip


def test_on_hand_worked_numbers():
    results = [
        photo(2, (2, 0.9, 0), (1, 0.2, 0)),
        photo(2, (1, 0.7, 0), (2, 0.4, 5)),  # called a face, though smiling is not out of question
        photo(1, (1, 0.8, 0), (2, 0.6, 0)),
        photo(1, (1, 0.6, 0)),
        photo(1, (1, 0.3, 0)),  # not found
        photo(2, (2, 0.9, 60)),  # found elsewhere: not found
        photo(2, (2, 0.9, 0), ignored=True),
    ]
    told = tell_apart(results, NAMES, 0.5)
    assert told.confusion.tolist() == [[2, 0, 1], [1, 1, 1]]
    smile = told.classes["smile"]
    assert smile.faces == 2
    # Scores for smiling: 0.9 and 0.4 of those who do, 0.6 and 0 of those who do not.
    assert smile.roc_area == 3 / 4
    assert smile.average_precision == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)
    assert smile.recall == 0.5
    assert tell_apart(results, NAMES, 0.5, at_precision=0.6).classes["smile"].recall == 1


def test_faces_too_small_do_not_count():
    results = [photo(1, (1, 0.9, 0)), photo(2, (2, 0.9, 0), box=[0, 0, 10, 10])]
    told = tell_apart(results, NAMES, 0.5, min_height=0.1)
    assert told.confusion.tolist() == [[1, 0, 0], [0, 0, 0]]
    assert math.isnan(told.classes["smile"].roc_area)


def test_equal_scores_are_worth_half():
    told = tell_apart([photo(1, (1, 0.9, 0)), photo(2, (1, 0.9, 0))], NAMES, 0.5)
    assert told.classes["face"].roc_area == told.classes["smile"].roc_area == 0.5


def test_an_evaluation_of_several_classes_says_how_they_are_told_apart():
    results = [photo(1, (1, 0.9, 0)), photo(2, (1, 0.8, 0))]
    measured = evaluate_run(DetectorRun(results, tuple(NAMES)), score_threshold=0.5)
    assert measured.telling_apart is not None
    assert measured.telling_apart.confusion.tolist() == [[1, 0, 0], [1, 0, 0]]
    (line,) = [line for line in str(measured).splitlines() if line.startswith("smile ")][1:]
    assert line.split() == ["smile", "1", "0", "0", "0.500", "0.500", "0.000"]
    assert evaluate_run(DetectorRun(results[:1], ("face",))).telling_apart is None

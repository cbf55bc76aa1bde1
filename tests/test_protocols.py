"""WIDER's and FDDB's protocols, on cases worked by hand."""

import numpy as np
import pytest
from test_commands import command, refused

import ssd
from ssd.detect.detections import Detections
from ssd.metrics import fddb, results, wider
from ssd.shipped import SHIPPED


def found(*rows):
    """Boxes as (score, ymin, xmin, ymax, xmax)."""
    rows = np.array(rows, float).reshape(-1, 5)
    return Detections(rows[:, 1:], rows[:, 0], np.ones(len(rows), int))


A, B, C = (10, 10, 49, 49), (10, 110, 49, 149), (10, 210, 49, 249)
AWAY = (100, 10, 139, 49)


def photo(boxes, counted):
    return wider.WiderPhoto(
        "a.jpg", np.array(boxes, float).reshape(-1, 4), {"easy": np.array(counted, int)}
    )


def test_a_second_box_on_a_face_is_false_and_one_on_an_ignored_face_counts_nothing():
    boxes = np.array([A, A, B, AWAY], float)
    hits, proposals = wider.judge_photo(boxes, np.array([A, B], float), np.array([True, False]))
    assert hits.tolist() == [1, 1, 1, 1]
    assert proposals.tolist() == [True, True, False, True]


def test_overlap_takes_in_the_last_pixel():
    """Of two boxes of 10 by 10 pixels beside each other the official code says that they touch."""
    one, other = np.array([[0, 0, 9, 9]], float), np.array([[0, 9, 9, 18]], float)
    assert wider._overlap(one, other)[0, 0] == pytest.approx(10 / 190)
    # 100 pixels, half of them shared: at 0.5 it is a hit.
    halves = np.array([[0, 0, 9, 4]], float)
    assert wider._overlap(one, halves)[0, 0] == 0.5
    assert wider.judge_photo(halves, one, np.array([True]))[0].tolist() == [1]


def test_a_box_goes_to_its_nearest_face_even_if_that_is_taken():
    near = (10, 14, 49, 53)  # overlaps A by 0.82; the other face by 0.6
    other = (10, 23, 49, 62)
    hits, _ = wider.judge_photo(
        np.array([A, near], float), np.array([A, other], float), np.array([True, True])
    )
    assert hits.tolist() == [1, 1]


def test_average_precision_worked_by_hand():
    """Right at 1.0, false at 0.9, right at 0.0 (scores are stretched): of three faces two.

    At recall 1/3 precision is 1, at 2/3 it is 2/3: AP is (1 + 2/3) / 3.
    """
    photos = [photo([A, B], [0, 1]), photo([C], [0])]
    answers = [found((0.8, *A), (0.75, *AWAY), (0.3, *B)), found()]
    assert wider.wider_precision(photos, answers, "easy") == pytest.approx((1 + 2 / 3) / 3)


def test_scores_are_read_at_a_thousand_steps():
    """Two scores less than a step apart come in together, as in the official code."""
    photos = [photo([A], [0]), photo([B], [0])]
    answers = [found((1.0, *A), (0.9994, *AWAY)), found((0.0, *B))]
    # A first and the false one a step later would give 1; together, a half counts as 2/3 later.
    assert wider.wider_precision(photos, answers, "easy") == pytest.approx(2 / 3)


def test_ignored_faces_are_neither_right_nor_wrong():
    photos = [photo([A, B], [0])]
    alone = wider.wider_precision(photos, [found((0.9, *A), (0.1, *AWAY))], "easy")
    beside = wider.wider_precision(photos, [found((0.9, *A), (0.8, *B), (0.1, *AWAY))], "easy")
    assert alone == beside == 1


@pytest.mark.parametrize("kinds", [{}, {"smile": "face"}])
def test_only_faces_and_their_kinds_are_judged(tmp_path, kinds):
    """A dog that is surer than the faces takes none of the places, and is no false positive."""
    ssd.write_photo(tmp_path / "a.png", np.zeros((64, 64, 3), np.uint8))
    rows = np.array([(*AWAY,), (*A,), (*B,)], float)

    def detector(photo, **limits):
        return Detections(rows, np.array([0.9, 0.8, 0.7]), np.array([1, 2, 3]))

    detector.config = ssd.Config(classes=("dog", "face", "smile"), kinds=kinds)
    ((faces, _),) = results.detect_named(detector, tmp_path, ["a.png"], max_detections=2)
    assert faces.class_ids.tolist() == ([2, 3] if kinds else [2])
    detector.config = ssd.Config(classes=("dog", "cat"))
    with pytest.raises(ValueError, match="wanted a model with a class called face, got dog, cat"):
        [*results.detect_named(detector, tmp_path, ["a.png"])]


@pytest.fixture
def portraits(tmp_path):
    """Photos under two events, laid out as WIDER's and FDDB's are."""
    import matplotlib.cbook

    path = matplotlib.cbook.get_sample_data("grace_hopper.jpg", asfileobj=False)
    for name in ("0--Parade/a.jpg", "0--Parade/b.jpg", "1--Group/c.jpg"):
        (tmp_path / "photos" / name).parent.mkdir(parents=True, exist_ok=True)
        ssd.write_photo(tmp_path / "photos" / name, ssd.read_photo(path))
    return tmp_path / "photos"


def cells(values):
    """A column of cells, as MATLAB has them."""
    column = np.empty((len(values), 1), object)
    for place, value in enumerate(values):
        column[place, 0] = value
    return column


@pytest.fixture
def ground_truth(tmp_path):
    """The four files, the shapes of their cells as in the official ones."""
    io = pytest.importorskip("scipy.io")
    folder = tmp_path / "ground_truth"
    folder.mkdir()
    face = np.array([[179.0, 120, 176, 210]])
    faces = [[face, np.concatenate([face, [[5, 5, 6, 6]]])], [face]]
    content = {
        "event_list": cells(["0--Parade", "1--Group"]),
        "file_list": cells([cells(["a", "b"]), cells(["c"])]),
        "face_bbx_list": cells([cells(each) for each in faces]),
    }
    io.savemat(folder / "wider_face_val.mat", content)
    for level, second in (("easy", [[1]]), ("medium", [[1]]), ("hard", [[1], [2]])):
        lists = [cells([np.array([[1]]), np.array(second)]), cells([np.zeros((0, 0))])]
        io.savemat(folder / f"wider_{level}_val.mat", {"gt_list": cells(lists)})
    return folder


def test_the_official_files_are_read(ground_truth):
    photos = wider.read_wider_truth(ground_truth)
    assert [each.name for each in photos] == [
        "0--Parade/a.jpg",
        "0--Parade/b.jpg",
        "1--Group/c.jpg",
    ]
    assert photos[0].boxes.tolist() == [[120, 179, 330, 355]]
    assert [each.counted["hard"].tolist() for each in photos] == [[0], [0, 1], []]
    assert photos[1].counted["easy"].tolist() == [0]


def test_the_command_prints_three_levels(ground_truth, portraits):
    status, said, err = command("evaluate", SHIPPED, portraits, "--wider", ground_truth)
    assert (status, err) == (0, [])
    assert said[0].startswith("WIDER FACE, 3 photos: easy 1.000, medium 1.000, hard 0.667")


def test_what_does_not_go_is_refused(ground_truth, portraits, tmp_path):
    assert "wanted one of TRUTH" in refused("evaluate", SHIPPED, portraits, status=2)
    assert "wanted TRUTH" in refused(
        *("evaluate", SHIPPED, portraits, "--wider", ground_truth, "--json", tmp_path / "a.json"),
        status=2,
    )
    (ground_truth / "wider_hard_val.mat").unlink()
    assert "wider_hard_val.mat: wanted a file" in refused(
        "evaluate", SHIPPED, portraits, "--wider", ground_truth
    )
    assert "wanted FDDB-fold" in refused("evaluate", SHIPPED, portraits, "--fddb", ground_truth)


def test_an_ellipse_is_counted_in_pixels():
    size, box = (200, 200), np.array([[50.0, 50, 150, 150]])
    tall = np.array([[60.0, 30, np.pi / 2, 100, 100]])  # the major axis stands upright
    inside = fddb.ellipse_iou(np.array([[0.0, 0, 200, 200]]), tall, size)[0, 0] * 200 * 200
    assert inside == pytest.approx(np.pi * 60 * 30, rel=0.01)
    wide = np.array([[60.0, 30, 0, 100, 100]])
    narrow = np.array([[70.0, 40, 130, 160]])  # 60 by 120 pixels, lying
    assert fddb.ellipse_iou(narrow, wide, size)[0, 0] == pytest.approx(np.pi / 4, rel=0.01)
    assert fddb.ellipse_iou(narrow, tall, size)[0, 0] < 0.5
    assert fddb.ellipse_iou(box, np.array([[300.0, 300, 0, 100, 100]]), size)[0, 0] == 0.25


CIRCLE = np.array([[50.0, 50, 0, 100, 100]])


def test_boxes_and_faces_are_matched_for_the_greatest_sum():
    """The best box of two does not get the face if the other fits it better."""
    loose, tight = (0.9, 30, 30, 171, 171), (0.5, 50, 50, 150, 150)
    changes = fddb.judge_photo(found(loose, tight), CIRCLE, (200, 200))
    first, second = fddb.ellipse_iou(np.array([loose[1:], tight[1:]], float), CIRCLE, (200, 200))[
        :, 0
    ]
    assert (first < 0.5) == (np.pi * 2500 / 141**2 < 0.5)
    assert second == pytest.approx(np.pi / 4, rel=0.02)
    assert changes[0] == (0.9, 0, pytest.approx(first), 1)
    assert changes[1] == (0.5, 1, pytest.approx(second - first), 0)


def test_curves_add_up_over_photos():
    changes = [(0.9, 1, 0.8, 0), (0.4, 0, 0.0, 1), (0.6, 1, 0.7, 0), (0.4, 0, 0.1, 1)]
    figures = fddb.fddb_curves(changes, photos=2, faces=4)
    assert figures.scores.tolist() == [0.9, 0.6, 0.4]
    assert figures.false_positives.tolist() == [0, 0, 2]
    assert figures.discrete.tolist() == [0.25, 0.5, 0.5]
    np.testing.assert_allclose(figures.continuous, [0.2, 0.375, 0.4])
    assert "discrete 0.500, continuous 0.400 at 2 false positives" in str(figures)


def test_the_command_prints_both_scores(portraits, tmp_path):
    rows = "0--Parade/a\n1\n105 88 1.5708 267 225  1\n1--Group/c\n0\n"
    (tmp_path / "folds").mkdir()
    (tmp_path / "folds" / "FDDB-fold-01-ellipseList.txt").write_text(rows)
    status, said, err = command("evaluate", SHIPPED, portraits, "--fddb", tmp_path / "folds")
    assert (status, err) == (0, [])
    assert said[0].startswith("FDDB, 2 photos, 1 faces: discrete 1.000, continuous 0.7")


def test_folds_that_are_damaged_are_refused(tmp_path):
    (tmp_path / "FDDB-fold-01-ellipseList.txt").write_text("a\n2\n1 2 3 4 5 1\n")
    with pytest.raises(ValueError, match="a row of numbers for each after a"):
        fddb.read_fddb_truth(tmp_path)

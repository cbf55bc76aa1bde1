"""What several raters see, and what of it counts: by hand, and against plain loops."""

import itertools

import numpy as np
import pytest

from distill.votes.agreement import group_faces, mean_of, merge
from distill.votes.columns import to_columns
from distill.votes.rules import Rules
from distill.votes.voting import vote
from ssd.boxes import iou
from ssd.data.records import LabeledPhoto


def photo(rows, name="a.jpg"):
    """A photo whose rows are (left edge of a box a tenth wide, class, score)."""
    rows = np.float32(rows).reshape(-1, 3)
    left = rows[:, 0]
    boxes = np.stack([0 * left, left, 0 * left + 0.2, left + 0.1], axis=1)
    return LabeledPhoto(b"", name, 10, 10, boxes, rows[:, 1].astype(np.int32), rows[:, 2])


def said(*raters, kept=(), geometry=None, **rules):
    """{left edge in hundredths: class} of what the vote leaves."""
    found = vote([to_columns([photo(rows)]) for rows in raters], kept=kept, geometry=geometry,
                 rules=Rules(**rules))  # fmt: skip
    return {
        round(100 * float(box[1])): int(class_id)
        for box, class_id in zip(found.boxes, found.class_ids, strict=True)
    }


def test_what_both_see_is_a_face_if_either_is_sure():
    assert said([(0.1, 1, 0.99)], [(0.12, -1, 0.4)]) == {11: 1}
    assert said([(0.1, -1, 0.7)], [(0.12, 1, 0.8)]) == {11: 1}
    assert said([(0.1, -1, 0.7)], [(0.12, -1, 0.4)]) == {11: -1}


def test_what_one_of_two_sees_is_ignored_unless_it_is_kept_or_hardly_sure():
    assert said([(0.1, 1, 0.999)], []) == {10: -1}
    assert said([], [(0.1, 1, 0.95)]) == {10: -1}
    assert said([], [(0.1, 1, 0.95)], kept=[1]) == {10: 1}
    assert said([], [(0.1, 1, 0.8)], kept=[1]) == {10: -1}
    assert said([], [(0.1, 1, 0.8)], kept=[1], trusted_score=0.7) == {10: 1}
    assert said([(0.1, 1, 0.999)], [], kept=[1]) == {10: -1}
    assert said([], [(0.1, -1, 0.95)], kept=[1]) == {10: -1}  # one of its own looks missed it
    assert said([], [(0.1, -1, 0.5)]) == {}
    assert said([], [(0.1, 1, 0.5)]) == {10: -1}  # a face to one of them is no background
    assert said([], [(0.1, -1, 0.5)], min_score_alone=0) == {10: -1}
    assert said([], []) == {}


def test_of_three_two_suffice_and_of_four_three():
    one = [(0.1, 1, 0.9)]
    assert said(one, one, []) == said(one, [], one) == said([], one, one) == {10: 1}
    assert said(one, [], []) == {10: -1}
    assert said(one, one, [], []) == {10: -1}
    assert said(one, one, one, []) == {10: 1}
    assert said(one) == {10: 1}


def test_each_box_is_of_one_face():
    assert said([(0.1, 1, 0.99)], [(0.1, 1, 0.9), (0.12, 1, 0.7)]) == {10: 1, 12: -1}


def test_the_surest_says_which_class_it_is():
    assert said([(0.1, 1, 0.7)], [(0.1, 2, 0.8)]) == {10: 2}
    assert said([(0.1, 1, 0.7)], [(0.1, 2, 0.8)], [(0.1, -1, 0.9)]) == {10: 2}


def test_who_does_not_know_the_class_is_asked_last():
    assert said([(0.1, -2, 0.9)], [(0.1, 2, 0.7)]) == {10: 2}
    assert said([(0.1, -2, 0.9)], [(0.1, -1, 0.7)]) == {10: -2}


def test_the_geometry_is_the_mean_or_that_of_the_rater_named():
    raters = [[(0.1, 1, 0.9)], [(0.12, 1, 0.9), (0.5, 1, 0.9)], [(0.52, 1, 0.9)]]
    assert said(*raters[:2]) == {11: 1, 50: -1}
    assert said(*raters[:2], geometry=0) == {10: 1, 50: -1}
    assert said(*raters, geometry=1) == {12: 1, 50: 1}
    found = vote([to_columns([photo(rows)]) for rows in raters])
    np.testing.assert_allclose(found.scores, [0.9, 0.9])


def test_rules_and_raters_out_of_range():
    with pytest.raises(ValueError, match=r"iou_threshold: wanted a number in \(0, 1\], got 0"):
        Rules(iou_threshold=0)
    with pytest.raises(ValueError, match="trusted_score: wanted"):
        Rules(trusted_score=1.5)
    assert Rules(min_score_alone=0)
    with pytest.raises(ValueError, match="wanted one or more raters"):
        vote([])


def grouped_by_loops(lists, threshold):
    """The specification: take the best pair that is left, join what its boxes are in."""
    groups = [{rater: index} for rater, boxes in enumerate(lists) for index in range(len(boxes))]
    pairs = []
    for (a, first), (b, second) in itertools.combinations(enumerate(lists), 2):
        for i, j in itertools.product(range(len(first)), range(len(second))):
            overlap = iou([first[i]], [second[j]])[0, 0]
            if overlap >= threshold:
                pairs.append((overlap, a, i, b, j))
    for _, a, i, b, j in sorted(pairs, key=lambda pair: -pair[0]):
        (one,) = [group for group in groups if group.get(a) == i]
        (other,) = [group for group in groups if group.get(b) == j]
        if one is not other and not set(one) & set(other):
            one.update(other)
            groups.remove(other)
    return {frozenset(group.items()) for group in groups}


def drawn_lists(seed):
    random = np.random.default_rng(seed)
    faces = random.random([6, 2])
    lists = []
    for _ in range(random.integers(1, 5)):
        seen = faces[random.random(6) < 0.7] + random.normal(0, 0.04, [1, 2])
        corner = np.concatenate([seen, random.random([random.integers(3), 2])])
        size = random.uniform(0.15, 0.3, [len(corner), 1])
        lists.append(np.float32(np.concatenate([corner, corner + size], 1)))
    return lists


@pytest.mark.parametrize("at_once", [1, 100, 10**6])
def test_many_photos_at_once_are_each_for_itself(monkeypatch, at_once):
    monkeypatch.setattr("distill.votes.agreement._PAIRS_AT_ONCE", at_once)
    photos = [(drawn_lists(seed) * 4)[:4] for seed in range(20)]
    photos.insert(3, [np.zeros([0, 4], np.float32)] * 4)
    columns = [np.concatenate(each) for each in zip(*photos, strict=True)]
    of_each = [
        np.repeat(np.arange(len(photos)), [len(each[rater]) for each in photos])
        for rater in range(4)
    ]
    together = group_faces(columns, iou_threshold=0.3, photos=of_each)
    before = np.zeros(4, int)
    alone = []
    for each in photos:
        faces = group_faces(each, iou_threshold=0.3)
        alone.append(np.where(faces < 0, -1, faces + before))
        before += [len(boxes) for boxes in each]
    np.testing.assert_array_equal(together, np.concatenate(alone))


@pytest.mark.parametrize("seed", range(20))
def test_groups_are_those_of_plain_loops(seed):
    lists = drawn_lists(seed)
    rows = group_faces(lists, iou_threshold=0.3)
    found = {frozenset((rater, index) for rater, index in enumerate(row) if index >= 0)
             for row in rows.tolist()}  # fmt: skip
    assert found == grouped_by_loops(lists, 0.3)
    assert len(found) == len(rows)


def test_means_and_looks():
    assert mean_of(np.zeros([0, 2], int), [np.zeros([0, 4]), np.zeros([0, 4])]).shape == (0, 4)
    boxes, scores, agreed = merge([([], []), ([[0, 0, 2, 2]], [0.5])])
    assert boxes.tolist() == [[0, 0, 2, 2]]
    assert (scores.tolist(), agreed.tolist()) == ([0.5], [False])
    boxes, scores, agreed = merge([([[0, 0, 2, 2]], [1])] * 3)
    assert (boxes.tolist(), scores.tolist(), agreed.tolist()) == ([[0, 0, 2, 2]], [1], [True])

"""Boxes that the better rater does not see are brought to its style; its own and few are not."""

import numpy as np
import pytest
from test_panel import compare, shifted
from test_voting import photo

from distill.reporting import comparison_lines
from distill.votes.columns import to_columns
from distill.votes.panel import Panel
from distill.votes.styles import LEAST_PAIRS

STYLE = {"top": -0.15, "left": 0.1, "bottom": -0.1, "right": 0.02}


def collection(source, seen, alone, style=STYLE):
    """Photos of (people, teacher): some faces of both, some that only people see."""
    photos = []
    for number in range(seen + alone):
        people = photo([(0.4, 1, 1)], f"{source}/{number}.jpg")._replace(source=source)
        people = people._replace(boxes=people.boxes + np.float32(0.3))
        teacher = shifted(people, **style)
        if number >= seen:
            teacher = teacher._replace(boxes=teacher.boxes[:0], class_ids=teacher.class_ids[:0],
                                       scores=teacher.scores[:0])  # fmt: skip
        photos.append((people, teacher))
    return photos


def decide(photos, geometry="teacher"):
    labels = [to_columns(each) for each in zip(*photos, strict=True)]
    panel = Panel(["people", "teacher"], kept=["people"], geometry=geometry)
    voted, compared = panel.decide(labels)
    return {each.filename: each for each in voted.to_photos()}, compared


def test_what_the_better_rater_misses_takes_its_style_source_by_source():
    other = {"top": 0.2, "left": 0, "bottom": 0, "right": 0}
    photos = [*collection("masks", LEAST_PAIRS, 5), *collection("wider", LEAST_PAIRS, 2, other),
              *collection("few", LEAST_PAIRS - 1, 3)]  # fmt: skip
    voted, compared = decide(photos)
    for people, _ in photos:
        style = {"masks": STYLE, "wider": other, "few": {}}[people.source]
        number = int(people.filename.partition("/")[2].partition(".")[0])
        if people.source == "few" and number < LEAST_PAIRS - 1:
            style = STYLE  # the teacher's own box
        wanted = shifted(people, **style).boxes
        np.testing.assert_allclose(voted[people.filename].boxes, wanted, atol=1e-5)
    told = {row["source"]: row["shifted"] for row in compared["edges"]}
    assert told == {"": 7, "masks": 5, "wider": 2, "few": 0}
    assert {row["source"]: row["top"] for row in compared["edges"]}["masks"] == -0.15
    lines = comparison_lines(compared)
    assert lines[4].endswith("right  shifted")
    assert any(line.startswith("masks") and line.endswith("       5") for line in lines)
    assert decide(photos[::-1])[1] == compared


def test_without_a_better_rater_nothing_is_shifted():
    photos = collection("masks", LEAST_PAIRS, 5)
    voted, compared = decide(photos, geometry=None)
    people = photos[-1][0]
    np.testing.assert_array_equal(voted[people.filename].boxes, people.boxes)
    assert all("shifted" not in row for row in compared["edges"])
    assert "shifted" not in "\n".join(comparison_lines(compare(photos)[0]))


@pytest.mark.parametrize("top", [-3, 2])
def test_a_shifted_box_stays_on_its_photo_and_keeps_an_area(top, monkeypatch):
    photos = collection("masks", LEAST_PAIRS, 1)
    style = np.full([2, 1, 4], np.nan, np.float32)
    style[0, 0] = [top, 0, 0, 0]
    monkeypatch.setattr("distill.votes.panel.measure_styles", lambda views, geometry: style)
    (box,) = decide(photos)[0][photos[-1][0].filename].boxes
    before = photos[-1][0].boxes[0]
    wanted = [max(0, before[0] + top * (before[2] - before[0])), *before[1:]]
    np.testing.assert_allclose(box, before if top == 2 else wanted, atol=1e-6)

"""Who sees what the others see, and how far apart edges are: by hand, and against plain loops."""

import itertools
import statistics

import numpy as np
import pytest
from test_voting import photo

from distill.reporting import comparison_lines
from distill.votes.columns import to_columns
from distill.votes.comparing import EDGES, MOST_SOURCES
from distill.votes.panel import Panel
from ssd.boxes import iou


def compare(photos, names=("one", "other"), geometry=None):
    """What a panel says of [(photo of each rater)], and its edges by (rater, against, source)."""
    labels = [to_columns(each) for each in zip(*photos, strict=True)]
    compared = Panel(names, geometry=geometry).decide(labels)[1]
    edges = {(row["rater"], row["against"], row["source"]): row for row in compared["edges"]}
    return compared, edges


def shifted(each, **edges):
    """The same photo with edges moved by shares of each box's size."""
    sizes = np.tile(each.boxes[:, 2:] - each.boxes[:, :2], 2)
    return each._replace(
        boxes=each.boxes + sizes * np.float32([edges.get(edge, 0) for edge in EDGES])
    )


def test_edges_are_told_by_source_and_in_shares_of_the_face():
    masks = photo([(0.1, 1, 1), (0.5, 1, 1)], "x/1.jpg")._replace(source="masks")
    street = photo([(0.3, 1, 1)], "x/2.jpg")._replace(source="street")
    photos = [
        (masks, shifted(masks, top=-0.15, bottom=-0.1)),
        (street, shifted(street, left=0.2)),
    ]
    compared, edges = compare(photos, ("people", "teacher"), geometry="teacher")
    assert compared["faces"] == [3, 3]
    assert compared["seen"] == [[1, 1], [1, 1]]
    assert set(edges) == {("people", "teacher", source) for source in ("", "masks", "street")}
    row = edges["people", "teacher", "masks"]
    assert [row[edge] for edge in EDGES] == pytest.approx([-0.15, 0, -0.1, 0], abs=1e-4)
    assert row["faces"] == 2
    assert edges["people", "teacher", "street"]["left"] == pytest.approx(0.2, abs=1e-4)
    assert compare(photos[::-1], ("people", "teacher"), geometry="teacher")[0] == compared
    text = "\n".join(comparison_lines(compared))
    assert "edges of teacher minus those of people" in text
    assert "masks          2   -15.0    +0.0   -10.0    +0.0" in text


def test_a_region_is_seen_but_is_no_face():
    sure, doubtful = photo([(0.1, 1, 0.9), (0.5, 1, 0.9)]), photo([(0.1, -1, 0.4)])
    compared, edges = compare([(sure, doubtful)])
    assert compared["faces"] == [2, 0]
    assert compared["seen"] == [[1, 0.5], [None, None]]
    assert set(edges) == {("one", "other", "")}
    assert "-" in comparison_lines(compared)[2]
    nothing, edges = compare([(photo([]), photo([]))])
    assert nothing["seen"] == [[None, None]] * 2
    assert edges == {}
    assert len(comparison_lines(nothing)) == 3


def test_the_first_folder_stands_for_the_source_and_few_sources_are_told():
    face = [(0.1, 1, 0.9)]
    photos = [(photo(face, f"{i}/a.jpg"),) * 2 for i in range(MOST_SOURCES + 5)]
    photos += [(photo(face, "most/a.jpg"),) * 2, (photo(face, "most/deep/b.jpg"),) * 2]
    _, edges = compare(photos)
    told = [source for _, _, source in edges]
    assert told[:2] == ["", "most"]
    assert len(told) == 1 + MOST_SOURCES
    assert edges["one", "other", "most"]["faces"] == 2
    assert [*compare([(photo(face),) * 2])[1]] == [("one", "other", "")]  # one source: no rows


def test_the_whole_against_plain_loops():
    random = np.random.default_rng(0)
    photos = []
    for name in range(30):
        rows = [
            [
                (place + random.normal(0, 0.005), random.choice([1, 1, -1]), 0.9)
                for place in np.linspace(0.05, 0.75, 6)
                if random.random() < 0.7
            ]
            for _ in range(3)
        ]
        photos.append([photo(each, f"{name}.jpg") for each in rows])
    compared, edges = compare(photos, ("a", "b", "c"))
    for (i, first), (j, second) in itertools.permutations(enumerate("abc"), 2):
        faces, shares = 0, []
        for raters in photos:
            for box, class_id in zip(raters[i].boxes, raters[i].class_ids, strict=True):
                if class_id < 1:
                    continue
                faces += 1
                for other in raters[j].boxes:
                    if iou([box], [other])[0, 0] >= 0.45:
                        size = [box[2] - box[0], box[3] - box[1]] * 2
                        shares.append((other - box) / size)
        assert compared["faces"][i] == faces
        assert compared["seen"][i][j] == pytest.approx(len(shares) / faces, abs=1e-4)
        if i < j:
            row = edges[first, second, ""]
            for side, edge in enumerate(EDGES):
                middle = statistics.median(float(share[side]) for share in shares)
                assert row[edge] == pytest.approx(middle, abs=1e-3)


def test_a_panel_is_two_or_more_and_knows_whom_it_names():
    for names, options, wanted in (
        (["a"], {}, "wanted two or more raters, each once, got a"),
        (["a", "a"], {}, "each once"),
        (["a", "b"], {"kept": ["c"]}, "kept: wanted one of a, b, got c"),
        (["a", "b"], {"geometry": "c"}, "geometry: wanted one of a, b, got c"),
    ):
        with pytest.raises(ValueError, match=wanted):
            Panel(names, **options)

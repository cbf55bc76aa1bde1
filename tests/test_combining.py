import numpy as np
import pytest

from distill.combining import agree, combine
from ssd.data import manifest, records
from ssd.data.records import LabelledPhoto


def photo(rows, name="a.jpg"):
    """A photo whose rows are (left edge of a box a tenth wide, class, score)."""
    rows = np.float32(rows).reshape(-1, 3)
    left = rows[:, 0]
    boxes = np.stack([0 * left, left, 0 * left + 0.2, left + 0.1], axis=1)
    return LabelledPhoto(b"", name, 10, 10, boxes, rows[:, 1].astype(np.int32), rows[:, 2])


def said(first, second, **options):
    """{left edge in hundredths: class} of what they agree on."""
    found = agree(photo(first), photo(second), **options)
    return {
        round(100 * float(box[1])): int(kind)
        for box, kind in zip(found.boxes, found.class_ids, strict=True)
    }


def test_what_both_see_is_a_face_if_either_is_sure():
    assert said([(0.1, 1, 0.99)], [(0.12, -1, 0.4)]) == {11: 1}
    assert said([(0.1, -1, 0.7)], [(0.12, 1, 0.8)]) == {11: 1}
    assert said([(0.1, -1, 0.7)], [(0.12, -1, 0.4)]) == {11: -1}


def test_what_one_sees_is_ignored_unless_the_second_is_very_sure_or_hardly():
    assert said([(0.1, 1, 0.999)], []) == {10: -1}
    assert said([], [(0.1, 1, 0.8)]) == {10: -1}
    assert said([], [(0.1, 1, 0.95)]) == {10: 1}
    assert said([], [(0.1, -1, 0.95)]) == {10: -1}  # one of its own looks missed it
    assert said([], [(0.1, -1, 0.5)]) == {}
    assert said([], [(0.1, 1, 0.8)], trusted_score=0.7) == {10: 1}
    assert said([], []) == {}


def test_each_box_is_in_one_pair_at_most():
    assert said([(0.1, 1, 0.99)], [(0.1, 1, 0.9), (0.12, 1, 0.7)]) == {10: 1, 12: -1}


def folder(path, photos):
    records.write_shard(records.shard_path(path, 0), photos)
    manifest.write(path, {"classes": ["face"], "complete": True})
    return path


def test_two_folders_become_one(tmp_path):
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
    names = ["a.jpg", "b.jpg", "c.jpg"]
    first = folder(tmp_path / "first", [photo([(0.1, 1, 0.99)], name) for name in names])
    rows = [[(0.1, 1, 0.9)], [], [(0.5, 1, 0.7)]]
    second = folder(
        tmp_path / "second", [photo(row, name) for row, name in zip(rows, names, strict=True)]
    )
    counts = combine(first, second, tmp_path / "out", shard_photos=2)
    assert counts == {"photos": 3, "faces": 1, "ignored": 3}
    assert len(records.shards(tmp_path / "out")) == 2
    assert [each.class_ids.tolist() for each in records.read(tmp_path / "out")] == [
        [1],
        [-1],
        [-1] * 2,
    ]
    stamp = records.shards(tmp_path / "out")[0].stat().st_mtime_ns
    assert combine(first, second, tmp_path / "out", shard_photos=2) == counts
    assert records.shards(tmp_path / "out")[0].stat().st_mtime_ns == stamp
    with pytest.raises(ValueError, match="holds another dataset: its trust is"):
        combine(first, second, tmp_path / "out", trusted_score=0.5, shard_photos=2)


def test_labels_of_other_photos_are_refused(tmp_path):
    for name in ("first", "second", "fewer"):
        (tmp_path / name).mkdir()
    first = folder(tmp_path / "first", [photo([], "a.jpg"), photo([], "b.jpg")])
    second = folder(tmp_path / "second", [photo([], "a.jpg"), photo([], "x.jpg")])
    fewer = folder(tmp_path / "fewer", [photo([], "a.jpg")])
    with pytest.raises(ValueError, match=r"wanted the photo b\.jpg, got x\.jpg"):
        combine(first, second, tmp_path / "out")
    with pytest.raises(ValueError, match=r"wanted labels of the 2 photos of .*, got 1 photos"):
        combine(first, fewer, tmp_path / "other")

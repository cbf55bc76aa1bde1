"""Labels going out: as YOLO's folders, as a table, and split in two."""

import csv
import os

import numpy as np
import pytest
from test_commands import command, refused

import ssd
from ssd.data.splitting import choose_validation


def photo(name, boxes=(), class_ids=(), full_size=None):
    return ssd.LabeledPhoto(
        encoded=b"\xff\xd8" + name.encode() + b"\xff\xd9",
        filename=name,
        height=80,
        width=120,
        boxes=np.float32(boxes).reshape(-1, 4),
        class_ids=np.int64(class_ids),
        scores=np.full(len(class_ids), 0.5, np.float32),
        full_size=full_size,
    )


@pytest.fixture
def labels(tmp_path):
    photos = [
        photo("trip/a.png", [[0.1, 0.2, 0.3, 0.6], [0, 0, 0.5, 0.5]], [2, -1], (160, 240)),
        photo("trip/a.jpg", [[0, 0, 1, 1]], [-2]),
        photo("../../etc/b.jpg"),
    ]
    ssd.write_labels(tmp_path / "labels", photos, class_names=("face", 'so "called"'))
    return tmp_path / "labels"


def test_yolo_has_photos_lines_and_names(labels, tmp_path):
    import yaml

    status, said, err = command("yolo", labels, tmp_path / "yolo")
    assert status == 0
    assert said == [f"{tmp_path / 'yolo'}: 3 photos, 1 boxes"]
    assert "2 regions to ignore and objects of no known class are background" in err[0]
    files = sorted(
        str(path.relative_to(tmp_path / "yolo")) for path in (tmp_path / "yolo").rglob("*.*")
    )
    assert files == [
        "data.yaml",
        *("images/etc/b.jpg", "images/trip/a-2.jpg", "images/trip/a.jpg"),
        *("labels/etc/b.txt", "labels/trip/a-2.txt", "labels/trip/a.txt"),
    ]
    assert (tmp_path / "yolo/labels/trip/a.txt").read_text() == (
        "1 0.400000 0.200000 0.400000 0.200000\n"
    )
    assert (tmp_path / "yolo/labels/trip/a-2.txt").read_text() == ""
    assert (tmp_path / "yolo/images/trip/a.jpg").read_bytes() == b"\xff\xd8trip/a.png\xff\xd9"
    about = yaml.safe_load((tmp_path / "yolo/data.yaml").read_text())
    assert about["names"] == {0: "face", 1: 'so "called"'}
    assert "new or an empty folder" in refused("yolo", labels, tmp_path / "yolo")


def test_the_table_has_pixels_of_the_photo_and_words_for_what_is_no_class(labels, tmp_path):
    status, said, _ = command("csv", labels, tmp_path / "labels.csv")
    assert status == 0
    assert said == [f"{tmp_path / 'labels.csv'}: 3 photos, 3 boxes and regions"]
    with open(tmp_path / "labels.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["class"] for row in rows] == ['so "called"', "ignore", "unknown", ""]
    edges = [float(rows[0][edge]) for edge in ("ymin", "xmin", "ymax", "xmax")]
    np.testing.assert_allclose(edges, [16, 48, 48, 144], atol=1e-3)
    assert rows[3]["photo"] == "../../etc/b.jpg"


NAMES = [f"film{film:02d}/{frame}.jpg" for film in range(20) for frame in range(10)]


def test_frames_of_one_film_stay_together_and_the_share_is_kept():
    chosen = choose_validation(NAMES, share=0.2, seed=3, pattern="^film[0-9]+")
    assert len(chosen) == 40
    films = {name.split("/")[0] for name in chosen}
    assert all((name in chosen) == (name.split("/")[0] in films) for name in NAMES)


def test_the_seed_decides_and_new_photos_move_few():
    def chosen(seed, names=NAMES):
        return choose_validation(names, share=0.3, seed=seed, pattern="^film[0-9]+")

    assert chosen(1) == chosen(1, reversed(NAMES))
    assert chosen(1) != chosen(2)
    more = [*NAMES, *(f"film99/{frame}.jpg" for frame in range(10))]
    films = [{name.split("/")[0] for name in each} for each in (chosen(1), chosen(1, more))]
    assert len(films[0] ^ films[1]) <= 2


def test_a_pattern_counts_by_what_is_in_its_brackets():
    names = ["a-1-x.jpg", "b-1-y.jpg", "c-2-x.jpg", "odd.jpg"]
    chosen = choose_validation(names, share=0.5, pattern="-([0-9])-")
    assert ("a-1-x.jpg" in chosen) == ("b-1-y.jpg" in chosen)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"share": 0.0}, "share: wanted a number over 0 and under 1"),
        ({"share": 1.0}, "share: wanted a number over 0 and under 1"),
        ({"pattern": "("}, "group: wanted a regular expression"),
        ({"pattern": "jpg"}, "wanted two groups of photos or more, got 1"),
    ],
)
def test_a_split_that_is_none_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        choose_validation(NAMES, **options)


def test_both_sides_have_all_photos_once(tmp_path):
    photos = [photo(name, [[0, 0, 1, 1]], [1]) for name in NAMES]
    ssd.write_labels(tmp_path / "all", photos)
    train, validation = tmp_path / "train", tmp_path / "validation"
    arguments = ("split", tmp_path / "all", train, validation, "--group", "^film[0-9]+")
    status, said, err = command(*arguments)
    assert (status, err) == (0, [])
    assert said == [f"{train}: 180 photos, 180 boxes", f"{validation}: 20 photos, 20 boxes"]
    sides = [[each.filename for each in ssd.read_labels(side)] for side in (train, validation)]
    assert sorted(sides[0] + sides[1]) == sorted(NAMES)
    assert command(*arguments)[0] == 0  # the same again
    assert "holds another dataset" in refused(*arguments, "--seed", 1)
    assert "wanted three folders" in refused("split", train, train, validation)
    assert os.listdir(tmp_path)

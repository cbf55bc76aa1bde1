import dataclasses
import io

import numpy as np
import pytest
from PIL import Image

import ssd
from ssd.data import balancing, records
from ssd.data.labels import write_labels

CLASSES = ("face", "smile")


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Two folders of photos, each of one gray, by which it is known again.

    60 faces, brightest to middling; 8 smiles and 4 photos without anything, dark.
    """
    parent = tmp_path_factory.mktemp("balance")
    write(parent / "faces", [(250 - 2 * index, 1) for index in range(60)])
    rare = [(100 - 4 * index, 2) for index in range(8)]
    write(parent / "smiles", [*rare, *[(40 - 5 * index, 0) for index in range(4)]])
    return [parent / "faces", parent / "smiles"]


def write(folder, grays):
    photos = []
    for gray, class_id in grays:
        file = io.BytesIO()
        Image.new("L", (96, 64), gray).save(file, "JPEG", quality=95)
        known = np.array([class_id] if class_id else [], np.int32)
        boxes = np.array([[0.2, 0.2, 0.8, 0.6]], np.float32)[: len(known)]
        photos.append(
            records.LabeledPhoto(
                file.getvalue(), f"{gray}.jpg", 64, 96, boxes, known, np.ones(len(known))
            )
        )
    write_labels(folder, photos, class_names=CLASSES)


@pytest.fixture(scope="module")
def two(tiny):
    return dataclasses.replace(tiny, classes=CLASSES)


def drawn(data, passes=1):
    """Class of each photo that comes, told by its gray: 1, 2, or 0 where nothing is."""
    seen = []
    for _ in range(passes):
        for images, _ in data:
            grays = [np.median(image[image > 15]) for image in images.numpy()]
            seen += np.array([0, 2, 1])[np.digitize(grays, [56, 116])].tolist()
    return np.array(seen)


def test_folders_come_by_their_weights(folders, two):
    data = ssd.dataset(folders, two, batch_size=8, training=True, seed=3, weights=[1, 3])
    seen = drawn(data, passes=4)
    assert len(seen) == 4 * 72  # an epoch is as long as it was
    assert np.mean(seen != 1) == pytest.approx(0.75, abs=0.08)


@pytest.mark.parametrize("options", [{"weights": [1, 3]}, {"balance": "class"}])
def test_a_seed_makes_balanced_batches_repeatable_and_each_pass_another(folders, two, options):
    one, other = (
        ssd.dataset(folders, two, batch_size=8, training=True, seed=5, **options) for _ in range(2)
    )
    first = [images.numpy() for images, _ in one]
    np.testing.assert_array_equal(first, [images.numpy() for images, _ in other])
    assert (np.array(first) != [images.numpy() for images, _ in one]).any()


def test_classes_come_equally_often_and_photos_without_keep_their_share(folders, two, tmp_path):
    for cache in (None, tmp_path):
        data = ssd.dataset(
            folders, two, batch_size=8, training=True, seed=1, balance="class", cache=cache
        )
        seen = drawn(data, passes=6)
        shares = [np.mean(seen == class_id) for class_id in (0, 1, 2)]
        assert shares == pytest.approx([4 / 72, 34 / 72, 34 / 72], abs=0.08)


def test_a_photo_goes_with_the_rarest_class_on_it():
    present = np.array([[1, 0, 0], [1, 1, 0], [1, 1, 1], [0, 0, 0]], bool)
    assert balancing._group_numbers(present, [2, 1, 0]).numpy().tolist() == [1, 2, 3, 0]


def test_a_class_that_nothing_has_takes_no_share(folders, two, tmp_path):
    groups = balancing.by_class([str(path) for path in records.shards(folders[0])], CLASSES)
    assert [(group.name, group.share) for group in groups] == [("face", 1.0)]


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ({"weights": [1]}, "a number over 0 for each of 2 folders, got"),
        ({"weights": [1, 0]}, "a number over 0 for each of 2 folders, got"),
        ({"weights": [1, float("nan")]}, "a number over 0 for each of 2 folders, got"),
        ({"balance": "size"}, "balance: wanted class, got 'size'"),
        ({"balance": "class", "weights": [1, 1]}, "weights: wanted none beside balance"),
        ({"balance": "class", "training": False}, "balance: wanted training=True and no service"),
    ],
)
def test_balances_that_make_no_sense_are_refused(folders, two, options, wanted):
    with pytest.raises(ValueError, match=wanted):
        ssd.dataset(folders, two, **{"training": True, **options})


def test_a_run_shows_what_came_and_goes_on_with_it(folders, two, tmp_path):
    options = {"batch_size": 24, "seed": 0, "balance": "class"}
    model = ssd.train(folders, tmp_path / "run", two, epochs=1, **options)
    assert model.provenance["balance"] == "class"
    assert model.provenance["terms"]["share_smile"] == pytest.approx(0.5, abs=0.15)
    total = model.provenance["terms"]["share_smile"] + model.provenance["terms"]["share_face"]
    assert total == pytest.approx(1.0)
    with pytest.raises(ValueError, match="another run: its balance is 'class', wanted None"):
        ssd.train(folders, tmp_path / "run", two, epochs=1, batch_size=24, seed=0)

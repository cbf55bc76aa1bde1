import dataclasses
import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import ssd
from ssd.config import IGNORE, UNKNOWN
from ssd.data import augment, placing, records
from ssd.data.labels import write_labels

CLASSES = ("face", "smile")
SCENE, GRAYS = 30, {1: 110, 2: 220}  # grays by which scenes and the classes of crops are known


def encoded(pixels):
    file = io.BytesIO()
    Image.fromarray(np.asarray(pixels, np.uint8)).save(file, "JPEG", quality=98, subsampling=0)
    return file.getvalue()


def labeled(pixels, name, class_ids, box=(0.0, 0.0, 1.0, 1.0)):
    height, width = np.shape(pixels)[:2]
    count = len(class_ids)
    return records.LabeledPhoto(
        encoded(pixels),
        name,
        height,
        width,
        np.array([box] * count, np.float32),
        np.array(class_ids, np.int32),
        np.ones(count),
    )


def parsed(pixels, class_ids, box):
    """What is parsed of as many crops as a scene may have."""
    crops = [labeled(pixels, "a.jpg", [each], box) for each in class_ids]
    return records.parse(
        tf.constant([records.serialize(crop, class_names=CLASSES) for crop in crops])
    )


@pytest.fixture
def plain(monkeypatch):
    """Crops with hard edges, and no compression."""
    monkeypatch.setattr(placing, "_SOFT", 0.0)
    monkeypatch.setattr(augment, "_COMPRESSED", 0.0)


@pytest.fixture(scope="module")
def two(tiny):
    return dataclasses.replace(tiny, classes=CLASSES)


@pytest.fixture(scope="module")
def folders(tmp_path_factory, two):
    """Labels: 12 scenes, 12 photos of black with faces of unknown class; and 8 crops, 6 of them
    smiles."""
    parent = tmp_path_factory.mktemp("placing")
    scenes = [labeled(np.full((64, 96, 3), SCENE), f"s{n}.jpg", []) for n in range(12)]
    black = np.zeros((64, 96, 3))
    faces = [labeled(black, f"f{n}.jpg", [UNKNOWN], (0.2, 0.2, 0.8, 0.6)) for n in range(12)]
    crops = [
        labeled(np.full((32, 32, 3), GRAYS[1 + (n > 1)]), f"c{n}.jpg", [1 + (n > 1)])
        for n in range(8)
    ]
    write_labels(parent / "labels", scenes + faces, class_names=CLASSES)
    write_labels(parent / "crops", crops, class_names=CLASSES)
    return parent / "labels", parent / "crops"


def white_box(image):
    rows, columns = (np.flatnonzero((image > 128).any(axis=axis)) for axis in ((1, 2), (0, 2)))
    return np.array([rows[0], columns[0], rows[-1] + 1, columns[-1] + 1], float)


@pytest.mark.parametrize("seed", range(12))
def test_a_box_is_where_the_pixels_of_its_face_are(two, plain, seed):
    crop = np.zeros((64, 64, 3))
    crop[8:56, 4:30] = 255  # left of the middle, so that mirroring shows
    crops = parsed(crop, [1] * placing.PER_SCENE, (8 / 64, 4 / 64, 56 / 64, 30 / 64))
    scene = tf.zeros([*two.image_size, 3], tf.uint8)
    image, boxes, class_ids = placing.place(scene, crops, two, seed=[seed, 1])
    image, boxes = image.numpy(), boxes.numpy() * np.tile(two.image_size, 2)
    assert 1 <= np.count_nonzero(class_ids) <= placing.PER_SCENE
    for box in boxes[class_ids.numpy() > 0]:
        top, left = np.floor(box[:2]).astype(int) - 3
        part = np.zeros_like(image)
        window = np.s_[max(top, 0) : int(box[2]) + 4, max(left, 0) : int(box[3]) + 4]
        part[window] = image[window]
        np.testing.assert_allclose(white_box(part), box, atol=1.6)


def test_nothing_but_the_label_depends_on_the_class(two):
    random = np.random.default_rng(0)
    crop = random.integers(0, 255, (64, 64, 3))
    scene = tf.constant(random.integers(0, 255, (*two.image_size, 3)), tf.uint8)
    one, other = (
        placing.place(scene, parsed(crop, [each] * 4, (0, 0, 1, 1)), two, seed=[3, 4])
        for each in (1, 2)
    )
    np.testing.assert_array_equal(one[0], other[0])
    np.testing.assert_array_equal(one[1], other[1])
    np.testing.assert_array_equal(2 * one[2].numpy(), other[2])


def test_sharpness_and_size_vary(two, plain):
    stripes = np.zeros((64, 64, 3))
    stripes[:, ::8] = stripes[:, 1::8] = stripes[:, 2::8] = stripes[:, 3::8] = 255
    crops = parsed(stripes, [1] * 4, (0, 0, 1, 1))
    scene = tf.zeros([*two.image_size, 3], tf.uint8)
    compiled = tf.function(lambda seed: placing.place(scene, crops, two, seed=seed))
    steepest, sides = [], []
    for seed in range(60):
        image, boxes, _ = compiled(tf.constant([seed, 0]))
        ymin, xmin, ymax, xmax = (boxes[0].numpy() * np.tile(two.image_size, 2)).round().astype(int)
        inside = image.numpy()[ymin + 1 : ymax - 1, xmin + 1 : xmax - 1, 0].astype(float)
        sides.append(xmax - xmin)
        if sides[-1] > 24:
            steepest.append(np.abs(np.diff(inside, axis=1)).max())
    assert min(sides) < 10
    assert max(sides) > 35
    assert min(steepest) < 0.7 * max(steepest)


def test_without_spread_a_crop_lies_in_the_middle(two, plain):
    crops = parsed(np.full((64, 64, 3), 255), [2] * 4, (0, 0, 1, 1))
    scene = tf.zeros([*two.image_size, 3], tf.uint8)
    compiled = tf.function(lambda seed: placing.place(scene, crops, two, seed=seed, spread=0.0))
    for seed in range(8):
        image, _, class_ids = compiled(tf.constant([seed, 9]))
        assert class_ids.numpy().tolist() == [2, 0, 0, 0]
        np.testing.assert_allclose(white_box(image.numpy()), [10, 26, 53, 69], atol=1)


def test_placing_is_the_same_inside_tf_data(two):
    crops = parsed(np.full((20, 20, 3), 200), [1, 2, 1, 2], (0, 0, 1, 1))
    scene = tf.fill([*two.image_size, 3], tf.constant(SCENE, tf.uint8))
    eager = placing.place(scene, crops, two, seed=[5, 6])
    mapped = tf.data.Dataset.from_tensors(crops).map(
        lambda each: placing.place(scene, each, two, seed=[5, 6])
    )
    for one, other in zip(eager, next(iter(mapped)), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("cached", [False, True])
def test_crops_come_among_photos_in_their_share_into_scenes_alone(folders, two, tmp_path, cached):
    labels, crops = folders
    data = ssd.dataset(
        labels,
        two,
        batch_size=8,
        training=True,
        seed=0,
        crops=crops,
        crop_share=0.5,
        cache=tmp_path if cached else None,
    )
    assert len([*data]) == 3  # a pass is as long as without
    placed, seen = [], 0
    for images, labels in data.repeat(8):
        for image, label in zip(images.numpy(), labels.numpy(), strict=True):
            seen += 1
            class_ids = label[:, 4][label[:, 4] != 0]
            if (class_ids > 0).any():
                assert (image > SCENE - 15).any()
                assert UNKNOWN not in class_ids
                placed.append(class_ids[class_ids > 0])
    assert len(placed) / seen == pytest.approx(0.5, abs=0.1)
    assert max(map(len, placed)) > 1
    assert np.mean(np.concatenate(placed) == 2) == pytest.approx(0.75, abs=0.1)


def test_crops_of_each_class_come_equally_often(folders, two):
    labels, crops = folders
    data = ssd.dataset(
        labels, two, batch_size=8, training=True, seed=0, crops=crops, balance="class"
    )
    classes = np.concatenate([labels.numpy()[..., 4].ravel() for _, labels in data.repeat(12)])
    assert np.mean(classes[classes > 0] == 2) == pytest.approx(0.5, abs=0.12)


def test_a_seed_makes_placed_crops_repeatable_and_each_pass_another(folders, two):
    labels, crops = folders
    one, other = (
        ssd.dataset(labels, two, batch_size=8, training=True, seed=5, crops=crops) for _ in "ab"
    )
    first = [images.numpy() for images, _ in one]
    np.testing.assert_array_equal(first, [images.numpy() for images, _ in other])
    assert (np.array(first) != [images.numpy() for images, _ in one]).any()


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ({"crop_share": 0.0}, "crop_share: wanted a number over 0 and below 1, got 0.0"),
        ({"crop_share": 1.0}, "crop_share: wanted a number over 0 and below 1, got 1.0"),
        ({"crop_spread": 1.5}, "crop_spread: wanted a number from 0 to 1, got 1.5"),
        ({"training": False}, "crops: wanted training=True and no service"),
    ],
)
def test_options_that_make_no_sense_are_refused(folders, two, options, wanted):
    labels, crops = folders
    with pytest.raises(ValueError, match=wanted):
        ssd.dataset(labels, two, **{"training": True, "crops": crops, **options})


def test_what_is_no_crop_or_no_scene_is_refused(folders, two, tmp_path):
    labels, crops = folders
    gray = np.full((32, 32, 3), 90)
    for name, classes in {"two": [1, 2], "ignored": [IGNORE], "empty": []}.items():
        write_labels(tmp_path / name, [labeled(gray, "x.jpg", classes)], class_names=CLASSES)
        with pytest.raises(ValueError, match=f"{name}: wanted one face on a crop, x.jpg has other"):
            ssd.dataset(labels, two, training=True, crops=tmp_path / name)
    write_labels(tmp_path / "none", [], class_names=CLASSES)
    with pytest.raises(ValueError, match="none: wanted crops, got none"):
        ssd.dataset(labels, two, training=True, crops=tmp_path / "none")
    write_labels(tmp_path / "faces", [labeled(gray, "x.jpg", [1])], class_names=CLASSES)
    with pytest.raises(ValueError, match="faces: wanted a photo without a face, to place crops"):
        ssd.dataset(tmp_path / "faces", two, training=True, crops=crops)
    with pytest.raises(FileNotFoundError, match="wanted a folder of labels"):
        ssd.dataset(labels, two, training=True, crops=tmp_path / "nowhere")


def test_a_run_with_crops_says_so_and_is_not_gone_on_with_other_ones(folders, two, tmp_path):
    labels, crops = folders
    options = {"epochs": 1, "batch_size": 8, "seed": 0, "crop_share": 0.5}
    model = ssd.train(labels, tmp_path / "run", two, crops=crops, **options)
    assert model.provenance["crop_share"] == 0.5
    assert model.provenance["terms"]["share_smile"] > 0
    assert ssd.train(labels, tmp_path / "run", two, crops=crops, **options).provenance
    more = [*ssd.read_labels(crops)][:4]
    write_labels(tmp_path / "crops", more, class_names=CLASSES)
    with pytest.raises(ValueError, match="another run"):
        ssd.train(labels, tmp_path / "run", two, crops=tmp_path / "crops", **options)

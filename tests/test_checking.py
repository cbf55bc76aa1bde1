"""Labels are seen through before training: nothing wrong with them is learned in silence."""

import shutil

import numpy as np
import pytest
import tensorflow as tf

import ssd
from ssd.data import checking, manifest, records


@pytest.fixture
def labels(disc_labels, tmp_path):
    """A copy of a good folder, to spoil."""
    shutil.copytree(disc_labels, tmp_path / "labels")
    return tmp_path / "labels"


def rewrite(labels, **about):
    manifest.write(labels, {**manifest.read(labels), **about})


def test_what_is_there_is_counted_and_told_apart(labels, disc_labels):
    one, twice = (checking.check(each, ("face",)) for each in (labels, [labels, disc_labels]))
    assert (one.photos, twice.photos) == (48, 96)
    assert one == checking.check(disc_labels, ("Face",))
    shard = records.shard_path(labels, 1)
    photos = [*records.read_shard(shard)]
    photos[3] = photos[3]._replace(boxes=photos[3].boxes * np.float32(0.999))
    records.write_shard(shard, photos)
    assert checking.check(labels, ("face",)).digest != one.digest


def test_a_folder_that_is_none_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="gone: wanted a folder of labels, there is no"):
        checking.check(tmp_path / "gone", ("face",))
    with pytest.raises(FileNotFoundError, match=r"found no dataset\.json"):
        checking.check(tmp_path, ("face",))


@pytest.mark.parametrize(
    ("about", "wanted"),
    [
        ({"complete": False}, "wanted finished labels"),
        ({"counts": {"photos": 47}}, "wanted the 47 photos .*, its shards hold 48"),
        ({"counts": {"photos": 50, "labeled": 49}}, "wanted the 49 photos"),
        ({"classes": ["mask", "face"]}, "wanted labels of the Config's classes, face .*mask, face"),
        ({"classes": None}, r"dataset\.json: wanted names as its classes, got None"),
        ({"classes": "face"}, r"dataset\.json: wanted names as its classes, got 'face'"),
        ({"counts": None}, "wanted numbers of photos as its counts, got None"),
        ({"counts": {"photos": "48"}}, "wanted numbers of photos as its counts"),
        ({"schema": 99}, "wanted schema 1, got 99"),
    ],
)
def test_labels_that_are_not_what_is_trained_on_are_refused(labels, tiny, about, wanted):
    rewrite(labels, **about)
    with pytest.raises(ValueError, match=wanted):
        ssd.dataset(labels, tiny)


def test_the_order_of_classes_counts(labels):
    rewrite(labels, classes=["face", "mask"])
    checking.check(labels, ("face", "mask"))
    with pytest.raises(ValueError, match="mask, face in this order, got face, mask"):
        checking.check(labels, ("mask", "face"))


def test_a_missing_shard_is_named(labels):
    records.shard_path(labels, 0).unlink()
    with pytest.raises(ValueError, match=r"shard-00000\.tfrecord: wanted this shard"):
        checking.check(labels, ("face",))


@pytest.mark.parametrize("cut", [3, 8, 500])
def test_a_shard_that_was_copied_in_part_is_named(labels, cut):
    path = records.shard_path(labels, 1)
    path.write_bytes(path.read_bytes()[:-cut])
    with pytest.raises(ValueError, match=r"shard-00001\.tfrecord: damaged shard \(cut off"):
        checking.check(labels, ("face",))


def spoiled(photo, how):
    """One record whose labels or photo cannot be learned from, as bytes."""
    example = tf.train.Example.FromString(records.serialize(photo))
    feature = example.features.feature
    if how == "NaN":
        feature["image/object/bbox/ymin"].float_list.value[0] = float("nan")
    elif how == "far out":
        feature["image/object/bbox/xmax"].float_list.value[0] = 7.0
    elif how == "class":
        feature["image/object/class/label"].int64_list.value[0] = 2
    elif how == "photo":
        feature["image/encoded"].bytes_list.value[0] = photo.encoded[:20]
    elif how == "field":
        del feature["image/height"]
    return example.SerializeToString()


@pytest.mark.parametrize(
    ("how", "wanted"),
    [
        ("NaN", "wanted boxes on the unit square"),
        ("far out", "wanted boxes on the unit square"),
        ("class", "wanted classes from 1 to 1"),
        ("photo", "wanted a JPEG file"),
        ("field", "wanted one image/height"),
    ],
)
@pytest.mark.parametrize("training", [True, False])
def test_a_poisoned_record_stops_the_loop_and_is_named(labels, tiny, how, wanted, training):
    shard = records.shard_path(labels, 1)
    photos = [*records.read_shard(shard)]
    lines = [records.serialize(photo) for photo in photos]
    lines[5] = spoiled(photos[5], how)
    records.write_records(shard, lines)
    with (
        pytest.raises(ValueError, match=rf"shard-00001\.tfrecord: damaged record 5.*{wanted}"),
        checking.naming_damage(labels, tiny.classes),
    ):
        for _ in ssd.dataset(labels, tiny, batch_size=16, training=training):
            pass


def test_a_flipped_bit_is_named(labels, tiny):
    shard = records.shard_path(labels, 0)
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 1
    shard.write_bytes(content)
    with (
        pytest.raises(ValueError, match=r"shard-00000\.tfrecord: damaged shard"),
        checking.naming_damage(labels, tiny.classes),
    ):
        for _ in ssd.dataset(labels, tiny):
            pass


def test_an_error_of_another_kind_stays_itself(labels):
    with pytest.raises(tf.errors.InvalidArgumentError), checking.naming_damage(labels, ("face",)):
        tf.debugging.assert_equal(1, 2)

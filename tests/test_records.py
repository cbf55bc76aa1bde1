"""One labeled photo on disk: written, read, and never half there."""

import json
import os

import numpy as np
import pytest
import tensorflow as tf

from ssd.data import coco, manifest, records


def photo(filename="a.jpg", boxes=((0.1, 0.2, 0.5, 0.8),), class_ids=(1,), scores=(0.9,)):
    pixels = np.random.default_rng(0).integers(0, 255, [20, 30, 3], np.uint8)
    return records.LabeledPhoto(
        encoded=tf.io.encode_jpeg(pixels).numpy(),
        filename=filename,
        height=20,
        width=30,
        boxes=np.float32(boxes).reshape(-1, 4),
        class_ids=np.int32(class_ids),
        scores=np.float32(scores),
    )


def write(folder, photos, names=("face",)):
    manifest.write(folder, {"classes": list(names)})
    records.write_shard(records.shard_path(folder, 0), photos, class_names=names)


def same(a, b):
    for field in ("encoded", "filename", "height", "width"):
        assert getattr(a, field) == getattr(b, field)
    for field in ("boxes", "class_ids", "scores"):
        np.testing.assert_array_equal(getattr(a, field), getattr(b, field))


AWKWARD = [
    photo(),
    photo("no faces.jpg", [], [], []),
    photo(
        "été/newline\n,\udcff.jpg", [[0, 0, 1, 1], [0, 0, 0.5, 0.25]], [records.IGNORE, 1], [0.7, 1]
    ),
    photo("of unknown class.jpg", class_ids=[records.UNKNOWN]),
]


def test_what_is_written_is_read(tmp_path):
    write(tmp_path, AWKWARD)
    for wrote, read in zip(AWKWARD, records.read(tmp_path), strict=True):
        same(wrote, read)
        assert read.boxes.dtype == np.float32
        assert read.boxes.shape == (len(wrote.boxes), 4)


def test_a_record_with_other_labels_is_as_if_written_with_them():
    photo = records.LabeledPhoto(
        b"pixels", "a/\udcff.jpg", 60, 80, np.eye(2, 4, dtype="f4"), np.int32([1, -1]),
        np.float32([0.9, 0.5]), (120, 160), "wider",
    )  # fmt: skip
    none = photo._replace(boxes=np.zeros([0, 4]), class_ids=np.zeros(0, int), scores=np.zeros(0))
    for one in (photo, none, photo._replace(source=None)):
        for other in (photo, none):
            bare = other._replace(encoded=b"", height=0, width=0, full_size=None)
            assert records.relabel(records.serialize(one), bare) == records.serialize(other)
    with pytest.raises(ValueError, match=r"wanted a record of 'b\.jpg', got one of 'a/"):
        records.relabel(records.serialize(photo), photo._replace(filename="b.jpg"))


def test_some_records_of_a_shard(tmp_path):
    photos = [
        records.LabeledPhoto(b"x" * n, f"{n}.jpg", 8, 8, np.zeros([0, 4]), np.zeros(0), np.zeros(0))
        for n in range(9)
    ]
    path = records.shard_path(tmp_path, 0)
    records.write_shard(path, photos)
    found = records.read_places(path, [7, 2, 99])
    assert {place: photo.encoded for place, photo in found.items()} == {2: b"xx", 7: b"x" * 7}
    assert records.read_places(path, []) == {}
    records.write_records(path, [b"no record"])
    with pytest.raises(ValueError, match=r"shard-00000\.tfrecord: damaged record 0"):
        records.read_places(path, [0])


def test_a_damaged_shard_of_a_folder_is_named(tmp_path):
    for index in range(3):
        records.write_shard(records.shard_path(tmp_path, index), [])
    path = records.shard_path(tmp_path, 1)
    records.write_records(path, [b"no record"])
    with pytest.raises(ValueError, match=r"shard-00001\.tfrecord: damaged record 0"):
        [*records.read(tmp_path)]
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ValueError, match=r"shard-00001\.tfrecord: damaged shard"):
        [*records.read(tmp_path)]


def test_parse_gives_the_same_in_tf_data_and_outside(tmp_path):
    write(tmp_path, AWKWARD)
    data = tf.data.TFRecordDataset([str(path) for path in records.shards(tmp_path)])
    for wrote, read in zip(AWKWARD, data.map(records.parse), strict=True):
        eager = records.parse(records.serialize(wrote))
        for tensors in (read, eager):
            np.testing.assert_array_equal(tensors["boxes"], wrote.boxes)
            np.testing.assert_array_equal(tensors["class_ids"], wrote.class_ids)
            np.testing.assert_array_equal(tensors["scores"], wrote.scores)
            assert tensors["encoded"].numpy() == wrote.encoded
            assert os.fsdecode(tensors["filename"].numpy()) == wrote.filename


def test_several_records_are_parsed_at_once():
    """Each as by itself; where another has more boxes, rows of zeros fill up."""
    together = records.parse(tf.stack([records.serialize(wrote) for wrote in AWKWARD]))
    most = max(len(wrote.boxes) for wrote in AWKWARD)
    assert together["boxes"].shape == (len(AWKWARD), most, 4)
    for index, wrote in enumerate(AWKWARD):
        count = len(wrote.boxes)
        np.testing.assert_array_equal(together["boxes"][index, :count], wrote.boxes)
        np.testing.assert_array_equal(together["class_ids"][index, :count], wrote.class_ids)
        assert not together["boxes"][index, count:].numpy().any()
        assert not together["class_ids"][index, count:].numpy().any()
        assert together["size"][index].numpy().tolist() == [wrote.height, wrote.width]
        assert together["encoded"][index].numpy() == wrote.encoded


def test_fields_have_the_names_other_tools_know():
    feature = tf.train.Example.FromString(records.serialize(photo())).features.feature
    assert feature["image/object/class/text"].bytes_list.value[0] == b"face"
    assert feature["image/object/bbox/xmax"].float_list.value[0] == np.float32(0.8)
    assert feature["image/format"].bytes_list.value[0] == b"jpeg"
    assert feature["image/height"].int64_list.value[0] == 20


@pytest.mark.parametrize(
    ("wrong", "wanted"),
    [
        (photo(boxes=[[0, 0, 1.1, 1]]), "unit square"),
        (photo(boxes=[[0, 0, np.nan, 1]]), "unit square"),
        (photo(class_ids=[2]), "classes from 1 to 1"),
        (photo(class_ids=[0]), "classes from 1 to 1"),
        (photo(scores=[]), "a class and a score for each box"),
    ],
)
def test_labels_that_do_not_hold_together_are_refused(tmp_path, wrong, wanted):
    path = records.shard_path(tmp_path, 0)
    records.write_shard(path, [photo()])
    before = path.read_bytes()
    with pytest.raises(ValueError, match=wanted):
        records.write_shard(path, [photo(), wrong])
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == [path.name]


def test_a_shard_that_stops_halfway_is_not_there(tmp_path):
    def stopped():
        yield photo()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        records.write_shard(records.shard_path(tmp_path, 0), stopped())
    assert os.listdir(tmp_path) == []


def test_a_disk_that_takes_no_more_is_an_oserror_and_harms_nothing(tmp_path):
    resource = pytest.importorskip("resource")
    path = records.shard_path(tmp_path, 0)
    records.write_shard(path, [photo()])
    before = path.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))
    try:
        with pytest.raises(OSError, match="shard-00000"):
            records.write_shard(path, [photo()] * 100)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == [path.name]


def test_a_folder_without_shards_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such folder"):
        records.shards(tmp_path / "missing")
    with pytest.raises(FileNotFoundError, match=r"found no shard-\*\.tfrecord"):
        next(records.read(tmp_path))
    with pytest.raises(FileNotFoundError, match=r"no dataset\.json"):
        manifest.read(tmp_path)


def test_a_damaged_shard_is_named(tmp_path):
    write(tmp_path, [photo()])
    path = records.shard_path(tmp_path, 0)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(ValueError, match=r"shard-00000\.tfrecord: damaged"):
        list(records.read(tmp_path))
    with pytest.raises(ValueError, match=r"shard-00000\.tfrecord: damaged shard \(cut off in rec"):
        records.count(tmp_path)


def test_a_damaged_record_is_numbered(tmp_path):
    good = records.serialize(photo())
    example = tf.train.Example.FromString(good)
    del example.features.feature["image/encoded"]
    bad = example.SerializeToString()
    for wrong, wanted in ((bad, "wanted one image/encoded, got 0"), (b"\xff", "parsing")):
        records.write_records(records.shard_path(tmp_path, 0), [good, wrong])
        with pytest.raises(ValueError, match=rf"tfrecord: damaged record 1 \(.*{wanted}"):
            list(records.read(tmp_path))


def test_shards_of_others_may_lack_scores(tmp_path):
    example = tf.train.Example.FromString(records.serialize(photo()))
    del example.features.feature["image/object/score"]
    records.write_records(records.shard_path(tmp_path, 0), [example.SerializeToString()])
    assert next(records.read(tmp_path)).scores.tolist() == [1.0]


def test_dataset_json_round_trip_and_refusals(tmp_path):
    manifest.write(tmp_path, {"classes": ["face"], "teacher": "t"})
    assert manifest.read(tmp_path) == {"classes": ["face"], "teacher": "t"}
    assert manifest.claim(tmp_path, {"teacher": "t"})["classes"] == ["face"]
    with pytest.raises(ValueError, match="its teacher is 't', wanted 'u'"):
        manifest.claim(tmp_path, {"teacher": "u"})
    (tmp_path / "dataset.json").write_text('{"schema": 99}')
    with pytest.raises(ValueError, match="schema 1"):
        manifest.read(tmp_path)
    (tmp_path / "dataset.json").write_text("{")
    with pytest.raises(ValueError, match="wanted JSON"):
        manifest.read(tmp_path)


def test_shards_of_unknown_origin_are_not_claimed(tmp_path):
    records.write_shard(records.shard_path(tmp_path, 0), [photo()])
    with pytest.raises(ValueError, match=r"without a dataset\.json"):
        manifest.claim(tmp_path, {})


def test_coco_passes_pycocotools(tmp_path):
    from pycocotools import coco as pycocotools_coco
    from pycocotools import cocoeval

    write(
        tmp_path,
        [photo("a.jpg"), photo("b.jpg", [[0, 0, 0.5, 0.5], [0.5, 0.5, 1, 1]], [2, -1], [1, 1])],
        names=("face", "hand"),
    )
    assert coco.write(tmp_path, tmp_path / "truth.json") == (2, 4)  # the region, per category
    truth = pycocotools_coco.COCO(str(tmp_path / "truth.json"))
    found = json.loads((tmp_path / "truth.json").read_text())["annotations"]
    results = truth.loadRes([row for row in found if not row["iscrowd"]])
    scored = cocoeval.COCOeval(truth, results, "bbox")
    scored.evaluate()
    scored.accumulate()
    scored.summarize()
    assert scored.stats[0] == pytest.approx(1)
    boxes = [row["bbox"] for row in truth.loadAnns(truth.getAnnIds(imgIds=[1]))]
    np.testing.assert_allclose(boxes, [[6, 2, 18, 8]], atol=1e-3)


def test_what_has_no_class_is_counted_as_a_box_and_in_coco_it_is_a_region(tmp_path):
    two = photo("a.jpg", [[0, 0, 0.5, 0.5], [0.5, 0.5, 1, 1]], [records.UNKNOWN, -1], [1, 1])
    counts = records.write_shards(tmp_path, [two], class_names=("face", "smile"))
    assert counts == {"photos": 1, "boxes": 1, "ignored": 1}
    manifest.write(tmp_path, {"classes": ["face", "smile"]})
    # In the figures of each class it is neither right nor wrong.
    assert coco.write(tmp_path, tmp_path / "truth.json") == (1, 4)
    found = json.loads((tmp_path / "truth.json").read_text())["annotations"]
    assert [row["iscrowd"] for row in found] == [1, 1, 1, 1]
    assert [row["category_id"] for row in found] == [1, 2, 1, 2]


def test_a_stream_is_cut_into_shards(tmp_path):
    records.write_shard(records.shard_path(tmp_path, 4), [photo()])  # of an earlier, longer stream
    stream = [photo(f"{i}.jpg", class_ids=[-1 if i == 2 else 1]) for i in range(5)]
    done = []
    counts = records.write_shards(tmp_path, iter(stream), shard_photos=2, progress=done.append)
    assert counts == {"photos": 5, "boxes": 4, "ignored": 1}
    assert done == [2, 4, 5]
    assert [records.count([tmp_path])] == [5]
    assert [len(list(records.read_shard(path))) for path in records.shards(tmp_path)] == [2, 2, 1]
    before = records.shard_path(tmp_path, 0).read_bytes()
    others = [photo("other.jpg")] * 2
    assert records.write_shards(tmp_path, others, shard_photos=2, keep=True)["photos"] == 2
    assert [path.read_bytes() for path in records.shards(tmp_path)] == [before]
    with pytest.raises(ValueError, match="shard_photos: wanted a positive number"):
        records.write_shards(tmp_path, [], shard_photos=0)


def test_the_size_a_photo_had_is_kept_and_may_be_missing(tmp_path):
    small = photo()._replace(full_size=(2000, 3000))
    write(tmp_path, [small, photo()])
    assert [each.full_size for each in records.read(tmp_path)] == [(2000, 3000), None]
    coco.write(tmp_path, tmp_path / "truth.json")
    truth = json.loads((tmp_path / "truth.json").read_text())
    assert [(each["height"], each["width"]) for each in truth["images"]] == [(2000, 3000), (20, 30)]
    np.testing.assert_allclose(truth["annotations"][0]["bbox"], [600, 200, 1800, 800], atol=1e-3)

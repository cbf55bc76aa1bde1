"""Labels with smaller photos: the same examples, sooner; a call that was stopped goes on."""

import io

import numpy as np
import pytest
import skimage.data
from PIL import Image
from test_commands import command, refused

import ssd
from ssd import shrink_labels as shrink
from ssd.data import manifest, records


def photo(name, height, width):
    file = io.BytesIO()
    Image.fromarray(skimage.data.astronaut()).resize((width, height)).save(file, "JPEG", quality=95)
    return ssd.LabeledPhoto(
        encoded=file.getvalue(),
        filename=name,
        height=height,
        width=width,
        boxes=np.array([[0.1, 0.2, 0.3, 0.6], [0, 0, 0.5, 0.5]], np.float32),
        class_ids=np.array([1, -1]),
        scores=np.ones(2, np.float32),
    )


@pytest.fixture
def labels(tmp_path):
    photos = [photo("large.jpg", 300, 401), photo("small.jpg", 90, 120), photo("long.jpg", 20, 900)]
    about = {"class_names": ("face",), "source": "a camera"}
    ssd.write_labels(tmp_path / "labels", photos, **about)
    records.write_shard(records.shard_path(tmp_path / "labels", 1), photos[:1])
    manifest.write(tmp_path / "labels", {"classes": ["face"], "source": "a camera"})
    return tmp_path / "labels"


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.glob("*.*")}


def test_large_photos_become_smaller_and_labels_stay(labels, tiny, tmp_path):
    before, out = [*ssd.read_labels(labels)], tmp_path / "out"
    made = shrink(labels, out, tiny)
    after = [*ssd.read_labels(out)]
    assert made["photos"] == len(after) == 4
    assert made["bytes"] < made["bytes_before"]
    assert [(each.height, each.width) for each in after] == [
        *((128, 171), (90, 120), (4, 192), (128, 171)),
    ]
    assert after[0].full_size == (300, 401)
    assert after[1].encoded == before[1].encoded
    for old, new in zip(before, after, strict=True):
        assert (old.filename, old.scores.tolist()) == (new.filename, new.scores.tolist())
        np.testing.assert_array_equal(old.boxes, new.boxes)
        np.testing.assert_array_equal(old.class_ids, new.class_ids)
        assert Image.open(io.BytesIO(new.encoded)).size == (new.width, new.height)


def test_training_sees_the_same(labels, tiny, tmp_path):
    shrink(labels, tmp_path / "out", tiny)
    (images, rows), (smaller, same) = (
        next(ssd.dataset(each, tiny, batch_size=4).as_numpy_iterator())
        for each in (labels, tmp_path / "out")
    )
    assert np.abs(images.astype(float) - smaller).mean() < 3  # of 255
    np.testing.assert_allclose(rows, same, atol=0.01)


def test_stopped_it_goes_on_and_leaves_the_same(labels, tiny, tmp_path):
    shrink(labels, tmp_path / "whole", tiny)
    out = tmp_path / "out"

    def stop(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        shrink(labels, out, tiny, progress=stop)
    assert len([*out.glob("shard-*")]) == 1
    with pytest.raises(ValueError, match="wanted finished labels"):
        ssd.dataset(out, tiny)
    first = records.shard_path(out, 0).stat().st_mtime_ns
    told = []
    shrink(labels, out, tiny, progress=lambda *numbers: told.append(numbers))
    assert told == [(3, 4), (4, 4)]
    assert records.shard_path(out, 0).stat().st_mtime_ns == first
    assert contents(out) == contents(tmp_path / "whole")
    shrink(labels, out, tiny, progress=stop)  # all is done: nothing is written


def test_the_command_says_what_became_smaller(labels, tmp_path):
    status, said, err = command("shrink", labels, tmp_path / "out")
    assert (status, err) == (0, [])
    assert said[0].startswith(f"{tmp_path / 'out'}: 4 photos, ")
    (tmp_path / "c.json").write_text('{"image_size": [64, 64]}')
    other = "shrink", labels, tmp_path / "out", "--config", tmp_path / "c.json"
    assert "holds another dataset: its shrunk is" in refused(*other)
    assert "wanted another folder" in refused("shrink", labels, labels)


def test_a_photo_that_is_damaged_is_named(labels, tiny, tmp_path):
    damaged = photo("a.jpg", 300, 400)
    records.write_shard(
        records.shard_path(labels, 1), [damaged._replace(encoded=damaged.encoded[:2000])]
    )
    with pytest.raises(ValueError, match=r"shard-00001\.tfrecord: damaged photo in record 0"):
        shrink(labels, tmp_path / "out", tiny)
    assert [path.name for path in (tmp_path / "out").glob("*.tfrecord")] == ["shard-00000.tfrecord"]

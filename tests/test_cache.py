"""The cache of decoded photos: the same batches, whatever happens to the run that fills it."""

import dataclasses
import os
import shutil
import signal
import subprocess
import sys
import threading

import numpy as np
import pytest

import ssd
from ssd.data import manifest, records
from ssd.lock import lock


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def names(folder):
    """Endings of what a cache holds, and of what a killed run left in it."""
    return sorted(path.suffix for path in folder.iterdir() if path.name != "lock")


RIGHT = [".decoded", ".decoded", ".pixels"]  # two shards


def batches(labels, config, **options):
    made = ssd.dataset(labels, config, batch_size=16, **options)
    return [np.concatenate(parts) for parts in zip(*made.as_numpy_iterator(), strict=True)]


def test_cached_photos_are_the_photos(disc_labels, tiny, tmp_path):
    wanted = batches(disc_labels, tiny)
    for _ in range(2):
        found = batches(disc_labels, tiny, cache=tmp_path / "cache")
        np.testing.assert_array_equal(found[0], wanted[0])
        np.testing.assert_allclose(found[1], wanted[1], atol=1e-6)


def test_cached_photos_are_augmented_like_others(disc_labels, tiny, tmp_path):
    """The discs fit into twice the input, so nothing is scaled and the crops are the same."""
    images, labels = batches(disc_labels, tiny, training=True, seed=5)
    cached = batches(disc_labels, tiny, training=True, seed=5, cache=tmp_path)
    np.testing.assert_allclose(cached[1], labels, atol=1e-5)
    assert np.abs(cached[0].astype(float) - images).mean() < 1.5


def test_a_second_run_writes_nothing(disc_labels, tiny, tmp_path):
    ssd.dataset(disc_labels, tiny, cache=tmp_path)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    assert names(tmp_path) == RIGHT
    ssd.dataset(disc_labels, tiny, cache=tmp_path)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == before


def test_a_changed_config_or_shard_is_decoded_again(disc_labels, tiny, tmp_path):
    labels = tmp_path / "labels"
    shutil.copytree(disc_labels, labels)
    ssd.dataset(labels, tiny, cache=tmp_path / "cache")
    larger = dataclasses.replace(tiny, image_size=(96, 128))
    wanted = batches(labels, larger)
    np.testing.assert_array_equal(batches(labels, larger, cache=tmp_path / "cache")[0], wanted[0])

    # Two shards that change places: the same names and sizes, other photos.
    photos = list(records.read(labels))
    records.write_shard(records.shard_path(labels, 0), photos[::-1][:24])
    wanted = batches(labels, tiny)
    np.testing.assert_array_equal(batches(labels, tiny, cache=tmp_path / "cache")[0], wanted[0])
    assert len(list((tmp_path / "cache").glob("*64x96*"))) == 3  # what was of the old is gone


def test_several_folders_of_labels_share_a_cache(disc_labels, tiny, tmp_path):
    other, cache = tmp_path / "labels", tmp_path / "cache"
    shutil.copytree(disc_labels, other)
    ssd.dataset(disc_labels, tiny, cache=cache)
    first = contents(cache)
    ssd.dataset(other, tiny, cache=cache)
    assert names(cache) == sorted(2 * RIGHT)
    wanted = batches([disc_labels, other], tiny)
    found = batches([disc_labels, other], tiny, cache=cache)
    np.testing.assert_array_equal(found[0], wanted[0])
    assert names(cache) == sorted(2 * RIGHT)
    assert first.items() <= contents(cache).items()


def test_a_shard_that_is_new_is_decoded_alone(disc_labels, tiny, tmp_path):
    labels, cache = tmp_path / "labels", tmp_path / "cache"
    shutil.copytree(disc_labels, labels)
    ssd.dataset(labels, tiny, cache=cache)
    before = contents(cache)
    records.write_shard(records.shard_path(labels, 2), [*records.read(labels)][:5])
    manifest.write(labels, {**manifest.read(labels), "counts": {"photos": 53}})
    wanted = batches(labels, tiny)
    np.testing.assert_array_equal(batches(labels, tiny, cache=cache)[0], wanted[0])
    after = contents(cache)
    assert names(cache) == [".decoded", *RIGHT]
    for name in before:
        assert after[name].startswith(before[name])


@pytest.mark.parametrize("damage", ["gone", "shorter"])
def test_pixels_that_are_not_there_are_decoded_again(disc_labels, tiny, tmp_path, damage):
    wanted = batches(disc_labels, tiny, cache=tmp_path)
    (pixels,) = tmp_path.glob("*.pixels")
    if damage == "gone":
        pixels.unlink()
    else:
        os.truncate(pixels, pixels.stat().st_size // 2)
    found = batches(disc_labels, tiny, cache=tmp_path)
    np.testing.assert_array_equal(found[0], wanted[0])


def test_labels_without_a_photo_have_a_cache(tiny, tmp_path):
    ssd.write_labels(tmp_path / "labels", [])
    assert not [*ssd.dataset(tmp_path / "labels", tiny, cache=tmp_path / "cache")]


def test_a_second_run_waits_for_the_first(disc_labels, tiny, tmp_path):
    with lock(tmp_path):
        waiting = threading.Thread(target=ssd.dataset, args=[disc_labels, tiny],
                                   kwargs={"cache": tmp_path})  # fmt: skip
        waiting.start()
        waiting.join(timeout=0.5)
        assert names(tmp_path) == []
    waiting.join()
    assert names(tmp_path) == RIGHT


KILLED = """
import sys
import tensorflow as tf
import ssd
from ssd.data import cache
write, count = tf.io.TFRecordWriter.write, 0
def slow(self, record):
    global count
    count += 1
    if count == 30:  # in the middle of the second of two shards
        self.flush()
        print("writing", flush=True)
        sys.stdin.read()
    write(self, record)
tf.io.TFRecordWriter.write = slow
config = ssd.Config.from_json(sys.argv[3])
ssd.dataset(sys.argv[1], config, cache=sys.argv[2])
"""


def test_killed_while_it_is_written_and_started_again_it_is_right(disc_labels, tiny, tmp_path):
    cache = tmp_path / "cache"
    command = [sys.executable, "-c", KILLED, str(disc_labels), str(cache), tiny.to_json()]
    run = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert run.stdin
    assert run.stdout
    assert run.stdout.readline() == "writing\n"
    run.send_signal(signal.SIGKILL)
    run.wait()
    run.stdin.close()
    run.stdout.close()
    # One whole shard, a part of one under a name that nobody reads, and pixels of both.
    assert names(cache) == RIGHT
    assert len(list(cache.glob(".*.part*"))) == 1

    kept = next(cache.glob("shard-*.decoded"))
    written = kept.stat().st_mtime_ns
    wanted = batches(disc_labels, tiny)
    np.testing.assert_array_equal(batches(disc_labels, tiny, cache=cache)[0], wanted[0])
    assert kept.stat().st_mtime_ns == written  # what was whole is not decoded again
    assert names(cache) == RIGHT
    assert not list(cache.glob(".*.part*"))


def test_the_folder_of_labels_is_no_cache(disc_labels, tiny):
    with pytest.raises(ValueError, match="apart from the labels"):
        ssd.dataset(disc_labels, tiny, cache=disc_labels)

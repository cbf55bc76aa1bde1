"""The cache of decoded photos: the same batches, whatever happens to the run that fills it."""

import dataclasses
import os
import shutil
import signal
import subprocess
import sys

import numpy as np
import pytest

import ssd
from ssd.data import records


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


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
    assert len(before) == 2
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
    assert len(list((tmp_path / "cache").glob("*64x96*"))) == 2  # the old one is gone


def test_several_folders_of_labels_share_a_cache(disc_labels, tiny, tmp_path):
    other, cache = tmp_path / "labels", tmp_path / "cache"
    shutil.copytree(disc_labels, other)
    ssd.dataset(disc_labels, tiny, cache=cache)
    first = contents(cache)
    ssd.dataset(other, tiny, cache=cache)
    assert len(contents(cache)) == 2 * len(first)
    ssd.dataset([disc_labels, other], tiny, cache=cache)
    assert len(contents(cache)) == 2 * len(first)
    assert first.items() <= contents(cache).items()


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
    assert run.stdout.readline() == "writing\n"
    run.send_signal(signal.SIGKILL)
    run.wait()
    run.stdin.close()
    run.stdout.close()
    left = sorted(path.name for path in cache.iterdir())
    assert len(left) == 2  # one whole shard, and a part of one under a name that nobody reads
    assert sum(not name.startswith(".") for name in left) == 1

    kept = next(cache.glob("shard-*.decoded"))
    written = kept.stat().st_mtime_ns
    wanted = batches(disc_labels, tiny)
    np.testing.assert_array_equal(batches(disc_labels, tiny, cache=cache)[0], wanted[0])
    assert kept.stat().st_mtime_ns == written  # what was whole is not decoded again
    # The part goes once it is clear that nobody is writing it.
    (part,) = cache.glob(".*.part*")
    os.utime(part, (0, 0))
    ssd.dataset(disc_labels, tiny, cache=cache)
    assert sorted(path.suffix for path in cache.iterdir()) == [".decoded", ".decoded"]


def test_the_folder_of_labels_is_no_cache(disc_labels, tiny):
    with pytest.raises(ValueError, match="apart from the labels"):
        ssd.dataset(disc_labels, tiny, cache=disc_labels)

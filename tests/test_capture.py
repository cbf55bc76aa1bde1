import pathlib
import subprocess
import sys
import threading

import numpy as np
import pytest
from PIL import Image

import ssd
from ssd.detect.capture import read_capture

ROOT = pathlib.Path(__file__).parent.parent

# Children write as fast as they can and are killed at any moment; what they leave is checked.
KILLED = """
import os, pathlib, random, signal, sys, time
import numpy as np
import ssd
from ssd.detect.capture import read_capture
folder, rounds, limit = pathlib.Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
image = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
found = ssd.Detections(np.ones((2, 4)), np.array([0.9, 0.8]), np.array([1, 1]))
random.seed(0)

def newest():
    return max((int(path.stem) for path in folder.glob("[0-9]*.png")), default=0)

last = partial = 0
for _ in range(rounds):
    child = os.fork()
    if child == 0:
        log = ssd.CaptureLog(folder, limit=limit)
        while True:
            log.add(image, found, shape=(480, 640))
    while newest() == last:  # until it is at work, however busy the machine
        time.sleep(0.001)
    time.sleep(random.uniform(0, 0.02))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    partial += any(".part." in path.name for path in folder.iterdir())
    assert sum(path.stat().st_size for path in folder.iterdir()) <= limit
    assert all((read_capture(path).image == image).all() for path in folder.glob("[0-9]*.png"))
    assert newest() > last
    last = newest()
print(last, partial)
"""


def frame(seed=0):
    return np.random.default_rng(seed).integers(0, 256, (48, 64, 3), dtype=np.uint8)


def found(count=1):
    return ssd.Detections(
        np.arange(4 * count, dtype=np.float32).reshape(-1, 4) + 0.25,
        np.linspace(0.9, 0.5, count, dtype=np.float32),
        np.ones(count, int),
    )


@pytest.mark.parametrize("count", [0, 1, 3])
def test_gives_back_what_it_was_given(tmp_path, count):
    log = ssd.CaptureLog(tmp_path / "new" / "folder")
    log.add(frame()[None], found(count), shape=(480, 640, 3), seconds=0.012)
    (capture,) = log
    assert (capture.image == frame()).all()
    for given, kept in zip(found(count), capture.found, strict=True):
        assert given.dtype == kept.dtype
        assert (given == kept).all()
    assert (capture.shape, capture.seconds) == ((480, 640), 0.012)
    assert capture.time > 1.7e9


def test_a_float_tensor_is_kept_as_bytes(tmp_path):
    log = ssd.CaptureLog(tmp_path)
    log.add(frame().astype(np.float32)[None], found(), shape=(480, 640))
    assert (next(iter(log)).image == frame()).all()


def test_the_oldest_make_room(tmp_path):
    log = ssd.CaptureLog(tmp_path, limit=60_000)  # about six frames of noise
    for seed in range(20):
        log.add(frame(seed), found(), shape=(480, 640))
        assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 60_000
    kept = list(log)
    assert 4 <= len(kept) == len(log) < 10
    for capture, seed in zip(reversed(kept), reversed(range(20)), strict=False):
        assert (capture.image == frame(seed)).all()


def test_a_log_opened_again_goes_on(tmp_path):
    ssd.CaptureLog(tmp_path).add(frame(0), found(), shape=(480, 640))
    (tmp_path / ".000000002.7.part.png").write_bytes(b"half")
    (tmp_path / "notes.txt").write_text("mine")
    log = ssd.CaptureLog(tmp_path)
    log.add(frame(1), found(), shape=(480, 640))
    assert [(capture.image == frame(seed)).all() for seed, capture in enumerate(log)] == [True] * 2
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "000000001.png",
        "000000002.png",
        "notes.txt",
    ]


def test_numbers_rise_although_one_frame_fills_the_log(tmp_path):
    log = ssd.CaptureLog(tmp_path, limit=12_000)
    for seed in range(3):
        log.add(frame(seed), found(), shape=(480, 640))
    assert [path.name for path in tmp_path.iterdir()] == ["000000003.png"]


def test_threads_share_a_log(tmp_path):
    log = ssd.CaptureLog(tmp_path)
    threads = [
        threading.Thread(
            target=lambda: [log.add(frame(), found(), shape=(480, 640)) for _ in range(5)]
        )
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(list(log)) == len(log) == 20


def test_killed_a_hundred_times_it_leaves_whole_files_within_its_limit(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", KILLED, tmp_path, "100", "60000"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    written, cut_short = map(int, done.stdout.split())
    assert written > 100
    assert cut_short > 0, "no kill came while writing: the test has shown nothing"


@pytest.mark.parametrize("limit", [0, -1, float("nan")])
def test_bad_limit(tmp_path, limit):
    with pytest.raises(ValueError, match="limit: wanted a positive number of bytes"):
        ssd.CaptureLog(tmp_path, limit=limit)


def test_bad_captures(tmp_path):
    log = ssd.CaptureLog(tmp_path, limit=1000)
    with pytest.raises(ValueError, match=r"bytes, but the limit is 1000"):
        log.add(frame(), found(), shape=(480, 640))
    with pytest.raises(ValueError, match=r"wanted a tensor \[height, width, 3\], got \[48, 64\]"):
        log.add(frame()[..., 0], found(), shape=(480, 640))
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "000000001.png").write_bytes(b"no image")
    with pytest.raises(ValueError, match=r"000000001\.png: wanted a file of a CaptureLog"):
        read_capture(tmp_path / "000000001.png")


def test_other_peoples_pictures_are_left_alone(tmp_path):
    """Frames that ffmpeg numbered, and what looks like a file half written, are no captures."""
    frames = [tmp_path / f"{index:09d}.png" for index in (1, 2, 7)]
    for frame in frames:
        Image.new("RGB", (64, 64)).save(frame)
    others = [tmp_path / ".notes.7.part.png", *frames]
    others[0].write_text("mine")
    before = {path: path.read_bytes() for path in others}
    log = ssd.CaptureLog(tmp_path, limit=4000)
    assert len(log) == 0
    nothing = ssd.Detections(np.zeros((0, 4)), np.zeros(0), np.zeros(0, int))
    late = tmp_path / "000000008.png"  # that comes while the log is open, where it would go on
    late.write_bytes(b"mine")
    others.append(late)
    before[late] = b"mine"
    for _ in range(20):  # more than there is room for
        log.add(np.random.default_rng(0).integers(0, 255, (16, 16, 3)), nothing, shape=(480, 640))
    assert 0 < len(list(log)) < 20
    assert {path: path.read_bytes() for path in others} == before
    assert len(ssd.CaptureLog(tmp_path, limit=4000)) == len(log)

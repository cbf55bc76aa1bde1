import pathlib
import subprocess
import sys
import threading

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

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


def test_numbers_of_numpy_are_numbers(tmp_path):
    log = ssd.CaptureLog(
        tmp_path, limit=np.int64(10**6), share=np.float32(1), days=np.int8(3), seed=np.int64(0)
    )
    log.add(
        frame(),
        found(),
        shape=np.array([480, 640]),
        seconds=np.float32(0.5),
        uncertainty=np.float32(0.25),
    )
    (capture,) = log
    assert (capture.shape, capture.seconds) == ((480, 640), 0.5)


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


def scored(*scores):
    count = len(scores)
    return ssd.Detections(np.ones((count, 4)), np.float32(scores), np.ones(count, int))


def numbers(folder):
    return sorted(int(path.stem) for path in folder.glob("*.png"))


def test_of_sure_frames_a_share_is_kept_and_of_uncertain_ones_all(tmp_path):
    sure = ssd.CaptureLog(tmp_path / "sure", share=0.25, seed=0)
    unsure = ssd.CaptureLog(tmp_path / "unsure", share=0, seed=0)
    for _ in range(200):
        sure.add(frame()[:8, :8], scored(0.99), shape=(480, 640))
        unsure.add(frame()[:8, :8], scored(0.99, 0.6), shape=(480, 640))
        unsure.add(frame()[:8, :8], scored(), shape=(480, 640))
    assert len(sure) == pytest.approx(50, abs=15)
    assert len(unsure) == 200
    assert {len(capture.found) for capture in unsure} == {2}


def test_a_face_just_below_the_threshold_is_said_by_the_caller(tmp_path):
    log = ssd.CaptureLog(tmp_path, share=0)
    log.add(frame(), scored(), shape=(480, 640), uncertainty=0.9)
    log.add(frame(), scored(0.5), shape=(480, 640), uncertainty=0.1)
    assert [len(capture.found) for capture in log] == [0]


def test_uncertain_frames_stay_longest_and_sure_ones_keep_a_quarter(tmp_path):
    log = ssd.CaptureLog(tmp_path, limit=200_000)  # about 20 frames of noise
    for seed in range(8):
        log.add(frame(seed), scored(0.5), shape=(480, 640))
    for seed in range(40):
        log.add(frame(seed), scored(0.99), shape=(480, 640))
    assert numbers(tmp_path)[:8] == [*range(1, 9)]
    log = ssd.CaptureLog(tmp_path, limit=200_000)  # what is known of them is in the files
    for seed in range(40):
        log.add(frame(seed), scored(0.5), shape=(480, 640))
        assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 200_000
    left = [capture.found.scores[0] < 0.9 for capture in log]
    assert 3 <= left.count(False) <= 5  # a quarter of the room
    assert numbers(tmp_path)[-1] == 88
    assert 9 not in numbers(tmp_path)


def test_after_some_days_captures_are_forgotten_and_no_name_comes_twice(tmp_path, monkeypatch):
    clock = [1_800_000_000.0]
    monkeypatch.setattr("ssd.detect.capture.time.time", lambda: clock[0])
    log = ssd.CaptureLog(tmp_path, days=30)
    for day in range(4):
        log.add(frame(day), found(), shape=(480, 640))
        clock[0] += 86400
    clock[0] += 27 * 86400  # the first is 31 days old, the last 28
    log.add(frame(4), found(), shape=(480, 640))
    assert numbers(tmp_path) == [3, 4, 5]
    clock[0] += 29.5 * 86400
    assert log.forget() == 2  # asked by a device that sees nobody
    clock[0] += 86400
    log = ssd.CaptureLog(tmp_path, days=30)
    assert (len(log), numbers(tmp_path)) == (0, [])
    log.add(frame(5), found(), shape=(480, 640))
    assert numbers(tmp_path) == [6]  # and not 1, which people may have said something of


def test_all_can_be_forgotten_at_once_and_other_files_stay(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    log = ssd.CaptureLog(tmp_path)
    for seed in range(3):
        log.add(frame(seed), found(), shape=(480, 640))
    assert log.forget() == 0  # no number of days was said
    assert log.forget(days=0) == 3
    assert numbers(tmp_path) == []
    assert (tmp_path / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize(
    "options", [{"share": 1.5}, {"share": float("nan")}, {"days": 0}, {"days": "3"}, {"days": True}]
)
def test_bad_share_or_days(tmp_path, options):
    with pytest.raises(ValueError, match=f"{next(iter(options))}: wanted a"):
        ssd.CaptureLog(tmp_path / "new", **options)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("limit", [0, -1, float("nan"), "1000", np.ones(2)])
def test_bad_limit(tmp_path, limit):
    with pytest.raises(ValueError, match="limit: wanted a positive number of bytes"):
        ssd.CaptureLog(tmp_path, limit=limit)


def test_bad_captures(tmp_path):
    log = ssd.CaptureLog(tmp_path, limit=1000)
    with pytest.raises(ValueError, match=r"bytes, but the limit is 1000"):
        log.add(frame(), found(), shape=(480, 640))
    with pytest.raises(ValueError, match=r"wanted a tensor \[height, width, 3\], got \[48, 64\]"):
        log.add(frame()[..., 0], found(), shape=(480, 640))
    for name, value in {"seconds": "1", "uncertainty": np.float32(1.5)}.items():
        with pytest.raises(ValueError, match=f"{name}: wanted a number"):
            log.add(frame(), found(), shape=(480, 640), **{name: value})
    with pytest.raises(ValueError, match="days: wanted 0 or more days, got '1'"):
        log.forget(days="1")
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


@pytest.mark.parametrize("text", ["[1, 2]", "3", "null", '{"boxes": 3}', '{"boxes": [["a"]]}', "{"])
def test_what_says_something_else_is_no_capture(tmp_path, text):
    about = PngImagePlugin.PngInfo()
    about.add_text("capture", text)
    Image.new("RGB", (8, 8)).save(tmp_path / "1.png", pnginfo=about)
    with pytest.raises(ValueError, match=r"1\.png: wanted a file of a CaptureLog"):
        read_capture(tmp_path / "1.png")

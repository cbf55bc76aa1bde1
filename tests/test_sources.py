"""What words stand for, and how frames come from them."""

import importlib.machinery
import os
import sys
import threading
import types

import numpy as np
import pytest

import ssd
from ssd.sources import cameras
from ssd.sources.ahead import Ahead
from ssd.sources.naming import find_sources


def names(*words):
    return [(each.kind, each.name, each.stem) for each in find_sources(words)]


def test_words_stand_for_photos_videos_cameras_and_streams():
    assert names("a.jpg", "b.MP4", "0", "picamera2", "rtsp://host/1", "http://host/v.mp4") == [
        ("photo", "a.jpg", "a"),
        ("video", "b.MP4", "b"),
        ("camera", "0", "camera0"),
        ("camera", "picamera2", "camera"),
        ("stream", "rtsp://host/1", "stream"),
        ("stream", "http://host/v.mp4", "stream-2"),
    ]


def test_a_folder_stands_for_what_is_in_it_and_below(tmp_path):
    for name in ("b/2.jpg", "a.jpg", "c.mp4", "notes.txt", ".hidden.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = [os.path.relpath(name, tmp_path) for _, name, _ in names(tmp_path)]
    assert found == ["a.jpg", "c.mp4", "b/2.jpg"]


def test_a_folder_without_photos_is_refused(tmp_path):
    (tmp_path / "notes.txt").touch()
    with pytest.raises(ValueError, match="wanted a folder of photos or videos, found none in it"):
        find_sources([str(tmp_path)])


def test_a_pattern_stands_for_what_it_fits(tmp_path):
    for name in ("1.jpg", "2.jpg", "3.png", "[1].jpg"):
        (tmp_path / name).touch()
    assert [stem for _, _, stem in names(f"{tmp_path}/?.jpg")] == ["1", "2"]
    assert [stem for _, _, stem in names(f"{tmp_path}/[1].jpg")] == ["[1]"]  # a file of that name
    with pytest.raises(FileNotFoundError, match="nothing fits this pattern"):
        find_sources([f"{tmp_path}/*.bmp"])


def test_no_two_stems_are_alike():
    stems = [
        stem for _, _, stem in names("a/1.jpg", "b/1.png", "1-2.jpg", "c/1.JPG", "A.jpg", "a.jpg")
    ]
    assert stems[:2] == ["1", "1-2"]
    assert len({stem.casefold() for stem in stems}) == 6


def test_a_thousand_photos_of_one_name_are_named_at_once():
    stems = [stem for _, _, stem in names(*(f"{number}/photo.jpg" for number in range(2000)))]
    assert stems[-1] == "photo-2000"


def test_a_recording_is_read_ahead_and_whole():
    with Ahead(iter_numbers(100)) as ahead:
        taken = []
        for number in ahead:
            taken.append(number)
    assert taken == list(range(100))
    assert ahead.dropped == 0


def iter_numbers(count, closed=None):
    try:
        yield from range(count)
    finally:
        if closed is not None:
            closed.set()


def test_of_a_camera_only_the_latest_frame_is_kept():
    """The camera waits for the test, so the outcome does not hang on the clock."""
    gates = [threading.Event() for _ in range(3)]

    def camera():
        yield 0
        gates[0].wait()
        yield from range(1, 10)
        gates[1].set()
        gates[2].wait()
        yield 10

    with Ahead(camera(), latest=True) as ahead:
        frames = iter(ahead)
        assert next(frames) == 0
        gates[0].set()
        gates[1].wait()  # while the model was busy with 0, nine frames came
        assert next(frames) == 9
        gates[2].set()
        assert list(frames) == [10]
    assert ahead.dropped == 8


def test_what_reading_raises_comes_where_frames_are_taken():
    def broken():
        yield 1
        raise OSError("the cable")

    with Ahead(broken()) as ahead:
        frames = iter(ahead)
        assert next(frames) == 1
        with pytest.raises(OSError, match="the cable"):
            next(frames)


def test_who_stops_early_has_the_source_closed():
    closed = threading.Event()
    with Ahead(iter_numbers(1000, closed)) as ahead:
        assert next(iter(ahead)) == 0
    assert closed.wait(10)


def test_a_camera_that_hangs_does_not_keep_anyone_from_stopping():
    gate, asked = threading.Event(), []

    def hanging():
        gate.wait()
        yield 1

    def is_enough():
        asked.append(1)
        return len(asked) > 2

    with Ahead(hanging(), latest=True, is_enough=is_enough) as ahead:
        assert list(ahead) == []
        gate.set()


class Picamera2:
    """A stand-in with the calls of picamera2's own examples."""

    def __init__(self):
        self.calls = []
        type(self).last = self

    def create_video_configuration(self, main):
        return {"main": main}

    def configure(self, configuration):
        self.calls.append(configuration["main"])

    def start(self):
        self.calls.append("start")

    def capture_array(self):
        return np.zeros((480, 640, 3), np.uint8)

    def stop(self):
        self.calls.append("stop")

    def close(self):
        self.calls.append("close")


def test_the_pis_camera_is_asked_for_red_green_blue_and_let_go_of(monkeypatch):
    monkeypatch.setitem(sys.modules, "picamera2", types.SimpleNamespace(Picamera2=Picamera2))
    frames = cameras.open_camera("picamera2").read(2)
    assert [next(frames)[0] for _ in range(3)] == [0, 2, 4]
    frames.close()
    assert Picamera2.last.calls == [
        {"format": "BGR888", "size": (640, 480)},
        "start",
        "stop",
        "close",
    ]


def test_a_pis_camera_that_goes_away_is_said(monkeypatch):
    def unplugged(self):
        raise RuntimeError("unplugged")

    monkeypatch.setattr(Picamera2, "capture_array", unplugged)
    monkeypatch.setitem(sys.modules, "picamera2", types.SimpleNamespace(Picamera2=Picamera2))
    frames = cameras.open_camera("picamera2").read()
    with pytest.raises(OSError, match=r"picamera2: wanted a camera \(unplugged\)"):
        next(frames)
    assert Picamera2.last.calls[-2:] == ["stop", "close"]


def test_without_picamera2_it_says_where_that_comes_from(monkeypatch):
    monkeypatch.setitem(sys.modules, "picamera2", None)
    with pytest.raises(ImportError, match="apt install python3-picamera2"):
        cameras.open_camera("picamera2")


class VideoCapture:
    """A stand-in for OpenCV's, which has one camera, of number 0, and three frames."""

    def __init__(self, number):
        self.number, self.left = number, 3

    def isOpened(self):
        return self.number == 0

    def set(self, name, value):
        pass

    def get(self, name):
        return 15.0

    def read(self):
        self.left -= 1
        frame = np.zeros((4, 4, 3), np.uint8)
        frame[..., 0] = 255  # blue
        return self.left >= 0, frame

    def release(self):
        self.left = None


def test_opencv_is_used_where_there_is_no_pyav(monkeypatch):
    cv2 = types.SimpleNamespace(
        VideoCapture=VideoCapture, CAP_PROP_FRAME_WIDTH=3, CAP_PROP_FRAME_HEIGHT=4, CAP_PROP_FPS=5
    )
    monkeypatch.setitem(sys.modules, "cv2", cv2)
    monkeypatch.setattr(
        cameras.importlib.util, "find_spec", lambda name: None if name == "av" else object()
    )
    camera = cameras.open_camera("0")
    assert camera.rate == 15
    frames = camera.read()
    assert next(frames)[2][0, 0].tolist() == [0, 0, 255]
    with pytest.raises(OSError, match="the camera gives no more"):
        list(frames)
    with pytest.raises(OSError, match="1: wanted a camera"):
        cameras.open_camera("1")


def test_what_reads_a_camera_is_looked_for_before_anything_is_opened(monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(ImportError):
        cameras.check_camera("0")
    monkeypatch.setitem(sys.modules, "cv2", types.ModuleType("cv2"))
    sys.modules["cv2"].__spec__ = importlib.machinery.ModuleSpec("cv2", None)
    cameras.check_camera("0")


class Recording:
    """As a video of ten frames, each of one color."""

    live = False

    def read(self, every):
        for index in range(0, 10, every):
            yield index, index / 25, np.full((4, 6, 3), index, np.uint8)


def test_frames_for_a_program_of_ones_own(monkeypatch):
    asked = []
    monkeypatch.setattr(
        "ssd.sources.frames.open_frames", lambda source: asked.append(source) or Recording()
    )
    with ssd.read_frames(0, every=3) as frames:
        assert [frame[0, 0, 0] for frame in frames] == [0, 3, 6, 9]
    assert len([*ssd.read_frames("rtsp://host/1")]) == 10
    assert [(source.kind, source.name) for source in asked] == [
        ("camera", "0"),
        ("stream", "rtsp://host/1"),
    ]


@pytest.mark.parametrize("source", ["a.jpg", -1, ""])
def test_what_has_no_frames_is_refused(source):
    with pytest.raises(ValueError, match="wanted a video, a camera or a stream"):
        ssd.read_frames(source)


@pytest.mark.parametrize("every", [0, 1.5, True, "2"])
def test_every_is_a_whole_number(every):
    with pytest.raises(ValueError, match="every: wanted a whole number of 1 or more"):
        ssd.read_frames("a.mp4", every=every)


def test_a_number_of_no_camera_is_said():
    pytest.importorskip("av")
    with pytest.raises(OSError, match="99: wanted a camera"):
        cameras.open_camera("99")

"""A run over photos in several processes: the same as in one, and whole however it ends."""

import contextlib
import csv
import functools
import json
import os
import pathlib
import pickle
import signal
import subprocess
import sys
import threading
import time

import matplotlib.cbook
import numpy as np
import pytest
from PIL import Image
from test_commands import command
from test_side_by_side import run_alone

import ssd
from ssd import detecting
from ssd.detecting import Run
from ssd.sinks.sink import Sink
from ssd.sources.naming import find_sources
from ssd.stopping import Stop

ROOT = pathlib.Path(__file__).parent.parent
RESULTS = ("--json", "r.json", "--csv", "r.csv", "--coco", "c.json")
FOLDERS = ("--yolo", "yolo", "--crops", "crops", "--out", "out")


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Sixty portraits of as many sizes, and a file that is none."""
    folder = tmp_path_factory.mktemp("photos")
    portrait = Image.open(matplotlib.cbook.get_sample_data("grace_hopper.jpg", asfileobj=False))
    for number in range(60):
        size = (100 + 3 * number, 150 + 2 * number)
        portrait.resize(size).save(folder / f"{number:02}.jpg", quality=95)
    (folder / "31a.jpg").write_text("no photo")
    return folder


@pytest.fixture(scope="module")
def many(photos, tmp_path_factory):
    """So many that a run lasts."""
    folder = tmp_path_factory.mktemp("many")
    for number in range(2000):
        os.link(photos / f"{number % 60:02}.jpg", folder / f"{number:04}.jpg")
    return folder


def dawdle(monkeypatch):
    """Slow this process down, not the others; returns what it reads itself."""
    read, came = detecting.read_photo, []

    def read_slowly(path):
        came.append(path)
        time.sleep(0.1)
        return read(path)

    monkeypatch.setattr(detecting, "read_photo", read_slowly)
    return came


def everything(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_two_processes_find_and_write_what_one_does(photos, tmp_path, monkeypatch):
    results = []
    for workers in (1, 2):
        (tmp_path / str(workers)).mkdir()
        monkeypatch.chdir(tmp_path / str(workers))
        own = dawdle(monkeypatch) if workers == 2 else None
        status, out, err = command("detect", photos, *RESULTS, *FOLDERS, "--workers", workers)
        assert status == 1  # of the one that is none
        results.append((out, err, everything(tmp_path / str(workers))))
    assert 0 < len(own) < 61  # others took part
    assert results[0] == results[1]
    out, err, files = results[0]
    assert len(out) == 61
    assert out[-1].startswith("61 photos: ")
    assert out[-1].endswith("1 not readable")
    assert len(err) == 1
    assert "31a.jpg: wanted a photo" in err[0]
    assert len(files) > 3 + 3 * 50
    assert json.loads(files["r.json"])["frames"][-1]["size"] == [150 + 2 * 59, 100 + 3 * 59]


HEAVY = """
import os, sys, time
import numpy as np

def heavy(number, detect):
    time.sleep(0.001)
    detect(np.zeros((80, 120, 3), np.uint8))
    names = ("tensorflow", "keras", "jax", "matplotlib", "av", "tkinter")
    return os.getpid(), [name for name in names if name in sys.modules]
"""


def test_another_process_imports_nothing_heavy(tmp_path):
    (tmp_path / "heavy_module.py").write_text(HEAVY)
    done = run_alone(
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        "import functools, itertools, os, ssd, heavy_module\n"
        "from ssd.side_by_side import side_by_side\n"
        "work = functools.partial(heavy_module.heavy, detect=ssd.Detector())\n"
        "results = side_by_side(work, itertools.count(), 2)\n"
        "print(next(names for process, names in results if process != os.getpid()))"
    )
    assert (done.stdout, done.stderr) == ("[]\n", "")


class Shown(Sink):
    """As a window, which stays in this process: pictures in their order."""

    visual = True

    def __init__(self):
        self.came, self.lock = [], threading.Lock()  # what pickle cannot take

    def add(self, result):
        frame, _, picture = result
        self.came.append((frame.source, frame.size, picture.shape[:2], frame.pixels))


def test_what_is_shown_comes_in_order_with_its_picture(photos, monkeypatch):
    sources, shown, own = find_sources([str(photos)]), Shown(), dawdle(monkeypatch)
    run = Run(detect=ssd.Detector(), sinks=[shown], stop=Stop(), workers=2)
    tally = run.photos(sources, lambda answer, tally: None)
    assert 0 < len(own) < 61
    assert (tally.done, tally.unread) == (60, 1)
    sizes = [(150 + 2 * number, 100 + 3 * number) for number in range(60)]
    assert shown.came == [
        (str(photos / f"{number:02}.jpg"), size, size, None) for number, size in enumerate(sizes)
    ]


class Other(Sink):
    """As videos, to which photos are nothing."""

    takes_photos, visual = False, True

    def add(self, result):
        raise AssertionError("this is a photo")


def test_who_takes_no_photos_gets_none_and_costs_no_pictures(photos, monkeypatch):
    monkeypatch.setattr(detecting, "draw", None)
    run = Run(detect=ssd.Detector(), sinks=[Other()], stop=Stop())
    tally = run.photos(find_sources([str(photos)])[:3], lambda answer, tally: None)
    assert tally.done == 3


def test_for_a_few_photos_no_process_is_started(photos, monkeypatch):
    """So what it is to detect with needs no pickle, either."""
    detector, here = ssd.Detector(), []
    run = Run(
        detect=lambda photo: (here.append(1), detector(photo))[1], sinks=[], stop=Stop(), workers=8
    )
    run.photos(find_sources([str(photos)])[:7], lambda answer, tally: None)
    assert len(here) == 7


def test_what_pickle_cannot_take_is_said(photos, monkeypatch):
    dawdle(monkeypatch)
    detector = ssd.Detector()
    run = Run(detect=lambda photo: detector(photo), sinks=[], stop=Stop(), workers=2)
    with pytest.raises((AttributeError, pickle.PicklingError), match="lambda"):
        run.photos(find_sources([str(photos)]), lambda answer, tally: None)


@contextlib.contextmanager
def started(many, folder, *, workers=2):
    """`ssd detect` in processes of their own, as a terminal starts them."""
    arguments = ("detect", many, *RESULTS, "--yolo", "yolo", "--workers", str(workers))
    with (
        open(folder / "out", "w") as out,
        subprocess.Popen(
            [sys.executable, "-m", "ssd", *arguments],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=out,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        ) as process,
    ):
        yield process


def ended(process, folder):
    """Its status, its lines and those of its errors, when the last process has closed both."""
    err = process.communicate(timeout=60)[1]
    return process.returncode, (folder / "out").read_text().splitlines(), err.splitlines()


def until(condition, process):
    while not condition():
        assert process.poll() is None
        time.sleep(0.01)


def lines(folder):
    path = folder / "r.jsonl"
    return path.read_bytes().count(b"\n") if path.exists() else -1


@pytest.mark.parametrize("least", [0, 400])
def test_asked_to_stop_by_a_terminal_it_completes_its_files(many, tmp_path, least):
    """The terminal asks all processes; at 0 the others only start."""
    with started(many, tmp_path) as process:
        until(lambda: lines(tmp_path) >= least, process)
        os.killpg(process.pid, signal.SIGINT)
        status, out, err = ended(process, tmp_path)
    assert status == 130
    assert len(err) == 1
    assert err[0].endswith("detect: stopped; what was detected is written")
    frames = json.loads((tmp_path / "r.json").read_text())["frames"]
    assert least <= len(frames) < 2000
    assert [frame["source"] for frame in frames] == [
        str(many / f"{number:04}.jpg") for number in range(len(frames))
    ]
    assert len(out) == len(frames) + 1
    assert out[-1].startswith(f"{len(frames)} of 2000 photos: ")
    assert sorted(os.listdir(tmp_path / "yolo")) == [
        f"{number:04}.txt" for number in range(len(frames))
    ]


def others(process):
    """The processes that it started, of which Linux knows."""
    path = pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children")
    commands = {
        int(child): pathlib.Path(f"/proc/{child}/cmdline").read_bytes()
        for child in path.read_text().split()
    }
    return [child for child, command in commands.items() if b"spawn_main" in command]


linux = pytest.mark.skipif(not pathlib.Path("/proc/self/task").exists(), reason="reads /proc")


@linux
@pytest.mark.parametrize("least", [0, 400])
def test_killed_it_leaves_no_process(many, tmp_path, least):
    with started(many, tmp_path, workers=3) as process:
        until(lambda: lines(tmp_path) >= least and len(others(process)) == 2, process)
        children = others(process)
        process.kill()
        ended(process, tmp_path)
    assert not any(map(is_running, children))
    rows = [json.loads(line) for line in (tmp_path / "r.jsonl").read_bytes().splitlines()]
    assert least <= len(rows) < 2000


def is_running(number):
    try:
        state = pathlib.Path(f"/proc/{number}/stat").read_text()
    except FileNotFoundError:
        return False
    return state.rpartition(")")[2].split()[0] != "Z"


@linux
def test_a_process_that_is_killed_ends_the_run_with_one_line_and_whole_files(many, tmp_path):
    with started(many, tmp_path) as process:
        until(lambda: lines(tmp_path) >= 400, process)
        os.kill(others(process)[0], signal.SIGKILL)
        status, out, err = ended(process, tmp_path)
    assert status == 1
    assert len(err) == 1
    assert "jpg: wanted a result, the process at work on it ended with status -9" in err[0]
    frames = json.loads((tmp_path / "r.json").read_text())["frames"]
    assert 400 <= len(frames) < 2000
    assert len(out) == len(frames)
    assert f"{len(frames):04}.jpg" in err[0]
    with open(tmp_path / "r.csv", newline="") as file:
        named = {row["source"] for row in csv.DictReader(file)}
    assert named == {frame["source"] for frame in frames if frame["found"]}


def test_a_keras_model_is_for_one_process(tmp_path):
    model = tmp_path / "face.keras"
    model.write_text("")
    status, _, err = command("detect", "a.jpg", "--model", model, "--workers", 2)
    assert status == 2
    assert "--workers: wanted a .tflite or .onnx model" in err[0]


def test_pixels_are_detected_alike_by_a_detector_that_pickle_took(photos):
    detector = functools.partial(ssd.Detector(), score_threshold=0.3)
    photo = np.asarray(Image.open(photos / "40.jpg"))
    one, other = detector(photo), pickle.loads(pickle.dumps(detector))(photo)
    assert len(one)
    for mine, theirs in zip(one, other, strict=True):
        np.testing.assert_array_equal(mine, theirs)

import importlib.util
import os
import pathlib
import subprocess
import sys
import threading
import time
import types

import lamps
import numpy as np
import pytest

import ssd
from ssd.photos.reading import write_photo

EXAMPLE = pathlib.Path(__file__).parent.parent / "examples" / "smiling_bot.py"
BUTTON, FACE, SMILE = 17, 22, 27


@pytest.fixture
def pins(monkeypatch):
    """Mock pins; the button is pulled up and so not pressed."""
    gpiozero = pytest.importorskip("gpiozero", reason="gpiozero brings the mock pins")
    from gpiozero.pins.mock import MockFactory

    factory = MockFactory()
    monkeypatch.setattr(gpiozero.Device, "pin_factory", factory)
    yield {number: factory.pin(number) for number in (BUTTON, FACE, SMILE)}
    factory.reset()


@pytest.fixture
def bot():
    spec = importlib.util.spec_from_file_location("smiling_bot", EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def photos(tmp_path):
    """Nobody, a face, a smile, nobody: for a model whose faces are white and smiles red."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for index, color in enumerate([(0, 0, 0), (255, 255, 255), (255, 0, 0), (0, 0, 0)]):
        photo = np.zeros((64, 96, 3), np.uint8)
        photo[8:16, 16:24] = color
        write_photo(folder / f"{index}.png", photo)
    return folder


def states(pin):
    """What a pin went through, without repetitions."""
    levels = [bool(state.state) for state in pin.states]
    return [level for index, level in enumerate(levels) if index == 0 or level != levels[index - 1]]


def run(bot, *arguments):
    return bot.main([str(argument) for argument in arguments])


def hold(monkeypatch, bot, pins):
    """Press the button as soon as the bot has set its pin up."""
    button = bot.Button

    def pressed(*arguments):
        made = button(*arguments)
        pins[BUTTON].drive_low()
        return made

    monkeypatch.setattr(bot, "Button", pressed)


def test_lamps_follow_what_is_seen(bot, pins, photos, tmp_path, monkeypatch, capsys):
    hold(monkeypatch, bot, pins)
    model = lamps.write_model(tmp_path / "a.tflite", classes=("face", "smile"))
    assert run(bot, model, "--photos", photos) == 0
    assert states(pins[FACE]) == [False, True, False]
    assert states(pins[SMILE]) == [False, True, False]
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["0", "1", "1", "0"]
    assert [line.endswith("a smile") for line in lines] == [False, False, True, False]


def test_without_pins_lamps_are_words(bot, photos, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(bot, "LED", None)
    monkeypatch.setattr(bot, "Button", None)
    model = lamps.write_model(tmp_path / "a.tflite", classes=("face", "smile"))
    assert run(bot, model, "--photos", photos, "--no-pins") == 0
    out, err = capsys.readouterr()
    said = [line for line in out.splitlines() if "lamp" in line]
    assert said == ["face lamp on", "smile lamp on", "face lamp off", "smile lamp off"]
    assert "looks at 4 photos of" in err


def test_it_runs_without_gpiozero_installed(photos, tmp_path):
    """In a process that has none, as a user starts it; without --no-pins one line says so."""
    model = lamps.write_model(tmp_path / "a.tflite", classes=("face", "smile"))
    code = (
        "import runpy, sys; sys.modules['gpiozero'] = None; path = sys.argv[1];"
        "sys.argv = sys.argv[1:]; runpy.run_path(path, run_name='__main__')"
    )
    words = [sys.executable, "-c", code, EXAMPLE, model, "--photos", photos]
    done = subprocess.run([*words, "--no-pins"], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "smile lamp on" in done.stdout
    done = subprocess.run(words, capture_output=True, text=True, timeout=300)
    assert done.returncode == 1
    assert "wanted gpiozero" in done.stderr.splitlines()[-1]
    assert "--no-pins" in done.stderr.splitlines()[-1]


def test_no_photo_is_said_and_passed_over(bot, photos, tmp_path, capsys):
    (photos / "0a.txt").write_text("no photo")
    model = lamps.write_model(tmp_path / "a.tflite", classes=("face", "smile"))
    assert run(bot, model, "--photos", photos, "--no-pins") == 0
    out, err = capsys.readouterr()
    assert out.count("found in") == 4
    assert sum("0a.txt" in line for line in err.splitlines()) == 1


def test_a_smile_that_trembles_does_not_make_the_lamp_tremble(bot):
    steady = bot.Steady(5)
    # At first it has to be seen for some frames; then one frame without changes nothing.
    assert [steady(score) for score in (0.9, 0.9, 0.9, 0.9)] == [False, False, False, True]
    assert [steady(score) for score in (0.9, 0.0, 0.9, 0.9)] == [True] * 4
    assert [steady(score) for score in (0.3, 0.9, 0.3, 0.9)] == [True] * 4
    assert [steady(score) for score in (0.4, 0.4, 0.1)] == [True, True, False]
    assert [steady(score) for score in (0.6,) * 9] == [False] * 9  # between the two it stays
    assert [steady(score) for score in (0.9, 0.9, None, 0.9)] == [False, True, False, False]


def test_a_face_in_two_minds_is_a_face(bot, tmp_path, capsys):
    """It may smile or not, and neither class alone reaches the threshold."""
    photo = np.zeros((64, 96, 3), np.uint8)
    photo[8:16, 16:24] = (255, 128, 0)
    write_photo(tmp_path / "0.png", photo)
    two = {"classes": ("face", "smile"), "kinds": {"smile": "face"}}
    model = lamps.write_model(tmp_path / "a.tflite", **two)
    (tmp_path / "photos").mkdir()
    (tmp_path / "0.png").rename(tmp_path / "photos" / "0.png")
    assert run(bot, model, "--photos", tmp_path / "photos", "--no-pins") == 0
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "found" in line]
    assert line.startswith("1 found")
    assert line.endswith("smile 0.48")


def test_it_says_what_it_waits_for(bot, pins, photos, tmp_path, monkeypatch, capsys):
    model = lamps.write_model(tmp_path / "a.tflite", classes=("face",))
    button = bot.Button

    monkeypatch.setattr(bot, "Button", lambda number: Waiting(button(number), pins[BUTTON]))
    assert run(bot, model, "--photos", photos) == 0
    err = capsys.readouterr().err.splitlines()
    assert [line.partition(": ")[2] for line in err] == [
        f"looks at 4 photos of {photos}",
        f"{model} has no class smile: the second lamp stays dark",
        "waits for the button at pin 17",
        "looks",
    ]


class Waiting:
    """A button that is pressed once it has been waited for, for some hours."""

    def __init__(self, button, pin):
        self.button, self.pin, self.hours = button, pin, 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.button.close()

    @property
    def is_active(self):
        return self.button.is_active

    def wait_for_active(self, timeout):
        self.hours += 1
        if self.hours == 3:
            self.pin.drive_low()
        return self.button.is_active


def test_while_it_waits_it_forgets(bot, pins, photos, tmp_path, monkeypatch):
    model = lamps.write_model(tmp_path / "a.tflite", classes=("face", "smile"))
    asked = []
    monkeypatch.setattr(ssd.CaptureLog, "forget", lambda self: asked.append(self.days))
    button = bot.Button
    monkeypatch.setattr(bot, "Button", lambda number: Waiting(button(number), pins[BUTTON]))
    seen = ("--captures", tmp_path / "seen", "--keep-days", 30)
    assert run(bot, model, "--photos", photos, *seen) == 0
    assert asked == [30.0] * 3  # when opened, and in two hours of waiting


def test_it_keeps_what_it_is_unsure_of_and_a_share_of_the_rest(bot, tmp_path, photos):
    model = lamps.write_model(tmp_path / "a.tflite", classes=("face", "smile"))
    dim = np.zeros((64, 96, 3), np.uint8)
    dim[8:16, 16:24] = 120  # as 47 %: a lamp that scores 0.36, under the threshold
    write_photo(photos / "9.png", dim)
    seen = tmp_path / "seen"
    assert (
        run(bot, model, "--photos", photos, "--no-pins", "--captures", seen, "--keep-share", 0) == 0
    )
    (kept,) = ssd.CaptureLog(seen)
    assert (kept.image == dim).all()
    assert len(kept.found) == 0


@pytest.mark.parametrize(("pin", "option"), [(BUTTON, "--button-pin"), (SMILE, "--smile-pin")])
def test_a_busy_pin_is_one_line(bot, pins, photos, tmp_path, monkeypatch, capsys, pin, option):
    import gpiozero

    model = lamps.write_model(tmp_path / "a.tflite", classes=("face", "smile"))
    with gpiozero.LED(pin):
        assert run(bot, model, "--photos", photos) == 1
    err = capsys.readouterr().err.splitlines()
    assert len(err) == 2  # after what it looks at
    assert f"pin {pin} cannot be used" in err[-1]
    assert option in err[-1]


def test_no_board_is_one_line(photos, tmp_path):
    pytest.importorskip("gpiozero", reason="which looks for a board")
    model = lamps.write_model(tmp_path / "a.tflite", classes=("face", "smile"))
    done = subprocess.run(
        [sys.executable, EXAMPLE, model, "--photos", photos],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "GPIOZERO_PIN_FACTORY": "nothing"},
    )
    assert done.returncode == 1
    assert "pin 17 cannot be used" in done.stderr
    assert done.stderr.count("\n") == 2


def test_a_model_of_faces_alone_leaves_the_smile_lamp_dark(
    bot, pins, photos, tmp_path, monkeypatch
):
    hold(monkeypatch, bot, pins)
    model = lamps.write_model(tmp_path / "a.tflite", classes=("face",))
    assert run(bot, model, "--photos", photos) == 0
    assert states(pins[FACE]) == [False, True, False]
    assert states(pins[SMILE]) == [False]


def test_it_waits_for_the_button(bot, pins, photos, tmp_path):
    model = lamps.write_model(tmp_path / "a.tflite", classes=("face", "smile"))
    bot_thread = threading.Thread(target=run, args=(bot, model, "--photos", photos))
    bot_thread.start()
    time.sleep(1)
    assert bot_thread.is_alive()
    assert states(pins[FACE]) == [False]
    pins[BUTTON].drive_low()
    bot_thread.join(timeout=30)
    assert not bot_thread.is_alive()
    assert states(pins[FACE]) == [False, True, False]


def test_it_keeps_what_it_saw(bot, pins, photos, tmp_path, monkeypatch):
    hold(monkeypatch, bot, pins)
    model = lamps.write_model(tmp_path / "a.tflite", classes=("face", "smile"))
    assert run(bot, model, "--photos", photos, "--captures", tmp_path / "seen") == 0
    kept = list(ssd.CaptureLog(tmp_path / "seen"))
    assert [len(capture.found) for capture in kept] == [0, 1, 1, 0]
    assert (kept[1].image[8:16, 16:24] == 255).all()
    assert all(capture.seconds > 0 for capture in kept)


@pytest.mark.parametrize("wrong", ["model", "photos"])
def test_bad_input_is_one_line(bot, pins, photos, tmp_path, capsys, wrong):
    model = lamps.write_model(tmp_path / "a.tflite")
    if wrong == "model":
        model = tmp_path / "nowhere.tflite"
    else:
        photos = tmp_path / "nowhere"
    assert run(bot, model, "--photos", photos) == 1
    assert "nowhere" in capsys.readouterr().err.splitlines()[-1]


def test_the_pis_camera_is_looked_through_and_let_go_of(bot, pins, tmp_path, monkeypatch):
    """A stand-in with the calls of picamera2's own examples, which waits for the bot."""
    calls, seen = [], tmp_path / "seen"

    class Picamera2:
        def create_video_configuration(self, main):
            return {"main": main}

        def configure(self, configuration):
            calls.append(configuration)

        def start(self):
            calls.append("start")

        def capture_array(self):
            while len([*seen.glob("*.png")]) < calls.count("frame"):
                time.sleep(0.01)
            if calls.count("frame") == 2:
                raise KeyboardInterrupt  # as Ctrl-C ends it
            calls.append("frame")
            frame = np.zeros((64, 96, 3), np.uint8)
            frame[8:16, 16:24] = 255
            return frame

        def stop(self):
            calls.append("stop")

        def close(self):
            calls.append("close")

    monkeypatch.setitem(sys.modules, "picamera2", types.SimpleNamespace(Picamera2=Picamera2))
    hold(monkeypatch, bot, pins)
    model = lamps.write_model(tmp_path / "a.tflite", classes=("face",))
    assert run(bot, model, "--captures", seen) == 0
    wanted = {"main": {"size": (640, 480), "format": "BGR888"}}
    assert calls == [wanted, "start", "frame", "frame", "stop", "close"]
    assert [len(capture.found) for capture in ssd.CaptureLog(seen)] == [1, 1]
    assert states(pins[FACE])[:2] == [False, True]


class Webcam:
    """A camera that waits to be read, so that no frame is left out."""

    rate, frames, live = 30.0, None, False

    def __init__(self, error=None):
        self.error = error

    def read(self, every=1):
        for index in range(2):
            yield index, index / 30, np.zeros((64, 96, 3), np.uint8)
            if self.error is not None:
                raise self.error


def plug_in(monkeypatch, camera):
    """Have a camera, or an error in place of it, at number 0, and none of a Pi."""

    def open_camera(name):
        if name != "0":
            raise ImportError("no picamera2")
        if isinstance(camera, Exception):
            raise camera
        return camera

    monkeypatch.setattr("ssd.sources.opening.open_camera", open_camera)


def test_without_the_pis_camera_it_is_a_webcam(bot, pins, tmp_path, monkeypatch, capsys):
    plug_in(monkeypatch, Webcam())
    hold(monkeypatch, bot, pins)
    model = lamps.write_model(tmp_path / "a.tflite", classes=("face",))
    assert run(bot, model) == 0
    assert capsys.readouterr().out.count("found in") == 2
    assert states(pins[FACE]) == [False]


def test_a_missing_webcam_is_one_line(bot, tmp_path, monkeypatch, capsys):
    plug_in(monkeypatch, OSError("/dev/video0: wanted a camera"))
    assert run(bot, lamps.write_model(tmp_path / "a.tflite")) == 1
    err = capsys.readouterr().err
    assert "wanted a camera, found none (no picamera2; webcam: /dev/video0" in err
    assert err.count("\n") == 1


def no_webcam(*arguments, **options):
    raise OSError("no webcam")


@pytest.mark.parametrize("error", [IndexError("list index out of range"), RuntimeError("in use")])
def test_a_pis_camera_that_is_missing_or_in_use_is_said(bot, tmp_path, monkeypatch, capsys, error):
    def fail(*arguments, **options):
        raise error

    monkeypatch.setitem(sys.modules, "picamera2", types.SimpleNamespace(Picamera2=fail))
    monkeypatch.setattr("ssd.sources.cameras._is_for_av", lambda: True)
    monkeypatch.setattr("ssd.sources.cameras.Video", no_webcam)
    assert run(bot, lamps.write_model(tmp_path / "a.tflite")) == 1
    err = capsys.readouterr().err
    assert f"picamera2: wanted a camera ({error}); webcam: no webcam" in err
    assert err.count("\n") == 1


def test_a_camera_that_goes_away_is_one_line(bot, tmp_path, monkeypatch, capsys):
    plug_in(monkeypatch, Webcam(OSError("unplugged")))
    assert run(bot, lamps.write_model(tmp_path / "a.tflite"), "--no-pins") == 1
    out, err = capsys.readouterr()
    assert out.count("found in") == 1
    assert "unplugged" in err.splitlines()[-1]

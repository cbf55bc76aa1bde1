import importlib.util
import pathlib
import sys
import threading
import time
import types

import lamps
import numpy as np
import pytest

import ssd
from ssd.photos.reading import write_photo

gpiozero = pytest.importorskip("gpiozero", reason="gpiozero brings the mock pins")
from gpiozero.pins.mock import MockFactory  # noqa: E402

EXAMPLE = pathlib.Path(__file__).parent.parent / "examples" / "smiling_bot.py"
BUTTON, FACE, SMILE = 17, 22, 27


@pytest.fixture
def pins(monkeypatch):
    """Mock pins; the button is pulled up and so not pressed."""
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


def test_the_pis_camera_is_asked_for_frames_as_the_detector_takes_them(
    bot, pins, tmp_path, monkeypatch
):
    """A stand-in with the calls of picamera2's own examples: configure, start, capture_array."""
    calls = []

    class Picamera2:
        def create_video_configuration(self, main):
            return {"main": main}

        def configure(self, configuration):
            calls.append(configuration)

        def start(self):
            calls.append("start")

        def capture_array(self):
            if calls.count("frame") == 2:
                raise KeyboardInterrupt  # as Ctrl-C ends it
            calls.append("frame")
            frame = np.zeros((64, 96, 3), np.uint8)
            frame[8:16, 16:24] = 255
            return frame

    monkeypatch.setitem(sys.modules, "picamera2", types.SimpleNamespace(Picamera2=Picamera2))
    hold(monkeypatch, bot, pins)
    model = lamps.write_model(tmp_path / "a.tflite", classes=("face",))
    assert run(bot, model, "--captures", tmp_path / "seen") == 0
    assert calls == [{"main": {"size": (640, 480), "format": "BGR888"}}, "start", "frame", "frame"]
    assert [len(capture.found) for capture in ssd.CaptureLog(tmp_path / "seen")] == [1, 1]
    assert states(pins[FACE])[:2] == [False, True]


def test_without_the_pis_camera_it_is_a_webcam(bot, pins, tmp_path, monkeypatch):
    frame = np.zeros((64, 96, 3), np.uint8)
    asked = []

    def get_reader(uri, **options):
        asked.append((uri, options))
        return [frame, frame]

    monkeypatch.setitem(sys.modules, "picamera2", None)  # importing it raises ImportError
    monkeypatch.setattr("imageio.get_reader", get_reader)
    hold(monkeypatch, bot, pins)
    model = lamps.write_model(tmp_path / "a.tflite", classes=("face",))
    assert run(bot, model) == 0
    assert asked == [("<video0>", {"size": (640, 480)})]
    assert states(pins[FACE]) == [False]


def test_a_missing_webcam_is_one_line(bot, pins, tmp_path, monkeypatch, capsys):
    def get_reader(uri, **options):
        raise IndexError("No camera at <video0>.")

    monkeypatch.setitem(sys.modules, "picamera2", None)
    monkeypatch.setattr("imageio.get_reader", get_reader)
    assert run(bot, lamps.write_model(tmp_path / "a.tflite")) == 1
    assert "No camera at <video0>" in capsys.readouterr().err

import json
import re
import subprocess
import sys

import lamps
import numpy as np
import pytest

import ssd
from benchmarks import board, latency, model_table, sustained, viola_jones
from ssd.photos.reading import write_photo


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    return lamps.write_model(folder / "lamps.tflite", precision="int8")


def run(*arguments):
    return latency.main([str(argument) for argument in arguments])


def test_table_and_json(model, tmp_path, capsys):
    out = tmp_path / "latency.json"
    assert run(model, "--runs", 20, "--threads", "1,2", "--frame", "120x90", "--json", out) == 0
    table = capsys.readouterr().out
    assert "lamps.tflite: int8" in table
    assert "cold start" in table
    assert "120x90" in table
    result = json.loads(out.read_text())
    assert list(result["threads"]) == ["1", "2"]
    for stages in result["threads"].values():
        for stage in (*latency.STAGES, "total"):
            assert 0 < stages[stage]["median"] <= stages[stage]["p90"] <= stages[stage]["p99"]
        longest = max(stages[stage]["median"] for stage in latency.STAGES)
        assert stages["total"]["median"] >= longest
    cold = result["cold_start"]
    steps = [cold[name] for name in ("python", "numpy", "import_ssd", "open", "first")]
    assert min(steps) > 0
    assert cold["total"] >= max(steps)
    assert 10 < cold["peak_memory_mb"] < 1000
    # One convolution of 8 x 8 x 3 to two logits, one to four offsets, at 8 x 12 places.
    assert result["model"]["multiply_adds"] == 8 * 12 * 8 * 8 * 3 * (2 + 4)
    assert result["model"]["bytes"] == model.stat().st_size


def test_a_machine_that_says_nothing_about_itself(model, monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(board, "_read", lambda path: None)
    out = tmp_path / "latency.json"
    assert run(model, "--runs", 2, "--threads", "1", "--json", out) == 0
    assert "governor unknown, clock unknown, temperature unknown" in capsys.readouterr().out
    assert json.loads(out.read_text())["after"]["governor"] is None


def test_photos_are_taken_from_a_folder(model, tmp_path, capsys):
    lit = np.zeros((64, 96, 3), np.uint8)
    lit[8:16, 16:24] = 255
    (tmp_path / "photos").mkdir()
    write_photo(tmp_path / "photos" / "a.png", lit)
    (tmp_path / "photos" / "b.txt").write_text("no photo")
    assert run(model, "--runs", 2, "--threads", "1", "--photos", tmp_path / "photos") == 0
    table = capsys.readouterr().out
    assert "1.0 boxes found per frame" in table
    assert "96x64" in table


def test_generated_frames_are_always_the_same():
    frames, again = latency.generated(64, 48), latency.generated(64, 48)
    assert frames[0].shape == (48, 64, 3)
    assert frames[0].dtype == np.uint8
    assert all((one == two).all() for one, two in zip(frames, again, strict=True))
    assert not (frames[0] == frames[1]).all()


def test_summary_is_in_milliseconds_and_by_column():
    seconds = np.tile(np.array([1.0, 2.0, 3.0, 4.0]) / 1e3, (100, 1))
    seconds[99, 1] = 1.0  # one slow forward pass in a hundred
    stages = latency.summary((seconds, np.arange(100)))
    assert stages["forward"]["median"] == 2
    assert stages["forward"]["p90"] == 2
    assert stages["forward"]["p99"] > 2
    assert stages["total"]["median"] == 10
    assert stages["found_per_frame"] == 49.5


@pytest.mark.parametrize(
    ("operation", "inputs", "output", "count"),
    [
        ("CONV_2D", [(1, 4, 4, 3), (8, 3, 3, 3)], (1, 2, 2, 8), 2 * 2 * 8 * 27),
        ("DEPTHWISE_CONV_2D", [(1, 4, 4, 8), (1, 3, 3, 8)], (1, 4, 4, 8), 4 * 4 * 8 * 9),
        ("FULLY_CONNECTED", [(1, 10), (5, 10)], (1, 5), 50),
        ("TRANSPOSE_CONV", [(4,), (8, 2, 2, 3), (1, 4, 4, 3)], (1, 8, 8, 8), 4 * 4 * 3 * 32),
        ("ADD", [(1, 4, 4, 3), (1, 4, 4, 3)], (1, 4, 4, 3), 0),
    ],
)
def test_multiply_adds_on_hand_worked_numbers(operation, inputs, output, count):
    assert latency.multiply_adds(operation, inputs, output) == count


def state(**changed):
    well = {"governor": "performance", "mhz": 1500, "celsius": 50, "throttled": 0, "load": 0}
    return {**well, **changed}


def warned(*, before=None, after=None, emulated=False, p90=1.0):
    return latency.warnings(
        {
            "board": {"emulated": emulated},
            "before": before or state(),
            "after": after or state(),
            "threads": {"1": {"forward": {"median": 1.0, "p90": p90}}},
        }
    )


def test_figures_to_trust_come_without_warning():
    assert warned() == []
    nothing = dict.fromkeys(state())
    assert warned(before=nothing, after=nothing) == []


@pytest.mark.parametrize(
    ("cause", "words"),
    [
        ({"after": state(governor="ondemand")}, "governor is ondemand"),
        ({"after": state(throttled=0x50005)}, r"throttling or low voltage \(0x50005\)"),
        ({"after": state(celsius=81.2)}, "81 °C"),
        ({"before": state(load=1.3)}, r"load 1\.3"),
        ({"emulated": True}, "emulated"),
        ({"p90": 1.6}, "something else wants the processor"),
    ],
)
def test_each_cause_of_doubt_is_named(cause, words):
    (warning,) = warned(**cause)
    assert re.search(words, warning)


def test_a_raspberry_pi_is_recognized(monkeypatch):
    files = {
        "/proc/device-tree/model": "Raspberry Pi 4 Model B Rev 1.4\0",
        "/sys/class/thermal/thermal_zone0/temp": "48312",
        "/sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq": "1500000",
        "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": "ondemand",
        "/sys/devices/platform/soc/soc:firmware/get_throttled": "50000",
    }
    monkeypatch.setattr(board, "_read", files.get)
    assert board.describe()["name"] == "Raspberry Pi 4 Model B Rev 1.4"
    found = board.state()
    assert found["celsius"] == 48.312
    assert found["mhz"] == 1500
    assert found["governor"] == "ondemand"
    assert found["throttled"] == 0x50000


def test_an_emulated_processor_is_given_away(monkeypatch):
    monkeypatch.setattr(board, "_read", {"/proc/cpuinfo": "vendor_id : GenuineIntel"}.get)
    monkeypatch.setattr(board.platform, "machine", lambda: "aarch64")
    assert board.describe()["emulated"]
    monkeypatch.setattr(board.platform, "machine", lambda: "x86_64")
    assert not board.describe()["emulated"]


def test_against_a_file(model, tmp_path, capsys):
    # The same network, its offsets' bias another: half as many of its outputs are zero.
    other = lamps.write_model(tmp_path / "b.tflite", precision="int8", offset=(1, 1, 0, 0))
    out = tmp_path / "latency.json"
    run(model, "--runs", 10, "--threads", "1", "--against", other, "--json", out)
    result = json.loads(out.read_text())["against"]
    assert result["forward_ms"] > 0
    assert result["other_forward_ms"] > 0
    shares = {tuple(shape): share for shape, share in result["zeros"]}
    assert shares[1, 8, 12, 4] == 1
    others = {tuple(shape): share for shape, share in result["other_zeros"]}
    assert others[1, 8, 12, 4] == 0.5
    assert "ratio" in capsys.readouterr().out


def test_against_random(tiny, tmp_path, capsys):
    ssd.export(ssd.SSD(tiny), tmp_path / "a.tflite", precision="float32")
    out = tmp_path / "latency.json"
    status = run(
        tmp_path / "a.tflite", "--runs", 5, "--threads", 1, "--against", "random", "--json", out
    )
    assert status == 0
    result = json.loads(out.read_text())["against"]
    assert len(result["zeros"]) == len(result["other_zeros"]) > 5
    # Behind a ReLU about half of an untrained network's outputs are zero.
    assert 0.2 < result["other_zeros"][0][1] < 0.8


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere.tflite"], "nowhere.tflite: wanted a .tflite model file"),
        (["MODEL", "--score-threshold", "2"], "score_threshold: wanted a number from 0 to 1"),
        (["MODEL", "--photos", "nowhere"], "wanted a folder with photos"),
        (["MODEL", "--json", "nowhere/a.json"], "wanted a file in a folder that exists"),
        (["MODEL", "--against", "nowhere.tflite"], "nowhere.tflite: wanted a .tflite"),
        (["MODEL", "--against", "m.keras"], "m.keras: wanted a .tflite file"),
        (["m.onnx"], "m.onnx: wanted a .tflite file, whose layers are counted"),
    ],
)
def test_bad_input_is_one_line(model, arguments, words, capsys):
    arguments = [str(model) if each == "MODEL" else each for each in arguments]
    assert run(*arguments, "--runs", 2, "--threads", "1") == 1
    error = capsys.readouterr().err.strip().splitlines()
    # The runtime has a line of its own about its delegate.
    assert [line for line in error if line.startswith("latency: ")] == [error[-1]]
    assert words in error[-1]


@pytest.mark.parametrize("option", [("--threads", "0"), ("--runs", "x"), ("--frame", "640")])
def test_bad_options_say_what_was_wanted(model, option, capsys):
    with pytest.raises(SystemExit) as stopped:
        run(model, *option)
    assert stopped.value.code == 2
    assert "such as" in capsys.readouterr().err or option[0] == "--runs"


def test_against_other_layers(model, tmp_path, capsys):
    other = lamps.write_model(tmp_path / "b.tflite", precision="int8", classes=("lamp", "red"))
    assert run(model, "--runs", 2, "--threads", "1", "--against", other) == 1
    assert "wanted a model of the same layers" in capsys.readouterr().err


def test_plot(model, tmp_path):
    assert run(model, "--runs", 2, "--threads", "1", "--plot", tmp_path / "a.png") == 0
    assert (tmp_path / "a.png").read_bytes()[1:4] == b"PNG"


def test_runs_as_a_command(model):
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.latency", "--help"], capture_output=True, text=True
    )
    assert done.returncode == 0
    assert "--against" in done.stdout


def test_two_runs_side_by_side(model, tmp_path, capsys):
    first, second = tmp_path / "a.json", tmp_path / "b.json"
    assert run(model, "--runs", 2, "--threads", "1", "--frame", "64x48", "--json", first) == 0
    slower = json.loads(first.read_text())
    slower["threads"]["1"] |= {
        stage: {name: 3 * value for name, value in slower["threads"]["1"][stage].items()}
        for stage in ("forward", "total")
    }
    slower["runtime"], slower["threads"]["2"] = "another", slower["threads"]["1"]
    second.write_text(json.dumps(slower))
    capsys.readouterr()
    assert run("--compare", first, second) == 0
    told = capsys.readouterr().out
    rows = {line.split()[-7]: line.split() for line in told.splitlines() if len(line.split()) > 6}
    assert (rows["forward"][-4], rows["forward"][-1]) == ("3.00", "3.00")
    assert rows["nms"][-1] == "1.00"
    assert re.search("runtime: before .*; after another", told)
    assert "model: lamps.tflite" in told  # the same in both


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("no json", "this is no JSON"),
        ("[1]", "got one of kind list"),
        ('{"kind": "evaluation"}', "got one of kind evaluation"),
        ('{"kind": "latency", "slices": []}', "got one without versions"),
        ('{"kind": "latency", "versions": {}, "model": {}, "slices": []}', "without --minutes"),
    ],
)
def test_what_is_no_latency_file_is_named(content, words, tmp_path, capsys):
    (tmp_path / "a.json").write_text(content)
    assert run("--compare", tmp_path / "a.json", tmp_path / "a.json") == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert words in line


def test_minutes_tell_of_a_machine_that_gets_slower(model, tmp_path, capsys):
    out = tmp_path / "a.json"
    assert run(model, "--minutes", 0.005, "--threads", "1", "--frame", "64x48", "--json", out) == 0
    assert "minutes: " in capsys.readouterr().out.splitlines()[-1]
    slices = json.loads(out.read_text())["slices"]
    assert 1 <= len(slices) <= 20
    assert [each["seconds"] for each in slices] == sorted(each["seconds"] for each in slices)


def test_what_was_measured_stays_when_someone_has_seen_enough(monkeypatch):
    calls = iter(range(10))

    def detect(frame):
        if next(calls) == 3:
            raise KeyboardInterrupt

    clock = iter(np.arange(0, 100, 0.5).tolist())
    monkeypatch.setattr(sustained.time, "perf_counter", lambda: next(clock))
    said = []
    slices = sustained.sustain(detect, [np.zeros((4, 4, 3), np.uint8)], 20.0, say=said.append)
    assert slices
    assert said[-1] == "stopped"


def test_milliseconds_beside_ap(model, tmp_path, capsys):
    other = lamps.write_model(tmp_path / "float.tflite")
    lit = np.zeros((64, 96, 3), np.uint8)
    lit[8:16, 16:24] = 255
    write_photo(tmp_path / "a.png", lit)
    truth, out = tmp_path / "truth.json", tmp_path / "out.json"
    box = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [16, 8, 8, 8]}
    coco = {
        "images": [{"id": 1, "file_name": "a.png", "width": 96, "height": 64}],
        "annotations": [box],
        "categories": [{"id": 1, "name": "lamp"}],
    }
    truth.write_text(json.dumps(coco))
    options = ["--photos", tmp_path, "--truth", truth, "--runs", 7, "--threads", "1"]
    assert run("--models", model, other, *options, "--json", out) == 0
    told = capsys.readouterr().out
    rows = json.loads(out.read_text())["models"]
    assert [row["model"] for row in rows[:2]] == ["lamps.tflite", "float.tflite"]
    assert [row["precision"] for row in rows[:2]] == ["int8", "float32"]
    assert [row["AP50"] for row in rows[:2]] == [1.0, 1.0]
    assert all(0 < row["median"] <= row["p90"] for row in rows[:2])
    assert rows[2]["model"] == viola_jones.NAME
    assert "absent" in rows[2] or rows[2]["median"] > 0
    assert viola_jones.NAME in told


def test_models_take_turns_and_each_sees_the_same_frames():
    seen = {"a": [], "b": []}
    frames = [np.full((1, 1, 3), value) for value in range(3)]
    detectors = {name: lambda frame, name=name: seen[name].append(frame[0, 0, 0]) for name in seen}
    times = model_table.time_in_turns(detectors, frames, 7)
    assert [len(each) for each in times.values()] == [7, 7]
    assert seen["a"] == seen["b"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "wanted one of MODEL"),
        (["a.tflite", "--models", "b.tflite"], "wanted one of MODEL"),
        (["--models", "a.tflite"], "wanted --photos FOLDER and --truth FILE"),
        (["--compare", "a.json", "b.json", "--minutes", "1"], "--minutes: wanted one MODEL"),
        (["a.tflite", "--minutes", "0"], "number of minutes such as 10"),
    ],
)
def test_one_thing_at_a_time(arguments, words, capsys):
    with pytest.raises(SystemExit) as stopped:
        run(*arguments)
    assert stopped.value.code == 2
    assert words in capsys.readouterr().err

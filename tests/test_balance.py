"""The balance command: what it measures adds up, and what it says follows from it."""

import json
import os
import pathlib
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

import ssd
from benchmarks import balance, balance_plot, cores, first_trainer, ladder, looping, utilization
from benchmarks.portraits import write_portraits
from benchmarks.stages import STAGES
from ssd import equation


def run(*arguments, **options):
    return balance.main([str(each) for each in arguments], **options)


def test_an_imitated_device_is_reported_row_by_row(disc_labels, tiny, tmp_path, capsys):
    config, out, picture = tmp_path / "c.json", tmp_path / "b.json", tmp_path / "b.png"
    config.write_text(tiny.to_json())
    steps = ["--device-step", 0.05, 0.2, "--cores", 1, "--seconds", 0.4, "--repeats", 1]
    code = run(
        disc_labels, "--config", config, "--batch-size", 8, *steps, "--json", out, "--plot", picture
    )
    assert code == 0
    result = json.loads(out.read_text())
    assert (result["kind"], result["model"]) == ("balance", {})
    assert result["versions"]["numpy"] == np.__version__
    stages = result["stages"]
    assert sum(stages[name] for name in STAGES) >= 0.99 * stages["example"] > 0
    assert [(row["cores"], row["device_seconds"]) for row in result["imitated"]] == [
        (1, 0.05),
        (1, 0.2),
    ]
    for row in result["imitated"]:
        assert row["effective_cores"] == 1
        data = equation.data_seconds_per_batch(row["example_seconds"], 8, 1)
        wanted = equation.photos_per_second(data, row["device_seconds"], 8)
        assert row["predicted"] == pytest.approx(wanted)
        # The loop waits at least as long as the device, however busy the machine is.
        assert 0 < row["measured"] < 1.01 * 8 / row["device_seconds"]
    assert picture.read_bytes().startswith(b"\x89PNG")
    said = capsys.readouterr().out
    assert "T_g, all together" in said
    assert "the device binds" in said


def test_the_train_step_is_reported_without_a_gpu(disc_labels, tiny, tmp_path, capsys):
    config, out = tmp_path / "c.json", tmp_path / "b.json"
    config.write_text(tiny.to_json())
    options = ["--config", config, "--batch-size", 8, "--seconds", 0.3, "--json", out]
    assert run(disc_labels, *options) == 0
    model = json.loads(out.read_text())["train_step"]
    assert model["forward"] + model["backward"] + model["update"] >= 0.99 * model["step"] > 0
    assert model["predicted"] >= model["step"]
    if model["device"] == "CPU":
        assert "No GPU here" in capsys.readouterr().out


OF_ANOTHER = """
import keras
import numpy as np
import tensorflow as tf

random = np.random.default_rng(0)
digits = random.integers(0, 256, (512, 28, 28, 1), dtype=np.uint8), random.integers(0, 10, 512)


def turn(image, digit):
    image = tf.image.resize(tf.cast(image, tf.float32) / 255, (60, 60))
    return tf.image.random_crop(image, (28, 28, 1)), digit


def dataset():
    made = tf.data.Dataset.from_tensor_slices(digits).shuffle(512).map(turn, tf.data.AUTOTUNE)
    return made.batch(64, drop_remainder=True).prefetch(tf.data.AUTOTUNE)


def model():
    layers = keras.layers
    network = keras.Sequential([
        keras.Input((28, 28, 1)), layers.Conv2D(32, 3, activation="relu"), layers.MaxPooling2D(),
        layers.Conv2D(64, 3, activation="relu"), layers.MaxPooling2D(), layers.Flatten(),
        layers.Dropout(0.5), layers.Dense(10, activation="softmax")])
    network.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return network
"""


@pytest.mark.parametrize("imitated", [False, True])
def test_a_script_that_knows_nothing_of_ssd_is_measured(tmp_path, monkeypatch, capsys, imitated):
    """The convolutional network of Keras's examples for digits, with augmentation."""
    (tmp_path / "of_another.py").write_text(OF_ANOTHER)
    monkeypatch.syspath_prepend(tmp_path)
    out, picture = tmp_path / "b.json", tmp_path / "b.png"
    options = ["--script", "of_another:dataset", "of_another:model", "--seconds", 0.1]
    options += ["--repeats", 1, "--cores", 1, "--json", out, "--plot", picture]
    assert run(*options, *(["--device-step", 0.01] if imitated else [])) == 0
    result = json.loads(out.read_text())
    assert result["batch_size"] == 64
    assert result["stages"]["example"] > 0
    if imitated:
        (row,) = result["imitated"]
        assert 0 < row["measured"] < 1.01 * 64 / 0.01
    else:
        model = result["train_step"]
        assert model["forward"] + model["backward"] + model["update"] >= 0.99 * model["step"] > 0
        assert model["predicted"] >= max(model["step"], model["data"]) * 0.99
        assert model["measured"] > 0
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert "pipeline: of_another:dataset; model: of_another:model; 64 in a batch" in (
        capsys.readouterr().out
    )


@pytest.mark.parametrize("device", ["CPU", "GPU"])
def test_the_picture_ends_where_the_data_ends(device, monkeypatch, tmp_path):
    """Every point that was measured lies inside, and the lines reach from edge to edge."""
    from matplotlib.figure import Figure

    figures = []
    monkeypatch.setattr(Figure, "savefig", lambda figure, *_, **__: figures.append(figure))
    model = {"device": device, "step": 0.9, "step_core_seconds": 1.7, "measured": 1.0}
    result = {"batch_size": 32, "cores": 2, "stages": {"example": 0.002}, "train_step": model}
    balance_plot.draw(result, tmp_path / "b.png")
    row = {"rung": "a", "data_seconds": 1.4, "predicted": 1.4, "measured": 1.4, "utilization": 0.01}
    rows = [row, {**row, "data_seconds": 0.03, "utilization": 0.3}]
    balance_plot.draw({"ladder": rows, "ladder_device_seconds": 0.0104}, tmp_path / "b.png")
    for axes in (figure.axes[0] for figure in figures):
        (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
        lines = [line for line in axes.get_lines() if len(line.get_xdata()) > 2]
        assert lines
        for line in lines:
            assert (min(line.get_xdata()), max(line.get_xdata())) == pytest.approx((left, right))
        for line in axes.get_lines():
            if len(line.get_xdata()) <= 2:
                assert all(left < x < right for x in line.get_xdata())
                assert all(bottom < y < top for y in line.get_ydata())


class Clock:
    """Stands in for the module `time`: nothing passes but what is slept."""

    def __init__(self):
        self.now = 0.0

    def perf_counter(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds


def test_a_loop_is_timed_without_what_lay_ready(monkeypatch):
    """Batches that are there at the start would make a slow source look fast."""
    clock = Clock()
    monkeypatch.setattr(looping, "time", clock)

    def slow():
        for index in range(1000):
            clock.sleep(0 if index < 4 else 0.02)
            yield index

    assert looping.time_data(slow(), 0.3) == pytest.approx(0.02)
    assert looping.time_loop(slow(), lambda batch: clock.sleep(0.03), 0.3) == pytest.approx(0.05)


def test_portraits_stand_in_for_labels(tmp_path):
    write_portraits(tmp_path, count=5)
    photos = list(ssd.read_labels(tmp_path))
    assert [len(photo.boxes) for photo in photos] == [1] * 5
    for photo in photos:
        ymin, xmin, ymax, xmax = photo.boxes[0]
        assert 0 <= ymin < ymax <= 1
        assert 0 <= xmin < xmax <= 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere"], "nowhere: wanted a folder of labels"),
        (["nowhere", "--script", "a:b", "c:d"], "wanted no LABELS beside it"),
        (["--script", "a", "c:d"], "a: wanted MODULE:NAME"),
        (["--script", "no_such_module:b", "c:d"], "no_such_module:b: wanted a name in a module"),
        (["nowhere", "--json", "no/such/folder.json"], "wanted a file in a folder that exists"),
    ],
)
def test_bad_input_is_one_line(arguments, said, capsys):
    assert run(*arguments) == 1
    error = capsys.readouterr().err.strip()
    assert said in error
    assert "\n" not in error


def test_a_step_of_no_time_is_no_device(capsys):
    with pytest.raises(SystemExit) as stopped:
        run("--device-step", "0")
    assert stopped.value.code == 2
    assert "number of seconds" in capsys.readouterr().err


def test_help_speaks_to_a_newcomer():
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.balance", "--help"],
        cwd=pathlib.Path(ssd.__file__).parent.parent,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0
    assert "keeps up with the device" in done.stdout


def test_the_first_trainer_matches_by_overlap(tiny):
    boxes, classes = [[0.1, 0.1, 0.5, 0.4], [0.5, 0.5, 0.9, 0.9]], [1, 1]
    found = first_trainer.match(boxes, classes, tiny)
    import anchors

    grid = np.asarray(anchors.grid(tiny.feature_shapes, tiny.anchor_shapes))
    overlap = np.asarray(anchors.iou(np.float32(boxes), grid))  # [boxes, anchors]
    positive = overlap.max(axis=0) >= tiny.positive_iou
    assert positive.any()
    np.testing.assert_array_equal(found[:, 4] == 1, positive)
    np.testing.assert_allclose(
        found[positive, :4], np.float32(boxes)[overlap.argmax(axis=0)[positive]]
    )


def test_rungs_one_and_two_find_the_same_matches(disc_labels, tiny):
    """One in Python loops, one in tensors: each hands on what the other would."""
    for batches in (
        ladder.python_loop(disc_labels, tiny, 8),
        ladder.matched_on_cpu(disc_labels, tiny, 8),
    ):
        images, labels, matches = next(batches)
        assert images.shape == (8, 64, 96, 3)
        assert labels.shape == (8, 12, 5)
        for label, match in zip(labels, matches, strict=True):
            real = label[label[:, 4] == 1]
            wanted = first_trainer.match(real[:, :4].tolist(), [1] * len(real), tiny)
            # What is an anchor's best box is a matter of rounding where two are as good.
            assert (match[:, 4] == wanted[:, 4]).mean() > 0.98


@pytest.mark.slow
def test_the_ladder_is_climbed_to_its_end(disc_labels, tiny):
    rows = ladder.climb(
        disc_labels,
        tiny,
        lambda batch: time.sleep(0.02),
        0.02,
        batch_size=8,
        seconds=0.5,
    )
    assert [row["rung"] for row in rows] == list(ladder.RUNGS)
    assert all(row["measured"] >= 0.02 for row in rows)
    assert rows[0]["predicted"] == pytest.approx(
        equation.seconds_per_step(rows[0]["data_seconds"], 0.02, prefetch=False)
    )


@pytest.mark.slow
def test_two_workers_feed_a_process_that_may_use_one_core(disc_labels, tiny):
    found = ladder.capped(disc_labels, tiny, batch_size=8, seconds=0.5)
    assert found["gain"] == pytest.approx(found["served"] / found["alone"], rel=0.3)


def test_a_process_is_confined_with_all_its_threads():
    stop, seen = threading.Event(), []
    thread = threading.Thread(target=lambda: (stop.wait(), seen.append(cores.available())))
    thread.start()
    everything = cores.available()
    with cores.confined(1):
        stop.set()
        thread.join()
        assert cores.available() == everything[:1]
    assert seen == ([everything[:1]] if hasattr(os, "sched_setaffinity") else [everything])
    assert cores.available() == everything


def test_the_profiler_sees_a_device_work():
    """On a machine without GPU its threads stand in: they work, but not all of the time."""
    jax = pytest.importorskip("jax")
    square = jax.jit(lambda x: x @ x)
    square(np.ones((300, 300), np.float32)).block_until_ready()
    with utilization.trace(device="/host:CPU") as seen:
        for _ in range(20):
            square(np.ones((300, 300), np.float32)).block_until_ready()
    assert 0 < seen.mean <= 1
    with utilization.trace(device="/device:none") as seen:
        pass
    assert seen.mean is None
    assert "/device:none" in seen.why_none


def test_without_a_gpu_utilization_says_why():
    with utilization.watch() as seen:
        time.sleep(0.01)
    assert (seen.mean is None) == bool(seen.why_none)

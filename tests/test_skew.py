import io
import json
import os
import pathlib
import subprocess
import sys

import lamps
import numpy as np
import pytest
from PIL import Image, ImageFilter

import ssd
from ssd.__main__ import main
from ssd.config import Config
from ssd.data import records
from ssd.metrics.photo_measures import measure_photo
from ssd.metrics.skew import LEAST, MEASURES, MeasureSkew, Skew, find_skew
from ssd.metrics.skew_picture import draw_skew
from ssd.photos.letterbox import letterbox
from ssd.photos.reading import read_photo

SIZE = (128, 160)
DAMAGES = {
    "dark": (0.55, 0.4, 0.25),  # share of the light
    "backlit": (1.5, 2.0, 3.0),  # stops between background and face
    "blurred": (1.5, 2.5, 4.0),  # pixels
    "noisy": (10.0, 20.0, 30.0),  # gray levels
}
EVERY = [(cause, strength) for cause in DAMAGES for strength in DAMAGES[cause]]


def damaged(photo, boxes, cause, strength, random):
    """A photo as a badly placed or badly set camera would have taken it."""
    light = photo.astype(np.float32)
    if cause == "dark":
        light *= strength
    elif cause == "backlit":
        # The person, down to the edge of the photo, is dark; what is behind is bright.
        person = Image.new("L", photo.shape[1::-1])
        for top, left, bottom, right in boxes:
            aside = 0.15 * (right - left)
            region = (left - aside, top - aside, right + aside, bottom + aside)
            person.paste(255, tuple(map(round, region)))
            wide = (left - 6 * aside, bottom, right + 6 * aside, photo.shape[0])
            person.paste(255, tuple(map(round, wide)))
        soft = np.asarray(person.filter(ImageFilter.GaussianBlur(2)), np.float32)[..., None] / 255
        behind = 255 - (255 - light) * 0.6
        light = soft * behind * 2**-strength + (1 - soft) * behind
    elif cause == "blurred":
        light = np.asarray(Image.fromarray(photo).filter(ImageFilter.GaussianBlur(strength)))
    elif cause == "noisy":
        light += random.normal(0, strength, photo.shape)
    return np.clip(light, 0, 255).astype(np.uint8)


def generated(random, height=150, width=200):
    """A room with furniture, patterns and one to three heads, under light that varies."""
    y, x = np.mgrid[:height, :width]
    photo = np.empty((height, width, 3), np.float32)
    photo[:] = random.uniform(70, 170, 3)
    photo += (x * random.uniform(-0.3, 0.3) + y * random.uniform(-0.3, 0.3))[..., None]
    for _ in range(12):
        top, left = random.integers(0, height - 20), random.integers(0, width - 20)
        rows = slice(top, top + random.integers(10, 70))
        columns = slice(left, left + random.integers(10, 70))
        photo[rows, columns] = random.uniform(20, 230, 3)
        if random.random() < 0.5:
            stripes = 25 * np.sign(np.sin(x * random.uniform(0.3, 1.5)))[rows, columns, None]
            photo[rows, columns] += stripes
    boxes = []
    for _ in range(random.integers(1, 4)):
        tall = random.uniform(24, 60)
        row, column = random.uniform(40, height - 40), random.uniform(30, width - 30)
        inside = ((y - row) / tall * 2) ** 2 + ((x - column) / tall * 2.5) ** 2 < 1
        photo[inside] = random.uniform(80, 200) * np.float32([1.1, 0.95, 0.85])
        boxes.append([row - tall / 2, column - tall / 2.5, row + tall / 2, column + tall / 2.5])
    photo = (photo - 128) * random.uniform(0.7, 1.1) + 128
    photo = np.clip(photo * random.uniform(0.7, 1.2), 0, 255).astype(np.uint8)
    soft = Image.fromarray(photo).filter(ImageFilter.GaussianBlur(random.uniform(0.4, 0.8)))
    photo = np.asarray(soft) + random.normal(0, 2, photo.shape)
    boxes = np.clip(boxes, 0, [height, width] * 2)
    return np.clip(photo, 0, 255).astype(np.uint8), boxes


def write_labels(folder, photos):
    labeled = []
    for index, (photo, boxes) in enumerate(photos):
        file = io.BytesIO()
        Image.fromarray(photo).save(file, "JPEG", quality=95)
        height, width = photo.shape[:2]
        boxes = (boxes / [height, width, height, width]).astype(np.float32)
        ones = np.ones(len(boxes))
        name = f"{index}.jpg"
        labeled.append(
            records.LabeledPhoto(
                file.getvalue(), name, height, width, boxes, ones.astype(int), ones
            )
        )
    folder.mkdir()
    records.write_shard(records.shard_path(folder, 0), labeled)
    return folder


def write_captures(folder, photos, size=SIZE, score=0.9):
    log = ssd.CaptureLog(folder)
    for photo, boxes in photos:
        image = letterbox(photo, Config(image_size=size))
        ones = np.ones(len(boxes))
        log.add(image, ssd.Detections(np.asarray(boxes), score * ones, ones), shape=photo.shape)
    return folder


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Labels of generated photos, and others of the same kind to damage."""
    random = np.random.default_rng(0)
    labels = write_labels(
        tmp_path_factory.mktemp("made") / "labels", [generated(random) for _ in range(150)]
    )
    return labels, [generated(random) for _ in range(60)]


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    """The same of real photos with faces that a person marked."""
    if "SSD_PHOTOS" not in os.environ:
        pytest.skip("SSD_PHOTOS names no folder of photos")
    folder = pathlib.Path(os.environ["SSD_PHOTOS"])
    truth = json.loads((folder / "train_human.json").read_text())
    boxes = {}
    for each in truth["annotations"]:
        x, y, width, height = each["bbox"]
        if not each.get("iscrowd") and height > 24:
            boxes.setdefault(each["image_id"], []).append([y, x, y + height, x + width])
    images = [image for image in truth["images"] if image["id"] in boxes]
    images = [images[index] for index in np.random.default_rng(0).permutation(len(images))[:300]]
    photos = [
        (read_photo(folder / image["file_name"]), np.array(boxes[image["id"]])) for image in images
    ]
    labels = write_labels(tmp_path_factory.mktemp("real") / "labels", photos[:200])
    return labels, photos[200:]


@pytest.fixture(params=["made", "real"])
def photos(request):
    return request.getfixturevalue(request.param)


@pytest.mark.parametrize(("cause", "strength"), EVERY)
def test_names_the_right_cause_first(photos, tmp_path, cause, strength):
    labels, others = photos
    random = np.random.default_rng(1)
    spoilt = [(damaged(photo, boxes, cause, strength, random), boxes) for photo, boxes in others]
    found = find_skew(labels, write_captures(tmp_path / "seen", spoilt))
    assert found.causes[:1] == [cause], str(found)
    assert f"Captures are {cause}: " in str(found)


def test_says_nothing_of_captures_of_the_same_kind(photos, tmp_path):
    labels, others = photos
    found = find_skew(labels, write_captures(tmp_path / "seen", others))
    assert found.causes == [], str(found)
    assert "Nothing tells the captures from the training photos." in str(found)


def test_what_follows_from_a_cause_is_not_taken_for_another(made, tmp_path):
    labels, others = made
    random = np.random.default_rng(1)
    spoilt = [(damaged(*each, "backlit", 3.0, random), each[1]) for each in others]
    found = find_skew(labels, write_captures(tmp_path / "seen", spoilt))
    assert len(found.causes) > 1
    sentences = [line for line in str(found).splitlines() if line.startswith("Captures are")]
    assert ["What was named before may explain it." in line for line in sentences] == [False] + [
        True
    ] * (len(found.causes) - 1)


def test_faces_that_are_small_are_named(made, tmp_path):
    labels, others = made
    far = []
    for photo, boxes in others:  # the same scene from twice as far away
        wide = np.tile(photo, (2, 2, 1))
        far.append((wide, boxes))
    found = find_skew(labels, write_captures(tmp_path / "seen", far))
    assert "faces too small" in found.causes


def test_scores_are_compared_where_the_model_is_there(tmp_path):
    model = ssd.Detector(lamps.write_model(tmp_path / "a.tflite"))

    def lit(green):
        photo = np.zeros((64, 96, 3), np.uint8)
        photo[8:16, 16:24], photo[40:48, 40:48] = (0, green, 0), 90
        return photo

    box = np.array([[8.0, 16.0, 16.0, 24.0]])
    labels = write_labels(tmp_path / "labels", [(lit(230 + step), box) for step in range(25)])
    seen = write_captures(
        tmp_path / "seen",
        [(lit(230 + step), box) for step in range(25)],
        size=(64, 96),
        score=0.55,
    )
    assert "faces doubted" in find_skew(labels, seen, detector=model).causes
    assert "faces doubted" not in find_skew(labels, seen).causes
    other = write_captures(tmp_path / "other", [(lit(250), box)])
    with pytest.raises(ValueError, match=r"wanted captures \[64, 96\] .* these are \[128, 160\]"):
        find_skew(labels, other, detector=model)


def test_too_few_captures_are_called_so(made, tmp_path):
    labels, others = made
    random = np.random.default_rng(1)
    few = [(damaged(*each, "dark", 0.2, random), each[1]) for each in others[: LEAST - 1]]
    found = find_skew(labels, write_captures(tmp_path / "seen", few))
    assert found.causes == []
    assert f"Too few captures to say anything: {LEAST} or more are wanted." in str(found)


def test_frames_without_faces_are_counted_and_still_judged(made, tmp_path):
    labels, others = made
    random = np.random.default_rng(1)
    empty = [(damaged(*each, "dark", 0.25, random), np.zeros((0, 4))) for each in others]
    found = find_skew(labels, write_captures(tmp_path / "seen", empty))
    assert found.causes[0] == "dark"
    assert (found.captures, found.faceless) == (60, 60)
    assert "Too few faces to compare: backlight, face size." in str(found)


def test_measures_by_hand():
    gray = np.full((40, 40, 3), 100, np.uint8)
    gray[:, :20] = 25
    half = measure_photo(gray, [[10, 22, 30, 38]])
    assert half["brightness"] == pytest.approx([62.5])
    assert half["contrast"] == pytest.approx([0.6])
    assert half["shadows"] == [0]
    assert half["noise"] == [0]
    # Above and beside the face, rows 0 to 30 and columns 3 to 40, without those near the face.
    lit, unlit = (30 * 20 - 23 * 20) * 100 + 0, (30 * 17 - 23 * 1) * 25
    expected = (lit + unlit) / (30 * 37 - 23 * 21)
    assert half["backlight"] == pytest.approx([np.log2((expected + 4) / 104)], abs=0.1)
    gray[:30, :30] = 10
    assert measure_photo(gray, [])["shadows"] == pytest.approx([900 / 1600])
    random = np.random.default_rng(0)
    noisy = np.clip(random.normal(128, 9, (160, 160, 1)), 0, 255).astype(np.uint8)
    assert measure_photo(np.tile(noisy, 3), [])["noise"][0] == pytest.approx(9, rel=0.3)


def test_black_around_a_letterboxed_photo_counts_for_nothing(made, tmp_path):
    labels, others = made
    wide = [(photo[:75], boxes) for photo, boxes in others]
    found = find_skew(labels, write_captures(tmp_path / "seen", wide))
    assert "dark" not in found.causes
    assert "in hard shadows" not in found.causes


def test_the_command_says_it_in_words_and_in_a_picture(made, tmp_path, capsys):
    labels, others = made
    random = np.random.default_rng(1)
    spoilt = [(damaged(*each, "blurred", 3, random), each[1]) for each in others]
    seen = write_captures(tmp_path / "seen", spoilt)
    picture = tmp_path / "skew.png"
    assert main(["skew", str(labels), str(seen), "--plot", str(picture)]) == 0
    assert "Captures are blurred: " in capsys.readouterr().out
    with Image.open(picture) as image:
        assert image.size == (1200, 600)


def test_a_picture_of_captures_without_faces(tmp_path):
    nothing, some = np.zeros(0), np.arange(30.0)
    parts = [MeasureSkew(name, some, nothing, np.nan, np.nan, None) for name in MEASURES]
    draw_skew(Skew(30, 30, 30, parts), tmp_path / "a.png")
    draw_skew(
        Skew(30, 30, 30, [part._replace(training=nothing) for part in parts]), tmp_path / "b.png"
    )
    assert (tmp_path / "b.png").stat().st_size > 1000


def test_bad_folders_are_one_line(made, tmp_path, capsys):
    labels, others = made
    seen = write_captures(tmp_path / "seen", others[:2])
    for arguments, words in (
        ((labels, tmp_path / "nowhere"), "nowhere: wanted a folder of a CaptureLog, there is no"),
        ((labels, labels), "wanted a folder of a CaptureLog, found no capture in it"),
        ((tmp_path / "nowhere", seen), "nowhere: wanted a folder of labels"),
    ):
        assert main(["skew", *map(str, arguments)]) == 1
        assert words in capsys.readouterr().err
    write_captures(seen, others[:1], size=(64, 64))
    with pytest.raises(ValueError, match="wanted captures of one model"):
        find_skew(labels, seen)


def test_captures_go_back_through_distill(made, tmp_path):
    """What the device saw becomes labels like any folder of photos."""
    _, others = made
    seen = write_captures(tmp_path / "seen", others[:5])
    command = [sys.executable, "-m", "distill", seen, tmp_path / "labels"]
    root = pathlib.Path(__file__).parent.parent
    done = subprocess.run(
        [*command, "--teacher", "stand_in_teacher:look"],
        env={**os.environ, "PYTHONPATH": f"{root}:{root / 'tests'}"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    photos = [*records.read(tmp_path / "labels")]
    assert [photo.filename for photo in photos] == [f"{n:09d}.png" for n in range(1, 6)]
    for photo, capture in zip(photos, ssd.CaptureLog(seen), strict=True):
        stored = np.asarray(Image.open(io.BytesIO(photo.encoded)), float)
        assert stored.shape == (*SIZE, 3)
        assert np.abs(stored - capture.image).mean() < 3

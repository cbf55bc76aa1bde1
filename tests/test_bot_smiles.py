"""The bot with the model that ships and faces of people: one lamp for a face, both for a smile.

Where `SSD_PHOTOS` names a folder with crops in `smiles/`, photos are composed of these; elsewhere
they are portraits that packages ship. The name of the test says which.
"""

import importlib.util
import os
import pathlib

import numpy as np
import pytest
from PIL import Image

import ssd
from ssd.photos.reading import write_photo

EXAMPLE = pathlib.Path(__file__).parent.parent / "examples" / "smiling_bot.py"
CROPS = pathlib.Path(os.environ.get("SSD_PHOTOS", "nowhere")) / "smiles"
SOURCE = "crops of SSD_PHOTOS" if CROPS.is_dir() else "portraits of scikit-image"
PAIRS = 5  # of a neutral and a smiling face, of crops
RIGHT = 4  # of them at least: no model is right of every crop


@pytest.fixture
def smile_model():
    detector = ssd.Detector("smile")
    assert any(name.startswith("smil") for name in detector.config.classes)
    return "smile"


@pytest.fixture
def bot():
    spec = importlib.util.spec_from_file_location("smiling_bot", EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def pairs():
    """Photos of a neutral and of a smiling face."""
    if CROPS.is_dir():
        yield from zip(composed("neutral"), composed("smiling"), strict=True)
        return
    data = pytest.importorskip("skimage.data", reason="scikit-image brings two portraits")
    yield np.stack([data.camera()] * 3, axis=-1), data.astronaut()


def composed(folder):
    """Crops in a scene: soft colors, and the face at a third of the height."""
    paths = sorted((CROPS / folder).iterdir())
    random = np.random.default_rng(7)
    for path in random.choice(np.array(paths, object), PAIRS, replace=False):
        scene = Image.fromarray(random.integers(60, 190, (6, 8, 3), dtype=np.uint8))
        scene = scene.resize((640, 480), Image.Resampling.BICUBIC)
        crop = Image.fromarray(ssd.read_photo(path)).resize((160, 160), Image.Resampling.BICUBIC)
        left, top = random.integers(0, [480, 320]).tolist()
        scene.paste(crop, (left, top))
        yield np.asarray(scene)


def lamps(bot, model, folder, photos, capsys):
    """What the lamps do while the bot looks at photos: of each photo, whether it lights which."""
    folder.mkdir()
    for number, photo in enumerate(photos):
        write_photo(folder / f"{number}.png", photo)
    assert bot.main([model, "--photos", str(folder), "--no-pins"]) == 0
    out = capsys.readouterr().out
    lines = [line for line in out.splitlines() if " found in " in line]
    return [(not line.startswith("0 "), line.endswith("a smile")) for line in lines]


@pytest.mark.parametrize("source", [SOURCE])
def test_a_face_lights_one_lamp_and_a_smile_both(source, smile_model, bot, tmp_path, capsys):
    seen = [
        lamps(bot, smile_model, tmp_path / str(number), photos, capsys)
        for number, photos in enumerate(pairs())
    ]
    wanted = [(True, False), (True, True)]
    least = RIGHT if len(seen) == PAIRS else len(seen)
    assert sum(each == wanted for each in seen) >= least, (source, seen)


def test_the_photos_show_faces():
    """Which the face model sees, most of them: a tight crop in a scene is no common photo."""
    detector = ssd.Detector()
    seen = [len(detector(photo)) == 1 for pair in pairs() for photo in pair]
    assert sum(seen) >= 0.7 * len(seen), (SOURCE, seen)

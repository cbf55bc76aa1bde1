"""Photos and labels that several tests need, made here and nowhere stored."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import io
import sys

import hypothesis
import numpy as np
import pytest

from ssd.config import Config
from ssd.data import manifest

# No test fails because a machine is busy.
hypothesis.settings.register_profile(
    "patient", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("patient")


@pytest.fixture(scope="module", autouse=True)
def _drawn_alike_in_modules():
    """What a module's fixtures draw is the same whichever tests ran before."""
    _draw_alike()


@pytest.fixture(autouse=True)
def _drawn_alike():
    """What a test draws, as fresh weights, is the same alone, in its file and among all."""
    _draw_alike()


def _draw_alike():
    if "keras" in sys.modules:
        sys.modules["keras"].utils.set_random_seed(0)


@pytest.fixture(scope="session")
def tiny():
    """A Config small enough to train in a test."""
    return Config(
        image_size=(64, 96),
        width_multiplier=0.05,
        anchor_sizes=((10.0, 14.0), (24.0,), (40.0, 56.0)),
        anchor_aspect=1.0,
        max_boxes=6,
        min_face=4.0,
    )


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """A browser with one page; what that saves lies in its `downloads`."""
    import browser

    downloads = tmp_path_factory.mktemp("downloads")
    with browser.opened(downloads) as page:
        yield page


def disc_photo(random, height=80, width=120):
    """A photo with up to two bright discs, and their boxes in pixels: faces for a tiny model."""
    photo = random.integers(0, 90, (height, width, 3), dtype=np.uint8)
    y, x = np.mgrid[:height, :width]
    boxes = []
    for middle in (width // 4, 3 * width // 4)[: random.integers(1, 3)]:
        radius = int(random.integers(8, 24))
        row = int(random.integers(radius, height - radius))
        photo[(y - row) ** 2 + (x - middle) ** 2 < radius**2] = (250, 210, 180)
        boxes.append([row - radius, middle - radius, row + radius, middle + radius])
    return photo, np.array(boxes, np.float32)


@pytest.fixture(scope="session")
def disc_labels(tmp_path_factory):
    """A folder of shards with 48 such photos."""
    from PIL import Image

    from ssd.data import records

    folder, random = tmp_path_factory.mktemp("discs"), np.random.default_rng(0)
    photos = []
    for index in range(48):
        photo, boxes = disc_photo(random)
        file = io.BytesIO()
        Image.fromarray(photo).save(file, "JPEG", quality=90)
        height, width = photo.shape[:2]
        photos.append(
            records.LabeledPhoto(
                encoded=file.getvalue(),
                filename=f"{index:02d}.jpg",
                height=height,
                width=width,
                boxes=boxes / [height, width, height, width],
                class_ids=np.ones(len(boxes), np.int32),
                scores=np.ones(len(boxes), np.float32),
            )
        )
    for index in range(2):
        records.write_shard(records.shard_path(folder, index), photos[index::2])
    counts = {"photos": 48, "boxes": sum(len(photo.boxes) for photo in photos)}
    manifest.write(folder, {"classes": ["face"], "counts": counts})
    return folder

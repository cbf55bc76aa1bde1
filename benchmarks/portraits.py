"""Labeled photos for those who have none at hand."""

import io
import os

import numpy as np

import ssd

FACE = (90, 185, 300, 340)  # ymin, xmin, ymax, xmax in pixels of matplotlib's sample portrait
SIZE = (480, 640)


def write_portraits(folder: str | os.PathLike, *, count: int = 256) -> None:
    """Labels of photos that are cut out of matplotlib's sample portrait.

    Args:
        folder: Where they go.
        count: Photos.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_portraits(folder, count=2)
        ...     print(sum(len(photo.boxes) for photo in ssd.read_labels(folder)))
        2
    """
    import matplotlib.cbook

    path = matplotlib.cbook.get_sample_data("grace_hopper.jpg", asfileobj=False)
    portrait, random = ssd.read_photo(path), np.random.default_rng(0)
    photos = (_cut(portrait, f"{index}.jpg", random) for index in range(count))
    ssd.write_labels(folder, photos, source="matplotlib")


def _cut(portrait: np.ndarray, name: str, random: np.random.Generator) -> "ssd.LabeledPhoto":
    """A part of the portrait with the whole face in it."""
    from PIL import Image

    face = np.array(FACE)
    top, left = random.integers(0, face[:2])
    bottom = random.integers(face[2], len(portrait)) + 1
    right = random.integers(face[3], portrait.shape[1]) + 1
    file = io.BytesIO()
    cut = Image.fromarray(portrait[top:bottom, left:right]).resize((SIZE[1], SIZE[0]))
    cut.save(file, "JPEG", quality=90)
    box = (face - [top, left, top, left]) / np.tile([bottom - top, right - left], 2)
    return ssd.LabeledPhoto(
        encoded=file.getvalue(),
        filename=name,
        height=SIZE[0],
        width=SIZE[1],
        boxes=box[None],
        class_ids=np.ones(1, int),
        scores=np.ones(1),
    )

"""Draws docs/model.png: how far one face may be spoilt before a model loses it.

    python docs/model_picture.py [MODEL]

The face is Grace Hopper's, in the portrait that matplotlib ships, on a frame of 640×480; no
photo that a model was trained on is shown. Each row spoils it in another way, more and more.
Over each frame stands the highest score of a box on the face.
"""

import pathlib
import sys

import imageio.v3 as iio
import matplotlib.cbook
import numpy as np
from matplotlib.figure import Figure
from PIL import Image, ImageDraw, ImageFilter

import ssd
from ssd.boxes import iou

FRAME = (640, 480)
FACE = np.array([140, 62, 350, 282])  # in the portrait: left, top, right, bottom in pixels
TALL = 120  # height of the face in the frame, in pixels, where it is not the thing varied
ON_FACE = 0.3  # least overlap (IoU) of a box that is on the face
COLORS = {True: "#1a7f37", False: "#c0392b"}


def frame(portrait, tall=TALL, turned=0, covered=0):
    """The portrait on a gray frame, its face in the middle, and the face's box."""
    portrait = portrait.copy()
    left, top, right, bottom = FACE
    if covered:
        # A cloth from the chin upwards.
        edge = bottom - covered * (bottom - top)
        ImageDraw.Draw(portrait).rectangle((left, edge, right, bottom), fill=(120, 160, 190))
    middle = (FACE[:2] + FACE[2:]) / 2
    portrait = portrait.rotate(turned, Image.Resampling.BICUBIC, center=tuple(middle))
    scale = tall / (bottom - top)
    small = portrait.resize([round(side * scale) for side in portrait.size], reducing_gap=3)
    canvas = Image.new("RGB", FRAME, (110, 110, 110))
    corner = np.array(FRAME) / 2 - middle * scale
    canvas.paste(small, tuple(corner.round().astype(int)))
    return canvas, (FACE.reshape(2, 2) * scale + corner).ravel()


def rows(portrait):
    """Name of each row, and its frames: label, photo, box of the face."""
    random = np.random.default_rng(0)

    def lit(gain):
        return frame(portrait)[0].point(lambda value: value * gain)

    def grainy(spread):
        clean = np.asarray(frame(portrait)[0], np.float32)
        noisy = (clean + random.normal(0, spread, clean.shape)).clip(0, 255)
        return Image.fromarray(noisy.astype(np.uint8))

    face = frame(portrait)[1]
    yield (
        "smaller",
        [(f"{tall} px", *frame(portrait, tall=tall)) for tall in (240, 120, 60, 40, 30, 20)],
    )
    yield (
        "darker",
        [
            (f"{gain:.0%} of the light", lit(gain), face)
            for gain in (1, 0.5, 0.25, 0.12, 0.06, 0.03)
        ],
    )
    yield (
        "out of focus",
        [
            (
                f"Gaussian, {width} px",
                frame(portrait)[0].filter(ImageFilter.GaussianBlur(width)),
                face,
            )
            for width in (0, 2, 4, 6, 9, 12)
        ],
    )
    yield (
        "grainy",
        [(f"noise {spread}", grainy(spread), face) for spread in (0, 15, 30, 50, 75, 100)],
    )
    yield (
        "turned",
        [(f"{angle}°", *frame(portrait, turned=angle)) for angle in (0, 30, 60, 90, 135, 180)],
    )
    yield (
        "covered",
        [
            (f"{share:.0%}", *frame(portrait, covered=share))
            for share in (0, 0.25, 0.4, 0.5, 0.6, 0.75)
        ],
    )


def main():
    """Detect, draw, save."""
    file = matplotlib.cbook.get_sample_data("grace_hopper.jpg", asfileobj=False)
    portrait = Image.fromarray(iio.imread(file))
    detector = ssd.Detector(*sys.argv[1:2])
    table = list(rows(portrait))
    figure = Figure(figsize=(11, 9), layout="constrained")
    grid = figure.subplots(len(table), len(table[0][1]))
    for axes_row, (name, frames) in zip(grid, table, strict=True):
        for axes, (label, photo, face) in zip(axes_row, frames, strict=True):
            found = detector(np.asarray(photo), score_threshold=0.05)
            on_face = iou(found.boxes, face[None, [1, 0, 3, 2]])[:, 0] >= ON_FACE
            axes.imshow(photo)
            score = 0.0
            if on_face.any():
                best = np.flatnonzero(on_face)[0]
                score, (ymin, xmin, ymax, xmax) = found.scores[best], found.boxes[best]
                corners = [xmin, xmax, xmax, xmin, xmin], [ymin, ymin, ymax, ymax, ymin]
                axes.plot(*corners, color=COLORS[bool(score >= 0.5)])
            axes.set_title(
                f"{label}: {score:.2f}", fontsize=9, loc="left", color=COLORS[bool(score >= 0.5)]
            )
            axes.set(xlim=(0, FRAME[0]), ylim=(FRAME[1], 0), xticks=[], yticks=[])
        axes_row[0].set_ylabel(name, fontsize=9)
    figure.savefig(pathlib.Path(__file__).with_name("model.png"), dpi=80)


if __name__ == "__main__":
    main()

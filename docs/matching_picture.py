"""Draw docs/matching_picture.png: a composed photo, and the anchors that are assigned to its boxes.

python docs/matching_picture.py
"""

import pathlib

import matplotlib

matplotlib.use("Agg")
import matplotlib.cbook
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.patches import Patch, Rectangle
from PIL import Image
from skimage import data

import anchors
from ssd.config import Config

SIZE = 256
ASTRONAUT = (60, 165, 185, 270)  # ymin, xmin, ymax, xmax of the face, in pixels of the photo
HOPPER = (150, 175, 320, 350)
# Where each face goes: photo, its left top corner, and its scale.
SCENE = [
    ("hopper", (0, 70), 0.43),
    ("astronaut", (120, 0), 0.28),
    ("astronaut", (150, 120), 0.22),
    ("astronaut", (135, 178), 0.15),
    ("hopper", (200, 200), 0.10),  # too blurred to label: a region to ignore
]
COLORS = ("tab:orange", "tab:cyan", "tab:pink")


def compose():
    """The photo, uint8 [SIZE, SIZE, 3], and its boxes on the unit square, [boxes, 4]."""
    photos = {
        "astronaut": (data.astronaut(), ASTRONAUT),
        "hopper": (
            np.asarray(Image.open(matplotlib.cbook.get_sample_data("grace_hopper.jpg"))),
            HOPPER,
        ),
    }
    canvas = Image.new("RGB", (SIZE, SIZE), (90, 100, 110))
    boxes = []
    for name, (top, left), scale in SCENE:
        pixels, face = photos[name]
        height, width = (round(side * scale) for side in pixels.shape[:2])
        canvas.paste(Image.fromarray(pixels).resize((width, height), Image.BILINEAR), (left, top))
        boxes.append(np.array(face) * scale + [top, left, top, left])
    return np.asarray(canvas), np.array(boxes, "float32") / SIZE


def outline(axis, box, **style):
    ymin, xmin, ymax, xmax = np.asarray(box) * SIZE
    axis.add_patch(Rectangle((xmin, ymin), xmax - xmin, ymax - ymin, fill=False, **style))


def draw(file):
    """Write the picture, and return the match's coverage."""
    config = Config(image_size=(SIZE, SIZE))
    grid = anchors.grid(config.feature_shapes, config.anchor_shapes)
    levels = [
        rows * columns * len(shapes)
        for (rows, columns), shapes in zip(config.feature_shapes, config.anchor_shapes, strict=True)
    ]
    photo, boxes = compose()
    ignore = np.arange(len(boxes)) == len(boxes) - 1
    found = anchors.Match(*map(np.asarray, anchors.match(grid, boxes, ignore=ignore)))
    level = np.repeat(np.arange(len(levels)), levels)

    figure, axes = plt.subplots(1, 3, figsize=(13.5, 4.9), layout="constrained")
    titles = ("boxes", "positive anchors, by level", "ignored anchors")
    for axis, title in zip(axes, titles, strict=True):
        axis.imshow(photo)
        axis.set(title=title, xlim=(0, SIZE), ylim=(SIZE, 0), xticks=[], yticks=[])
        for box, region in zip(boxes, ignore, strict=True):
            outline(axis, box, edgecolor="white", linewidth=2, linestyle=":" if region else "-")
    for anchor in found.positive.nonzero()[0]:
        outline(axes[1], grid[anchor], edgecolor=COLORS[level[anchor]], linewidth=1)
    for anchor in found.ignored.nonzero()[0]:
        outline(axes[2], grid[anchor], edgecolor=COLORS[level[anchor]], linewidth=0.6)
    for b, box in enumerate(boxes):
        mine = found.positive & (found.box == b)
        text = (
            "ignore" if ignore[b] else f"{mine.sum()} anchors\nbest {found.overlap[mine].max():.2f}"
        )
        axes[0].text(
            box[1] * SIZE,
            box[2] * SIZE + 3,
            text,
            color="white",
            fontsize=8,
            va="top",
            bbox={"facecolor": "black", "alpha": 0.6, "pad": 1, "edgecolor": "none"},
        )
    axes[1].legend(
        handles=[
            Patch(edgecolor=color, facecolor="none", label=f"{rows} x {columns} cells")
            for color, (rows, columns) in zip(COLORS, config.feature_shapes, strict=True)
        ],
        loc="lower left",
        fontsize=8,
    )
    figure.savefig(file, dpi=90)
    plt.close(figure)
    return anchors.coverage(found, boxes, levels, ignore=ignore)


if __name__ == "__main__":
    print(draw(pathlib.Path(__file__).with_name("matching_picture.png")))

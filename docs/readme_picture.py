"""Draws docs/readme.jpg: what the face model that ships finds on portraits that packages ship.

    python docs/readme_picture.py

Two portraits as they are, and one scene into which their heads are set in many sizes.
"""

import pathlib
import sys

import numpy as np
from PIL import Image

import ssd

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "examples"))
from compose import portraits, scenes

OUT = pathlib.Path(__file__).with_name("readme.jpg")
HEIGHT = 360  # of the picture
# Heads in the scene: whose, height, top, left; of 540 × 360 pixels.
HEADS = (
    (0, 210, 130, 20),
    (1, 150, 40, 190),
    (0, 100, 200, 250),
    (1, 80, 60, 360),
    (0, 60, 240, 380),
    (1, 45, 180, 460),
    (0, 34, 60, 470),
    (1, 26, 300, 480),
)


def main() -> None:
    """Detect, draw, and put the three side by side."""
    detector = ssd.Detector()
    pictures = [np.asarray(person.photo) for person in portraits()] + [crowd()]
    drawn = []
    for picture in pictures:
        found = detector(picture)
        print(f"{len(found)} faces, scores {np.round(found.scores, 2)}")
        drawn.append(scaled(ssd.draw(picture, found)))
    Image.fromarray(np.concatenate(drawn, axis=1)).save(OUT, quality=88)


def crowd() -> np.ndarray:
    """Both heads in eight sizes on a photo without people."""
    scene = scenes()[1].resize((540, HEIGHT))
    for who, height, top, left in HEADS:
        person = portraits()[who]
        head = person.photo.crop(person.head)
        scene.paste(head.resize((round(height * head.width / head.height), height)), (left, top))
    return np.asarray(scene)


def scaled(picture: np.ndarray) -> np.ndarray:
    """A picture as high as the others."""
    width = round(picture.shape[1] * HEIGHT / picture.shape[0])
    return np.asarray(Image.fromarray(picture).resize((width, HEIGHT), Image.Resampling.LANCZOS))


if __name__ == "__main__":
    main()

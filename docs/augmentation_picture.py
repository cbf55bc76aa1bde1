"""Draws docs/augmentation.png: each change of light, at the strengths that training draws.

    python docs/augmentation_picture.py

The photo is matplotlib's sample, Grace Hopper's portrait, in an input of the model's shape.
"""

import pathlib

import imageio.v3 as iio
import matplotlib.cbook
import numpy as np
from keras import ops
from matplotlib.figure import Figure

import ssd
from ssd.data import jpeg
from ssd.nets import photometric
from ssd.photos.letterbox import letterbox

CONFIG = ssd.Config(image_size=(224, 224))
FACE = (0.105, 0.415, 0.465, 0.68)  # of the portrait, ymin xmin ymax xmax on its unit square


def main():
    """Draw and save."""
    portrait = iio.imread(matplotlib.cbook.get_sample_data("grace_hopper.jpg", asfileobj=False))
    photo = letterbox(portrait, CONFIG)
    inner = np.divide(CONFIG.fit(*portrait.shape[:2]), CONFIG.image_size)
    center = np.float32([[(FACE[0] + FACE[2]) / 2, (FACE[1] + FACE[3]) / 2]] * inner)
    image = ops.convert_to_tensor(np.float32(photo[None]))
    noise = np.random.default_rng(0).normal(size=(1, *photo.shape)).astype(np.float32)

    def one(value):
        return ops.full([1], float(value))

    def tone(gamma=1, saturation=1, contrast=1, gain=1):
        return photometric.tone(image, one(gamma), one(saturation), one(contrast), one(gain))

    half, most = np.exp(-0.5), np.exp(0.5)
    changed = {
        "as it is": image,
        "gamma, least": tone(gamma=half),
        "gamma, most": tone(gamma=most),
        "saturation, least": tone(saturation=0.5),
        "saturation, most": tone(saturation=1.5),
        "contrast, least": tone(contrast=0.7),
        "contrast, most": tone(contrast=1.3),
        "gain, least": tone(gain=0.7),
        "gain, most": tone(gain=1.3),
        "shadows crushed, half": photometric.crush(image, one(0.5)),
        "shadows crushed, most": photometric.crush(image, one(1)),
        "backlit, half": photometric.backlight(image, one(0.5), center, one(0.25)),
        "backlit, most": photometric.backlight(image, one(1), center, one(0.25)),
        "defocus, most": photometric.blur(image, one(1.5), one(1.5)),
        "moved across, most": photometric.blur(image, one(0), one(1.5)),
        "moved down, most": photometric.blur(image, one(1.5), one(0)),
        "noise, half": photometric.grain(image, one(3), one(0.2), noise),
        "noise, most": photometric.grain(image, one(6), one(0.4), noise),
    }
    for quality in (75, 15):
        changed[f"JPEG, quality {quality}"] = jpeg.recompress(photo, quality)[None]
    layer = photometric.PhotometricAugmentation(seed=2)
    drawn = layer(ops.tile(image, [10, 1, 1, 1]), training=True)
    changed |= {f"training draws, {n + 1}": drawn[n : n + 1] for n in range(10)}

    figure = Figure(figsize=(10, 12.5), layout="constrained")
    for axes, (name, each) in zip(figure.subplots(6, 5).flat, changed.items(), strict=True):
        axes.imshow(ops.convert_to_numpy(each)[0].round().astype(np.uint8))
        axes.set_title(name, fontsize=9, loc="left")
        axes.axis("off")
    figure.savefig(pathlib.Path(__file__).with_name("augmentation.png"), dpi=80)


if __name__ == "__main__":
    main()

"""Photos to try the project on, composed from what installed packages ship.

    python examples/compose.py photos/ --count 480 --seed 1

Two portraits (Grace Hopper from matplotlib, Eileen Collins from scikit-image) are placed into
scenes without people, varied in place, size, tilt, light and blur. Two faces make a detector of
those two faces: this is enough to walk the road, not to judge a model.
"""

import argparse
import pathlib
from typing import NamedTuple

import imageio.v3 as iio
import matplotlib.cbook
import numpy as np
import skimage.data
import sklearn.datasets
from PIL import Image, ImageDraw, ImageFilter

# (height, width) of a composed photo, drawn evenly.
SHAPES = [(240, 320), (320, 240), (256, 256), (270, 360)]
SHARE_WITHOUT_FACE = 0.15
# Height of a pasted head in the composed photo, hair and hat included, as share of its height.
SMALLEST_HEAD, LARGEST_HEAD = 0.2, 0.95


class Portrait(NamedTuple):
    """A photo with one person in it."""

    photo: Image.Image
    head: tuple[int, int, int, int]  # left, top, right, bottom in pixels, hair and hat included


def main():
    """Compose as many photos as were asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("folder", type=pathlib.Path, help="folder for the photos")
    parser.add_argument("--count", type=int, default=480, help="photos (480)")
    parser.add_argument("--seed", type=int, default=1, help="another seed, other photos (1)")
    options = parser.parse_args()
    write_photos(options.folder, options.count, options.seed)


def portraits():
    """The two portraits."""
    hopper = iio.imread(matplotlib.cbook.get_sample_data("grace_hopper.jpg", asfileobj=False))
    return [
        Portrait(Image.fromarray(hopper), (140, 10, 380, 350)),
        Portrait(Image.fromarray(skimage.data.astronaut()), (142, 8, 312, 200)),
    ]


def scenes():
    """Photos without a person."""
    data = skimage.data
    found = [data.chelsea(), data.coffee(), data.rocket(), data.hubble_deep_field()]
    found += [np.stack([gray] * 3, axis=2) for gray in (data.brick(), data.grass(), data.gravel())]
    found += list(sklearn.datasets.load_sample_images().images)
    return [Image.fromarray(scene) for scene in found]


def compose(random, people, places):
    """One photo: a scene, and in most cases one to three heads.

    Args:
        random: A `numpy.random.Generator`; the same state makes the same photo.
        people: What `portraits` returned.
        places: What `scenes` returned.

    Returns:
        A PIL image.
    """
    height, width = SHAPES[random.integers(len(SHAPES))]
    draw = random.random()
    if draw < SHARE_WITHOUT_FACE:
        photo = _part(random, places[random.integers(len(places))], width, height)
    elif draw < 0.4:
        photo = _around_head(random, people[random.integers(len(people))], width, height)
    else:
        photo = _part(random, places[random.integers(len(places))], width, height)
        taken = []
        for _ in range(random.integers(1, 4)):
            _paste_head(random, photo, people[random.integers(len(people))], taken)
    return _relight(random, photo)


def write_photos(folder, count, seed):
    """Compose `count` photos as JPEG files in a folder; those already there are kept."""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    people, places = portraits(), scenes()
    for index in range(count):
        path = folder / f"{index:04d}.jpg"
        if not path.exists():
            random = np.random.default_rng([seed, index])
            photo = compose(random, people, places)
            photo.save(path, quality=int(random.integers(70, 96)))


def _part(random, scene, width, height):
    """A random part of a scene, scaled to the size wanted."""
    fit = min(scene.width / width, scene.height / height)
    scale = fit * random.uniform(0.4, 1.0)
    left = random.uniform(0, scene.width - width * scale)
    top = random.uniform(0, scene.height - height * scale)
    box = (left, top, left + width * scale, top + height * scale)
    part = scene.resize((width, height), Image.Resampling.BILINEAR, box=box)
    return part.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if random.random() < 0.5 else part


def _around_head(random, person, width, height):
    """A part of a portrait that keeps the whole head."""
    left, top, right, bottom = person.head
    low = max((right - left) / width, (bottom - top) / height)
    high = min(person.photo.width / width, person.photo.height / height)
    scale = random.uniform(min(low, high), high)
    span_x, span_y = width * scale, height * scale
    x = np.clip(random.uniform(right - span_x, left), 0, person.photo.width - span_x)
    y = np.clip(random.uniform(bottom - span_y, top), 0, person.photo.height - span_y)
    box = (x, y, x + span_x, y + span_y)
    part = person.photo.resize((width, height), Image.Resampling.BILINEAR, box=box)
    return part.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if random.random() < 0.5 else part


def _paste_head(random, photo, person, taken):
    """Place a head where it covers no other one; where there is no room, leave it out."""
    head = person.photo.crop(person.head)
    mask = Image.new("L", head.size, 0)
    rim = head.width // 14
    ImageDraw.Draw(mask).ellipse((rim, rim, head.width - rim, head.height - rim), fill=255)
    mask = mask.filter(ImageFilter.GaussianBlur(rim / 2))
    if random.random() < 0.5:
        head = head.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    tilt = random.uniform(-12, 12)
    head, mask = (
        layer.rotate(tilt, Image.Resampling.BICUBIC, expand=True) for layer in (head, mask)
    )
    for _ in range(10):
        share = np.exp(random.uniform(np.log(SMALLEST_HEAD), np.log(LARGEST_HEAD)))
        tall = int(share * photo.height)
        wide = int(tall * head.width / head.height)
        if wide >= photo.width:
            continue
        left = int(random.integers(0, photo.width - wide))
        top = int(random.integers(0, photo.height - tall + 1))
        spot = (left, top, left + wide, top + tall)
        if all(_apart(spot, other) for other in taken):
            taken.append(spot)
            photo.paste(head.resize((wide, tall)), (left, top), mask.resize((wide, tall)))
            return


def _apart(a, b):
    return a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1]


def _relight(random, photo):
    """Gamma, gain per channel, sometimes blur, always a little noise."""
    if random.random() < 0.3:
        photo = photo.filter(ImageFilter.GaussianBlur(random.uniform(0.3, 1.5)))
    light = np.asarray(photo, np.float32) / 255
    light = light ** np.exp(random.uniform(-0.5, 0.5)) * random.uniform(0.8, 1.15, 3)
    light += random.normal(0, random.uniform(0, 0.03), light.shape)
    return Image.fromarray((light.clip(0, 1) * 255).round().astype(np.uint8))


if __name__ == "__main__":
    main()

"""Crops as a detector meets them, each in a scene and bare in a margin, to measure on.

`examples/smile.py` writes these: `placed/` with `placed.json`, `bare/` with `bare.json`.
"""

import json

import numpy as np
from PIL import Image

import ssd

HEIGHTS = ((30, 60), (60, 120), (120, 200))  # of the faces in scenes, pixels
MARGIN, GRAY = 32, 128  # around a bare crop, pixels; and its gray


def write(out, crops, scenes, class_names):
    """Photos of one face each and COCO JSON, in scenes and bare.

    Args:
        out: Folder.
        crops: List of (path, class id, box on the crop's unit square).
        scenes: Photos without faces, to place crops into.
        class_names: Of the ids from 1 on.
    """
    random, placed, bare = np.random.default_rng(1), [], []
    for number, (path, class_id, box) in enumerate(crops):
        crop, heights = ssd.read_photo(path), HEIGHTS[number % len(HEIGHTS)]
        scene, box = scenes[number % len(scenes)].copy(), np.array(box)
        height = np.exp(random.uniform(*np.log(heights)))
        side = min(round(height / (box[2] - box[0])), *scene.shape[:2])
        top, left = (int(random.integers(size - side + 1)) for size in scene.shape[:2])
        scaled = Image.fromarray(crop).resize((side, side), Image.Resampling.BILINEAR)
        scene[top : top + side, left : left + side] = scaled
        placed.append((scene, class_id, box * side + [top, left] * 2, "{} to {}".format(*heights)))
        bare.append((in_margin(crop), class_id, box * (crop.shape[:2] * 2) + MARGIN, "bare"))
    for name, rows in (("placed", placed), ("bare", bare)):
        write_truth(out / name, out / f"{name}.json", rows, class_names)


def in_margin(crop):
    """A crop with gray around it."""
    return np.pad(crop, ((MARGIN, MARGIN), (MARGIN, MARGIN), (0, 0)), constant_values=GRAY)


def write_truth(folder, file, rows, class_names):
    """Photos and COCO JSON of [(photo, class id, box in pixels, source)]."""
    folder.mkdir(exist_ok=True)
    images, annotations = [], []
    for number, (photo, class_id, (ymin, xmin, ymax, xmax), source) in enumerate(rows):
        name, (height, width) = f"{number:03d}.png", photo.shape[:2]
        ssd.write_photo(folder / name, photo)
        image = {"id": number, "file_name": name, "height": height, "width": width}
        images.append({**image, "source": source})
        box = [xmin, ymin, xmax - xmin, ymax - ymin]
        annotations.append({"id": number, "image_id": number, "category_id": class_id, "bbox": box})
    categories = [{"id": number, "name": name} for number, name in enumerate(class_names, 1)]
    coco = {"images": images, "annotations": annotations, "categories": categories}
    file.write_text(json.dumps(coco))

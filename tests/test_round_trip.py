"""From distill to COCO, through another tool, in again and out again: every box where it was."""

import json
import os

import numpy as np
import pytest
from PIL import Image
from pycocotools.coco import COCO

from distill.labeling import Options, label
from ssd.boxes import iou
from ssd.data import coco, importing

ORIENTATION = 0x0112
TURNED = (5, 6, 7, 8)  # EXIF orientations of a photo that lies on its side


def compose(folder, count):
    """Photos of 200 to 4,000 pixels, a third of them with an EXIF orientation; upright sizes."""
    random, sizes = np.random.default_rng(7), {}
    for index in range(count):
        height, width = (int(side) for side in random.integers(200, 4001, 2))
        photo = Image.new("RGB", (width, height), (int(random.integers(40, 250)), 90, 60))
        photo.paste((250, 220, 190), (width // 5, height // 4, width // 2, height // 2))
        exif, turned = Image.Exif(), False
        if index % 3 == 0:
            exif[ORIENTATION] = int(random.integers(2, 9))
            turned = exif[ORIENTATION] in TURNED
        name = f"{'sub/' if index % 5 == 0 else ''}{index:03d}.{'png' if index % 7 == 6 else 'jpg'}"
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        photo.save(path, exif=exif, quality=80)
        sizes[name] = (height, width) if not turned else (width, height)
    return sizes


def boxes_by_name(truth):
    boxes = {image["file_name"]: [] for image in truth["images"]}
    names = {image["id"]: image["file_name"] for image in truth["images"]}
    for row in truth["annotations"]:
        x, y, width, height = row["bbox"]
        boxes[names[row["image_id"]]].append(
            ([y, x, y + height, x + width], row["category_id"], row["iscrowd"])
        )
    return boxes


@pytest.mark.parametrize("count", [8, pytest.param(200, marks=pytest.mark.slow)])
def test_boxes_stay_where_they_are_in_pixels_of_the_original(tmp_path, count):
    photos = tmp_path / "photos"
    sizes = compose(photos, count)
    options = Options(teacher="stand_in_teacher:look", max_side=640)
    label(photos, tmp_path / "distilled", options)
    coco.write(tmp_path / "distilled", tmp_path / "first.json")
    first = json.loads((tmp_path / "first.json").read_text())
    assert {
        image["file_name"]: (image["height"], image["width"]) for image in first["images"]
    } == sizes
    # What a tool changes that has its own ids, names and order.
    other = json.loads((tmp_path / "first.json").read_text())
    other["images"].reverse()
    for image in other["images"]:
        image["file_name"] = "images\\" + image["file_name"].replace("/", "\\")
    (tmp_path / "other.json").write_text(json.dumps(other))
    imported = importing.import_labels(
        "coco", tmp_path / "other.json", photos, tmp_path / "imported", max_side=512
    )
    assert imported.complaints == []
    assert imported.counts["labeled"] == count
    coco.write(tmp_path / "imported", tmp_path / "second.json")
    before, after = (
        boxes_by_name(json.loads((tmp_path / f"{which}.json").read_text()))
        for which in ("first", "second")
    )
    assert sorted(before) == sorted(after) == sorted(sizes)
    for name in before:
        assert [row[1:] for row in before[name]] == [row[1:] for row in after[name]]
        overlaps = iou([row[0] for row in before[name]], [row[0] for row in after[name]])
        assert overlaps.diagonal().min() >= 0.99
    truth = COCO(os.fspath(tmp_path / "second.json"))
    assert len(truth.loadRes(first["annotations"]).getAnnIds()) == len(first["annotations"])

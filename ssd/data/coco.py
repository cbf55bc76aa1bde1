"""Labels as COCO detection JSON, the form that scorers and labeling tools read."""

import json
import os
import pathlib
from collections.abc import Iterable, Sequence
from typing import Any

from ssd import atomic
from ssd.data import manifest, records


def write(labels: str | os.PathLike, path: str | os.PathLike) -> tuple[int, int]:
    """Writes the labels of a folder as COCO JSON.

    A region to ignore becomes an annotation with `iscrowd` 1, once for each category.

    Args:
        labels: A folder of labels.
        path: The file to write; it appears whole or not at all.

    Returns:
        (photos, annotations) written.

    Raises:
        ValueError: If `labels` is no folder of labels.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     manifest.write(folder, {"classes": ["face"]})
        ...     records.write_shard(records.shard_path(folder, 0), [])
        ...     write(folder, f"{folder}/truth.json")
        (0, 0)
    """
    names = manifest.read(labels)["classes"]
    truth = from_photos(records.read(labels), names)
    atomic.write_text(pathlib.Path(path), json.dumps(truth) + "\n")
    return len(truth["images"]), len(truth["annotations"])


def from_photos(photos: Iterable[records.LabeledPhoto], names: Sequence[str]) -> dict[str, Any]:
    """Labeled photos as a COCO dictionary.

    Args:
        photos: `ssd.data.records.LabeledPhoto`s.
        names: Names of the classes, the first for class 1.

    Returns:
        A dictionary with `images`, `annotations` and `categories`. A `bbox` is
        [x, y, width, height] in pixels of the upright photo before it was scaled down to be
        stored: those of the file that `file_name` names.

    Example:
        >>> import numpy as np
        >>> photo = records.LabeledPhoto(
        ...     b"", "a.jpg", 100, 200, np.float32([[0, 0.5, 0.5, 1]]), np.int32([1]),
        ...     np.float32([1]))
        >>> from_photos([photo], ["face"])["annotations"][0]["bbox"]
        [100.0, 0.0, 100.0, 50.0]
    """
    categories = range(1, len(names) + 1)
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for number, photo in enumerate(photos, start=1):
        height, width = photo.full_size or (photo.height, photo.width)
        image = {"id": number, "file_name": photo.filename, "width": width, "height": height}
        if photo.source:
            image["source"] = photo.source
        images.append(image)
        for box, label, score in zip(photo.boxes, photo.class_ids, photo.scores, strict=True):
            ymin, xmin, ymax, xmax = box.tolist()
            sides = (xmin * width, ymin * height, (xmax - xmin) * width, (ymax - ymin) * height)
            for category in [int(label)] if label > 0 else categories:
                annotations.append(
                    {
                        "id": len(annotations) + 1,
                        "image_id": number,
                        "category_id": category,
                        "bbox": [round(side, 3) for side in sides],
                        "area": round(sides[2] * sides[3], 3),
                        "iscrowd": int(label < 0),
                        "score": round(float(score), 4),
                    }
                )
    return {
        # pycocotools 2.0.9 and 2.0.10 want these two as well.
        "info": {"description": "labels of ssd.data"},
        "licenses": [],
        "images": images,
        "annotations": annotations,
        "categories": [{"id": i, "name": names[i - 1]} for i in categories],
    }

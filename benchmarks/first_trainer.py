"""The input side of the project's first trainer: the start that every gain is measured from.

One photo at a time in Python: imageio decodes it, NumPy scales it, and four nested loops hold
every box against every anchor. Nothing here is fast, and nothing here should be made fast.
"""

from collections.abc import Sequence

import imageio.v3 as iio
import numpy as np

import ssd


def make_example(
    photo: "ssd.LabeledPhoto", config: ssd.Config
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """One example, anchors matched.

    Args:
        photo: A photo with its labels.
        config: The `ssd.Config` of the model.

    Returns:
        uint8 [*config.image_size, 3], the image; float32 [2 * config.max_boxes, 5], its label as in
        `ssd.dataset`; and float32 [anchors, 5]: for each anchor, the box that it is assigned to
        and its class, zeros where it is background.

    Example:
        >>> import pathlib, matplotlib.cbook
        >>> path = matplotlib.cbook.get_sample_data("grace_hopper.jpg", asfileobj=False)
        >>> photo = ssd.LabeledPhoto(
        ...     encoded=pathlib.Path(path).read_bytes(), filename="a.jpg", height=600, width=512,
        ...     boxes=np.float32([[0.15, 0.36, 0.5, 0.66]]), class_ids=np.ones(1, int),
        ...     scores=np.ones(1))
        >>> [part.shape for part in make_example(photo, ssd.Config(image_size=(64, 64)))]
        [(64, 64, 3), (128, 5), (304, 5)]
    """
    pixels = iio.imread(photo.encoded, plugin="pillow", extension=".jpg", mode="RGB")
    height, width = config.fit(photo.height, photo.width)
    share = np.tile(np.array([height, width], np.float32) / config.image_size, 2)
    boxes = np.asarray(photo.boxes) * share
    label = np.zeros((2 * config.max_boxes, 5), np.float32)
    rows = np.column_stack([boxes, photo.class_ids])[: config.max_boxes]
    label[: len(rows)] = rows
    matches = match(boxes.tolist(), np.asarray(photo.class_ids).tolist(), config)
    return ssd.letterbox(pixels, config), label, matches


def match(
    boxes: Sequence[Sequence[float]], class_ids: Sequence[int], config: ssd.Config
) -> np.ndarray:
    """Which box each anchor is assigned to, in four nested loops.

    Args:
        boxes: Lists of four numbers, `[ymin, xmin, ymax, xmax]` on the unit square.
        class_ids: Class of each box.
        config: The `ssd.Config` of the model.

    Returns:
        float32 [anchors, 5].

    Example:
        >>> found = match([[0.4, 0.4, 0.9, 0.8]], [1], ssd.Config(image_size=(64, 64)))
        >>> found.shape
        (304, 5)
    """
    found = []
    for (rows, columns), sizes in zip(config.feature_shapes, config.anchor_shapes, strict=True):
        for row in range(rows):
            for column in range(columns):
                for height, width in sizes:
                    y, x = (row + 0.5) / rows, (column + 0.5) / columns
                    anchor = [y - height / 2, x - width / 2, y + height / 2, x + width / 2]
                    best, target = config.positive_iou, [0.0] * 5
                    for box, class_id in zip(boxes, class_ids, strict=True):
                        overlap = iou(box, anchor)
                        if overlap >= best:
                            best, target = overlap, [*box, class_id]
                    found.append(target)
    return np.array(found, np.float32)


def iou(a: Sequence[float], b: Sequence[float]) -> float:
    """Overlap of two boxes given as lists of four numbers.

    Args:
        a: `[ymin, xmin, ymax, xmax]`.
        b: Another one.

    Returns:
        Their intersection over their union.

    Example:
        >>> iou([0.0, 0.0, 1.0, 1.0], [0.0, 0.5, 1.0, 1.0])
        0.5
    """
    height = min(a[2], b[2]) - max(a[0], b[0])
    width = min(a[3], b[3]) - max(a[1], b[1])
    if height <= 0 or width <= 0:
        return 0.0
    shared = height * width
    areas = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1])
    return shared / (areas - shared)

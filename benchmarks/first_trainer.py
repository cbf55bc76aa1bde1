"""The input side of the project's first trainer: the start that every gain is measured from.

One photo at a time in Python: imageio decodes it, NumPy scales it, and four nested loops hold
every box against every anchor. Nothing here is fast, and nothing here should be made fast.
"""

import imageio.v3 as iio
import numpy as np

from ssd.photos.letterbox import letterbox


def example(record, config):
    """One example, anchors matched.

    Args:
        record: A `ssd.data.records.LabelledPhoto`.
        config: The `ssd.Config` of the model.

    Returns:
        uint8 [*config.image_size, 3], and float32 [anchors, 5]: for each anchor, the box that
        it answers for and its class, zeros where it is background.
    """
    photo = iio.imread(record.encoded, plugin="pillow", extension=".jpg", mode="RGB")
    height, width = config.fit(record.height, record.width)
    share = np.tile(np.float32([height, width]) / config.image_size, 2)
    boxes = (record.boxes * share).tolist()
    return letterbox(photo, config), match(boxes, record.class_ids.tolist(), config)


def match(boxes, classes, config):
    """Which box each anchor answers for, in four nested loops.

    Args:
        boxes: Lists of four numbers, `[ymin, xmin, ymax, xmax]` on the unit square.
        classes: Class of each box.
        config: The `ssd.Config` of the model.

    Returns:
        float32 [anchors, 5].

    Example:
        >>> import ssd
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
                    for box, kind in zip(boxes, classes, strict=True):
                        overlap = iou(box, anchor)
                        if overlap >= best:
                            best, target = overlap, [*box, kind]
                    found.append(target)
    return np.array(found, np.float32)


def iou(a, b):
    """Overlap of two boxes given as lists of four numbers.

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

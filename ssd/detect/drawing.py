"""What a detector found, drawn into the photo."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike
from PIL import Image, ImageDraw, ImageFont

from ssd.detect.detections import Detections
from ssd.photos.letterbox import check_photo

# One color a class, told apart by color-blind eyes too (Okabe and Ito, 2008).
_COLORS = ("#e69f00", "#56b4e9", "#009e73", "#f0e442", "#d55e00", "#cc79a7")


def draw(photo: ArrayLike, found: Detections, *, names: Sequence[str] | None = None) -> np.ndarray:
    """A copy of the photo with a frame and a score for each box found, and its id if it has one.

    The score is that of its class (`Detections.own_scores`).

    Args:
        photo: uint8 [height, width, 3].
        found: The `ssd.Detections` of that photo.
        names: What to write before the score, one name a class (`config.classes`). By default
            the score stands alone.

    Returns:
        uint8 [height, width, 3].

    Raises:
        ValueError: If the photo is none, or there are boxes of a class without a name.

    Example:
        >>> import ssd
        >>> boxes = np.array([[20, 20, 60, 50]], np.float32)
        >>> found = ssd.Detections(boxes, np.array([0.9], np.float32), np.array([1]))
        >>> draw(np.zeros((80, 80, 3), np.uint8), found)[20, 30].tolist()
        [230, 159, 0]
    """
    image = Image.fromarray(check_photo(photo))
    classes = int(np.max(found.class_ids, initial=0))
    if names and len(names) < classes:
        raise ValueError(f"names: wanted one for each of {classes} classes, got {len(names)}")
    pen = ImageDraw.Draw(image)
    # A line that can be seen in a large photo and hides nothing in a small one.
    line = max(1, round(max(image.size) / 300))
    font = ImageFont.load_default(size=max(10, 5 * line))
    # The best box last, on top of the others.
    ids = [""] * len(found) if found.ids is None else [f"#{each} " for each in found.ids]
    each = zip(found.boxes, found.own_scores, found.class_ids, ids, strict=True)
    for box, score, class_id, which in reversed(list(each)):
        top, left = (int(edge) for edge in box[:2])
        bottom, right = max(top, round(float(box[2])) - 1), max(left, round(float(box[3])) - 1)
        color = _COLORS[(class_id - 1) % len(_COLORS)]
        pen.rectangle((left, top, right, bottom), outline=color, width=line)
        label = f"{which}{names[class_id - 1]} {score:.2f}" if names else f"{which}{score:.2f}"
        # Above the frame, or in its corner where the photo ends.
        x0, y0, x1, y1 = pen.textbbox((0, 0), label, font=font, anchor="lt")
        x = max(0, min(left, image.width - (x1 - x0)))
        y = top - (y1 - y0) if top >= y1 - y0 else top
        pen.rectangle((x, y, x + x1 - x0, y + y1 - y0), fill=color)
        pen.text((x, y), label, fill="black", font=font, anchor="lt")
    return np.asarray(image)

"""Labels as a table: CSV, a row for each box, for spreadsheets and scripts."""

import csv
import io
import os

from ssd import atomic
from ssd.config import IGNORE, UNKNOWN
from ssd.data import manifest, records

COLUMNS = ("photo", "height", "width", "class", "score", "ymin", "xmin", "ymax", "xmax")
_WORDS = {IGNORE: "ignore", UNKNOWN: "unknown"}


def write(labels: str | os.PathLike, path: str | os.PathLike) -> tuple[int, int]:
    """Write the labels of a folder as CSV.

    Boxes are in pixels of the upright photo before it was scaled down to be stored: those of the
    file that `photo` names. A region to ignore has the class `ignore`, an object of which nobody
    has said what it is `unknown`. A photo without boxes has a row without one.

    Args:
        labels: A folder of labels.
        path: The file to write; it appears whole or not at all.

    Returns:
        (photos, boxes and regions) written.

    Raises:
        ValueError: If `labels` is no folder of labels.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     manifest.write(folder, {"classes": ["face"]})
        ...     records.write_shard(records.shard_path(folder, 0), [])
        ...     write(folder, f"{folder}/labels.csv")
        (0, 0)
    """
    names = manifest.read(labels)["classes"]
    text, photos, boxes = io.StringIO(newline=""), 0, 0
    table = csv.writer(text)
    table.writerow(COLUMNS)
    for photo in records.read(labels):
        photos += 1
        height, width = photo.full_size or (photo.height, photo.width)
        about = (photo.filename, height, width)
        for box, class_id, score in zip(photo.boxes, photo.class_ids, photo.scores, strict=True):
            boxes += 1
            name = _WORDS.get(int(class_id)) or names[int(class_id) - 1]
            sides = (height, width, height, width)
            edges = [round(float(edge) * side, 3) for edge, side in zip(box, sides, strict=True)]
            table.writerow([*about, name, round(float(score), 4), *edges])
        if not len(photo.boxes):
            table.writerow([*about, *[""] * 6])
    atomic.write_text(path, text.getvalue())
    return photos, boxes

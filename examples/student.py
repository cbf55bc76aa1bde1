"""A trained model as a teacher: what `distill --teacher student:find` calls.

SSD_STUDENT=face.tflite PYTHONPATH=examples python -m distill PHOTOS OUT --teacher student:find
"""

import functools
import os

import ssd


def find(photos, *, min_face, floor):
    """Boxes and scores of the model that the environment variable SSD_STUDENT names.

    Args:
        photos: A list of uint8 [height, width, 3].
        min_face: Side of the smallest face in pixels; the model decides that itself.
        floor: Least score.

    Returns:
        For each photo, boxes `[ymin, xmin, ymax, xmax]` in pixels and scores.
    """
    detector = _open(os.environ["SSD_STUDENT"])
    found = [detector(photo, score_threshold=floor) for photo in photos]
    return [(each.boxes, each.scores) for each in found]


@functools.cache
def _open(path):
    return ssd.Detector(path, threads=os.cpu_count() or 1)

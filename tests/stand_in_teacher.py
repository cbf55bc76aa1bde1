"""Teachers for tests: quick, and different on every photo."""

import os
import pathlib
import time

import numpy as np


def look(photos, *, min_face, floor):
    """One sure face on each photo, one doubtful, one too doubtful; where depends on the pixels."""
    found = []
    for photo in photos:
        height, width = photo.shape[:2]
        brightness = photo.mean() / 255
        face = [brightness * height / 2, 0, height * 0.75, width / 2]
        doubtful = [0, width * 0.6, height * 0.4, width * 0.9]
        found.append((np.float32([face, doubtful, face]), np.float32([0.99, 0.7, 0.1])))
    return found


def unhurried(photos, *, min_face, floor):
    """The same, slowly enough to be stopped on the way."""
    time.sleep(0.01 * len(photos))
    return look(photos, min_face=min_face, floor=floor)


def in_company(photos, *, min_face, floor):
    """The same, once two processes have come to the folder that MEETING names."""
    meeting = pathlib.Path(os.environ["MEETING"])
    (meeting / str(os.getpid())).touch()
    while len(list(meeting.iterdir())) < 2:
        time.sleep(0.05)
    return unhurried(photos, min_face=min_face, floor=floor)


def left_handed(photos, *, min_face, floor):
    """A sure face in the middle, and one at the left edge, whichever way the photo is turned."""
    found = []
    for photo in photos:
        height, width = photo.shape[:2]
        middle = [0.25 * height, 0.25 * width, 0.75 * height, 0.75 * width]
        left = [0, 0, 0.2 * height, 0.2 * width]
        found.append((np.float32([middle, left]), np.float32([0.99, 0.98])))
    return found


def destructive(photos, *, min_face, floor):
    """The same, and the folder that AWAY names goes away meanwhile."""
    folder = pathlib.Path(os.environ["AWAY"])
    if folder.exists():
        folder.rename(folder.with_name("away"))
    return look(photos, min_face=min_face, floor=floor)

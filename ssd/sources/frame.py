"""One picture of a source, and where in it it stands."""

from typing import NamedTuple

import numpy as np


class Frame(NamedTuple):
    """A photo, or a frame of a video or camera.

    Attributes:
        source: What it is from, as the user named it: a path, a camera's number, an address.
        stem: What files made of it are called, without a suffix; no other frame of a run has it.
        size: (height, width).
        pixels: uint8 [height, width, 3], RGB, upright; None where they stayed in the process that
            read them.
        index: Its number in a video or of a camera, from 0; None for a photo.
        seconds: When it is in the video, or came from the camera, counted from the first; None
            for a photo.

    Example:
        >>> photo = Frame("trip/a.jpg", "a", (480, 640), np.zeros((480, 640, 3), np.uint8))
        >>> photo.index is None, photo.number
        (True, 0)
    """

    source: str
    stem: str
    size: tuple[int, int]
    pixels: np.ndarray | None = None
    index: int | None = None
    seconds: float | None = None

    @property
    def number(self) -> int:
        """Its number in what it is from; 0 for a photo."""
        return self.index or 0

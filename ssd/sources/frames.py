"""Frames for a program of one's own, as a detector takes them."""

import contextlib
import os
from collections.abc import Generator

import numpy as np

from ssd.sources.ahead import Ahead
from ssd.sources.cameras import Camera
from ssd.sources.naming import find_sources
from ssd.sources.opening import open_frames


def read_frames(source: str | int | os.PathLike, *, every: int = 1) -> Ahead[np.ndarray]:
    """The frames of a video, a camera or a stream, one after the other.

    Of a recording every frame comes. A camera or a stream is not waited for: whoever is slower
    gets the latest frame, and never falls behind.

    Args:
        source: A video's path, a camera's number, "picamera2" for that of a Raspberry Pi, or the
            address of a stream.
        every: 3 passes over two frames after each.

    Returns:
        An iterable of uint8 [height, width, 3], RGB, upright. It is closed at the end of its frames
        or of a `with`. What breaks off raises OSError there, what is damaged ValueError.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no video, or `every` no whole number of 1 or more.
        OSError: If there is no such camera, or a stream cannot be read.
        ImportError: If what reads it is not installed: `pip install "ssd-faces[video]"`.

    Example:
        >>> read_frames("photo.jpg")
        Traceback (most recent call last):
        ValueError: photo.jpg: wanted a video, a camera or a stream
    """
    if not isinstance(every, int | np.integer) or isinstance(every, bool) or every < 1:
        raise ValueError(f"every: wanted a whole number of 1 or more, got {every!r}")
    found = find_sources([os.fspath(source) if isinstance(source, os.PathLike) else str(source)])
    if len(found) != 1 or found[0].kind == "photo":
        raise ValueError(f"{source}: wanted a video, a camera or a stream")
    opened = open_frames(found[0])
    return Ahead(_pixels(opened, every), latest=opened.live)


def _pixels(opened: Camera, every: int) -> Generator[np.ndarray, None, None]:
    with contextlib.closing(opened.read(every)) as frames:
        for _, _, pixels in frames:
            yield pixels

"""What a device saw and answered, kept in a folder that never grows beyond its limit."""

import io
import json
import os
import pathlib
import re
import threading
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, PngImagePlugin

from ssd import atomic
from ssd.detect.detector import Detections

_TEXT = "capture"  # the PNG text chunk that holds everything but the image
_PARTIAL = re.compile(r"\.\d{9,}\.\d+\.part\.png")  # what it is called while it is written


class Capture(NamedTuple):
    """One frame of a `CaptureLog`.

    Attributes:
        image: uint8 [height, width, 3], what the model saw.
        found: The `ssd.Detections`, in pixels of the camera's frame.
        shape: (height, width) of the camera's frame.
        seconds: What detecting took, or None if it was not said.
        time: When, in seconds since the epoch, by the device's clock.

    Example:
        >>> nothing = Detections(np.zeros((0, 4)), np.zeros(0), np.zeros(0, int))
        >>> frame = np.zeros((8, 8, 3), np.uint8)
        >>> Capture(frame, nothing, shape=(480, 640), seconds=None, time=0.0).shape
        (480, 640)
    """

    image: np.ndarray
    found: Detections
    shape: tuple[int, int]
    seconds: float | None
    time: float


class CaptureLog:
    """A bounded folder of captures: the newest are kept, the oldest make room.

    Each capture is one PNG file that any viewer shows; the answer travels inside it as text. A
    file appears whole or not at all, whenever the power is cut. Room is made before anything is
    written, so the folder does not exceed its limit even for a moment.

    Files are numbered, not dated: a board without a battery does not know the time.
    Threads may share a log; processes may not write to the same folder. Other files in the folder
    are left alone, pictures with a number for a name among them: a capture is known by what is in
    it.

    Args:
        folder: Where to keep them; it is made if need be.
        limit: Greatest size of all files together in bytes.

    Raises:
        ValueError: If `limit` is not positive.

    Example:
        >>> import tempfile
        >>> found = Detections(np.zeros((1, 4)), np.array([0.5]), np.array([1]))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     log = CaptureLog(folder, limit=1_000_000)
        ...     log.add(np.zeros((64, 64, 3), np.uint8), found, shape=(480, 640), seconds=0.02)
        ...     [capture.found.scores.tolist() for capture in log]
        [[0.5]]
    """

    def __init__(self, folder: str | os.PathLike, *, limit: float = 100_000_000) -> None:
        if not limit > 0:
            raise ValueError(f"limit: wanted a positive number of bytes, got {limit!r}")
        self.folder, self.limit = pathlib.Path(folder), limit
        self.folder.mkdir(parents=True, exist_ok=True)
        for path in atomic.stale(self.folder):
            if _PARTIAL.fullmatch(path.name):  # of a power cut
                path.unlink()
        self._lock = threading.Lock()
        self._sizes = {path: path.stat().st_size for path in _paths(self.folder)}  # oldest first
        # Beyond every number there is, whoever's: nothing is written over.
        self._last = max((int(path.stem) for path in _numbered(self.folder)), default=0)

    def __len__(self) -> int:
        return len(self._sizes)

    def __iter__(self) -> Iterator[Capture]:
        """All captures, oldest first."""
        return map(read_capture, _paths(self.folder))

    def add(
        self, tensor: Any, found: Detections, *, shape: Any, seconds: float | None = None
    ) -> None:
        """Keep a frame.

        Args:
            tensor: What `Detector.prepare` returned, [1, height, width, 3] or without the
                first axis; values are those of bytes.
            found: The `ssd.Detections`.
            shape: Shape of the camera's frame; its height and width come first.
            seconds: What detecting took.

        Raises:
            ValueError: If the tensor is no image, or one frame is larger than the limit.
            OSError: If the card does not take it.
        """
        image = np.asarray(tensor)
        image = image[0] if image.ndim == 4 else image
        if image.ndim != 3 or image.shape[2] != 3:
            raise ValueError(
                f"capture: wanted a tensor [height, width, 3], got {list(np.shape(tensor))}"
            )
        content = _encode(image.astype(np.uint8), found, shape, seconds)
        if len(content) > self.limit:
            raise ValueError(f"capture: {len(content)} bytes, but the limit is {self.limit}")
        with self._lock:
            self._make_room(len(content))
            path = self._next_path()
            with atomic.whole(path) as temporary:
                temporary.write_bytes(content)
            self._sizes[path] = len(content)

    def _next_path(self) -> pathlib.Path:
        """A name that no file has, not even one that came while the log was open."""
        while True:
            self._last += 1
            path = self.folder / f"{self._last:09d}.png"
            if not path.exists():
                return path

    def _make_room(self, size: int) -> None:
        while self._sizes and sum(self._sizes.values()) + size > self.limit:
            oldest = next(iter(self._sizes))
            oldest.unlink(missing_ok=True)
            del self._sizes[oldest]


def captures(folder: str | os.PathLike) -> Iterator[Capture]:
    """All captures in a folder of a `CaptureLog`, or in a copy of it, oldest first.

    Unlike opening the log, this changes nothing in the folder: another process may write there.

    Args:
        folder: The folder.

    Returns:
        An iterator of `Capture`s.

    Raises:
        FileNotFoundError: If there is no such folder.
        ValueError: If there is no capture in it; while iterating, if a file is none.

    Example:
        >>> import tempfile
        >>> nothing = Detections(np.zeros((0, 4)), np.zeros(0), np.zeros(0, int))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     CaptureLog(folder).add(np.zeros((8, 8, 3)), nothing, shape=(480, 640))
        ...     [capture.shape for capture in captures(folder)]
        [(480, 640)]
    """
    folder = pathlib.Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(
            f"{folder}: wanted a folder of a CaptureLog, there is no such folder"
        )
    paths = _paths(folder)
    if not paths:
        raise ValueError(f"{folder}: wanted a folder of a CaptureLog, found no capture in it")
    return map(read_capture, paths)


def read_capture(path: str | os.PathLike) -> Capture:
    """The `Capture` in a file of a `CaptureLog`.

    Args:
        path: The file.

    Returns:
        What it holds.

    Raises:
        ValueError: If the file is no capture.

    Example:
        >>> try:
        ...     read_capture(__file__)
        ... except ValueError as error:
        ...     print("wanted a file of a CaptureLog" in str(error))
        True
    """
    try:
        with Image.open(path) as image:
            image.load()
            about = json.loads(image.info[_TEXT])
            pixels = np.asarray(image.convert("RGB"))
    except (OSError, AttributeError, KeyError, ValueError, RecursionError) as error:
        raise ValueError(f"{path}: wanted a file of a CaptureLog ({error})") from None
    found = Detections(
        np.array(about["boxes"], np.float32).reshape(-1, 4),
        np.array(about["scores"], np.float32),
        np.array(about["classes"], int),
    )
    return Capture(pixels, found, tuple(about["shape"]), about["seconds"], about["time"])


def _paths(folder: pathlib.Path) -> list[pathlib.Path]:
    """The captures in a folder, oldest first."""
    return [path for path in _numbered(folder) if _is_capture(path)]


def _numbered(folder: pathlib.Path) -> list[pathlib.Path]:
    return sorted(path for path in folder.glob("*.png") if path.stem.isdecimal())


def _is_capture(path: pathlib.Path) -> bool:
    """Whether a picture carries what a `CaptureLog` writes into it; its pixels are not read."""
    try:
        with Image.open(path) as image:
            return _TEXT in image.info
    except (OSError, ValueError, SyntaxError):
        return False


def _encode(image, found, shape, seconds):
    about = {
        "boxes": np.asarray(found.boxes).tolist(),
        "scores": np.asarray(found.scores).tolist(),
        "classes": np.asarray(found.class_ids).tolist(),
        "shape": [int(side) for side in shape[:2]],
        "seconds": seconds,
        "time": time.time(),
    }
    text = PngImagePlugin.PngInfo()
    text.add_text(_TEXT, json.dumps(about))
    content = io.BytesIO()
    # The fastest level: on a board, time is dearer than the fifth of size the best would save.
    Image.fromarray(image).save(content, "PNG", compress_level=1, pnginfo=text)
    return content.getvalue()

"""What a device saw and answered, kept in a folder within its limit, and forgotten in time."""

import io
import json
import math
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
from ssd.detect import keeping
from ssd.detect.detections import Detections
from ssd.detect.limits import check_share, is_number

_TEXT = "capture"  # the PNG text chunk that holds everything but the image
_DAMAGE = (OSError, AttributeError, KeyError, TypeError, ValueError, RecursionError, SyntaxError)
_LAST = ".last"  # file with the last number, once no file has it any more
_DAY = 86400.0
_PARTIAL = re.compile(r"\.(\d{9,}\.\d+\.part\.png|\.last\.\d+\.part)")  # not whole yet


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
    """A bounded folder of captures: what is worth most is kept, and nothing for longer than asked.

    Each capture is one PNG file that any viewer shows; the answer travels inside it as text. A
    file appears whole or not at all, whenever the power is cut. Room is made before anything is
    written, so the folder does not exceed its limit even for a moment.

    Frames on which the model was in two minds teach the next model most: from a box that scores
    0.25 to 0.75 on, a frame is uncertain. Of the others a share is kept, drawn at random, and
    where room is needed the oldest of these go first. They keep a quarter of the room; beyond
    that, and where there are none, the oldest uncertain ones go.

    Files are numbered, not dated: a board without a battery does not know the time. No number comes
    twice, so that what people say of a capture by its name stays with it. Threads may share a log;
    processes may not write to the same folder. Other files in the folder are left alone, pictures
    with a number for a name among them: a capture is known by what is in it.

    Args:
        folder: Where to keep them; it is made if need be.
        limit: Greatest size of all files together in bytes.
        share: Of the frames of which the model is sure, the share that is kept, in [0, 1].
        days: Days after which a capture is deleted, by the device's clock, whenever the log is
            opened, added to, or asked to `forget`. None keeps them as long as there is room.
        seed: Makes it repeatable which frames are drawn.

    Raises:
        ValueError: If `limit` or `days` is not positive, or `share` is outside [0, 1].

    Example:
        >>> import tempfile
        >>> found = Detections(np.zeros((1, 4)), np.array([0.5]), np.array([1]))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     log = CaptureLog(folder, limit=1_000_000, share=0.1, days=30)
        ...     log.add(np.zeros((64, 64, 3), np.uint8), found, shape=(480, 640), seconds=0.02)
        ...     [capture.found.scores.tolist() for capture in log]
        [[0.5]]
    """

    def __init__(
        self,
        folder: str | os.PathLike,
        *,
        limit: float = 100_000_000,
        share: float = 1.0,
        days: float | None = None,
        seed: int | None = None,
    ) -> None:
        if not is_number(limit) or not limit > 0:
            raise ValueError(f"limit: wanted a positive number of bytes, got {limit!r}")
        check_share("share", share)
        if days is not None and not (is_number(days) and 0 < days < math.inf):
            raise ValueError(f"days: wanted a positive number of days, got {days!r}")
        self.folder, self.limit, self.share, self.days = pathlib.Path(folder), limit, share, days
        self.folder.mkdir(parents=True, exist_ok=True)
        for path in atomic.stale(self.folder):
            if _PARTIAL.fullmatch(path.name):  # of a power cut
                path.unlink()
        self._lock, self._random = threading.Lock(), np.random.default_rng(seed)
        self._kept = {path: _survey(path) for path in _paths(self.folder)}  # oldest first
        # Beyond every number there is or was, whoever's: nothing is written over.
        numbers = [int(path.stem) for path in _numbered(self.folder)]
        self._last = max([*numbers, _read_last(self.folder)])
        self.forget()

    def __len__(self) -> int:
        return len(self._kept)

    def __iter__(self) -> Iterator[Capture]:
        """All captures, oldest first."""
        return map(read_capture, _paths(self.folder))

    def add(
        self,
        tensor: Any,
        found: Detections,
        *,
        shape: Any,
        seconds: float | None = None,
        uncertainty: float | None = None,
    ) -> None:
        """Keep a frame, if it is uncertain or drawn; forget what is too old.

        Args:
            tensor: What `Detector.prepare` returned, [1, height, width, 3] or without the
                first axis; values are those of bytes.
            found: The `ssd.Detections`.
            shape: Shape of the camera's frame; its height and width come first.
            seconds: What detecting took.
            uncertainty: How far the model was in two minds, from 0 to 1. If left out, that is told
                from the scores in `found`, in which a face just below the threshold is not.

        Raises:
            ValueError: If the tensor is no image, `seconds` or `uncertainty` no such number, or
                one frame is larger than the limit.
            OSError: If the card does not take it.
        """
        image = np.asarray(tensor)
        image = image[0] if image.ndim == 4 else image
        if image.ndim != 3 or image.shape[2] != 3:
            raise ValueError(
                f"capture: wanted a tensor [height, width, 3], got {list(np.shape(tensor))}"
            )
        if seconds is not None and not (is_number(seconds) and 0 <= seconds < math.inf):
            raise ValueError(f"seconds: wanted a number of 0 or more, got {seconds!r}")
        if uncertainty is not None:
            check_share("uncertainty", uncertainty)
        else:
            uncertainty = keeping.uncertainty(found)
        with self._lock:
            self._forget(self.days)
            if uncertainty < keeping.UNCERTAIN and self._random.random() >= self.share:
                return
        about = _describe(found, shape, seconds, uncertainty)
        content = _encode(image.astype(np.uint8), about)
        if len(content) > self.limit:
            raise ValueError(f"capture: {len(content)} bytes, but the limit is {self.limit}")
        with self._lock:
            self._make_room(len(content))
            path = self._next_path()
            with atomic.whole(path) as temporary:
                temporary.write_bytes(content)
            self._kept[path] = keeping.Kept(len(content), about["time"], uncertainty)

    def forget(self, *, days: float | None = None) -> int:
        """Delete what is too old. A device that adds nothing for long calls this now and then.

        Args:
            days: How old a capture may be, by the device's clock; 0 deletes all of them. By default
                the `days` of the log.

        Returns:
            How many captures were deleted.

        Raises:
            ValueError: If `days` is negative.
            OSError: If one cannot be deleted.
        """
        if days is not None and not (is_number(days) and days >= 0):
            raise ValueError(f"days: wanted 0 or more days, got {days!r}")
        with self._lock:
            return self._forget(self.days if days is None else days)

    def _forget(self, days: float | None) -> int:
        if days is None:
            return 0
        now = time.time()
        # If all is to go, also what a clock that was ahead has dated later than now.
        old = [
            path for path, each in self._kept.items() if not days or now - each.time >= days * _DAY
        ]
        if old and old[-1] == next(reversed(self._kept)):
            atomic.write_text(self.folder / _LAST, f"{self._last}\n")
        for path in old:
            self._delete(path)
        return len(old)

    def _next_path(self) -> pathlib.Path:
        """A name that no file has, not even one that came while the log was open."""
        while True:
            self._last += 1
            path = self.folder / f"{self._last:09d}.png"
            if not path.exists():
                return path

    def _make_room(self, size: int) -> None:
        size += _size_of(self.folder / _LAST)
        while self._kept and sum(each.size for each in self._kept.values()) + size > self.limit:
            self._delete(keeping.next_to_go(self._kept, self.limit))

    def _delete(self, path: pathlib.Path) -> None:
        path.unlink(missing_ok=True)
        del self._kept[path]


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
        shares = about.get("class_scores")
        found = Detections(
            np.array(about["boxes"], np.float32).reshape(-1, 4),
            np.array(about["scores"], np.float32),
            np.array(about["classes"], int),
            class_scores=np.array(shares, np.float32) if shares else None,
        )
        return Capture(pixels, found, tuple(about["shape"]), about["seconds"], about["time"])
    except _DAMAGE as error:
        raise ValueError(
            f"{path}: wanted a file of a CaptureLog ({type(error).__name__}: {error})"
        ) from None


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


def _survey(path: pathlib.Path) -> keeping.Kept:
    """What has to be known of a capture to choose which one goes; its pixels are not read."""
    size = path.stat().st_size
    try:
        with Image.open(path) as image:
            about = json.loads(image.info[_TEXT])
        if "uncertainty" in about:
            return keeping.Kept(size, float(about["time"]), float(about["uncertainty"]))
        scores = np.array(about["scores"], float)  # of before there was more to say
        return keeping.Kept(size, float(about["time"]), _uncertainty_of(scores))
    except (OSError, KeyError, TypeError, ValueError, RecursionError):
        return keeping.Kept(size, 0.0, 0.0)  # damaged: the first to go


def _uncertainty_of(scores: np.ndarray) -> float:
    return keeping.uncertainty(Detections(np.zeros((len(scores), 4)), scores, scores))


def _size_of(path: pathlib.Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _read_last(folder: pathlib.Path) -> int:
    """The last number, where no file has it any more."""
    try:
        return int((folder / _LAST).read_text())
    except (OSError, ValueError):
        return 0


def _describe(found, shape, seconds, uncertainty):
    """Everything but the image, as JSON can hold it."""
    shares = found.class_scores
    return {
        "boxes": np.asarray(found.boxes).tolist(),
        "scores": np.asarray(found.scores).tolist(),
        "classes": np.asarray(found.class_ids).tolist(),
        "class_scores": None if shares is None else np.asarray(shares).tolist(),
        "shape": [int(side) for side in shape[:2]],
        "seconds": None if seconds is None else float(seconds),
        "time": time.time(),
        "uncertainty": float(uncertainty),
    }


def _encode(image, about):
    text = PngImagePlugin.PngInfo()
    text.add_text(_TEXT, json.dumps(about))
    content = io.BytesIO()
    # The fastest level: on a board, time is dearer than the fifth of size the best would save.
    Image.fromarray(image).save(content, "PNG", compress_level=1, pnginfo=text)
    return content.getvalue()

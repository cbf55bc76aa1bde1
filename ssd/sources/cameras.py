"""Cameras: that of a Raspberry Pi by picamera2, any other by its number.

A numbered camera is read by PyAV, as videos are; where that is missing, by OpenCV if it is there.
"""

import contextlib
import importlib.util
import itertools
import sys
import time
from collections.abc import Callable, Generator, Iterator
from typing import Any, Protocol

import numpy as np

from ssd.sources.video import Video

SIZE = (640, 480)  # width and height: more is thrown away when a frame is put into the input
# FFmpeg's name of the form, and of a numbered camera, by system.
_FORMS = {
    "linux": ("v4l2", "/dev/video{}"),
    "darwin": ("avfoundation", "{}"),
}


Frames = Generator[tuple[int, float, np.ndarray], None, None]


class Camera(Protocol):
    """What frames are read from.

    Attributes:
        rate: Frames a second, as it says.
        frames: How many there are, or None.
        live: Whether it goes on whether it is read or not.

    Example:
        >>> from ssd.sources.video import Video
        >>> camera: type[Camera] = Video
    """

    rate: float
    frames: int | None
    live: bool

    def read(self, every: int = 1) -> Frames:
        """As `Video.read`, without an end.

        Args:
            every: As there.

        Returns:
            The frames.
        """
        ...


def open_camera(name: str) -> Camera:
    """A camera, running.

    Args:
        name: Its number, or "picamera2".

    Returns:
        A `Camera`.

    Raises:
        OSError: If there is no such camera.
        ImportError: If what reads it is not installed.

    Example:
        >>> try:
        ...     open_camera("99")
        ... except (OSError, ImportError) as error:
        ...     print(type(error).__name__ != "Camera")
        True
    """
    if name == "picamera2":
        return _PiCamera()
    if _is_for_av():
        form, device = _FORMS[sys.platform]
        size = "x".join(map(str, SIZE))
        return Video(device.format(name), kind="a camera", form=form, options={"video_size": size})
    return _OpenCVCamera(int(name))


def check_camera(name: str) -> None:
    """See that what reads a camera is installed; the camera is left alone.

    Args:
        name: Its number, or "picamera2".

    Raises:
        ImportError: If it is not.

    Example:
        >>> try:
        ...     check_camera("picamera2")
        ... except ImportError as error:
        ...     print(str(error)[:28])
        wanted the package picamera2
    """
    if name == "picamera2":
        _import_picamera2()
    elif _is_for_av():
        import av  # noqa: F401
    else:
        import cv2  # noqa: F401


def _is_for_av() -> bool:
    """Whether numbered cameras are read by PyAV here, and not by OpenCV."""
    has_av, has_cv2 = (importlib.util.find_spec(each) is not None for each in ("av", "cv2"))
    return sys.platform in _FORMS and (has_av or not has_cv2)


def _import_picamera2() -> Any:
    try:
        from picamera2 import Picamera2
    except ImportError:
        raise ImportError(
            "wanted the package picamera2, which comes with Raspberry Pi OS: "
            "sudo apt install python3-picamera2, and an environment with --system-site-packages"
        ) from None
    return Picamera2


@contextlib.contextmanager
def _refused() -> Iterator[None]:
    """What picamera2 raises where there is no camera, another has it, or it goes away."""
    try:
        yield
    except (IndexError, RuntimeError) as error:
        raise OSError(f"picamera2: wanted a camera ({error})") from None


class _PiCamera:
    """The camera of a Raspberry Pi, by the package that comes with its system."""

    rate, live = 30.0, True
    frames: int | None = None

    def __init__(self) -> None:
        make = _import_picamera2()
        # "BGR888" is red, green, blue in memory, in spite of its name.
        main = {"format": "BGR888", "size": SIZE}
        with _refused():
            self._camera: Any = make()
            self._camera.configure(self._camera.create_video_configuration(main=main))
            self._camera.start()

    def read(self, every: int = 1) -> Frames:
        try:
            with _refused():
                yield from _numbered(self._camera.capture_array, every)
        finally:
            self._camera.stop()
            self._camera.close()


class _OpenCVCamera:
    """A numbered camera where there is OpenCV and no PyAV, or another system."""

    live = True
    frames: int | None = None

    def __init__(self, number: int) -> None:
        import cv2

        self._camera: Any = cv2.VideoCapture(number)
        if not self._camera.isOpened():
            raise OSError(f"{number}: wanted a camera, there is none of this number")
        self._camera.set(cv2.CAP_PROP_FRAME_WIDTH, SIZE[0])
        self._camera.set(cv2.CAP_PROP_FRAME_HEIGHT, SIZE[1])
        self.rate = float(self._camera.get(cv2.CAP_PROP_FPS) or 30)

    def read(self, every: int = 1) -> Frames:
        try:
            yield from _numbered(self._capture, every)
        finally:
            self._camera.release()

    def _capture(self) -> np.ndarray:
        there, pixels = self._camera.read()
        if not there:
            raise OSError("wanted a frame, the camera gives no more")
        return np.ascontiguousarray(pixels[..., ::-1])


def _numbered(capture: Callable[[], np.ndarray], every: int) -> Frames:
    """Frames as they come, with their numbers and times."""
    begun = None
    for index in itertools.count():
        pixels, now = capture(), time.monotonic()
        begun = now if begun is None else begun
        if index % every == 0:
            yield index, now - begun, pixels

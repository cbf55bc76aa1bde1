"""Frames of videos and of streams, by PyAV (`pip install "ssd-faces[video]"`)."""

from collections.abc import Generator
from typing import Any

import numpy as np

_TIMEOUT = 10.0  # seconds for which a stream may say nothing
_RATE = 25.0  # frames a second where a video does not say


class Video:
    """A video file, a stream or a camera, opened.

    Args:
        name: A path, or an address that FFmpeg opens.
        kind: What it is to be, as errors say it.
        form: FFmpeg's name of the form, where the name does not say it: that of cameras.
        options: FFmpeg's options.

    Attributes:
        rate: Frames a second, as the video says; 25 where it does not.
        frames: How many there are, or None where it does not say; an estimate for some files.
        live: Whether it goes on whether it is read or not: a stream without an end.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no video.
        OSError: If it cannot be read.
        ImportError: If PyAV is not installed.

    Example:
        >>> Video("nowhere.mp4")
        Traceback (most recent call last):
        FileNotFoundError: nowhere.mp4: wanted a video, there is no such file
    """

    def __init__(
        self,
        name: str,
        *,
        kind: str = "a video",
        form: str | None = None,
        options: dict[str, str] | None = None,
    ) -> None:
        import av.error

        self._name, self._kind = name, kind
        timeout = _TIMEOUT if "://" in name else None
        try:
            self._container: Any = av.open(
                name, format=form, options=options or {}, timeout=timeout
            )
            if not self._container.streams.video:
                raise ValueError(f"{name}: wanted {kind}, it has no pictures")
        except (OSError, av.error.FFmpegError) as error:
            raise self._said(error) from None
        stream = self._container.streams.video[0]
        stream.thread_type = "AUTO"
        self.rate = float(stream.average_rate or stream.guessed_rate or _RATE)
        seconds = self._container.duration and self._container.duration / av.time_base
        self.frames: int | None = stream.frames or (round(seconds * self.rate) if seconds else None)
        self.live = form is not None or ("://" in name and not seconds)

    def read(self, every: int = 1) -> Generator[tuple[int, float, np.ndarray], None, None]:
        """Its frames, upright. At the end, or when the generator is closed, all is let go of.

        Args:
            every: 3 passes over two frames after each.

        Yields:
            (number of the frame, seconds since the first, uint8 [height, width, 3] in RGB).

        Raises:
            ValueError: If it is damaged.
            OSError: If a stream breaks off.
        """
        import av.error

        first = None
        try:
            for index, frame in enumerate(self._container.decode(video=0)):
                time = index / self.rate if frame.time is None else frame.time
                first = time if first is None else first
                if index % every:
                    continue
                pixels = frame.to_ndarray(format="rgb24")
                turns = round(getattr(frame, "rotation", 0) / 90) % 4  # phones are held upright
                yield index, max(0.0, time - first), np.ascontiguousarray(np.rot90(pixels, turns))
        except (OSError, av.error.FFmpegError) as error:
            raise self._said(error) from None
        finally:
            self._container.close()

    def _said(self, error: Exception) -> Exception:
        """What FFmpeg says, in the words of this project."""
        import av.error

        if isinstance(error, FileNotFoundError):
            return FileNotFoundError(f"{self._name}: wanted {self._kind}, there is no such file")
        reason = getattr(error, "strerror", None) or str(error)
        message = f"{self._name}: wanted {self._kind} ({reason})"
        if isinstance(error, av.error.InvalidDataError):
            return ValueError(message)
        return OSError(message)

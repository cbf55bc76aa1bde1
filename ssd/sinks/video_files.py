"""Videos as people are to see them, playable at every moment while they grow."""

import fractions
import os
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from ssd.sinks.journal import check_new
from ssd.sinks.sink import FrameResult, Sink
from ssd.sinks.video_names import check_video_path, is_video, video_paths
from ssd.sources.naming import Source

_TICKS = fractions.Fraction(1, 90_000)
_KEY = 60  # frames after which a player can start at the latest
# Pieces of half a second that stand for themselves: what a killed process leaves plays.
_MATROSKA = {"cluster_time_limit": "500"}
_MP4 = {"movflags": "empty_moov+default_base_moof", "frag_duration": "500000"}


class VideoFile:
    """A video that grows frame by frame: fragmented MP4 or Matroska, H.264 where there is x264.

    Args:
        path: The file, which must be new; its suffix says which of both.

    Raises:
        FileExistsError: If there is one of that name.
        ImportError: If PyAV is not installed.

    Example:
        >>> VideoFile("v.avi")
        Traceback (most recent call last):
        ValueError: v.avi: wanted a video that ends in .mp4, .m4v, .mov, .mkv
    """

    def __init__(self, path: str | os.PathLike) -> None:
        self._path = pathlib.Path(path)
        check_video_path(self._path)
        check_new(self._path)
        import av

        pieces = _MATROSKA if self._path.suffix.lower() == ".mkv" else _MP4
        options = {"flush_packets": "1", **pieces}
        self._container: Any = av.open(str(self._path), "w", options=options)
        self._stream: Any = None
        self._last = -1

    def write(self, pixels: np.ndarray, seconds: float) -> None:
        """Append a frame.

        Args:
            pixels: uint8 [height, width, 3], RGB. Of odd sides the last row or column is doubled;
                a frame of another size than the first is scaled to it.
            seconds: When it is to be seen, from the beginning.
        """
        import av

        height, width = pixels.shape[:2]
        pixels = np.pad(pixels, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        if self._stream is None:
            self._stream = self._open_stream(pixels.shape[0], pixels.shape[1])
        frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
        # A frame that comes too early for the clock is seen one tick after the last.
        self._last = frame.pts = max(round(seconds / _TICKS), self._last + 1)
        frame.time_base = _TICKS
        frame = frame.reformat(self._stream.width, self._stream.height, self._stream.pix_fmt)
        self._container.mux(self._stream.encode(frame))

    def close(self) -> None:
        """Complete the file."""
        if self._stream is not None:
            self._container.mux(self._stream.encode(None))
        self._container.close()

    def _open_stream(self, height: int, width: int) -> Any:
        import av

        codec = "libx264" if "libx264" in av.codecs_available else "mpeg4"
        stream: Any = self._container.add_stream(codec, rate=30)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.time_base = stream.codec_context.time_base = _TICKS
        # Without a delay: what was given is written at once, and no frame refers to later ones.
        options = {"g": str(_KEY), "bf": "0"}
        x264 = {"preset": "veryfast", "crf": "20", "tune": "zerolatency"}
        stream.options = options | (x264 if codec == "libx264" else {"q:v": "3"})
        return stream


class VideoFiles(Sink):
    """A video for each source of frames.

    Args:
        out: A folder, for videos called as their sources are; or the file of the only one.
        sources: The sources that have frames.

    Raises:
        FileExistsError: If a video would take the place of a file.
        ValueError: If one file is to hold several sources.
        ImportError: If PyAV is not installed.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     VideoFiles(folder, []).close()
    """

    takes_photos = False
    visual = True

    def __init__(self, out: str | os.PathLike, sources: Sequence[Source]) -> None:
        out = pathlib.Path(out)
        self._paths = video_paths(out, sources)
        if not is_video(out):
            out.mkdir(parents=True, exist_ok=True)
        if sources:
            import av  # noqa: F401  that it is not there is said before the work
        self._open: VideoFile | None = None
        self._stem = ""

    def add(self, result: FrameResult) -> None:
        """Append a frame to the video of its source.

        Args:
            result: The `FrameResult`.
        """
        frame = result.frame
        if result.picture is None:
            return
        if frame.stem != self._stem:
            self.close()
            self._open, self._stem = VideoFile(self._paths[frame.stem]), frame.stem
        assert self._open is not None
        self._open.write(result.picture, frame.seconds or 0.0)

    def close(self) -> None:
        """Complete the video that is open."""
        if self._open is not None:
            self._open.close()
        self._open = None

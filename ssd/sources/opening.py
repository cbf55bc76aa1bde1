"""A source that has frames, opened, whatever it is."""

from ssd.sources.cameras import Camera, open_camera
from ssd.sources.naming import Source
from ssd.sources.video import Video

# Over TCP a busy network delays frames of a camera; over UDP, FFmpeg's default, it breaks them.
_RTSP = {"rtsp_transport": "tcp"}


def open_frames(source: Source) -> Camera:
    """Open a video, a camera or a stream.

    Args:
        source: Which; no photo.

    Returns:
        A `Video` or what is read like one.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no video.
        OSError: If there is no such camera, or a stream cannot be read.
        ImportError: If what reads it is not installed.

    Example:
        >>> open_frames(Source("video", "nowhere.mp4", "nowhere"))
        Traceback (most recent call last):
        FileNotFoundError: nowhere.mp4: wanted a video, there is no such file
    """
    if source.kind == "camera":
        return open_camera(source.name)
    if source.kind == "stream":
        options = _RTSP if source.name.lower().startswith("rtsp") else {}
        return Video(source.name, kind="a stream", options=options)
    return Video(source.name)

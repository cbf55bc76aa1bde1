"""What the videos of sources are called, and whether they may be written: before any work."""

import pathlib
from collections.abc import Sequence

from ssd.sinks.journal import check_new
from ssd.sources.naming import Source

SUFFIXES = (".mp4", ".m4v", ".mov", ".mkv")


def video_paths(out: pathlib.Path, sources: Sequence[Source]) -> dict[str, pathlib.Path]:
    """Where the videos of sources go; none of them takes a file's place.

    Args:
        out: As for `VideoFiles`.
        sources: As for `VideoFiles`.

    Returns:
        Paths by the stems of the sources.

    Raises:
        FileExistsError: If a video would take the place of a file.
        NotADirectoryError: If the folder is a file.
        ValueError: If one file is to hold several sources.

    Example:
        >>> video_paths(pathlib.Path("drawn"), [Source("video", "v.mkv", "v")])["v"].as_posix()
        'drawn/v.mp4'
    """
    if is_video(out):
        if len(sources) != 1:
            raise ValueError(
                f"{out}: wanted one video or camera to make it of, got {len(sources)}; "
                "name a folder for several"
            )
        paths = {sources[0].stem: out}
    else:
        if out.exists() and not out.is_dir():
            raise NotADirectoryError(f"{out}: wanted a folder for the videos, this is a file")
        paths = {source.stem: out / f"{source.stem}.mp4" for source in sources}
    for path in paths.values():
        check_new(path)
    return paths


def is_video(path: pathlib.Path) -> bool:
    """Whether a name is that of a video that can be written.

    Args:
        path: The name.

    Returns:
        Whether it ends as one.

    Example:
        >>> is_video(pathlib.Path("v.MP4")), is_video(pathlib.Path("drawn"))
        (True, False)
    """
    return path.suffix.lower() in SUFFIXES


def check_video_path(path: pathlib.Path) -> None:
    """Refuse a name that is not that of a video that can be written.

    Args:
        path: The name.

    Raises:
        ValueError: If it is not.

    Example:
        >>> check_video_path(pathlib.Path("v.mp4"))
    """
    if not is_video(path):
        raise ValueError(f"{path}: wanted a video that ends in {', '.join(SUFFIXES)}")

"""Folders that results go to, and the names of files in them."""

import os
import pathlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ssd.sources.frame import Frame


def new_folder(folder: str | os.PathLike) -> pathlib.Path:
    """A folder that was not there or has nothing in it, so that nothing is replaced.

    Args:
        folder: The folder; it is made, with those above it.

    Returns:
        Its path.

    Raises:
        OSError: As `check_folder`; or if it cannot be made.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     new_folder(f"{folder}/crops").name
        'crops'
    """
    folder = pathlib.Path(folder)
    check_folder(folder)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def check_folder(folder: pathlib.Path) -> None:
    """Refuse a folder in which something could be replaced.

    Args:
        folder: The folder, which need not be there.

    Raises:
        NotADirectoryError: If it is a file.
        FileExistsError: If there is something in it.

    Example:
        >>> check_folder(pathlib.Path("nowhere"))
    """
    if folder.exists() and not folder.is_dir():
        raise NotADirectoryError(f"{folder}: wanted a folder, this is a file")
    if folder.is_dir() and any(folder.iterdir()):
        raise FileExistsError(
            f"{folder}: wanted a new or an empty folder, there is something in it"
        )


def frame_name(frame: "Frame") -> str:
    """What files of one frame are called, without a suffix.

    Args:
        frame: The frame.

    Returns:
        The stem of a photo; of a video with the number of the frame.

    Example:
        >>> import numpy as np
        >>> from ssd.sources.frame import Frame
        >>> frame_name(Frame("v.mp4", "v", (8, 8), index=12, seconds=0.5))
        'v-000012'
    """
    return frame.stem if frame.index is None else f"{frame.stem}-{frame.index:06d}"

"""Photos as people are to see them, in files of the format that each came in."""

import os
import pathlib
from collections.abc import Sequence

import numpy as np
from PIL import Image

from ssd import atomic
from ssd.sinks.picture_names import PICTURE_OPTIONS, check_pictures, picture_path
from ssd.sinks.sink import FrameResult, Sink
from ssd.sources.naming import Source


class PictureFiles(Sink):
    """A picture for each photo, in a folder.

    Pictures have nothing of the photo's metadata: no place, and no small copy from before.

    Args:
        folder: Where they go; it is made if need be.
        photos: All that are to come.

    Raises:
        NotADirectoryError: If the folder is a file.
        FileExistsError: If a picture would take the place of a file, or the photos are in the
            folder.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     PictureFiles(f"{folder}/drawn", [Source("photo", "a.jpg", "a")]).close()
        ...     os.listdir(folder)
        ['drawn']
    """

    takes_frames = False
    visual = True
    parallel = True

    def __init__(self, folder: str | os.PathLike, photos: Sequence[Source]) -> None:
        self._folder = folder = pathlib.Path(folder)
        check_pictures(folder, photos)
        folder.mkdir(parents=True, exist_ok=True)

    def add(self, result: FrameResult) -> None:
        """Write the picture of a photo.

        Args:
            result: The `FrameResult`.
        """
        if result.picture is not None:
            write_picture(self._path(result.frame.stem, result.frame.source), result.picture)

    def _path(self, stem: str, name: str) -> pathlib.Path:
        return picture_path(self._folder, stem, name)


def write_picture(path: pathlib.Path, pixels: np.ndarray) -> None:
    """Write a picture with little loss. The file appears whole or not at all.

    Args:
        path: The file; its suffix says which format, one that `picture_suffix` gives.
        pixels: uint8 [height, width, 3], RGB.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_picture(pathlib.Path(folder, "a.jpg"), np.zeros((8, 8, 3), np.uint8))
        ...     os.listdir(folder)
        ['a.jpg']
    """
    with atomic.whole(path) as temporary:
        Image.fromarray(pixels).save(temporary, **PICTURE_OPTIONS[path.suffix])

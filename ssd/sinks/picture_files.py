"""Photos as people are to see them, in files of the format that each came in."""

import os
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from ssd import atomic
from ssd.sinks.sink import FrameResult, Sink
from ssd.sources.naming import Source

# Formats that can be written as they came; all others become PNG. The losses of a second encoding
# stay below those of a resize.
_JPEG = {"quality": 95, "subsampling": 0}
_OPTIONS: dict[str, dict[str, Any]] = {
    **dict.fromkeys((".jpg", ".jpeg", ".jpe", ".jfif"), _JPEG),
    ".webp": {"quality": 95},
    ".png": {"compress_level": 1},
    **{suffix: {} for suffix in (".bmp", ".dib", ".tif", ".tiff")},
}


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

    visual = True
    parallel = True

    def __init__(self, folder: str | os.PathLike, photos: Sequence[Source]) -> None:
        self._folder = folder = pathlib.Path(folder)
        if folder.exists() and not folder.is_dir():
            raise NotADirectoryError(f"{folder}: wanted a folder for the pictures, this is a file")
        own = folder.resolve()
        for parent in {photo.path.parent: photo for photo in photos}.items():
            if parent[0].resolve() == own:
                raise FileExistsError(
                    f"{folder}: wanted a folder without the photos, {parent[1].name} is in it"
                )
        for photo in photos:
            path = self._path(photo.stem, photo.name)
            if path.exists():
                raise FileExistsError(
                    f"{path}: wanted a new file, there is one; name another folder"
                )
        folder.mkdir(parents=True, exist_ok=True)

    def add(self, result: FrameResult) -> None:
        """Write the picture of a photo; frames of videos are no business of this one.

        Args:
            result: The `FrameResult`.
        """
        if result.frame.index is None and result.picture is not None:
            write_picture(self._path(result.frame.stem, result.frame.source), result.picture)

    def _path(self, stem: str, name: str) -> pathlib.Path:
        return self._folder / f"{stem}{picture_suffix(name)}"


def picture_suffix(name: str) -> str:
    """The suffix of a picture that is made of a file.

    Args:
        name: Of the file.

    Returns:
        Its own, small, if that format can be written; else ".png".

    Example:
        >>> picture_suffix("a.JPG"), picture_suffix("a.heic")
        ('.jpg', '.png')
    """
    suffix = pathlib.PurePath(name).suffix.lower()
    return suffix if suffix in _OPTIONS else ".png"


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
        Image.fromarray(pixels).save(temporary, **_OPTIONS[path.suffix])

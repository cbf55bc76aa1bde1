"""What the pictures of photos are called, and whether they may be written: before any work."""

import pathlib
from collections.abc import Sequence
from typing import Any

from ssd.sources.naming import Source

# Formats that can be written as they came; all others become PNG. The losses of a second encoding
# stay below those of a resize.
_JPEG = {"quality": 95, "subsampling": 0}
PICTURE_OPTIONS: dict[str, dict[str, Any]] = {
    **dict.fromkeys((".jpg", ".jpeg", ".jpe", ".jfif"), _JPEG),
    ".webp": {"quality": 95},
    ".png": {"compress_level": 1},
    **{suffix: {} for suffix in (".bmp", ".dib", ".tif", ".tiff")},
}


def check_pictures(folder: pathlib.Path, photos: Sequence[Source]) -> None:
    """See that a folder can take a picture of each photo, and none of them takes a file's place.

    Args:
        folder: Where they are to go.
        photos: All that are to come.

    Raises:
        NotADirectoryError: If the folder is a file.
        FileExistsError: If a picture would take the place of a file, or the photos are in the
            folder.

    Example:
        >>> check_pictures(pathlib.Path("nowhere"), [Source("photo", "a.jpg", "a")])
    """
    if folder.exists() and not folder.is_dir():
        raise NotADirectoryError(f"{folder}: wanted a folder for the pictures, this is a file")
    own = folder.resolve()
    for parent, photo in {photo.path.parent: photo for photo in photos}.items():
        if parent.resolve() == own:
            raise FileExistsError(
                f"{folder}: wanted a folder without the photos, {photo.name} is in it"
            )
    for photo in photos:
        path = picture_path(folder, photo.stem, photo.name)
        if path.exists():
            raise FileExistsError(f"{path}: wanted a new file, there is one; name another folder")


def picture_path(folder: pathlib.Path, stem: str, name: str) -> pathlib.Path:
    """Where the picture of a photo goes.

    Args:
        folder: Of the pictures.
        stem: What it is called there, without a suffix.
        name: Of the photo's file.

    Returns:
        The path.

    Example:
        >>> picture_path(pathlib.Path("drawn"), "a", "a.JPG").as_posix()
        'drawn/a.jpg'
    """
    return folder / f"{stem}{picture_suffix(name)}"


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
    return suffix if suffix in PICTURE_OPTIONS else ".png"

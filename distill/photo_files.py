"""Which files of a folder are photos, and which of them can be opened at all."""

import os
import pathlib
import stat
from collections.abc import Sequence
from typing import NamedTuple

from ssd.photos.finding import PHOTO_SUFFIXES

_FIRST_BYTES = (b"\xff\xd8\xff", b"\x89PNG\r\n", b"GIF8", b"BM", b"II*\0", b"MM\0*")


class PhotoFiles(NamedTuple):
    """What a folder holds.

    Args:
        names: Photos, sorted: paths inside the folder, with `/`.
        refused: {name: reason} of what is named like a photo and cannot be opened: broken links,
            pipes, devices.
        closed_folders: {path inside the folder: reason} of folders that may not be read.
        other_files: How many files are no photos.

    Example:
        >>> PhotoFiles(["a.jpg"], {}, {}, 2).other_files
        2
    """

    names: list[str]
    refused: dict[str, str]
    closed_folders: dict[str, str]
    other_files: int


def find_photos(
    folder: str | os.PathLike,
    *,
    inside: Sequence[str] = (".",),
    leave_out: str | os.PathLike | None = None,
) -> PhotoFiles:
    """All photos under a folder.

    A file is taken for a photo by the suffix of its name or, failing that, by its first bytes.
    Names that start with a dot are passed over. Links are followed; each folder is visited once.
    Nothing is opened that could wait for ever, or is more than it seems.

    Args:
        folder: Where to look; names are paths inside it.
        inside: The folders in it to look in; by default all of it.
        leave_out: A folder to pass over.

    Returns:
        `PhotoFiles`.

    Raises:
        OSError: If a folder or file cannot be read for a reason that may pass.

    Example:
        >>> import pathlib, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     for name in ("a.jpg", "notes.txt"):
        ...         pathlib.Path(folder, name).touch()
        ...     find_photos(folder)
        PhotoFiles(names=['a.jpg'], refused={}, closed_folders={}, other_files=1)
    """
    names, refused, closed, other = [], {}, {}, 0
    visited = {_identity(os.stat(leave_out))} if leave_out and os.path.exists(leave_out) else set()
    roots = {os.path.join(folder, each) if each != "." else os.fspath(folder) for each in inside}
    folders = sorted(roots)
    while folders:
        path = folders.pop()
        try:
            identity, entries = _identity(os.stat(path)), os.listdir(path)
        except PermissionError as error:
            if path in roots:
                raise
            closed[_inside(folder, path)] = error.strerror
            continue
        if identity in visited:
            continue
        visited.add(identity)
        for name in entries:
            full = os.path.join(path, name)
            mode, reason = _mode(full)
            if name.startswith("."):
                other += not stat.S_ISDIR(mode)
            elif stat.S_ISDIR(mode):
                folders.append(full)
            elif not _is_photo(full, mode):
                other += 1
            elif stat.S_ISREG(mode):
                names.append(_inside(folder, full))
            else:
                refused[_inside(folder, full)] = reason or "not a regular file"
    return PhotoFiles(sorted(names), dict(sorted(refused.items())), closed, other)


def common_folder(
    folders: Sequence[str | os.PathLike],
) -> tuple[pathlib.Path, list[str]]:
    """The innermost folder that several are in: the names of their photos are paths inside it.

    Args:
        folders: One or more. One that is inside another adds nothing.

    Returns:
        (the folder, the paths of the others inside it, sorted). Of one folder: itself, and ".".

    Raises:
        ValueError: If there are none, or they are on different drives.
        FileNotFoundError: If one is no folder.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     for name in ("2024", "2025"):
        ...         os.mkdir(f"{folder}/{name}")
        ...     common, inside = common_folder([f"{folder}/2025", f"{folder}/2024"])
        >>> inside
        ['2024', '2025']
    """
    if not folders:
        raise ValueError("wanted a folder of photos or several, got none")
    for folder in folders:
        if not os.path.isdir(folder):
            raise FileNotFoundError(f"{folder}: wanted a folder of photos, there is no such folder")
    paths = {pathlib.Path(folder).resolve() for folder in folders}
    outer = sorted(path for path in paths if not paths & set(path.parents))
    if len(folders) == 1:
        return pathlib.Path(folders[0]), ["."]
    common = pathlib.Path(os.path.commonpath(outer))
    return common, [path.relative_to(common).as_posix() for path in outer]


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino


def _inside(folder: str | os.PathLike, path: str) -> str:
    return os.path.relpath(path, folder).replace(os.sep, "/")


def _mode(path: str) -> tuple[int, str]:
    """(What kind of file it is; why that is unknown, if it is). Links are followed."""
    try:
        return os.stat(path).st_mode, ""
    except OSError as error:
        if os.path.islink(path) or isinstance(error, PermissionError | FileNotFoundError):
            return 0, error.strerror or str(error)
        raise


def _is_photo(path: str, mode: int) -> bool:
    if os.path.splitext(path)[1].lower() in PHOTO_SUFFIXES:
        return True
    if not stat.S_ISREG(mode):  # opening a pipe would wait for ever
        return False
    try:
        with open(path, "rb") as file:
            start = file.read(16)
    except PermissionError:
        return False
    return start.startswith(_FIRST_BYTES) or (start[:4] == b"RIFF" and start[8:12] == b"WEBP")

"""Files that appear whole or not at all, however the process ends. Standard library only."""

import contextlib
import os
import pathlib
from collections.abc import Iterator


@contextlib.contextmanager
def whole(path: str | os.PathLike) -> Iterator[pathlib.Path]:
    """A temporary path that takes the name `path` once it is safely on the disk.

    If the block raises, nothing is left behind, and a file that was at `path` is still there.
    The temporary name has the suffix of `path`, for writers that choose a format by it.

    Args:
        path: The file that is to appear; its folder must exist.

    Yields:
        The path to write to.

    Raises:
        OSError: If the disk is full or cannot be written to.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with whole(f"{folder}/note.txt") as temporary:
        ...         _ = temporary.write_text("whole")
        ...     os.listdir(folder)
        ['note.txt']
    """
    path = pathlib.Path(path)
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.part{path.suffix}")
    try:
        yield temporary
        with open(temporary, "rb+") as written:
            os.fsync(written.fileno())
        os.replace(temporary, path)
        with contextlib.suppress(OSError):  # a folder cannot be opened on Windows
            folder = os.open(path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)  # the new name, not only the bytes, survives a power cut
            finally:
                os.close(folder)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: str | os.PathLike, text: str) -> None:
    """Writes a text file that appears whole or not at all.

    Names of files need not be valid UTF-8, so surrogates are written back as the bytes they stand
    for; line ends stay as they are.

    Args:
        path: The file. One of that name is replaced.
        text: What it is to hold.

    Raises:
        OSError: If the disk is full or cannot be written to; what was there stays.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_text(f"{folder}/note.txt", "whole")
        ...     pathlib.Path(f"{folder}/note.txt").read_text()
        'whole'
    """
    with whole(path) as temporary:
        temporary.write_bytes(text.encode("utf-8", "surrogateescape"))


def stale(folder: str | os.PathLike) -> list[pathlib.Path]:
    """Temporary files that killed processes left in a folder.

    Args:
        folder: A folder in which no other process is writing now.

    Returns:
        Their paths.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = pathlib.Path(folder, ".note.7.part.txt").write_text("ha")
        ...     [path.name for path in stale(folder)]
        ['.note.7.part.txt']
    """
    return sorted(pathlib.Path(folder).glob(".*.part*"))

"""One run at a time writes to a folder. Standard library only."""

import contextlib
import os
import pathlib
from collections.abc import Iterator

NAME = "lock"  # of the file in the folder that the system holds for one process


@contextlib.contextmanager
def lock(folder: str | os.PathLike) -> Iterator[None]:
    """Keeps a second run out of the folder; the system lets go of it however the run ends.

    Args:
        folder: Where nobody else is to write; made if missing.

    Yields:
        Nothing; the folder is held while the block runs.

    Raises:
        ValueError: If another run holds it.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder, lock(folder):
        ...     "nobody else writes here"
        'nobody else writes here'
    """
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / NAME, "a") as file:
        try:
            import fcntl
        except ImportError:  # Windows
            import msvcrt

            hold = lambda: msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # noqa: E731
        else:
            hold = lambda: fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # noqa: E731
        try:
            hold()
        except OSError:
            raise ValueError(f"{folder}: another run is writing to this folder") from None
        yield

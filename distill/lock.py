"""One run at a time writes to a folder of labels."""

import contextlib
import pathlib


@contextlib.contextmanager
def lock(out):
    """Keeps a second run out of the folder; the system lets go of it however the run ends.

    Args:
        out: A folder of labels.

    Raises:
        ValueError: If another run holds it.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as out, lock(out):
        ...     "nobody else writes here"
        'nobody else writes here'
    """
    path = pathlib.Path(out) / "progress" / "lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "a") as file:
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
            raise ValueError(f"{out}: another run is writing to this folder") from None
        yield

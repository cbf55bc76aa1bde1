"""TensorFlow imported without its greeting, so that a command's own lines can be seen."""

import contextlib
import os
import sys
from collections.abc import Iterator

_OURS = ("anchors", "distill", "ssd")
_EXTRAS = {"ray": "ray", "jax": "jax"}


def import_tensorflow() -> None:
    """Import TensorFlow for a command: what its libraries print while they load is dropped.

    They write to the process's standard error before any logging of theirs can be set up, a
    page of it, and an error of one line would be lost below. Errors in Python are raised as
    always. Later, TensorFlow's own errors are shown and its remarks are not, unless
    `TF_CPP_MIN_LOG_LEVEL` says otherwise. Only commands call this; a library must not.

    Raises:
        ImportError: If it is not installed.

    Example:
        >>> import_tensorflow()
        >>> "tensorflow" in sys.modules
        True
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    with quietly():
        import tensorflow  # noqa: F401


def missing_package(error: ImportError) -> str:
    """What to install, for a command that came upon a package that is not there.

    Args:
        error: What was raised.

    Returns:
        One line.

    Raises:
        ImportError: The error itself, if what is missing is a part of this project.

    Example:
        >>> missing_package(ModuleNotFoundError("No module named 'keras'", name="keras"))
        "wanted the package keras, which is not installed: pip install 'ssd-faces[train]'"
    """
    if not isinstance(error, ModuleNotFoundError) or error.name is None:
        return str(error)
    package = error.name.partition(".")[0]
    if package in _OURS:
        raise error
    extra = _EXTRAS.get(package, "train")
    return f"wanted the package {package}, which is not installed: pip install 'ssd-faces[{extra}]'"


@contextlib.contextmanager
def quietly() -> Iterator[None]:
    """Drop what anything but Python writes to standard error while the block runs.

    Libraries in C++ write to the file descriptor itself. Python's own `sys.stderr` is the same
    file, so what is printed to it is dropped as well; what is raised is not.

    Yields:
        Nothing.

    Example:
        >>> with quietly():
        ...     _ = os.write(2, b"nobody reads this")
    """
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with open(os.devnull, "w") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        sys.stderr.flush()
        os.dup2(kept, 2)
        os.close(kept)

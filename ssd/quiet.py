"""TensorFlow imported without its greeting, so that a command's own lines can be seen."""

import contextlib
import os
import sys


def import_tensorflow():
    """Import TensorFlow for a command: what its libraries print while they load is dropped.

    They write to the process's standard error before any logging of theirs can be set up, a
    page of it, and an error of one line would be lost below. Errors in Python are raised as
    always. Later, TensorFlow's own errors are shown and its remarks are not, unless
    `TF_CPP_MIN_LOG_LEVEL` says otherwise. Only commands call this; a library must not.

    Example:
        >>> import_tensorflow()
        >>> "tensorflow" in sys.modules
        True
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    with _standard_error_closed():
        import tensorflow  # noqa: F401


@contextlib.contextmanager
def _standard_error_closed():
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with open(os.devnull, "w") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)

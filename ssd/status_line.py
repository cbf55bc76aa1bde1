"""One line on a terminal that says how far a run is, written over itself. Standard library only."""

import sys
import time
from typing import TextIO

_PAUSE = 0.2  # seconds between two states, which a person can read
_CLEAR = "\r\x1b[K"


class StatusLine:
    """Says how far a run is, where somebody looks: on a terminal, and nowhere else.

    Args:
        file: Where; by default standard error.

    Example:
        >>> with StatusLine() as status:
        ...     status.show("1 of 2 photos")
    """

    def __init__(self, file: TextIO | None = None) -> None:
        self._file = sys.stderr if file is None else file
        self._shown = self._file.isatty()
        self._next = 0.0

    def __enter__(self) -> "StatusLine":
        return self

    def __exit__(self, *_: object) -> None:
        self.clear()

    def show(self, text: str) -> None:
        """Write a state over the last, unless that came just now.

        Args:
            text: One line.
        """
        if self._shown and time.monotonic() >= self._next:
            self._next = time.monotonic() + _PAUSE
            print(f"{_CLEAR}{text}", end="", file=self._file, flush=True)

    def clear(self) -> None:
        """Leave an empty line, for what is said besides."""
        if self._shown and self._next:
            self._next = 0.0
            print(_CLEAR, end="", file=self._file, flush=True)

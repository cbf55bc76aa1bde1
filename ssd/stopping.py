"""Ending between two steps when Ctrl-C or a service manager asks. Standard library only."""

import contextlib
import signal
import threading
from collections.abc import Iterator


class Stop:
    """Whether a run was asked to end.

    Attributes:
        asked: Whether it was.

    Example:
        >>> Stop().asked
        False
    """

    def __init__(self) -> None:
        self.asked = False


@contextlib.contextmanager
def stopping() -> Iterator[Stop]:
    """While the block runs, the first Ctrl-C or SIGTERM only asks it to end; a second ends it.

    So whoever looks between two steps can complete his files. In a thread that is not the main
    one nothing changes.

    Yields:
        A `Stop`.

    Raises:
        KeyboardInterrupt: At the second Ctrl-C.

    Example:
        >>> with stopping() as stop:
        ...     signal.raise_signal(signal.SIGINT)
        ...     stop.asked
        True
    """
    stop = Stop()

    def ask(number: int, frame: object) -> None:
        if stop.asked:
            raise KeyboardInterrupt
        stop.asked = True

    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

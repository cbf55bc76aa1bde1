"""Frames read by a thread of their own: ahead of who takes them, or only ever the latest."""

import collections
import threading
from collections.abc import Callable, Generator, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")

_AHEAD = 2  # items that wait to be taken: enough that neither side waits for the other's hiccups
_GLANCE = 0.2  # seconds after which who waits for an item looks whether it is to stop


class Ahead(Generic[T]):
    """Iterates over items that a thread reads meanwhile.

    Of a recording every item counts, so the thread waits while two are ready. A camera does not
    wait: then an item that nobody has taken makes room for the next, and whoever is slower than
    the camera gets the latest and never falls behind.

    What reading raises is raised where the items are taken.

    Args:
        items: What to read. Only the thread touches it, and closes it at the end.
        latest: Whether to keep nothing but the latest item.
        is_enough: Asked while nothing comes; true ends the waiting and the iteration.

    Attributes:
        dropped: How many items made room for later ones.

    Example:
        >>> with Ahead(number for number in range(5)) as numbers:
        ...     list(numbers), numbers.dropped
        ([0, 1, 2, 3, 4], 0)
    """

    def __init__(
        self,
        items: Generator[T, None, None],
        *,
        latest: bool = False,
        is_enough: Callable[[], bool] = lambda: False,
    ) -> None:
        self.dropped = 0
        self._items, self._latest, self._is_enough = items, latest, is_enough
        self._ready: collections.deque[T] = collections.deque()
        self._changed = threading.Condition()
        self._ended = self._closed = False
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def __enter__(self) -> "Ahead[T]":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[T]:
        """The items, until there are no more, or it is enough."""
        while not self._is_enough():
            with self._changed:
                if not (self._ready or self._ended):
                    self._changed.wait(_GLANCE)
                    continue
                if not self._ready:
                    break
                item = self._ready.popleft()
                self._changed.notify_all()
            yield item
        if self._error is not None and not self._ready:
            raise self._error

    def close(self) -> None:
        """Stop reading; waits a moment for the thread, which may hang in a camera that is gone."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._thread.join(timeout=2)

    def _read(self) -> None:
        try:
            for item in self._items:
                with self._changed:
                    while not (self._latest or self._closed) and len(self._ready) >= _AHEAD:
                        self._changed.wait()
                    if self._closed:
                        break
                    if self._latest:
                        self.dropped += len(self._ready)
                        self._ready.clear()
                    self._ready.append(item)
                    self._changed.notify_all()
        except BaseException as error:
            self._error = error
        finally:
            self._items.close()
            with self._changed:
                self._ended = True
                self._changed.notify_all()

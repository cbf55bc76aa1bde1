"""The same work on many things at once, its results in their order."""

import collections
from collections.abc import Callable, Iterable, Iterator
from concurrent import futures
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

_WAITING = 2  # things that each worker has before it, counting what is done and not yet taken


def side_by_side(work: Callable[[T], R], things: Iterable[T], workers: int) -> Iterator[R]:
    """`map`, in several threads; no more results are held than a few for each of them.

    Args:
        work: What to do with one of the things.
        things: Any number; taken as they are needed.
        workers: How many threads; 1 does without.

    Yields:
        The results, in the order of the things. What `work` raises comes in its place.

    Example:
        >>> list(side_by_side(lambda number: number**2, range(5), 2))
        [0, 1, 4, 9, 16]
    """
    if workers == 1:
        yield from map(work, things)
        return
    pool = futures.ThreadPoolExecutor(workers)
    waiting: collections.deque[futures.Future[R]] = collections.deque()
    try:
        for thing in things:
            waiting.append(pool.submit(work, thing))
            if len(waiting) >= _WAITING * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:  # who takes the results may stop early
        pool.shutdown(wait=True, cancel_futures=True)

"""The processor's cores: how many there are, keeping to a few of them, and who uses them."""

import contextlib
import os
import pathlib
import time
from collections.abc import Iterator, Sequence


def available() -> list[int]:
    """Cores that this process may use.

    Returns:
        Their numbers, sorted.

    Example:
        >>> len(available()) >= 1
        True
    """
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


@contextlib.contextmanager
def confined(count: int) -> Iterator[None]:
    """Keep this process to so many of its cores while the block runs, whatever threads it has.

    A pool of so many threads is not the same: reading, shuffling, batching and the loop itself
    have threads of their own, which take time from another core, and are missed when the pool
    grows to that core. Where a system cannot confine a process (macOS), nothing happens.

    Args:
        count: Cores, at least 1.

    Yields:
        Nothing.

    Example:
        >>> before = available()
        >>> with confined(1):
        ...     inside = available()
        >>> available() == before
        True
    """
    everything = available()
    _move(everything[:count])
    try:
        yield
    finally:
        _move(everything)


def _move(cores: Sequence[int]) -> None:
    if not hasattr(os, "sched_setaffinity"):
        return
    # A thread starts where the one that started it may run; those there already are moved.
    for thread in os.listdir("/proc/self/task"):
        with contextlib.suppress(ProcessLookupError):
            os.sched_setaffinity(int(thread), cores)


def busy() -> tuple[float, float, float] | None:
    """How long the machine's cores have worked so far.

    Returns:
        (clock, seconds of all cores that were busy, of which ours), or None where it is unknown.

    Example:
        >>> before = busy()
        >>> before is None or len(before) == 3
        True
    """
    try:
        ticks = pathlib.Path("/proc/stat").read_text().split("\n")[0].split()[1:]
    except OSError:
        return None  # not Linux
    seconds = sum(int(ticks[field]) for field in (0, 1, 2, 5, 6, 7)) / os.sysconf("SC_CLK_TCK")
    times = os.times()
    return time.perf_counter(), seconds, sum(times[:4])


def other_work(
    before: tuple[float, float, float] | None, after: tuple[float, float, float] | None
) -> float | None:
    """How many cores were busy with something else in the meantime.

    Args:
        before: What `busy` returned then.
        after: What it returns now.

    Returns:
        A number of cores, or None where it is unknown.

    Example:
        >>> other_work((0.0, 100.0, 10.0), (10.0, 118.0, 22.0))
        0.6
    """
    if before is None or after is None:
        return None
    seconds, everyone, ours = (late - early for early, late in zip(before, after, strict=True))
    return max(0.0, everyone - ours) / seconds

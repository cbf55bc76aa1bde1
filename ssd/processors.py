"""How many processors there are for this process."""

import os


def processors() -> int:
    """How many processors this process may use: less than there are where a system limits it.

    Returns:
        1 or more.

    Example:
        >>> processors() >= 1
        True
    """
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on every system
        return os.cpu_count() or 1

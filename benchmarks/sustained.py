"""A detector that is kept working for minutes: does the machine slow down as it gets warm?"""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks import board

_SLICES = 20  # the whole time is told in so many rows
_SLOWER = 1.05  # the last quarter against the first: less is the noise of any machine


def sustain(
    detector: Callable[[np.ndarray], Any],
    frames: Sequence[np.ndarray],
    seconds: float,
    *,
    say: Callable[[str], None] = lambda what: None,
) -> list[dict[str, Any]]:
    """Give a detector one frame after the other, and see how long each takes as time goes by.

    Ctrl-C ends it early; what has been measured stays.

    Args:
        detector: A function of a frame.
        frames: uint8 [height, width, 3] each, taken in turn.
        seconds: How long.
        say: Told what was measured, a line a slice.

    Returns:
        Up to 20 slices of equal length: "seconds" since the start, "frames", "median" and "p90"
        milliseconds, and of the machine "mhz", "celsius" and "throttled", None where it does not
        say.

    Example:
        >>> slices = sustain(lambda frame: None, [np.zeros((4, 4, 3), np.uint8)], 0.02)
        >>> len(slices) <= 20, slices[0]["frames"] > 0
        (True, True)
    """
    begun, slices, count = time.perf_counter(), [], 0
    try:
        while (passed := time.perf_counter() - begun) < seconds:
            until = passed - passed % (seconds / _SLICES) + seconds / _SLICES
            taken: list[float] = []
            while not taken or time.perf_counter() - begun < until:
                started = time.perf_counter()
                detector(frames[count % len(frames)])
                taken.append(time.perf_counter() - started)
                count += 1
            slices.append(_summarize(time.perf_counter() - begun, taken))
            say(format_slice(slices[-1]))
    except KeyboardInterrupt:
        say("stopped")
    return slices


def _summarize(passed: float, taken: Sequence[float]) -> dict[str, Any]:
    state = board.state()
    median, most = np.percentile(taken, [50, 90]) * 1e3
    return {
        "seconds": round(passed, 1),
        "frames": len(taken),
        "median": round(float(median), 4),
        "p90": round(float(most), 4),
        **{name: state[name] for name in ("mhz", "celsius", "throttled")},
    }


def format_slice(each: Mapping[str, Any]) -> str:
    """One slice in a line.

    Args:
        each: As `sustain` gives it.

    Returns:
        A line.

    Example:
        >>> each = {"seconds": 30.0, "frames": 9, "median": 2.5, "p90": 3.0}
        >>> format_slice({**each, "mhz": 1800.0, "celsius": None, "throttled": 0})
        '   30 s     2.500 ms  p90     3.000  1800 MHz  throttled 0x0'
    """
    said = f"{each['seconds']:5.0f} s{each['median']:10.3f} ms  p90{each['p90']:10.3f}"
    for name, form in (("mhz", "{:.0f} MHz"), ("celsius", "{:.1f} °C"), ("throttled", None)):
        if each[name] is not None:
            said += "  " + (form.format(each[name]) if form else f"throttled {each[name]:#x}")
    return said


def verdict(slices: Sequence[Mapping[str, Any]]) -> str:
    """Whether it became slower, in a line: the last quarter's median against the first's.

    Args:
        slices: What `sustain` gave.

    Returns:
        A sentence.

    Example:
        >>> def slices(*medians):
        ...     return [{"seconds": 60.0 * n, "median": ms} for n, ms in enumerate(medians, 1)]
        >>> verdict(slices(2.0, 2.0, 2.01, 1.99))
        'No throttling in 4.0 minutes: 2.00 ms at first, 1.99 ms at the end (-0.5%).'
        >>> verdict(slices(2.0, 2.0, 3.0, 3.0))
        'Slows down within 4.0 minutes: 2.00 ms at first, 3.00 ms at the end (+50.0%).'
    """
    if not slices:
        return "Stopped before anything was measured."
    quarter = max(1, len(slices) // 4)
    first, last = (
        float(np.median([each["median"] for each in some]))
        for some in (slices[:quarter], slices[-quarter:])
    )
    minutes = slices[-1]["seconds"] / 60
    told = "Slows down within" if last > _SLOWER * first else "No throttling in"
    return (
        f"{told} {minutes:.1f} minutes: {first:.2f} ms at first, {last:.2f} ms at the end "
        f"({last / first - 1:+.1%})."
    )

"""Files that a benchmark writes: checked before it measures, and none takes the place of another.

Figures and drawings are made anew every day, so each replaces an older one of its kind.
"""

import os
import pathlib

import ssd
from benchmarks import envelope

Path = str | os.PathLike


def check_outputs(kind: str, *, json: Path | None = None, plot: Path | None = None) -> None:
    """See that the files of a benchmark can be written, and nobody's photo or labels are lost.

    Args:
        kind: What is measured, as `envelope.write` says it.
        json: File for the figures; None for none.
        plot: PNG file for a drawing of them; None for none.

    Raises:
        OSError: If there is no such folder, or there is a file of another kind.
        ValueError: If a drawing is to end otherwise.

    Example:
        >>> check_outputs("speed", plot="speed.jpg")
        Traceback (most recent call last):
        ValueError: wanted a .png file to write, got 'speed.jpg'
    """
    if json:
        ssd.check_output(json, replaces=lambda path: _holds(path, kind))
    if plot:
        ssd.check_output(plot, suffixes=(".png",))


def _holds(path: pathlib.Path, kind: str) -> bool:
    try:
        return bool(envelope.read(path, kind))
    except (ValueError, OSError):
        return False

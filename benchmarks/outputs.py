"""Files that a benchmark writes: checked before it measures, and none takes the place of another.

Figures and drawings are made anew every day, so each replaces an older one of its kind.
"""

import os
import pathlib
from collections.abc import Callable

from benchmarks import envelope

Path = str | os.PathLike


def check_outputs(kind: str, *, json: Path | None = None, plot: Path | None = None) -> None:
    """See that the files of a benchmark can be written, and nobody's photo or labels are lost.

    Args:
        kind: What is measured, as `envelope.write` says it.
        json: File for the figures; None for none.
        plot: PNG file for a drawing of them; None for none.

    Raises:
        ValueError: If there is no such folder, a drawing is to end otherwise, or there is a file
            of another kind.

    Example:
        >>> check_outputs("speed", plot="speed.jpg")
        Traceback (most recent call last):
        ValueError: speed.jpg: wanted a .png file to write
    """
    if json:
        check_output(json, lambda path: _holds(path, kind))
    if plot:
        if pathlib.Path(plot).suffix.lower() != ".png":
            raise ValueError(f"{plot}: wanted a .png file to write")
        check_output(plot, _is_drawing)


def check_output(path: Path, replaces: Callable[[pathlib.Path], bool]) -> None:
    """See that a file can be written.

    Args:
        path: The file.
        replaces: Says of a file that is there whether this one may take its place.

    Raises:
        ValueError: If there is no such folder, or a file whose place it may not take.

    Example:
        >>> check_output("no/such/folder/a.md", lambda path: True)
        Traceback (most recent call last):
        ValueError: no/such/folder/a.md: wanted a file in a folder that exists
    """
    path = pathlib.Path(path)
    if not path.parent.is_dir():
        raise ValueError(f"{path}: wanted a file in a folder that exists")
    if path.exists() and not (path.is_file() and (not path.stat().st_size or replaces(path))):
        raise ValueError(f"{path}: wanted a new file to write, there is another; name another")


def _holds(path: pathlib.Path, kind: str) -> bool:
    try:
        return bool(envelope.read(path, kind))
    except (ValueError, OSError):
        return False


def _is_drawing(path: pathlib.Path) -> bool:
    """Whether matplotlib drew it: what it writes says so, a photo does not."""
    with open(path, "rb") as file:
        content = file.read(4096)
    return content.startswith(b"\x89PNG") and b"Software\x00Matplotlib" in content

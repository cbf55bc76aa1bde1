"""Files that a command writes, and what each may take the place of. Standard library only.

A result that people make anew every day takes the place of an older one of its kind. Everything
else stays: what is there may be a photo, labels by people, or a model that took days.
"""

import argparse
import contextlib
import dataclasses
import os
import pathlib
import re
from collections.abc import Callable, Iterable, Mapping

_BEGINNING = 4096  # bytes of a file that say of what kind it is


def check_output(
    path: str | os.PathLike,
    *,
    suffixes: tuple[str, ...] = (),
    replaces: Callable[[pathlib.Path], bool] | None = None,
) -> pathlib.Path:
    """See that a file can be written and takes the place of nothing that somebody would miss.

    For the beginning of long work, so that it is not lost at its end for want of a folder. A file
    that is empty holds nothing that could be lost, and may be replaced.

    Args:
        path: The file.
        suffixes: How its name may end, in small letters; none of them: as it likes.
        replaces: Says of a file that is there whether this one may take its place; None: where it
            is to be a `.png` file, of a picture that matplotlib drew, which is no photo; else of
            none.

    Returns:
        The path.

    Raises:
        FileNotFoundError: If there is no folder to write it into.
        IsADirectoryError: If it is a folder itself.
        FileExistsError: If there is a file whose place it may not take.
        ValueError: If its name has another suffix.

    Example:
        >>> check_output("/report.png", suffixes=(".png",)).name
        'report.png'
        >>> check_output("no/such/folder/a.md")
        Traceback (most recent call last):
        FileNotFoundError: no/such/folder/a.md: wanted a file in a folder that exists
    """
    text, path = os.fspath(path), pathlib.Path(path)
    if replaces is None and ".png" in suffixes:
        replaces = _is_drawing
    if path.is_dir():
        raise IsADirectoryError(f"{text}: wanted a file to write, this is a folder")
    if suffixes and path.suffix.lower() not in suffixes:
        raise ValueError(f"wanted a {' or '.join(suffixes)} file to write, got {text!r}")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"{text}: wanted a file in a folder that exists")
    if path.exists() and not _may_be_replaced(path, replaces):
        what = "there is another" if replaces else "there is one"
        raise FileExistsError(f"{text}: wanted a new file to write, {what}; name another")
    return path


def _may_be_replaced(path: pathlib.Path, replaces: Callable[[pathlib.Path], bool] | None) -> bool:
    if not path.is_file():
        return False
    return not path.stat().st_size or (replaces is not None and replaces(path))


def _is_drawing(path: pathlib.Path) -> bool:
    """Whether matplotlib drew it: what it writes says so, a photo does not."""
    content = _beginning(path)
    return content.startswith(b"\x89PNG") and b"Software\x00Matplotlib" in content


@dataclasses.dataclass(frozen=True)
class OutputFile:
    """A type of argument: a file to write, as `check_output` has it.

    Args:
        suffixes: As there.
        replaces: As there.

    Example:
        >>> OutputFile((".png",))("/report.png").name
        'report.png'
    """

    suffixes: tuple[str, ...] = ()
    replaces: Callable[[pathlib.Path], bool] | None = None

    def __call__(self, text: str) -> pathlib.Path:
        """The path that an argument names.

        Args:
            text: The argument.

        Returns:
            The path.

        Raises:
            OSError: As of `check_output`.
            argparse.ArgumentTypeError: If its name has another suffix.
        """
        try:
            return check_output(text, suffixes=self.suffixes, replaces=self.replaces)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None


def is_json_of(kind: str) -> Callable[[pathlib.Path], bool]:
    """Whether a file is JSON that begins with its kind, as files of measurements do.

    Args:
        kind: Which.

    Returns:
        A function of a path.

    Example:
        >>> is_json_of("evaluation")(pathlib.Path(__file__))
        False
    """
    wanted = re.compile(rb'\s*{\s*"kind"\s*:\s*"' + re.escape(kind.encode()) + rb'"')
    return lambda path: wanted.match(_beginning(path)) is not None


def has_suffix(*suffixes: str) -> Callable[[pathlib.Path], bool]:
    """Whether the name of a file says that it is of a kind.

    Args:
        suffixes: Of that kind, in small letters.

    Returns:
        A function of a path.

    Example:
        >>> has_suffix(".onnx")(pathlib.Path("face.ONNX"))
        True
    """
    return lambda path: path.suffix.lower() in suffixes


def find_clash(
    outputs: Mapping[str, os.PathLike], inputs: Mapping[str, Iterable[str | os.PathLike]]
) -> str | None:
    """What a command would lose if it did what it was asked for.

    Args:
        outputs: Files that it is to write, by their options.
        inputs: Words that may be files that it is to read, by theirs.

    Returns:
        A message about an output that is an input too, or that is two outputs; None without one.

    Example:
        >>> find_clash({"--json": pathlib.Path("a"), "--csv": pathlib.Path("a")}, {})
        '--json, --csv: wanted a file for each, got a for both'
        >>> find_clash({"--json": pathlib.Path(__file__)}, {"FILES": [__file__]}).split(":")[0]
        '--json'
    """
    seen: dict[str, str] = {}
    for name, path in outputs.items():
        other = seen.setdefault(os.path.realpath(path), name)
        if other != name:
            return f"{other}, {name}: wanted a file for each, got {os.fspath(path)} for both"
        for option, words in inputs.items():
            if any(_is_same(path, word) for word in words):
                return (
                    f"{name}: wanted another file than those to read, "
                    f"got {os.fspath(path)}, which is {option}"
                )
    return None


def _is_same(path: os.PathLike, word: str | os.PathLike) -> bool:
    with contextlib.suppress(OSError, ValueError):  # one of them is no file
        return os.path.samefile(path, word)
    return False


def _beginning(path: pathlib.Path) -> bytes:
    with open(path, "rb") as file:
        return file.read(_BEGINNING)


NEW_FILE = OutputFile()
DRAWING = OutputFile((".png",))

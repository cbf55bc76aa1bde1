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


@dataclasses.dataclass(frozen=True)
class OutputFile:
    """A type of argument: a file to write, in a folder that is there.

    Args:
        suffixes: How its name may end, in small letters; none of them: as it likes.
        replaces: Says of a file that is there whether this one may take its place; None: of none.
            Of an empty one it may, which holds nothing that could be lost.

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
            FileNotFoundError: If there is no folder to write it into.
            IsADirectoryError: If it is a folder itself.
            FileExistsError: If there is a file whose place it may not take.
            argparse.ArgumentTypeError: If its name has another suffix.
        """
        path = pathlib.Path(text)
        if path.is_dir():
            raise IsADirectoryError(f"{text}: wanted a file to write, this is a folder")
        if self.suffixes and path.suffix.lower() not in self.suffixes:
            wanted = " or ".join(self.suffixes)
            raise argparse.ArgumentTypeError(f"wanted a {wanted} file to write, got {text!r}")
        if not path.parent.is_dir():
            raise FileNotFoundError(f"{text}: wanted a file in a folder that exists")
        if path.exists() and not self._may_replace(path):
            what = "there is another" if self.replaces else "there is one"
            raise FileExistsError(f"{text}: wanted a new file to write, {what}; name another")
        return path

    def _may_replace(self, path: pathlib.Path) -> bool:
        if not path.is_file():
            return False
        return not path.stat().st_size or (self.replaces is not None and self.replaces(path))


def is_drawing(path: pathlib.Path) -> bool:
    """Whether a file is a picture that matplotlib drew, and no photo.

    Args:
        path: The file.

    Returns:
        Whether it is a PNG file that says so.

    Example:
        >>> is_drawing(pathlib.Path(__file__))
        False
    """
    content = _beginning(path)
    return content.startswith(b"\x89PNG") and b"Software\x00Matplotlib" in content


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
DRAWING = OutputFile((".png",), is_drawing)

"""JSON Lines that grow while a run lasts, and the JSON file that they become at its end."""

import json
import os
import pathlib
from typing import Any

from ssd import atomic

_FORM: dict[str, Any] = {"ensure_ascii": False, "allow_nan": False, "separators": (",", ":")}


class Journal:
    """A file of one JSON value a line. However the process ends, it is whole up to the last line.

    Args:
        path: The JSON file that is to be; the lines grow beside it, under its name with an `l`.

    Attributes:
        lines: The path of the lines.

    Raises:
        FileExistsError: If one of the two files is there.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     journal = Journal(f"{folder}/a.json")
        ...     journal.add({"frame": 1})
        ...     journal.finish('{"frames":[', "]}")
        ...     print(pathlib.Path(folder, "a.json").read_text(), os.listdir(folder))
        {"frames":[
        {"frame":1}
        ]}
         ['a.json']
    """

    def __init__(self, path: str | os.PathLike) -> None:
        self.path = pathlib.Path(path)
        self.lines = lines_path(self.path)
        check_new(self.path)
        check_lines(self.path)
        self._file = open(self.lines, "xb", buffering=0)  # noqa: SIM115  a run long

    def add(self, value: object) -> None:
        """Append a value.

        Args:
            value: What JSON can hold.
        """
        # In one call of the system: a process that is killed leaves all of a line or nothing.
        self._file.write(_encode(json.dumps(value, **_FORM)) + b"\n")

    def finish(self, before: str, behind: str) -> None:
        """Make the JSON file, which appears whole or not at all, and remove the lines.

        Args:
            before: What it begins with; the lines follow, with commas between them.
            behind: What it ends with.
        """
        self._file.close()
        with (
            atomic.whole(self.path) as temporary,
            open(self.lines, "rb") as lines,
            open(temporary, "wb") as file,
        ):
            file.write(_encode(before))
            for index, line in enumerate(lines):
                file.write((b",\n" if index else b"\n") + line.removesuffix(b"\n"))
            file.write(b"\n" + _encode(behind) + b"\n")
        self.lines.unlink()


def _encode(text: str) -> bytes:
    """JSON as bytes. Of a name that is not UTF-8 what is not is escaped, as JSON escapes it too."""
    return text.encode("utf-8", "backslashreplace")


def lines_path(path: pathlib.Path) -> pathlib.Path:
    """Where the lines of a JSON file grow.

    Args:
        path: The JSON file.

    Returns:
        A path beside it.

    Example:
        >>> lines_path(pathlib.Path("a.json")).name, lines_path(pathlib.Path("a")).name
        ('a.jsonl', 'a.jsonl')
    """
    return path.with_name(f"{path.name}l" if path.suffix == ".json" else f"{path.name}.jsonl")


def check_lines(path: pathlib.Path) -> None:
    """Refuse to write over what a run that was killed left of a JSON file.

    Args:
        path: The JSON file that is to be.

    Raises:
        FileExistsError: If its lines are there.

    Example:
        >>> check_lines(pathlib.Path("nowhere.json"))
    """
    lines = lines_path(path)
    if lines.exists():
        raise FileExistsError(
            f"{lines}: wanted a new file, there are the results of a run that was killed; "
            "move them away or name another file"
        )


def check_new(path: pathlib.Path) -> None:
    """Refuse to write over a file.

    Args:
        path: What is to be written.

    Raises:
        FileExistsError: If there is something of that name.

    Example:
        >>> check_new(pathlib.Path("nowhere.json"))
    """
    if path.exists():
        raise FileExistsError(f"{path}: wanted a new file, there is one; name another")

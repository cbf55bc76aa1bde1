"""`dataset.json`: what a folder of labels is and where it comes from."""

import contextlib
import json
import os
import pathlib
from collections.abc import Iterator
from typing import Any

from ssd import atomic
from ssd.data.plain import plain
from ssd.lock import lock
from ssd.old_names import renamed

SCHEMA = 1


def write(folder: str | os.PathLike, about: dict[str, Any]) -> None:
    """Writes `dataset.json`: what the labels of a folder are and where they come from.

    Args:
        folder: A folder of labels.
        about: A dictionary that JSON can hold, such as `classes`, `teacher`, `thresholds`,
            `source` and `counts`. The schema version is added.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write(folder, {"classes": ["face"]})
        ...     read(folder)
        {'classes': ['face']}
    """
    text = json.dumps({"schema": SCHEMA, **plain(about)}, indent=2) + "\n"
    atomic.write_text(pathlib.Path(folder) / "dataset.json", text)


def read(folder: str | os.PathLike) -> dict[str, Any]:
    """What `write` wrote, without the schema version.

    Args:
        folder: A folder of labels.

    Returns:
        A dictionary.

    Raises:
        FileNotFoundError: If the folder holds no `dataset.json`.
        ValueError: If this version cannot read it.

    Example:
        >>> read("nowhere")
        Traceback (most recent call last):
        FileNotFoundError: nowhere: wanted a folder of labels, found no dataset.json
    """
    path = pathlib.Path(folder) / "dataset.json"
    try:
        about = json.loads(path.read_text())
    except FileNotFoundError:
        raise FileNotFoundError(
            f"{folder}: wanted a folder of labels, found no dataset.json"
        ) from None
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"{path}: wanted JSON, got something else ({error})") from None
    if not isinstance(about, dict):
        raise ValueError(f"{path}: wanted a JSON object, got {type(about).__name__}")
    schema = about.pop("schema", None)
    if schema != SCHEMA:
        raise ValueError(f"{path}: wanted schema {SCHEMA}, got {schema!r}")
    about = renamed(about)
    for field, is_right, wanted in _FIELDS:
        if field in about and not is_right(about[field]):
            raise ValueError(f"{path}: wanted {wanted} as its {field}, got {about[field]!r}")
    return about


def _are_names(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(name, str) for name in value)


def _are_counts(value: Any) -> bool:
    numbers = [value.get(name, 0) for name in _PHOTOS] if isinstance(value, dict) else [""]
    return all(isinstance(number, int) for number in numbers)


_PHOTOS = ("labeled", "photos")
_FIELDS = (
    ("classes", _are_names, "names"),
    ("counts", _are_counts, "numbers of photos"),
)


def claim(folder: str | os.PathLike, about: dict[str, Any]) -> dict[str, Any] | None:
    """Makes sure that a folder is free for a dataset, or holds an earlier run of the same one.

    Args:
        folder: Where labels are to be written; need not exist.
        about: What decides the labels, as `write` takes it.

    Returns:
        What the earlier run wrote to `dataset.json`, or None if the folder is free.

    Raises:
        ValueError: If the folder holds other labels, or is a file; the message names the first
            difference.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     claim(folder, {"source": "photos"}) is None
        True
    """
    folder = pathlib.Path(folder)
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"{folder}: wanted a folder for the labels, it is a file")
    if not (folder / "dataset.json").exists():
        if any(folder.glob("shard-*.tfrecord")):
            raise ValueError(
                f"{folder}: wanted a new folder, it holds shards without a dataset.json"
            )
        return None
    earlier = read(folder)
    for field, value in plain(about).items():
        if earlier.get(field) != value:
            raise ValueError(
                f"{folder} holds another dataset: its {field} is {earlier.get(field)!r}, "
                f"wanted {value!r}; name another folder"
            )
    return earlier


@contextlib.contextmanager
def writing(folder: str | os.PathLike, about: dict[str, Any]) -> Iterator[None]:
    """Holds a folder while its labels are written from the start; until then they are unfinished.

    Args:
        folder: A folder that `claim` found free for these labels; made if missing.
        about: What decides the labels, as for `claim`.

    Yields:
        Nothing; nobody else writes there while the block runs.

    Raises:
        ValueError: If another run is writing to it, or has written other labels meanwhile.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder, writing(folder, {"classes": ["face"]}):
        ...     read(folder)
        {'classes': ['face'], 'complete': False}
    """
    folder = pathlib.Path(folder)
    with lock(folder / "progress"):
        claim(folder, about)
        for path in atomic.stale(folder):
            path.unlink()  # of a run that was killed; the lock says that none is writing
        write(folder, {**about, "complete": False})
        yield

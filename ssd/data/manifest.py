"""`dataset.json`: what a folder of labels is and where it comes from."""

import json
import os
import pathlib
from typing import Any

from ssd import atomic
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
    text = json.dumps({"schema": SCHEMA, **about}, indent=2) + "\n"
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
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: wanted JSON, got something else ({error})") from None
    if not isinstance(about, dict):
        raise ValueError(f"{path}: wanted a JSON object, got {type(about).__name__}")
    schema = about.pop("schema", None)
    if schema != SCHEMA:
        raise ValueError(f"{path}: wanted schema {SCHEMA}, got {schema}")
    return renamed(about)


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
    for field, value in about.items():
        if earlier.get(field) != value:
            raise ValueError(
                f"{folder} holds another dataset: its {field} is {earlier.get(field)!r}, "
                f"wanted {value!r}; name another folder"
            )
    return earlier

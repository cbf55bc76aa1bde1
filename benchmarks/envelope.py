"""The JSON file of a benchmark: what was measured, of what, with what, around the figures.

The files of `ssd evaluate --json` are of the same kind, and `ssd compare` joins those of a model's
accuracy and of its latency by the model's digest.
"""

import json
import os
import pathlib
import platform
from collections.abc import Mapping
from importlib import metadata
from typing import Any

_PACKAGES = ("ssd-faces", "numpy", "ai-edge-litert", "tflite-runtime", "tensorflow", "keras", "jax")


def write(
    path: str | os.PathLike,
    kind: str,
    figures: Mapping[str, Any],
    *,
    model: Mapping[str, Any] | None = None,
) -> None:
    """Write the figures of a benchmark.

    Args:
        path: The file. One of that name is replaced.
        kind: What was measured, in a word.
        figures: Plain values by name.
        model: "file" and "sha256" of the model that was measured, and what else is known of it;
            None where no model file was.

    Raises:
        OSError: If it cannot be written.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write(f"{folder}/a.json", "speed", {"per_second": 3.0})
        ...     list(json.loads(pathlib.Path(folder, "a.json").read_text()))
        ['kind', 'versions', 'model', 'per_second']
    """
    content = {"kind": kind, "versions": versions(), "model": dict(model or {}), **figures}
    pathlib.Path(path).write_text(json.dumps(content, indent=2) + "\n")


def read(path: str | os.PathLike, kind: str) -> dict[str, Any]:
    """The figures of a benchmark, as `write` wrote them.

    Args:
        path: The file.
        kind: What must have been measured.

    Returns:
        "kind", "versions", "model" and the figures.

    Raises:
        FileNotFoundError: If there is none.
        ValueError: If it is something else.

    Example:
        >>> read("nowhere.json", "speed")
        Traceback (most recent call last):
        FileNotFoundError: nowhere.json: wanted the JSON file of a benchmark (speed), there is none
    """
    path = pathlib.Path(path)
    wanted = f"{path}: wanted the JSON file of a benchmark ({kind})"
    if not path.is_file():
        raise FileNotFoundError(f"{wanted}, there is none")
    try:
        content = json.loads(path.read_text())
    except ValueError as error:
        raise ValueError(f"{wanted}, this is no JSON ({error})") from None
    came = content.get("kind") if isinstance(content, dict) else type(content).__name__
    if came != kind:
        raise ValueError(f"{wanted}, got one of kind {came}")
    for name in ("versions", "model"):
        if not isinstance(content.get(name), dict):
            raise ValueError(f"{wanted}, got one without {name}")
    return content


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that a benchmark depends on, as installed.

    Returns:
        Versions by name.

    Example:
        >>> versions()["python"] == platform.python_version()
        True
    """
    found = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found

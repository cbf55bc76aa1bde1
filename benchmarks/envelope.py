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

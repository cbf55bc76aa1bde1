"""Results as JSON: a row for each photo or frame."""

import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ssd.sinks.journal import Journal
from ssd.sinks.sink import FrameResult, Sink


class JsonFile(Sink):
    """Everything that was found, as one JSON file (docs/detect.md says how it looks).

    Args:
        path: The file.
        class_names: Names of the classes; the first is class 1.
        about: What stands at the beginning besides.

    Raises:
        FileExistsError: If there is a file of that name.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     JsonFile(f"{folder}/a.json", ("face",)).close()
        ...     print(json.load(open(f"{folder}/a.json")))
        {'kind': 'detections', 'classes': ['face'], 'frames': []}
    """

    def __init__(
        self,
        path: str | os.PathLike,
        class_names: Sequence[str],
        about: Mapping[str, Any] | None = None,
    ) -> None:
        self._names = class_names
        self._about = {"kind": "detections", **(about or {}), "classes": list(class_names)}
        self._journal = Journal(path)

    def add(self, result: FrameResult) -> None:
        """Write a row.

        Args:
            result: The `FrameResult`.
        """
        frame, found, _ = result
        row: dict[str, Any] = {"source": frame.source}
        if frame.index is not None:
            row |= {"frame": frame.index, "seconds": round(frame.seconds or 0.0, 6)}
        row["size"] = list(frame.size)
        row["found"] = [
            {
                "class": self._names[class_id - 1],
                "score": shortest(score),
                "box": [shortest(edge) for edge in box],
            }
            for box, score, class_id in zip(*found, strict=True)
        ]
        if found.class_scores is not None:
            for each, scores in zip(row["found"], found.class_scores, strict=True):
                each["class_scores"] = dict(zip(self._names, map(shortest, scores), strict=True))
        if found.ids is not None:
            for each, which in zip(row["found"], found.ids.tolist(), strict=True):
                each["id"] = which
        self._journal.add(row)

    def close(self) -> None:
        """Make the JSON file of the rows."""
        begin = json.dumps({**self._about, "frames": []}, ensure_ascii=False)
        self._journal.finish(begin.removesuffix("]}"), "]}")


def shortest(value: Any) -> float:
    """A float32 as the shortest number that is the same float32.

    Args:
        value: The number.

    Returns:
        float.

    Example:
        >>> shortest(np.float32(0.1))
        0.1
    """
    return float(str(np.float32(value)))

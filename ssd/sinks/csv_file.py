"""Results as a table: CSV, a row for each box."""

import csv
import io
import os
import pathlib
from collections.abc import Sequence

from ssd.sinks.journal import check_new
from ssd.sinks.json_file import shortest
from ssd.sinks.sink import FrameResult, Sink

COLUMNS = ("source", "frame", "seconds", "class", "score", "ymin", "xmin", "ymax", "xmax", "id")


class CsvFile(Sink):
    """What was found as CSV. It grows while the run lasts and is whole at every moment.

    `frame` and `seconds` are empty for photos, `id` where faces are not followed. The score is that
    of the class (`ssd.Detections.own_scores`).

    Args:
        path: The file.
        class_names: Names of the classes; the first is class 1.

    Raises:
        FileExistsError: If there is a file of that name.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     CsvFile(f"{folder}/a.csv", ("face",)).close()
        ...     print(pathlib.Path(folder, "a.csv").read_text().strip())
        source,frame,seconds,class,score,ymin,xmin,ymax,xmax,id
    """

    def __init__(self, path: str | os.PathLike, class_names: Sequence[str]) -> None:
        self._names = class_names
        check_new(pathlib.Path(path))
        self._file = open(path, "xb", buffering=0)  # noqa: SIM115  a run long
        self._write([COLUMNS])

    def add(self, result: FrameResult) -> None:
        """Write the rows of a frame.

        Args:
            result: The `FrameResult`.
        """
        frame, found, _ = result
        ids = [""] * len(found) if found.ids is None else found.ids.tolist()
        seconds = "" if frame.seconds is None else round(frame.seconds, 6)
        where = (frame.source, "" if frame.index is None else frame.index, seconds)
        rows = [
            (*where, self._names[class_id - 1], shortest(score), *map(shortest, box), which)
            for box, score, class_id, which in zip(
                found.boxes, found.own_scores, found.class_ids, ids, strict=True
            )
        ]
        self._write(rows)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _write(self, rows: Sequence[Sequence[object]]) -> None:
        text = io.StringIO(newline="")
        csv.writer(text).writerows(rows)
        if text.tell():
            self._file.write(text.getvalue().encode("utf-8", "surrogateescape"))

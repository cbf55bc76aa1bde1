"""`history.csv` of a run: the terms of the loss, one row for each epoch."""

import csv
import io
import math
import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from ssd import atomic


def read(path: str | os.PathLike) -> list[dict[str, str]]:
    """The rows of a history, as text.

    Args:
        path: The file; if there is none, there is no row.

    Returns:
        A dictionary for each epoch: `epoch`, counted from 0, and the terms.

    Raises:
        ValueError: If it is no such table.

    Example:
        >>> read("nowhere/history.csv")
        []
    """
    path = pathlib.Path(path)
    if not path.exists():
        return []
    try:
        with open(path, newline="", encoding="utf-8") as file:
            rows = [*csv.DictReader(file, strict=True)]
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path}: wanted the table of a run's epochs ({error})") from None
    if any("epoch" not in row or None in (*row, *row.values()) for row in rows):
        raise ValueError(f"{path}: wanted the table of a run's epochs, it is damaged")
    return rows


def write(path: str | os.PathLike, rows: Sequence[Mapping[str, Any]]) -> None:
    """Writes a history that appears whole or not at all.

    Args:
        path: The file. One of that name is replaced.
        rows: A dictionary for each epoch; what one of them lacks is left empty.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write(f"{folder}/history.csv", [{"epoch": 0, "loss": 2.5}])
        ...     read(f"{folder}/history.csv")
        [{'epoch': '0', 'loss': '2.5'}]
    """
    text = io.StringIO(newline="")
    if rows:
        fields = dict.fromkeys(field for row in rows for field in row)
        writer = csv.DictWriter(text, [*fields])
        writer.writeheader()
        writer.writerows(rows)
    atomic.write_text(path, text.getvalue())


def best(rows: Sequence[Mapping[str, Any]]) -> int | None:
    """Which epoch did best on the validation labels, the first of equals.

    The highest AP50 decides, and of equals, or where none was measured, the least loss.

    Args:
        rows: As `read` gives them.

    Returns:
        Its index in `rows`; None if no epoch had a finite loss.

    Example:
        >>> best([{"val_loss": "nan"}, {"val_loss": "2.0"}, {"val_loss": "3.0"}])
        1
        >>> best([{"val_loss": "2.0", "val_ap50": "0.5"}, {"val_loss": "3.0", "val_ap50": "0.6"}])
        1
    """
    losses = [float(row["val_loss"]) for row in rows]
    finite = [index for index, loss in enumerate(losses) if math.isfinite(loss)]

    def worth(index: int) -> tuple[float, float]:
        ap = float(rows[index].get("val_ap50") or "nan")
        return -1.0 if math.isnan(ap) else ap, -losses[index]

    return max(finite, key=worth, default=None)

"""The folder of a run: what is in it, whose it is, and that one process at a time writes to it."""

import contextlib
import json
import os
import pathlib
import shutil
from collections.abc import Iterator
from typing import Any

from ssd import atomic, lock
from ssd.training import history

# What a run is made of may lie elsewhere when it goes on: its digest says that it is the same.
_PLACES = {
    "labels": "content",
    "validation": "validation_content",
    "crops": "crops_content",
    "start": "start_content",
}
# Digests in `run.json`, and of what.
_CONTENTS = {
    "content": "labels have",
    "validation_content": "validation labels have",
    "crops_content": "crops have",
    "start_content": "start has",
    "old_content": "loss's old model has",
}
# Not yet, when some runs began.
_NOTED_LATER = ("validation_content", "start_content", "old_content")


class RunFolder:
    """The files of a run.

    Args:
        path: Its folder.

    Attributes:
        note: `run.json`, what was asked for.
        saved: `model.keras`, the model after the last epoch.
        best: `best.keras`, the model of the epoch that did best on the validation labels.
        history: `history.csv`, the terms of the loss after each epoch.
        curves: `curves.png`, the same as a picture.

    Example:
        >>> RunFolder("run").saved.name
        'model.keras'
    """

    def __init__(self, path: str | os.PathLike):
        self.path = pathlib.Path(path)
        self.note = self.path / "run.json"
        self.saved = self.path / "model.keras"
        self.best = self.path / "best.keras"
        self.history = self.path / "history.csv"
        self.curves = self.path / "curves.png"

    def rewind(self, done: int) -> None:
        """Drop the rows of epochs of which the model was not saved any more.

        Args:
            done: Epochs of the model that was saved.

        Raises:
            ValueError: If the history has fewer: a row is written before its model.
        """
        rows = history.read(self.history)
        if len(rows) < done:
            raise ValueError(
                f"{self.history}: wanted the {done} epochs of {self.saved}, got {len(rows)}"
            )
        history.write(self.history, rows[:done])

    def keep_best(self) -> int:
        """Keep the model of the last epoch if it is the best; how many epochs ago the best was.

        What decides is on the disk, so that a resumed run decides as an undisturbed one.

        Returns:
            0 if the last epoch is the best.
        """
        rows = history.read(self.history)
        best = history.best(rows)
        since = len(rows) if best is None else len(rows) - 1 - best
        if since == 0:
            with atomic.whole(self.best) as temporary:
                shutil.copyfile(self.saved, temporary)
        return since


@contextlib.contextmanager
def claim(path: str | os.PathLike, about: dict[str, Any]) -> Iterator[RunFolder]:
    """Hold a folder for a run: a new one, or one that holds just this run.

    A run of which no epoch was saved yet is forgotten for another: there is nothing to lose.

    Args:
        path: The folder; made if missing.
        about: What was asked for, as JSON can hold it; what differs makes another run.

    Yields:
        Its `RunFolder`.

    Raises:
        ValueError: If the folder holds something else or another run, or another process trains
            in it. Then nothing in it is changed.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder, claim(folder, {"epochs": 3}) as run:
        ...     json.loads(run.note.read_text())
        {'epochs': 3}
    """
    run = RunFolder(path)
    if run.path.exists() and not run.path.is_dir():
        raise ValueError(f"{run.path}: wanted a folder for the run, it is a file")
    if not run.note.exists() and _holds_something(run.path):
        raise ValueError(f"{run.path}: wanted an empty folder or a run to go on with")
    with lock.lock(run.path):
        for part in atomic.stale(run.path):
            part.unlink()  # of a run that was killed; the lock says that none is writing
        if run.saved.exists():
            _check_same(run, about)
        else:
            atomic.write_text(run.note, json.dumps(about, indent=2))
        yield run


def _holds_something(path):
    if not path.exists():
        return False
    own = {path / lock.NAME, *atomic.stale(path)}  # of a run that was killed as it began
    return any(each not in own for each in path.iterdir())


def _check_same(run, about):
    try:
        before = json.loads(run.note.read_text())
    except (OSError, ValueError, RecursionError) as error:
        raise ValueError(f"{run.note}: wanted what the run was asked for ({error})") from None
    if not isinstance(before, dict):
        raise ValueError(f"{run.note}: wanted what the run was asked for, got no JSON object")
    if before.get("old_content") and about.get("old_content"):
        before, about = _without_old(before), _without_old(about)
    moved = [place for place, content in _PLACES.items() if before.get(content) and about[content]]
    noted = [field for field in about if field in before or field not in _NOTED_LATER]
    noted = [field for field in noted if field not in moved]
    changed = [field for field in noted if before.get(field) != about[field]]
    if changed:
        field = changed[0]
        values = f"{before.get(field)!r}, wanted {about[field]!r}"
        what = (
            f"its {_CONTENTS[field]} changed since it began (the digest was {values})"
            if field in _CONTENTS
            else f"its {field} is {values}"
        )
        raise ValueError(
            f"{run.path} holds another run: {what}; name another folder for the new one, "
            f"and start={run.saved} (--start) to train that model on"
        )


def _without_old(about):
    """Without where the old model of an `ssd.KeepingLoss` lies, whose content is noted as well."""
    loss = {name: value for name, value in about["loss"].items() if name != "old"}
    return {**about, "loss": loss}

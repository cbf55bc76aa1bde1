"""The terms of the loss over the epochs of a run, in one picture."""

import os

from matplotlib.figure import Figure

from ssd.nets.losses import LossTerms
from ssd.training import history


def plot(table: str | os.PathLike, path: str | os.PathLike) -> None:
    """Draw each term of the loss over the epochs of a run, and of its validation.

    Args:
        table: The `history.csv` of a run, with one epoch or more.
        path: PNG file to write.

    Example:
        >>> import pathlib, tempfile
        >>> row = {name: 1.0 for name in ("loss", *LossTerms._fields)}
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     table, picture = f"{folder}/history.csv", pathlib.Path(folder, "curves.png")
        ...     history.write(table, [{"epoch": 0, **row}, {"epoch": 1, **row}])
        ...     plot(table, picture)
        ...     picture.exists()
        True
    """
    rows = history.read(table)
    epochs = [int(row["epoch"]) + 1 for row in rows]
    figure = Figure(figsize=(10, 5.5), layout="constrained")
    names = ("loss", *LossTerms._fields)
    for axes, name in zip(figure.subplots(2, 3).flat, names, strict=True):
        for column, label in ((name, "training"), (f"val_{name}", "validation")):
            if column in rows[0]:
                axes.plot(epochs, [float(row[column]) for row in rows], label=label)
        axes.set_title(name, loc="left")
        axes.set_xlabel("epoch")
        axes.set_ylim(bottom=0)
        axes.spines[["top", "right"]].set_visible(False)
    if "val_loss" in rows[0]:
        figure.axes[0].legend(frameon=False)
    figure.savefig(path, dpi=120)

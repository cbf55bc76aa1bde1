"""What differs between captures and training photos, as a picture."""

import os
from typing import Any

import numpy as np

from ssd.metrics.skew import MEASURES, MeasureSkew, Skew

_TRAINING, _CAPTURES, _DIFFERENT = "tab:gray", "tab:blue", "tab:red"


def draw_skew(skew: Skew, path: str | os.PathLike[str]) -> None:
    """Draw both distributions of each measure into an image file; what differs stands out.

    Args:
        skew: What `find_skew` returned.
        path: File to write; the name's ending says which format.

    Raises:
        ImportError: If matplotlib is missing.

    Example:
        >>> import pathlib, tempfile
        >>> values = np.arange(30.0)
        >>> parts = [MeasureSkew(name, values, values, 0.0, 0.0, None) for name in MEASURES]
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     draw_skew(Skew(30, 30, 0, parts), f"{folder}/skew.png")
        ...     pathlib.Path(folder, "skew.png").exists()
        True
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 6), layout="constrained")
    figure.suptitle(
        f"{skew.captures} captures against {skew.photos} training photos: "
        + (", ".join(skew.causes) or "nothing differs")
    )
    for each, axes in zip(skew.measures, figure.subplots(2, 4).flat, strict=True):
        _draw_measure(axes, each)
    figure.savefig(path, dpi=100)


def _draw_measure(axes: Any, each: MeasureSkew) -> None:
    """Both histograms of one measure, on one scale, with their medians."""
    measure = MEASURES[each.name]
    axes.set_title(f"{each.name}: {each.cause}" if each.cause else each.name)
    axes.set(xlabel=measure.unit, yticks=[])
    both = np.concatenate([each.training, each.captured])
    if not len(both):
        axes.text(0.5, 0.5, "not compared", ha="center", transform=axes.transAxes)
        return
    low, high = np.percentile(both, (0.5, 99.5))
    bins = np.linspace(low, max(high, low + measure.least_spread), 25)
    captures = _DIFFERENT if each.cause else _CAPTURES
    for values, color, name in (
        (each.training, _TRAINING, "training"),
        (each.captured, captures, "captures"),
    ):
        if len(values):
            shares = np.full(len(values), 1 / len(values))
            inside = np.clip(values, low, high)
            axes.hist(inside, bins, weights=shares, color=color, alpha=0.5, label=name)
            axes.axvline(np.median(values), color=color, linewidth=2)
    axes.legend(loc="upper right", fontsize="small")

"""An evaluation in words and tables, for a person to read."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from ssd.metrics.figures import Figures, SizeFigures

if TYPE_CHECKING:
    from ssd.metrics.evaluation import Evaluation

# Columns of a table: head, attribute of `Figures`.
_COLUMNS = {
    "AP50": "ap50",
    "AP75": "ap75",
    "AP30": "ap30",
    "precision": "precision",
    "recall": "recall",
    "FP/photo": "false_positives",
    "mean IoU": "mean_iou",
}
_ASKED = {"recall at precision": "recall_at_precision"}


def summarize(result: "Evaluation") -> Iterator[str]:
    """An evaluation, line by line.

    Args:
        result: What `ssd.evaluate` returned.

    Yields:
        Lines of text.

    Example:
        >>> from ssd.metrics.evaluation import evaluate_run
        >>> from ssd.metrics.results import DetectorRun
        >>> next(summarize(evaluate_run(DetectorRun([]))))[:17]
        '0 photos, 0 faces'
    """
    allowed = result.false_positives_per_image
    per_photo = result.false_positives if allowed is None else allowed
    yield (
        f"{result.photos} photos, {result.faces} faces: "
        f"AP50 {show(result.ap50)}, AP75 {show(result.ap75)}, AP30 {show(result.ap30)}, "
        f"recall {show(result.recall)} at {per_photo:.3g} false positives a photo, "
        f"mean IoU of hits {result.mean_iou:.3f}"
    )
    yield (
        f"by COCO's 101 points: AP50 {show(result.coco_ap50)}, "
        f"AP (mean of IoU 0.5 to 0.95) {show(result.coco_ap)}"
    )
    if math.isfinite(result.score_threshold):
        yield (
            f"from a score of {result.score_threshold:.3f} on: precision {show(result.precision)}, "
            f"recall {show(result.recall)}, {result.false_positives:.3g} false positives a photo"
        )
    yield f"calibration error of scores (15 bins from 0.05): {show(result.calibration_error)}"
    if result.recall_at_precision is not None:
        asked = result.options["at_precision"]
        yield f"at a precision of {asked:g} or more: recall {result.recall_at_precision:.3f}"
    yield "AP50 by height in pixels, were the long side 320: " + ", ".join(
        f"{name} {show(size.ap50)} ({size.faces})"
        for name, size in zip(name_sizes(result.sizes), result.sizes, strict=True)
    )
    yield from _table("class", result.classes)
    if result.telling_apart is not None:
        yield from result.telling_apart.lines()
    yield from _table("source", result.sources)
    yield f"edges: {result.edges}"
    yield from (f"edges, {name}: {each.edges}" for name, each in result.sources.items())
    yield _conditions(result)


def name_sizes(sizes: Sequence[SizeFigures]) -> list[str]:
    """What to call ranges of sizes: heights in pixels, were the photo's long side 320.

    Args:
        sizes: An evaluation's.

    Returns:
        A name for each.

    Example:
        >>> name_sizes([SizeFigures(0.0, 0.05, 9, 0.5), SizeFigures(0.05, math.inf, 1, 1.0)])
        ['0–16', 'over 16']
    """
    return [
        f"over {round(320 * size.least)}"
        if math.isinf(size.greatest)
        else f"{round(320 * size.least)}–{round(320 * size.greatest)}"
        for size in sizes
    ]


def show(value: float) -> str:
    """A figure with three decimals.

    Args:
        value: The figure; NaN is one that there is none of.

    Returns:
        The text.

    Example:
        >>> show(0.5), show(math.nan)
        ('0.500', '–')
    """
    return "–" if math.isnan(value) else f"{value:.3f}"


def _table(title: str, rows: Mapping[str, Figures]) -> Iterator[str]:
    """A line of figures for each name; nothing where there are none."""
    asked = any(figures.recall_at_precision is not None for figures in rows.values())
    columns = {"photos": "photos", "faces": "faces", **_COLUMNS, **(_ASKED if asked else {})}
    wide = max(map(len, (title, *rows)))
    if rows:
        yield f"{title:{wide}}" + "".join(f"  {head:>7}" for head in columns)
    for name, figures in rows.items():
        cells = ((head, getattr(figures, field)) for head, field in columns.items())
        yield f"{name:{wide}}" + "".join(
            f"  {value if isinstance(value, int) else show(value):>{max(7, len(head))}}"
            for head, value in cells
        )


def _conditions(result: "Evaluation") -> str:
    """What the figures stand for."""
    options, inputs = result.options, result.run.inputs
    parts = [f"rule {options['rule']}"]
    if options["min_height"]:
        parts.append(f"faces under {options['min_height']:g} of the photo's long side ignored")
    if inputs:
        parts.append(f"boxes from a score of {inputs['score_floor']:g} on")
        parts.append(f"at most {inputs['max_detections']} a photo")
    if result.run.left_out:
        parts.append(f"{result.run.left_out} photos of the truth left out")
    return "judged: " + ", ".join(parts)

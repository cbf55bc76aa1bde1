"""An evaluation as a picture: curves, sizes, and the mistakes that weigh most."""

import pathlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ssd.metrics.evaluation import Evaluation
from ssd.metrics.figures import SizeFigures
from ssd.metrics.judging import judge_results, wanted_faces
from ssd.metrics.summary import name_sizes, show
from ssd.photos.reading import read_photo

_SHOWN = 12  # mistakes of each kind
_AROUND = 1.0  # what is shown of the photo around a box, in sizes of the box
_ORANGE = "#e69f00"


class Mistake(NamedTuple):
    """A false positive, or a face that was missed.

    Attributes:
        path: The photo.
        box: `[ymin, xmin, ymax, xmax]` in its pixels.
        text: The score of a false positive, or the height of a face.
    """

    path: pathlib.Path
    box: np.ndarray
    text: str


def draw_report(evaluation: Evaluation, path: str | pathlib.Path) -> None:
    """Draw an evaluation into one PNG file.

    Above: precision over recall, recall over the number of false positives (the discrete ROC
    curve of FDDB), and average precision by size of face; dots stand at the score threshold.
    Below: the surest false positives and the largest faces missed at that threshold, each with
    what is around it.

    Args:
        evaluation: What `ssd.evaluate` returned.
        path: PNG file to write.

    Raises:
        ImportError: If matplotlib is missing.

    Example:
        >>> import os, tempfile
        >>> from ssd.metrics.evaluation import evaluate_run
        >>> from ssd.metrics.results import DetectorRun
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     draw_report(evaluate_run(DetectorRun([])), f"{folder}/report.png")
        ...     os.listdir(folder)
        ['report.png']
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13, 9), layout="constrained")
    figure.suptitle(_title(evaluation), x=0.01, ha="left", fontsize=11)
    parts: Any = figure.subfigures(3, 1, height_ratios=[2, 1, 1])
    above, wrong_part, missed_part = parts
    _draw_curves(above.subplots(1, 3), evaluation)
    wrong, missed = find_mistakes(evaluation)
    at = f"at a score of {evaluation.score_threshold:.2f} or more"
    draw_crops(wrong_part, f"False positives {at}, surest first ({len(wrong)} in all)", wrong)
    draw_crops(
        missed_part,
        f"Faces that nothing {at} hits, largest first ({len(missed)} of {evaluation.faces})",
        missed,
    )
    figure.savefig(path, dpi=100)


def find_mistakes(evaluation: Evaluation) -> tuple[list[Mistake], list[Mistake]]:
    """False positives and missed faces at the score threshold, the worst first.

    Args:
        evaluation: What `ssd.evaluate` returned.

    Returns:
        (false positives by falling score, missed faces by falling height).

    Example:
        >>> from ssd.metrics.evaluation import evaluate_run
        >>> from ssd.metrics.results import DetectorRun
        >>> find_mistakes(evaluate_run(DetectorRun([])))
        ([], [])
    """
    run, heights = evaluation.run, (evaluation.options["min_height"], np.inf)
    judged = judge_results(
        run.results, len(run.class_names), heights=heights, rule=evaluation.options["rule"]
    )
    judged = judged.of_rows(judged.scores >= evaluation.score_threshold)
    wrong, missed = [], []
    for row in np.flatnonzero(judged.hits < 0):
        result = run.results[judged.photos[row]]
        wrong.append((judged.scores[row], result, result.found.boxes[judged.indices[row]]))
    for place, result in enumerate(run.results):
        left = wanted_faces(result, heights)
        hits = judged.hits[judged.photos == place]
        left[hits[hits >= 0]] = False
        missed += [(box[2] - box[0], result, box) for box in result.boxes[left]]
    wrong.sort(key=lambda row: -row[0])
    missed.sort(key=lambda row: -row[0])
    return (
        [Mistake(result.path, box, f"{score:.2f}") for score, result, box in wrong],
        [Mistake(result.path, box, f"{height:.0f} px") for height, result, box in missed],
    )


def draw_crops(part: Any, title: str, rows: Sequence[Mistake], shown: int = _SHOWN) -> None:
    """Draw boxes with what is around them side by side, the first ones of a list.

    Args:
        part: A matplotlib figure, or a part of one.
        title: What they are.
        rows: The boxes.
        shown: How many there is room for.

    Example:
        >>> from matplotlib.figure import Figure
        >>> draw_crops(Figure(), "none", [])
    """
    part.suptitle(title, x=0.01, ha="left", fontsize=10)
    axes = np.atleast_1d(part.subplots(1, shown))
    for each in axes:
        each.set_axis_off()
    for each, (path, box, text) in zip(axes, rows, strict=False):
        photo = read_photo(path)
        ymin, xmin, ymax, xmax = box
        reach = _AROUND * max(ymax - ymin, xmax - xmin)
        top, left = max(0, int(ymin - reach)), max(0, int(xmin - reach))
        each.imshow(photo[top : int(ymax + reach) + 1, left : int(xmax + reach) + 1])
        edges_x = np.array([xmin, xmax, xmax, xmin, xmin]) - left
        each.plot(edges_x, np.array([ymin, ymin, ymax, ymax, ymin]) - top, color=_ORANGE)
        each.set_title(text, fontsize=8)


def _title(evaluation: Evaluation) -> str:
    model = pathlib.Path(evaluation.run.inputs.get("model", {}).get("file", "")).name
    return (
        f"{model}  {evaluation.photos} photos, {evaluation.faces} faces\n"
        f"AP50 {show(evaluation.ap50)}   AP75 {show(evaluation.ap75)}   "
        f"recall {evaluation.recall:.3f}, precision {evaluation.precision:.3f} and "
        f"{evaluation.false_positives:.2g} false positives a photo "
        f"at a score of {evaluation.score_threshold:.2f} or more\n"
        f"{evaluation.edges}"
    ).strip()


def _draw_curves(axes: Sequence[Any], evaluation: Evaluation) -> None:
    precision, roc, bars = axes
    points = evaluation.curve
    at = evaluation.recall, evaluation.precision
    precision.step(points.recall, points.precision, where="post")
    precision.plot(*at, "o", color=_ORANGE)
    precision.set(xlabel="recall", ylabel="precision", xlim=(0, 1), ylim=(0, 1.02))
    photos = max(evaluation.photos, 1)
    roc.step(points.false_positives / photos, points.recall, where="post")
    roc.plot(evaluation.false_positives, evaluation.recall, "o", color=_ORANGE)
    roc.set(xlabel="false positives a photo", ylabel="recall", ylim=(0, 1.02))
    roc.set(xlim=(0, max(1.0, 2 * evaluation.false_positives)))
    _draw_sizes(bars, evaluation.sizes)
    for each in axes:
        each.spines[["top", "right"]].set_visible(False)


def _draw_sizes(axes: Any, sizes: Sequence[SizeFigures]) -> None:
    averages = [0.0 if np.isnan(size.ap50) else size.ap50 for size in sizes]
    drawn = axes.bar(name_sizes(sizes), averages)
    axes.bar_label(drawn, [f"{size.faces} faces" for size in sizes], fontsize=8)
    axes.set(xlabel="height in px, were the long side 320", ylabel="AP50", ylim=(0, 1.08))

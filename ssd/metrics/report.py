"""An evaluation as a picture: curves, sizes, and the mistakes that weigh most."""

import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from ssd.metrics.crops import BOX_COLOR, Crop, draw_crops
from ssd.metrics.evaluation import Evaluation
from ssd.metrics.figures import SizeFigures
from ssd.metrics.judging import judge_results, wanted_faces
from ssd.metrics.summary import name_sizes, show


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
    at = _threshold(evaluation)
    draw_crops(
        wrong_part, f"False positives {at}, surest first ({len(wrong)}); dashed: the truth", wrong
    )
    draw_crops(
        missed_part,
        f"Missed {at}, largest first ({len(missed)} of {evaluation.faces} faces); "
        "dashed: what was found",
        missed,
    )
    figure.savefig(path, dpi=100)


def find_mistakes(evaluation: Evaluation) -> tuple[list[Crop], list[Crop]]:
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
    wrong: list[tuple[float, Crop]] = []
    missed: list[tuple[float, Crop]] = []
    for row in np.flatnonzero(judged.hits < 0):
        result, index = run.results[judged.photos[row]], judged.indices[row]
        text = f"{judged.scores[row]:.2f}"
        crop = Crop(result.path, result.found.boxes[index], text, result.boxes)
        wrong.append((judged.scores[row], crop))
    for place, result in enumerate(run.results):
        sure = result.found.boxes[result.found.scores >= evaluation.score_threshold]
        left = wanted_faces(result, heights)
        hits = judged.hits[judged.photos == place]
        left[hits[hits >= 0]] = False
        for box in result.boxes[left]:
            height = box[2] - box[0]
            missed.append((height, Crop(result.path, box, f"{height:.0f} px", sure)))
    return _worst_first(wrong), _worst_first(missed)


def _worst_first(rows: list[tuple[float, Crop]]) -> list[Crop]:
    return [crop for _, crop in sorted(rows, key=lambda row: -row[0])]


def _title(evaluation: Evaluation) -> str:
    model = pathlib.Path(evaluation.run.inputs.get("model", {}).get("file", "")).name
    return (
        f"{model}  {evaluation.photos} photos, {evaluation.faces} faces\n"
        f"AP50 {show(evaluation.ap50)}   AP75 {show(evaluation.ap75)}   "
        f"recall {show(evaluation.recall)}, precision {show(evaluation.precision)} and "
        f"{evaluation.false_positives:.2g} false positives a photo "
        f"{_threshold(evaluation)}\n"
        f"{evaluation.edges}"
    ).strip()


def _threshold(evaluation: Evaluation) -> str:
    value = evaluation.score_threshold
    return f"from a score of {value:.2f} on" if np.isfinite(value) else "at any score allowed"


def _draw_curves(axes: Sequence[Any], evaluation: Evaluation) -> None:
    precision, roc, bars = axes
    points = evaluation.curve
    at = evaluation.recall, evaluation.precision
    precision.step(points.recall, points.precision, where="post")
    precision.plot(*at, "o", color=BOX_COLOR)
    precision.set(xlabel="recall", ylabel="precision", xlim=(0, 1), ylim=(0, 1.02))
    photos = max(evaluation.photos, 1)
    roc.step(points.false_positives / photos, points.recall, where="post")
    roc.plot(evaluation.false_positives, evaluation.recall, "o", color=BOX_COLOR)
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

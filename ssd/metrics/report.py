"""An evaluation as a picture: curves, sizes, and the mistakes that weigh most."""

import numpy as np

from ssd.metrics.evaluation import evaluate_results, evaluate_sizes, judge_photo
from ssd.photos.reading import read_photo

_SHOWN = 12  # mistakes of each kind
_AROUND = 1.0  # what is shown of the photo around a box, in sizes of the box


def draw_report(results, path, *, min_height=0.0, false_positives_per_image=0.1):
    """Draw what a detector found, and what not, into one PNG file.

    Above: precision over recall, recall over the number of false positives (the discrete ROC curve
    of FDDB), and average precision by size of face. Below: the surest false positives and the
    largest faces missed, each with what is around it. A face counts as missed if nothing at
    any score overlaps it enough.

    Args:
        results: What `ssd.metrics.evaluation.run_detector` returned.
        path: PNG file to write.
        min_height: As for `ssd.evaluate`.
        false_positives_per_image: As for `ssd.evaluate`.

    Returns:
        The `Evaluation`.
    """
    from matplotlib.figure import Figure

    result = evaluate_results(
        results, min_height=min_height, false_positives_per_image=false_positives_per_image
    )
    figure = Figure(figsize=(13, 9), layout="constrained")
    figure.suptitle(str(result), x=0.01, ha="left", fontsize=11)
    above, alarms_part, misses_part = figure.subfigures(3, 1, height_ratios=[2, 1, 1])
    _curves(above.subplots(1, 3), result, evaluate_sizes(results))
    alarms, misses = find_mistakes(results, min_height=min_height)
    _crops(alarms_part, "False positives, surest first", alarms)
    _crops(misses_part, "Missed, largest first", misses)
    figure.savefig(path, dpi=100)
    return result


def find_mistakes(results, *, min_height=0.0):
    """False positives and missed faces, the worst first.

    Args:
        results: What `ssd.metrics.evaluation.run_detector` returned.
        min_height: As for `ssd.evaluate`.

    Returns:
        Two lists of (path, box, text): boxes `[ymin, xmin, ymax, xmax]` in pixels. False positives
        come by falling score, missed faces by falling height.
    """
    alarms, misses = [], []
    for each in results:
        for judged in judge_photo(each, iou_threshold=0.5):
            for score, _, index in judged[judged[:, 1] == 0]:
                alarms.append((score, each.path, each.found.boxes[int(index)]))
        for box in each.boxes[~each.ignored & ~_answered(each)]:
            height = box[2] - box[0]
            if height >= min_height * max(each.shape):
                misses.append((height, each.path, box))
    alarms.sort(key=lambda row: -row[0])
    misses.sort(key=lambda row: -row[0])
    return (
        [(path, box, f"{score:.2f}") for score, path, box in alarms],
        [(path, box, f"{height:.0f} px") for height, path, box in misses],
    )


def _answered(results):
    """Which true boxes something found overlaps by half or more, bool [n]."""
    answered = np.zeros(len(results.boxes), bool)
    for index, (box, class_id) in enumerate(zip(results.boxes, results.class_ids, strict=True)):
        alone = results._replace(
            boxes=box[None], class_ids=np.array([class_id]), ignored=np.array([False])
        )
        answered[index] = any(
            (judged[:, 1] > 0).any() for judged in judge_photo(alone, iou_threshold=0.5)
        )
    return answered


def _curves(axes, result, sizes):
    precision, roc, bars = axes
    precision.step(result.recalls, result.precision, where="post")
    precision.set(xlabel="recall", ylabel="precision", xlim=(0, 1), ylim=(0, 1.02))
    roc.step(result.false_positives, result.recalls, where="post")
    limit = result.false_positives_per_image * result.photos
    roc.axvline(limit, linestyle=":", color="0.5")
    roc.annotate(f" {result.false_positives_per_image:g} a photo", (limit, 0.02), color="0.4")
    roc.set(xlabel="false positives", ylabel="recall", ylim=(0, 1.02))
    names = [f"{round(320 * least)}–{round(320 * greatest)}" for least, greatest, *_ in sizes[:-1]]
    names.append(f"over {round(320 * sizes[-1][0])}")
    drawn = bars.bar(names, [average for *_, average in sizes])
    bars.bar_label(drawn, [f"{faces} faces" for _, _, faces, _ in sizes], fontsize=8)
    bars.set(xlabel="height in px, long side at 320", ylabel="AP50", ylim=(0, 1.08))
    for each in axes:
        each.spines[["top", "right"]].set_visible(False)


def _crops(part, title, rows):
    part.suptitle(f"{title} ({len(rows)} in all)", x=0.01, ha="left", fontsize=10)
    axes = part.subplots(1, _SHOWN)
    for each in axes:
        each.set_axis_off()
    for each, (path, box, text) in zip(axes, rows, strict=False):
        photo = read_photo(path)
        ymin, xmin, ymax, xmax = box
        reach = _AROUND * max(ymax - ymin, xmax - xmin)
        top, left = max(0, int(ymin - reach)), max(0, int(xmin - reach))
        each.imshow(photo[top : int(ymax + reach) + 1, left : int(xmax + reach) + 1])
        edges_x = np.array([xmin, xmax, xmax, xmin, xmin]) - left
        each.plot(edges_x, np.array([ymin, ymin, ymax, ymax, ymin]) - top, color="#e69f00")
        each.set_title(text, fontsize=8)

"""How good a detector is, measured against labels in COCO format."""

import dataclasses
import itertools
import math
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ssd.detect.detections import Detections
from ssd.detect.limits import check_share
from ssd.metrics import summary
from ssd.metrics.figures import (
    LEVELS,
    Figures,
    SizeFigures,
    choose_threshold,
    curve_of,
    evaluate_sizes,
    measure_figures,
)
from ssd.metrics.judging import RULES, Curve, Judge, Judgement
from ssd.metrics.results import (
    MAX_DETECTIONS,
    SCORE_FLOOR,
    DetectorRun,
    PhotoResult,
    run_detector,
)
from ssd.metrics.telling_apart import TellingApart, tell_apart


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Evaluation(Figures):
    """What `evaluate` measured; as text, it is the report that a person reads.

    Attributes:
        score_threshold: The score at which precision and recall are read.
        false_positives_per_image: What the threshold was chosen by, or None if it was given.
        classes: `Figures` of each class by its name, where there are several.
        telling_apart: `TellingApart`, how well classes are told apart on faces that are found, or
            None where there is one class.
        sources: `Figures` of each source that the truth names, where there are several.
        sizes: `SizeFigures` by size of face.
        curve: The `Curve` of all classes together, at IoU 0.5; recall over its false
            positives is the discrete ROC curve of FDDB.
        options: The options, as plain values.
        run: What was found: the `DetectorRun` measured.

    Example:
        >>> str(evaluate_run(DetectorRun([]))).split(", recall")[0]
        '0 photos, 0 faces: AP50 –, AP75 –, AP30 –'
    """

    score_threshold: float
    false_positives_per_image: float | None
    classes: Mapping[str, Figures]
    telling_apart: TellingApart | None
    sources: Mapping[str, Figures]
    sizes: Sequence[SizeFigures]
    curve: Curve
    options: Mapping[str, Any]
    run: DetectorRun

    def __str__(self) -> str:
        return "\n".join(summary.summarize(self))


def evaluate(
    detector: Callable[..., Detections],
    photos: str | pathlib.Path,
    truth: str | pathlib.Path,
    *,
    min_height: float = 0.0,
    false_positives_per_image: float = 0.1,
    score_threshold: float | None = None,
    at_precision: float | None = None,
    rule: str = "coco",
    class_map: Mapping[str, str] | None = None,
    score_floor: float = SCORE_FLOOR,
    max_detections: int = MAX_DETECTIONS,
    progress: Callable[[int, int], object] | None = None,
) -> Evaluation:
    """Run a detector over a folder of photos and hold what it finds against the truth.

    Categories of the truth and classes of the detector belong together by name. Classes are held
    apart: a box of one class never hits a face of another.

    Args:
        detector: Anything called like `ssd.Detector`: photo uint8 [height, width, 3] and
            `score_threshold` to `ssd.Detections`.
        photos: Folder that the file names in `truth` are relative to.
        truth: COCO detection JSON. `iscrowd` marks regions to ignore: finding something
            there is neither right nor wrong.
        min_height: Height of a box as a share of the photo's long side under which it is
            ignored, in [0, 1]. 0.05 is 16 px at 320.
        false_positives_per_image: False positives per photo that choose the threshold at which
            precision and recall are read: the lowest score that has no more.
        score_threshold: The threshold itself, in [0, 1], if it is to be another.
        at_precision: Also read recall where precision is this or more, in (0, 1].
        rule: What is ignored: "coco", or that of an independent scorer, "scorer"
            (`ssd.metrics.judging.judge` says what they are).
        class_map: For categories of the truth that the detector calls otherwise, the class that
            is meant: `{"with_mask": "face", "without_mask": "face"}`. A class of the detector's
            own counts as another likewise: `{"smile": "face"}`.
        score_floor: Least score of what is judged, in [0, 1]; scores below change no figure
            that anyone reads, and cost a long tail of boxes.
        max_detections: Greatest number of boxes judged in a photo, the best ones.
        progress: Called after each photo as `progress(done, total)`.

    Returns:
        An `Evaluation`.

    Raises:
        FileNotFoundError: If there is no such truth or folder.
        ValueError: If the truth is no COCO JSON, none of its categories is a class of the
            detector's, none of its photos can be read, or an option is out of range.

    Example:
        >>> import json, tempfile
        >>> import ssd
        >>> from ssd.photos.reading import write_photo
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_photo(f"{folder}/a.png", np.zeros((60, 80, 3), np.uint8))
        ...     coco = {
        ...         "images": [{"id": 1, "file_name": "a.png", "width": 80, "height": 60}],
        ...         "annotations": [{"id": 1, "image_id": 1, "category_id": 1,
        ...                          "bbox": [10, 20, 30, 30]}],
        ...         "categories": [{"id": 1, "name": "face"}],
        ...     }
        ...     _ = pathlib.Path(folder, "truth.json").write_text(json.dumps(coco))
        ...     result = ssd.evaluate(ssd.Detector(), folder, f"{folder}/truth.json")
        >>> result.faces, result.recall
        (1, 0.0)
    """
    options = check_options(
        min_height=min_height,
        false_positives_per_image=false_positives_per_image,
        score_threshold=score_threshold,
        at_precision=at_precision,
        rule=rule,
    )
    run = run_detector(
        detector,
        photos,
        truth,
        class_map=class_map,
        score_floor=score_floor,
        max_detections=max_detections,
        progress=progress,
    )
    return evaluate_run(run, **options)


def evaluate_run(
    run: DetectorRun,
    *,
    min_height: float = 0.0,
    false_positives_per_image: float = 0.1,
    score_threshold: float | None = None,
    at_precision: float | None = None,
    rule: str = "coco",
) -> Evaluation:
    """The figures for what a detector found.

    Args:
        run: What `run_detector` returned.
        min_height: As for `evaluate`.
        false_positives_per_image: As for `evaluate`.
        score_threshold: As for `evaluate`.
        at_precision: As for `evaluate`.
        rule: As for `evaluate`.

    Returns:
        An `Evaluation`.

    Raises:
        ValueError: If an option is out of range.

    Example:
        >>> box, one = np.array([[0.0, 0, 10, 10]]), np.array([1])
        >>> found = Detections(box, np.array([0.9]), one)
        >>> result = PhotoResult(pathlib.Path("a.png"), (60, 80), box, one, one == 0, found)
        >>> measured = evaluate_run(DetectorRun([result]))
        >>> measured.ap50, measured.recall, measured.score_threshold
        (1.0, 1.0, 0.9)
    """
    options = check_options(
        min_height=min_height,
        false_positives_per_image=false_positives_per_image,
        score_threshold=score_threshold,
        at_precision=at_precision,
        rule=rule,
    )
    heights = (min_height, np.inf)
    judge_all = Judge(run.results, len(run.class_names))
    judged = {level: judge_all(iou_threshold=level, heights=heights, rule=rule) for level in LEVELS}
    points = curve_of(judged[0.5])
    threshold = score_threshold
    if threshold is None:
        threshold = choose_threshold(points, false_positives_per_image * len(run.results))

    def figures(of: Callable[[Judgement], Judgement], results: Sequence[PhotoResult]) -> Figures:
        some = {level: of(each) for level, each in judged.items()}
        return measure_figures(some, results, threshold, at_precision)

    return Evaluation(
        **vars(figures(lambda each: each, run.results)),
        score_threshold=threshold,
        false_positives_per_image=false_positives_per_image if score_threshold is None else None,
        classes=_by_class(run, judged[0.5], figures),
        telling_apart=tell_apart(
            run.results,
            run.class_names,
            threshold,
            at_precision=at_precision,
            min_height=min_height,
        )
        if len(run.class_names) > 1
        else None,
        sources=_by_source(run, figures),
        sizes=evaluate_sizes(judge_all),
        curve=points,
        options=options,
        run=run,
    )


def check_options(
    *,
    min_height: float,
    false_positives_per_image: float,
    score_threshold: float | None,
    at_precision: float | None,
    rule: str,
) -> dict[str, Any]:
    """The options of an evaluation as a dictionary, if they are in range.

    Args:
        min_height: As for `evaluate`.
        false_positives_per_image: As for `evaluate`.
        score_threshold: As for `evaluate`.
        at_precision: As for `evaluate`.
        rule: As for `evaluate`.

    Returns:
        The same, by name.

    Raises:
        ValueError: If one is out of range.

    Example:
        >>> check_options(min_height=5, false_positives_per_image=0.1, score_threshold=None,
        ...               at_precision=None, rule="coco")
        Traceback (most recent call last):
        ValueError: min_height: wanted a share of the photo's long side from 0 to 1, got 5
    """
    if rule not in RULES:
        raise ValueError(f"rule: wanted one of {', '.join(RULES)}, got {rule!r}")
    if not 0 <= min_height <= 1:
        raise ValueError(
            f"min_height: wanted a share of the photo's long side from 0 to 1, got {min_height!r}"
        )
    if not 0 <= false_positives_per_image < math.inf:
        raise ValueError(
            "false_positives_per_image: wanted a number from 0 on, "
            f"got {false_positives_per_image!r}"
        )
    for name, value in (("score_threshold", score_threshold), ("at_precision", at_precision)):
        if value is not None:
            check_share(name, value)
    return {
        "min_height": min_height,
        "false_positives_per_image": false_positives_per_image,
        "score_threshold": score_threshold,
        "at_precision": at_precision,
        "rule": rule,
    }


def _by_class(
    run: DetectorRun, judged: Judgement, figures: Callable[..., Figures]
) -> dict[str, Figures]:
    """Figures of each class that has faces or was found, where the model has several."""
    if len(run.class_names) == 1:
        return {}
    present = {*judged.class_ids.tolist(), *(np.flatnonzero(judged.faces.sum(axis=0)) + 1).tolist()}
    return {
        run.class_names[class_id - 1]: figures(
            lambda each, own=class_id: each.of_class(own), run.results
        )
        for class_id in sorted(present)
    }


def _by_source(run: DetectorRun, figures: Callable[..., Figures]) -> dict[str, Figures]:
    """Figures of each source, where the truth names several."""
    named = [result.source for result in run.results]
    sources = sorted({source for source in named if source is not None})
    if len({*named}) < 2:
        return {}
    chosen = {source: np.array([each == source for each in named]) for source in sources}
    if None in named:
        chosen["(not named)"] = np.array([each is None for each in named])
    return {
        source: figures(
            lambda each, own=own: each.of_photos(own), [*itertools.compress(run.results, own)]
        )
        for source, own in chosen.items()
    }

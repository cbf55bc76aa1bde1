"""An evaluation as a JSON file: its figures, what they stand for, and every match.

Files that hold measurements of a model share an envelope: `kind` says what was measured, `model`
has the model's `file` and `sha256`, `versions` those of Python and packages. The benchmarks write
it too (`python -m benchmarks.latency --json`: the kind "latency"); `write_evaluation` writes the
kind "evaluation".
"""

import dataclasses
import json
import math
import os
import pathlib
import platform
from collections.abc import Iterable, Mapping, Sequence
from importlib import metadata
from typing import Any

import numpy as np

from ssd import atomic
from ssd.detect.detections import Detections
from ssd.metrics.evaluation import Evaluation
from ssd.metrics.figures import Edges, Figures
from ssd.metrics.judging import judge_results
from ssd.metrics.results import DetectorRun, PhotoResult

KIND = "evaluation"
_FORM: dict[str, Any] = {"ensure_ascii": False, "allow_nan": False, "separators": (",", ":")}
_PIXELS, _SCORES = 3, 7  # digits after the point: scores that differ stay apart
_PACKAGES = ("numpy", "pillow", "ai-edge-litert", "tflite-runtime", "tensorflow", "keras")


def write_evaluation(evaluation: Evaluation, path: str | os.PathLike[str]) -> None:
    """Write an evaluation as JSON. The file appears whole or not at all.

    Of each photo it has `truth`, rows of `[ymin, xmin, ymax, xmax, class, ignored]`; `found`, rows
    of `[ymin, xmin, ymax, xmax, score, class]`; and `hits`, for each row of `found` the row of
    `truth` that it hits at IoU 0.5, -1 for a false positive, or null where it does not count.

    Args:
        evaluation: What `ssd.evaluate` returned.
        path: The file.

    Raises:
        OSError: If it cannot be written.

    Example:
        >>> import tempfile
        >>> from ssd.metrics.evaluation import evaluate_run
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_evaluation(evaluate_run(DetectorRun([])), f"{folder}/a.json")
        ...     read_evaluation(f"{folder}/a.json")["figures"]["photos"]
        0
    """
    run, folder = evaluation.run, evaluation.run.inputs.get("photos", "")
    inputs = {"model": {"file": "", "classes": list(run.class_names)}, **run.inputs}
    floor = {name: inputs.pop(name, None) for name in ("score_floor", "max_detections")}
    content = {
        "kind": KIND,
        "versions": package_versions(),
        **_plain(inputs),
        "options": _plain({**evaluation.options, **floor}),
        "figures": _plain(_figures(evaluation)),
        "left_out": int(run.left_out),
        "problems": list(run.problems),
        "results": [
            _photo(result, hits, folder)
            for result, hits in zip(run.results, _hits(evaluation), strict=True)
        ],
    }
    # What of a name is not UTF-8 is escaped, as JSON escapes it too.
    text = json.dumps(content, **_FORM).encode("utf-8", "backslashreplace").decode()
    atomic.write_text(path, text + "\n")


def read_evaluation(path: str | os.PathLike[str]) -> dict[str, Any]:
    """What `write_evaluation` wrote, or another file of the same envelope.

    Args:
        path: The file.

    Returns:
        Its content.

    Raises:
        FileNotFoundError: If there is none.
        ValueError: If it is no such file.

    Example:
        >>> read_evaluation("nowhere.json")
        Traceback (most recent call last):
        FileNotFoundError: nowhere.json: wanted an evaluation's JSON file, there is none
    """
    try:
        content = json.loads(pathlib.Path(path).read_text(encoding="utf-8"))
        if isinstance(content["kind"], str) and isinstance(content["model"], dict):
            return content
        reason = "its kind or model is not what it should be"
    except FileNotFoundError:
        raise FileNotFoundError(
            f"{path}: wanted an evaluation's JSON file, there is none"
        ) from None
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        reason = f"{type(error).__name__}: {error}"
    raise ValueError(
        f"{path}: wanted a JSON file of ssd evaluate --json or benchmarks.latency --json ({reason})"
    )


def read_run(
    content: Mapping[str, Any], photos: str | os.PathLike[str] | None = None
) -> DetectorRun:
    """What a detector found, out of an evaluation's JSON.

    Args:
        content: What `read_evaluation` returned.
        photos: Folder of the photos, if they are not where they were.

    Returns:
        The `DetectorRun`.

    Raises:
        ValueError: If something in it is missing, or is not what it should be.

    Example:
        >>> read_run({"model": {"classes": ["face"]}, "results": []}).class_names
        ('face',)
    """
    try:
        folder = pathlib.Path(photos or content.get("photos", ""))
        return DetectorRun(
            [_result(each, folder) for each in content["results"]],
            tuple(content["model"]["classes"]),
            int(content.get("left_out", 0)),
            tuple(content.get("problems", ())),
            {"model": content["model"], "photos": str(folder)},
        )
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise ValueError(
            f"wanted the results of an evaluation ({type(error).__name__}: {error})"
        ) from None


def package_versions() -> dict[str, str]:
    """Versions of Python and of the packages that an evaluation depends on, as installed.

    Returns:
        Versions by name.

    Example:
        >>> "numpy" in package_versions()
        True
    """
    versions = {"python": platform.python_version()}
    for name in ("ssd-faces", *_PACKAGES):
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions


def _figures(evaluation: Evaluation) -> dict[str, Any]:
    own = {field.name for field in dataclasses.fields(Figures)} | {"score_threshold"}
    return {
        **{name: getattr(evaluation, name) for name in sorted(own)},
        "classes": {name: vars(each) for name, each in evaluation.classes.items()},
        "telling_apart": _telling_apart(evaluation),
        "sources": {name: vars(each) for name, each in evaluation.sources.items()},
        "sizes": [size._asdict() for size in evaluation.sizes],
    }


def _telling_apart(evaluation: Evaluation) -> dict[str, Any] | None:
    told = evaluation.telling_apart
    return told and {
        "classes": {name: each._asdict() for name, each in told.classes.items()},
        "confusion": told.confusion.tolist(),
        "at_precision": told.at_precision,
    }


def _hits(evaluation: Evaluation) -> list[list[int | None]]:
    """For each photo, what each box found hits."""
    run, options = evaluation.run, evaluation.options
    heights = (options["min_height"], math.inf)
    judged = judge_results(run.results, len(run.class_names), heights=heights, rule=options["rule"])
    hits: list[list[int | None]] = [[None] * len(result.found) for result in run.results]
    columns = judged.photos.tolist(), judged.indices.tolist(), judged.hits.tolist()
    for photo, index, hit in zip(*columns, strict=True):
        hits[photo][index] = hit
    return hits


def _photo(result: PhotoResult, hits: Sequence[int | None], folder: str) -> dict[str, Any]:
    path, found = pathlib.Path(result.path), result.found
    inside = path.relative_to(folder) if folder and path.is_relative_to(folder) else path
    truth = zip(
        np.round(result.boxes, _PIXELS).tolist(), result.class_ids, result.ignored, strict=True
    )
    boxes = np.round(np.asarray(found.boxes, float), _PIXELS).tolist()
    scores = np.round(np.asarray(found.scores, float), _SCORES).tolist()
    rows = zip(boxes, scores, found.class_ids, strict=True)
    return {
        "name": result.name or path.name,
        "file": inside.as_posix(),
        "size": [int(side) for side in result.shape],
        "source": result.source,
        "truth": [[*box, int(class_id), bool(ignored)] for box, class_id, ignored in truth],
        "found": [[*box, score, int(class_id)] for box, score, class_id in rows],
        "hits": list(hits),
    }


def _result(each: Mapping[str, Any], folder: pathlib.Path) -> PhotoResult:
    truth = np.array(each["truth"], float).reshape(-1, 6)
    found = np.array(each["found"], float).reshape(-1, 6)
    height, width = each["size"]
    return PhotoResult(
        path=folder / each["file"],
        shape=(int(height), int(width)),
        boxes=truth[:, :4],
        class_ids=truth[:, 4].astype(int),
        ignored=truth[:, 5] > 0,
        found=Detections(
            found[:, :4].astype(np.float32),
            found[:, 4].astype(np.float32),
            found[:, 5].astype(int),
        ),
        name=each["name"],
        source=each["source"],
    )


def _plain(value: Any) -> Any:
    """Numbers of NumPy as Python's own; NaN and infinity are no JSON: null."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, Edges):
        return _plain(value._asdict())
    if isinstance(value, Iterable) and not isinstance(value, str):
        return [_plain(each) for each in value]
    return value

"""Several models in one table: how long a photo takes, and how good the answer is."""

import os
import pathlib
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

import ssd
from benchmarks.viola_jones import NAME, ViolaJones

_ROUNDS = 5  # in which the models take turns, so that a drifting clock hits all


def measure(
    paths: Sequence[str | os.PathLike],
    photos: str | os.PathLike,
    truth: str | os.PathLike,
    frames: Sequence[np.ndarray],
    *,
    runs: int,
    threads: int = 1,
    say: Callable[[str], None] = lambda what: None,
) -> list[dict[str, Any]]:
    """Time the models in turns, and evaluate each.

    Args:
        paths: Model files.
        photos: Folder of the truth's photos.
        truth: COCO JSON file.
        frames: uint8 [height, width, 3] each: the photos that are timed.
        runs: Photos timed with each model.
        threads: Of the runtime.
        say: Told what is measured next.

    Returns:
        A dictionary a model: "model" as a name, "bytes", "precision", "input"; "median" and "p90"
        milliseconds for a photo; "AP50", "AP75", and "recall" at 0.1 false positives a photo. And
        one of OpenCV's cascade, which says why it is "absent" where it is.

    Raises:
        OSError: If a file cannot be read.
        ValueError: If a file is no model, or the truth does not fit.

    Example:
        >>> measure(["nowhere.tflite"], "photos", "truth.json", [], runs=1)
        Traceback (most recent call last):
        FileNotFoundError: nowhere.tflite: wanted a .tflite model file, found none
    """
    names = _names(paths)
    detectors: dict[str, Any] = {
        name: ssd.Detector(path, threads=threads) for name, path in zip(names, paths, strict=True)
    }
    rows = {name: _facts(name, detector) for name, detector in detectors.items()}
    rows[NAME] = {"model": NAME}
    if why := ViolaJones.missing():
        rows[NAME]["absent"] = why
    else:
        detectors[NAME] = ViolaJones()
    say("milliseconds, all models in turns")
    for name, times in time_in_turns(detectors, frames, runs).items():
        median, most = np.percentile(times, [50, 90]) * 1e3
        rows[name] |= {"median": round(float(median), 4), "p90": round(float(most), 4)}
    for name, detector in detectors.items():
        say(f"how good: {name}")
        found = ssd.evaluate(detector, str(photos), str(truth))
        rows[name] |= {"AP50": found.ap50, "AP75": found.ap75, "recall": found.recall}
    return list(rows.values())


def time_in_turns(
    detectors: Mapping[str, Callable[[np.ndarray], Any]], frames: Sequence[np.ndarray], runs: int
) -> dict[str, list[float]]:
    """Seconds of each call.

    Args:
        detectors: Functions of a frame, by name.
        frames: uint8 [height, width, 3] each, taken in turn; each has the same.
        runs: Calls of each.

    Returns:
        Seconds of each call, by name. The first tenth of a turn warms up and is not counted.

    Example:
        >>> times = time_in_turns({"none": lambda frame: None}, [np.zeros((4, 4, 3))], 10)
        >>> len(times["none"])
        10
    """
    times: dict[str, list[float]] = {name: [] for name in detectors}
    each = -(-runs // _ROUNDS)
    for turn in range(_ROUNDS):
        for name, detector in detectors.items():
            for place in range(-(each // 10 + 1), min(each, runs - turn * each)):
                frame = frames[(turn * each + place) % len(frames)]
                begun = time.perf_counter()
                detector(frame)
                if place >= 0:
                    times[name].append(time.perf_counter() - begun)
    return times


def format_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """The rows for a person to read.

    Args:
        rows: What `measure` gave.

    Returns:
        A line for each, below a head.

    Example:
        >>> row = {"model": "a", "precision": "int8", "bytes": 364000, "input": [224, 288],
        ...        "median": 2.0, "p90": 2.5, "AP50": 0.9, "AP75": 0.5, "recall": 0.8}
        >>> print(format_table([row, {"model": "b", "absent": "not measured: no OpenCV"}]))
        model                         KB  input         ms     p90   AP50   AP75  recall
        a           int8             364  224x288    2.000   2.500  0.900  0.500   0.800
        b           not measured: no OpenCV
    """
    wide = max(10, *(len(row["model"]) for row in rows))
    number = "".join(f"{head:>{size}}" for head, size in (("ms", 9), ("p90", 8)))
    lines = [f"{'model':{wide}}  {'':10}{'KB':>10}  {'input':7}{number}   AP50   AP75  recall"]
    for row in rows:
        if "absent" in row:
            lines.append(f"{row['model']:{wide}}  {row['absent']}")
            continue
        size = f"{row['bytes'] / 1000:.0f}" if "bytes" in row else "–"
        inner = "x".join(map(str, row["input"])) if "input" in row else "–"
        figures = "".join(f"{_figure(row[name]):>7}" for name in ("AP50", "AP75"))
        lines.append(
            f"{row['model']:{wide}}  {row.get('precision') or '–':10}{size:>10}  {inner:7}"
            f"{row['median']:9.3f}{row['p90']:8.3f}{figures}{_figure(row['recall']):>8}"
        )
    return "\n".join(lines)


def _figure(value: float | None) -> str:
    return "–" if value is None or value != value else f"{value:.3f}"


def _names(paths: Sequence[str | os.PathLike]) -> list[str]:
    """The names of the files, or whole paths where two files have one name."""
    names = [pathlib.Path(path).name for path in paths]
    return names if len({*names}) == len(names) else [str(path) for path in paths]


def _facts(name: str, detector: Any) -> dict[str, Any]:
    return {
        "model": name,
        "bytes": detector.path.stat().st_size,
        "precision": detector.about.get("precision"),
        "input": list(detector.config.image_size),
    }

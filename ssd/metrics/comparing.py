"""Evaluations side by side: what differs, how sure that is, and who finds what the other misses."""

import dataclasses
import math
import os
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from ssd.metrics import saving
from ssd.metrics.crops import Crop, draw_crops
from ssd.metrics.figures import choose_threshold, curve_of
from ssd.metrics.judging import Judge, Judgement, wanted_faces
from ssd.metrics.results import DetectorRun, PhotoResult

FIGURES = ("AP50", "AP75", "recall", "mean IoU")
_INTERVAL = (2.5, 97.5)  # percentiles: 95 % lie in between
_CHUNK = 200  # draws held in memory at once
_CELLS = 10_000_000  # likewise, of a table of photos by scores
_OPTIONS = ("min_height", "rule", "false_positives_per_image")


class Difference(NamedTuple):
    """By how much one evaluation differs from another in one figure.

    Attributes:
        value: The second's figure less the first's.
        low: Lower end of its 95 % interval.
        high: Upper end of it.

    Example:
        >>> str(Difference(0.03, 0.01, 0.05)), str(Difference(0.03, -0.01, 0.07))
        ('+0.030 (+0.010 to +0.050)', '+0.030 (-0.010 to +0.070)  could be chance')
    """

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        """The difference, its interval, and whether it can be told from none."""
        sure = "" if self.low > 0 or self.high < 0 else "  could be chance"
        return f"{self.value:+.3f} ({self.low:+.3f} to {self.high:+.3f}){sure}"


@dataclasses.dataclass(frozen=True, eq=False)
class Comparison:
    """Evaluations of the same photos; as text, it is the table that a person reads.

    Attributes:
        names: What the evaluations are called; the first is the one that others are held against.
        photos: Number of photos that all have.
        faces: Boxes that had to be found.
        options: The options that all were measured by.
        figures: For each evaluation its figures by name (`FIGURES`).
        differences: For each but the first, a `Difference` for each of `FIGURES`.
        gained: For each but the first, faces that it finds and the first misses, the largest first.
        lost: Likewise, faces that it misses and the first finds.
        milliseconds: For each evaluation, what a photo takes, where a benchmark was given.
        problems: Lines about what was left out.

    Example:
        >>> figures = dict.fromkeys(FIGURES, 0.5)
        >>> sure = {name: Difference(0.1, 0.05, 0.15) for name in FIGURES}
        >>> options = {"rule": "coco", "false_positives_per_image": 0.1}
        >>> result = Comparison(("old", "new"), 9, 20, options, (figures, figures), (sure,),
        ...                     ([],), ([],), (None, None), ())
        >>> print(str(result).splitlines()[-1].strip())
        new finds 0 faces that old misses, and misses 0 that old finds
    """

    names: tuple[str, ...]
    photos: int
    faces: int
    options: Mapping[str, Any]
    figures: tuple[Mapping[str, float], ...]
    differences: tuple[Mapping[str, Difference], ...]
    gained: tuple[Sequence[Crop], ...]
    lost: tuple[Sequence[Crop], ...]
    milliseconds: tuple[float | None, ...]
    problems: tuple[str, ...]

    def __str__(self) -> str:
        return "\n".join(_text(self))


def compare(
    paths: Sequence[str | os.PathLike[str]],
    *,
    photos: str | os.PathLike[str] | None = None,
    samples: int = 1000,
    seed: int = 0,
) -> Comparison:
    """Join evaluations photo by photo.

    All are measured anew by the options of the first, over the photos that all of them have.
    The intervals come of drawing those photos anew, the same draw for all (a paired bootstrap).

    Args:
        paths: Files of `ssd evaluate --json`, two or more, and any number of files of
            `python -m benchmarks.latency --json`, which belong to the evaluation of the same model.
        photos: Folder of the photos, if they are not where they were.
        samples: How many times photos are drawn.
        seed: Of the draws.

    Returns:
        A `Comparison`.

    Raises:
        FileNotFoundError: If a file is missing.
        ValueError: If a file is none of these, or fewer than two evaluations share a photo.

    Example:
        >>> compare(["a.json", "b.json"])
        Traceback (most recent call last):
        FileNotFoundError: a.json: wanted an evaluation's JSON file, there is none

    Source:
        Efron and Tibshirani: An Introduction to the Bootstrap (1993), 13.
    """
    evaluations, timings = _read(paths)
    names = _names([*evaluations])
    options, problems = _common_options(names, [*evaluations.values()])
    runs = []
    for path, content in evaluations.items():
        try:
            runs.append(saving.read_run(content, photos))
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None
    runs, left_out = join(runs, names)
    tables = [_Tables(run, options) for run in runs]
    figures = [table.figures(np.ones((1, len(table.faces)), np.float32)) for table in tables]
    draws = _resamples(len(runs[0].results), samples, seed)
    drawn = [table.resample(draws) for table in tables]
    found = [_found(run, table.at50, options) for run, table in zip(runs, tables, strict=True)]
    return Comparison(
        names=tuple(names),
        photos=len(runs[0].results),
        faces=int(tables[0].faces.sum()),
        options=options,
        figures=tuple(
            {name: float(values[0]) for name, values in each.items()} for each in figures
        ),
        differences=tuple(
            {
                name: _difference(figures[0][name], each[name], drawn[0][name], own[name])
                for name in FIGURES
            }
            for each, own in zip(figures[1:], drawn[1:], strict=True)
        ),
        gained=tuple(_only(runs[0], own, found[0]) for own in found[1:]),
        lost=tuple(_only(runs[0], found[0], own) for own in found[1:]),
        milliseconds=tuple(_milliseconds(content, timings) for content in evaluations.values()),
        problems=(*problems, *left_out),
    )


def join(runs: Sequence[DetectorRun], names: Sequence[str]) -> tuple[list[DetectorRun], list[str]]:
    """The photos that all runs have, in one order.

    A photo counts if all have the same boxes for it: an evaluation against another truth is
    another question.

    Args:
        runs: What was found.
        names: What to call them.

    Returns:
        (the same runs with those photos only, lines about the others).

    Raises:
        ValueError: If there is no such photo, or the runs are of different classes.

    Example:
        >>> join([DetectorRun([]), DetectorRun([])], ["a", "b"])
        Traceback (most recent call last):
        ValueError: wanted evaluations of the same photos, a and b share none
    """
    first = runs[0]
    if any(run.class_names != first.class_names for run in runs):
        raise ValueError(
            "wanted evaluations of the same classes, got "
            + " and ".join(", ".join(run.class_names) for run in runs)
        )
    tables = [{result.name: result for result in run.results} for run in runs]
    common = [name for name in tables[0] if all(name in table for table in tables)]
    same = [
        name
        for name in common
        if all(_same_truth(tables[0][name], table[name]) for table in tables[1:])
    ]
    if not same:
        what = "share none" if not common else "have other boxes in the truth of each"
        raise ValueError(f"wanted evaluations of the same photos, {' and '.join(names)} {what}")
    lines = [
        f"{name}: {len(table) - len(common)} photos are not in all evaluations and left out"
        for name, table in zip(names, tables, strict=True)
        if len(table) > len(common)
    ]
    if len(same) < len(common):
        lines.append(
            f"{len(common) - len(same)} photos have different boxes in the truths and are left out"
        )
    joined = [
        dataclasses.replace(run, results=[table[name] for name in same])
        for run, table in zip(runs, tables, strict=True)
    ]
    return joined, lines


def draw_sheet(comparison: Comparison, path: str | os.PathLike[str]) -> None:
    """Draw the faces that one finds and the other misses, largest first, into a PNG file.

    Args:
        comparison: What `compare` returned.
        path: PNG file to write.

    Raises:
        ImportError: If matplotlib is missing.
        ValueError: If a photo is not where it was.

    Example:
        >>> draw_sheet(compare(["a.json", "b.json"]), "sheet.png")
        Traceback (most recent call last):
        FileNotFoundError: a.json: wanted an evaluation's JSON file, there is none
    """
    from matplotlib.figure import Figure

    first, *others = comparison.names
    rows = []
    for name, gained, lost in zip(others, comparison.gained, comparison.lost, strict=True):
        rows.append((f"{name} finds, {first} misses ({len(gained)} in all)", gained))
        rows.append((f"{first} finds, {name} misses ({len(lost)} in all)", lost))
    figure = Figure(figsize=(13, 1 + 1.9 * len(rows)), layout="constrained")
    figure.suptitle(
        f"{comparison.photos} photos, {comparison.faces} faces: "
        f"{first} against {', '.join(others)}",
        x=0.01,
        ha="left",
        fontsize=11,
    )
    parts: Any = figure.subfigures(len(rows), 1)
    for part, (title, crops) in zip(np.atleast_1d(parts), rows, strict=True):
        draw_crops(part, title, crops)
    figure.savefig(path, dpi=100)


class _Tables:
    """What a run comes to under any weights of its photos, by matrix products.

    Average precision changes only at the scores of hits. So for each of these scores it is
    enough to know how many hits and how many false positives each photo has from there on.
    """

    def __init__(self, run: DetectorRun, options: Mapping[str, Any]):
        rule, heights = options["rule"], (options["min_height"], math.inf)
        judge_all = Judge(run.results, len(run.class_names))
        self.at50, at75 = (
            judge_all(iou_threshold=level, heights=heights, rule=rule) for level in (0.5, 0.75)
        )
        self.faces = self.at50.faces
        self._allowed = options["false_positives_per_image"]
        self._whole = _points(self.at50)
        classes = range(1, 1 + len(run.class_names))
        self._by_class = [
            [(_points(each.of_class(own)), own) for own in classes] for each in (self.at50, at75)
        ]

    def resample(self, weights: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
        """Each of `FIGURES` for all rows of several arrays of weights."""
        parts = [self.figures(some) for some in weights]
        return {name: np.concatenate([part[name] for part in parts]) for name in FIGURES}

    def figures(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        """Each of `FIGURES` for each row of weights [samples, photos], float [samples]."""
        faces = weights @ self.faces.astype(np.float32)  # [samples, classes]
        ap50, ap75 = (self._mean_precision(parts, weights, faces) for parts in self._by_class)
        right, wrong = self._whole.counts(weights)
        allowed = wrong <= self._allowed * weights.sum(axis=1, keepdims=True) + 1e-3
        recall = (right * allowed).max(axis=1, initial=0) / np.maximum(faces.sum(axis=1), 1)
        hits = self.at50.hits >= 0
        own = weights[:, self.at50.photos[hits]]
        ious = own @ self.at50.ious[hits].astype(np.float32)
        values = ap50, ap75, recall, ious / np.maximum(own.sum(axis=1), 1)
        return dict(zip(FIGURES, values, strict=True))

    @staticmethod
    def _mean_precision(parts, weights, faces):
        """The mean over the classes that have faces, [samples]."""
        averages = np.stack(
            [points.average(weights, faces[:, own - 1]) for points, own in parts], axis=1
        )
        there = faces > 0
        return (averages * there).sum(axis=1) / np.maximum(there.sum(axis=1), 1)


class _Points(NamedTuple):
    """The scores of hits, the highest first: whose hits and false positives come in where."""

    hit_photos: np.ndarray  # int [hits], best score first
    last: np.ndarray  # int [points], the last hit of each distinct score
    false_photos: np.ndarray  # int [false positives], in the order of their points
    false_points: np.ndarray  # int [false positives], the first point that counts each

    def counts(self, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Hits and false positives from the best score to each point, [samples, points]."""
        right = np.cumsum(weights[:, self.hit_photos], axis=1)[:, self.last]
        samples, photos = weights.shape
        wrong = np.empty((samples, len(self.last)), np.float32)
        columns = max(1, _CELLS // max(photos, 1))
        for start in range(0, len(self.last), columns):
            part = wrong[:, start : start + columns]
            low, high = np.searchsorted(self.false_points, (start, start + part.shape[1]))
            new = np.zeros((photos, part.shape[1]), np.float32)
            place = self.false_photos[low:high], self.false_points[low:high] - start
            np.add.at(new, place, 1)
            part[:] = weights @ new
        return right, np.cumsum(wrong, axis=1)

    def average(self, weights: np.ndarray, faces: np.ndarray) -> np.ndarray:
        """Average precision, all points, [samples]."""
        right, wrong = self.counts(weights)
        precision = right / np.maximum(right + wrong, 1e-9)
        envelope = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
        steps = np.diff(right, prepend=0.0, axis=1)
        return (steps * envelope).sum(axis=1) / np.maximum(faces, 1)


def _points(judged: Judgement) -> _Points:
    hits = np.flatnonzero(judged.hits >= 0)
    hits = hits[np.argsort(-judged.scores[hits], kind="stable")]
    scores = judged.scores[hits]
    last = np.flatnonzero(np.append(scores[1:] != scores[:-1], True)[: len(scores)])
    false = np.flatnonzero(judged.hits < 0)
    # A false positive counts from the first of these scores on that is not above its own.
    points = np.searchsorted(-scores[last], -judged.scores[false], side="left")
    order = np.argsort(points, kind="stable")
    order = order[points[order] < len(last)]  # those under all hits change no figure
    return _Points(judged.photos[hits], last, judged.photos[false][order], points[order])


def _read(
    paths: Sequence[str | os.PathLike[str]],
) -> tuple[dict[str, dict[str, Any]], list[dict[str, Any]]]:
    """(evaluations by path, benchmarks of latency)."""
    contents = {str(path): saving.read_evaluation(path) for path in paths}
    kinds = {path: each["kind"] for path, each in contents.items()}
    for path, kind in kinds.items():
        if kind not in (saving.KIND, "latency"):
            raise ValueError(f"{path}: wanted an evaluation or a latency, got {kind!r}")
    evaluations = {path: contents[path] for path, kind in kinds.items() if kind == saving.KIND}
    if len(evaluations) < 2:
        raise ValueError(
            f"wanted two different files of ssd evaluate --json or more, got {len(evaluations)}"
        )
    return evaluations, [contents[path] for path, kind in kinds.items() if kind == "latency"]


def _resamples(photos: int, samples: int, seed: int) -> list[np.ndarray]:
    """How often each photo is drawn: float32 [some samples, photos], a list."""
    random = np.random.default_rng(seed)
    counts = random.multinomial(photos, np.full(photos, 1 / photos), size=samples)
    return [counts[at : at + _CHUNK].astype(np.float32) for at in range(0, samples, _CHUNK)]


def _difference(first, other, drawn_first, drawn_other) -> Difference:
    low, high = np.percentile(drawn_other - drawn_first, _INTERVAL)
    return Difference(float(other[0] - first[0]), float(low), float(high))


def _found(run: DetectorRun, judged: Judgement, options: Mapping[str, Any]) -> list[np.ndarray]:
    """For each photo, which boxes of its truth are hit at the allowed false positives."""
    allowed = options["false_positives_per_image"] * len(run.results)
    threshold = choose_threshold(curve_of(judged), allowed)
    sure = judged.of_rows(judged.scores >= threshold)
    heights = (options["min_height"], math.inf)
    hit = [np.zeros(len(result.boxes), bool) for result in run.results]
    for photo, face in zip(sure.photos, sure.hits, strict=True):
        if face >= 0:
            hit[photo][face] = True
    return [
        own & wanted_faces(result, heights) for own, result in zip(hit, run.results, strict=True)
    ]


def _only(run: DetectorRun, mine: Sequence[np.ndarray], yours: Sequence[np.ndarray]) -> list[Crop]:
    """Faces that one finds and the other does not, the largest first."""
    faces = [
        (box[2] - box[0], result.path, box)
        for result, one, other in zip(run.results, mine, yours, strict=True)
        for box in result.boxes[one & ~other]
    ]
    faces.sort(key=lambda row: -row[0])
    return [Crop(path, box, f"{height:.0f} px") for height, path, box in faces]


def _same_truth(one: PhotoResult, other: PhotoResult) -> bool:
    pairs = ((getattr(one, name), getattr(other, name)) for name in ("class_ids", "ignored"))
    return (
        one.shape == other.shape
        and one.boxes.shape == other.boxes.shape
        and bool(np.allclose(one.boxes, other.boxes, atol=1e-3))
        and all(np.array_equal(mine, yours) for mine, yours in pairs)
    )


def _common_options(
    names: Sequence[str], contents: Sequence[Mapping[str, Any]]
) -> tuple[dict[str, Any], list[str]]:
    """The first's options, and a line about each other that was measured by others."""
    try:
        options = [{name: each["options"][name] for name in _OPTIONS} for each in contents]
    except (KeyError, TypeError) as error:
        raise ValueError(f"wanted the options of each evaluation ({error!r})") from None
    lines = [
        f"{name}: was measured with {_spelt(own)}, and is compared with {_spelt(options[0])}"
        for name, own in zip(names, options, strict=True)
        if own != options[0]
    ]
    return options[0], lines


def _spelt(options: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in options.items())


def _names(paths: Sequence[str]) -> list[str]:
    """The names of the files, or whole paths where two files have one name."""
    stems = [pathlib.Path(path).stem for path in paths]
    return stems if len({*stems}) == len(stems) else list(paths)


def _milliseconds(content: Mapping[str, Any], timings: Sequence[Mapping[str, Any]]) -> float | None:
    """What a photo takes by a benchmark of the same model, on its smallest number of threads."""
    for each in timings:
        if content["model"].get("sha256") == each["model"].get("sha256") is not None:
            threads = each["threads"]
            return float(threads[min(threads, key=int)]["total"]["median"])
    return None


def _text(result: Comparison) -> Iterator[str]:
    """A comparison for a person to read."""
    yield (
        f"{result.photos} photos, {result.faces} faces, recall at "
        f"{result.options['false_positives_per_image']:g} false positives a photo, "
        f"rule {result.options['rule']}"
    )
    timed = any(value is not None for value in result.milliseconds)
    heads = [*FIGURES, *(["ms"] if timed else [])]
    wide = max(map(len, result.names))
    yield " " * wide + "".join(f"  {head:>8}" for head in heads)
    for name, own, spent in zip(result.names, result.figures, result.milliseconds, strict=True):
        cells = [f"{own[head]:.3f}" for head in FIGURES]
        cells += ["–" if spent is None else f"{spent:.2f}"] if timed else []
        yield f"{name:{wide}}" + "".join(f"  {cell:>8}" for cell in cells)
    first, *others = result.names
    for place, name in enumerate(others):
        yield f"{name} less {first}, with 95 % intervals:"
        yield from (
            f"  {head:8}  {difference}" for head, difference in result.differences[place].items()
        )
        yield (
            f"  {name} finds {len(result.gained[place])} faces that {first} misses, "
            f"and misses {len(result.lost[place])} that {first} finds"
        )

"""WIDER FACE's own protocol: average precision of easy, medium and hard faces.

Everything is as in the official evaluation, oddities included, so that figures can be compared:
scores are stretched to [0, 1] over all photos, precision is read at 1,000 of them, and boxes are a
pixel wider and taller than they are.
"""

import os
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from ssd.detect.detections import Detections
from ssd.metrics.results import detect_named

LEVELS = ("easy", "medium", "hard")
IOU = 0.5
_STEPS = 1000  # scores at which precision is read


class WiderPhoto(NamedTuple):
    """A photo of the validation set, and the faces on it.

    Attributes:
        name: Its path inside the folder of photos.
        boxes: float [n, 4] `[ymin, xmin, ymax, xmax]`.
        counted: For each level, int: which boxes are to be found; the others are ignored.

    Example:
        >>> WiderPhoto("0--Parade/a.jpg", np.zeros((0, 4)), {}).name
        '0--Parade/a.jpg'
    """

    name: str
    boxes: np.ndarray
    counted: Mapping[str, np.ndarray]


class WiderFigures(NamedTuple):
    """What `evaluate_wider` measured; as text, one line.

    Attributes:
        photos: Photos.
        precision: Average precision by level.

    Example:
        >>> print(WiderFigures(3226, {"easy": 0.5, "medium": 0.4, "hard": 0.25}))
        WIDER FACE, 3,226 photos: easy 0.500, medium 0.400, hard 0.250
    """

    photos: int
    precision: Mapping[str, float]

    def __str__(self) -> str:
        levels = ", ".join(f"{level} {value:.3f}" for level, value in self.precision.items())
        return f"WIDER FACE, {self.photos:,} photos: {levels}"


def read_wider_truth(folder: str | os.PathLike) -> list[WiderPhoto]:
    """The photos and faces of the official evaluation's files.

    Args:
        folder: With `wider_face_val.mat` and `wider_easy_val.mat`, `wider_medium_val.mat` and
            `wider_hard_val.mat` (`ground_truth/` of its tools).

    Returns:
        The photos.

    Raises:
        FileNotFoundError: If one of the files is not there.
        ValueError: If one is no such file.
        ImportError: If SciPy is not installed.

    Example:
        >>> read_wider_truth("nowhere")
        Traceback (most recent call last):
        FileNotFoundError: nowhere/wider_face_val.mat: wanted a file of WIDER's evaluation, there \
is none
    """
    folder = pathlib.Path(folder)
    faces = _load(folder / "wider_face_val.mat", "event_list", "file_list", "face_bbx_list")
    levels = {level: _load(folder / f"wider_{level}_val.mat", "gt_list")[0] for level in LEVELS}
    photos = []
    try:
        for place, (event, names, boxes) in enumerate(zip(*faces, strict=True)):
            for number, name in enumerate(_cells(names)):
                x, y, width, height = np.asarray(_cells(boxes)[number], float).reshape(-1, 4).T
                chosen = {level: _cells(lists[place])[number] for level, lists in levels.items()}
                photos.append(
                    WiderPhoto(
                        f"{_text(event)}/{_text(name)}.jpg",
                        np.stack([y, x, y + height, x + width], axis=1),
                        {
                            level: np.asarray(each, int).ravel() - 1
                            for level, each in chosen.items()
                        },
                    )
                )
    except (IndexError, ValueError, TypeError) as error:
        raise ValueError(f"{folder}: wanted files of WIDER's evaluation ({error})") from None
    return photos


def evaluate_wider(
    detector: Callable[..., Detections],
    photos: str | os.PathLike,
    truth: str | os.PathLike,
    **limits: Any,
) -> WiderFigures:
    """Average precision by WIDER's protocol.

    Args:
        detector: An `ssd.Detector`.
        photos: Folder of the validation photos (`WIDER_val/images`).
        truth: As for `read_wider_truth`.
        **limits: Of what is judged, as `ssd.metrics.results.detect_named` takes them.

    Returns:
        `WiderFigures`.

    Raises:
        FileNotFoundError: If a file or photo is not there.
        ValueError: If one is not what it should be.
        ImportError: If SciPy is not installed.

    Example:
        >>> try:
        ...     evaluate_wider(print, "photos", "nowhere")
        ... except FileNotFoundError as error:
        ...     print("wanted a file of WIDER's evaluation" in str(error))
        True
    """
    named = read_wider_truth(truth)
    names = [photo.name for photo in named]
    found = [each for each, _ in detect_named(detector, photos, names, **limits)]
    return WiderFigures(len(named), {each: wider_precision(named, found, each) for each in LEVELS})


def wider_precision(photos: Sequence[WiderPhoto], found: Sequence[Detections], level: str) -> float:
    """Average precision of one level.

    Args:
        photos: The photos.
        found: What was found in each, best first.
        level: "easy", "medium" or "hard".

    Returns:
        In [0, 1].

    Example:
        >>> box = np.array([[10.0, 10, 50, 50]])
        >>> photo = WiderPhoto("a.jpg", box, {"easy": np.array([0])})
        >>> nothing = Detections(box[:0], np.zeros(0), np.zeros(0, int))
        >>> wider_precision([photo], [nothing], "easy")
        0.0

    Source:
        Yang et al.: WIDER FACE: A Face Detection Benchmark (2016); `wider_eval.m` of its tools.
    """
    scores = np.concatenate([each.scores for each in found] or [np.zeros(0)]).astype(float)
    if not len(scores):
        return 0.0
    low, span = scores.min(), np.ptp(scores) or 1.0
    faces, curve = 0, np.zeros((_STEPS, 2))  # boxes that count, and faces found, at each score
    for photo, each in zip(photos, found, strict=True):
        counted = photo.counted[level]
        faces += len(counted)
        if len(photo.boxes) and len(each):
            is_counted = np.isin(np.arange(len(photo.boxes)), counted)
            hits, proposals = judge_photo(each.boxes, photo.boxes, is_counted)
            curve += _at_each_score((each.scores - low) / span, hits, proposals)
    precision = np.divide(curve[:, 1], curve[:, 0], out=np.zeros(_STEPS), where=curve[:, 0] > 0)
    return _area(precision, curve[:, 1] / max(faces, 1))


def judge_photo(
    found: np.ndarray, truth: np.ndarray, counted: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """How many faces are found, box by box, and which boxes count.

    Each box goes to the face that it overlaps most, be that taken or not. From an IoU of 0.5 on it
    finds that face; where the face is ignored, the box does not count. A second box on a face is
    a false positive.

    Args:
        found: [n, 4], best first.
        truth: [m, 4].
        counted: bool [m], which faces are not ignored.

    Returns:
        int [n], faces found so far; and bool [n].

    Example:
        >>> box = np.array([[10.0, 10, 50, 50]])
        >>> judge_photo(np.repeat(box, 2, axis=0), box, np.array([True]))
        (array([1, 1]), array([ True,  True]))
    """
    overlap = _overlap(np.asarray(found, float), truth)
    best = overlap.argmax(axis=1)
    reached = overlap[np.arange(len(found)), best] >= IOU
    proposals = ~(reached & ~counted[best])
    is_first = np.zeros(len(found), bool)
    hits = np.flatnonzero(reached & counted[best])
    is_first[hits[np.unique(best[hits], return_index=True)[1]]] = True
    return np.cumsum(is_first), proposals


def _overlap(found: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """IoU of boxes that take in the pixel at their end."""
    low = np.maximum(found[:, None, :2], truth[:, :2])
    high = np.minimum(found[:, None, 2:], truth[:, 2:])
    shared = np.clip(high - low + 1, 0, None).prod(axis=-1)
    areas = [(boxes[:, 2:] - boxes[:, :2] + 1).prod(axis=-1) for boxes in (found, truth)]
    return shared / (areas[0][:, None] + areas[1] - shared)


def _at_each_score(scores: np.ndarray, hits: np.ndarray, proposals: np.ndarray) -> np.ndarray:
    """(boxes that count, faces found) of what scores so much or more: [steps, 2]."""
    limits = 1 - np.arange(1, _STEPS + 1) / _STEPS
    reached = np.searchsorted(-scores, -limits, side="right")  # scores fall
    counts = np.stack([np.cumsum(proposals), hits], axis=1)
    return np.concatenate([np.zeros((1, 2)), counts])[reached]


def _area(precision: np.ndarray, recall: np.ndarray) -> float:
    """The area under precision over recall, precision being the best at that recall or more."""
    envelope = np.maximum.accumulate(np.append(precision, 0)[::-1])[::-1]
    steps = np.diff(np.concatenate([[0.0], recall, [1.0]]))
    return float((steps * envelope).sum())


def _load(path: pathlib.Path, *names: str) -> list[Any]:
    from scipy import io

    if not path.is_file():
        raise FileNotFoundError(f"{path}: wanted a file of WIDER's evaluation, there is none")
    try:
        content = io.loadmat(path)
        return [_cells(content[name]) for name in names]
    except (KeyError, ValueError, TypeError, NotImplementedError) as error:
        raise ValueError(f"{path}: wanted a file of WIDER's evaluation ({error})") from None


def _cells(value: Any) -> list[Any]:
    """The cells of a column."""
    cells = np.asarray(value, object).ravel().tolist()
    # SciPy wraps a column of cells that is itself in a cell.
    while len(cells) == 1 and isinstance(cells[0], np.ndarray) and cells[0].dtype == object:
        cells = cells[0].ravel().tolist()
    return cells


def _text(value: Any) -> str:
    return str(np.asarray(value).ravel()[0])

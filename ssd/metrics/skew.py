"""How a device's captured photos differ from the training photos, and what may be the cause."""

import dataclasses
import io
import itertools
import os
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from PIL import Image

from ssd.config import Config
from ssd.detect.capture import captures as read_captures
from ssd.detect.detector import Detector
from ssd.metrics.photo_measures import measure_photo
from ssd.photos.letterbox import letterbox, letterbox_scale

LEAST = 20  # values on each side, without which nothing is said
_PHOTOS = 1000  # of the training photos: more move no median
_SHIFT, _DISTANCE = 0.7, 0.25  # both must be reached before a difference is worth a word


class Measure(NamedTuple):
    """What is compared.

    Attributes:
        unit: What its values are.
        least_spread: The least spread that training photos are taken to have.
        less: What captures are called that have less of it; None where that is nothing to mend.
        more: Likewise, that have more.

    Example:
        >>> MEASURES["noise"].more
        'noisy'
    """

    unit: str
    least_spread: float
    less: str | None
    more: str | None


MEASURES = {
    "brightness": Measure("mean gray, 0 to 255", 5, "dark", "bright"),
    "contrast": Measure("(light - dark) / (light + dark)", 0.05, "flat", None),
    "shadows": Measure("share of pixels under a third of the mean", 0.02, None, "in hard shadows"),
    "backlight": Measure("surroundings over face, in stops", 0.2, None, "backlit"),
    "sharpness": Measure("fine over coarse differences, in octaves", 0.1, "blurred", None),
    "noise": Measure("gray levels, standard deviation", 0.5, None, "noisy"),
    "face size": Measure(
        "share of the input's long side", 0.01, "faces too small", "faces too large"
    ),
    "score": Measure("of faces found", 0.02, "faces doubted", None),
}
# What follows from a cause is named after it, however large it is.
_EXPLAINS = {
    # Silhouettes are coarse differences, beside which the fine ones count for less.
    "backlit": ("dark", "bright", "flat", "in hard shadows", "blurred"),
    "noisy": ("in hard shadows",),
}
_ADVICE = {
    "dark": "The room or the exposure is darker than in training.",
    "bright": "The camera overexposes, or the light is stronger than in training.",
    "flat": "Haze, a dirty lens or a veiled one takes the contrast.",
    "in hard shadows": "Light comes from one side.",
    "backlit": "The faces stand before a window or a lamp: turn the camera, or light the faces.",
    "blurred": "The lens is out of focus or dirty, or the exposure is too long for what moves.",
    "noisy": "The sensor's gain is high: more light, or a longer exposure.",
    "faces too small": "People stand farther away than in training.",
    "faces too large": "People stand nearer than in training.",
    "faces doubted": "The model is less sure of these faces than of those it was trained on.",
}


class MeasureSkew(NamedTuple):
    """One measure on both sides.

    Attributes:
        name: One of `MEASURES`.
        training: Its values in the training photos, float [n].
        captured: Its values in the captures, float [m].
        shift: By how much the median of the captures lies above that of training, in units of
            the training photos' spread (half of what the middle 68 % of them cover). NaN
            where there are fewer than `LEAST` values on a side.
        distance: Greatest difference of the two cumulative distributions (Kolmogorov-Smirnov),
            in [0, 1]; NaN likewise.
        cause: What is wrong with the captures in one or two words, or None.

    Example:
        >>> dark = MeasureSkew("brightness", np.arange(99.0), np.zeros(30), -1.5, 0.9, "dark")
        >>> _row(dark)
        'brightness        49         0    -1.5      0.90      30  dark'
    """

    name: str
    training: np.ndarray
    captured: np.ndarray
    shift: float
    distance: float
    cause: str | None


@dataclasses.dataclass(frozen=True, eq=False)
class Skew:
    """What `find_skew` found; as text, it is the report that a person reads.

    Attributes:
        photos: Training photos measured.
        captures: Captures measured.
        faceless: Captures in which nothing was found.
        measures: A `MeasureSkew` for each of `MEASURES`.

    Example:
        >>> dark = MeasureSkew("brightness", np.arange(99.0), np.zeros(30), -1.5, 0.9, "dark")
        >>> str(Skew(99, 30, 0, [dark])).splitlines()[-1].split(" The room")[0]
        'Captures are dark: brightness 0, in training 49.'
    """

    photos: int
    captures: int
    faceless: int
    measures: list[MeasureSkew]

    @property
    def causes(self) -> list[str]:
        """Why the captures differ from the training photos, the most telling first."""
        named, explained = self._split_causes()
        return named + explained

    def _split_causes(self) -> tuple[list[str], list[str]]:
        """Causes that stand alone, and those that others may explain."""
        wrong = sorted(self.measures, key=lambda each: -abs(each.shift))
        named = [each.cause for each in wrong if each.cause]
        explained = [
            each for each in named if any(each in _EXPLAINS.get(other, ()) for other in named)
        ]
        return [each for each in named if each not in explained], explained

    def __str__(self) -> str:
        lines = [
            f"{self.captures} captures ({self.faceless} without a face) against "
            f"{self.photos} training photos",
            "",
            f"{'':10}{'training':>10}{'captures':>10}{'shift':>8}{'distance':>10}{'values':>8}",
            *map(_row, self.measures),
            "",
            *self._sentences(),
        ]
        return "\n".join(lines)

    def _sentences(self) -> Iterator[str]:
        if self.captures < LEAST:
            yield f"Too few captures to say anything: {LEAST} or more are wanted."
            return
        named, explained = self._split_causes()
        by_cause = {each.cause: each for each in self.measures}
        for cause in named + explained:
            each = by_cause[cause]
            before, now = np.median(each.training), np.median(each.captured)
            what = cause if cause.startswith("faces") else f"captures are {cause}"
            why = "What was named before may explain it." if cause in explained else _ADVICE[cause]
            yield f"{what.capitalize()}: {each.name} {now:.3g}, in training {before:.3g}. {why}"
        if not by_cause.keys() - {None}:
            yield "Nothing tells the captures from the training photos."
        unknown = [m.name for m in self.measures if np.isnan(m.shift) and m.name != "score"]
        if unknown:
            yield f"Too few faces to compare: {', '.join(unknown)}."


def _row(each: MeasureSkew) -> str:
    """A measure as a line of the table."""
    cells = [
        f"{np.median(values):>10.3g}" if len(values) else f"{'-':>10}"
        for values in (each.training, each.captured)
    ]
    known = not np.isnan(each.shift)
    cells.append(f"{each.shift:>+8.1f}{each.distance:>10.2f}" if known else f"{'-':>8}{'-':>10}")
    cause = f"  {each.cause}" if each.cause else ""
    return f"{each.name:10}{''.join(cells)}{len(each.captured):>8}{cause}"


def find_skew(
    labels: str | os.PathLike[str],
    captures: str | os.PathLike[str],
    *,
    detector: Detector | None = None,
) -> Skew:
    """Compare training photos, as the model takes them, with what a device captured.

    Frames of one video are much alike: a hundred captures of one minute say less than a
    hundred of a week.

    Args:
        labels: Folder of labels that `distill` or `ssd import` wrote.
        captures: Folder of a `CaptureLog`, or a copy of it.
        detector: The `ssd.Detector` of the device. With it, scores are compared too, and
            faces of the training photos are those it finds, not the labeled ones.

    Returns:
        A `Skew`.

    Raises:
        FileNotFoundError: If a folder is missing.
        ValueError: If a folder holds something else, or the detector takes another input than
            the one that was captured.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     find_skew("labels", folder)  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        ValueError: ...: wanted a folder of a CaptureLog, found no capture in it
    """
    frames = [*read_captures(captures)]
    config = Config(image_size=_input_size(frames, captures, detector))
    training = [_measure(*each, config) for each in _training(labels, config, detector)]
    captured = [
        _measure(frame.image, frame.shape, frame.found.boxes, frame.found.scores, config)
        for frame in frames
    ]
    before, now = _gather(training), _gather(captured)
    if detector is None:
        before["score"] = []  # a labeler's scores are not the model's
    return Skew(
        photos=len(training),
        captures=len(frames),
        faceless=sum(not len(frame.found) for frame in frames),
        measures=[_compare(name, before[name], now[name], len(frames)) for name in MEASURES],
    )


def _input_size(frames, folder, detector: Detector | None) -> tuple[int, int]:
    """Size of the model's input that all frames have."""
    sizes = {frame.image.shape[:2] for frame in frames}
    if len(sizes) > 1:
        raise ValueError(f"{folder}: wanted captures of one model, their sizes are {sorted(sizes)}")
    (size,) = sizes
    if detector is not None and detector.config.image_size != size:
        raise ValueError(
            f"{folder}: wanted captures {list(detector.config.image_size)} as the model takes "
            f"them, these are {list(size)}"
        )
    return size


def _training(
    labels: str | os.PathLike[str], config: Config, detector: Detector | None
) -> Iterator[tuple[np.ndarray, tuple[int, int], np.ndarray, np.ndarray]]:
    """(image, shape of the photo, boxes, scores) of training photos, as the model takes them."""
    from ssd.data import records

    every = max(1, records.count(labels) // _PHOTOS)
    for photo in itertools.islice(records.read(labels), 0, None, every):
        with Image.open(io.BytesIO(photo.encoded)) as opened:
            pixels = np.asarray(opened.convert("RGB"))
        height, width = pixels.shape[:2]
        if detector is None:
            faces = photo.class_ids != records.IGNORE
            boxes, scores = photo.boxes[faces] * np.tile([height, width], 2), photo.scores[faces]
        else:
            boxes, scores, _ = detector(pixels)
        yield letterbox(pixels, config), (height, width), boxes, scores


def _measure(
    image: np.ndarray, shape: tuple[int, int], boxes: np.ndarray, scores: ArrayLike, config: Config
) -> dict[str, list[float]]:
    """All measures of an input image of the model; boxes are in pixels of the photo it shows."""
    height, width = config.fit(*shape)
    boxes = boxes / np.tile(letterbox_scale(*shape, config), 2)
    sizes = np.sqrt((boxes[:, 2:] - boxes[:, :2]).prod(axis=1)) / max(config.image_size)
    return {
        **measure_photo(image[:height, :width], boxes),
        "face size": sizes.tolist(),
        "score": np.asarray(scores).tolist(),
    }


def _gather(rows: Iterable[dict[str, list[float]]]) -> dict[str, list[float]]:
    """The values of all photos, name by name."""
    gathered: dict[str, list[float]] = {name: [] for name in MEASURES}
    for row in rows:
        for name, values in row.items():
            gathered[name] += values
    return gathered


def _compare(name: str, training: ArrayLike, captured: ArrayLike, frames: int) -> MeasureSkew:
    training, captured = np.asarray(training, float), np.asarray(captured, float)
    if min(len(training), len(captured), frames) < LEAST:
        return MeasureSkew(name, training, captured, np.nan, np.nan, None)
    measure = MEASURES[name]
    low, middle, high = np.percentile(training, (16, 50, 84))
    shift = (np.median(captured) - middle) / max((high - low) / 2, measure.least_spread)
    distance = _distance(training, captured)
    # What two samples of one kind hardly ever reach: 1.63 is Kolmogorov's 1 % point.
    chance = 1.63 * np.sqrt(1 / len(training) + 1 / len(captured))
    differs = abs(shift) >= _SHIFT and distance >= max(_DISTANCE, chance)
    cause = (measure.more if shift > 0 else measure.less) if differs else None
    return MeasureSkew(name, training, captured, float(shift), distance, cause)


def _distance(a: np.ndarray, b: np.ndarray) -> float:
    """The statistic of Kolmogorov and Smirnov of two samples."""
    points = np.concatenate([a, b])
    below = [np.searchsorted(np.sort(each), points, side="right") / len(each) for each in (a, b)]
    return float(np.abs(below[0] - below[1]).max())

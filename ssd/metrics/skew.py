"""Where the photos a model was trained on and the frames a device captures part."""

import dataclasses
import io
import itertools
from typing import NamedTuple

import numpy as np
from PIL import Image

from ssd.config import Config
from ssd.detect.capture import captures
from ssd.photos.letterbox import letterbox

LEAST = 20  # values on each side, without which nothing is said
_PHOTOS = 1000  # of the training photos: more move no median
_SHIFT, _DISTANCE = 0.7, 0.25  # both must be reached before a difference is worth a word

# What is measured: its unit, the least spread that training photos are taken to have, and what
# captures are called that have less or more of it; None where that is nothing to mend.
MEASURES = {
    "brightness": ("mean gray, 0 to 255", 5, "dark", "bright"),
    "contrast": ("(light - dark) / (light + dark)", 0.05, "flat", None),
    "shadows": ("share of pixels under a third of the mean", 0.02, None, "in hard shadows"),
    "backlight": ("surroundings over face, in stops", 0.2, None, "backlit"),
    "sharpness": ("fine over coarse differences, in octaves", 0.1, "blurred", None),
    "noise": ("gray levels, standard deviation", 0.5, None, "noisy"),
    "face size": ("share of the input's long side", 0.01, "faces too small", "faces too large"),
    "score": ("of faces found", 0.02, "faces doubted", None),
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


class Part(NamedTuple):
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
    """

    name: str
    training: np.ndarray
    captured: np.ndarray
    shift: float
    distance: float
    cause: str | None


@dataclasses.dataclass(frozen=True, eq=False)
class Skew:
    """What `skew` found; as text, it is the report that a person reads.

    Attributes:
        photos: Training photos looked at.
        captures: Captures looked at.
        faceless: Captures in which nothing was found.
        parts: A `Part` for each of `MEASURES`.
    """

    photos: int
    captures: int
    faceless: int
    parts: list[Part]

    @property
    def causes(self):
        """Why the captures differ from the training photos, the most telling first."""
        named, explained = self._named()
        return named + explained

    def _named(self):
        """Causes that stand alone, and those that others may explain."""
        wrong = sorted((part for part in self.parts if part.cause), key=lambda p: -abs(p.shift))
        named = [part.cause for part in wrong]
        explained = [
            each for each in named if any(each in _EXPLAINS.get(other, ()) for other in named)
        ]
        return [each for each in named if each not in explained], explained

    def __str__(self):
        lines = [
            f"{self.captures} captures ({self.faceless} without a face) against "
            f"{self.photos} training photos",
            "",
            f"{'':10}{'training':>10}{'captures':>10}{'shift':>8}{'distance':>10}{'values':>8}",
        ]
        for part in self.parts:
            known = [np.median(v) if len(v) else np.nan for v in (part.training, part.captured)]
            figures = "".join("         -" if np.isnan(v) else f"{v:>10.3g}" for v in known)
            if np.isnan(part.shift):
                compared = f"{'-':>8}{'-':>10}"
            else:
                compared = f"{part.shift:>+8.1f}{part.distance:>10.2f}"
            lines.append(
                f"{part.name:10}{figures}{compared}{len(part.captured):>8}"
                + (f"  {part.cause}" if part.cause else "")
            )
        lines += ["", *self._words()]
        return "\n".join(lines)

    def _words(self):
        if self.captures < LEAST:
            yield f"Too few captures to say anything: {LEAST} or more are wanted."
            return
        _, explained = self._named()
        for cause in self.causes:
            part = next(part for part in self.parts if part.cause == cause)
            before, now = np.median(part.training), np.median(part.captured)
            what = cause if cause.startswith("faces") else f"captures are {cause}"
            yield (
                f"{what.capitalize()}: {part.name} {now:.3g}, in training {before:.3g}. "
                + (
                    "What was named before may explain it."
                    if cause in explained
                    else _ADVICE[cause]
                )
            )
        if not self.causes:
            yield "Nothing tells the captures from the training photos."
        unknown = [p.name for p in self.parts if np.isnan(p.shift) and p.name != "score"]
        if unknown:
            yield f"Too few faces to compare: {', '.join(unknown)}."


def skew(labels, seen, *, detector=None):
    """Compare training photos, as the model takes them, with what a device captured.

    Frames of one video are much alike: a hundred captures of one minute say less than a
    hundred of a week.

    Args:
        labels: Folder of labels that `python -m distill` wrote.
        seen: Folder of a `CaptureLog`, or a copy of it.
        detector: The `ssd.Detector` of the device. With it, scores are compared too, and
            faces of the training photos are those it finds, not the labelled ones.

    Returns:
        A `Skew`.

    Raises:
        ValueError: If a folder is missing or holds something else, or the detector takes
            another input than the one that was captured.
    """
    frames = [*captures(seen)]
    sizes = {frame.image.shape[:2] for frame in frames}
    if len(sizes) > 1:
        raise ValueError(f"{seen}: wanted captures of one model, their sizes are {sorted(sizes)}")
    (size,) = sizes
    if detector is not None and detector.config.image_size != size:
        raise ValueError(
            f"{seen}: wanted captures {list(detector.config.image_size)} as the model takes them, "
            f"these are {list(size)}"
        )
    config = Config(image_size=size)
    photos = [_measured(*each, config) for each in _training(labels, config, detector)]
    training = _gather(photos)
    captured = _gather(
        _measured(frame.image, frame.shape, frame.found.boxes, frame.found.scores, config)
        for frame in frames
    )
    if detector is None:
        training["score"] = []  # a labeller's scores are not the model's
    return Skew(
        photos=len(photos),
        captures=len(frames),
        faceless=sum(not frame.found for frame in frames),
        parts=[_compare(name, training[name], captured[name], len(frames)) for name in MEASURES],
    )


def measure(image, boxes):
    """The measures of one photo and of the faces in it.

    Args:
        image: uint8 [height, width, 3], without the black that a letterbox adds.
        boxes: [n, 4] `[ymin, xmin, ymax, xmax]` in its pixels.

    Returns:
        A dictionary from names of `MEASURES` (without size and score) to lists of values:
        one of the photo, or one of each face.

    Example:
        >>> gray = measure(np.full((64, 64, 3), 100, np.uint8), [])
        >>> round(gray["brightness"][0]), gray["noise"], gray["backlight"]
        (100, [0.0], [])
    """
    gray = image.astype(np.float32) @ np.float32([0.299, 0.587, 0.114])
    mean = float(gray.mean())
    dark, light = np.percentile(gray, (5, 95))
    # A factor on the light changes none of the ratios.
    fine, coarse = _difference(gray, 1), _difference(gray, 4)
    return {
        "brightness": [mean],
        "contrast": [float((light - dark) / max(light + dark, 1))],
        "shadows": [float((gray < mean / 3).mean())],
        "backlight": [value for box in boxes if (value := _backlight(gray, box)) is not None],
        "sharpness": [float(np.log2((fine + 0.05) / (coarse + 0.05)))],
        "noise": [_noise(gray)],
    }


def draw(found, path):
    """Draw both distributions of each measure into an image file; what differs stands out.

    Args:
        found: A `Skew`.
        path: File to write; the name's ending says which format.

    Raises:
        ImportError: If matplotlib is missing.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 6), layout="constrained")
    figure.suptitle(
        f"{found.captures} captures against {found.photos} training photos: "
        + (", ".join(found.causes) or "nothing differs")
    )
    for part, axes in zip(found.parts, figure.subplots(2, 4).flat, strict=True):
        both = np.concatenate([part.training, part.captured])
        axes.set_title(f"{part.name}: {part.cause}" if part.cause else part.name)
        axes.set(xlabel=MEASURES[part.name][0], yticks=[])
        if not len(both):
            axes.text(0.5, 0.5, "not compared", ha="center", transform=axes.transAxes)
            continue
        low, high = np.percentile(both, (0.5, 99.5))
        bins = np.linspace(low, max(high, low + MEASURES[part.name][1]), 25)
        sides = ((part.training, "tab:gray", "training"), (part.captured, "tab:blue", "captures"))
        for values, colour, name in sides:
            if not len(values):
                continue
            if name == "captures" and part.cause:
                colour = "tab:red"
            weights = np.full(len(values), 1 / len(values))
            inside = np.clip(values, low, high)
            axes.hist(inside, bins, weights=weights, color=colour, alpha=0.5, label=name)
            axes.axvline(np.median(values), color=colour, linewidth=2)
        axes.legend(loc="upper right", fontsize="small")
    figure.savefig(path, dpi=100)


def _training(folder, config, detector):
    """(image, shape of the photo, boxes, scores) of training photos, as the model takes them."""
    from ssd.data import records

    every = max(1, records.count(folder) // _PHOTOS)
    for photo in itertools.islice(records.read(folder), 0, None, every):
        with Image.open(io.BytesIO(photo.encoded)) as opened:
            pixels = np.asarray(opened.convert("RGB"))
        if detector is None:
            faces = photo.class_ids > 0
            boxes, scores = photo.boxes[faces] * np.tile(pixels.shape[:2], 2), photo.scores[faces]
        else:
            boxes, scores, _ = detector(pixels)
        yield letterbox(pixels, config), pixels.shape[:2], boxes, scores


def _measured(image, shape, boxes, scores, config):
    """All measures of an input image of the model; boxes are in pixels of the photo it shows."""
    height, width = inner = config.fit(*shape)
    boxes = boxes * np.tile(np.divide(inner, shape), 2)
    sizes = np.sqrt((boxes[:, 2:] - boxes[:, :2]).prod(axis=1)) / max(config.image_size)
    return {
        **measure(image[:height, :width], boxes),
        "face size": sizes.tolist(),
        "score": np.asarray(scores).tolist(),
    }


def _gather(rows):
    """The values of all photos, name by name."""
    gathered = {name: [] for name in MEASURES}
    for row in rows:
        for name, values in row.items():
            gathered[name] += values
    return gathered


def _compare(name, training, captured, frames):
    training, captured = np.array(training, float), np.array(captured, float)
    if min(len(training), len(captured), frames) < LEAST:
        return Part(name, training, captured, np.nan, np.nan, None)
    _, least, less, more = MEASURES[name]
    low, middle, high = np.percentile(training, (16, 50, 84))
    shift = (np.median(captured) - middle) / max((high - low) / 2, least)
    distance = _distance(training, captured)
    # What two samples of one kind hardly ever reach: 1.63 is Kolmogorov's 1 % point.
    chance = 1.63 * np.sqrt(1 / len(training) + 1 / len(captured))
    differs = abs(shift) >= _SHIFT and distance >= max(_DISTANCE, chance)
    cause = (more if shift > 0 else less) if differs else None
    return Part(name, training, captured, float(shift), distance, cause)


def _distance(a, b):
    """The statistic of Kolmogorov and Smirnov of two samples."""
    points = np.concatenate([a, b])
    below = [np.searchsorted(np.sort(each), points, side="right") / len(each) for each in (a, b)]
    return float(np.abs(below[0] - below[1]).max())


def _difference(gray, step):
    """Mean difference of pixels `step` apart, along rows and columns."""
    rows, columns = gray[step:] - gray[:-step], gray[:, step:] - gray[:, :-step]
    return (np.abs(rows).mean() + np.abs(columns).mean()) / 2 if min(gray.shape) > step else 0.0


def _noise(gray):
    """Standard deviation of the noise, read where the photo is flattest.

    The mask is blind to edges that run straight and to slopes (Immerkær: Fast Noise Variance
    Estimation, 1996); of blocks of 8 x 8 pixels, the quietest tenth has the least texture.
    """
    rows = gray[:-2] - 2 * gray[1:-1] + gray[2:]
    mask = rows[:, :-2] - 2 * rows[:, 1:-1] + rows[:, 2:]
    height, width = (side // 8 * 8 for side in mask.shape)
    if not height * width:
        return 0.0
    blocks = np.abs(mask[:height, :width]).reshape(height // 8, 8, width // 8, 8)
    return float(np.percentile(blocks.mean(axis=(1, 3)), 10) * np.sqrt(np.pi / 2) / 6)


def _backlight(gray, box):
    """How much lighter it is beside and above a face than in it, in stops; None for no answer."""
    top, left, bottom, right = box
    tall, wide = bottom - top, right - left

    def cut(grow_up, grow_down, grow_aside):
        rows = slice(max(0, round(top - grow_up * tall)), round(bottom + grow_down * tall))
        columns = slice(max(0, round(left - grow_aside * wide)), round(right + grow_aside * wide))
        return gray[rows, columns]

    # Below it are the shoulders, which stand in the same light as the face.
    face, near, around = cut(-0.2, -0.2, -0.2), cut(0.2, 0, 0.2), cut(0.8, 0, 1.2)
    beside = around.size - near.size
    if face.size < 9 or beside < face.size:
        return None
    surroundings = (around.sum() - near.sum()) / beside
    return float(np.log2((surroundings + 4) / (face.mean() + 4)))

"""Photo in, boxes out, on NumPy and a LiteRT runtime alone."""

import copy
import dataclasses
import functools
import math
import os
import pathlib
from collections.abc import Sequence
from concurrent import futures

import numpy as np
from numpy.typing import ArrayLike

from ssd.boxes import iou
from ssd.config import Config
from ssd.detect.detections import Detections
from ssd.detect.limits import check_count, check_share
from ssd.detect.litert import LiteRTModel
from ssd.detect.onnx import ONNXModel
from ssd.detect.open_model import Model
from ssd.detect.rescaling import Rescaled
from ssd.detect.suppression import nms, vote
from ssd.photos.letterbox import check_photo, letterbox, letterbox_scale
from ssd.processors import processors
from ssd.shipped import NAMES, SHIPPED

_CANDIDATES = 4  # before suppression, for each box that is asked for
SUPPRESSIONS = ("vote", "nms")


class Detector:
    """What `ssd.Detector` is where there is no Keras: that one opens Keras models, too.

    Args:
        model: A `.tflite` or `.onnx` file that `ssd.export` wrote, a `Model` that is open, or the
            name of a model that ships: "face", which is the default, or "smile".
        threads: As for `ssd.Detector`.
        portable: As for `ssd.Detector`.
        suppression: As for `ssd.Detector`.

    Attributes:
        path, config, anchors, about: As those of `ssd.Detector`.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is no model, or a model without what `ssd.export` adds.
        ImportError: If no runtime of the file's format is installed.

    Example:
        >>> import matplotlib.cbook
        >>> import ssd
        >>> portrait = matplotlib.cbook.get_sample_data("grace_hopper.jpg", asfileobj=False)
        >>> found = Detector()(ssd.read_photo(portrait))
        >>> len(found), bool(found.scores[0] > 0.9)
        (1, True)
        >>> ymin, xmin, ymax, xmax = found.boxes[0]
        >>> bool(100 < ymin < 180 and 320 < ymax < 380)
        True
    """

    def __init__(
        self,
        model: str | os.PathLike | Model | None = None,
        *,
        threads: int = 1,
        portable: bool = False,
        suppression: str = "vote",
    ) -> None:
        if suppression not in SUPPRESSIONS:
            raise ValueError(f"suppression: wanted vote or nms, got {suppression!r}")
        check_count("threads", threads)
        if model is None or (isinstance(model, str) and model in NAMES):
            model = _find_shipped(model or NAMES[0])
        if isinstance(model, str | os.PathLike):
            if pathlib.Path(model).suffix.lower() == ".onnx":
                model = ONNXModel(model, threads=threads)
            else:
                model = LiteRTModel(model, threads=threads, portable=portable)
        self._model: Model = model
        self.threads, self.portable, self.suppression = threads, portable, suppression
        self.path: pathlib.Path | None = getattr(model, "path", None)
        self.about, self.anchors = self._model.about, self._model.anchors
        self.config = Config.from_dict(self.about["config"])
        self._variances = np.array(self.about["variances"], np.float32)
        corners = self.anchors.reshape(-1, 2, 2) * np.array(self.config.image_size, np.float32)
        self._centers = corners.mean(axis=1)  # [anchors, 2], pixels of the input
        self._sizes = corners[:, 1] - corners[:, 0]  # [anchors, 2]
        # Which classes are of one kind, bool [kinds, classes], and the kind of each class.
        roots, self._kind_of = np.unique(self.config.roots, return_inverse=True)
        self._members = np.array(self.config.roots) == roots[:, None]

    def __repr__(self) -> str:
        return f"Detector({self._model}, threads={self.threads})"

    def __call__(
        self,
        photo: ArrayLike,
        *,
        score_threshold: float | None = None,
        iou_threshold: float = 0.45,
        max_detections: int | None = None,
    ) -> Detections:
        """Find what the model knows in one photo.

        Args:
            photo: uint8 [height, width, 3], RGB, of any size.
            score_threshold: Least score, in [0, 1]; by default `config.score_threshold`.
            iou_threshold: Greatest overlap (IoU) of two boxes of one kind, in [0, 1].
            max_detections: Greatest number of boxes, the best ones; by default all. At a low score
                nearly every anchor is a candidate, and suppression compares each that is kept
                with all others: with a limit only the best of them, four for each box, get there.

        Returns:
            `Detections`, best first.

        Raises:
            ValueError: If the photo is none, or a limit is out of range.
        """
        if max_detections is not None:
            check_count("max_detections", max_detections)
        photo = check_photo(photo)
        offsets, logits = self.forward(self.prepare(photo))
        found = self.decode(offsets, logits, photo.shape, score_threshold=score_threshold)
        if max_detections is None:
            return self.suppress(found, iou_threshold)
        found = self.suppress(found.best(_CANDIDATES * max_detections), iou_threshold)
        return found.best(max_detections)

    def batch(
        self,
        photos: Sequence[ArrayLike] | np.ndarray,
        *,
        score_threshold: float | None = None,
        iou_threshold: float = 0.45,
    ) -> list[Detections]:
        """Find what the model knows in several photos, of any sizes, side by side.

        As many photos are worked on at once as there are processors for: a model takes one
        photo at a time, so this is the same work on several interpreters. It is for folders of
        photos. On a camera's frames it would only add delay; there, `threads` helps.

        Args:
            photos: A list of photos as a call takes them, or an array [photos, height, width, 3].
            score_threshold: As in a call.
            iou_threshold: As in a call.

        Returns:
            A list of `Detections`, in the order of the photos; the same as of single calls.

        Raises:
            ValueError: If one of them is no photo, before any is worked on, or a limit is
                outside [0, 1].
        """
        photos = [check_photo(photo) for photo in photos]
        workers = max(1, processors() // self.threads)
        detect = functools.partial(
            self, score_threshold=score_threshold, iou_threshold=iou_threshold
        )
        with futures.ThreadPoolExecutor(workers) as pool:
            return list(pool.map(detect, photos))

    def rescaled(self, slope: float, shift: float) -> "Detector":
        """The same detector with other scores, as `ssd.calibrate` tries them.

        Args:
            slope: What a class leads the background by becomes so many times as much,
            shift: and so much more.

        Returns:
            A `Detector` of the same model, which stays as it is.
        """
        other = copy.copy(self)
        other._model = Rescaled(self._model, slope, shift)
        return other

    def prepare(self, photo: np.ndarray) -> np.ndarray:
        """The photo as the model's input tensor.

        Args:
            photo: uint8 [height, width, 3].

        Returns:
            [1, *config.image_size, 3], in the input's type.
        """
        return self._model.prepare(letterbox(photo, self.config))

    def forward(self, tensor: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The model's raw outputs for an input tensor.

        Args:
            tensor: What `prepare` returned.

        Returns:
            Offsets [anchors, 4] and logits [anchors, 1 + classes], quantized if the model is.
        """
        return self._model.forward(tensor)

    def decode(
        self,
        offsets: np.ndarray,
        logits: np.ndarray,
        shape: Sequence[int],
        *,
        score_threshold: float | None = None,
    ) -> Detections:
        """Boxes, scores and classes of all anchors that reach the threshold, in anchor order.

        Classes of one kind (`config.kinds`) share a box and its score, which is the sum of theirs.

        Args:
            offsets: [anchors, 4], as `forward` returns them.
            logits: [anchors, 1 + classes], likewise.
            shape: Shape of the photo; its height and width come first.
            score_threshold: Least score, in [0, 1]; by default `config.score_threshold`.

        Returns:
            `Detections`, overlapping ones among them. Boxes without area inside the photo are
            left out.

        Raises:
            ValueError: If the threshold is no number in [0, 1].
        """
        if score_threshold is None:
            score_threshold = self.config.score_threshold
        check_share("score_threshold", score_threshold)
        of_offsets, of_logits = self._model.scales
        most = int(self._members.sum(axis=1).max())  # classes of one kind
        rows = _candidates(logits, of_logits[0], score_threshold, most)
        shares = _softmax(_dequantize(logits[rows], of_logits))[:, 1:]  # [rows, classes]
        sums = shares @ self._members.T.astype(np.float32)  # [rows, kinds]
        found, kinds = np.nonzero(sums >= score_threshold)
        scores, rows = sums[found, kinds], rows[found]
        own = np.where(self._members[kinds], shares[found], -1.0)  # [found, classes]
        boxes = self._decode_boxes(_dequantize(offsets[rows], of_offsets), rows)

        # From the input's pixels, of which the photo has the top left corner, to its own.
        height, width = shape[:2]
        boxes *= np.array(letterbox_scale(height, width, self.config) * 2, np.float32)
        boxes = np.minimum(np.maximum(boxes, 0), np.array([height, width] * 2, np.float32))
        inside = boxes[:, 2:] > boxes[:, :2]
        if not inside.all():
            inside = inside.all(axis=1)
            boxes, scores, own = boxes[inside], scores[inside], own[inside]
        class_scores = np.maximum(own, 0) if self.config.kinds else None
        return Detections(boxes, scores, own.argmax(axis=1) + 1, class_scores=class_scores)

    def suppress(self, found: Detections, iou_threshold: float = 0.45) -> Detections:
        """The best of overlapping `Detections`, each kind for itself, best first.

        Its score stays. Its box becomes the mean that all of them vote for, or stays where
        `suppression` is "nms". Of classes of one kind each takes the best score that it has on any
        of them.

        Args:
            found: What `decode` returned.
            iou_threshold: Greatest overlap (IoU) of two boxes of one kind, in [0, 1].

        Returns:
            `Detections`, best first.

        Raises:
            ValueError: If the limit is outside [0, 1].
        """
        # Kinds shifted so far apart that no box overlaps one of another kind.
        kinds = self._kind_of[np.asarray(found.class_ids) - 1]
        shift = (kinds * (1.0 + found.boxes.max(initial=0)))[:, None]
        shifted = dataclasses.replace(found, boxes=found.boxes + shift)
        if self.suppression == "nms":
            kept = nms(shifted.boxes, found.scores, iou_threshold=iou_threshold)
            boxes = found.boxes[kept]
        else:
            kept, moved = vote(shifted.boxes, found.scores, iou_threshold=iou_threshold)
            boxes = (moved - shift[kept]).astype(np.float32)
        best = dataclasses.replace(found.pick(kept), boxes=boxes)
        if found.class_scores is None:
            return best
        class_scores = _best_alike(shifted, kept, iou_threshold)
        class_ids = class_scores.argmax(axis=1) + 1
        return dataclasses.replace(best, class_ids=class_ids, class_scores=class_scores)

    def _decode_boxes(self, offsets: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Boxes [rows, 4] in pixels of the input, of some anchors and their offsets."""
        # The inverse of anchors.encode:
        # center = offset · variance · size + center, size = exp(offset · variance) · size
        scaled = offsets * self._variances
        centers, sizes = self._centers[rows], self._sizes[rows]
        centers += scaled[:, :2] * sizes
        sizes *= np.exp(scaled[:, 2:]) / 2
        return np.concatenate([centers - sizes, centers + sizes], axis=1)


def _find_shipped(name: str) -> pathlib.Path:
    """A model that ships, if this copy of the package has it."""
    shipped = SHIPPED.with_name(f"{name}.tflite")
    if not shipped.is_file():
        raise FileNotFoundError(
            f"{shipped}: wanted a .tflite model file, found none; this copy ships without a model: "
            f"train one and pass its path, as in Detector('{name}.tflite')"
        )
    return shipped


def _best_alike(found: Detections, kept: np.ndarray, iou_threshold: float) -> np.ndarray:
    """Of each box kept, the best score of each class on boxes like it: [kept, classes].

    A better box that was not kept is like a better one that was, and speaks for that.
    """
    class_scores = np.asarray(found.class_scores)
    best = class_scores[kept]
    for place, box in enumerate(kept):
        alike = iou(found.boxes[box : box + 1], found.boxes)[0] > iou_threshold
        alike &= found.scores <= found.scores[box]
        alike[box] = True  # without area it overlaps nothing
        best[place] = class_scores[alike].max(axis=0)
    return best


def _candidates(
    logits: np.ndarray, scale: float, score_threshold: float, most: int = 1
) -> np.ndarray:
    """Anchors of which some class may reach the threshold, told from the raw logits.

    A class of score p leads the background by log(p / (1 - p)) or more, and the lead of a
    quantized logit is its scale times a difference of integers. That spares all anchors
    but a few the softmax. Where `most` classes share a score, one of them has a part of it.
    """
    if score_threshold in (0, 1):
        return np.arange(len(logits))
    lead = math.log(score_threshold / (1 - score_threshold) / most) - 1e-3  # rounding loses none
    if scale:
        logits, lead = logits.astype(np.int16), lead / scale
    # Classes are few, and a maximum along few columns is slow.
    best = functools.reduce(np.maximum, logits.T[1:])
    return np.flatnonzero(best - logits[:, 0] >= lead)


def _dequantize(values: np.ndarray, quantization: tuple[float, int]) -> np.ndarray:
    """Quantized values as the real numbers they stand for."""
    scale, zero = quantization
    values = values.astype(np.float32)
    if not scale:
        return values
    return (values - zero if zero else values) * np.float32(scale)


def _softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)

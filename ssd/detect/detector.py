"""Photo in, boxes out, on NumPy and a LiteRT runtime alone."""

import dataclasses
import functools
import io
import json
import math
import os
import pathlib
import zipfile
from concurrent import futures

import numpy as np

from ssd.config import Config
from ssd.detect.runtime import runtime
from ssd.detect.suppression import vote
from ssd.old_names import renamed
from ssd.photos.letterbox import check_photo, letterbox, letterbox_scale
from ssd.quiet import without_greeting

_SHIPPED = pathlib.Path(__file__).parent.parent / "models" / "face.tflite"


@dataclasses.dataclass(frozen=True, eq=False)
class Detections:
    """What was found in one photo, best first. `len` is the number of boxes.

    It unpacks like a tuple: `boxes, scores, class_ids = found`.

    Attributes:
        boxes: float32 [n, 4] `[ymin, xmin, ymax, xmax]`, pixels of the photo, inside it.
        scores: float32 [n] in [0, 1].
        class_ids: int [n]; 1 is the first of `config.classes`.

    Example:
        >>> found = Detections(np.float32([[0, 0, 9, 9]]), np.float32([0.5]), np.array([1]))
        >>> len(found)
        1
        >>> for box, score, class_id in zip(*found):
        ...     print(box, score, class_id)
        [0. 0. 9. 9.] 0.5 1
    """

    boxes: np.ndarray
    scores: np.ndarray
    class_ids: np.ndarray

    def __len__(self):
        return len(self.scores)

    def __iter__(self):
        return iter((self.boxes, self.scores, self.class_ids))


class Detector:
    """A model file, opened: called with a photo, it answers with what it found.

    The call goes through four stages, which can also be called one by one: `prepare`,
    `forward`, `decode` and `suppress`.

    Any number of threads may call one detector. Calls that meet run side by side, each on an
    interpreter of its own; the detector keeps as many as were ever in use at once.

    Args:
        path: A `.tflite` file that `ssd.export` wrote. By default the face model that ships
            with the package.
        threads: Threads of the runtime for one photo.
        portable: Use only the kernels that all runtimes share. An int8 model then answers the
            same to the last bit under LiteRT and tflite-runtime; it takes several times as long
            under LiteRT (docs/pi.md). Without it, their boxes may differ by some pixels.

    Attributes:
        config: The `ssd.Config` the model was trained with.
        anchors: float32 [anchors, 4] `[ymin, xmin, ymax, xmax]` on the unit square of the input.
        about: Everything `model.json` says about the model (docs/model-file.md).

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is no model, or a model without what `ssd.export` adds.
        ImportError: If no LiteRT runtime is installed.
    """

    def __init__(self, path=None, *, threads=1, portable=False):
        if isinstance(threads, bool) or not isinstance(threads, int) or threads < 1:
            raise ValueError(f"threads: wanted a positive integer, got {threads!r}")
        self.path = pathlib.Path(_SHIPPED if path is None else path)
        self.threads, self.portable = threads, portable
        self._model = _read_model(self.path)
        self.about, self.anchors = _read_archive(self.path, self._model)
        self.config = Config.from_dict(self.about["config"])
        self._variances = np.array(self.about["variances"], np.float32)
        corners = self.anchors.reshape(-1, 2, 2) * np.float32(self.config.image_size)
        self._centres = corners.mean(axis=1)  # [anchors, 2], pixels of the input
        self._sizes = corners[:, 1] - corners[:, 0]  # [anchors, 2]

        try:
            interpreter = self._open()
            outputs = interpreter.get_signature_runner().get_output_details()
        except (ValueError, RuntimeError) as error:
            raise ValueError(f"{self.path}: wanted a .tflite model file ({error})") from None
        self._input = interpreter.get_input_details()[0]
        self._offsets, self._logits = (outputs.get(name) for name in ("offsets", "logits"))
        self._check()
        self._bytes = _byte_table(self._input)
        # list.pop and list.append are atomic, so this is a pool that needs no lock.
        self._free = [interpreter]

    def __repr__(self):
        return f"Detector({str(self.path)!r}, threads={self.threads})"

    def __call__(self, photo, *, score_threshold=0.5, iou_threshold=0.45):
        """Find what the model knows in one photo.

        Args:
            photo: uint8 [height, width, 3], RGB, of any size.
            score_threshold: Least score, in [0, 1].
            iou_threshold: Greatest overlap (IoU) of two boxes of one class, in [0, 1].

        Returns:
            `Detections`, best first.

        Raises:
            ValueError: If the photo is none, or a limit is outside [0, 1].
        """
        photo = check_photo(photo)
        outputs = self.forward(self.prepare(photo))
        return self.suppress(
            self.decode(*outputs, photo.shape, score_threshold=score_threshold), iou_threshold
        )

    def batch(self, photos, *, score_threshold=0.5, iou_threshold=0.45):
        """Find what the model knows in several photos, of any sizes, side by side.

        As many photos are looked at at once as there are processors for: a model takes one
        photo at a time, so this is the same work on several interpreters. It is for folders of
        photos. On a camera's frames it would only add delay; there, `threads` helps.

        Args:
            photos: A list of photos as a call takes them, or an array [photos, height, width, 3].
            score_threshold: As in a call.
            iou_threshold: As in a call.

        Returns:
            A list of `Detections`, in the order of the photos; the same as of single calls.

        Raises:
            ValueError: If one of them is no photo, before any is looked at, or a limit is
                outside [0, 1].
        """
        photos = [check_photo(photo) for photo in photos]
        workers = max(1, (os.cpu_count() or 1) // self.threads)
        with futures.ThreadPoolExecutor(workers) as pool:
            look = functools.partial(
                self, score_threshold=score_threshold, iou_threshold=iou_threshold
            )
            return list(pool.map(look, photos))

    def prepare(self, photo):
        """The photo as the model's input tensor [1, height, width, 3], in the input's type."""
        image = letterbox(photo, self.config)
        return (image if self._bytes is None else self._bytes[image])[None]

    def forward(self, tensor):
        """The model's raw outputs for an input tensor: offsets and logits, quantised if it is."""
        try:
            interpreter = self._free.pop()
        except IndexError:
            interpreter = self._open()
        try:
            interpreter.set_tensor(self._input["index"], tensor)
            interpreter.invoke()
            return tuple(
                interpreter.get_tensor(output["index"])[0]
                for output in (self._offsets, self._logits)
            )
        finally:
            self._free.append(interpreter)

    def decode(self, offsets, logits, shape, *, score_threshold=0.5):
        """Boxes, scores and classes of all anchors that reach the threshold, in anchor order.

        Args:
            offsets: [anchors, 4], as `forward` returns them.
            logits: [anchors, 1 + classes], likewise.
            shape: Shape of the photo; its height and width come first.
            score_threshold: Least score, in [0, 1].

        Returns:
            `Detections`, overlapping ones among them. Boxes without area inside the photo are
            left out.
        """
        if not 0 <= score_threshold <= 1:
            raise ValueError(
                f"score_threshold: wanted a number from 0 to 1, got {score_threshold!r}"
            )
        rows = self._candidates(logits, score_threshold)
        scores = _softmax(_real(logits[rows], self._logits))[:, 1:]  # [rows, classes]
        found, classes = np.nonzero(scores >= score_threshold)
        scores, rows = scores[found, classes], rows[found]

        # The inverse of anchors.encode:
        # centre = offset · variance · size + centre, size = exp(offset · variance) · size
        scaled = _real(offsets[rows], self._offsets) * self._variances
        centres, sizes = self._centres[rows], self._sizes[rows]
        centres += scaled[:, :2] * sizes
        sizes *= np.exp(scaled[:, 2:]) / 2
        boxes = np.concatenate([centres - sizes, centres + sizes], axis=1)

        # From the input's pixels, of which the photo has the top left corner, to its own.
        height, width = shape[:2]
        boxes *= np.array(letterbox_scale(height, width, self.config) * 2, np.float32)
        boxes = np.minimum(np.maximum(boxes, 0), np.array([height, width] * 2, np.float32))
        inside = boxes[:, 2:] > boxes[:, :2]
        if not inside.all():
            inside = inside.all(axis=1)
            boxes, scores, classes = boxes[inside], scores[inside], classes[inside]
        return Detections(boxes, scores, classes + 1)

    def suppress(self, found, iou_threshold=0.45):
        """The best of overlapping `Detections`, each class for itself, best first.

        Each takes the scores of the best, and as its box the mean that all of them vote for.
        """
        boxes, scores, class_ids = found
        if len(self.config.classes) == 1:
            kept, boxes = vote(boxes, scores, iou_threshold=iou_threshold)
        else:
            # Classes shifted so far apart that no box overlaps one of another class.
            shift = (class_ids * (1.0 + boxes.max(initial=0)))[:, None]
            kept, boxes = vote(boxes + shift, scores, iou_threshold=iou_threshold)
            boxes = boxes - shift[kept]
        return Detections(boxes.astype(np.float32), scores[kept], class_ids[kept])

    def _candidates(self, logits, score_threshold):
        """Anchors of which some class may reach the threshold, told from the raw logits.

        A class of score p leads the background by log(p / (1 - p)) or more, and the lead of a
        quantised logit is its scale times a difference of integers. That spares all anchors
        but a few the softmax.
        """
        if score_threshold in (0, 1):
            return np.arange(len(logits))
        lead = math.log(score_threshold / (1 - score_threshold)) - 1e-3  # rounding loses none
        scale, _ = self._logits["quantization"]
        if scale:
            logits, lead = logits.astype(np.int16), lead / scale
        # One class is by far the most common case, and a maximum over one column is slow.
        best = logits[:, 1] if logits.shape[1] == 2 else logits[:, 1:].max(axis=1)
        return np.flatnonzero(best - logits[:, 0] >= lead)

    def _open(self):
        """One more interpreter of the model."""
        module, options = runtime(), {}
        if self.portable:
            kernels = module.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
            options["experimental_op_resolver_type"] = kernels
        with without_greeting():
            interpreter = module.Interpreter(
                model_content=self._model, num_threads=self.threads, **options
            )
            interpreter.allocate_tensors()
        return interpreter

    def _check(self):
        """That tensors, Config and anchors of the file fit each other."""
        anchors, classes = len(self.anchors), 1 + len(self.config.classes)
        wanted = {
            "input": (self._input, [1, *self.config.image_size, 3]),
            "offsets": (self._offsets, [1, anchors, 4]),
            "logits": (self._logits, [1, anchors, classes]),
        }
        for name, (tensor, shape) in wanted.items():
            came = None if tensor is None else tensor["shape"].tolist()
            if came != shape:
                raise ValueError(f"{self.path}: wanted {name} {shape}, this model has {came}")


def _read_model(path):
    if not path.is_file():
        hint = (
            "; this copy ships without a model: train one and pass its path, "
            "as in Detector('face.tflite')"
            if path == _SHIPPED
            else ""
        )
        raise FileNotFoundError(f"{path}: wanted a .tflite model file, found none{hint}")
    model = path.read_bytes()
    if model[4:8] != b"TFL3":
        raise ValueError(f"{path}: wanted a .tflite model file, this is something else")
    return model


def _read_archive(path, model):
    try:
        with zipfile.ZipFile(io.BytesIO(model)) as archive:
            about = json.loads(archive.read("model.json"))
            anchors = np.load(io.BytesIO(archive.read("anchors.npy")), allow_pickle=False)
        about = renamed(about)
        about["config"], about["variances"]  # asked for here, where the error names the file
    except (zipfile.BadZipFile, EOFError, KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"{path}: wanted a model that ssd.export wrote, with model.json and anchors.npy "
            f"in a ZIP archive at its end ({error})"
        ) from None
    return about, anchors


def _byte_table(tensor):
    """What each of the 256 bytes is in the input's type, or None where it is the byte itself."""
    scale, zero = tensor["quantization"]
    kind = np.dtype(tensor["dtype"])
    values = np.arange(256, dtype=np.float32)
    if scale:
        limits = np.iinfo(kind)
        values = np.clip(np.round(values / scale) + zero, limits.min, limits.max)
    table = values.astype(kind)
    return None if kind == np.uint8 and (table == np.arange(256)).all() else table


def _real(values, tensor):
    """Quantised values as the real numbers they stand for."""
    scale, zero = tensor["quantization"]
    if not scale:
        return values.astype(np.float32)
    values = values.astype(np.float32)
    return (values - zero if zero else values) * np.float32(scale)


def _softmax(logits):
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)

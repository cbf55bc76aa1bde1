"""`ssd.Detector`: of a `.tflite`, `.onnx` or `.keras` file, or of a model in memory.

`ssd/detect/` knows no Keras and `ssd/nets/` no detector; they are put together here, when a
detector of a Keras model is asked for, and no sooner: on a board there is no Keras.
"""

import os
import pathlib
import threading
from typing import TYPE_CHECKING, Any

import numpy as np

from ssd.detect import detector
from ssd.detect.open_model import Model
from ssd.quiet import quietly

if TYPE_CHECKING:
    from ssd.nets.model import SSD


class Detector(detector.Detector):
    """A model, opened: called with a photo, it answers with what it found.

    The call goes through four stages, which can also be called one by one: `prepare`,
    `forward`, `decode` and `suppress`.

    Any number of threads may call one detector. Calls that meet run side by side, each on an
    interpreter of its own; the detector keeps as many as were ever in use at once. A Keras model
    takes one call after the other. Pickle takes a detector of a `.tflite` or `.onnx` file to
    another process, as it was opened.

    Args:
        model: A `.tflite` or `.onnx` file that `ssd.export` wrote; a `.keras` file, or an
            `ssd.SSD` itself, which find what they would find once exported in float32; any other
            model that is open (`ssd.detect.open_model.Model`); or the name of a model that ships:
            "face", which is the default, or "smile".
        threads: Threads of the runtime for one photo; Keras has its own.
        portable: Use only the kernels that all LiteRT runtimes share. An int8 model then answers
            the same to the last bit under LiteRT and tflite-runtime; it takes several times as
            long under LiteRT (docs/pi.md). Without it, their boxes may differ by some pixels.
        suppression: What is done with boxes that overlap: "vote" moves the best to the mean of
            all, "nms" leaves it where it is, as in a file that gives boxes itself
            (`ssd.export(..., boxes=True)`); that is somewhat less exact.

    Attributes:
        path: The file, or None if there is none.
        config: The `ssd.Config` the model was trained with.
        anchors: float32 [anchors, 4] `[ymin, xmin, ymax, xmax]` on the unit square of the input.
        about: Everything `model.json` says about the model (docs/model-file.md).

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is no model, or a model without what `ssd.export` adds.
        TypeError: If `model` is something else.
        ImportError: If no runtime of the file's format is installed, or no Keras for a Keras model.

    Example:
        >>> import matplotlib.cbook
        >>> import ssd
        >>> portrait = matplotlib.cbook.get_sample_data("grace_hopper.jpg", asfileobj=False)
        >>> detector = ssd.Detector()
        >>> for box, score, class_id in zip(*detector(ssd.read_photo(portrait))):
        ...     print(detector.config.classes[class_id - 1], score > 0.9, box.shape)
        face True (4,)
    """

    def __init__(
        self,
        model: "str | os.PathLike | SSD | Model | None" = None,
        *,
        threads: int = 1,
        portable: bool = False,
        suppression: str = "vote",
    ) -> None:
        super().__init__(
            _open_keras(model), threads=threads, portable=portable, suppression=suppression
        )


class KerasModel:
    """An `ssd.SSD` as a `Detector` runs it, under any Keras backend.

    Args:
        model: The `ssd.SSD`. What it learns later on is what the detector uses then.
        path: The file it was loaded from, if there is one.

    Attributes:
        about: `config`, `variances`, `precision` and `provenance`, as in `model.json`.
        anchors: float32 [anchors, 4] `[ymin, xmin, ymax, xmax]` on the unit square of the input.
        scales: That outputs are the numbers they stand for.

    Example:
        >>> import ssd
        >>> model = KerasModel(ssd.SSD(ssd.Config(image_size=(64, 64), width_multiplier=0.1)))
        >>> offsets, logits = model.forward(model.prepare(np.zeros((64, 64, 3), np.uint8)))
        >>> offsets.shape, logits.shape
        ((304, 4), (304, 2))
    """

    scales = ((0.0, 0), (0.0, 0))

    def __init__(self, model: "SSD", path: str | os.PathLike | None = None) -> None:
        from anchors.coding import VARIANCES
        from ssd.nets.describing import anchor_rows

        self.path = None if path is None else pathlib.Path(path)
        self.anchors = anchor_rows(model)
        self.about: dict[str, Any] = {
            "config": model.get_config()["config"],
            "variances": list(VARIANCES),
            "precision": "float32",
            "provenance": model.get_config()["provenance"],
        }
        self._model, self._lock = model, threading.Lock()

    def __str__(self) -> str:
        return f"<{self._model.name}>" if self.path is None else repr(str(self.path))

    def prepare(self, image: np.ndarray) -> np.ndarray:
        """An image as the input tensor.

        Args:
            image: uint8 [height, width, 3], of the input's size.

        Returns:
            float32 [1, height, width, 3].
        """
        return image[None].astype(np.float32)

    def forward(self, tensor: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The outputs for an input tensor.

        Args:
            tensor: What `prepare` returned.

        Returns:
            float32: offsets [anchors, 4] and logits [anchors, 1 + classes].
        """
        with self._lock:  # Keras compiles at the first call, and does not say that threads may meet
            outputs = np.asarray(self._model.predict_on_batch(tensor))[0]
        return outputs[:, :4], outputs[:, 4:]


def _open_keras(model: Any) -> str | os.PathLike | Model | None:
    """A Keras model or file as a `Model`; what a detector opens itself, as it is."""
    if model is None or isinstance(model, str | os.PathLike):
        if model is None or pathlib.Path(model).suffix != ".keras":
            return model
        with quietly():  # what Keras runs on greets while it is imported
            from ssd.nets.loading import load

        return KerasModel(load(model), model)
    if hasattr(model, "forward") and hasattr(model, "anchors"):
        return model
    if hasattr(model, "predict_on_batch") and hasattr(model, "config"):
        return KerasModel(model)
    raise TypeError(
        f"model: wanted a .tflite, .onnx or .keras file, or an ssd.SSD, got {type(model).__name__}"
    )

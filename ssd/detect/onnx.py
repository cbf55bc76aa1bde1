"""An `.onnx` file that `ssd.export` wrote, open on onnxruntime."""

import base64
import os
from typing import Any

import numpy as np

from ssd import model_files
from ssd.config import Config
from ssd.detect.saying import GIVES_BOXES, check_about, read_anchors

_WANTED = "an .onnx model file"


class ONNXModel:
    """What `Detector` runs of an ONNX file; any number of threads may call `forward`.

    Pickle takes it to another process, as it was read.

    Args:
        path: A file that `ssd.export` wrote.
        threads: Threads of the runtime for one photo.

    Attributes:
        about: Everything `model.json` says about the model.
        anchors: float32 [anchors, 4] `[ymin, xmin, ymax, xmax]` on the unit square of the input.
        scales: That outputs are the numbers they stand for.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is no model, or a model without what `ssd.export` adds.
        ImportError: If onnxruntime is not installed.

    Example:
        >>> ONNXModel("nowhere.onnx")
        Traceback (most recent call last):
        FileNotFoundError: nowhere.onnx: wanted an .onnx model file, found none
    """

    scales = ((0.0, 0), (0.0, 0))

    def __init__(self, path: str | os.PathLike, *, threads: int = 1) -> None:
        self.path = model_files.check_file(path, _WANTED)
        self._content, self._threads = self.path.read_bytes(), threads
        try:
            self._session = _open(self._content, threads)
        except ImportError:
            raise
        except Exception as error:  # a damaged file may make the runtime raise anything
            raise ValueError(
                f"{self.path}: wanted {_WANTED} ({model_files.one_line(error)})"
            ) from None
        try:
            self.about, self.anchors = _read_metadata(self._session.get_modelmeta())
        except (ValueError, TypeError, AttributeError, OverflowError, RecursionError) as error:
            raise ValueError(
                f"{self.path}: wanted a model that ssd.export wrote, with model.json and "
                f"anchors.npy in its metadata ({model_files.one_line(error)})"
            ) from None
        self._check()

    def __str__(self) -> str:
        return repr(str(self.path))

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_session"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, _session=_open(state["_content"], state["_threads"]))

    def prepare(self, image: np.ndarray) -> np.ndarray:
        """An image as the input tensor.

        Args:
            image: uint8 [height, width, 3], of the input's size.

        Returns:
            uint8 [1, height, width, 3].
        """
        return image[None]

    def forward(self, tensor: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The outputs for an input tensor.

        Args:
            tensor: What `prepare` returned.

        Returns:
            float32: offsets [anchors, 4] and logits [anchors, 1 + classes].

        Raises:
            ValueError: If the runtime cannot run the model.
        """
        try:
            offsets, logits = self._session.run(["offsets", "logits"], {"images": tensor})
        except Exception as error:  # onnxruntime's own, of no common base
            raise ValueError(
                f"{self.path}: cannot be run ({model_files.one_line(error)})"
            ) from None
        return offsets[0], logits[0]

    def _check(self) -> None:
        """That tensors, Config and anchors of the file fit each other."""
        config = Config.from_dict(self.about["config"])
        anchors, classes = len(self.anchors), 1 + len(config.classes)
        wanted = {
            "images": ("tensor(uint8)", [1, *config.image_size, 3]),
            "offsets": ("tensor(float)", [1, anchors, 4]),
            "logits": ("tensor(float)", [1, anchors, classes]),
        }
        tensors = [*self._session.get_inputs(), *self._session.get_outputs()]
        came = {each.name: (each.type, each.shape) for each in tensors}
        if "boxes" in came:
            raise ValueError(f"{self.path}: {GIVES_BOXES}")
        for name, tensor in wanted.items():
            if came.get(name) != tensor:
                raise ValueError(
                    f"{self.path}: wanted {name} {tensor}, this model has {came.get(name)}"
                )


def _open(content: bytes, threads: int) -> Any:
    """An onnxruntime session of a model, without a word on standard error."""
    try:
        import onnxruntime
    except ModuleNotFoundError:
        raise ImportError("no ONNX runtime: pip install onnxruntime") from None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = threads, 4
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def _read_metadata(about: Any) -> tuple[dict[str, Any], np.ndarray]:
    """What the file's metadata says, checked."""
    found = about.custom_metadata_map
    for name in ("model.json", "anchors.npy"):
        if name not in found:
            raise ValueError(f"no {name} in its metadata")
    said = check_about(model_files.parse_json(found["model.json"], "model.json"))
    return said, read_anchors(base64.b64decode(found["anchors.npy"], validate=True))

"""A `.tflite` file that `ssd.export` wrote, open on a LiteRT runtime."""

import io
import os
from typing import Any

import numpy as np

from ssd import model_files
from ssd.config import Config
from ssd.detect.runtime import find_runtime
from ssd.detect.saying import GIVES_BOXES, check_about, read_anchors
from ssd.quiet import without_greeting

_WANTED = "a .tflite model file"
_BOXES_OPERATION = b"TFLite_Detection_PostProcess"


class LiteRTModel:
    """What `Detector` runs by default: interpreters of one file, and what the file says of itself.

    Any number of threads may call `forward`. Each call has an interpreter of its own; as many are
    kept as were ever in use at once. Pickle takes the model to another process, as it was read.

    Args:
        path: A file that `ssd.export` wrote.
        threads: Threads of the runtime for one photo.
        portable: Use only the kernels that all runtimes share.

    Attributes:
        about: Everything `model.json` says about the model.
        anchors: float32 [anchors, 4] `[ymin, xmin, ymax, xmax]` on the unit square of the input.
        scales: (scale, zero point) of the offsets and of the logits; a scale of 0 means that
            they are what they stand for.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is no model, or a model without what `ssd.export` adds.
        ImportError: If no LiteRT runtime is installed.

    Example:
        >>> from ssd.shipped import SHIPPED
        >>> model = LiteRTModel(SHIPPED)
        >>> model.about["precision"], model.anchors.shape[1]
        ('int8', 4)
    """

    def __init__(
        self, path: str | os.PathLike, *, threads: int = 1, portable: bool = False
    ) -> None:
        self.path = model_files.check_file(path, _WANTED)
        self._threads, self._portable = threads, portable
        self._content = self.path.read_bytes()
        if self._content[4:8] != b"TFL3":
            raise ValueError(f"{self.path}: wanted {_WANTED}, this is something else")
        if _BOXES_OPERATION in self._content:
            raise ValueError(f"{self.path}: {GIVES_BOXES}")
        try:
            self.about, self.anchors = _read_archive(self._content)
        except (ValueError, TypeError, AttributeError, OverflowError, RecursionError) as error:
            raise ValueError(
                f"{self.path}: wanted a model that ssd.export wrote, with model.json and "
                f"anchors.npy in a ZIP archive at its end ({model_files.one_line(error)})"
            ) from None
        try:
            interpreter = self._open()
            outputs = interpreter.get_signature_runner().get_output_details()
        except ImportError:
            raise
        except Exception as error:  # a damaged file may make the runtime raise anything
            raise ValueError(
                f"{self.path}: wanted {_WANTED} ({model_files.one_line(error)})"
            ) from None
        self._input = interpreter.get_input_details()[0]
        self._offsets, self._logits = (outputs.get(name, {}) for name in ("offsets", "logits"))
        self._check()
        self.scales = self._offsets["quantization"], self._logits["quantization"]
        self._bytes = _byte_table(self._input)
        # list.pop and list.append are atomic, so this is a pool that needs no lock.
        self._free = [interpreter]

    def __str__(self) -> str:
        return repr(str(self.path))

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_free": []}  # each process opens interpreters of its own

    def prepare(self, image: np.ndarray) -> np.ndarray:
        """An image as the input tensor.

        Args:
            image: uint8 [height, width, 3], of the input's size.

        Returns:
            [1, height, width, 3] in the input's type.
        """
        return (image if self._bytes is None else self._bytes[image])[None]

    def forward(self, tensor: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The raw outputs for an input tensor.

        Args:
            tensor: What `prepare` returned.

        Returns:
            Offsets [anchors, 4] and logits [anchors, 1 + classes], quantized if the model is.

        Raises:
            ValueError: If the runtime cannot run the model.
        """
        try:
            interpreter = self._free.pop()
        except IndexError:
            interpreter = self._open()
        try:
            interpreter.set_tensor(self._input["index"], tensor)
            interpreter.invoke()
            offsets, logits = (
                interpreter.get_tensor(output["index"])[0]
                for output in (self._offsets, self._logits)
            )
        except RuntimeError as error:
            raise ValueError(
                f"{self.path}: cannot be run ({model_files.one_line(error)})"
            ) from None
        finally:
            self._free.append(interpreter)
        return offsets, logits

    def _open(self) -> Any:
        """One more interpreter of the model."""
        module, options = find_runtime(), {}
        if self._portable:
            kernels = module.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
            options["experimental_op_resolver_type"] = kernels
        with without_greeting():
            interpreter = module.Interpreter(
                model_content=self._content, num_threads=self._threads, **options
            )
            interpreter.allocate_tensors()
        return interpreter

    def _check(self) -> None:
        """That tensors, Config and anchors of the file fit each other."""
        config = Config.from_dict(self.about["config"])
        anchors, classes = len(self.anchors), 1 + len(config.classes)
        wanted = {
            "input": (self._input, [1, *config.image_size, 3]),
            "offsets": (self._offsets, [1, anchors, 4]),
            "logits": (self._logits, [1, anchors, classes]),
        }
        for name, (tensor, shape) in wanted.items():
            came = tensor["shape"].tolist() if tensor else None
            if came != shape:
                raise ValueError(f"{self.path}: wanted {name} {shape}, this model has {came}")
            dtype, (scale, _) = np.dtype(tensor["dtype"]), tensor["quantization"]
            if dtype not in (np.float32, np.int8, np.uint8):
                raise ValueError(f"{self.path}: wanted {name} of floats or bytes, got {dtype}")
            if dtype != np.float32 and not 0 < scale < np.inf:
                raise ValueError(f"{self.path}: wanted a scale for {name}, got {scale}")


def _read_archive(content: bytes) -> tuple[dict[str, Any], np.ndarray]:
    """What the archive at the end of a model says, checked."""
    with model_files.open_archive(io.BytesIO(content)) as archive:
        about = check_about(model_files.read_json(archive, "model.json"))
        member = model_files.read_member(archive, "anchors.npy", limit=model_files.MAX_BYTES // 4)
    return about, read_anchors(member)


def _byte_table(tensor: dict[str, Any]) -> np.ndarray | None:
    """What each of the 256 bytes is in the input's type, or None where it is the byte itself."""
    scale, zero = tensor["quantization"]
    dtype = np.dtype(tensor["dtype"])
    values = np.arange(256, dtype=np.float32)
    if scale:
        limits = np.iinfo(dtype)
        values = np.clip(np.round(values / scale) + zero, limits.min, limits.max)
    table = values.astype(dtype)
    return None if dtype == np.uint8 and (table == np.arange(256)).all() else table

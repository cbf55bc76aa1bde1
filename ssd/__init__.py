"""A from-scratch SSD face detector: trained on a PC, run on a Raspberry Pi.

Names are imported when first used (PEP 562), so that on a board with only NumPy,
Pillow and a LiteRT runtime `ssd.Detector` works and TensorFlow is never imported.
"""

import importlib
from typing import Any

from ssd.quiet import hush, quietly
from ssd.registration import tell_keras
from ssd.version import __version__ as __version__

_HOME = {
    "Balance": "balance.callback",
    "CaptureLog": "detect.capture",
    "Config": "config",
    "Detections": "detect.detections",
    "Detector": "opening",
    "KeepingLoss": "nets.keeping",
    "LabeledPhoto": "data.records",
    "MultiboxLoss": "nets.losses",
    "SSD": "nets.model",
    "Smoother": "detect.smoothing",
    "Tracker": "detect.tracking",
    "backbone": "nets.backbones",
    "blur": "detect.blurring",
    "calibrate": "calibrating",
    "check_output": "outputs",
    "dataset": "data.pipeline",
    "draw": "detect.drawing",
    "equation": "balance",
    "evaluate": "metrics.evaluation",
    "evaluate_run": "metrics.evaluation",
    "export": "exporting",
    "find_runtime": "detect.runtime",
    "import_labels": "data.importing",
    "letterbox": "photos.letterbox",
    "load": "nets.loading",
    "nms": "detect.suppression",
    "pipeline_stages": "data.stages",
    "read_frames": "sources.frames",
    "read_labels": "data.labels",
    "read_photo": "photos.reading",
    "run_detector": "metrics.results",
    "shrink_labels": "data.shrinking",
    "take_over": "nets.growing",
    "train": "training.fitting",
    "turn_boxes": "boxes",
    "write_labels": "data.labels",
    "write_photo": "photos.reading",
}
__all__ = list(_HOME)

hush()
tell_keras()


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'ssd' has no attribute {name!r}")
    with quietly():  # TensorFlow greets while it is imported, and cannot be asked not to
        module = importlib.import_module(f"ssd.{_HOME[name]}")
    value = getattr(module, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

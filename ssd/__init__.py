"""A from-scratch SSD face detector: trained on a PC, run on a Raspberry Pi.

Names are imported when first used (PEP 562), so that on a board with only NumPy,
imageio and a LiteRT runtime `ssd.Detector` works and TensorFlow is never imported.
"""

import importlib

_HOME = {
    "CaptureLog": "capture",
    "Config": "config",
    "Detections": "detector",
    "Detector": "detector",
    "MultiboxLoss": "losses",
    "SSD": "model",
    "Smoother": "smoothing",
    "dataset": "data",
    "draw": "drawing",
    "evaluate": "evaluation",
    "export": "exporting",
    "load": "model",
    "nms": "suppression",
    "read_photo": "photo_files",
    "train": "training",
}
__all__ = list(_HOME)


def __getattr__(name):
    if name not in _HOME:
        raise AttributeError(f"module 'ssd' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"ssd.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__():
    return sorted({*globals(), *__all__})

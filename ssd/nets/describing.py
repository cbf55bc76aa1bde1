"""What a file of a model says of it: enough to use it from any language."""

import io
import json
from typing import Any

import keras
import numpy as np

import anchors
from anchors.coding import VARIANCES
from ssd.nets.model import SSD
from ssd.version import __version__

PREPROCESSING = (
    "RGB bytes. Scale the photo with its aspect kept (by 2x2 means while it is twice the size "
    "wanted or more, then bilinearly, half-pixel centers) so that it just fits "
    "the input, put it into the top left corner, leave the rest 0. Values stay in [0, 255]."
)


def describe_model(model: SSD, precision: str, *, background: bool = True) -> dict[str, bytes]:
    """The files that travel with an exported model.

    Args:
        model: The `ssd.SSD`.
        precision: Of the exported file.
        background: Whether the file speaks of the background as a class.

    Returns:
        Contents by name: `model.json` (Config, variances, preprocessing, provenance),
        `anchors.npy` (float32 [anchors, 4] `[ymin, xmin, ymax, xmax]` on the unit square) and
        `labels.txt` (names of the classes, background first if there is one).

    Example:
        >>> import ssd
        >>> files = describe_model(ssd.SSD(ssd.Config(width_multiplier=0.05)), "float32")
        >>> files["labels.txt"].decode().split()
        ['background', 'face']
    """
    config = model.config
    about: dict[str, Any] = {
        "config": json.loads(config.to_json()),
        "precision": precision,
        "variances": list(VARIANCES),
        "preprocessing": PREPROCESSING,
        "version": __version__,
        "provenance": model.provenance,
    }
    names = ["background", *config.classes] if background else config.classes
    rows = io.BytesIO()
    np.save(rows, anchor_rows(model))
    return {
        "model.json": json.dumps(about, indent=2).encode(),
        "anchors.npy": rows.getvalue(),
        "labels.txt": ("\n".join(names) + "\n").encode(),
    }


def anchor_rows(model: SSD) -> np.ndarray:
    """The anchors of a model, in the order of its outputs.

    Args:
        model: The `ssd.SSD`.

    Returns:
        float32 [anchors, 4] `[ymin, xmin, ymax, xmax]` on the unit square of the input.

    Example:
        >>> import ssd
        >>> config = ssd.Config(image_size=(64, 64), width_multiplier=0.05)
        >>> anchor_rows(ssd.SSD(config)).shape
        (304, 4)
    """
    grid = anchors.grid(model.config.feature_shapes, model.config.anchor_shapes)
    return keras.ops.convert_to_numpy(grid).astype(np.float32)

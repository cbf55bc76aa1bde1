"""From `offsets` and `logits` to boxes inside an ONNX file: decoded, clipped, suppressed."""

from typing import Any

import numpy as np
from onnx import TensorProto, helper

from ssd.onnx.building import Graph


def add_boxes(
    graph: Graph,
    anchors: np.ndarray,
    variances: np.ndarray,
    image_size: tuple[int, int],
    *,
    score_threshold: float,
    iou_threshold: float = 0.45,
) -> list[Any]:
    """Add what turns the outputs of all anchors into boxes, as `ssd.Detector` does without voting.

    Args:
        graph: In which there are `offsets` and `logits`.
        anchors: float32 [anchors, 4] `[ymin, xmin, ymax, xmax]` on the unit square of the input.
        variances: [4], of the offsets.
        image_size: Height and width of the input.
        score_threshold: What a box's score has to be above.
        iou_threshold: Greatest overlap of two boxes of one class.

    Returns:
        The outputs: `boxes` [n, 4] in pixels of the input, inside it, `scores` [n], best first,
        and `class_ids` [n], 1 for the first.

    Example:
        >>> corners, variances = np.float32([[0, 0, 1, 1]]), np.float32([0.1, 0.1, 0.2, 0.2])
        >>> outputs = add_boxes(Graph(), corners, variances, (64, 64), score_threshold=0.5)
        >>> [each.name for each in outputs]
        ['boxes', 'scores', 'class_ids']
    """
    _add_decoding(graph, anchors, variances, image_size)
    _add_scores(graph)
    _add_suppression(graph, len(anchors), score_threshold, iou_threshold)
    return [
        helper.make_tensor_value_info("boxes", TensorProto.FLOAT, ["found", 4]),
        helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["found"]),
        helper.make_tensor_value_info("class_ids", TensorProto.INT64, ["found"]),
    ]


def _add_decoding(graph, anchors, variances, image_size):
    """`every_box` [1, anchors, 4], in pixels of the input and inside it."""
    add, floats = graph.add, graph.floats
    corners = anchors.reshape(-1, 2, 2) * np.array(image_size, np.float32)
    sizes = floats("anchor_sizes", corners[:, 1] - corners[:, 0])
    centers = floats("anchor_centers", corners.mean(axis=1))
    # center = offset · variance · size + center, size = exp(offset · variance) · size
    scaled = add("Mul", ["offsets", floats("variances", variances)], "scaled")
    graph.split([scaled, graph.integers("halves", [2, 2])], ["moved", "grown"], axis=2)
    center = add("Add", [add("Mul", ["moved", sizes], "shift"), centers], "center")
    size = add("Mul", [add("Exp", ["grown"], "growth"), sizes], "size")
    half = add("Mul", [size, floats("one_half", 0.5)], "half")
    low, high = add("Sub", [center, half], "low"), add("Add", [center, half], "high")
    boxes = add("Concat", [low, high], "unclipped", axis=2)
    positive = add("Max", [boxes, floats("edge", 0.0)], "clipped_low")
    add("Min", [positive, floats("far_edges", [*image_size, *image_size])], "every_box")


def _add_scores(graph):
    """`every_score` [1, classes, anchors], without the background's; 0 of a box without area."""
    add, integers = graph.add, graph.integers
    shares = add("Softmax", ["logits"], "shares", axis=2)
    columns = integers("after", [1]), integers("end", [2**31 - 1]), integers("axis", [2])
    objects = add("Slice", [shares, *columns], "objects")
    by_class = add("Transpose", [objects], "by_class", perm=[0, 2, 1])
    graph.split(["every_box", "halves"], ["from_corner", "to_corner"], axis=2)
    sides = add("Sub", ["to_corner", "from_corner"], "sides")
    shortest = add("ReduceMin", [sides], "shortest", axes=[2], keepdims=0)
    area = add("Greater", [shortest, "edge"], "has_area")
    add("Where", [area, by_class, "edge"], "every_score")


def _add_suppression(graph, most, score_threshold, iou_threshold):
    """`boxes`, `scores` and `class_ids` of what is left, best first."""
    add, integers = graph.add, graph.integers
    limits = [
        integers("most", [most]),
        graph.floats("iou_threshold", [iou_threshold]),
        graph.floats("score_threshold", [score_threshold]),
    ]
    kept = add("NonMaxSuppression", ["every_box", "every_score", *limits], "kept")
    values = add("GatherND", ["every_score", kept], "kept_scores")  # by batch, class, anchor
    graph.split([values, add("Shape", [values], "count")], ["scores", "best"], "TopK", axis=0)
    ranked = add("Gather", [kept, "best"], "ranked", axis=0)
    rows = add("Gather", [ranked, integers("anchor_column", 2)], "rows", axis=1)
    classes = add("Gather", [ranked, integers("class_column", 1)], "classes", axis=1)
    flat = add("Squeeze", ["every_box", integers("batch_axis", [0])], "flat_boxes")
    add("Gather", [flat, rows], "boxes", axis=0)
    add("Add", [classes, integers("background", 1)], "class_ids")

"""From `offsets` and `logits` to boxes inside a TFLite file, by an operation that tools know."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from flatbuffers import flexbuffers

from ssd.tflite.flatbuffer import schema

OUTPUTS = ("boxes", "classes", "scores", "count")  # in the order in which programs expect them
_SCALES = ("y_scale", "x_scale", "h_scale", "w_scale")
_OPERATION = b"TFLite_Detection_PostProcess"


def add_boxes(
    model: Any,
    anchors: np.ndarray,
    variances: Sequence[float],
    *,
    score_threshold: float,
    iou_threshold: float = 0.45,
    max_detections: int = 100,
) -> None:
    """Have a TFLite model give boxes in place of the outputs of all anchors.

    Its outputs are then the four of `TFLite_Detection_PostProcess`, float32: `boxes`
    [1, max_detections, 4] on the unit square of the input, not clipped; `classes`
    [1, max_detections], 0 for the first; `scores` [1, max_detections], best first; and `count`
    [1], how many of them there are.

    Args:
        model: What `ssd.tflite.flatbuffer.unpack` gave; it is changed. It has the outputs
            `offsets` and `logits`.
        anchors: float32 [anchors, 4] `[ymin, xmin, ymax, xmax]` on the unit square of the input.
        variances: Four numbers, of the offsets.
        score_threshold: Least score of a box.
        iou_threshold: Greatest overlap of two boxes of one class.
        max_detections: Greatest number of boxes.

    Example:
        >>> import ssd
        >>> from ssd.shipped import SHIPPED
        >>> from ssd.tflite.flatbuffer import unpack
        >>> model = unpack(SHIPPED.read_bytes())
        >>> add_boxes(model, ssd.Detector().anchors, (0.1, 0.1, 0.2, 0.2), score_threshold=0.5)
        >>> [output.name for output in model.signatureDefs[0].outputs]
        [b'boxes', b'classes', b'scores', b'count']
    """
    (signature,) = model.signatureDefs
    given = {each.name.decode(): each.tensorIndex for each in signature.outputs}
    graph = _Graph(model)
    offsets, logits = (graph.as_floats(given[name]) for name in ("offsets", "logits"))
    rows, columns = graph.shape(logits)[1:]
    shares = graph.softmax(logits)
    scores = graph.slice(shares, [0, 0, 1], [1, rows, columns])
    size = anchors[:, 2:] - anchors[:, :2]
    centers = np.concatenate([(anchors[:, :2] + anchors[:, 2:]) / 2, size], axis=1)
    shapes = [1, max_detections, 4], [1, max_detections], [1, max_detections], [1]
    outputs = [graph.tensor(_name(place), shape) for place, shape in enumerate(shapes)]
    options = {
        "max_detections": max_detections,
        "max_classes_per_detection": 1,
        "use_regular_nms": True,  # each class for itself
        "nms_score_threshold": score_threshold,
        "nms_iou_threshold": iou_threshold,
        "num_classes": columns - 1,
        # What offsets are divided by: the variances are what they are multiplied by.
        **{name: 1 / variance for name, variance in zip(_SCALES, variances, strict=True)},
    }
    inputs = [offsets, scores, graph.constant(b"anchors", np.asarray(centers, np.float32))]
    graph.custom(_OPERATION, inputs, outputs, options)
    graph.give(dict(zip(OUTPUTS, outputs, strict=True)), signature)


def _name(place):
    """What converters of old have called these tensors."""
    return _OPERATION + (b":%d" % place if place else b"")


class _Graph:
    """The one graph of a model, and what is added at its end."""

    def __init__(self, model):
        self._model, (self._graph,), self._names = model, model.subgraphs, schema()

    def shape(self, index):
        return self._graph.tensors[index].shape

    def tensor(self, name, shape, *, like=np.float32, buffer=0):
        """Index of a new tensor."""
        types = self._names.TensorType
        made = self._names.TensorT()
        made.name, made.shape, made.buffer, made.hasRank = name, shape, buffer, True
        made.type = {np.float32: types.FLOAT32, np.int32: types.INT32}[like]
        self._graph.tensors.append(made)
        return len(self._graph.tensors) - 1

    def constant(self, name, values):
        """Index of a new tensor that holds values."""
        buffer = self._names.BufferT()
        buffer.data = np.ascontiguousarray(values).reshape(-1).view(np.uint8)
        self._model.buffers.append(buffer)
        place = len(self._model.buffers) - 1
        return self.tensor(name, values.shape, like=values.dtype.type, buffer=place)

    def as_floats(self, index):
        """Index of what a tensor stands for, in float32."""
        tensor = self._graph.tensors[index]
        if tensor.type == self._names.TensorType.FLOAT32:
            return index
        made = self.tensor(tensor.name + b"_floats", tensor.shape)
        self._add(self._names.BuiltinOperator.DEQUANTIZE, [index], [made], version=2)
        return made

    def softmax(self, index):
        """Index of the softmax along the last axis."""
        made = self.tensor(b"shares", self.shape(index))
        options = self._names.SoftmaxOptionsT()
        options.beta = 1.0
        kind = self._names.BuiltinOptions.SoftmaxOptions
        self._add(self._names.BuiltinOperator.SOFTMAX, [index], [made], options=(kind, options))
        return made

    def slice(self, index, begin, end):
        """Index of a part of a tensor."""
        names = b"slice_begin", b"slice_end", b"slice_step"
        begin, end = np.array(begin, np.int32), np.array(end, np.int32)
        limits = zip(names, (begin, end, np.ones_like(begin)), strict=True)
        bounds = [self.constant(name, values) for name, values in limits]
        made = self.tensor(b"every_score", end - begin)
        # A plain SLICE would do, but OpenCV has none.
        options = self._names.BuiltinOptions.StridedSliceOptions, self._names.StridedSliceOptionsT()
        code = self._names.BuiltinOperator.STRIDED_SLICE
        self._add(code, [index, *bounds], [made], options=options)
        return made

    def custom(self, name, inputs, outputs, options):
        """Add an operation that is known by its name."""
        made = self._add(self._names.BuiltinOperator.CUSTOM, inputs, outputs, name=name)
        builder = flexbuffers.Builder()
        with builder.Map():
            for key, value in sorted(options.items()):
                builder.Key(key)
                match value:
                    case bool():
                        builder.Bool(value)
                    case int():
                        builder.Int(value)
                    case _:
                        builder.Float(value, 4)  # OpenCV takes no other width
        made.customOptions = np.frombuffer(builder.Finish(), np.uint8)

    def give(self, outputs, signature):
        """Make tensors, by their names in the signature, the outputs of the model."""
        self._graph.outputs = [*outputs.values()]
        signature.outputs = []
        for name, index in outputs.items():
            made = self._names.TensorMapT()
            made.name, made.tensorIndex = name.encode(), index
            signature.outputs.append(made)

    def _add(self, code, inputs, outputs, *, name=None, options=None, version=1):
        """Add an operation."""
        kind, made = self._names.OperatorCodeT(), self._names.OperatorT()
        kind.builtinCode, kind.deprecatedBuiltinCode = code, min(code, 127)
        kind.customCode, kind.version = name, version
        self._model.operatorCodes.append(kind)
        made.opcodeIndex = len(self._model.operatorCodes) - 1
        made.inputs, made.outputs = inputs, outputs
        if options:
            made.builtinOptionsType, made.builtinOptions = options
        self._graph.operators.append(made)
        return made

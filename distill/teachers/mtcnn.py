"""MTCNN behind one function: photos in, boxes and scores out.

The weights and every rule (pyramid, thresholds, regressions, suppressions, squaring) are those of
the `mtcnn` package, which this is the only file to import. What differs is how they run: three
graphs traced once for photos of every size, photos side by side on all cores, and the second and
third network on the candidates of many photos at once.

Source: Zhang et al., Joint Face Detection and Alignment using Multi-task Cascaded Convolutional
Networks, 2016, arXiv:1604.02878.
"""

import functools
from collections.abc import Callable, Sequence
from concurrent import futures
from typing import Any

import numpy as np
import tensorflow as tf

from distill.teachers.faces import Faces
from ssd.processors import processors

CELL = 12  # pixels the first network looks at
STRIDE = 2  # pixels between two places it looks at
SCALE_STEP = 0.709  # from one level of the pyramid to the next: half the area
FIRST, SECOND = 0.6, 0.7  # least scores after the first and the second network
FIRST_LEVEL_OVERLAP, OVERLAP = 0.5, 0.7
PHOTOS_AT_ONCE = 16
MIDDLE = 127.5  # of the range of a pixel
WHOLE = 32  # candidates that the second and third network see are filled up to multiples of it
BLOCK = 256  # columns of the overlap matrix held at once: bounds memory on busy photos


def mtcnn(photos: Sequence[np.ndarray], *, min_face: float = 20, floor: float = 0.6) -> list[Faces]:
    """Finds the faces on photos with MTCNN.

    Args:
        photos: A list of uint8 [height, width, 3], RGB, of any sizes.
        min_face: Side of the smallest face to find, in pixels.
        floor: Least score of a face, in [0, 1].

    Returns:
        A list of `distill.teachers.faces.Faces`, one for each photo.

    Raises:
        ImportError: If the `mtcnn` package is not installed.

    Example:
        >>> black = np.zeros([64, 48, 3], np.uint8)
        >>> [len(faces.boxes) for faces in mtcnn([black])]
        [0]
    """
    faces: list[Faces] = []
    with futures.ThreadPoolExecutor(processors()) as pool:
        for start in range(0, len(photos), PHOTOS_AT_ONCE):
            faces += _cascade(photos[start : start + PHOTOS_AT_ONCE], min_face, floor, pool.map)
    return faces


def mtcnn_package(
    photos: Sequence[np.ndarray], *, min_face: float = 20, floor: float = 0.6
) -> list[Faces]:
    """The same by the `mtcnn` package itself, photo by photo: slow, the answer to compare with.

    Args:
        photos: A list of uint8 [height, width, 3], RGB, of any sizes.
        min_face: Side of the smallest face to find, in pixels.
        floor: Least score of a face, in [0, 1].

    Returns:
        A list of `distill.teachers.faces.Faces`, one for each photo.

    Raises:
        ImportError: If the `mtcnn` package is not installed.

    Example:
        >>> black = np.zeros([64, 48, 3], np.uint8)
        >>> [len(faces.boxes) for faces in mtcnn_package([black])]
        [0]
    """
    found = (
        _package().detect_faces(
            photo,
            output_type="numpy",
            box_format="xyxy",
            min_face_size=min_face,
            threshold_onet=floor,
        )
        for photo in photos
    )
    rows = (np.asarray(faces, np.float32).reshape(-1, 16) for faces in found)
    return [Faces(boxes=faces[:, [2, 1, 4, 3]], scores=faces[:, 5]) for faces in rows]


def pyramid_scales(height: int, width: int, min_face: float) -> np.ndarray:
    """The scales at which the first network looks at a photo.

    Args:
        height: Of the photo, in pixels.
        width: Of the photo, in pixels.
        min_face: Side of the smallest face to find, in pixels.

    Returns:
        float64 [levels]; empty if the photo is smaller than a face can be.

    Example:
        >>> pyramid_scales(48, 64, 20).round(3)
        array([0.6  , 0.425, 0.302])
    """
    short = min(height, width)
    levels = round(-np.log(short / CELL) / np.log(SCALE_STEP) - 1)
    scales = CELL / min_face * SCALE_STEP ** np.arange(levels)
    # The package goes on below the cell where min_face is large (see `_package`).
    return scales[np.floor(short * scales) >= CELL]


def _cascade(
    photos: Sequence[np.ndarray], min_face: float, floor: float, parallel: Callable
) -> list[Faces]:
    """The three stages on a few photos; `parallel` is a `map` that may use threads."""
    images = [tf.constant(photo) for photo in photos]
    scales = [
        tf.constant(pyramid_scales(photo.shape[0], photo.shape[1], min_face)) for photo in photos
    ]
    propose, crop, refine, finish = _graphs()
    boxes = list(parallel(propose, images, scales))
    for side, stage in (24, refine), (48, functools.partial(finish, floor=floor)):
        patches = list(parallel(functools.partial(crop, side=side), images, boxes))
        owner = np.repeat(np.arange(len(photos), dtype=np.int32), [len(b) for b in boxes])
        found, scores, owner = stage(tf.concat(patches, 0), tf.concat(boxes, 0), owner)
        boxes = tf.dynamic_partition(found, owner, len(photos))
    scores = tf.dynamic_partition(scores, owner, len(photos))
    return [
        Faces(np.clip(b, 0, np.array([*photo.shape[:2]] * 2, np.float32) - 1), s.numpy())
        for photo, b, s in zip(photos, boxes, scores, strict=True)
    ]


@functools.cache
def _graphs() -> tuple[Callable, Callable, Callable, Callable]:
    """The graphs of the cascade, each traced once for photos of every size."""
    photo = tf.TensorSpec([None, None, 3], tf.uint8)
    scales = tf.TensorSpec([None], tf.float64)
    boxes = tf.TensorSpec([None, 4], tf.float32)
    owner = tf.TensorSpec([None], tf.int32)
    number = tf.TensorSpec([], tf.float32)
    small, large = (tf.TensorSpec([None, side, side, 3], tf.float32) for side in (24, 48))
    first, second, third = _networks()

    def graph(stage: Callable, *signature: tf.TensorSpec) -> Callable:
        return tf.function(stage, input_signature=signature)

    return (
        graph(functools.partial(_propose, first), photo, scales),
        graph(_crop, photo, boxes, tf.TensorSpec([], tf.int32)),
        graph(functools.partial(_refine, second), small, boxes, owner),
        graph(functools.partial(_finish, third), large, boxes, owner, number),
    )


def _propose(network, photo, scales):
    """Squares [boxes, 4] that the first network finds on a photo at all scales."""
    if tf.shape(scales)[0] == 0:  # of no levels, `tf.map_fn` loses the shape
        return tf.zeros([0, 4])
    rows = tf.map_fn(
        lambda scale: _propose_at(network, photo, scale),
        scales,
        fn_output_signature=tf.RaggedTensorSpec([None, 5], tf.float32, ragged_rank=0),
    ).values  # [boxes, 5]
    boxes, scores = rows[:, :4], rows[:, 4]
    return _square(tf.gather(boxes, _suppress(boxes, scores, iou_threshold=OVERLAP)))


def _crop(photo, boxes, side):
    """What a photo shows in its boxes, [boxes, side, side, 3] as the networks take it."""
    # Outside the photo all is gray: zero to the networks.
    size = tf.cast(tf.tile(tf.shape(photo)[:2], [2]), tf.float32)
    return _centered(
        tf.image.crop_and_resize(
            photo[None],
            boxes / size,
            tf.zeros_like(boxes[:, 0], tf.int32),
            [side, side],
            extrapolation_value=MIDDLE,
        )
    )


def _refine(network, patches, boxes, owner):
    """Squares that the second network lets pass, with scores and owners."""
    boxes, scores, owner = _regress(network, patches, boxes, owner, SECOND)
    kept = _suppress(boxes, scores, owner, iou_threshold=OVERLAP)
    return _square(tf.gather(boxes, kept)), tf.gather(scores, kept), tf.gather(owner, kept)


def _finish(network, patches, boxes, owner, floor):
    """Boxes that the third network says are faces, with scores and owners."""
    boxes, scores, owner = _regress(network, patches, boxes, owner, floor)
    kept = _suppress(boxes, scores, owner, iou_threshold=OVERLAP, of_smaller=True)
    return tf.gather(boxes, kept), tf.gather(scores, kept), tf.gather(owner, kept)


def _propose_at(network, photo, scale):
    """Boxes and scores [boxes, 5] that the first network finds at one level of the pyramid."""
    size = tf.cast(tf.cast(tf.shape(photo)[:2], tf.float64) * scale, tf.int32)
    level = tf.raw_ops.ResizeArea(images=photo[None], size=size)
    offsets, scores = network(_centered(level))
    cells = tf.where(scores[0] > FIRST)  # [boxes, 2]
    corner = tf.cast(cells * STRIDE, tf.float32)
    boxes = tf.concat([corner + 1, corner + CELL], 1)
    boxes += (CELL - 1) * tf.gather_nd(offsets[0], cells)
    boxes /= tf.cast(scale, tf.float32)
    scores = tf.gather_nd(scores[0], cells)
    kept = _suppress(boxes, scores, iou_threshold=FIRST_LEVEL_OVERLAP)
    return tf.gather(tf.concat([boxes, scores[:, None]], 1), kept)


def _regress(network, patches, boxes, owner, least):
    """Boxes moved by what a network says of their patches; those that score above `least`."""
    count = tf.shape(patches)[0]
    # The kernels meet few sizes, and never an empty batch, which they refuse. A `tf.pad` would be
    # fused into the convolution, which then refuses all the same.
    spare = tf.zeros([WHOLE - tf.math.mod(count, WHOLE), *patches.shape[1:]])
    offsets, scores = network(tf.concat([patches, spare], 0))
    offsets, scores = offsets[:count], scores[:count]
    size = boxes[:, 2:] - boxes[:, :2] + 1
    boxes += offsets * tf.concat([size, size], 1)
    sure = scores > least
    return boxes[sure], scores[sure], owner[sure]


def _suppress(boxes, scores, owner=None, *, iou_threshold, of_smaller=False):
    """Indices of the boxes that no better one of the same owner overlaps, best first.

    The package's rule: a box is dropped for any better box, even one that is dropped itself.
    """
    order = tf.argsort(scores, direction="DESCENDING", stable=True)
    boxes = tf.gather(boxes, order)
    ymin, xmin, ymax, xmax = tf.unstack(boxes, axis=1)
    areas = tf.maximum(ymax - ymin, 0) * tf.maximum(xmax - xmin, 0)
    ranks = tf.range(tf.shape(order)[0])

    def clear(start):
        """Which of the boxes [start, start + BLOCK) stay."""
        end = start + BLOCK

        def table(function, values):
            """[better, these]: a function of a value of each better box and of these."""
            return function(values[:end, None], values[None, start:end])

        height = table(tf.minimum, ymax) - table(tf.maximum, ymin)
        width = table(tf.minimum, xmax) - table(tf.maximum, xmin)
        shared = tf.nn.relu(height) * tf.nn.relu(width)
        whole = table(tf.minimum, areas) if of_smaller else table(tf.add, areas) - shared
        covers = (shared > iou_threshold * whole) & table(tf.less, ranks)
        if owner is not None:
            covers &= table(tf.equal, tf.gather(owner, order))
        return ~tf.reduce_any(covers, axis=0)

    if tf.shape(order)[0] <= BLOCK:  # as a rule; a loop of one turn would take longer
        return order[clear(0)]
    stays = tf.map_fn(
        clear,
        tf.range(0, tf.shape(order)[0], BLOCK),
        fn_output_signature=tf.RaggedTensorSpec([None], tf.bool, ragged_rank=0),
    ).values
    return order[stays]


def _square(boxes):
    """Boxes grown to squares about their centers."""
    sides = boxes[:, 2:] - boxes[:, :2]
    side = tf.reduce_max(sides, axis=1, keepdims=True)
    corner = boxes[:, :2] + (sides - side) / 2
    return tf.concat([corner, corner + side], 1)


def _centered(pixels):
    return (pixels - MIDDLE) / 128


def _networks() -> tuple[Callable, Callable, Callable]:
    """The three networks: images -> (offsets [..., 4], ymin xmin ymax xmax; scores [...])."""

    proposing, refining, finishing = (
        _layers(name, count) for name, count in (("pnet.lz4", 3), ("rnet.lz4", 4), ("onet.lz4", 5))
    )

    def first(x):
        *layers, (kernel, bias) = proposing
        x = _convolve_and_pool(x, layers[0], window=2)
        x = _convolve(_convolve(x, layers[1]), layers[2])
        return _head(tf.nn.bias_add(tf.nn.conv2d(x, kernel, 1, "VALID"), bias))

    def second(x):
        *layers, (kernel, bias) = refining
        x = _convolve_and_pool(x, layers[0], window=3)
        x = tf.nn.max_pool2d(_convolve(x, layers[1]), 3, 2, "VALID")
        return _head(_dense(_convolve(x, layers[2]), layers[3]) @ kernel + bias)

    def third(x):
        *layers, (kernel, bias) = finishing
        x = _convolve_and_pool(x, layers[0], window=3)
        x = tf.nn.max_pool2d(_convolve(x, layers[1]), 3, 2, "VALID")
        x = tf.nn.max_pool2d(_convolve(x, layers[2]), 2, 2, "SAME")
        return _head(_dense(_convolve(x, layers[3]), layers[4]) @ kernel + bias)

    return first, second, third


def _layers(name: str, count: int) -> list:
    """The package's weights: (kernel, bias, slope) of each layer, then (kernel, bias) of the head.

    The head is all heads in one: four offsets, y before x, and the one number that decides a
    softmax of two. Landmarks are left out. The first layer's channels stand in another order, those
    with a negative slope first (see `_convolve_and_pool`).
    """
    from mtcnn.utils.tensorflow import load_weights

    weights = load_weights(name)
    layers = [list(weights[3 * i : 3 * i + 3]) for i in range(count)]
    offsets, bias = weights[3 * count : 3 * count + 2]
    score, score_bias = weights[-2:]
    kernel = np.concatenate([offsets[..., _Y_FIRST], score[..., 1:] - score[..., :1]], -1)
    bias = np.concatenate([bias[_Y_FIRST], score_bias[1:] - score_bias[:1]])
    order = np.argsort(layers[0][2].ravel() >= 0, kind="stable")
    layers[0] = [array[..., order] for array in layers[0]]
    layers[1][0] = layers[1][0][:, :, order]
    return [*layers, (kernel, bias)]


_Y_FIRST = [1, 0, 3, 2]


def _convolve(x, layer):
    kernel, bias, slope = layer
    return _prelu(tf.nn.bias_add(tf.nn.conv2d(x, kernel, 1, "VALID"), bias), slope)


def _convolve_and_pool(x, layer, *, window):
    """Convolution, PReLU and pooling by two, the PReLU after the pooling, on a quarter of the data.

    A PReLU that rises everywhere may as well come after the maximum. Where its slope is negative
    it is max(x, slope * x), and so is its maximum: of the maxima of x and of slope * x, which the
    convolution gives as one more channel, on vector lanes that would be idle.
    """
    kernel, bias, slope = layer
    falling = int(np.sum(slope < 0))
    kernel = np.concatenate([kernel, (kernel * slope)[..., :falling]], -1)
    bias = np.concatenate([bias, (bias * slope.ravel())[:falling]])
    x = tf.nn.bias_add(tf.nn.conv2d(x, kernel, 1, "VALID"), tf.constant(bias))
    x = tf.nn.max_pool2d(x, window, 2, "SAME")
    falls, rises, other = tf.split(x, [falling, slope.size - falling, falling], axis=-1)
    return tf.concat([tf.maximum(falls, other), _prelu(rises, slope[..., falling:])], -1)


def _dense(x, layer):
    kernel, bias, slope = layer
    # The weights expect columns before rows.
    x = tf.reshape(tf.transpose(x, [0, 2, 1, 3]), [-1, kernel.shape[0]])
    return _prelu(x @ kernel + bias, slope)


def _head(x):
    return x[..., :4], tf.sigmoid(x[..., 4])


def _prelu(x, slope):
    if np.max(slope) <= 1:  # in all layers but two
        return tf.maximum(x, slope * x)  # two passes over memory, not five
    return tf.nn.relu(x) - slope * tf.nn.relu(-x)


@functools.cache
def _package() -> Any:
    from mtcnn import MTCNN
    from mtcnn.stages import stage_pnet

    # Its pyramid goes on below what its first network takes. There Keras found nothing up to 3.14,
    # and raises since.
    build = stage_pnet.build_scale_pyramid

    def build_what_fits(width: int, height: int, **options: Any) -> np.ndarray:
        scales = build(width, height, **options)
        return scales[np.floor(min(width, height) * scales) >= CELL]

    stage_pnet.build_scale_pyramid = build_what_fits
    return MTCNN()

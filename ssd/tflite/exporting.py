"""A Keras model as a `.tflite` file that explains itself."""

import itertools
import os
import pathlib
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable
from typing import Any

import keras
import numpy as np

from anchors.coding import VARIANCES
from ssd import atomic
from ssd.config import BACKBONES
from ssd.nets.backbones import find_backbone
from ssd.nets.describing import PREPROCESSING, anchor_rows, describe_model
from ssd.nets.model import SSD, check_finite
from ssd.nets.scores import center_scores
from ssd.quiet import quietly
from ssd.tflite.boxes import add_boxes
from ssd.tflite.flatbuffer import pack, unpack
from ssd.tflite.metadata import describe
from ssd.tflite.ranges import fit_ranges
from ssd.tflite.saturation import saturate
from ssd.version import __version__

PRECISIONS = ("float32", "float16", "int8")
_OUTPUTS = {
    "offsets": (
        "For each anchor, the offsets (dy, dx, dh, dw) of its box. With its center (y, x) and size "
        "(h, w) in anchors.npy, and variances 0.1 and 0.2: center (y + 0.1 dy h, x + 0.1 dx w), "
        "size (h exp(0.2 dh), w exp(0.2 dw)), on the unit square of the input."
    ),
    "logits": "For each anchor, logits of background and the classes; their softmax is the scores.",
}
_BOXES = {
    "boxes": "ymin, xmin, ymax, xmax on the unit square of the input, not clipped to it.",
    "classes": "Class of each box, 0 for the first in labels.txt.",
    "scores": "Score of each box, best first.",
    "count": "Number of boxes; what comes after them means nothing.",
}
_FILES = {
    "model.json": "Config, variances, preprocessing and provenance.",
    "anchors.npy": "float32 [anchors, 4], ymin xmin ymax xmax on the unit square of the input.",
    "labels.txt": "Names of the classes, one to a line; background first where there are logits.",
}
_BOXES_FILES = {name: _FILES[name] for name in ("model.json", "labels.txt")}
# What int8 outputs reach. An anchor that is assigned to a face is asked for offsets of less than
# 5 (at an overlap of 0.4, a center 4.3 away or a size 4.6), and a score of 1 / (1 + exp(-10)) is 1.
_LIMITS = {"offsets": 5.0, "logits": 5.0}
# More photos than this move int8 ranges no more.
_CALIBRATION_PHOTOS = 256


def write_tflite(
    model: SSD,
    path: pathlib.Path,
    *,
    precision: str,
    boxes: bool = False,
    calibration: np.ndarray | Iterable[tuple[Any, Any]] | None = None,
) -> pathlib.Path:
    """Write a model as a TFLite file, as `ssd.export` says.

    Args:
        model: An `ssd.SSD`, trained under any Keras backend.
        path: File to write; it appears whole or not at all.
        precision: "float32", "float16" or "int8".
        boxes: Whether decoding and suppression are in the file, as `ssd.export` says.
        calibration: As for `ssd.export`.

    Returns:
        The path.

    Raises:
        ValueError: If the precision is unknown, int8 is asked for without photos, a weight is
            not finite, or under JAX a user's own backbone is in no module.

    Example:
        >>> import ssd
        >>> model = ssd.SSD(ssd.Config(image_size=(64, 64), width_multiplier=0.05))
        >>> write_tflite(model, pathlib.Path("face.tflite"), precision="int4")
        Traceback (most recent call last):
        ValueError: precision: wanted one of float32, float16, int8, got 'int4'
    """
    if precision not in PRECISIONS:
        raise ValueError(f"precision: wanted one of {', '.join(PRECISIONS)}, got {precision!r}")
    check_finite(model)
    elsewhere = keras.backend.backend() != "tensorflow"
    home = _module_of(model.config.backbone) if elsewhere else ""
    images = None
    if precision == "int8":
        if calibration is None:
            raise ValueError("int8 export: wanted calibration photos, got none")
        images = _calibration_images(calibration, model.config.image_size)
    path.parent.mkdir(parents=True, exist_ok=True)
    if elsewhere:
        flatbuffer = _convert_elsewhere(model, precision, images, boxes, home)
    else:
        flatbuffer = _convert(model, precision, images, boxes=boxes)

    with atomic.whole(path) as temporary:
        temporary.write_bytes(flatbuffer)
        _append_archive(temporary, model, precision, boxes)
    return path


def _calibration_images(calibration, image_size):
    if isinstance(calibration, np.ndarray):
        photos = calibration
    else:
        photos = (image for batch, _ in calibration for image in np.asarray(batch))
    images = np.array(list(itertools.islice(photos, _CALIBRATION_PHOTOS)))
    wanted = (*image_size, 3)
    if images.shape[1:] != wanted or images.dtype != np.uint8:
        raise ValueError(
            f"calibration: wanted uint8 images [photos, {', '.join(map(str, wanted))}], "
            f"got {images.dtype} {list(images.shape)}"
        )
    # Two pixels of the extremes make the input's scale exactly 1: a byte goes in as it is.
    images[0, 0, 0], images[0, 0, 1] = 0, 255
    return images


def _to_convert(model, precision):
    """A copy that computes in float32, since TFLite has no convolution in bfloat16."""
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float32")
    try:
        whole = SSD(model.config)
    finally:
        keras.config.set_dtype_policy(policy)
    whole.set_weights(model.get_weights())
    if precision == "int8":
        center_scores(whole)
    return whole


def _convert(model, precision, images, *, boxes):
    """The TFLite flatbuffer of a model, made in this process (Keras on TensorFlow)."""
    import tensorflow as tf

    model = _to_convert(model, precision)
    outputs = {name: model.get_layer(name).output for name in ("offsets", "logits")}
    apart = keras.Model(model.inputs, outputs)

    # Weights as constants: a SavedModel of many variables takes four times as long.
    weights = [
        [tf.constant(keras.ops.convert_to_numpy(each)) for each in group]
        for group in (apart.trainable_variables, apart.non_trainable_variables)
    ]

    @tf.function(input_signature=[tf.TensorSpec((1, *model.config.image_size, 3), name="images")])
    def serve(images):
        return apart.stateless_call(*weights, images, training=False)[0]

    # By way of a SavedModel, because only there are outputs named.
    with tempfile.TemporaryDirectory() as folder:
        tf.saved_model.save(tf.Module(), folder, signatures=serve)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        made = _converted(tf, converter, precision, images)
    flatbuffer = unpack(made)
    if precision == "int8":
        saturate(flatbuffer, _LIMITS)
        fit_ranges(flatbuffer, made, images)
    if boxes:
        threshold = model.config.score_threshold
        add_boxes(flatbuffer, anchor_rows(model), VARIANCES, score_threshold=threshold)
    _describe(flatbuffer, model.config, precision, boxes)
    return pack(flatbuffer)


def _describe(flatbuffer, config, precision, boxes):
    """Add what tools show of a model."""
    height, width = config.image_size
    describe(
        flatbuffer,
        name="ssd-faces",
        version=__version__,
        description=(
            f"Single-shot detector of {', '.join(config.classes)} ({precision}). "
            f"{PREPROCESSING} model.json says how the outputs become boxes."
        ),
        inputs={"images": f"A photo in {height} x {width} pixels. {PREPROCESSING}"},
        outputs=_BOXES if boxes else _OUTPUTS,
        files=_BOXES_FILES if boxes else _FILES,
    )


def _converted(tf, converter, precision, images):
    if precision != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if precision == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if precision == "int8":
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.representative_dataset = lambda: (
            [image[None].astype(np.float32)] for image in images
        )
        converter.inference_input_type = tf.uint8
        converter.inference_output_type = tf.int8
    with quietly():
        return converter.convert()


def _module_of(backbone):
    """The module that another process imports to know a backbone; "" for this project's own."""
    if backbone in BACKBONES:
        return ""
    module = getattr(find_backbone(backbone), "__module__", "__main__")
    if module == "__main__":
        raise ValueError(
            f"export: under {keras.backend.backend()} wanted backbone {backbone!r} in a module, "
            "which a process of TensorFlow imports; got one of a script"
        )
    return module


def _convert_elsewhere(model, precision, images, boxes, home):
    """The same for a model of another backend: saved, and converted by a TensorFlow process."""
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        model.save(folder / "model.keras")
        if images is not None:
            np.save(folder / "images.npy", images)
        script = (
            "import sys, importlib, pathlib, numpy as np, ssd, ssd.tflite.exporting as e\n"
            "folder, precision, boxes, home = pathlib.Path(sys.argv[1]), *sys.argv[2:]\n"
            "home and importlib.import_module(home)\n"
            "images = np.load(folder / 'images.npy') if precision == 'int8' else None\n"
            "model = ssd.load(folder / 'model.keras')\n"
            "made = e._convert(model, precision, images, boxes=bool(boxes))\n"
            "(folder / 'model.tflite').write_bytes(made)\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", script, str(folder), precision, "boxes" * boxes, home],
            env=os.environ | {"KERAS_BACKEND": "tensorflow"} | _paths(home),
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise RuntimeError(f"TFLite conversion failed:\n{done.stderr}")
        return (folder / "model.tflite").read_bytes()


def _paths(home):
    """Another process finds a user's module where this one did."""
    return {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))} if home else {}


def _append_archive(path, model, precision, boxes):
    """Add the ZIP that travels at the end of the file: what a runtime must know and cannot see."""
    files = describe_model(model, precision, background=not boxes)
    # MediaPipe reads no compressed file; and what has boxes needs no anchors, the largest.
    names, method = (_BOXES_FILES, zipfile.ZIP_STORED) if boxes else (_FILES, zipfile.ZIP_DEFLATED)
    # Appending counts offsets from the start of the file, as `unzip` expects them.
    with zipfile.ZipFile(path, "a", method) as archive:
        for name in names:
            archive.writestr(name, files[name])

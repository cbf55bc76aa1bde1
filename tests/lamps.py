"""A model whose every answer can be worked out by hand, for tests of what runs models.

It sees lamps: where a cell of 8 x 8 pixels is white on the average, it is sure of a lamp that
fills the cell; where only the red is lit, of a red lamp. All other cells are background.
"""

import io
import json
import os
import pathlib
import tempfile
import zipfile

import numpy as np

from ssd.config import Config

VARIANCES = (0.1, 0.1, 0.2, 0.2)
CELL = 8


def config(classes=("lamp",), kinds=None):
    return Config(image_size=(64, 96), classes=classes, kinds=kinds or {})


def cells():
    """The anchors: one to a cell, row by row, float32 [96, 4]."""
    rows, columns = 64 // CELL, 96 // CELL
    return np.array(
        [
            [row / rows, column / columns, (row + 1) / rows, (column + 1) / columns]
            for row in range(rows)
            for column in range(columns)
        ],
        np.float32,
    )


def write_model(
    path, *, classes=("lamp",), kinds=None, precision="float32", offset=(0.0, 0.0, 0.0, 0.0)
):
    """Write the model as a `.tflite` file with its archive.

    Args:
        path: The file.
        classes: One or two names; the second is what a red cell is.
        kinds: As in a Config.
        precision: "float32" or "int8".
        offset: What the model answers as the offsets of every anchor.
    """
    about = {
        "config": json.loads(config(classes, kinds).to_json()),
        "precision": precision,
        "variances": VARIANCES,
    }
    rows = io.BytesIO()
    np.save(rows, cells())
    path.write_bytes(flatbuffer(len(classes), precision, offset))
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("model.json", json.dumps(about))
        archive.writestr("anchors.npy", rows.getvalue())
    return path


def flatbuffer(classes, precision, offset):
    """The model alone; from the folder SSD_LAMPS if it was made before, with TensorFlow."""
    if "SSD_LAMPS" not in os.environ:
        return convert(classes, precision, offset)
    name = f"{classes}-{precision}-{'-'.join(f'{each:.4f}' for each in offset)}.tflite"
    kept = pathlib.Path(os.environ["SSD_LAMPS"]) / name
    if not kept.exists():
        kept.write_bytes(convert(classes, precision, offset))
    return kept.read_bytes()


def convert(classes, precision, offset):
    import tensorflow as tf

    # Mean red and green of a cell in [0, 1], as logits: background 0, lamp 20 green - 10,
    # red lamp 20 red - 20 green - 10.
    kernel = np.zeros((CELL, CELL, 3, 1 + classes), np.float32)
    kernel[:, :, 1, 1] = 20 / 255 / CELL**2
    if classes == 2:
        kernel[:, :, 0, 2] = 20 / 255 / CELL**2
        kernel[:, :, 1, 2] = -20 / 255 / CELL**2
    bias = np.array([0, -10, -10][: 1 + classes], np.float32)
    still = np.zeros((CELL, CELL, 3, 4), np.float32)

    module = tf.Module()

    @tf.function(input_signature=[tf.TensorSpec((1, 64, 96, 3), tf.float32, name="images")])
    def serve(images):
        logits = tf.nn.conv2d(images, kernel, CELL, "VALID") + bias
        offsets = tf.nn.conv2d(images, still, CELL, "VALID") + np.array(offset, np.float32)
        return {
            "logits": tf.reshape(logits, (1, -1, 1 + classes)),
            "offsets": tf.reshape(offsets, (1, -1, 4)),
        }

    module.serve = serve
    with tempfile.TemporaryDirectory() as folder:
        tf.saved_model.save(module, folder, signatures={"serving_default": serve})
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        if precision == "int8":
            random = np.random.default_rng(0)
            photos = random.integers(0, 256, (8, 1, 64, 96, 3)).astype(np.float32)
            photos[0], photos[1] = 0, 255
            photos[2, ..., 1:] = 0
            photos[2, ..., 0] = 255
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
            converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
            converter.representative_dataset = lambda: ([photo] for photo in photos)
            converter.inference_input_type = tf.uint8
            converter.inference_output_type = tf.int8
        return converter.convert()

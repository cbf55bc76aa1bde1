"""Other scores from the same model: what its last layers say is scaled and moved."""

import keras
import numpy as np

from ssd.nets.model import SSD


def rescale_scores(model: SSD, slope: float, shift: float) -> None:
    """Change a model's logits, in the weights that make them.

    By how much a class leads the background becomes `slope` times as much, plus `shift`. Every
    file that the model is saved or exported to then has the new scores.

    Args:
        model: An `ssd.SSD`; it is changed.
        slope: A factor over 0.
        shift: What is added.

    Raises:
        ValueError: If the slope is not over 0: better scores would be worse.

    Example:
        >>> import numpy as np, ssd
        >>> model = ssd.SSD(ssd.Config(image_size=(64, 64), width_multiplier=0.05))
        >>> black = np.zeros([1, 64, 64, 3], np.uint8)
        >>> before = np.asarray(model(black))[0, 0, 4:]
        >>> rescale_scores(model, 2.0, -1.0)
        >>> after = np.asarray(model(black))[0, 0, 4:]
        >>> bool(abs((after[1] - after[0]) - (2 * (before[1] - before[0]) - 1)) < 1e-4)
        True
    """
    if not slope > 0:
        raise ValueError(f"slope: wanted a number over 0, got {slope!r}")
    classes = 1 + len(model.config.classes)
    moved = np.array([0.0, *[shift] * len(model.config.classes)], np.float32)
    for level in model.config.levels:
        kernel, bias = model.get_layer(f"logits{level}").weights
        kernel.assign(kernel * slope)
        bias.assign(bias * slope + np.tile(moved, bias.shape[0] // classes))


def center_scores(model: SSD) -> None:
    """Move the logits of each anchor together, so that their mean is 0; no score changes.

    Training leaves that mean anywhere, since a softmax is of differences. A file of 8 bits has
    few steps, and none to spare for it.

    Args:
        model: An `ssd.SSD`; it is changed.

    Example:
        >>> import numpy as np, ssd
        >>> model = ssd.SSD(ssd.Config(image_size=(64, 64), width_multiplier=0.05))
        >>> center_scores(model)
        >>> logits = np.asarray(model(np.zeros([1, 64, 64, 3], np.uint8)))[0, :, 4:]
        >>> bool(np.abs(logits.mean(axis=1)).max() < 1e-5)
        True
    """
    classes = 1 + len(model.config.classes)
    for level in model.config.levels:
        for weight in model.get_layer(f"logits{level}").weights:
            values = keras.ops.convert_to_numpy(weight)
            anchors = values.reshape(*values.shape[:-1], -1, classes)
            centered = anchors - anchors.mean(axis=-1, keepdims=True)
            weight.assign(centered.reshape(values.shape))

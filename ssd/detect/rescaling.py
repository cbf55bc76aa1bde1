"""A model with other scores: its logits scaled and moved as it runs, its file as it is."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ssd.detect.open_model import Model


class Rescaled:
    """A model of which each class leads the background by `slope` times as much, plus `shift`.

    So it answers as if these were in the weights of its last layers (`ssd.nets.scores`).

    Args:
        model: An open model.
        slope: A factor over 0.
        shift: What is added.

    Attributes:
        about, anchors, scales: As those of `ssd.detect.open_model.Model`.

    Example:
        >>> from ssd.shipped import SHIPPED
        >>> from ssd.detect.litert import LiteRTModel
        >>> model = LiteRTModel(SHIPPED)
        >>> black = model.prepare(np.zeros((*model.about["config"]["image_size"], 3), np.uint8))
        >>> _, same = Rescaled(model, 1.0, 0.0).forward(black)
        >>> _, moved = Rescaled(model, 1.0, 2.0).forward(black)
        >>> bool(np.allclose(moved[:, 1], same[:, 1] + 2))
        True
    """

    def __init__(self, model: Model, slope: float, shift: float) -> None:
        self._model, self._slope, self._shift = model, slope, shift
        self.about: Mapping[str, Any] = model.about
        self.anchors: np.ndarray = model.anchors
        self.scales = model.scales[0], (0.0, 0)

    def prepare(self, image: np.ndarray) -> np.ndarray:
        """As the model's.

        Args:
            image: uint8 [height, width, 3], of the input's size.

        Returns:
            [1, height, width, 3].
        """
        return self._model.prepare(image)

    def forward(self, tensor: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The outputs for an input tensor.

        Args:
            tensor: What `prepare` returned.

        Returns:
            Offsets [anchors, 4] as the model's; logits float32 [anchors, 1 + classes], the
            background at 0.
        """
        offsets, logits = self._model.forward(tensor)
        scale = self._model.scales[1][0] or 1.0
        lead = np.float32(scale) * (logits[:, 1:].astype(np.float32) - logits[:, :1])
        moved = np.float32(self._slope) * lead + np.float32(self._shift)
        return offsets, np.pad(moved, ((0, 0), (1, 0)))

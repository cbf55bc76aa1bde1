"""What runs in a detector: a model that is open, whatever computes it."""

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np


class Model(Protocol):
    """What a `Detector` runs: a model that is open, whatever computes it.

    `ssd.detect.litert.LiteRTModel` is one, of a `.tflite` file; `ssd.opening.KerasModel`
    another, of a model in memory. One that has a `path` besides is called by it.

    Example:
        >>> from ssd.detect.litert import LiteRTModel
        >>> from ssd.shipped import SHIPPED
        >>> model: Model = LiteRTModel(SHIPPED)
        >>> sorted(model.about["config"])[:2]
        ['anchor_aspect', 'anchor_sizes']
    """

    @property
    def about(self) -> Mapping[str, Any]:
        """`config`, the fields of the `ssd.Config`, and `variances`, as in `model.json`."""
        ...

    @property
    def anchors(self) -> np.ndarray:
        """float32 [anchors, 4] `[ymin, xmin, ymax, xmax]` on the unit square of the input."""
        ...

    @property
    def scales(self) -> tuple[tuple[float, int], tuple[float, int]]:
        """(scale, zero point) of offsets and of logits; scale 0: they are what they stand for."""
        ...

    def prepare(self, image: np.ndarray) -> np.ndarray:
        """An image as the input tensor.

        Args:
            image: uint8 [height, width, 3], of the input's size.

        Returns:
            [1, height, width, 3] in the input's type.
        """
        ...

    def forward(self, tensor: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The raw outputs for an input tensor.

        Args:
            tensor: What `prepare` returned.

        Returns:
            Offsets [anchors, 4] and logits [anchors, 1 + classes].
        """
        ...

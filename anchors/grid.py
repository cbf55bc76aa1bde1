"""Anchors laid over the cells of feature maps."""

from collections.abc import Iterable, Sequence

import numpy as np


def grid(
    feature_shapes: Iterable[Sequence[int]],
    sizes: Iterable[Iterable[Sequence[float]]],
) -> np.ndarray:
    """Anchors on every cell of every level, centered on the cells.

    In order of level, then row, then column, then size within the level. Anchors are not
    clipped: one at the rim reaches outside the image.

    Args:
        feature_shapes: One (rows, columns) per level.
        sizes: For each level, a list of (height, width) of its anchors, on the unit square.

    Returns:
        A float32 NumPy array [anchors, 4], boxes as in `anchors.boxes`: a constant, good in any
        graph.

    Raises:
        ValueError: If the levels do not pair up, or a number is not positive.

    Example:
        >>> grid([(1, 2)], [[(0.5, 0.25)]]).tolist()
        [[0.25, 0.125, 0.75, 0.375], [0.25, 0.625, 0.75, 0.875]]

    Source: Liu et al., "SSD: Single Shot MultiBox Detector" (2016), section 2.2.
    """
    feature_shapes = [tuple(shape) for shape in feature_shapes]
    sizes = [[tuple(size) for size in level] for level in sizes]
    if not feature_shapes or len(feature_shapes) != len(sizes):
        raise ValueError(
            "grid: wanted as many lists of sizes as feature shapes, one or more, "
            f"got {len(feature_shapes)} shapes and {len(sizes)} lists"
        )
    return np.concatenate(
        [_level(shape, level) for shape, level in zip(feature_shapes, sizes, strict=True)]
    )


def _level(shape, sizes):
    """The anchors of one feature map, [rows × columns × sizes, 4]."""
    if len(shape) != 2 or not all(count == int(count) and count > 0 for count in shape):
        raise ValueError(f"grid: wanted (rows, columns), both positive integers, got {shape}")
    if not sizes or not all(len(size) == 2 and min(size) > 0 for size in sizes):
        raise ValueError(f"grid: wanted one or more (height, width), both positive, got {sizes}")
    rows, columns = map(int, shape)
    y = (np.arange(rows) + 0.5) / rows
    x = (np.arange(columns) + 0.5) / columns
    center = np.stack(np.meshgrid(y, x, indexing="ij"), axis=-1)  # [rows, columns, 2]
    center = center[:, :, None]  # [rows, columns, 1, 2]
    half = np.asarray(sizes, "float64") / 2  # [sizes, 2]
    corners = np.concatenate([center - half, center + half], axis=-1)  # [rows, columns, sizes, 4]
    return corners.reshape(-1, 4).astype("float32")

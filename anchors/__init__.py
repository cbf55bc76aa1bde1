"""Anchors: lay them out, match them to boxes, and code boxes as offsets from them."""

from anchors.boxes import (
    area,
    center_to_corners,
    clip,
    corners_to_center,
    intersection,
    iou,
)
from anchors.coding import decode, encode
from anchors.coverage import Coverage, coverage
from anchors.grid import grid
from anchors.matching import Match, match

__all__ = [
    "Coverage",
    "Match",
    "area",
    "center_to_corners",
    "clip",
    "corners_to_center",
    "coverage",
    "decode",
    "encode",
    "grid",
    "intersection",
    "iou",
    "match",
]

"""Anchors: lay them out, match them to boxes, and code boxes as offsets from them."""

from anchors.boxes import (
    area,
    centre_to_corners,
    clip,
    corners_to_centre,
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
    "centre_to_corners",
    "clip",
    "corners_to_centre",
    "coverage",
    "decode",
    "encode",
    "grid",
    "intersection",
    "iou",
    "match",
]

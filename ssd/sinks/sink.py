"""What every sink is: it takes one frame after the other, and ends with complete files."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ssd.detect.detections import Detections
from ssd.sources.frame import Frame


class FrameResult(NamedTuple):
    """A frame, and what came of it.

    Attributes:
        frame: The `Frame`.
        found: What was found in it.
        picture: The frame as people are to see it: with boxes drawn in, or faces blurred; None
            where nobody looks.

    Example:
        >>> frame = Frame("a.jpg", "a", (8, 8))
        >>> nothing = Detections(np.zeros((0, 4)), np.zeros(0), np.zeros(0, int))
        >>> FrameResult(frame, nothing).picture is None
        True
    """

    frame: Frame
    found: Detections
    picture: np.ndarray | None = None


class Sink:
    """Takes results; this one does nothing with them.

    Attributes:
        takes_photos: Whether photos are its business.
        takes_frames: Whether frames of videos, cameras and streams are.
        visual: Whether it wants the pictures.
        parallel: Whether photos may come in any order, to copies that pickle makes in other
            processes. To a sink that is not they come in order and without their pixels, which
            stay in the process that read them.
        ended: Whether its user wants no more.
        remarks: Lines about what is not as it should be, to be said at the end.

    Example:
        >>> sink = Sink()
        >>> sink.ended
        False
    """

    takes_photos = True
    takes_frames = True
    visual = False
    parallel = False
    ended = False
    remarks: Sequence[str] = ()

    def add(self, result: FrameResult) -> None:
        """Take the next result.

        Args:
            result: The `FrameResult`.
        """

    def close(self) -> None:
        """Complete what was written. No more results come."""

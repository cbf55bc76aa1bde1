"""Results as YOLO's text files, one a photo or frame."""

import os

import numpy as np

from ssd import atomic
from ssd.sinks.folders import frame_name, new_folder
from ssd.sinks.sink import FrameResult, Sink


class YoloFolder(Sink):
    """A text file a frame, a line a box: class from 0, middle, width and height as shares, score.

    A frame without boxes has an empty file. The score is that of the class
    (`ssd.Detections.own_scores`).

    Args:
        folder: Where they go; new or empty.

    Raises:
        FileExistsError: If there is something in the folder.
        NotADirectoryError: If it is a file.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     YoloFolder(f"{folder}/labels").close()
        ...     os.listdir(folder)
        ['labels']
    """

    parallel = True

    def __init__(self, folder: str | os.PathLike) -> None:
        self._folder = new_folder(folder)

    def add(self, result: FrameResult) -> None:
        """Write the file of a frame.

        Args:
            result: The `FrameResult`.
        """
        frame, found, _ = result
        shares = np.asarray(found.boxes, np.float64) / np.tile(frame.size, 2)
        middles, sizes = (shares[:, :2] + shares[:, 2:]) / 2, shares[:, 2:] - shares[:, :2]
        lines = [
            f"{class_id - 1} {x:.6f} {y:.6f} {width:.6f} {height:.6f} {score:.6f}\n"
            for class_id, (y, x), (height, width), score in zip(
                found.class_ids, middles, sizes, found.own_scores, strict=True
            )
        ]
        atomic.write_text(self._folder / f"{frame_name(frame)}.txt", "".join(lines))

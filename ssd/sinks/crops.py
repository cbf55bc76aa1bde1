"""What was found, cut out: one file a box, in a folder a class."""

import os
from collections.abc import Sequence

import numpy as np

from ssd.sinks.folders import frame_name, new_folder
from ssd.sinks.picture_files import write_picture
from ssd.sinks.picture_names import picture_suffix
from ssd.sinks.sink import FrameResult, Sink


class Crops(Sink):
    """The pixels of each box as a picture, as they were found: `face/photo-1.jpg`.

    Of a photo they have its format; of a video they are JPEG.

    Args:
        folder: Where they go; new or empty.
        class_names: Names of the classes; the first is class 1.

    Raises:
        FileExistsError: If there is something in the folder.
        NotADirectoryError: If it is a file.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     Crops(f"{folder}/crops", ("face",)).close()
        ...     os.listdir(f"{folder}/crops")
        ['face']
    """

    parallel = True

    def __init__(self, folder: str | os.PathLike, class_names: Sequence[str]) -> None:
        self._folder = new_folder(folder)
        self._names = [name.replace("/", "_") for name in class_names]
        for name in self._names:
            (self._folder / name).mkdir()

    def add(self, result: FrameResult) -> None:
        """Write the crops of a frame.

        Args:
            result: The `FrameResult`.
        """
        frame, found, _ = result
        assert frame.pixels is not None  # as `parallel` says
        suffix = picture_suffix(frame.source) if frame.index is None else ".jpg"
        for place, (box, class_id) in enumerate(
            zip(found.boxes, found.class_ids, strict=True), start=1
        ):
            (top, left), (bottom, right) = (
                np.floor(box[:2]).astype(int),
                np.ceil(box[2:]).astype(int),
            )
            name = f"{frame_name(frame)}-{place}{suffix}"
            crop = np.ascontiguousarray(frame.pixels[top:bottom, left:right])
            write_picture(self._folder / self._names[class_id - 1] / name, crop)

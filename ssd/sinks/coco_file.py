"""Results as COCO's JSON of results, which pycocotools scores (`COCO.loadRes`)."""

import json
import os
import pathlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ssd.detect.counting import count_as, counted_as, folded, unknown_kinds
from ssd.photos.annotations import read_text
from ssd.photos.finding import same_name
from ssd.sinks.journal import Journal
from ssd.sinks.sink import FrameResult, Sink


class Ids:
    """The numbers that results give photos and classes: those of a truth, or counted from 1.

    Args:
        class_names: Names of the classes; the first is class 1.
        truth: COCO JSON with the ids of photos and categories; None to count.
        kinds: Which classes are kinds of others (`ssd.Config.kinds`): one that the truth does not
            know counts as what it is a kind of, a smile as a face.

    Attributes:
        counted: int [1 + classes], as what class each counts.

    Raises:
        FileNotFoundError: If there is no such truth.
        ValueError: If it is no COCO JSON, or none of its categories is a class.

    Example:
        >>> ids = Ids(("face",))
        >>> ids.of_photo("a.jpg"), ids.of_photo("b.jpg"), ids.of_class(1)
        (1, 2, 1)
    """

    def __init__(
        self,
        class_names: Sequence[str],
        truth: str | os.PathLike | None = None,
        kinds: Mapping[str, str] | None = None,
    ) -> None:
        self._last, self._known = 0, truth is not None
        self.counted = counted_as(class_names, None)
        self._classes: dict[int, Any] = {
            number: number for number in range(1, len(class_names) + 1)
        }
        self._photos: dict[str, set[Any]] = {}
        if truth is None:
            return
        images, categories = _read(truth)
        for name, key in images:
            for ending in _endings(name):
                self._photos.setdefault(ending, set()).add(key)
        by_name = {folded(name): key for name, key in categories}
        self.counted = counted_as(class_names, unknown_kinds(kinds or {}, by_name))
        numbered = [(place, folded(name)) for place, name in enumerate(class_names, 1)]
        self._classes = {place: by_name[name] for place, name in numbered if name in by_name}
        if not self._classes:
            raise ValueError(
                f"{truth}: wanted a category that the model has ({', '.join(class_names)}), "
                f"got {', '.join(name for name, _ in categories) or 'none'}"
            )

    def of_photo(self, path: str) -> Any:
        """The id of a photo.

        Args:
            path: Of the photo; of an id of the truth, its end has to be that of one name there.

        Returns:
            The id; None if the truth has no such photo, or several.
        """
        if not self._known:
            self._last += 1
            return self._last
        fitting = (self._photos[ending] for ending in _endings(path) if ending in self._photos)
        keys = next(fitting, set())
        return next(iter(keys)) if len(keys) == 1 else None

    def of_class(self, class_id: int) -> Any:
        """The id of a class; None if the truth has no such category.

        Args:
            class_id: 1 for the first.

        Returns:
            The id.
        """
        return self._classes.get(class_id)


class CocoFile(Sink):
    """What was found as a list of `image_id`, `category_id`, `bbox` and `score`.

    Numbers are not rounded, so a scorer sees the boxes as the detector gave them. A box of several
    classes (`ssd.Detections.class_scores`) is a row of each, as `ssd.evaluate` judges it; classes
    that count as one are one row.

    Args:
        path: The file.
        ids: Which numbers photos and classes have.

    Attributes:
        remarks: How many photos or frames the truth does not have; they are left out.

    Raises:
        FileExistsError: If there is a file of that name.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     CocoFile(f"{folder}/a.json", Ids(("face",))).close()
        ...     print(json.load(open(f"{folder}/a.json")))
        []
    """

    def __init__(self, path: str | os.PathLike, ids: Ids) -> None:
        self._path, self._ids, self._journal = path, ids, Journal(path)
        self._unknown = 0

    def add(self, result: FrameResult) -> None:
        """Write the rows of a frame.

        Args:
            result: The `FrameResult`.
        """
        frame, found = result.frame, count_as(result.found, self._ids.counted).by_class()
        image_id = self._ids.of_photo(frame.source)
        if image_id is None:
            self._unknown += 1
            return
        about: dict[str, Any] = {"file_name": frame.source}
        if frame.index is not None:
            about["frame"] = frame.index
        for box, score, class_id in zip(*(values.tolist() for values in found), strict=True):
            ymin, xmin, ymax, xmax = box
            category_id = self._ids.of_class(class_id)
            if category_id is None:
                continue
            self._journal.add(
                {
                    "image_id": image_id,
                    "category_id": category_id,
                    "bbox": [xmin, ymin, xmax - xmin, ymax - ymin],
                    "score": score,
                    **about,
                }
            )

    @property
    def remarks(self) -> Sequence[str]:  # type: ignore[override]
        """Lines to be said at the end."""
        if not self._unknown:
            return ()
        return (f"{self._path}: left out {self._unknown} that the truth does not name",)

    def close(self) -> None:
        """Make the JSON file of the rows."""
        self._journal.finish("[", "]")


def _read(truth: str | os.PathLike) -> tuple[list[tuple[str, Any]], list[tuple[str, Any]]]:
    """(name, id) of each photo and of each category, the ids as they stand there."""
    try:
        content = json.loads(read_text(truth))
        images = [(str(each["file_name"]), each["id"]) for each in content["images"]]
        return images, [(str(each["name"]), each["id"]) for each in content["categories"]]
    except (KeyError, TypeError, ValueError, RecursionError):
        raise ValueError(
            f"{truth}: wanted COCO JSON with images and categories that have ids"
        ) from None


def _endings(path: str) -> Iterable[str]:
    """A path, and what is left of it without its first folder, its second, and so on."""
    parts = pathlib.PurePosixPath(same_name(path)).parts
    return ("/".join(parts[start:]) for start in range(len(parts)))

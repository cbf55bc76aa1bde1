"""What a detector finds in labeled photos, beside what people say is there."""

import dataclasses
import hashlib
import os
import pathlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from ssd.detect.counting import count_as, counted_as, folded, unknown_kinds
from ssd.detect.detections import Detections
from ssd.detect.detector import Detector
from ssd.detect.limits import check_count, check_share
from ssd.photos.annotations import AnnotatedPhoto, Annotations, find_photos
from ssd.photos.coco import id_order, read_coco
from ssd.photos.reading import read_photo

SCORE_FLOOR = 0.001
MAX_DETECTIONS = 300
_CANDIDATES = 8  # before suppression, for each box: where classes count as one, twice as many


class PhotoResult(NamedTuple):
    """One labeled photo, and what a detector found in it.

    Attributes:
        path: The photo file.
        shape: (height, width) of the photo in pixels.
        boxes: The truth, float [n, 4] `[ymin, xmin, ymax, xmax]` in pixels.
        class_ids: int [n], 1 for the first class.
        ignored: bool [n], which of them are regions to ignore.
        found: What the detector found, `ssd.Detections`, best first.
        name: The photo's name in the truth.
        source: Where the truth says it is from, or None.

    Example:
        >>> box, one = np.array([[0.0, 0, 10, 10]]), np.array([1])
        >>> found = Detections(box, np.array([0.9]), one)
        >>> PhotoResult(pathlib.Path("a.jpg"), (60, 80), box, one, one == 0, found).ignored
        array([False])
    """

    path: pathlib.Path
    shape: tuple[int, int]
    boxes: np.ndarray
    class_ids: np.ndarray
    ignored: np.ndarray
    found: Detections
    name: str = ""
    source: str | None = None


@dataclasses.dataclass(frozen=True, eq=False)
class DetectorRun:
    """What a detector found in the photos of a truth.

    Attributes:
        results: A `PhotoResult` for each photo, in the order of the truth's ids.
        class_names: Names of the classes; the first is class 1.
        left_out: Number of photos of the truth that are missing or cannot be used.
        problems: One line for each thing that is not as it should be and cost something.
        inputs: What was run on what: plain values, as an evaluation's JSON has them.

    Example:
        >>> DetectorRun([]).class_names
        ('face',)
    """

    results: Sequence[PhotoResult]
    class_names: tuple[str, ...] = ("face",)
    left_out: int = 0
    problems: tuple[str, ...] = ()
    inputs: Mapping[str, Any] = dataclasses.field(default_factory=dict)


def run_detector(
    detector: Callable[..., Detections],
    photos: str | pathlib.Path,
    truth: str | pathlib.Path,
    *,
    class_map: Mapping[str, str] | None = None,
    score_floor: float = SCORE_FLOOR,
    max_detections: int = MAX_DETECTIONS,
    progress: Callable[[int, int], object] | None = None,
) -> DetectorRun:
    """Run a detector over the photos of a truth.

    Categories of the truth are the detector's classes of the same name, whatever the case. A class
    that the truth does not know counts as what it is a kind of (`Config.kinds`): a smile as a face.

    Args:
        detector: As for `ssd.evaluate`.
        photos: As for `ssd.evaluate`.
        truth: As for `ssd.evaluate`.
        class_map: As for `ssd.evaluate`.
        score_floor: Least score of what is kept, in [0, 1].
        max_detections: Greatest number of boxes kept of a photo, the best ones.
        progress: Called after each photo as `progress(done, total)`.

    Returns:
        A `DetectorRun`. A photo that is missing or cannot be read is left out and named in
        its problems, as is a category that the detector does not know.

    Raises:
        FileNotFoundError: If there is no such truth or folder.
        ValueError: If the truth is no COCO JSON, none of its categories is a class of the
            detector's, or none of its photos can be read; or an option is out of range.

    Example:
        >>> from ssd.metrics.results import run_detector
        >>> run_detector(None, "photos", "nowhere.json")
        Traceback (most recent call last):
        FileNotFoundError: nowhere.json: wanted a text file, there is none
    """
    check_share("score_floor", score_floor)
    check_count("max_detections", max_detections)
    annotations = read_coco(truth)
    labeled, left_out = find_photos(annotations.photos, photos)
    labeled.sort(key=lambda named: id_order(named[1].key))
    kinds = getattr(getattr(detector, "config", None), "kinds", {})
    class_map = {**unknown_kinds(kinds, annotations.class_names), **(class_map or {})}
    class_names, class_of, problems = pair_classes(annotations, detector, class_map)
    counted = counted_as(class_names, class_map)
    complaints = [*annotations.complaints, *left_out]
    results = []
    for done, (name, photo) in enumerate(labeled, 1):
        path = pathlib.Path(photos, name)
        try:
            pixels = read_photo(path)
            truth_of_it = photo.fitted(pixels.shape[:2], complaints.append)
        except ValueError as error:
            problems.append(f"{error}" if name in str(error) else f"{name}: {error}")
        else:
            found = _detect(detector, pixels, score_floor, max_detections, counted)
            kept = _best(found, [*class_of.values()], max_detections)
            results.append(_beside(path, truth_of_it, kept, class_of))
        if progress:
            progress(done, len(labeled))
    problems += [f"{each.name}: {each}" for each in complaints]
    if not results:
        reason = f" (the first of {len(problems)} reasons: {problems[0]})" if problems else ""
        raise ValueError(f"{truth}: wanted photos that are in {photos}, could use none{reason}")
    inputs = {
        "model": {**describe_model(detector), "classes": list(class_names)},
        "truth": {"file": str(truth), "sha256": file_digest(truth)},
        "photos": str(photos),
        "score_floor": score_floor,
        "max_detections": max_detections,
    }
    left_out = len({each.name for each in complaints if each.became == "left out"})
    left_out += len(labeled) - len(results)
    return DetectorRun(results, class_names, left_out, tuple(problems), inputs)


def detect_named(
    detector: Callable[..., Detections],
    folder: str | os.PathLike,
    names: Sequence[str],
    *,
    score_floor: float = SCORE_FLOOR,
    max_detections: int = MAX_DETECTIONS,
    progress: Callable[[int, int], object] | None = None,
) -> Iterator[tuple[Detections, tuple[int, int]]]:
    """What a detector finds in photos of some names, which have to be there.

    Of a detector of several classes only faces and their kinds count, not a dog that it knows too.

    Args:
        detector: An `ssd.Detector`.
        folder: Where the photos are.
        names: Their names in it.
        score_floor: Least score of what is found.
        max_detections: Boxes of a photo, the best ones.
        progress: Called after each photo as `progress(done, total)`.

    Yields:
        `Detections` of each photo, and its (height, width).

    Raises:
        FileNotFoundError: If there is no such photo.
        ValueError: If it is none, or the detector knows several things and none is called face.

    Example:
        >>> [*detect_named(print, "photos", [])]
        []
    """
    faces = _face_ids(detector)
    for done, name in enumerate(names, start=1):
        photo = read_photo(pathlib.Path(folder) / name)
        if faces is None:
            found = detector(photo, score_threshold=score_floor, max_detections=max_detections)
        else:  # others would take places among the best
            found = _best(detector(photo, score_threshold=score_floor), faces, max_detections)
        yield found, photo.shape[:2]
        if progress:
            progress(done, len(names))


def _face_ids(detector: object) -> list[int] | None:
    """The ids of faces and their kinds; None where a detector finds nothing else."""
    config = getattr(detector, "config", None)
    if config is None or len(set(config.roots)) == 1:
        return None
    named = [place for place, name in enumerate(config.classes, 1) if folded(name) == "face"]
    if not named:
        raise ValueError(
            f"wanted a model with a class called face, got {', '.join(config.classes)}"
        )
    face = config.roots[named[0] - 1]
    return [place for place, root in enumerate(config.roots, 1) if root == face]


def pair_classes(
    annotations: Annotations, detector: object, class_map: Mapping[str, str] | None = None
) -> tuple[tuple[str, ...], dict[str, int], list[str]]:
    """The classes of a detector by the names that a truth has for them, whatever the case.

    Args:
        annotations: The truth.
        detector: An `ssd.Detector`, or something that does not say what its classes are: those
            are then the categories of the truth, in the order of their ids.
        class_map: For categories of other names, the class that is meant. A class of the detector
            may be among them: what it finds of it then counts as the other.

    Returns:
        (names of the detector's classes, class ids by the truth's names, lines about names that
        only one of both has).

    Raises:
        ValueError: If none of the truth's categories is a class of the detector's, or the map
            leads to none.

    Example:
        >>> truth = Annotations(pathlib.Path("truth.json"), ["Car", "Face"], [], [])
        >>> pair_classes(truth, None)
        (('Car', 'Face'), {'Car': 1, 'Face': 2}, [])
    """
    config, path = getattr(detector, "config", None), annotations.source
    categories = annotations.class_names
    class_names = tuple(categories if config is None else config.classes)
    known = {folded(name): place for place, name in enumerate(class_names, 1)}
    for name, meant in (class_map or {}).items():
        if folded(meant) not in known:
            raise ValueError(f"map: wanted {' or '.join(class_names)} after {name}=, got {meant}")
        known[folded(name)] = known[folded(meant)]
    class_of = {name: known[folded(name)] for name in categories if folded(name) in known}
    if not class_of:
        raise ValueError(
            f"{path}: wanted a category that the model has ({', '.join(class_names)}), "
            f"got {', '.join(categories) or 'none'}; class_map (--map) says which is meant"
        )
    boxes = Counter(name for photo in annotations.photos for name in photo.names)
    problems = [
        f"{path}: category {name!r} is none of the model's classes ({', '.join(class_names)}); "
        f"its boxes ({boxes[name]}) are left out"
        for name in categories
        if name not in class_of
    ]
    counted = {folded(name) for name in class_map or {}}
    problems += [
        f"{path}: has no category {name!r}; what the model finds of it is left out"
        for place, name in enumerate(class_names, 1)
        if place not in class_of.values() and folded(name) not in counted
    ]
    return class_names, class_of, problems


def describe_model(detector: object) -> dict[str, Any]:
    """What tells one model from another: its file's name and digest, as far as it has a file.

    Args:
        detector: An `ssd.Detector`, or any other function.

    Returns:
        Plain values.

    Example:
        >>> describe_model(print)
        {'file': 'print'}
    """
    path = getattr(detector, "path", None)
    if path is None:
        return {"file": getattr(detector, "__name__", type(detector).__name__)}
    return {"file": str(path), "sha256": file_digest(path)}


def file_digest(path: str | pathlib.Path) -> str:
    """The SHA-256 digest of a file.

    Args:
        path: The file.

    Returns:
        64 hexadecimal digits.

    Raises:
        OSError: If it cannot be read.

    Example:
        >>> import os
        >>> file_digest(os.devnull)[:8]
        'e3b0c442'
    """
    return hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()


def _detect(
    detector: Any,
    photo: np.ndarray,
    score_floor: float,
    max_detections: int,
    counted: np.ndarray,
) -> Detections:
    """What a detector finds, without the time that hopeless boxes cost where it can spare that.

    Classes that count as one are suppressed as one, and share the score that a box is to have. A
    box of several classes is one of each.
    """
    if not isinstance(detector, Detector):
        found = count_as(detector(photo, score_threshold=score_floor), counted)
        return found.by_class()
    if (counted == np.arange(len(counted))).all():
        found = detector(photo, score_threshold=score_floor, max_detections=max_detections)
        return found.by_class()
    offsets, logits = detector.forward(detector.prepare(photo))
    names, kinds = detector.config.classes, detector.config.kinds
    apart = [counted[place] for place, name in enumerate(names, 1) if name not in kinds]
    floors = score_floor / np.bincount(apart, minlength=len(counted)).clip(1)
    found = detector.decode(offsets, logits, photo.shape, score_threshold=floors.min())
    found = count_as(found, counted)
    found = found.pick(found.scores >= floors[found.class_ids]).best(_CANDIDATES * max_detections)
    return detector.suppress(found).by_class()


def _best(found: Detections, class_ids: Sequence[int], most: int) -> Detections:
    """The best of what was found of the classes that the truth has."""
    return found.pick(np.isin(found.class_ids, class_ids)).best(most)


def _beside(
    path: pathlib.Path, photo: AnnotatedPhoto, found: Detections, class_of: Mapping[str, int]
) -> PhotoResult:
    """The truth of a photo in the classes of the detector, and what that found."""
    rows: list[tuple[tuple[float, ...], int, bool]] = []
    for label in photo.labels:
        if label.name is None:  # whatever is found there may be right
            rows += [(label.box, class_id, True) for class_id in sorted({*class_of.values()})]
        elif label.name in class_of:
            rows.append((label.box, class_of[label.name], label.ignored))
    height, width = shape = photo.size or (0, 0)
    if photo.unplaced:  # whatever is found anywhere may be right
        whole = (0.0, 0.0, float(height), float(width))
        rows += [(whole, class_id, True) for class_id in sorted({*class_of.values()})]
    return PhotoResult(
        path=path,
        shape=shape,
        boxes=np.array([row[0] for row in rows], float).reshape(-1, 4),
        class_ids=np.array([row[1] for row in rows], int),
        ignored=np.array([row[2] for row in rows], bool),
        found=found,
        name=photo.filename,
        source=photo.source,
    )

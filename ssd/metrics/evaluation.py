"""How good a detector is, measured against labels in COCO format."""

import itertools
import json
import pathlib
from typing import NamedTuple

import numpy as np

from ssd.boxes import covered, iou
from ssd.detect.detector import Detections
from ssd.photos.reading import find, read_photo

# Scores below this change no figure that anyone reads, and cost a long tail of boxes.
_FLOOR = 0.02


# Heights as shares of the photo's long side; 0.05 is 16 px at 320.
_SIZES = (0.0, 0.05, 0.1, 0.2, 0.4, np.inf)


class PhotoResult(NamedTuple):
    """One labelled photo, and what a detector found in it.

    Attributes:
        path: The photo file.
        shape: (height, width) of the photo in pixels.
        boxes: The truth, float [n, 4] `[ymin, xmin, ymax, xmax]` in pixels.
        class_ids: int [n], 1 for the first class.
        ignored: bool [n], which of them are regions to ignore.
        found: What the detector found, `ssd.Detections`.
    """

    path: pathlib.Path
    shape: tuple[int, int]
    boxes: np.ndarray
    class_ids: np.ndarray
    ignored: np.ndarray
    found: Detections


class Evaluation(NamedTuple):
    """What `evaluate` measured.

    Attributes:
        photos: Photos looked at.
        faces: Boxes that had to be found.
        ap50: Average precision where a hit overlaps its box by 0.5 (IoU) or more: the area
            under the precision envelope, all points.
        ap75: The same at 0.75.
        recall: Share of the boxes found at no more than that many false
            positives a photo (IoU 0.5).
        false_positives_per_image: False positives per photo that `recall` stands for.
        mean_iou: Mean overlap of the hits with their boxes.
        scores: Each distinct score, highest first [points].
        precision: Precision of what scores as much or more [points].
        recalls: Recall of the same [points].
        false_positives: Number of false positives among the same [points]; recall over this is the
            discrete ROC curve of FDDB.
    """

    photos: int
    faces: int
    ap50: float
    ap75: float
    recall: float
    false_positives_per_image: float
    mean_iou: float
    scores: np.ndarray
    precision: np.ndarray
    recalls: np.ndarray
    false_positives: np.ndarray

    def __str__(self):
        return (
            f"{self.photos} photos, {self.faces} faces: "
            f"AP50 {self.ap50:.3f}, AP75 {self.ap75:.3f}, "
            f"recall {self.recall:.3f} at {self.false_positives_per_image:g} false positives "
            f"a photo, "
            f"mean IoU of hits {self.mean_iou:.3f}"
        )


def evaluate(
    detector, photos, truth, *, min_height=0.0, false_positives_per_image=0.1, progress=None
):
    """Run a detector over a folder of photos and hold what it finds against the truth.

    Classes are held apart: a box of one class never is assigned to a face of another, and the
    figures are over all of them together.

    Args:
        detector: Anything called like `ssd.Detector`: photo uint8 [height, width, 3] and
            `score_threshold` to (boxes px [n, 4], scores [n], class_ids [n]).
        photos: Folder that the file names in `truth` are relative to.
        truth: COCO detection JSON. `iscrowd` marks regions to ignore: finding something
            there is neither right nor wrong.
        min_height: Height of a box as a share of the photo's long side under which it is
            ignored, in [0, 1]. 0.05 is 16 px at 320.
        false_positives_per_image: False positives per photo at which recall is read.
        progress: Called after each photo as `progress(done, total)`.

    Returns:
        An `Evaluation`.

    Raises:
        ValueError: If the truth is no COCO JSON, or names photos that are not in the folder.
    """
    results = run_detector(detector, photos, truth, progress=progress)
    return evaluate_results(
        results, min_height=min_height, false_positives_per_image=false_positives_per_image
    )


def run_detector(detector, photos, truth, *, progress=None):
    """What a detector finds in each photo of a truth file: a list of `PhotoResult`.

    Args and errors are those of `evaluate`.
    """
    labelled, results = read_truth(truth, photos), []
    for done, (path, shape, boxes, classes, ignored) in enumerate(labelled, 1):
        photo = read_photo(path)
        # Labels may be of the photo as it was stored, scaled down.
        boxes = boxes * np.tile(np.divide(photo.shape[:2], shape), 2)
        found = detector(photo, score_threshold=_FLOOR)
        results.append(PhotoResult(path, photo.shape[:2], boxes, classes, ignored, found))
        if progress:
            progress(done, len(labelled))
    return results


def evaluate_results(results, *, min_height=0.0, false_positives_per_image=0.1):
    """The figures for what a detector found: an `Evaluation`.

    Args:
        results: What `run_detector` returned.
        min_height: As for `evaluate`.
        false_positives_per_image: As for `evaluate`.
    """
    results = [_without(each, min_height, np.inf) for each in results]
    faces = sum(int((~each.ignored).sum()) for each in results)
    at50 = [judged for each in results for judged in judge_photo(each, iou_threshold=0.5)]
    at75 = [judged for each in results for judged in judge_photo(each, iou_threshold=0.75)]
    scores, precision, recalls, ap50 = precision_recall(at50, faces)
    rows = np.concatenate([np.zeros((0, 3)), *at50])
    wrong = np.sort(rows[rows[:, 1] == 0, 0])
    false_positives = len(wrong) - np.searchsorted(wrong, scores)  # at or above each score
    allowed = np.flatnonzero(false_positives <= false_positives_per_image * len(results))
    hits = rows[rows[:, 1] > 0, 1]
    return Evaluation(
        photos=len(results),
        faces=faces,
        ap50=ap50,
        ap75=precision_recall(at75, faces)[3],
        recall=float(recalls[allowed[-1]]) if len(allowed) else 0.0,
        false_positives_per_image=false_positives_per_image,
        mean_iou=float(hits.mean()) if len(hits) else 0.0,
        scores=scores,
        precision=precision,
        recalls=recalls,
        false_positives=false_positives,
    )


def evaluate_sizes(results):
    """Average precision at IoU 0.5 for faces of one size at a time.

    As COCO does for its areas: faces of other sizes are regions to ignore, and so are false
    false positives of other sizes.

    Args:
        results: What `run_detector` returned.

    Returns:
        A list of (least, greatest, faces, average precision); sizes are heights as shares of
        the photo's long side.
    """
    rows = []
    for least, greatest in itertools.pairwise(_SIZES):
        judged, faces = [], 0
        for each in (_without(each, least, greatest) for each in results):
            faces += int((~each.ignored).sum())
            boxes = each.found.boxes
            shares = (boxes[:, 2] - boxes[:, 0]) / max(each.shape)
            fits = (shares >= least) & (shares < greatest)
            for photo in judge_photo(each, iou_threshold=0.5):
                index = photo[:, 2].astype(int)
                judged.append(photo[(photo[:, 1] > 0) | fits[index]])
        rows.append((least, greatest, faces, precision_recall(judged, faces)[3]))
    return rows


def judge_photo(photo, *, iou_threshold):
    """What `judge` says of a photo, class by class: a list of its arrays.

    The third column counts through all that was found in the photo.
    """
    judged_of_classes = []
    for class_id in np.union1d(photo.found.class_ids, photo.class_ids):
        mine, yours = (
            np.flatnonzero(photo.found.class_ids == class_id),
            photo.class_ids == class_id,
        )
        judged = judge(
            photo.found.boxes[mine],
            photo.found.scores[mine],
            photo.boxes[yours],
            photo.ignored[yours],
            iou_threshold=iou_threshold,
        )
        judged[:, 2] = mine[judged[:, 2].astype(int)]
        judged_of_classes.append(judged)
    return judged_of_classes


def _without(photo, least, greatest):
    """The photo with faces outside a range of sizes turned into regions to ignore."""
    shares = (photo.boxes[:, 2] - photo.boxes[:, 0]) / max(photo.shape)
    return photo._replace(ignored=photo.ignored | (shares < least) | (shares >= greatest))


def read_truth(truth, photos):
    """The photos and boxes of a COCO detection file.

    Args:
        truth: Path of the JSON file.
        photos: Folder its file names are relative to.

    Returns:
        A list of (path, (height, width), boxes, classes, ignored): boxes float [n, 4]
        `[ymin, xmin, ymax, xmax]` in pixels, classes int [n] (1 for the first category),
        ignored bool [n].

    Raises:
        ValueError: If the file is no COCO JSON, or a photo is missing.
    """
    truth, photos = pathlib.Path(truth), pathlib.Path(photos)
    try:
        coco = json.loads(truth.read_text())
        order = {each["id"]: place + 1 for place, each in enumerate(coco["categories"])}
        rows = {image["id"]: [] for image in coco["images"]}
        for each in coco["annotations"]:
            x, y, width, height = each["bbox"]
            class_id = order[each["category_id"]]
            box = [y, x, y + height, x + width, class_id, each.get("iscrowd", 0)]
            rows[each["image_id"]].append(box)
        images = [
            (image["file_name"], (image["height"], image["width"]), rows[image["id"]])
            for image in coco["images"]
        ]
    except OSError as error:
        raise ValueError(f"{truth}: wanted a COCO JSON file ({error.strerror})") from None
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{truth}: wanted COCO detection JSON ({error!r})") from None
    result = []
    for name, shape, boxes in images:
        path = find(photos, name)
        if not path.is_file():
            raise ValueError(f"{truth} names {name}, which is not in {photos}")
        boxes = np.array(boxes, float).reshape(-1, 6)
        result.append((path, shape, boxes[:, :4], boxes[:, 4].astype(int), boxes[:, 5] > 0))
    return result


def judge(boxes, scores, truth, ignored, *, iou_threshold):
    """Right or wrong, for each box found in one photo.

    Each box, best score first, takes the free true box that it overlaps most, if it overlaps
    it by `iou_threshold` or more. Failing that, a box of which a region to ignore covers that share
    does not count at all. All others are false positives. This is COCO's rule for crowds.

    Args:
        boxes: Found, [n, 4] `[ymin, xmin, ymax, xmax]`.
        scores: [n].
        truth: [m, 4], in the same unit.
        ignored: bool [m], which of the true boxes are regions to ignore.
        iou_threshold: Least IoU of a hit, in (0, 1].

    Returns:
        float [k, 3] with k <= n, best score first: score, IoU with the face it hit or 0 for a
        false positive, and index among what was found.

    Example:
        >>> found = np.array([[0, 0, 10, 10], [0, 0, 10, 9]])
        >>> scores, ignored = np.array([0.9, 0.8]), np.array([False])
        >>> judge(found, scores, found[:1], ignored, iou_threshold=0.5).tolist()
        [[0.9, 1.0, 0.0], [0.8, 0.0, 1.0]]
    """
    boxes, truth = np.asarray(boxes, float), np.asarray(truth, float)
    overlap_of, inside = iou(boxes, truth), covered(boxes, truth)
    free = ~ignored
    rows = []
    for index in np.argsort(-scores, kind="stable"):
        reachable = np.where(free, overlap_of[index], 0.0)
        best = int(reachable.argmax()) if len(reachable) else -1
        if best >= 0 and reachable[best] >= iou_threshold:
            free[best] = False
            rows.append((scores[index], reachable[best], index))
        elif not (ignored & (inside[index] >= iou_threshold)).any():
            rows.append((scores[index], 0.0, index))
    return np.array(rows, float).reshape(-1, 3)


def precision_recall(judged, faces):
    """Precision and recall at each distinct score, and the average precision.

    Args:
        judged: What `judge` returned, a list; only scores and overlaps are looked at.
        faces: Boxes that had to be found.

    Returns:
        (scores, precision, recall, average precision), the first three [points] and in falling
        order of score. Boxes of equal score come in together: nothing can tell them apart.

    Source:
        Everingham et al.: The PASCAL VOC Challenge, as of 2010 (every point interpolated).
    """
    rows = np.concatenate([np.zeros((0, 2)), *(each[:, :2] for each in judged)])
    if not len(rows) or not faces:
        return np.zeros(0), np.zeros(0), np.zeros(0), 0.0
    rows = rows[np.argsort(-rows[:, 0], kind="stable")]
    hits = np.cumsum(rows[:, 1] > 0)
    last = np.append(rows[1:, 0] != rows[:-1, 0], True)
    precision = (hits / np.arange(1, len(rows) + 1))[last]
    recall = (hits / faces)[last]
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    average = float((np.diff(recall, prepend=0.0) * envelope).sum())
    return rows[last, 0], precision, recall, average

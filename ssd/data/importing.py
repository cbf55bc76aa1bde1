"""Labels drawn by people, from the common formats, as shards.

A face must never be learnt as background because its label could not be used. What can be meant in
one way only is repaired; what has a place but no known class becomes a region to ignore; a photo on
which something is that nobody knows the place of is left out. Each of these is one complaint
(`ssd.photos.annotations` has the rules).
"""

import os
import pathlib
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from ssd.data import manifest, records
from ssd.data.account import Account, Imported
from ssd.data.classes import ClassIds
from ssd.data.crops import WHOLE, read_crops
from ssd.data.jpeg import is_decodable
from ssd.data.rated import read_rated
from ssd.data.remarked import Marks
from ssd.data.voc import read_voc
from ssd.data.wider import read_wider
from ssd.data.yolo import read_yolo
from ssd.photos import reading
from ssd.photos.annotations import AnnotatedPhoto, Annotations, Complaint, find_photos
from ssd.photos.coco import read_coco

FORMATS = ("coco", "voc", "yolo", "wider", "crops", "ratings")


def import_labels(
    source_format: str,
    annotations: str | os.PathLike,
    photos: str | os.PathLike,
    out: str | os.PathLike,
    *,
    class_names: Sequence[str] = ("face",),
    mapping: Mapping[str, str] | None = None,
    max_side: int = 640,
    shard_photos: int = 256,
    box: tuple[float, float, float, float] = WHOLE,
) -> Imported:
    """Turns annotated photos into a folder of labels to train on.

    Args:
        source_format: "coco", "voc", "yolo", "wider", "crops" or "ratings".
        annotations: The annotations: a JSON file (coco), a folder of XML files (voc), a folder
            of text files (yolo), a text file (wider), a CSV file of boxes (ratings), or of
            crops: a folder that has a folder for each class, or a CSV file.
        photos: Folder that the annotations' file names are in (`ssd.photos.finding`).
        out: Folder for the labels: new, or left by the same import, stopped.
        class_names: Names of the classes, the first for class 1.
        mapping: Other names that the annotations use, as `ssd.data.classes.ClassIds` takes them.
        max_side: Longest side of a stored photo in pixels; larger ones are scaled down.
        shard_photos: Photos to a shard.
        box: Where on a crop its face is, `[ymin, xmin, ymax, xmax]` on the unit square.

    Returns:
        `Imported`.

    Raises:
        FileNotFoundError: If there are no such annotations or photos.
        OSError: If a photo cannot be read for a reason that is not its own; the same import begins
            anew.
        ValueError: If the format is unknown, the annotations are of another one, no photo or no
            box of them can be used, or `out` holds something else or is being written to. Nothing
            is left in `out` then that could be trained on.

    Example:
        >>> import tempfile
        >>> from ssd.photos.reading import write_photo
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_photo(f"{folder}/a.jpg", np.zeros((60, 80, 3), np.uint8))
        ...     _ = pathlib.Path(folder, "a.txt").write_text("0 0.5 0.5 0.2 0.4")
        ...     print(import_labels("yolo", folder, folder, f"{folder}/labels"))
        1 photos of 1 taken over, 0 of them empty, 1 boxes, 0 regions to ignore
          1  taken  as drawn
    """
    classes = ClassIds(class_names, mapping)
    about = {
        "classes": classes.names,
        "map": dict(mapping or {}),
        "source": str(pathlib.Path(photos).resolve()),
        "annotations": str(pathlib.Path(annotations).resolve()),
        "format": source_format,
        "max_side": max_side,
        "shard_photos": shard_photos,
    }
    if source_format == "crops":
        about["box"] = [*box]
    if source_format not in FORMATS:
        raise ValueError(f"format: wanted one of {', '.join(FORMATS)}, got {source_format!r}")
    if not os.path.exists(annotations):
        raise FileNotFoundError(
            f"{annotations}: wanted {source_format} annotations, there is nothing"
        )
    manifest.claim(out, about)
    read = _read(source_format, annotations, photos, classes.names, box)
    account = Account(read, photos, classes, out)
    usable = _find_usable(read, photos, account)
    with manifest.writing(out, about):
        marks = Marks(out, shard_photos)
        counts = records.write_shards(
            out,
            _labeled(usable, pathlib.Path(photos), classes, max_side, account, marks),
            shard_photos=shard_photos,
            class_names=classes.names,
        )
        try:
            account.refuse_without(counts["photos"], counts["boxes"] + account.marked_by_a_person)
        except ValueError:
            for path in (*records.shards(out), pathlib.Path(out) / "dataset.json"):
                path.unlink()
            raise
        counts = {**account.counts(counts), **marks.counts()}
        account.write_errors()
        marks.write()
        manifest.write(out, {**about, "complete": True, "counts": counts})
    return Imported(counts, account.complaints, +account.boxes)


def _find_usable(
    read: Annotations, photos: str | os.PathLike, account: Account
) -> list[tuple[str, AnnotatedPhoto]]:
    """The files that can be learnt from, as far as that can be told without opening them."""
    found, left_out = find_photos(read.photos, photos)
    for complaint in (*read.complaints, *left_out):
        account.complain(complaint)
    usable = [
        (path, account.with_classes(photo)) for path, photo in found if account.is_placed(photo)
    ]
    boxes = sum(not label.ignored for _, photo in usable for label in photo.labels)
    account.refuse_without(len(usable), boxes)
    return usable


def _read(source_format: str, annotations, photos, class_names: Sequence[str], box) -> Annotations:
    if source_format == "crops":
        read = read_crops(annotations, box=box)
    elif source_format == "ratings":
        read = read_rated(annotations)
    elif source_format == "coco":
        read = read_coco(annotations)
    elif source_format == "wider":
        read = read_wider(annotations)
    elif not os.path.isdir(annotations):
        raise ValueError(
            f"{annotations}: wanted a folder of {source_format} annotations, this is a file"
        )
    elif source_format == "voc":
        read = read_voc(annotations)
    else:
        read = read_yolo(annotations, photos, class_names=class_names)
    if not read.photos and not read.complaints:
        raise ValueError(f"{annotations}: wanted {source_format} annotations, found no photo in it")
    return read


def _labeled(
    usable: list[tuple[str, AnnotatedPhoto]],
    folder: pathlib.Path,
    classes: ClassIds,
    max_side: int,
    account: Account,
    marks: Marks,
) -> Iterator[records.LabeledPhoto]:
    """The photos with their boxes on the unit square, as they are stored."""
    for path, annotated in usable:
        try:
            photo = reading.read_and_encode(folder / path, max_side=max_side, may_keep=is_decodable)
        except (ValueError, PermissionError) as error:
            detail = getattr(error, "strerror", None) or str(error)
            account.leave_out(annotated, "a photo that cannot be read", detail)
            continue
        if photo.repaired:
            reason = "a damaged JPEG file, encoded anew"
            account.complain(Complaint(annotated.filename, "repaired", reason, "", 0))
        try:
            fitted = annotated.fitted(photo.full_size, account.complain)
        except ValueError as error:
            account.leave_out(annotated, "annotated at another shape", str(error))
            continue
        if account.is_placed(fitted):
            record, by_a_person = marks.apply(_to_record(path, photo, fitted, classes))
            yield record
            account.take(fitted, by_a_person)


def _to_record(
    path: str, photo: reading.Photo, fitted: AnnotatedPhoto, classes: ClassIds
) -> records.LabeledPhoto:
    ids = [
        records.IGNORE if label.ignored else classes.find(label.name or "")
        for label in fitted.labels
    ]
    height, width = photo.size
    return records.LabeledPhoto(
        encoded=photo.encoded,
        filename=path,
        height=height,
        width=width,
        boxes=(fitted.boxes / np.array(photo.full_size * 2)).astype(np.float32),
        class_ids=np.array(ids, np.int32),
        scores=np.ones(len(ids), np.float32),
        full_size=photo.full_size,
        source=fitted.source,
    )

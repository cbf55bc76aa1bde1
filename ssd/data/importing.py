"""Labels drawn by people, from the four common formats, as shards.

Each reader yields `Annotation`s and calls `complain` with a file and a reason for what it cannot
use, so that one broken line costs that line and no more.
"""

import csv
import io
import json
import os
import pathlib
import re
from typing import NamedTuple
from xml.etree import ElementTree

import numpy as np

from ssd import atomic
from ssd.data import manifest, records
from ssd.data.jpeg import is_decodable
from ssd.photos import reading

FORMATS = ("coco", "voc", "yolo", "wider")
PHOTO_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".gif", ".tif", ".tiff")


class Annotation(NamedTuple):
    """What a person said about one photo.

    Args:
        filename: Path inside the folder of photos, with `/`.
        boxes: A list of `[ymin, xmin, ymax, xmax]`, in pixels of the upright photo, or on its
            unit square if `unit`.
        names: For each box the name of its class; None marks a region to ignore.
        size: (height, width) of the photo in pixels as the annotation has it, or None.
        unit: Whether the boxes are on the unit square.
    """

    filename: str
    boxes: list
    names: list
    size: tuple | None = None
    unit: bool = False


def import_labels(source_format, annotations, photos, out, *, class_names=("face",), max_side=640,
                  shard_photos=256):  # fmt: skip
    """Turns annotated photos into a folder of labels to train on.

    Args:
        source_format: "coco", "voc", "yolo" or "wider".
        annotations: The annotations: a JSON file (coco), a folder of XML files (voc), a folder
            of text files (yolo), a text file (wider).
        photos: Folder that the annotations' file names are in (`ssd.photos.reading.find`).
        out: Folder for the labels: new, or left by the same import, stopped.
        class_names: Names of the classes, the first for class 1.
        max_side: Longest side of a stored photo in pixels; larger ones are scaled down.
        shard_photos: Photos to a shard.

    Returns:
        (counts, problems): a dictionary with `photos`, `labelled`, `boxes`, `ignored` and
        `errors`, and a list of (file, reason), as `errors.csv` in `out` has it.

    Raises:
        ValueError: If a folder or file is missing, the format is unknown, the annotations are of
            another format or name no photo that can be used, or `out` holds something else.
    """
    readers = {"coco": read_coco, "voc": read_voc, "yolo": read_yolo, "wider": read_wider}
    if source_format not in readers:
        raise ValueError(f"format: wanted one of {', '.join(FORMATS)}, got {source_format!r}")
    if not os.path.isdir(photos):
        raise ValueError(f"{photos}: wanted a folder of photos, there is no such folder")
    if not os.path.exists(annotations):
        raise ValueError(f"{annotations}: wanted {source_format} annotations, there is nothing")
    about = {
        "classes": list(class_names),
        "source": str(pathlib.Path(photos).resolve()),
        "annotations": str(pathlib.Path(annotations).resolve()),
        "format": source_format,
        "max_side": max_side,
        "shard_photos": shard_photos,
    }
    manifest.claim(out, about)
    problems = []

    def complain(name, reason):
        problems.append((str(name), reason))

    if source_format == "yolo":
        found = read_yolo(annotations, photos, complain, class_names=class_names)
    else:
        found = readers[source_format](annotations, complain)
    first = next(found, None)  # annotations of another format are refused before `out` is made
    if first is None:
        raise ValueError(f"{annotations}: wanted {source_format} annotations, found no photo in it")

    counts = {"photos": 0, "labelled": 0, "boxes": 0, "ignored": 0}

    def labelled():
        annotation = first
        while annotation is not None:
            counts["photos"] += 1
            photo = _to_labelled(annotation, photos, class_names, max_side, complain)
            if photo is not None:
                counts["labelled"] += 1
                counts["boxes"] += int(np.sum(photo.class_ids > 0))
                counts["ignored"] += int(np.sum(photo.class_ids == records.IGNORE))
                yield photo
            annotation = next(found, None)

    os.makedirs(out, exist_ok=True)
    manifest.write(out, {**about, "complete": False})
    shard = []
    index = 0
    for photo in labelled():
        shard.append(photo)
        if len(shard) == shard_photos:
            records.write_shard(records.shard_path(out, index), shard, class_names=class_names)
            shard, index = [], index + 1
    if shard or index == 0:
        records.write_shard(records.shard_path(out, index), shard, class_names=class_names)
    written = {records.shard_path(out, i) for i in range(index + bool(shard or index == 0))}
    for stale in set(records.shards(out)) - written:  # of annotations that were more, before
        stale.unlink()
    counts["errors"] = len(problems)
    text = io.StringIO(newline="")
    csv.writer(text).writerows([("photo", "reason"), *problems])
    atomic.write_text(pathlib.Path(out) / "errors.csv", text.getvalue())
    if not counts["labelled"]:
        name, reason = problems[0]
        raise ValueError(
            f"{annotations}: wanted photos in {photos}, could use none of the {counts['photos']} "
            f"that it names (the first, {name}: {reason}; all: {out}/errors.csv)"
        )
    manifest.write(out, {**about, "complete": True, "counts": counts})
    return counts, problems


def read_coco(path, complain):
    """The annotations of a COCO detection file. `iscrowd` marks regions to ignore.

    Args:
        path: The JSON file.
        complain: Called with (file, reason) for what cannot be used.

    Yields:
        An `Annotation` for each image, annotated or not.

    Raises:
        ValueError: If the file is no COCO JSON.
    """
    try:
        truth = json.loads(pathlib.Path(path).read_text(encoding="utf-8"))
        images = {image["id"]: image for image in truth["images"]}
        names = {category["id"]: category["name"] for category in truth["categories"]}
        annotations = truth["annotations"]
    except (OSError, UnicodeDecodeError, ValueError, TypeError, KeyError) as error:
        raise ValueError(
            f"{path}: wanted COCO JSON with images, annotations and categories "
            f"({type(error).__name__}: {error})"
        ) from None
    rows = {number: ([], []) for number in images}
    for position, annotation in enumerate(annotations):
        try:
            x, y, width, height = map(float, annotation["bbox"])
            boxes, labels = rows[annotation["image_id"]]
            name = names[annotation["category_id"]]
            crowd = bool(annotation.get("iscrowd", 0))
        except (TypeError, ValueError, KeyError, AttributeError) as error:
            complain(path, f"annotation {position}: {type(error).__name__} {error}")
            continue
        box = [y, x, y + height, x + width]
        if crowd and box in boxes:  # one region to ignore, written once for each category
            continue
        boxes.append(box)
        labels.append(None if crowd else name)
    for number, image in images.items():
        size = (image["height"], image["width"]) if "height" in image and "width" in image else None
        if not isinstance(image.get("file_name"), str):
            complain(path, f"image {number}: no file_name")
            continue
        yield Annotation(image["file_name"], *rows[number], size)


def read_voc(folder, complain):
    """The annotations of a folder of Pascal VOC files. `difficult` marks regions to ignore.

    VOC counts pixels from 1 and includes the last: (1, 1, W, H) is the whole photo.

    Args:
        folder: Folder with one `.xml` for each photo, searched recursively.
        complain: Called with (file, reason) for what cannot be used.

    Yields:
        An `Annotation` for each file.
    """
    for path in sorted(pathlib.Path(folder).rglob("*.xml")):
        try:
            root = ElementTree.parse(path).getroot()
        except (ElementTree.ParseError, OSError, UnicodeDecodeError) as error:
            complain(path, f"no XML: {error}")
            continue
        filename = root.findtext("filename")
        if root.tag != "annotation" or not filename:
            complain(path, "no VOC annotation: wanted <annotation> with a <filename>")
            continue
        boxes, names = [], []
        for position, thing in enumerate(root.iter("object")):
            try:
                sides = [float(thing.findtext(f"bndbox/{side}")) for side in _VOC_SIDES]
                name = thing.findtext("name").strip()
                difficult = thing.findtext("difficult", "0").strip() == "1"
            except (TypeError, ValueError, AttributeError):
                complain(path, f"object {position}: wanted a name and four numbers in bndbox")
                continue
            ymin, xmin, ymax, xmax = sides
            boxes.append([ymin - 1, xmin - 1, ymax, xmax])
            names.append(None if difficult else name)
        try:
            size = int(root.findtext("size/height")), int(root.findtext("size/width"))
        except (TypeError, ValueError):
            size = None
        yield Annotation(filename.strip(), boxes, names, size if size and all(size) else None)


_VOC_SIDES = ("ymin", "xmin", "ymax", "xmax")


def read_yolo(folder, photos, complain, *, class_names=("face",)):
    """The annotations of a folder of YOLO text files: `class xcentre ycentre width height`.

    The class is a number that counts from 0 into `classes.txt` or `obj.names` beside the text
    files, or else into `class_names`. A photo without a text file has no boxes.

    Args:
        folder: Folder with one `.txt` for each photo, under the photo's name and subfolders.
        photos: Folder of the photos.
        complain: Called with (file, reason) for what cannot be used.
        class_names: Names of the classes where the folder does not list them.

    Yields:
        An `Annotation` for each photo.
    """
    folder, photos = pathlib.Path(folder), pathlib.Path(photos)
    lists = [folder / "classes.txt", folder / "obj.names"]
    for path in lists:
        if path.is_file():
            class_names = path.read_text(encoding="utf-8").split("\n")
            class_names = [name.strip() for name in class_names if name.strip()]
            break
    unclaimed = set(folder.rglob("*.txt")) - set(lists)
    for photo in sorted(photos.rglob("*")):
        if photo.suffix.lower() not in PHOTO_SUFFIXES:
            continue
        name = photo.relative_to(photos)
        path = folder / name.with_suffix(".txt")
        unclaimed.discard(path)
        lines = []
        if path.exists():
            try:
                lines = path.read_text(encoding="utf-8").splitlines()
            except (OSError, UnicodeDecodeError) as error:
                complain(path, f"no text: {error}")
                continue
        boxes, names = [], []
        for number, line in enumerate(lines, start=1):
            words = line.split()
            if not words:
                continue
            try:
                label, (x, y, width, height) = int(words[0]), map(float, words[1:5])
                if len(words) > 6 or not 0 <= label < len(class_names):
                    raise ValueError
            except ValueError:
                complain(
                    path,
                    f"line {number}: wanted a class from 0 to {len(class_names) - 1} and "
                    f"xcentre ycentre width height, got {line[:60]!r}",
                )
                continue
            boxes.append([y - height / 2, x - width / 2, y + height / 2, x + width / 2])
            names.append(class_names[label])
        yield Annotation(name.as_posix(), boxes, names, unit=True)
    for path in sorted(unclaimed):
        complain(path, "no photo of that name")


def read_wider(path, complain):
    """The annotations of a WIDER FACE text file. `invalid` marks regions to ignore.

    Args:
        path: The text file: for each photo its name, a number of faces, then a line for each:
            `x y width height blur expression illumination invalid occlusion pose`.
        complain: Called with (file, reason) for what cannot be used.

    Yields:
        An `Annotation` for each photo.

    Raises:
        ValueError: If the first line names no photo.
    """
    try:
        lines = pathlib.Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: wanted a WIDER FACE text file ({error})") from None
    photo_name = re.compile(r".*\.(jpe?g|png|bmp|webp)\s*$", re.IGNORECASE)
    if not lines or not photo_name.match(lines[0]):
        raise ValueError(f"{path}: wanted a WIDER FACE text file, whose first line names a photo")
    filename, counted, boxes, names = None, None, [], []

    def finished():
        if counted is None:
            complain(path, f"{filename}: wanted a number of faces after the name")
        elif counted != len(boxes) + bad:
            complain(path, f"{filename}: wanted {counted} faces, found {len(boxes) + bad}")
        return Annotation(filename, boxes, names)

    bad = 0
    for number, line in enumerate(lines, start=1):
        words = line.split()
        if photo_name.match(line):
            if filename is not None:
                yield finished()
            filename, counted, boxes, names, bad = line.strip(), None, [], [], 0
        elif len(words) == 1 and words[0].isdigit() and counted is None:
            counted = int(words[0])
        elif words:
            if counted == 0 and not any(word.strip("0") for word in words):
                continue  # photos without a face have one line of zeros
            try:
                x, y, width, height = map(float, words[:4])
                invalid = len(words) > 7 and int(words[7]) == 1
            except ValueError:
                complain(path, f"line {number}: wanted x y width height ..., got {line[:60]!r}")
                bad += 1
                continue
            boxes.append([y, x, y + height, x + width])
            names.append(None if invalid else "face")
    yield finished()


def _to_labelled(annotation, folder, class_names, max_side, complain):
    """The photo with its boxes on the unit square; None if it cannot be used."""
    try:
        path = reading.find(folder, annotation.filename)
        photo = reading.read_and_encode(path, max_side=max_side, may_keep=is_decodable)
    except (ValueError, FileNotFoundError, PermissionError) as error:
        complain(annotation.filename, getattr(error, "strerror", None) or str(error))
        return None
    height, width = photo.full_size
    if annotation.size and tuple(annotation.size) != photo.full_size:
        complain(
            annotation.filename,
            f"annotated at {annotation.size[1]}x{annotation.size[0]}, "
            f"the upright photo is {width}x{height}",
        )
        return None
    boxes, labels = [], []
    for box, name in zip(annotation.boxes, annotation.names, strict=True):
        if name is not None and name not in class_names:
            complain(
                annotation.filename, f"unknown class {name!r}; known: {', '.join(class_names)}"
            )
            continue
        on_unit = np.float32(box) / (1 if annotation.unit else np.float32([height, width] * 2))
        clipped = np.clip(on_unit, 0, 1)
        if not np.all(clipped[2:] > clipped[:2]):  # False for NaN as well
            complain(annotation.filename, f"no area inside the photo: box {list(box)}")
            continue
        boxes.append(clipped)
        labels.append(records.IGNORE if name is None else class_names.index(name) + 1)
    rows, columns = photo.pixels.shape[:2]
    return records.LabelledPhoto(
        encoded=photo.encoded,
        filename=annotation.filename,
        height=rows,
        width=columns,
        boxes=np.float32(boxes).reshape(-1, 4),
        class_ids=np.int32(labels),
        scores=np.ones(len(boxes), np.float32),
    )

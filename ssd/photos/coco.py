"""The one reader of COCO detection JSON, for import and evaluation: as people and tools write it.

What such a file does wrong is mended or left out by the rules of `ssd.photos.annotations`.
"""

import json
import math
import os
import pathlib
from collections.abc import Iterator

from ssd.photos.annotations import (
    MARKED,
    POLYGON,
    AnnotatedPhoto,
    Annotations,
    Complaint,
    number,
    read_size,
    read_text,
)


def read_coco(path: str | os.PathLike) -> Annotations:
    """The annotations of a COCO detection file. `iscrowd` or `ignore` marks regions to ignore.

    Args:
        path: The JSON file, in any encoding of Unicode.

    Returns:
        `Annotations`: each image that can be told from the others, annotated or not.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no COCO JSON.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = pathlib.Path(folder, "truth.json").write_text('''{
        ...         "images": [{"id": 1, "file_name": "a.jpg", "height": "80", "width": null}],
        ...         "annotations": [{"image_id": 1, "category_id": "1", "bbox": [60, 20, -20, 30]}],
        ...         "categories": [{"id": 1, "name": "face"}]}''')
        ...     truth = read_coco(f"{folder}/truth.json")
        >>> truth.photos[0].size, truth.photos[0].labels
        (None, [Label(box=(20.0, 40.0, 50.0, 60.0), name='face', ignored=False, \
note='corners out of order')])
    """
    content = _read_json(path)
    complaints: list[Complaint] = []
    categories = _categories(content["categories"], path, complaints)
    photos = _images(content["images"], path, complaints)
    for position, row in enumerate(content["annotations"]):
        _annotate(row, position, photos, categories, path, complaints)
    complaints += _sharing_ids(photos)
    names = (categories[key] for key in sorted(categories, key=id_order))
    return Annotations(
        pathlib.Path(path),
        list(dict.fromkeys(filter(None, names))),
        [named[0] for named in photos.values() if len(named) == 1],
        complaints,
    )


def _read_json(path: str | os.PathLike) -> dict:
    text = read_text(path)
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        reason = f"no JSON: {error}"
    else:
        if not isinstance(content, dict):
            content = {}
        missing = [field for field in _LISTS if not isinstance(content.get(field), list)]
        if not missing:
            return content
        reason = f"no list of {missing[0]} in it"
    raise ValueError(f"{path}: wanted COCO JSON with images, annotations and categories ({reason})")


_LISTS = ("images", "annotations", "categories")


def _key(value: object) -> str | None:
    """An id, whether it is written as a number or as text; None if it is neither."""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    whole = number(value)
    return None if math.isnan(whole) else f"{whole:.0f}" if whole.is_integer() else str(whole)


def id_order(key: str) -> tuple[bool, int, str]:
    """What to sort ids by: those that are numbers come first, by their value.

    Args:
        key: An id.

    Returns:
        A key for `sorted`.

    Example:
        >>> sorted(["b", "10", "9"], key=id_order)
        ['9', '10', 'b']
    """
    return (not key.isdecimal(), int(key) if key.isdecimal() else 0, key)


def _field(row: object, field: str) -> object:
    return row.get(field) if isinstance(row, dict) else None


def _categories(rows: list, path, complaints: list[Complaint]) -> dict[str, str | None]:
    """{id: name}; None for an id that two names have."""
    names: dict[str, str | None] = {}
    for position, row in enumerate(rows):
        key, name = _key(_field(row, "id")), _field(row, "name")
        if key is None or not isinstance(name, str) or not name.strip():
            reason = "a category without id or name"
            complaints.append(Complaint(str(path), "dropped", reason, f"category {position}"))
        elif names.setdefault(key, name.strip()) != name.strip():
            reason = "a category id that two names have"
            complaints.append(Complaint(str(path), "ignored", reason, f"id {key}"))
            names[key] = None
    return names


def _images(rows: list, path, complaints: list[Complaint]) -> dict[str, list[AnnotatedPhoto]]:
    """{id: photos}; one photo to an id, in a good file."""
    photos: dict[str, list[AnnotatedPhoto]] = {}
    for position, row in enumerate(rows):
        key, name = _key(_field(row, "id")), _field(row, "file_name")
        if key is None or not isinstance(name, str) or not name.strip():
            reason = "an image without id or file_name"
            complaints.append(Complaint(str(path), "left out", reason, f"image {position}", 0))
            continue
        named = photos.setdefault(key, [])
        if name not in [photo.filename for photo in named]:
            size = read_size(_field(row, "height"), _field(row, "width"))
            source = _field(row, "source")
            source = source if isinstance(source, str) else None
            named.append(AnnotatedPhoto(name, size, key=key, source=source))
    return photos


def _sharing_ids(photos: dict[str, list[AnnotatedPhoto]]) -> Iterator[Complaint]:
    """A complaint for each photo whose id another photo has; the boxes are with the first."""
    reason = "an image id that two photos have"
    for key, named in photos.items():
        for photo in named if len(named) > 1 else ():
            boxes = len(photo.labels) + photo.unplaced
            yield Complaint(photo.filename, "left out", reason, f"id {key}", boxes)


def _annotate(row, position: int, photos, categories, path, complaints: list[Complaint]) -> None:
    """Puts one annotation on its photo."""
    key, where = _key(_field(row, "image_id")), f"annotation {position}"
    if key not in photos:
        reason = "an annotation of an image that is not listed"
        complaints.append(Complaint(str(path), "dropped", reason, where))
        return
    photo, *others = photos[key]
    box, note = _bounds(row)
    crowd = any(
        _field(row, mark) is True or number(_field(row, mark) or 0) != 0
        for mark in ("iscrowd", "ignore")
    )
    name = categories.get(_key(_field(row, "category_id")))
    if crowd:
        note = MARKED
    elif name is None:
        note = "a class that is not listed"
        where += f", category_id {_field(row, 'category_id')!r}"[:60]
    complain = _say_nothing if others else complaints.append  # they are left out as a whole
    photo.add(box, name, complain, ignored=crowd, note=note, where=where)


def _say_nothing(complaint: Complaint) -> None:
    pass


def _bounds(row) -> tuple[list[float], str]:
    """The box of an annotation and what was repaired; NaN where it has none."""
    bbox = _field(row, "bbox")
    sides = [number(side) for side in bbox] if isinstance(bbox, list) and len(bbox) == 4 else []
    if sides and (math.isnan(sum(sides)) or sides[2] * sides[3] != 0):
        x, y, width, height = sides
        return [y, x, y + height, x + width], ""
    points = _numbers(_field(row, "segmentation"))
    if len(points) >= 6 and len(points) % 2 == 0 and not math.isnan(sum(points)):
        xs, ys = points[::2], points[1::2]
        return [min(ys), min(xs), max(ys), max(xs)], POLYGON
    if sides:
        x, y, width, height = sides
        return [y, x, y + height, x + width], ""
    return [math.nan] * 4, ""


def _numbers(value: object, depth: int = 4) -> list[float]:
    """The numbers of nested lists, in order."""
    if isinstance(value, list) and depth:
        return [each for item in value for each in _numbers(item, depth - 1)]
    return [number(value)]

"""The page on which a person judges the sample of an audit.

One HTML file with all it shows: style, script, sample, and photos as they are stored (a third more
than their JPEG files). It opens from the disk without a server, and can be given to somebody who
has nothing else.
"""

import base64
import json
import os
import pathlib
from collections.abc import Iterator
from typing import Any

from distill.audit.files import Sample
from ssd import atomic
from ssd.data import manifest, records

PARTS = pathlib.Path(__file__).parent / "page_parts"
STYLE = PARTS.parents[1] / "page_parts" / "page.css"  # which the review page has, too


def write_audit_page(
    out: str | os.PathLike,
    sample: Sample,
    *,
    name: str = "audit.html",
    answers: str = "answers.json",
) -> pathlib.Path:
    """Write the page of a sample.

    Args:
        out: The folder of labels that the sample was drawn from.
        sample: As `distill.audit.auditing.draw` returns it.
        name: Name of the page, in that folder.
        answers: Name of the file that the page saves.

    Returns:
        Path of the page.

    Raises:
        ValueError: If a shard is damaged.
        OSError: If the folder cannot be written to.

    Example:
        >>> import tempfile
        >>> import numpy as np
        >>> from distill.audit.auditing import draw
        >>> photo = records.LabeledPhoto(b"", "a.jpg", 9, 9, np.float32([[0, 0, 0.5, 0.5]]),
        ...                               np.int32([1]), np.float32([0.99]))
        >>> with tempfile.TemporaryDirectory() as out:
        ...     manifest.write(out, {"classes": ["face"], "label": 0.95})
        ...     records.write_shard(records.shard_path(out, 0), [photo])
        ...     write_audit_page(out, draw(out)).name
        'audit.html'
    """
    path = pathlib.Path(out) / name
    text = (PARTS / "audit.html").read_text(encoding="utf-8")
    for part in (STYLE, PARTS / "audit.css", PARTS / "audit.js"):
        text = text.replace(f"{{{{{part.name}}}}}", part.read_text(encoding="utf-8"))
    data = json.dumps({**_shown(out, sample), "file": answers}, separators=(",", ":"))
    before, _, after = text.partition("{{audit.json}}")
    atomic.write_text(path, before + data.replace("<", "\\u003c") + after)
    return path


def _shown(out: str | os.PathLike, sample: Sample) -> dict[str, Any]:
    """What the page shows: each photo once, and of each item its photo and its box."""
    places: dict[str, int] = {}
    for item in sample["items"]:
        places.setdefault(item["photo"], len(places))
    photos: list[Any] = [None] * len(places)
    for photo in _drawn(out, sample):
        photos[places[photo.filename]] = _photo(photo)
    items = []
    for item in sample["items"]:
        photo = places[item["photo"]]
        box = photos[photo]["boxes"].index(item["box"]) if "box" in item else -1
        items.append({"photo": photo, "box": box, "kind": item["kind"]})
    source = pathlib.Path(manifest.read(out).get("source") or "").name
    fields = {field: sample[field] for field in ("id", "classes", "min_face")}
    return {**fields, "source": source, "photos": photos, "items": items}


def _drawn(out: str | os.PathLike, sample: Sample) -> Iterator[records.LabeledPhoto]:
    """The photos of a sample, from where they stand: all the others need not be read again."""
    wanted: dict[str, dict[int, str]] = {}
    for item in sample["items"]:
        wanted.setdefault(item["shard"], {})[item["record"]] = item["photo"]
    for shard, names in sorted(wanted.items()):
        found = records.read_places(pathlib.Path(out) / shard, names)
        for place, name in names.items():
            if place not in found or found[place].filename != name:
                raise ValueError(f"{out}: {shard} has changed since the sample was drawn from it")
            yield found[place]


def _photo(photo: records.LabeledPhoto) -> dict[str, Any]:
    return {
        "name": photo.filename,
        "width": photo.width,
        "height": photo.height,
        "boxes": photo.boxes.tolist(),
        "classes": photo.class_ids.tolist(),
        "kinds": (photo.class_ids == records.IGNORE).astype(int).tolist(),
        "jpeg": base64.b64encode(photo.encoded).decode(),
    }

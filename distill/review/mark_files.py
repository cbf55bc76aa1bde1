"""A file of marks: what a person said on the review page, for `distill.review.marks` to take in.

It is JSON, `{"marks": [...]}`. Each mark names a photo, or a box of a photo, and says one thing:

    {"photo": "1.jpg", "ignore": true}                  nothing is learnt from this photo
    {"photo": "2.jpg", "box": BOX, "drop": true}        no face: background
    {"photo": "2.jpg", "box": BOX, "move": BOX}         the face is here instead
    {"photo": "2.jpg", "box": BOX, "class": "face"}     of this class; "ignore": a region to ignore;
                                                        "unknown": a face of unknown class
    {"photo": "2.jpg", "box": BOX, "draw": "face"}      here is one that was missing, of this class

`false` in place of what is said takes it back, also where an earlier file said it. BOX is
`[ymin, xmin, ymax, xmax]` on the unit square of the stored photo. A box is named by its place
before any mark, or where it was drawn; it keeps that name when it is moved.
"""

import json
import os
import pathlib
from typing import Any

_FAR = 1e6  # no box is; NaN is not nearer
VERBS = ("drop", "move", "class", "draw")  # of a box
_WANTED = (
    "wanted a photo with ignore, or a photo with a box and one of drop (true or false), "
    "move (a box or false), class or draw (the name of a class or false), got"
)


def read(path: str | os.PathLike) -> dict[str, list[dict[str, Any]]]:
    """Reads a file of marks.

    Args:
        path: It.

    Returns:
        {photo: marks}, both in the order of the file.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is not one of marks.
        OSError: If it cannot be read.

    Example:
        >>> import tempfile
        >>> with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        ...     _ = file.write('{"marks": [{"photo": "a.jpg", "ignore": true}]}')
        ...     file.flush()
        ...     read(file.name)
        {'a.jpg': [{'photo': 'a.jpg', 'ignore': True}]}
    """
    try:
        content = json.loads(pathlib.Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise type(error)(f"{path}: wanted a file of marks ({error.strerror})") from None
    except UnicodeDecodeError:
        raise ValueError(f"{path}: wanted a file of marks, this is no text") from None
    except (json.JSONDecodeError, RecursionError) as error:
        raise ValueError(f"{path}: wanted a file of marks, got no JSON ({error})") from None
    marks = content.get("marks") if isinstance(content, dict) else None
    if not isinstance(marks, list):
        raise ValueError(f'{path}: wanted a file of marks, {{"marks": [...]}}')
    by_photo: dict[str, list[dict]] = {}
    for mark in marks:
        if not _is_mark(mark):
            raise ValueError(f"{path}: {_WANTED} {json.dumps(mark)}")
        by_photo.setdefault(mark["photo"], []).append(mark)
    return by_photo


def _is_mark(mark: Any) -> bool:
    if not isinstance(mark, dict) or not isinstance(mark.get("photo"), str):
        return False
    if set(mark) == {"photo", "ignore"}:
        return isinstance(mark["ignore"], bool)
    verb = next((verb for verb in VERBS if set(mark) == {"photo", "box", verb}), None)
    if verb is None or not _is_box(mark["box"]):
        return False
    said = mark[verb]
    if verb == "drop":
        return isinstance(said, bool)
    return said is False or (_is_box(said) if verb == "move" else isinstance(said, str))


def _is_box(box: Any) -> bool:
    return (
        isinstance(box, list)
        and len(box) == 4
        and all(type(side) in (int, float) and abs(side) < _FAR for side in box)
    )

"""Names of the classes of a YOLO set, which has only numbers in its text files."""

import os
import pathlib
import re
from typing import NamedTuple

from ssd.lines import printable
from ssd.photos.annotations import read_text

# What the exporting tools call them: Ultralytics, Roboflow and CVAT; labelImg and Label Studio;
# Darknet and CVAT's older form; Roboflow's Darknet.
YAML = ("data.yaml", "data.yml", "dataset.yaml", "dataset.yml")
LISTS = ("classes.txt", "obj.names", "_darknet.labels")


class YoloNames(NamedTuple):
    """What a YOLO set says of its classes.

    Attributes:
        path: The file that says so.
        names: Names, the first for number 0; "" for a number that has none.
        landmarks: How many numbers each line has after its box; None if the file does not say.

    Example:
        >>> YoloNames(pathlib.Path("classes.txt"), ["cap", "face"]).names.index("face")
        1
    """

    path: pathlib.Path
    names: list[str]
    landmarks: int | None = None


def find_names(folder: str | os.PathLike, photos: str | os.PathLike) -> YoloNames | None:
    """The names of the classes, from where the exporting tools put them.

    They lie beside the text files or one folder up, beside the photos or one folder up; above
    `train/labels` two folders up.

    Args:
        folder: Folder of text files.
        photos: Folder of photos.

    Returns:
        `YoloNames`, or None if there is no such file.

    Raises:
        ValueError: If two files say different things, or one cannot be understood.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     os.mkdir(f"{folder}/labels")
        ...     _ = pathlib.Path(folder, "data.yaml").write_text("names: [cap, face]")
        ...     find_names(f"{folder}/labels", folder).names
        ['cap', 'face']
    """
    found: list[YoloNames] = []
    for place in _places(pathlib.Path(folder), pathlib.Path(photos)):
        for name in (*YAML, *LISTS):
            path = place / name
            if path.is_file():
                said = _from_yaml(path) if name in YAML else YoloNames(path, _from_list(path))
                found += [said] if said else []
    if not found:
        return None
    if differing := [each for each in found if each.names != found[0].names]:
        raise ValueError(
            f"{found[0].path}: wanted one list of classes, has "
            f"{printable(', '.join(found[0].names))}, and {differing[0].path} has "
            f"{printable(', '.join(differing[0].names))}"
        )
    return found[0]


def _places(folder: pathlib.Path, photos: pathlib.Path) -> list[pathlib.Path]:
    folder, photos = folder.resolve(), photos.resolve()
    places = [folder, folder / "labels", folder / "obj_train_data", folder.parent, photos]
    places.append(photos.parent)
    if folder.name in ("labels", "images") or folder.parent.name == "labels":
        places.append(folder.parent.parent)
    return list(dict.fromkeys(places))


def _from_list(path: pathlib.Path) -> list[str]:
    """One name to a line; a blank line in the middle is a number without a name."""
    return [line.strip() for line in read_text(path).strip().split("\n")]


def _from_yaml(path: pathlib.Path) -> YoloNames | None:
    text = read_text(path)
    if not re.search(r"(?m)^names\s*:", text):
        return None  # of something else
    names = yaml_names(text)
    if not names:
        raise ValueError(f"{path}: wanted a list of names after `names:`, could not read it")
    shape = re.search(r"(?m)^kpt_shape\s*:\s*\[\s*(\d{1,4})\s*,\s*([23])\s*\]", text)
    return YoloNames(path, names, int(shape[1]) * int(shape[2]) if shape else None)


def yaml_names(text: str) -> list[str]:
    """The names in a `data.yaml`: a list or a dictionary, in brackets or line by line.

    This reads no more of YAML than the tools write: PyYAML is no dependency of anything that this
    project installs, and one field of one file is no reason to make it one.

    Args:
        text: What the file holds.

    Returns:
        The names, the first for number 0; "" for a number without one; empty if not understood.

    Example:
        >>> yaml_names("nc: 2\\nnames: ['cap', face]  # two")
        ['cap', 'face']
        >>> yaml_names("names:\\n  0: cap\\n  2: 'a face'\\nnc: 3")
        ['cap', '', 'a face']
    """
    after = re.split(r"(?m)^names\s*:", text, maxsplit=1)[-1]
    bracket = after.lstrip()[:1]
    if bracket in ("[", "{"):
        entries = _entries(after.lstrip()[1:])
    else:
        entries = []
        for line in after.split("\n"):
            line = _scalar(line.strip())
            if line and not re.match(r"-\s|\d+\s*:", line):
                break  # the next field
            entries += [line.removeprefix("-").strip()] if line else []
    names: dict[int, str] = {}
    for position, entry in enumerate(entries):
        number, colon, name = entry.partition(":")
        if colon and number.strip().isdecimal() and len(number) < 6:
            names[int(number)] = _unquoted(name.strip())
        else:
            names[position] = _unquoted(entry)
    return [names.get(number, "") for number in range(max(names, default=-1) + 1)]


_QUOTED = r"""'(?:[^']|'')*'|"(?:[^"\\]|\\.)*\""""


def _entries(text: str) -> list[str]:
    """What stands between commas, up to the closing bracket."""
    entries, entry = [], ""
    for piece in re.findall(rf"{_QUOTED}|#[^\n]*|[^'\"#,\]}}]+|.", text, re.DOTALL):
        if piece in (",", "]", "}"):
            entries += [entry.strip()] if entry.strip() else []
            entry = ""
            if piece != ",":
                break
        elif not piece.startswith("#"):
            entry += piece
    return entries


def _scalar(line: str) -> str:
    """A line without its comment."""
    return re.sub(rf"^((?:{_QUOTED}|[^'\"#]|(?<=\S)#)*)\s#.*$|^#.*$", r"\1", line).strip()


def _unquoted(text: str) -> str:
    if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"":
        quote, text = text[0], text[1:-1]
        return text.replace("''", "'") if quote == "'" else re.sub(r"\\(.)", r"\1", text)
    return text

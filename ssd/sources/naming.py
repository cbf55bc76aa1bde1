"""What the words of a command line stand for: photos, videos, cameras, streams."""

import glob
import os
import pathlib
import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from ssd.photos.finding import PHOTO_SUFFIXES, files

VIDEO_SUFFIXES = frozenset(
    (
        *(".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".mts", ".m2ts"),
        *(".wmv", ".flv", ".ogv", ".3gp", ".mjpeg", ".mjpg"),
    )
)
_PICAMERA = "picamera2"
_STREAM = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)


class Source(NamedTuple):
    """One thing that frames come from.

    Attributes:
        kind: "photo", "video", "camera" or "stream".
        name: A path, a camera's number or "picamera2", or an address.
        stem: What files made of it are called, without a suffix.

    Example:
        >>> Source("photo", "trip/a.jpg", "a").path.name
        'a.jpg'
    """

    kind: str
    name: str
    stem: str

    def __str__(self) -> str:
        return self.name

    @property
    def path(self) -> pathlib.Path:
        """The file, of a photo or a video."""
        return pathlib.Path(self.name)


def find_sources(words: Iterable[str]) -> list[Source]:
    """All sources that some words name, in the order of the words.

    A folder stands for the photos and videos under it, in order of their names; a pattern that is
    not itself a file (`trip/*.jpg`, `**/*.mp4`) for what it fits; a number for a camera;
    `picamera2` for that of a Raspberry Pi; what has `://` in it for a stream. Anything else is a
    file, whether it is there or not.

    Args:
        words: As typed.

    Returns:
        `Source`s, each with another stem: of files of one name the second is called `name-2`.

    Raises:
        ValueError: If there is no photo and no video in a folder.
        FileNotFoundError: If nothing fits a pattern.

    Example:
        >>> [(each.kind, each.stem) for each in find_sources(["a/1.jpg", "b/1.png", "v.mp4", "0"])]
        [('photo', '1'), ('photo', '1-2'), ('video', 'v'), ('camera', 'camera0')]
    """
    named = [each for word in words for each in _of_word(str(word))]
    return [
        Source(kind, name, stem) for (kind, name), stem in zip(named, _stems(named), strict=True)
    ]


def _of_word(word: str) -> list[tuple[str, str]]:
    if word == _PICAMERA or (word.isdecimal() and word.isascii()):
        return [("camera", word)]
    if _STREAM.match(word):
        return [("stream", word)]
    if os.path.isdir(word):
        inside = [os.path.join(word, path) for path in files(word)]
        found = [(kind, path) for path in inside if (kind := _kind(path))]
        if not found:
            raise ValueError(f"{word}: wanted a folder of photos or videos, found none in it")
        return found
    if glob.has_magic(word) and not os.path.exists(word):
        fitting = sorted(filter(os.path.isfile, glob.iglob(word, recursive=True)))
        if not fitting:
            raise FileNotFoundError(f"{word}: wanted photos or videos, nothing fits this pattern")
        return [(_kind(path) or "photo", path) for path in fitting]
    return [(_kind(word) or "photo", word)]


def _kind(path: str) -> str | None:
    suffix = os.path.splitext(path)[1].lower()
    if suffix in VIDEO_SUFFIXES:
        return "video"
    return "photo" if suffix in PHOTO_SUFFIXES else None


def _stems(named: Sequence[tuple[str, str]]) -> list[str]:
    """A name for the files made of each, whatever the case of letters; no two alike."""
    taken: dict[str, int] = {}  # a stem, and the number that the last of it had
    chosen = []
    for kind, name in named:
        stem = path = pathlib.PurePath(name).stem or "photo"
        if kind == "camera":
            stem = path = "camera" + name.removeprefix(_PICAMERA)
        elif kind == "stream":
            stem = path = "stream"
        number = taken.get(path.casefold(), 0)
        while number and f"{path}-{number + 1}".casefold() in taken:
            number += 1
        if number or path.casefold() in taken:
            stem = f"{path}-{number + 1}"
            taken[stem.casefold()] = 1
        taken[path.casefold()] = number + 1
        chosen.append(stem)
    return chosen

"""Which file of a folder an annotation means, however another system spelt its name."""

import errno
import os
import pathlib
import posixpath
import re
import unicodedata
from collections.abc import Iterator
from urllib.parse import unquote

PHOTO_SUFFIXES = frozenset(
    (
        *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp", ".dib", ".gif", ".tif"),
        *(".tiff", ".avif", ".heic", ".heif", ".jp2", ".pbm", ".pgm", ".ppm", ".pnm", ".tga"),
    )
)


class AmbiguousName(ValueError):
    """A name that more than one file could be meant by.

    Attributes:
        paths: Those files, as paths inside the folder, with `/`.

    Example:
        >>> str(AmbiguousName("1.jpg", ["train/1.jpg", "val/1.jpg"]))
        "wanted the name of one photo, '1.jpg' could be train/1.jpg or val/1.jpg"
    """

    def __init__(self, name: str, paths: list[str]):
        super().__init__(f"wanted the name of one photo, {name!r} could be {_some(paths)}")
        self.paths = paths


class PhotoFinder:
    """Finds photos in a folder by the names that annotations have for them.

    Annotations name photos as they lay where they were drawn: under another folder, with
    backslashes, letters composed of two characters, capitals, percent codes, another suffix, a
    number that an upload put before. Such a name is taken where just one file can be meant by it,
    and never where two can. Only files inside the folder are found, whatever the name says; links
    that lie in it are followed. Names that start with a dot are passed over.

    Args:
        folder: Folder of photos, searched recursively when a name is not found at once.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     pathlib.Path(folder, "trip").mkdir()
        ...     pathlib.Path(folder, "trip", "Müller 1.JPG").touch()
        ...     PhotoFinder(folder).find("C:\\\\photos\\\\trip\\\\müller%201.png")
        'trip/Müller 1.JPG'
    """

    def __init__(self, folder: str | os.PathLike):
        self.folder = pathlib.Path(folder)
        self._by_stem: dict[str, list[str]] | None = None

    def find(self, *names: str) -> str:
        """The file that is meant by a name, or by the first of several that means one.

        Args:
            *names: A name as the annotations have it; more, if it can be read in several ways.

        Returns:
            Its path inside the folder, with `/`.

        Raises:
            FileNotFoundError: If there is no such file.
            AmbiguousName: If it could be one of several.
        """
        for name in names:
            for path in _spellings(name, self.folder):
                if _is_file(self.folder / path):
                    return path
        for name in names:
            if path := self._guess(name):
                return path
        raise FileNotFoundError(f"no photo {names[0]!r} in {self.folder}")

    def _guess(self, name: str) -> str | None:
        """The only file that can be meant by a name that no file has."""
        for spelling in _spellings(name, self.folder):
            wanted = _Key(spelling)
            files = [_Key(path) for path in self._files(wanted.stem)]
            near = [file for file in files if _one_ends_in_the_other(file, wanted)]
            for fitting in (
                [file for file in files if file.full == wanted.full],  # but for capitals
                [file for file in near if file.name == wanted.name],
                [file for file in near if file.is_photo],
            ):
                if len(fitting) > 1:
                    raise AmbiguousName(name, [file.path for file in fitting])
                if fitting:
                    return fitting[0].path
        return None

    def _files(self, stem: str) -> list[str]:
        if self._by_stem is None:
            self._by_stem = {}
            for path in files(self.folder):
                self._by_stem.setdefault(_Key(path).stem, []).append(path)
        return self._by_stem.get(stem, [])


def files(folder: str | os.PathLike) -> Iterator[str]:
    """Every file under a folder, as a path inside it with `/`; folders in order of their names.

    Links are followed; each folder is visited once. Names that start with a dot are passed over,
    and so are folders that may not be read, such as `lost+found`.

    Args:
        folder: Where to look.

    Yields:
        Paths.

    Raises:
        OSError: If a folder cannot be read for another reason, which may pass.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     pathlib.Path(folder, "a.jpg").touch()
        ...     list(files(folder))
        ['a.jpg']
    """

    def stop(error: OSError):
        if not isinstance(error, PermissionError):
            raise error

    visited = set()
    for path, folders, names in os.walk(folder, followlinks=True, onerror=stop):
        status = os.stat(path)
        if (status.st_dev, status.st_ino) in visited:
            folders.clear()
            continue
        visited.add((status.st_dev, status.st_ino))
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        inside = os.path.relpath(path, folder).replace(os.sep, "/")
        for name in sorted(names):
            if not name.startswith("."):
                yield name if inside == "." else f"{inside}/{name}"


def same_name(name: str) -> str:
    """What two spellings of one name have in common, to compare names by.

    Args:
        name: A name as annotations have it.

    Returns:
        The name with `/`, without percent codes and capitals, letters composed.

    Example:
        >>> same_name("Trip\\\\a%20b.JPG") == same_name("trip/a b.jpg")
        True
    """
    return "/".join(_parts(unquote(name))).casefold()


class _Key:
    """What names are compared by: parts, and the last with and without its suffix."""

    def __init__(self, path: str):
        self.path = path
        *self.parents, self.name = _parts(path.casefold()) or [""]
        self.full = [*self.parents, self.name]
        self.stem, suffix = os.path.splitext(self.name)
        self.is_photo = suffix in PHOTO_SUFFIXES
        if not self.is_photo:  # the dot is part of the name: "img.v2"
            self.stem = self.name


def _one_ends_in_the_other(a: _Key, b: _Key) -> bool:
    """Whether the folders of the shorter path are the last folders of the longer one."""
    shared = min(len(a.parents), len(b.parents))
    return a.parents[len(a.parents) - shared :] == b.parents[len(b.parents) - shared :]


_UPLOADED = re.compile(r"^[0-9a-f]{8}-(?=.)")  # Label Studio puts this before the name of an upload


def _spellings(name: str, folder: pathlib.Path) -> Iterator[str]:
    """Paths inside the folder that a name may stand for, the likeliest first."""
    if os.path.isabs(name):
        for base in (folder.absolute(), folder.resolve()):
            if pathlib.Path(name).is_relative_to(base):
                name = pathlib.Path(name).relative_to(base).as_posix()
                break
    plain = posixpath.normpath(name)  # as it stands: a backslash may be part of a file's name
    if not posixpath.isabs(plain) and plain.split("/")[0] != "..":
        yield plain
    name = name.rpartition("?d=")[2]  # Label Studio, of files on its own disk
    for decoded in dict.fromkeys((name, unquote(name))):
        if parts := _parts(decoded):
            yield "/".join(parts)
            yield unicodedata.normalize("NFD", "/".join(parts))
            if _UPLOADED.match(parts[-1]):
                yield "/".join([*parts[:-1], _UPLOADED.sub("", parts[-1])])


def _parts(name: str) -> list[str]:
    """The parts of a path of any system, letters composed; none leads out of the folder."""
    parts: list[str] = []
    for part in unicodedata.normalize("NFC", name.strip()).replace("\\", "/").split("/"):
        if part == "..":
            del parts[-1:]
        elif part not in ("", ".") and not re.fullmatch("[A-Za-z]:", part):
            parts.append(part)
    return parts


def _is_file(path: pathlib.Path) -> bool:
    try:
        return path.is_file()
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:  # nothing can have such a name
            return False
        raise


def _some(paths: list[str]) -> str:
    """A few of many names."""
    return " or ".join(paths[:3]) + (f" or {len(paths) - 3} more" if len(paths) > 3 else "")

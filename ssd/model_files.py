"""Model files, perhaps of strangers: read within bounds, refused in one line. No more than Python.

A model is a ZIP archive (`.keras`) or ends in one (`.tflite`). What an archive says of itself may
be a lie, and a few megabytes can unpack to gigabytes. So nothing is read of which the size was
not agreed on before.
"""

import bz2
import contextlib
import json
import os
import pathlib
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from typing import IO, Any

# Of a whole file. The largest model that `ssd.Config` allows takes half of it.
MAX_BYTES = 2**30
MAX_JSON = 2**20
_MAX_RATIO = 20  # of unpacked to packed bytes: weights hardly get smaller by compression
_MAX_DIRECTORY = 2**18  # of an archive: a model has some three members, of a hundred bytes each
_END = struct.Struct("<4s4H2LH")  # the record that ends an archive
_HEAD = struct.Struct("<26x2H")  # what goes before a member: how long its name and the rest are


def check_file(path: str | os.PathLike, wanted: str) -> pathlib.Path:
    """The path of a file that may be read as a whole.

    Args:
        path: The file.
        wanted: What it is to be, for the message.

    Returns:
        The path.

    Raises:
        FileNotFoundError: If there is none.
        ValueError: If it is no file, or too large for a model.

    Example:
        >>> check_file("nowhere.keras", "a .keras model file")
        Traceback (most recent call last):
        FileNotFoundError: nowhere.keras: wanted a .keras model file, found none
    """
    path = pathlib.Path(path)
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        raise FileNotFoundError(f"{path}: wanted {wanted}, found none") from None
    if not stat.S_ISREG(status.st_mode):
        raise ValueError(f"{path}: wanted {wanted}, this is no file")
    if status.st_size > MAX_BYTES:
        raise ValueError(
            f"{path}: wanted {wanted} of at most {MAX_BYTES:,} bytes, this has {status.st_size:,}"
        )
    return path


@contextlib.contextmanager
def open_archive(file: IO[bytes]) -> Iterator[zipfile.ZipFile]:
    """The ZIP archive that a file is, or ends in; what is wrong with it becomes a ValueError.

    Args:
        file: The file, open for reading, at any place.

    Yields:
        The archive.

    Raises:
        ValueError: If there is no archive, it is damaged, or lists more than a model has.

    Example:
        >>> import io
        >>> with open_archive(io.BytesIO(b"no archive")):
        ...     pass
        Traceback (most recent call last):
        ValueError: no ZIP archive
    """
    _check_directory(file)
    try:
        with zipfile.ZipFile(file) as archive:
            yield archive
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError) as error:
        raise ValueError(f"a damaged ZIP archive: {one_line(error)}") from None
    except (zlib.error, struct.error, UnicodeDecodeError, OverflowError) as error:
        raise ValueError(f"a damaged ZIP archive: {one_line(error)}") from None


def _check_directory(file: IO[bytes]) -> None:
    """That an archive's list of members is as short as a model's: `zipfile` reads all of it."""
    end = file.seek(0, os.SEEK_END)
    start = max(0, end - _END.size - 2**16)
    file.seek(start)
    tail = file.read(end - start)
    place = tail.rfind(b"PK\5\6")
    if place < 0 or len(tail) - place < _END.size:
        raise ValueError("no ZIP archive")
    size = _END.unpack_from(tail, place)[5]
    # The longer form of the record, for archives beyond 4 GB, comes before.
    if size > _MAX_DIRECTORY or tail[max(0, place - 20) : place].startswith(b"PK\6\7"):
        raise ValueError("a ZIP archive of more members than a model has")


def read_member(archive: zipfile.ZipFile, name: str, *, limit: int = MAX_JSON) -> bytes:
    """One file of an archive, if it is no larger than agreed.

    Args:
        archive: As `open_archive` yields it.
        name: Of the member.
        limit: Greatest size in bytes, unpacked.

    Returns:
        Its contents.

    Raises:
        ValueError: If there is no such member, it is larger, or damaged.

    Example:
        >>> import io
        >>> file = io.BytesIO()
        >>> with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        ...     archive.writestr("model.json", "{}")
        ...     archive.writestr("bomb.json", bytes(10**6))
        >>> with open_archive(file) as archive:
        ...     print(read_member(archive, "model.json"))
        ...     read_member(archive, "bomb.json", limit=1000)
        Traceback (most recent call last):
        ValueError: bomb.json: wanted at most 1,000 bytes, got 1,000,000
    """
    try:
        member = archive.getinfo(name)
    except KeyError:
        raise ValueError(f"no {name} in its ZIP archive") from None
    packed = _read_packed(archive, member)
    limit = min(limit, MAX_JSON + _MAX_RATIO * len(packed))
    if member.file_size > limit:
        raise ValueError(f"{name}: wanted at most {limit:,} bytes, got {member.file_size:,}")
    content = _unpack(packed, member.compress_type, member.file_size)
    if len(content) != member.file_size or zlib.crc32(content) != member.CRC:
        raise ValueError(f"{name}: damaged")
    return content


def _read_packed(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    """A member as it lies in the archive; `zipfile` itself has no bound for what it unpacks."""
    file = archive.fp
    if file is None or member.flag_bits & 1:
        raise ValueError(f"{member.filename}: wanted it without a password")
    end = file.seek(0, os.SEEK_END)
    file.seek(member.header_offset)
    start = member.header_offset + _HEAD.size + sum(_HEAD.unpack(file.read(_HEAD.size)))
    file.seek(start)
    return file.read(max(0, min(member.compress_size, end - start)))


def _unpack(packed: bytes, method: int, size: int) -> bytes:
    """What was packed, as far as one byte beyond its size: then it is not what it says."""
    if method == zipfile.ZIP_STORED:
        return packed
    if method == zipfile.ZIP_DEFLATED:
        return zlib.decompressobj(-zlib.MAX_WBITS).decompress(packed, size + 1)
    if method == zipfile.ZIP_BZIP2:
        try:
            return bz2.BZ2Decompressor().decompress(packed, size + 1)
        except OSError as error:  # which is not the disk's
            raise ValueError(f"a damaged ZIP archive: {one_line(error)}") from None
    raise ValueError("packed by a method that no model is packed by")


def read_json(archive: zipfile.ZipFile, name: str) -> dict[str, Any]:
    """One file of an archive that holds a JSON object.

    Args:
        archive: As `open_archive` yields it.
        name: Of the member.

    Returns:
        The object.

    Raises:
        ValueError: If there is no such member, or it holds something else.

    Example:
        >>> import io
        >>> with zipfile.ZipFile(io.BytesIO(), "w") as archive:
        ...     archive.writestr("model.json", '{"variances": [NaN]}')
        ...     read_json(archive, "model.json")
        Traceback (most recent call last):
        ValueError: model.json: wanted JSON (NaN is no number)
    """

    return parse_json(read_member(archive, name), name)


def parse_json(content: bytes | str, name: str) -> dict[str, Any]:
    """A JSON object of a stranger.

    Args:
        content: Its text.
        name: What to call it in messages.

    Returns:
        The object.

    Raises:
        ValueError: If it is something else.

    Example:
        >>> parse_json("[1]", "model.json")
        Traceback (most recent call last):
        ValueError: model.json: wanted a JSON object, got a list
    """

    def refuse(constant: str) -> None:
        raise ValueError(f"{constant} is no number")

    try:
        found = json.loads(content, parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{name}: wanted JSON ({one_line(error)})") from None
    if not isinstance(found, dict):
        raise ValueError(f"{name}: wanted a JSON object, got a {type(found).__name__}")
    return found


def one_line(error: BaseException) -> str:
    """What an error says, in one line.

    Args:
        error: Any.

    Returns:
        At most 200 characters.

    Example:
        >>> one_line(ValueError("first\\nsecond")), one_line(EOFError())
        ('first second', 'EOFError')
    """
    return " ".join(str(error).split())[:200] or type(error).__name__

"""A page on which a person checks labels.

The page is `OUT/review.html`. It opens from the disk, without a server, so all it shows comes from
scripts beside it, in `OUT/review/`: `index.js` holds the name, boxes and scores of every photo, and
files like `00012-3.js` the thumbnails of 32 photos each, loaded when they are to be seen.
"""

import base64
import hashlib
import io
import json
import os
import pathlib
import shutil
from collections.abc import Mapping
from concurrent import futures
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from PIL import Image

from distill.review.marking import LEAST_SIDE
from distill.review.marks import find_one_sided
from ssd import atomic
from ssd.data import manifest, records
from ssd.data.marked import Entry, unmarked
from ssd.data.marked import read as read_marked
from ssd.lock import lock
from ssd.processors import processors

PAGE = pathlib.Path(__file__).parent / "page_parts"
STYLE = PAGE.parents[1] / "page_parts" / "page.css"  # which the page of an audit has, too
CHUNK = 32  # photos to a file of thumbnails
SIDE = 160  # longest side of a thumbnail in pixels
QUALITY = 60


def write_page(out: str | os.PathLike) -> pathlib.Path:
    """Writes the review page of a folder of labels; thumbnails that are there already stay.

    Args:
        out: Folder of labels.

    Returns:
        Path of the page.

    Raises:
        ValueError: If there are no labels, a shard is damaged, or another run writes the page.
        OSError: If the disk is full or cannot be written to.

    Example:
        >>> from ssd.data import records
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as out:
        ...     manifest.write(out, {"classes": ["face"]})
        ...     records.write_shard(records.shard_path(out, 0), [])
        ...     write_page(out).name
        'review.html'
    """
    from tqdm import tqdm

    out = pathlib.Path(out)
    about = manifest.read(out)
    shards = records.shards(out)
    folder = out / "review"
    index = Index(about, read_marked(out))
    with lock(folder), futures.ThreadPoolExecutor(processors()) as pool:
        for path in atomic.stale(folder):
            path.unlink()  # of a run that was killed; the lock says that none is writing
        for shard in tqdm(shards, "review page", unit=" shards", leave=False, disable=None):
            _write_thumbnails(folder, shard, index, pool)
        _write_script(folder / "index.js", "index", index.to_json())
        for old in set(folder.glob("*-*.js")) - {folder / f"{name}.js" for name in index.chunks()}:
            old.unlink()
        for source in (*PAGE.iterdir(), STYLE):
            target = out if source.suffix == ".html" else folder
            with atomic.whole(target / source.name) as temporary:
                shutil.copyfile(source, temporary)
    return out / "review.html"


class Index:
    """What the page knows of each photo and box without its thumbnail.

    Photos stand in the order of the shards. A photo that a person has marked is shown with the
    labels it had before, and its marks.

    Args:
        about: What `dataset.json` says.
        marked: What `ssd.data.marked.read` returns.

    Example:
        >>> index = Index({"classes": ["face"]}, {})
        >>> index.begin_shard("00000")
        >>> index.chunks()
        []
    """

    def __init__(self, about: Mapping[str, Any], marked: Mapping[str, Entry]):
        self._about, self._marked = about, marked
        self._shards: list[tuple[str, int]] = []  # digits of the name, and photos
        self._names: list[str] = []
        # Of 100,000 photos: as bytes, since small arrays weigh ten times more.
        self._arrays: dict[str, bytearray] = {}
        self._boxes = 0
        self._edits: dict[str, list[Any]] = {"drawn": [], "moved": [], "reclassed": []}

    def _append(self, field: str, values: ArrayLike, dtype: str) -> None:
        array = self._arrays.setdefault(field, bytearray())
        array += np.asarray(values).astype(dtype).tobytes()

    def begin_shard(self, number: str) -> None:
        """Notes that the photos to come are those of another shard.

        Args:
            number: The digits of its name, such as "00012".
        """
        self._shards.append((number, 0))

    def add(self, photo: records.LabeledPhoto) -> None:
        """Adds a photo of the shard begun last.

        Args:
            photo: As the shard has it.
        """
        number, photos = self._shards[-1]
        self._shards[-1] = number, photos + 1
        entry = self._marked.get(photo.filename) or unmarked("", photo)
        boxes = np.array(entry["boxes"], np.float32).reshape(-1, 4)
        classes, scores = (
            np.array(entry["classes"], np.int32),
            np.array(entry["scores"], np.float32),
        )
        dropped = np.zeros(len(boxes), np.uint8)
        dropped[entry["dropped"]] = 1
        one_sided = find_one_sided(classes, scores, self._about)
        one_sided[len(boxes) - entry["drawn"] :] = False
        self._names.append(photo.filename)
        self._append("sizes", [photo.width, photo.height], "<u4")
        self._append("ignored", [entry["ignored"]], "u1")
        self._append("counts", [len(boxes)], "<u4")
        self._append("boxes", boxes, "<f4")
        self._append("classes", classes, "<i4")
        self._append("scores", scores, "<f4")
        self._append("one_sided", one_sided, "u1")
        self._append("dropped", dropped, "u1")
        self._note_edits(entry)

    def _note_edits(self, entry: Entry) -> None:
        """The few boxes that people drew or changed, by their number among all."""
        first, self._boxes = self._boxes, self._boxes + len(entry["boxes"])
        self._edits["drawn"] += range(self._boxes - entry["drawn"], self._boxes)
        for field in ("moved", "reclassed"):
            changed = ((first + int(index), said) for index, said in entry[field].items())
            self._edits[field] += map(list, changed)

    def chunks(self) -> list[str]:
        """The names of all files of thumbnails, without their suffix.

        Returns:
            Names, in the order of the photos.
        """
        return [
            _chunk(number, start)
            for number, photos in self._shards
            for start in range(0, photos, CHUNK)
        ]

    def to_json(self) -> dict[str, Any]:
        """All of it as JSON can hold it; numbers are base64 of little-endian arrays.

        Returns:
            What the page expects.
        """
        source = self._about.get("source", "")
        about = {name: value for name, value in self._about.items() if name not in _CHANGING}
        identity = json.dumps(about, sort_keys=True).encode()
        return {
            "id": hashlib.sha256(identity).hexdigest()[:16],
            "about": self._about,
            "source": pathlib.Path(source).name,
            "photos": _photos_url(source),
            "chunk": CHUNK,
            "shards": self._shards,
            "names": self._names,
            "least_side": LEAST_SIDE,
            "edits": self._edits,
            "arrays": {name: _base64(array) for name, array in self._arrays.items()},
        }


_CHANGING = ("complete", "counts")  # of the same labels, as a run goes on and marks are set


def make_thumbnail(encoded: bytes) -> bytes:
    """A small JPEG file of a photo, for the page.

    Args:
        encoded: JPEG file as bytes, of any size.

    Returns:
        JPEG file as bytes, its longest side at most `SIDE` pixels.

    Raises:
        OSError: If it is no JPEG file, or a damaged one.

    Example:
        >>> file = io.BytesIO()
        >>> Image.new("RGB", (640, 480)).save(file, "JPEG")
        >>> Image.open(io.BytesIO(make_thumbnail(file.getvalue()))).size
        (160, 120)
    """
    with Image.open(io.BytesIO(encoded)) as image:
        # The decoder halves for free, here down to the size wanted.
        image.thumbnail((SIDE, SIDE), Image.Resampling.BILINEAR, reducing_gap=1.0)
        file = io.BytesIO()
        image.save(file, "JPEG", quality=QUALITY)
    return file.getvalue()


def _chunk(number: str, start: int) -> str:
    return f"{number}-{start // CHUNK}"


def _write_thumbnails(
    folder: pathlib.Path, shard: pathlib.Path, index: Index, pool: futures.Executor
) -> None:
    number = shard.stem.rpartition("-")[2]
    changed = shard.stat().st_mtime_ns
    index.begin_shard(number)
    group: list[bytes] = []

    def finish(start: int) -> None:
        path = folder / f"{_chunk(number, start)}.js"
        if group and not (path.exists() and path.stat().st_mtime_ns > changed):
            made = pool.map(make_thumbnail, group)
            _write_script(path, "chunk", [path.stem, *map(_base64, made)])
        group.clear()

    position = 0
    for position, photo in enumerate(records.read_shard(shard), start=1):
        index.add(photo)
        group.append(photo.encoded)
        if len(group) == CHUNK:
            finish(position - CHUNK)
    finish(position - len(group))


def _write_script(path: pathlib.Path, function: str, content: Any) -> None:
    """A file that hands its content to the page, as a page opened from the disk may not read it."""
    text = json.dumps(content, separators=(",", ":")).replace("<", "\\u003c")
    atomic.write_text(path, f"review.{function}({text});\n")


def _photos_url(source: str) -> str | None:
    """Where the page finds the photos as they were, for a closer look."""
    return pathlib.Path(source).as_uri() if os.path.isabs(source) else None


def _base64(data: bytes | bytearray) -> str:
    return base64.b64encode(data).decode()

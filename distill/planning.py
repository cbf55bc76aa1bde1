"""Which photos are in which shard, and what of that is left to do.

`progress/plan.jsonl` has one line for each shard, the names of its photos. It only ever grows: what
comes later, or was refused and can be read by now, goes into shards of its own. So a name may stand
in it twice, and the last one counts.
"""

import json
import pathlib
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from distill.photo_files import PhotoFiles
from ssd import atomic

Shards = Sequence[Sequence[str]]


def read_plan(out: pathlib.Path) -> list[list[str]]:
    """The names of the photos of each shard.

    Args:
        out: Folder of labels.

    Returns:
        A list for each shard; none before a run has begun.

    Raises:
        ValueError: If the file is damaged.

    Example:
        >>> read_plan(pathlib.Path("new"))
        []
    """
    path = out / "progress" / "plan.jsonl"
    return [parse(line, path) for line in path.read_text().splitlines()] if path.exists() else []


def parse(text: str, path: pathlib.Path) -> Any:
    """What a file of a run's own holds.

    Args:
        text: JSON.
        path: The file it comes from.

    Returns:
        What JSON makes of it.

    Raises:
        ValueError: If it is none; it names the file.

    Example:
        >>> parse("[1]", pathlib.Path("plan.jsonl"))
        [1]
    """
    try:
        return json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        raise ValueError(
            f"{path}: wanted JSON as distill wrote it, it is damaged ({error})"
        ) from None


def extend_plan(
    out: pathlib.Path, found: PhotoFiles, again: Collection[str], shard_photos: int
) -> list[list[str]]:
    """Adds shards for photos that no shard has yet, or that are to be taken again.

    Args:
        out: Folder of labels.
        found: What the folder of photos holds.
        again: Names of photos that are planned already and need another shard.
        shard_photos: Photos to a shard.

    Returns:
        The names of the photos of each shard, as they are on the disk now.

    Example:
        >>> import tempfile
        >>> found = PhotoFiles(["a.jpg", "b.jpg"], {}, {}, 0)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     out = pathlib.Path(folder)
        ...     (out / "progress").mkdir()
        ...     extend_plan(out, found, [], 256), extend_plan(out, found, ["a.jpg"], 256)
        ([['a.jpg', 'b.jpg']], [['a.jpg', 'b.jpg'], ['a.jpg']])
    """
    shards = read_plan(out)
    known = {name for shard in shards for name in shard}.difference(again)
    new = [name for name in sorted([*found.names, *found.refused]) if name not in known]
    if new:
        shards += [new[start : start + shard_photos] for start in range(0, len(new), shard_photos)]
        text = "".join(json.dumps(shard) + "\n" for shard in shards)
        atomic.write_text(out / "progress" / "plan.jsonl", text)
    return shards


def refused_photos(shards: Shards, errors: Mapping[int, Sequence[list[str]]]) -> list[list[str]]:
    """The photos that were refused, and have not been taken again since.

    Args:
        shards: The names of the photos of each shard.
        errors: For each shard that is done, [name, reason] of those of its photos that are refused.

    Returns:
        A list of [name, reason].

    Example:
        >>> refused_photos([["a.jpg", "b.jpg"], ["a.jpg"]],
        ...                {0: [["a.jpg", "damaged"], ["b.jpg", "empty file"]], 1: []})
        [['b.jpg', 'empty file']]
    """
    last = {name: index for index, shard in enumerate(shards) for name in shard}
    return [each for index in sorted(errors) for each in errors[index] if last[each[0]] == index]


def readable_now(
    refused: Sequence[Sequence[str]], found: PhotoFiles, read: Callable[[str], object]
) -> list[str]:
    """Photos that an earlier run refused and this one need not: copied to the end since, say.

    Args:
        refused: A list of [name, reason].
        found: What the folder of photos holds.
        read: Reads the photo of a name; gives a str, the reason, if it has to be refused.

    Returns:
        Names.

    Example:
        >>> readable_now([["a.jpg", "damaged"]], PhotoFiles(["a.jpg"], {}, {}, 0), lambda name: 1)
        ['a.jpg']
    """
    there = set(found.names)
    return [name for name, _ in refused if name in there and not isinstance(read(name), str)]


def split_off_missing(
    shards: Shards, done: Collection[int], found: PhotoFiles
) -> tuple[dict[int, list[str]], dict[int, list[list[str]]]]:
    """What is left to label, and which photos of it are not there.

    Args:
        shards: The names of the photos of each shard.
        done: Shards that are finished.
        found: What the folder of photos holds.

    Returns:
        ({shard: names of photos that can be opened}, {shard: [name, reason] of those that cannot}).

    Example:
        >>> split_off_missing([["a.jpg"], ["b.jpg", "c.jpg"]], [0],
        ...                   PhotoFiles(["a.jpg", "b.jpg"], {}, {}, 0))
        ({1: ['b.jpg']}, {1: [['c.jpg', 'no longer there']]})
    """
    there = set(found.names)
    names: dict[int, list[str]] = {}
    missing: dict[int, list[list[str]]] = {}
    for index, shard in enumerate(shards):
        if index not in done:
            names[index] = [name for name in shard if name in there]
            missing[index] = [
                [name, found.refused.get(name, "no longer there")]
                for name in shard
                if name not in there
            ]
    return names, missing

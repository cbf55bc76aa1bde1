"""`python -m benchmarks.combining`: how long `distill combine` takes, and whether kills change it.

Three folders of labels of the same photos are made, two faces on each photo, seen by each rater a
little differently. They are combined once by the clock; then again in another order, by a process
that is killed (-9) again and again and started anew. Both have to give the same files.

`--photos 100000` is the full size: 5 GB of disk while it runs.
"""

import argparse
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

import ssd
from benchmarks import envelope, outputs
from benchmarks.options import positive

RATERS, FACES, SOURCES = 3, 2, 5


def make_folders(folder: str | os.PathLike, photos: int, side: int = 64) -> list[str]:
    """Folders of labels of the same photos by several raters.

    Args:
        folder: Where they go; must exist.
        photos: How many.
        side: Of each photo, in pixels; all are one picture of noise.

    Returns:
        Their paths.

    Example:
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     [os.path.basename(path) for path in make_folders(folder, 2)]
        ['rater-0', 'rater-1', 'rater-2']
    """
    noise = np.random.default_rng(0).integers(0, 256, [side, side, 3], np.uint8)
    path = pathlib.Path(folder, "noise.jpg")
    ssd.write_photo(path, noise)
    encoded, paths = path.read_bytes(), []

    def labeled(rater: int) -> Iterator[ssd.LabeledPhoto]:
        places, own = np.random.default_rng(1), np.random.default_rng(2 + rater)
        for number in range(photos):
            corner = 0.1 + 0.6 * places.random([FACES, 2])
            boxes = np.concatenate([corner, corner + 0.2], 1) + own.normal(0, 0.01, [FACES, 4])
            yield ssd.LabeledPhoto(
                encoded=encoded,
                filename=f"{number % SOURCES}/{number:06d}.jpg",
                height=side,
                width=side,
                boxes=np.clip(boxes, 0, 1).astype(np.float32),
                class_ids=np.where(own.random(FACES) < 0.9, 1, -1),
                scores=own.random(FACES, np.float32),
            )

    for rater in range(RATERS):
        paths.append(os.path.join(folder, f"rater-{rater}"))
        ssd.write_labels(paths[-1], labeled(rater))
    return paths


def run_combine(folders: Sequence[str], out: str, kill_at: int | None = None) -> bool:
    """Runs `distill combine` in a process of its own.

    Args:
        folders: Of labels.
        out: For the labels.
        kill_at: Kill it (-9) as soon as `out` has so many shards; None: let it end.

    Returns:
        Whether it was killed.

    Raises:
        RuntimeError: If it ended with an error.

    Example:
        >>> run_combine(["nowhere"], "out")
        Traceback (most recent call last):
        RuntimeError: distill combine ended with status 1
    """
    words = [sys.executable, "-m", "distill", "combine", *folders, out, "--geometry", min(folders)]
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while kill_at is not None and process.poll() is None:
        if len([*pathlib.Path(out).glob("shard-*")]) >= kill_at:
            process.kill()
        time.sleep(0.01)
    status = process.wait()
    if status > 0:
        raise RuntimeError(f"distill combine ended with status {status}")
    return status < 0


def measure(
    folder: str | os.PathLike, photos: int, *, kills: int = 10, side: int = 64, seed: int = 0
) -> dict[str, Any]:
    """Combines three folders, once in peace and once killed again and again.

    Args:
        folder: Where all of it goes; must exist.
        photos: How many each folder has.
        kills: How many.
        side: Of each photo, in pixels.
        seed: Decides at which shards it is killed; they come at random.

    Returns:
        A dictionary: `photos`; `seconds` by the clock and `cpu_seconds` of the run in peace, with
        the start of Python; `kills`, how many there were; `same`, whether both gave the same files.

    Example:
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     measure(folder, 20, kills=0)["same"]
        True
    """
    folders = make_folders(folder, photos, side)
    whole, killed = (os.path.join(folder, name) for name in ("whole", "killed"))
    start, before = time.monotonic(), os.times()
    run_combine(folders, whole)
    seconds, after = time.monotonic() - start, os.times()
    _say(f"combined {photos:,} photos in {seconds:.1f} s by the clock")
    shards = len([*pathlib.Path(whole).glob("shard-*")])
    moments = sorted(random.Random(seed).choices(range(shards), k=kills))
    done = 0
    for at in moments:
        done += run_combine(folders[::-1], killed, at)
        _say(f"killed {done} times, now at shard {at} of {shards}")
    run_combine(folders, killed)
    cpu = (after.children_user + after.children_system) - (
        before.children_user + before.children_system
    )
    return {
        "photos": photos,
        "seconds": round(seconds, 1),
        "cpu_seconds": round(cpu, 1),
        "kills": done,
        "same": _files(whole) == _files(killed),
    }


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _files(folder: str) -> dict[str, int]:
    """A number for what each file holds."""
    paths = (path for path in pathlib.Path(folder).iterdir() if path.is_file())
    return {path.name: hash(path.read_bytes()) for path in paths}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line.

    Args:
        arguments: What was typed; by default those of the process.

    Returns:
        The exit status: 0 when both runs gave the same files, 1 when not or without photos.

    Example:
        >>> main(["--photos", "0"])
        1
    """
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.combining",
        description="Time distill combine on three folders of labels, and kill it on the way.",
    )
    count = positive(int, "positive integer")
    parser.add_argument("--photos", type=int, default=5000, metavar="N", help="photos (5000)")
    parser.add_argument("--kills", type=int, default=10, metavar="N", help="kills (10)")
    parser.add_argument("--side", type=count, default=64, metavar="PX", help="side of a photo (64)")
    parser.add_argument("--folder", metavar="FOLDER", help="for temporary files")
    parser.add_argument("--json", metavar="FILE", help="write the figures for machines")
    options = parser.parse_args(arguments)
    if options.photos < 1:
        print(f"--photos: wanted 1 or more, got {options.photos}", file=sys.stderr)
        return 1
    try:
        outputs.check_outputs("combining", json=options.json)
    except (OSError, ValueError) as error:
        print(f"combining: {error}", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        figures = measure(folder, options.photos, kills=options.kills, side=options.side)
    print(
        f"3 folders of {figures['photos']:,} photos: {figures['seconds']} s by the clock, "
        f"{figures['cpu_seconds']} s of CPU; killed {figures['kills']} times and in another order: "
        f"{'the same files' if figures['same'] else 'OTHER FILES'}"
    )
    if options.json:
        envelope.write(options.json, "combining", figures)
    return 0 if figures["same"] else 1


if __name__ == "__main__":
    sys.exit(main())

"""`python -m benchmarks.labeling PHOTOS...`: how fast the teacher labels, and whether rightly.

The same photos go through `distill.mtcnn` and through the `mtcnn` package photo by photo,
turn about in one process, so that a machine that slows down slows both.

With `--names N` it labels N file names instead, links to those photos, as `python -m distill` does,
and says whether memory grows and what the bookkeeping takes. A stand-in for the teacher keeps that
short; `--teacher distill.teachers.mtcnn:mtcnn` takes the real one.
"""

import argparse
import os
import pathlib
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image

import distill
import ssd
from benchmarks import envelope, outputs
from benchmarks.options import positive

TURN = 32  # photos one teacher sees before it is the other's turn
SURE, TIGHT = 0.9, 0.9  # faces compared score at least this; a face is found at this IoU


def count_found(
    sought: Sequence[tuple],
    found: Sequence[tuple],
    *,
    least: float = SURE,
    iou_threshold: float = TIGHT,
) -> tuple[int, int]:
    """How many faces of one teacher the other finds.

    Args:
        sought: A list with (boxes [faces, 4], scores [faces]) for each photo.
        found: The other's list for the same photos.
        least: Least score of a face that is sought.
        iou_threshold: Least IoU at which it is found.

    Returns:
        (faces found, faces sought).

    Example:
        >>> one = [(np.array([[0, 0, 9, 9], [0, 0, 2, 2]]), np.array([0.95, 0.5]))]
        >>> count_found(one, [(np.array([[0, 0, 9, 9]]), np.array([0.7]))])
        (1, 1)
    """
    hits = total = 0
    for (boxes, scores), (others, _) in zip(sought, found, strict=True):
        boxes = np.asarray(boxes)[np.asarray(scores) >= least]
        total += len(boxes)
        pairs = distill.group_faces([boxes, others], iou_threshold=iou_threshold)
        hits += int(np.sum(np.all(pairs >= 0, axis=1)))
    return hits, total


def resident_megabytes() -> float | None:
    """Memory of this process.

    Returns:
        MiB; None where the system does not say.

    Example:
        >>> resident_megabytes() is None or resident_megabytes() > 1
        True
    """
    try:
        pages = int(pathlib.Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return None
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def time_teachers(
    photos: Sequence[np.ndarray],
    *,
    min_face: float = 20,
    floor: float = 0.8,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, Any]:
    """Times both teachers on the same photos and compares their faces.

    Args:
        photos: A list of uint8 [height, width, 3].
        min_face: Side of the smallest face, in pixels.
        floor: Least score of a face; the package's own default.
        progress: Called with (photos done, photos in all).

    Returns:
        A dictionary: `photos`; photos per second of each, `teacher` and `package`; `times`, how
        many times faster; `found_by_teacher` and `found_by_package`, (found, sought);
        `memory_mb`, what the process held after each turn.

    Example:
        >>> figures = time_teachers([np.zeros([64, 48, 3], np.uint8)] * 2)
        >>> figures["photos"], figures["found_by_teacher"]
        (2, (0, 0))
    """
    raters = {"teacher": distill.mtcnn, "package": distill.mtcnn_package}
    for rater in raters.values():
        rater(photos[:2], min_face=min_face, floor=floor)  # graphs are traced, kernels warm
    seconds = dict.fromkeys(raters, 0.0)
    faces = {name: [] for name in raters}
    memory = []
    for start in range(0, len(photos), TURN):
        turn = photos[start : start + TURN]
        for name, rater in raters.items():
            begin = time.perf_counter()
            faces[name] += rater(turn, min_face=min_face, floor=floor)
            seconds[name] += time.perf_counter() - begin
        memory.append(resident_megabytes())
        progress(start + len(turn), len(photos))
    return {
        "photos": len(photos),
        "teacher": len(photos) / seconds["teacher"],
        "package": len(photos) / seconds["package"],
        "times": seconds["package"] / seconds["teacher"],
        "found_by_teacher": count_found(faces["package"], faces["teacher"]),
        "found_by_package": count_found(faces["teacher"], faces["package"]),
        "memory_mb": memory,
    }


def label_many_names(
    folder: str | os.PathLike,
    number: int,
    *,
    teacher: str = "benchmarks.labeling:pretend",
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, Any]:
    """Labels many file names, links to the photos of a folder, and watches memory.

    Links and labels lie in a temporary folder; a photo takes its size on disk once for each name.

    Args:
        folder: A folder of photos.
        number: How many names.
        teacher: As `distill.labeling.Options` takes it.
        progress: Called with (photos done, photos in all).

    Returns:
        A dictionary: `names`; `photos_per_second`; seconds until the first photo, `plan_s`, and
        after the last, `finish_s`; `disk_mb` of the labels; `memory`, rows of (photos done, MiB
        held); `peak_mb`, the most of them; `growth`, from photo 5,000 (a twentieth of the way,
        if that is sooner) to the last, 0.05 for 5 %; None where the system does not say.

    Raises:
        FileNotFoundError: If there is no such folder.
        ValueError: If there is no photo in it.

    Example:
        >>> from PIL import Image
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     Image.new("RGB", (64, 48)).save(f"{folder}/black.jpg")
        ...     figures = label_many_names(folder, 40)
        >>> figures["names"], figures["memory"][-1][0]
        (40, 40)
    """
    photos = _names(folder)
    memory, times = [], []

    def note(done: int, total: int) -> None:
        if not memory or done > memory[-1][0]:  # a shard's end is told once more
            times.append(time.perf_counter())
            memory.append((done, resident_megabytes()))
            progress(done, total)

    with tempfile.TemporaryDirectory() as temporary:
        links, out = pathlib.Path(temporary, "links"), pathlib.Path(temporary, "labels")
        for i in range(number):
            source = os.path.abspath(os.path.join(folder, photos[i % len(photos)]))
            link = links / f"{i // 1000:03d}" / f"{i:06d}{os.path.splitext(source)[1]}"
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(source)
        begin = time.perf_counter()
        distill.label(links, out, distill.Options(teacher=teacher), progress=note)
        end = time.perf_counter()
        disk = sum(path.stat().st_size for path in out.rglob("*") if path.is_file()) / 2**20
    known = [megabytes for _, megabytes in memory if megabytes is not None]
    settled = [mb for done, mb in memory if done >= min(5000, number / 20) and mb is not None]
    return {
        "names": number,
        "photos_per_second": number / (times[-1] - times[0]),
        "plan_s": times[0] - begin,
        "finish_s": end - times[-1],
        "disk_mb": disk,
        "memory": memory,
        "peak_mb": max(known, default=None),
        "growth": settled[-1] / settled[0] - 1 if settled else None,
    }


def pretend(photos: Sequence[np.ndarray], *, min_face: float, floor: float) -> list[tuple]:
    """A teacher that says of every photo, at once, that a face fills its middle.

    Args:
        photos: A list of uint8 [height, width, 3].
        min_face: As other teachers take it; does not matter.
        floor: Likewise.

    Returns:
        For each photo, boxes float32 [1, 4] in pixels and scores float32 [1].

    Example:
        >>> pretend([np.zeros([40, 80, 3], np.uint8)], min_face=20, floor=0.6)[0][0].tolist()
        [[10.0, 20.0, 30.0, 60.0]]
    """
    shapes = (np.array(photo.shape[:2], np.float32) for photo in photos)
    return [
        (np.concatenate([shape, 3 * shape])[None] / 4, np.array([1], np.float32))
        for shape in shapes
    ]


def to_table(results: Mapping[str, Mapping[str, Any]]) -> str:
    """The results as lines to read.

    Args:
        results: What `time_teachers` gave, by the name of the folder.

    Returns:
        str.

    Example:
        >>> figures = dict(photos=9, teacher=18.0, package=2.5, times=7.2,
        ...                found_by_teacher=(7, 8), found_by_package=(7, 7))
        >>> print(to_table({"trip": figures}).splitlines()[-1])
        | trip | 9 | 18.0 | 2.5 | 7.2 | 7 of 8 | 7 of 7 | 1.5 h |
    """
    lines = [
        "| photos | number | teacher, photos/s | package, photos/s | times faster "
        "| package's faces found | teacher's faces found | 100,000 photos take |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, result in results.items():
        cells = (
            name,
            result["photos"],
            f"{result['teacher']:.1f}",
            f"{result['package']:.1f}",
            f"{result['times']:.1f}",
            "{} of {}".format(*result["found_by_teacher"]),
            "{} of {}".format(*result["found_by_package"]),
            f"{100_000 / result['teacher'] / 3600:.1f} h",
        )
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line.

    Args:
        arguments: What was typed; by default those of the process.

    Returns:
        The exit status: 0 when all is done, 1 when a folder holds no photos.

    Example:
        >>> main(["nowhere"])
        1
    """
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.labeling",
        description="Photos per second of the labeling teacher and of the mtcnn package on the "
        "same photos, and how far their faces agree.",
    )
    parser.add_argument("folders", metavar="PHOTOS", nargs="+", help="folders of photos")
    count = positive(int, "positive integer")
    parser.add_argument("--limit", type=count, metavar="N", help="no more photos of each folder")
    parser.add_argument("--min-face", type=count, default=20, metavar="PX", help="smallest face")
    parser.add_argument(
        "--names", type=count, metavar="N", help="label N names of photos instead; watch memory"
    )
    parser.add_argument(
        "--teacher",
        default="benchmarks.labeling:pretend",
        metavar="MODULE:FUNCTION",
        help="with --names: who labels (default: a stand-in that takes no time)",
    )
    parser.add_argument("--json", metavar="FILE", help="write the figures for machines")
    parser.add_argument("--plot", metavar="FILE.png", help="draw memory over photos")
    options = parser.parse_args(arguments)
    results = {}
    try:
        outputs.check_outputs("labeling", json=options.json, plot=options.plot)
        for folder in options.folders:
            if options.names:
                results[folder] = label_many_names(
                    folder, options.names, teacher=options.teacher, progress=_say_now_and_then
                )
                continue
            photos = _load(folder, options.limit)
            results[folder] = time_teachers(photos, min_face=options.min_face, progress=_say)
    except (ValueError, OSError) as error:
        print(f"benchmarks.labeling: {error}", file=sys.stderr)
        return 1
    print(_account(results) if options.names else to_table(results))
    if options.json:
        envelope.write(options.json, "labeling", {"folders": results})
    if options.plot:
        _plot(options.plot, results)
    return 0


def _say(done: int, total: int) -> None:
    print(f"{done} of {total} photos", file=sys.stderr, flush=True)


def _say_now_and_then(done: int, total: int) -> None:
    if done % 1024 == 0:
        _say(done, total)


def _account(results: Mapping[str, Mapping[str, Any]]) -> str:
    return "\n".join(
        f"{name}: {run['names']:,} names, {run['photos_per_second']:.0f} photos/s, "
        f"{run['plan_s']:.1f} s to find and plan, {run['finish_s']:.1f} s to finish, "
        f"{run['disk_mb']:,.0f} MiB on disk"
        + (
            f", {run['peak_mb']:.0f} MiB of memory at most, grown by {run['growth']:.1%}"
            if run["peak_mb"]
            else ""
        )
        for name, run in results.items()
    )


def _names(folder: str | os.PathLike) -> list[str]:
    if not os.path.isdir(folder):
        raise FileNotFoundError(f"{folder}: wanted a folder of photos, there is no such folder")
    names = distill.find_photos(folder).names
    if not names:
        raise ValueError(f"{folder}: wanted a folder of photos, found none")
    return names


def _load(folder: str | os.PathLike, limit: int | None) -> list[np.ndarray]:
    names = _names(folder)
    # Spread over the folder, whose first photos may all be of one kind.
    step = max(1, len(names) // limit) if limit else 1
    names = names[::step][:limit]
    paths = (os.path.join(folder, name) for name in names)
    return [_shrink(ssd.read_photo(path)) for path in paths]


def _shrink(photo: np.ndarray) -> np.ndarray:
    """The photo as distill stores it: its long side `Options.max_side` at most."""
    scale = min(1, distill.Options.max_side / max(photo.shape[:2]))
    height, width = (max(1, round(side * scale)) for side in photo.shape[:2])
    image = Image.fromarray(photo).resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(image)


def _plot(path: str, results: Mapping[str, Mapping[str, Any]]) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots()
    for name, result in results.items():
        turns = enumerate(result.get("memory_mb", ()), 1)
        rows = result.get("memory") or [(turn * TURN, megabytes) for turn, megabytes in turns]
        done, memory = zip(*rows, strict=True)
        axes.plot(done, [np.nan if mb is None else mb for mb in memory], label=name)
    axes.set(xlabel="photos", ylabel="memory, MiB", ylim=(0, None))
    axes.legend()
    figure.savefig(path)
    pyplot.close(figure)


if __name__ == "__main__":
    sys.exit(main())

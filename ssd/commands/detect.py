"""`ssd detect`: a photo, a folder, a video, a camera in; boxes out."""

import argparse
import contextlib
import functools
import pathlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from ssd.arguments import (
    Command,
    complain,
    existing_file,
    existing_model,
    number,
    whole_number,
)
from ssd.lines import printable
from ssd.outputs import NEW_FILE
from ssd.processors import processors
from ssd.sinks.folders import check_folder
from ssd.sinks.journal import check_lines, check_new
from ssd.sinks.picture_names import check_pictures
from ssd.sinks.video_names import is_video, video_paths
from ssd.sources.naming import Source, find_sources
from ssd.status_line import StatusLine
from ssd.stopping import stopping

if TYPE_CHECKING:
    from ssd.detect.detections import Detections
    from ssd.detect.detector import Detector
    from ssd.detecting import Answer, Run, Tally
    from ssd.sinks.sink import Sink

_MOST = 8  # processes that are started unasked: each takes 42 MB beside its photo
_MANY = 100  # photos from which on a speed says something
BLUR_SCORE = 0.1  # what may be a face is covered: a wall that is covered costs less than a face


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "sources",
        nargs="+",
        metavar="SOURCE",
        help="photos, folders, patterns, videos, a camera's number, picamera2, rtsp:// or http://",
    )
    parser.add_argument(
        "--model",
        type=existing_model,
        help=".tflite, .onnx or .keras file, or smile: the one that ships and knows smiles (face)",
    )
    parser.add_argument(
        "--score-threshold",
        type=number(0, 1),
        help=f"least score (what the model's file says; {BLUR_SCORE} with --blur)",
    )
    parser.add_argument(
        "--max-detections", type=whole_number(), help="boxes kept of a photo or frame (all)"
    )
    parser.add_argument(
        "--threads", type=whole_number(), default=1, help="threads of the runtime (1)"
    )
    parser.add_argument(
        "--workers",
        type=whole_number(),
        help=f"processes for photos (as many as processors, up to {_MOST}, by threads)",
    )
    parser.add_argument(
        "--every", type=whole_number(), default=1, help="of a video or camera, each n-th frame (1)"
    )
    parser.add_argument(
        "--smooth",
        action="store_true",
        help="boxes of a video or camera steadied, with ids that last over frames",
    )
    parser.add_argument(
        "--blur", action="store_true", help="cover what is found, in place of drawing boxes"
    )
    parser.add_argument(
        "--show", action="store_true", help="a window, or without a screen a page on this machine"
    )
    results = parser.add_argument_group("results, of which none replaces a file")
    results.add_argument(
        "--out",
        type=pathlib.Path,
        help="folder for pictures and videos with boxes drawn in, or one video (.mp4, .mov, .mkv)",
    )
    results.add_argument("--json", type=NEW_FILE, help="JSON file of everything found")
    results.add_argument("--csv", type=NEW_FILE, help="CSV file, a row a box")
    results.add_argument("--coco", type=NEW_FILE, help="COCO results, as pycocotools scores them")
    results.add_argument(
        "--truth",
        type=existing_file("a COCO JSON file"),
        help="COCO JSON that --coco takes the ids of photos and classes from (counted from 1)",
    )
    results.add_argument("--yolo", type=pathlib.Path, help="folder for YOLO's text files")
    results.add_argument("--crops", type=pathlib.Path, help="folder for what is found, cut out")


def _run(options: argparse.Namespace) -> int:
    sources = find_sources(options.sources)
    photos = [source for source in sources if source.kind == "photo"]
    moving = [source for source in sources if source.kind != "photo"]
    _refuse(options, photos, moving)

    from ssd.detecting import Run
    from ssd.opening import Detector

    detector = Detector(options.model, threads=options.threads)
    threshold = options.score_threshold
    if threshold is None and options.blur:
        threshold = BLUR_SCORE
    sinks: list[Sink] = []
    with stopping() as stop, contextlib.ExitStack() as at_the_end:
        for sink in _open_sinks(options, detector, threshold, photos, moving):
            at_the_end.callback(sink.close)
            sinks.append(sink)
        run = Run(
            detect=functools.partial(
                detector, score_threshold=threshold, max_detections=options.max_detections
            ),
            sinks=sinks,
            stop=stop,
            class_names=detector.config.classes if len(detector.config.classes) > 1 else None,
            blurred=options.blur,
            smoothed=options.smooth,
            every=options.every,
            workers=_workers(options),
        )
        good = _detect_photos(options, run, photos, detector.config.classes)
        for source in moving:
            if not stop.asked:
                good &= _detect_frames(options, run, source)
    for line in (line for sink in sinks for line in sink.remarks):
        complain(options.prog, line)
    if stop.asked and not (moving and moving[-1].kind in ("camera", "stream")):
        complain(options.prog, "stopped; what was detected is written")
        return 130
    return 0 if good else 1


def _refuse(
    options: argparse.Namespace, photos: Sequence[Source], moving: Sequence[Source]
) -> None:
    """Arguments that do not go together, and packages that are not there, before the work."""
    if options.blur and not (options.out or options.show):
        options.refuse("--blur: wanted --out or --show beside it, for the pictures")
    if options.truth and not options.coco:
        options.refuse("--truth: wanted --coco beside it")
    if (options.workers or 1) > 1 and _is_keras(options.model):
        options.refuse("--workers: wanted a .tflite or .onnx model, a .keras one is for 1 process")
    if not moving:
        for name, value in (("--smooth", options.smooth), ("--every", options.every > 1)):
            if value:
                options.refuse(f"{name}: wanted a video or a camera, got only photos")
    _check_results(options, photos, moving)
    for source in moving:  # what is not installed is said before the work
        if source.kind == "camera":
            from ssd.sources.cameras import check_camera

            check_camera(source.name)
        else:
            import av  # noqa: F401


def _check_results(
    options: argparse.Namespace, photos: Sequence[Source], moving: Sequence[Source]
) -> None:
    """All that the results may not replace, before the first of them is begun."""
    for path in filter(None, (options.json, options.csv, options.coco)):
        check_new(path)
    for path in filter(None, (options.json, options.coco)):
        check_lines(path)
    for folder in filter(None, (options.yolo, options.crops)):
        check_folder(folder)
    if options.out and photos:
        if is_video(options.out):
            raise ValueError(f"{options.out}: wanted a folder for pictures of photos, not a video")
        check_pictures(options.out, photos)
    if options.out and moving:
        video_paths(options.out, moving)


def _open_sinks(
    options: argparse.Namespace,
    detector: "Detector",
    threshold: float | None,
    photos: Sequence[Source],
    moving: Sequence[Source],
) -> "Iterator[Sink]":
    """The sinks that were asked for, one after the other; the last check comes before the first."""
    names, ids = detector.config.classes, None
    if options.coco:
        from ssd.sinks.coco_file import Ids

        ids = Ids(names, options.truth, detector.config.kinds)
    if options.show:  # first, for it may find nowhere to show anything, and leaves no file
        from ssd.sinks.showing import open_show

        yield open_show(lambda line: complain(options.prog, line))
    if options.out:
        from ssd.sinks.picture_files import PictureFiles
        from ssd.sinks.video_files import VideoFiles

        if photos:
            yield PictureFiles(options.out, photos)
        if moving:
            yield VideoFiles(options.out, moving)
    if options.yolo:
        from ssd.sinks.yolo_folder import YoloFolder

        yield YoloFolder(options.yolo)
    if options.crops:
        from ssd.sinks.crops import Crops

        yield Crops(options.crops, names)
    if options.csv:
        from ssd.sinks.csv_file import CsvFile

        yield CsvFile(options.csv, names)
    if options.json:
        from ssd.sinks.json_file import JsonFile

        least = detector.config.score_threshold if threshold is None else threshold
        about = {"model": detector.path and detector.path.name, "score_threshold": least}
        yield JsonFile(options.json, names, about)
    if ids is not None:
        from ssd.sinks.coco_file import CocoFile

        yield CocoFile(options.coco, ids)


def _detect_photos(
    options: argparse.Namespace, run: "Run", photos: Sequence[Source], class_names: tuple[str, ...]
) -> bool:
    """A line for each photo, and one for all; whether all could be read."""
    if not photos:
        return True
    with StatusLine() as status:

        def told(answer: "Answer", tally: "Tally") -> None:
            status.clear()
            if answer.result is None:
                complain(options.prog, answer.error)
            else:
                found = answer.result.found
                print(f"{printable(answer.source.name)}: {_describe(found, class_names)}")
            counted = tally.done + tally.unread
            status.show(f"{counted} of {tally.total} photos, {tally.rate:.1f} a second")

        tally = run.photos(photos, told)
    if len(photos) > 1:
        speed = f"; {_speed(tally, 'photos')}" if tally.done >= _MANY else ""
        done = tally.done + tally.unread
        of = f" of {len(photos)}" if done < len(photos) else ""
        print(_summary(f"{done}{of} photos", tally) + speed)
    return not tally.unread


def _detect_frames(options: argparse.Namespace, run: "Run", source: Source) -> bool:
    """One line for all frames of a source; whether they could be read."""
    name = printable(source.name)
    with StatusLine() as status:

        def report(tally: "Tally") -> None:
            of = "" if tally.total is None else f" of {tally.total}"
            status.show(
                f"{name}: frame {tally.done}{of}, {tally.found} found; {_speed(tally, 'frames')}"
            )

        tally = run.frames(source, report)
    if tally.error is not None:
        complain(options.prog, tally.error)
    if tally.done or tally.error is None:
        print(f"{name}: {_summary(f'{tally.done} frames', tally)}; {_speed(tally, 'frames')}")
    return tally.error is None


def _describe(found: "Detections", class_names: tuple[str, ...]) -> str:
    """The boxes of one photo, best first: "2 found: face 0.99 at 1 2 3 4, face 0.71 at ..."."""
    boxes = [
        f"{class_names[class_id - 1]} {score:.2f} at {' '.join(f'{edge:.0f}' for edge in box)}"
        for box, score, class_id in zip(found.boxes, found.own_scores, found.class_ids, strict=True)
    ]
    return f"{len(boxes)} found: {', '.join(boxes)}" if boxes else "nothing found"


def _summary(counted: str, tally: "Tally") -> str:
    """What came of all photos, or of all frames of a source."""
    said = [f"{counted}: {tally.found} found"]
    said += [f"nothing in {tally.without} of them"] if tally.without else []
    said += [f"{tally.unread} not readable"] if tally.unread else []
    return ", ".join(said)


def _speed(tally: "Tally", things: str) -> str:
    """How fast it goes, and what a slow model cost."""
    dropped = "" if tally.dropped is None else f", {tally.dropped} dropped"
    return f"{tally.rate:.1f} {things} a second, {tally.milliseconds:.1f} ms each to find{dropped}"


def _workers(options: argparse.Namespace) -> int:
    """In how many processes photos may be worked on; Keras has threads and devices of its own."""
    if _is_keras(options.model):
        return 1
    return options.workers or max(1, min(_MOST, processors() // options.threads))


def _is_keras(model: pathlib.Path | str | None) -> bool:
    return model is not None and pathlib.Path(model).suffix == ".keras"


COMMAND = Command(
    "detect",
    "Find faces: one line a photo, each box as class, score and ymin xmin ymax xmax in pixels.",
    _add_arguments,
    _run,
)

"""A run over sources: every photo and frame detected, and what was found handed to the sinks."""

import contextlib
import dataclasses
import functools
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple, TypeVar

import numpy as np

from ssd.detect.blurring import blur
from ssd.detect.detections import Detections
from ssd.detect.drawing import draw
from ssd.detect.smoothing import Smoother
from ssd.detect.tracking import Tracker
from ssd.photos.reading import read_photo
from ssd.side_by_side import side_by_side
from ssd.sinks.sink import FrameResult, Sink
from ssd.sources.ahead import Ahead
from ssd.sources.frame import Frame
from ssd.sources.naming import Source
from ssd.sources.opening import open_frames
from ssd.stopping import Stop

T = TypeVar("T")
Detect = Callable[[np.ndarray], Detections]
MakePicture = Callable[[np.ndarray, Detections], np.ndarray]
Report = Callable[["Tally"], object]

# Photos for each further process. One takes 0.22 s to start, as long as 3 photos of 12 megapixels
# or 65 small ones; it delays nobody, but for so few it would be started in vain.
_PAYS = 8


@dataclasses.dataclass
class Tally:
    """What came of photos, or of the frames of one source, so far.

    Attributes:
        total: How many there are, or None where nobody knows.
        done: How many were detected.
        found: Boxes found in them.
        without: How many had none.
        unread: How many could not be read.
        dropped: Frames of a camera that were passed over because detecting took too long; None
            where all are waited for.
        detecting: Seconds that the detector took.
        error: Why no more frames could be read.
        began: When it began, by the clock of `time.perf_counter`.

    Example:
        >>> tally = Tally(total=2)
        >>> tally.add(3, 0.25)
        >>> tally.done, tally.found, tally.milliseconds
        (1, 3, 250.0)
    """

    total: int | None = None
    done: int = 0
    found: int = 0
    without: int = 0
    unread: int = 0
    dropped: int | None = None
    detecting: float = 0.0
    error: Exception | None = None
    began: float = dataclasses.field(default_factory=time.perf_counter)

    def add(self, found: int, seconds: float) -> None:
        """Count one more.

        Args:
            found: Boxes found in it.
            seconds: That the detector took.
        """
        self.done += 1
        self.found += found
        self.without += not found
        self.detecting += seconds

    @property
    def rate(self) -> float:
        """Photos or frames a second, from the beginning until now."""
        return self.done / max(time.perf_counter() - self.began, 1e-9)

    @property
    def milliseconds(self) -> float:
        """What the detector took for one, on average."""
        return 1000 * self.detecting / max(self.done, 1)


class Answer(NamedTuple):
    """One photo or frame, done: its result and how long detecting took, or why there is none.

    Attributes:
        source: What it is of.
        result: The `FrameResult`; None where there is none.
        seconds: That detecting took.
        error: Why there is none.

    Example:
        >>> Answer(Source("photo", "a.jpg", "a"), None, 0.0, ValueError("no photo")).result is None
        True
    """

    source: Source
    result: FrameResult | None
    seconds: float = 0.0
    error: Exception | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Run:
    """How photos and frames are detected, and who gets what was found.

    Args:
        detect: Photo in, `ssd.Detections` out. Where there are several workers pickle has to be
            able to take it to another process, as it is able to with a `Detector` of a `.tflite`
            or `.onnx` file.
        sinks: Who takes the results.
        stop: Looked at between two photos or frames.
        class_names: What to write beside boxes; None for the score alone.
        blurred: Whether people are to see faces blurred, in place of boxes.
        smoothed: Whether boxes are steadied and followed from frame to frame.
        every: 3 passes over two frames after each.
        workers: In how many processes photos are worked on, this one among them; no more are used
            than pay.

    Example:
        >>> nothing = Detections(np.zeros((0, 4)), np.zeros(0), np.zeros(0, int))
        >>> run = Run(detect=lambda photo: nothing, sinks=[], stop=Stop())
        >>> run.photos([], lambda answer, tally: None).done
        0
    """

    detect: Detect
    sinks: Sequence[Sink]
    stop: Stop
    class_names: Sequence[str] | None = None
    blurred: bool = False
    smoothed: bool = False
    every: int = 1
    workers: int = 1

    def photos(self, photos: Sequence[Source], told: Callable[[Answer, Tally], object]) -> Tally:
        """Detect photos, several at once.

        Args:
            photos: Which.
            told: Called with each `Answer`, in their order, and the `Tally`.

        Returns:
            The `Tally`.
        """
        tally = Tally(total=len(photos))
        sinks = [sink for sink in self.sinks if sink.takes_photos]
        ordered = [sink for sink in sinks if not sink.parallel]
        work = functools.partial(
            _detect_photo,
            detect=self.detect,
            make_picture=self._picture_maker(sinks),
            sinks=[sink for sink in sinks if sink.parallel],
            shown=any(sink.visual for sink in ordered),
        )
        workers = min(self.workers, 1 + len(photos) // _PAYS)
        answers = side_by_side(work, self._until_stopped(photos), workers)
        with contextlib.closing(answers):
            for answer in answers:
                if answer.result is None:
                    tally.unread += 1
                else:
                    _hand_on(answer.result, ordered)
                    tally.add(len(answer.result.found), answer.seconds)
                told(answer, tally)
        return tally

    def frames(self, source: Source, report: Report) -> Tally:
        """Detect the frames of a video, a camera or a stream.

        Args:
            source: Which.
            report: Called with the `Tally` after each frame.

        Returns:
            The `Tally`.
        """
        try:
            opened = open_frames(source)
        except (ValueError, OSError) as error:
            return Tally(error=error)
        tally = Tally(
            total=None if opened.frames is None else -(-opened.frames // self.every),
            dropped=0 if opened.live else None,
        )
        sinks = [sink for sink in self.sinks if sink.takes_frames]
        make_picture = self._picture_maker(sinks)
        follow = _follower() if self.smoothed else lambda found: found
        frames = opened.read(self.every)
        with Ahead(frames, latest=opened.live, is_enough=lambda: self._is_over) as ahead:
            for index, seconds, pixels in _until_unreadable(ahead, tally):
                began = time.perf_counter()
                found = follow(self.detect(pixels))
                took = time.perf_counter() - began
                result = _result(source, pixels, found, make_picture, index, seconds)
                _hand_on(result, sinks)
                tally.add(len(found), took)
                if tally.dropped is not None:
                    tally.dropped = ahead.dropped
                report(tally)
        return tally

    @property
    def _is_over(self) -> bool:
        return self.stop.asked or any(sink.ended for sink in self.sinks)

    def _until_stopped(self, photos: Iterable[Source]) -> Iterable[Source]:
        for photo in photos:
            if self._is_over:
                return
            yield photo

    def _picture_maker(self, sinks: Iterable[Sink]) -> MakePicture | None:
        """What makes of pixels and boxes what people are to see; None where nobody looks."""
        if not any(sink.visual for sink in sinks):
            return None
        return blur if self.blurred else functools.partial(draw, names=self.class_names)


def _detect_photo(
    photo: Source,
    *,
    detect: Detect,
    make_picture: MakePicture | None,
    sinks: Sequence[Sink],
    shown: bool,
) -> Answer:
    """In whichever process: a photo read, detected, and handed to the sinks that want no order."""
    try:
        pixels = read_photo(photo.path)
    except (ValueError, OSError) as error:
        return Answer(photo, None, error=error)
    began = time.perf_counter()
    found = detect(pixels)
    took = time.perf_counter() - began
    result = _result(photo, pixels, found, make_picture)
    _hand_on(result, sinks)
    return Answer(photo, _lightened(result, shown), took)


def _result(
    source: Source,
    pixels: np.ndarray,
    found: Detections,
    make_picture: MakePicture | None,
    index: int | None = None,
    seconds: float | None = None,
) -> FrameResult:
    height, width, _ = pixels.shape
    frame = Frame(source.name, source.stem, (height, width), pixels, index, seconds)
    return FrameResult(frame, found, make_picture and make_picture(pixels, found))


def _lightened(result: FrameResult, shown: bool) -> FrameResult:
    """What goes from process to process: no pixels, and the picture if it is shown."""
    frame = result.frame._replace(pixels=None)
    return FrameResult(frame, result.found, result.picture if shown else None)


def _hand_on(result: FrameResult, sinks: Iterable[Sink]) -> None:
    for sink in sinks:
        sink.add(result)


def _until_unreadable(ahead: Ahead[T], tally: Tally) -> Iterator[T]:
    """What can be read; why that is not all stands in the tally."""
    try:
        yield from ahead
    except (ValueError, OSError) as error:
        tally.error = error


def _follower() -> Callable[[Detections], Detections]:
    """Boxes with ids, steadied; of one video or camera."""
    track, smooth = Tracker(), Smoother()
    return lambda found: smooth(track(found))

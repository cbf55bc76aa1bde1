"""What a run says to whoever waits for it."""

import datetime
import os
import sys
import time
from collections.abc import Mapping
from typing import Any

from distill.votes.comparing import EDGES

SECONDS_BETWEEN_LINES = 10


class Reporter:
    """A bar on a terminal, a plain line now and then elsewhere.

    Called with (photos done, photos in all), first before any is; a context manager, so that the
    bar ends with the run.

    Example:
        >>> with Reporter() as report:
        ...     pass
    """

    def __enter__(self) -> "Reporter":
        self.bar: Any = None
        self.begun: tuple[int, float] | None = None
        self.last = 0.0
        return self

    def __call__(self, done: int, total: int) -> None:
        now = time.monotonic()
        if self.begun is None:
            self.begun, self.last = (done, now), now
        if sys.stderr.isatty():
            self._draw(done, total)
        elif now - self.last > SECONDS_BETWEEN_LINES or done == total:
            self.last = now
            fresh, seconds = done - self.begun[0], now - self.begun[1]
            print(progress_line(done, total, fresh, seconds), file=sys.stderr, flush=True)

    def _draw(self, done: int, total: int) -> None:
        from tqdm import tqdm

        if self.bar is None:
            self.bar = tqdm(total=total, initial=done, unit=" photos", smoothing=0.1)
        self.bar.update(done - self.bar.n)

    def __exit__(self, *_: object) -> None:
        if self.bar is not None:
            self.bar.close()


def progress_line(done: int, total: int, fresh: int, seconds: float) -> str:
    """How far a run is, in words.

    Args:
        done: Photos dealt with.
        total: Photos in all.
        fresh: Photos dealt with by this run.
        seconds: How long this run has taken so far.

    Returns:
        One line.

    Example:
        >>> progress_line(600, 2600, 500, 100)
        '600 of 2,600 photos, 5.0 photos/s, 0:06:40 left'
    """
    rate = fresh / seconds if seconds else 0
    left = datetime.timedelta(seconds=round((total - done) / rate)) if rate else "?"
    return f"{done:,} of {total:,} photos, {rate:.1f} photos/s, {left} left"


def comparison_lines(comparison: Mapping[str, Any]) -> list[str]:
    """How raters differ, as tables.

    Args:
        comparison: What `dataset.json` has of it (`distill.votes.panel.Panel.compare`).

    Returns:
        Lines.

    Example:
        >>> edges = dict(source="", faces=1, top=-0.15, left=0.0, bottom=-0.1, right=0.0)
        >>> for line in comparison_lines({
        ...     "raters": ["people", "mtcnn"], "faces": [2, 1], "iou_threshold": 0.45,
        ...     "seen": [[1, 0.5], [1, 1]],
        ...     "edges": [{"rater": "people", "against": "mtcnn", **edges}]}):
        ...     print(line)
        of the faces of    faces  seen by people   mtcnn  (IoU 0.45)
        people                 2           100 %    50 %
        mtcnn                  1           100 %   100 %
        edges of mtcnn minus those of people, medians in % of the face's height or width
                   faces     top    left  bottom   right
        all            1   -15.0    +0.0   -10.0    +0.0
    """
    names = comparison["raters"]
    heads = [f"seen by {names[0]}", *names[1:]]
    wide = max(len("of the faces of"), *map(len, names))
    lines = [
        f"{'of the faces of':{wide}} {'faces':>8}  {'  '.join(f'{head:>6}' for head in heads)}  "
        f"(IoU {comparison['iou_threshold']:g})"
    ]
    for name, faces, row in zip(names, comparison["faces"], comparison["seen"], strict=True):
        shares = ["-" if share is None else f"{share:.0%}".replace("%", " %") for share in row]
        cells = (f"{share:>{max(6, len(head))}}" for share, head in zip(shares, heads, strict=True))
        lines.append(f"{name:{wide}} {faces:>8,}  {'  '.join(cells)}")
    told = None
    rows = comparison["edges"]
    wide = max([len(row["source"]) for row in rows] + [10])
    for row in rows:
        pair = row["rater"], row["against"]
        if pair != told:
            lines.append(
                f"edges of {pair[1]} minus those of {pair[0]}, "
                "medians in % of the face's height or width"
            )
            heads = [" " * wide, "faces", *(f"{edge:>7}" for edge in EDGES)]
            lines.append(" ".join([*heads, *([" shifted"] if "shifted" in row else [])]))
            told = pair
        cells = (f"{round(100 * row[edge], 1) + 0.0:>+7.1f}" for edge in EDGES)  # never -0.0
        shifted = [f"{row['shifted']:>8,}"] if "shifted" in row else []
        line = [f"{row['source'] or 'all':{wide}}", f"{row['faces']:>5}", *cells, *shifted]
        lines.append(" ".join(line))
    return lines


def summary(out: str | os.PathLike, counts: dict[str, int], seconds: float) -> str:
    """What became of all photos, in one line.

    Args:
        out: The folder of labels.
        counts: What `distill.labeling.label` returned.
        seconds: How long it took.

    Returns:
        One line.

    Example:
        >>> counts = dict(labeled=9, repaired=0, boxes=7, ignored=3, one_sided=0, errors=0,
        ...               closed_folders=0, other_files=2)
        >>> summary("labels", counts, 1.3)
        '9 photos labeled, 7 faces, 3 regions to ignore, 0 photos not readable, 2 other files, 1 s'
    """

    def some(number: str, what: str) -> str:
        return f"{counts[number]:,} {what}"

    repaired = f" ({some('repaired', 'repaired')})" if counts["repaired"] else ""
    one_sided = f" ({some('one_sided', 'seen by one look only')})" if counts["one_sided"] else ""
    left_out = (
        f", {some('left_out', 'left out that not all have')}" if counts.get("left_out") else ""
    )
    closed = f", {some('closed_folders', 'folders closed')}" if counts["closed_folders"] else ""
    listed = f" (see {os.path.join(out, 'errors.csv')})" if counts["errors"] or closed else ""
    return (
        f"{some('labeled', 'photos labeled')}{repaired}, {some('boxes', 'faces')}, "
        f"{some('ignored', 'regions to ignore')}{one_sided}, "
        f"{some('errors', 'photos not readable')}{left_out}{closed}{listed}, "
        f"{some('other_files', 'other files')}, {seconds:.0f} s"
    )

"""`python -m distill PHOTOS OUT`: a folder of photos in, labels to train on out."""

import argparse
import datetime
import functools
import os
import sys
import time

from ssd.quiet import import_tensorflow

SECONDS_A_LINE = 10


def main(arguments=None):
    """Runs the command line; returns its exit status."""
    import_tensorflow()
    from distill import engine, marks, review
    from distill.labeling import Options, label

    default = Options()
    parser = argparse.ArgumentParser(
        prog="python -m distill",
        usage="%(prog)s [options] PHOTOS OUT\n       %(prog)s --review OUT [--marks FILE]",
        description="Labels the faces on every photo of a folder with a teacher (MTCNN). "
        "Stopped in any way, the same command goes on where it was.",
    )
    parser.add_argument(
        "photos", metavar="PHOTOS", nargs="?", help="folder of photos, searched recursively"
    )
    parser.add_argument(
        "out", metavar="OUT", nargs="?", help="folder for the labels, new or of the same run"
    )
    parser.add_argument(
        "--review", metavar="OUT", help="label nothing; write OUT/review.html, to check labels on"
    )
    parser.add_argument(
        "--marks", metavar="FILE", help="with --review: first take in marks that the page saved"
    )

    def option(flag, kind, meta, text):
        field = flag[2:].replace("-", "_")
        value = getattr(default, field)
        parser.add_argument(
            flag, type=kind, metavar=meta, default=value, help=f"{text} (default {value})"
        )

    option("--teacher", str, "MODULE:FUNCTION", "who says where faces are")
    option("--label", float, "SCORE", "least score of a face to learn")
    option("--ignore", float, "SCORE", "least score of a region neither face nor background")
    option("--min-face", int, "PX", "side of the smallest face, in pixels of the stored photo")
    option("--max-side", int, "PX", "longest side of a stored photo; larger ones are scaled down")
    option("--max-pixels", int, "N", "photos of more pixels are refused")
    option("--shard-photos", int, "N", "photos to a shard")
    parser.add_argument(
        "--second-opinion",
        nargs="?",
        const="mirror",
        default=default.second_opinion,
        metavar="LOOK",
        help="look again at the mirrored photo (mirror), at a smaller one (scale) or both; "
        "faces that one look misses become regions to ignore (mirror if no LOOK is named)",
    )
    parser.add_argument(
        "--engine",
        choices=("local", "ray"),
        default="local",
        help="where the work is done: in this process (default) or on a Ray cluster",
    )
    parser.add_argument(
        "--address",
        metavar="HOST:PORT",
        help="with --engine ray: a running cluster to join; without it, one is started here",
    )
    parsed = vars(parser.parse_args(arguments))
    source, out = parsed.pop("photos"), parsed.pop("out")
    reviewed, marked = parsed.pop("review"), parsed.pop("marks")
    if (reviewed is None) == (out is None) or (reviewed and source) or (marked and not reviewed):
        parser.error("wanted PHOTOS and OUT, or --review OUT with or without --marks FILE")
    chosen, address = parsed.pop("engine"), parsed.pop("address")
    if address and chosen != "ray":
        parser.error("--address: wanted --engine ray with it")
    work = engine.local
    if chosen == "ray":
        work = functools.partial(engine.cluster, address=address or "local")
    try:
        if reviewed:
            if marked:
                counts = marks.apply(reviewed, marked)
                print(
                    f"{counts['dropped_boxes']:,} boxes are dropped, "
                    f"{counts['ignored_photos']:,} photos ignored"
                )
            print(f"to check labels on: {review.write(reviewed)}")
            return 0
        start = time.monotonic()
        with _Progress() as progress:
            counts = label(source, out, Options(**parsed), engine=work, progress=progress)
        page = review.write(out)
        _summary(out, counts, time.monotonic() - start)
        print(f"to check labels on: {page}")
    except (ValueError, OSError) as error:
        print(f"distill: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("distill: stopped; the same command goes on from here", file=sys.stderr)
        return 130
    return 0


class _Progress:
    """A bar on a terminal, a plain line now and then elsewhere."""

    def __enter__(self):
        self.bar = self.start = None
        return self

    def __call__(self, state):
        if self.start is None:
            self.start = self.last = time.monotonic()
        if sys.stderr.isatty():
            self._draw(state)
            return
        now = time.monotonic()
        if now - self.last > SECONDS_A_LINE or state.done == state.total:
            self.last = now
            print(progress_line(state, now - self.start), file=sys.stderr, flush=True)

    def _draw(self, state):
        from tqdm import tqdm

        if self.bar is None:
            self.bar = tqdm(total=state.total, initial=state.done, unit=" photos", smoothing=0.1)
        self.bar.set_postfix_str(f"{state.faces:,} faces", refresh=False)
        self.bar.update(state.done - self.bar.n)

    def __exit__(self, *_):
        if self.bar is not None:
            self.bar.close()


def progress_line(state, seconds):
    """How far a run is, in words.

    Args:
        state: A `distill.labeling.Progress`.
        seconds: How long the run has taken so far.

    Example:
        >>> from distill.labeling import Progress
        >>> progress_line(Progress(done=600, fresh=500, total=2600, faces=432), 100)
        '600 of 2,600 photos, 432 faces, 5.0 photos/s, 0:06:40 left'
    """
    rate = state.fresh / seconds if seconds else 0
    left = datetime.timedelta(seconds=round((state.total - state.done) / rate)) if rate else "?"
    return (
        f"{state.done:,} of {state.total:,} photos, {state.faces:,} faces, "
        f"{rate:.1f} photos/s, {left} left"
    )


def _summary(out, counts, seconds):
    def some(number, what):
        return f"{counts[number]:,} {what}"

    one_sided = f" ({some('one_sided', 'seen by one look only')})" if counts["one_sided"] else ""
    listed = f" (see {os.path.join(out, 'errors.csv')})" if counts["errors"] else ""
    print(
        f"{some('labelled', 'photos labelled')}, {some('faces', 'faces')}, "
        f"{some('ignored', 'regions to ignore')}{one_sided}, "
        f"{some('errors', 'photos not readable')}{listed}, "
        f"{some('other_files', 'other files')}, {seconds:.0f} s"
    )


if __name__ == "__main__":
    sys.exit(main())

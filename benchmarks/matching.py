"""How fast boxes are matched to anchors: this package, plain loops and other packages.

    python -m benchmarks.matching --json matching.json --plot matching.png

Every row does its work on the same boxes and anchors, drawn from one seed. Packages that are not
installed are named with how to install them. Other packages do less than this one: the last
column says what each leaves out.
"""

import argparse
import functools
import importlib.util
import json
import math
import os
import pathlib
import runpy
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

import anchors
from benchmarks import cores, envelope, outputs

# (rows, columns, anchors per cell) of each level. The last are the 24,564 of SSD512.
GRIDS = {
    4096: [(32, 32, 3), (16, 16, 3), (8, 8, 4)],
    8192: [(32, 32, 6), (16, 16, 6), (8, 8, 8)],
    24564: [(64, 64, 4), (32, 32, 6), (16, 16, 6), (8, 8, 6), (4, 4, 6), (2, 2, 4), (1, 1, 4)],
}
MODES = {"tensorflow": ("eager", "tf.function", "xla"), "jax": ("jit",)}


class Way(NamedTuple):
    """One way to match boxes to anchors.

    Args:
        leaves_out: What it does not do, of all that `anchors.match` does.
        complete: Whether it gives each box an anchor by force and tells ignored from background.
        backends: Keras backends it runs under.
        install: How to get it, or empty.
        needs: The module that must be there, or empty.
        build: Returns the function (anchors [anchors, 4], boxes [photos, boxes, 4]) to time.

    Example:
        >>> WAYS["this package"].leaves_out
        'nothing'
    """

    leaves_out: str
    complete: bool
    backends: tuple
    install: str
    needs: str
    build: Callable[[], Callable]


def _this():
    return anchors.match


def _keras():
    import keras

    def match(grid, boxes):
        found = keras.utils.bounding_boxes.compute_iou(boxes, grid, bounding_box_format="yxyx")
        return keras.ops.argmax(found, axis=1), keras.ops.max(found, axis=1)

    return match


def _keras_hub():
    import keras
    import keras_hub

    matcher = keras_hub.layers.BoxMatcher(
        thresholds=[0.4, 0.5], match_values=[-1, -2, 1], force_match_for_each_col=True
    )

    def match(grid, boxes):
        return matcher(
            keras.utils.bounding_boxes.compute_iou(grid, boxes, bounding_box_format="yxyx")
        )

    return match


def _model_garden():
    import tensorflow as tf
    from official.vision.ops import box_matcher, iou_similarity

    similarity = iou_similarity.IouSimilarity()
    matcher = box_matcher.BoxMatcher(
        thresholds=[0.4, 0.5], indicators=[-1, -2, 1], force_match_for_each_col=True
    )

    def match(grid, boxes):
        grid = tf.broadcast_to(grid, (tf.shape(boxes)[0], *grid.shape))
        return matcher(similarity(grid, boxes))

    return match


BOTH = ("tensorflow", "jax")
WAYS = {
    "this package": Way("nothing", True, BOTH, "", "", _this),
    "Keras compute_iou + argmax": Way(
        "an anchor for every box, thresholds, regions to ignore", False, BOTH, "", "", _keras
    ),
    "KerasHub BoxMatcher": Way(
        "two boxes of one best anchor (one is lost), padding (steals anchor 0), regions to ignore",
        True,
        BOTH,
        "pip install keras-hub",
        "keras_hub",
        _keras_hub,
    ),
    "TF Model Garden box_matcher": Way(
        "two boxes of one best anchor (one is lost), padding (steals anchor 0), regions to ignore",
        True,
        ("tensorflow",),
        "pip install tf-models-official",
        "official",
        _model_garden,
    ),
}


def grid(count: int) -> np.ndarray:
    """An anchor grid.

    Args:
        count: Its number of anchors, one of `GRIDS`.

    Returns:
        float32 [anchors, 4].

    Example:
        >>> grid(4096).shape
        (4096, 4)
    """
    levels = GRIDS[count]
    sizes = [
        [(size, size / 1.25) for size in 1.5 / rows * 2 ** (np.arange(each) / each)]
        for rows, _, each in levels
    ]
    return anchors.grid([(rows, columns) for rows, columns, _ in levels], sizes)


def photos(batch: int, rows: int, real: int | None = None) -> np.ndarray:
    """Boxes as labels hold them: 1 to `real` per photo (the first has them all), then padding.

    Args:
        batch: Photos.
        rows: Rows per photo.
        real: Most real boxes in a photo; all rows if not given.

    Returns:
        float32 [batch, rows, 4].

    Example:
        >>> photos(2, 5, real=1).any(axis=-1).sum(axis=-1).tolist()
        [1, 1]
    """
    random = np.random.default_rng(0)
    real = rows if real is None else min(real, rows)
    height = np.exp(random.uniform(math.log(0.03), math.log(0.6), (batch, rows)))
    half = np.stack([height, height / random.uniform(1.0, 1.5, height.shape)], -1) / 2
    center = random.random((batch, rows, 2))
    boxes = np.concatenate([center - half, center + half], -1).astype("float32")
    faces = random.integers(1, real + 1, batch)
    faces[0] = real
    boxes[np.arange(rows) >= faces[:, None]] = 0
    return boxes


def _missing(way: Way) -> str | None:
    """Why a way cannot run here, or None."""
    if way.needs and importlib.util.find_spec(way.needs) is None:
        return f"not installed ({way.install})"
    return None


def _functions(backend, names=tuple(WAYS), modes=None):
    """(name, mode) -> function, for everything that runs under this backend; and what does not."""
    found, absent = {}, {}
    for name in names:
        way = WAYS[name]
        if backend not in way.backends:
            continue
        reason = _missing(way)
        if reason is None:
            try:
                function = way.build()
            except Exception as error:  # whatever an installation that does not fit raises
                reason = f"cannot be imported ({error!r:.80})"
        for mode in MODES[backend]:
            if modes and mode not in modes:
                continue
            if reason is None:
                found[name, mode] = _under(mode, function)
            else:
                absent[name, mode] = reason
    return found, absent


def _under(mode: str, function: Callable) -> Callable:
    if mode == "jit":
        import jax

        return jax.jit(function)
    if mode == "eager":
        return function
    import tensorflow as tf

    # Keras turns autograph off in its own training steps too.
    return tf.function(function, jit_compile=mode == "xla", autograph=False)


def _finish(value: Any) -> None:
    """Wait for a result: JAX returns before it is there."""
    if sys.modules.get("jax"):
        import jax

        jax.block_until_ready(value)


def _seconds(function: Callable, *values: Any) -> float:
    start = time.perf_counter()
    _finish(function(*values))
    return time.perf_counter() - start


def _tensors(count, rows, batch, real):
    import keras

    return [
        keras.ops.convert_to_tensor(value) for value in (grid(count), photos(batch, rows, real))
    ]


def time_rows(
    backend: str,
    count: int,
    rows: int,
    batch: int,
    real: int | None,
    repeats: int,
    modes: Sequence[str] | None = None,
) -> Iterator[dict[str, Any]]:
    """The rows of one backend and size; functions take turns, so that a busy moment hits all.

    Args:
        backend: The Keras backend that is running.
        count: Anchors, one of `GRIDS`.
        rows: Rows for boxes in each photo.
        batch: Photos.
        real: Most real boxes in a photo; all rows if None.
        repeats: How often each function is called.
        modes: Of `MODES`; all of the backend's if None.

    Yields:
        Dictionaries: "way" and "mode", and either figures or why it is "absent".

    Example:
        >>> [*time_rows("tensorflow", 4096, 2, 1, None, 1, modes=["jit"])]
        []
    """
    functions, absent = _functions(backend, modes=modes)
    values = _tensors(count, rows, batch, real)
    first = {key: _seconds(function, *values) for key, function in functions.items()}
    spent = {key: [] for key in functions}
    busy = {key: [] for key in functions}
    for turn in range(repeats):
        for key, function in functions.items():
            if turn < 3 or first[key] < 1 or key[1] in ("xla", "jit"):
                # What is over in a moment is called some times more in its turn.
                for _ in range(5 if turn and min(spent[key]) < 0.02 else 1):
                    start = time.process_time()
                    spent[key].append(_seconds(function, *values))
                    busy[key].append(time.process_time() - start)
    for (name, mode), seconds in spent.items():
        row = {
            "way": name,
            "mode": mode,
            "first_call_s": first[name, mode],
            "ms": 1e3 * min(seconds),
            "ms_median": 1e3 * float(np.median(seconds)),
            "cpu_ms": 1e3 * float(np.median(busy[name, mode])),
        }
        if mode in ("xla", "jit") and importlib.util.find_spec("jax"):
            row["memory_mb"] = _memory(mode, name, functions[name, mode], values) / 1e6
        yield row
    for (name, mode), reason in absent.items():
        yield {"way": name, "mode": mode, "absent": reason}


def _memory(mode: str, name: str, function: Any, values: list[Any]) -> float:
    """Bytes that XLA sets aside for a compiled function beside its arguments and results."""
    if mode == "xla":
        import jax
        import tensorflow as tf
        from jax.experimental import jax2tf

        # TensorFlow does not tell what XLA planned; JAX compiles the same graph and does.
        match = WAYS[name].build()
        graph = tf.function(lambda *values: tuple(match(*values)), autograph=False)
        function = jax.jit(jax2tf.call_tf(graph))
        values = [value.numpy() for value in values]
    analysis = function.lower(*values).compile().memory_analysis()
    return analysis.temp_size_in_bytes if analysis else math.nan


def loops_row(count: int, rows: int, batch: int, real: int | None) -> dict[str, Any]:
    """The plain Python loops of tests/reference.py: one photo timed, as if for the whole batch.

    Args:
        count: Anchors, one of `GRIDS`.
        rows: Rows for boxes in each photo.
        batch: Photos.
        real: Most real boxes in a photo; all rows if None.

    Returns:
        A row as `time_rows` has it.

    Example:
        >>> loops_row(4096, 1, 32, None)["way"]
        'plain Python loops'
    """
    row = {"way": "plain Python loops", "mode": "", "leaves_out": "nothing"}
    file = pathlib.Path(__file__).parent.parent / "tests" / "reference.py"
    if not file.exists():
        return {**row, "absent": "not installed (needs a checkout, with tests/reference.py)"}
    match = runpy.run_path(str(file))["match"]
    seconds = _seconds(match, grid(count).tolist(), photos(batch, rows, real)[0].tolist())
    return {**row, "ms": 1e3 * seconds * batch, "one_photo_ms": 1e3 * seconds}


def bandwidth() -> float:
    """How fast this machine moves memory.

    Returns:
        Bytes per second in a big copy, reading and writing counted.

    Example:
        >>> bandwidth() > 1e6
        True
    """
    source = np.ones(2**26, "float32")
    target = np.empty_like(source)
    seconds = min(_seconds(np.copyto, target, source) for _ in range(5))
    return 2 * source.nbytes / seconds


def _linear_rows(backend: str, batch: int, repeats: int) -> Iterator[dict[str, Any]]:
    """Time of this package and of Keras over boxes and over anchors, compiled."""
    import keras

    mode = MODES[backend][-1]
    names = ("this package", "Keras compute_iou + argmax")
    whole = np.concatenate([grid(24564), grid(8192)])
    sizes = [(8192, rows) for rows in (8, 16, 32, 64, 96, 128)]
    sizes += [(count, 32) for count in (2048, 4096, 16384, 32704)]
    functions, _ = _functions(backend, names)
    values, spent = {}, {}
    for size in sizes:
        some = whole[np.linspace(0, len(whole) - 1, size[0]).astype(int)]
        values[size] = [
            keras.ops.convert_to_tensor(value) for value in (some, photos(batch, size[1]))
        ]
    # The first turn compiles. Sizes take turns, so that a busy moment does not bend the line.
    for turn in range(repeats + 1):
        for size in sizes:
            for name in names:
                seconds = _seconds(functions[name, mode], *values[size])
                if turn:
                    spent[size, name] = min(seconds, spent.get((size, name), math.inf))
    for (count, rows), name in spent:
        best = 1e3 * spent[(count, rows), name]
        yield {"way": name, "mode": mode, "anchors": count, "boxes": rows, "ms": best}


def _worker(options: argparse.Namespace) -> None:
    """What one subprocess measures, one JSON object a line."""
    if options.worker == "linear":
        for row in _linear_rows(options.backend, options.batch, options.repeats):
            print(json.dumps({**row, "backend": options.backend}), flush=True)
        return
    for count in options.anchors:
        for rows in options.boxes:
            size = (options.backend, count, rows, options.batch, options.real)
            for row in time_rows(*size, options.repeats, options.modes):
                row |= {"backend": options.backend, "anchors": count, "boxes": rows}
                print(json.dumps(row), flush=True)


def _ask(worker: str, backend: str, options: argparse.Namespace) -> list[dict[str, Any]]:
    """The rows of a subprocess: a Keras backend is chosen once per process."""
    command = [sys.executable, "-m", "benchmarks.matching", "--worker", worker]
    command += ["--backend", backend, "--batch", str(options.batch)]
    command += ["--repeats", str(options.repeats)]
    command += ["--anchors", *map(str, options.anchors), "--boxes", *map(str, options.boxes)]
    if options.modes:
        command += ["--modes", *options.modes]
    if options.real:
        command += ["--real", str(options.real)]
    environment = {**os.environ, "KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
    log = None if options.verbose else subprocess.DEVNULL
    done = subprocess.run(
        command, env=environment, stdout=subprocess.PIPE, stderr=log, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(
            f"benchmarks.matching: the {worker} run under {backend} ended with status "
            f"{done.returncode}; --verbose shows why"
        )
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def _measure(
    options: argparse.Namespace, say: Callable[[str], None]
) -> tuple[list[dict[str, Any]], float]:
    """All rows, and bytes per second of a big copy."""
    say("measuring memory bandwidth and the plain loops")
    speed = bandwidth()
    rows = []
    for count in options.anchors:
        for each in options.boxes:
            row = loops_row(count, each, options.batch, options.real)
            rows.append({**row, "backend": "python", "anchors": count, "boxes": each})
    for backend in options.backends:
        say(f"measuring under {backend}")
        rows += _ask("time", backend, options)
    for row in rows:
        row["batch"] = options.batch
        if row["way"] in WAYS:
            row["leaves_out"] = WAYS[row["way"]].leaves_out
            row["complete"] = WAYS[row["way"]].complete
        if "ms" in row:
            pairs = options.batch * row["boxes"] * row["anchors"]
            row["pairs_per_s"] = pairs / row["ms"] * 1e3
            row["bandwidth_share"] = 4 * row["pairs_per_s"] / speed
    return rows, speed


def table(rows: Sequence[dict[str, Any]]) -> str:
    """The rows as text, one block per size.

    Args:
        rows: What `--json` writes as "rows".

    Returns:
        Some lines.

    Example:
        >>> row = {"batch": 32, "anchors": 4096, "boxes": 16, "backend": "jax", "way": "mine"}
        >>> print(table([row | {"absent": "not installed"}]).splitlines()[1])
        32 photos x 4,096 anchors x 16 boxes
    """
    lines = []
    for anchors_count, boxes in dict.fromkeys((row["anchors"], row["boxes"]) for row in rows):
        block = [row for row in rows if (row["anchors"], row["boxes"]) == (anchors_count, boxes)]
        lines.append(f"\n{block[0]['batch']} photos x {anchors_count:,} anchors x {boxes} boxes")
        lines.append(
            f"  {'':28}{'':12}{'ms':>10}{'cpu ms':>9}{'first s':>9}{'MB':>8}{'pairs/s':>10}"
            f"{'of copy':>9}  leaves out"
        )
        for row in block:
            where = "jax jit" if row["backend"] == "jax" else row["mode"]
            line = f"  {row['way']:28}{where:12}"
            if "absent" in row:
                lines.append(line + row["absent"])
                continue
            first, memory = row.get("first_call_s"), row.get("memory_mb")
            line += f"{row['ms']:10.1f}"
            line += f"{row['cpu_ms']:9.1f}" if "cpu_ms" in row else f"{'':9}"
            line += f"{first:9.1f}" if first is not None else f"{'':9}"
            line += f"{memory:8.1f}" if memory is not None else f"{'':8}"
            line += f"{row['pairs_per_s']:10.1e}{row['bandwidth_share']:9.1%}"
            lines.append(f"{line}  {row['leaves_out']}")
    return "\n".join(lines)


def plot(rows: Sequence[dict[str, Any]], file: str | os.PathLike) -> dict[str, float]:
    """A picture of time over boxes and over anchors, with the straight lines that fit them.

    Args:
        rows: What `--json` writes as "linear".
        file: PNG file to write.

    Returns:
        For each of this package's two curves, the share of its variance that a line explains.

    Example:
        >>> import tempfile
        >>> rows = [{"way": "this package", "boxes": n, "anchors": 8192, "ms": n} for n in (8, 32)]
        >>> rows += [{"way": "this package", "boxes": 32, "anchors": 4096, "ms": 16}]
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     {along: round(share, 3) for along, share in plot(rows, f"{folder}/a.png").items()}
        {'boxes': 1.0, 'anchors': 1.0}
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4), layout="constrained")
    straight = {}
    for axis, along, fixed, at in zip(
        figure.subplots(1, 2), ("boxes", "anchors"), ("anchors", "boxes"), (8192, 32), strict=True
    ):
        for name in dict.fromkeys(row["way"] for row in rows):
            points = sorted(
                (r[along], r["ms"]) for r in rows if r["way"] == name and r[fixed] == at
            )
            x, y = np.array(points).T
            slope, start = np.polyfit(x, y, 1)
            (line,) = axis.plot(x, y, "o", label=name)
            axis.plot(x, slope * x + start, "-", color=line.get_color(), alpha=0.5)
            if name == "this package":
                straight[along] = 1 - np.var(y - slope * x - start) / np.var(y)
        axis.set(xlabel=along, ylabel="milliseconds", title=f"{at:,} {fixed}", xlim=0, ylim=0)
        axis.legend()
    figure.savefig(file, dpi=110)
    return {along: float(share) for along, share in straight.items()}


def arguments(words: Sequence[str] | None = None) -> argparse.Namespace:
    """The options of the command line.

    Args:
        words: What was typed; by default the arguments of the process.

    Returns:
        `batch`, `anchors`, `boxes`, `real`, `repeats`, `backends`, `modes`, `verbose` and files.

    Example:
        >>> arguments(["--batch", "8"]).batch
        8
    """
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.matching",
        description="Time the matching of boxes to anchors: this package, plain Python loops, and "
        "other packages where they are installed. Each line of the table is one way to do the "
        "same work. ms: the best of several calls. cpu ms: the processor time of all cores, the "
        "median of these calls, which a busy machine disturbs less. first s: the first call, "
        "compilation included. MB: the memory that XLA sets aside for a compiled call beside its "
        "arguments and results (known where JAX is installed). pairs/s: pairs of a box and an "
        "anchor compared. of copy: the memory bandwidth of one pass over all pairs at 4 bytes "
        "each, as a share of what a big copy reaches on this machine; over 100 %% means that "
        "not every pair went through memory.",
    )
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE", help="write the rows as JSON")
    parser.add_argument(
        "--plot", type=pathlib.Path, metavar="FILE.png", help="draw time over boxes and anchors"
    )
    parser.add_argument("--batch", type=int, default=32, help="photos in a batch (default: 32)")
    parser.add_argument(
        "--anchors",
        type=int,
        nargs="+",
        default=list(GRIDS),
        choices=list(GRIDS),
        metavar="N",
        help=f"anchors in the grid, of {', '.join(map(str, GRIDS))} (default: all)",
    )
    parser.add_argument(
        "--boxes",
        type=int,
        nargs="+",
        default=[16, 100],
        metavar="N",
        help="rows for boxes in each photo, padding included (default: 16 100)",
    )
    parser.add_argument(
        "--real",
        type=int,
        metavar="N",
        help="most real boxes in a photo; the other rows are padding (default: as many as rows)",
    )
    parser.add_argument("--repeats", type=int, default=15, help="calls to time (default: 15)")
    parser.add_argument(
        "--backends",
        nargs="+",
        choices=list(MODES),
        default=list(MODES),
        help="Keras backends to measure (default: both)",
    )
    parser.add_argument(
        "--modes",
        nargs="+",
        choices=[mode for modes in MODES.values() for mode in modes],
        help="modes to measure (default: all of them)",
    )
    parser.add_argument("--verbose", action="store_true", help="show what the libraries print")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    parser.add_argument("--backend", help=argparse.SUPPRESS)
    options = parser.parse_args(words)
    for name in ("batch", "boxes", "repeats", "real"):
        value = getattr(options, name)
        if value is not None and np.min(value) < 1:
            parser.error(f"--{name}: wanted 1 or more, got {np.min(value)}")
    try:
        outputs.check_outputs("matching", json=options.json, plot=options.plot)
    except (OSError, ValueError) as error:
        parser.error(str(error))
    return options


def main(words: Sequence[str] | None = None) -> None:
    """Measure, print a table, and write what was asked for.

    Args:
        words: What was typed; by default those of the process.
    """
    options = arguments(words)
    if options.worker:
        _worker(options)
        return
    say = functools.partial(print, file=sys.stderr, flush=True)
    rows, speed = _measure(options, say)
    print(f"{len(cores.available())} cores; a big copy moves {speed / 1e9:.1f} GB/s")
    print(table(rows))
    result = {"bandwidth": speed, "cores": len(cores.available()), "rows": rows}
    if options.plot:
        say("measuring time over boxes and anchors")
        result["linear"] = _ask("linear", options.backends[0], options)
        result["linear_fit"] = plot(result["linear"], options.plot)
        for along, share in result["linear_fit"].items():
            print(f"a straight line explains {share:.1%} of this package's time over {along}")
    if options.json:
        envelope.write(options.json, "matching", result)


if __name__ == "__main__":
    main()

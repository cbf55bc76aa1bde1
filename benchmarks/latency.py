"""`python -m benchmarks.latency MODEL`: how long a detector takes here, stage by stage.

Runs with what `ssd.Detector` needs and no more, so that it runs on the board that matters.
"""

import argparse
import hashlib
import itertools
import os
import pathlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from importlib import metadata
from typing import Any

import numpy as np

import ssd
from benchmarks import board, cores, envelope, latency_comparison, model_table, outputs, sustained
from benchmarks.options import positive

STAGES = ("resize", "forward", "decode", "nms")
_PHOTOS = 32  # more of a folder than this would only cost memory
_COLD_STARTS = 3
_ROUNDS = 5  # in which two models take turns, so that a drifting clock hits both

# Times since the epoch, because only they can be held against the time the parent started it.
_COLD = """
import sys, time
started = time.time()
import numpy
numpy_there = time.time()
import ssd
imported = time.time()
detector = ssd.Detector(sys.argv[1], threads=int(sys.argv[3]))
opened = time.time()
photo = numpy.load(sys.argv[2])
loaded = time.time()
detector(photo)
found = time.time()
for _ in range(10):
    detector(photo)
try:
    with open("/proc/self/status") as file:
        peak = next(int(line.split()[1]) for line in file if line.startswith("VmHWM"))
except (OSError, StopIteration):
    peak = None
print(started, numpy_there, imported, opened, found - (loaded - opened), peak)
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print a table, and write what was asked for.

    Args:
        arguments: What was typed; by default those of the process.

    Returns:
        The exit status: 0 when all is done.
    """
    parser = _parser()
    options = parser.parse_args(arguments)
    _check_options(parser, options)
    try:
        _check_outputs(options)
        if options.compare:
            print(latency_comparison.compare(options.compare))
        elif options.models:
            _measure_models(options)
        elif options.minutes:
            _measure_sustained(options)
        else:
            _measure_one(options)
    except (ImportError, OSError, ValueError) as error:
        print(f"latency: {error}", file=sys.stderr)
        return 1
    return 0


def _check_options(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    """One thing at a time, and all that it takes."""
    ways = ("model", "compare", "models")
    if sum(bool(getattr(options, way)) for way in ways) != 1:
        parser.error("wanted one of MODEL, --compare A.json B.json and --models A B ...")
    if options.models and not (options.photos and options.truth):
        parser.error("--models: wanted --photos FOLDER and --truth FILE as well")
    if options.minutes and not options.model:
        parser.error("--minutes: wanted one MODEL")
    if options.plot and (options.minutes or not options.model):
        parser.error("--plot: wanted one MODEL and no --minutes")


def _check_outputs(options: argparse.Namespace) -> None:
    for path in filter(None, (options.model, options.against)):
        if pathlib.Path(path).suffix.lower() in (".onnx", ".keras"):
            raise ValueError(f"{path}: wanted a .tflite file, whose layers are counted")
    kind = "models" if options.models else "latency"
    outputs.check_outputs(kind, json=options.json, plot=options.plot)


def _measure_one(options: argparse.Namespace) -> None:
    result = _measure(options)
    print(table(result))
    if options.json:
        envelope.write(options.json, "latency", result, model=result["model"])
    if options.plot:
        plot(result, options.plot)


def _measure_models(options: argparse.Namespace) -> None:
    """Milliseconds beside AP, of several models."""
    threads = options.threads[0]
    rows = model_table.measure(
        options.models,
        options.photos,
        options.truth,
        photos(options.photos),
        runs=options.runs,
        threads=threads,
        say=_say,
    )
    machine = board.describe()
    print(f"{machine['name']}, {threads} threads, {runtime_version()}; {options.runs} runs")
    print(model_table.format_table(rows))
    if options.json:
        facts = {"board": machine, "runtime": runtime_version(), "runs": options.runs}
        inputs = {"photos": str(options.photos), "truth": str(options.truth)}
        envelope.write(
            options.json, "models", {**facts, **inputs, "threads": threads, "models": rows}
        )


def _measure_sustained(options: argparse.Namespace) -> None:
    """Whether the machine slows down when it has to work for minutes."""
    threads = options.threads[0]
    detector = ssd.Detector(options.model, threads=threads)
    source, frames = _frames(options)
    machine = board.describe()
    print(f"{machine['name']}, {threads} threads, {runtime_version()}; frames: {source}")
    slices = sustained.sustain(
        detector, frames, 60 * options.minutes, say=lambda line: print(line, flush=True)
    )
    print(sustained.verdict(slices))
    if options.json:
        model = model_facts(detector)
        facts = {"board": machine, "runtime": runtime_version(), "minutes": options.minutes}
        content = {**facts, "sustained_threads": threads, "slices": slices}
        envelope.write(options.json, "latency", content, model=model)


def _frames(options: argparse.Namespace) -> tuple[str, list[np.ndarray]]:
    if options.photos:
        return f"photos of {options.photos}", photos(options.photos)
    return "generated", generated(*options.frame)


def _say(what: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\033[K{what} ...", end="", file=sys.stderr, flush=True)


def _measure(options: argparse.Namespace) -> dict[str, Any]:
    """Everything the table shows, as plain values (`--json` writes them)."""
    detectors = {count: ssd.Detector(options.model, threads=count) for count in options.threads}
    first = detectors[options.threads[0]]
    source, frames = _frames(options)
    before = board.state()
    result = {
        "model": model_facts(first),
        "board": board.describe(),
        "runtime": runtime_version(),
        "frames": {"source": source, "sizes": sorted({str(_size(frame)) for frame in frames})},
        "runs": options.runs,
        "cold_start": cold_start(options.model, frames[0], options.threads[0]),
        "threads": {
            str(count): summary(
                time_stages(detector, frames, options.runs, options.score_threshold)
            )
            for count, detector in detectors.items()
        },
    }
    if options.against:
        result["against"] = _against(first, options, frames)
    result["before"], result["after"] = before, board.state()
    result["warnings"] = warnings(result)
    return result


def time_stages(
    detector: Any, frames: Sequence[np.ndarray], runs: int, score_threshold: float | None
) -> tuple[np.ndarray, np.ndarray]:
    """How long each stage of a detector takes.

    The frames are taken in turn. As many runs as fill a fifth go before and are not counted:
    they warm caches and wake the clock.

    Args:
        detector: An `ssd.Detector`.
        frames: uint8 [height, width, 3] each.
        runs: How often to measure.
        score_threshold: Least score of a box; None: what the file says.

    Returns:
        Seconds of each run, float [runs, stages], and boxes found [runs].

    Example:
        >>> seconds, found = time_stages(ssd.Detector(), generated(64, 48), 2, 0.5)
        >>> seconds.shape, found.shape
        ((2, 4), (2,))
    """
    seconds, found = [], []
    for frame in itertools.islice(itertools.cycle(frames), runs // 5 + 1 + runs):
        marks = [time.perf_counter()]
        tensor = detector.prepare(frame)
        marks.append(time.perf_counter())
        outputs = detector.forward(tensor)
        marks.append(time.perf_counter())
        candidates = detector.decode(*outputs, frame.shape, score_threshold=score_threshold)
        marks.append(time.perf_counter())
        result = detector.suppress(candidates)
        marks.append(time.perf_counter())
        seconds.append(np.diff(marks))
        found.append(len(result))
    return np.array(seconds[-runs:]), np.array(found[-runs:])


def summary(measured: tuple[np.ndarray, np.ndarray]) -> dict[str, Any]:
    """Median, 90th and 99th percentile of each stage and of their sum, in milliseconds.

    Args:
        measured: What `time_stages` returned.

    Returns:
        {stage: {"median", "p90", "p99"}}, with "total" beside the stages; and "found_per_frame".

    Example:
        >>> seconds = np.full((10, 4), 0.001)
        >>> summary((seconds, np.zeros(10)))["total"]["median"]
        4.0
    """
    seconds, found = measured
    columns = {**dict(zip(STAGES, seconds.T, strict=True)), "total": seconds.sum(axis=1)}
    stages = {
        stage: {
            name: round(float(np.percentile(values, percent)) * 1e3, 4)
            for name, percent in (("median", 50), ("p90", 90), ("p99", 99))
        }
        for stage, values in columns.items()
    }
    return {**stages, "found_per_frame": float(found.mean())}


def cold_start(model: str | os.PathLike, frame: np.ndarray, threads: int) -> dict[str, Any]:
    """From nothing to the first answer, in a process of its own: the median of three, in seconds.

    Args:
        model: A `.tflite` file.
        frame: uint8 [height, width, 3].
        threads: Threads of the runtime.

    Returns:
        A dictionary: "python" (the process is there), "numpy", "import_ssd", "open" and
        "first" (detection) are each stage for itself, "total" all of them together;
        "peak_memory_mb" is None where the system does not say.

    Raises:
        OSError: If the process fails.

    Example:
        >>> stages = cold_start(ssd.Detector().path, generated(64, 48)[0], 1)
        >>> 0 < stages["first"] < stages["total"]
        True
    """
    root = pathlib.Path(ssd.__file__).parent.parent
    rows, peaks = [], []
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "frame.npy"
        np.save(path, frame)
        for _ in range(_COLD_STARTS):
            begun = time.time()
            done = subprocess.run(
                [sys.executable, "-c", _COLD, str(model), str(path), str(threads)],
                env={**os.environ, "PYTHONPATH": str(root)},
                capture_output=True,
                text=True,
            )
            if done.returncode:
                raise OSError(f"cold start failed: {done.stderr.strip().splitlines()[-1]}")
            *marks, peak = done.stdout.split()
            rows.append([begun, *map(float, marks)])
            peaks.append(peak)
    median = np.median(np.diff(rows, axis=1), axis=0)
    names = ("python", "numpy", "import_ssd", "open", "first")
    return {
        **{name: round(float(value), 4) for name, value in zip(names, median, strict=True)},
        "total": round(float(np.median([row[-1] - row[0] for row in rows])), 4),
        "peak_memory_mb": None if "None" in peaks else round(max(map(int, peaks)) / 1024, 1),
    }


def model_facts(detector: Any) -> dict[str, Any]:
    """Name, size and work of a model.

    Args:
        detector: An `ssd.Detector` of a `.tflite` file.

    Returns:
        "file", "sha256", "bytes", "precision", "input", "anchors" and "multiply_adds".

    Example:
        >>> facts = model_facts(ssd.Detector())
        >>> facts["precision"], facts["multiply_adds"] > 1e6
        ('int8', True)
    """
    operations = graph(detector.path)[0]
    return {
        "file": str(detector.path),
        "sha256": hashlib.sha256(detector.path.read_bytes()).hexdigest(),
        "bytes": detector.path.stat().st_size,
        "precision": detector.about.get("precision"),
        "input": list(detector.config.image_size),
        "anchors": len(detector.anchors),
        "multiply_adds": sum(multiply_adds(*operation) for operation in operations),
    }


def graph(path: str | os.PathLike, *, keep: bool = False) -> tuple[list[tuple], Any]:
    """What a model computes, as the runtime lists it.

    Args:
        path: The `.tflite` file.
        keep: Whether the interpreter keeps every layer's output to be looked at.

    Returns:
        A list of (operation, shapes of its inputs, shape of its output), and the interpreter.

    Example:
        >>> operations, _ = graph(ssd.Detector().path)
        >>> "CONV_2D" in {name for name, _, _ in operations}
        True
    """
    module = ssd.find_runtime()
    interpreter = module.Interpreter(
        model_path=str(path),
        experimental_preserve_all_tensors=keep,
        # A delegate would take the operations over and hide them.
        experimental_op_resolver_type=module.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
    interpreter.allocate_tensors()
    shapes = {each["index"]: tuple(each["shape"]) for each in interpreter.get_tensor_details()}
    operations = [
        (
            each["op_name"],
            [shapes.get(index, ()) for index in each["inputs"]],
            shapes[each["outputs"][0]],
        )
        for each in interpreter._get_ops_details()  # nothing public lists them
    ]
    return operations, interpreter


def multiply_adds(
    operation: str, inputs: Sequence[tuple[int, ...]], output: tuple[int, ...]
) -> int:
    """Multiplications of one operation of a model: each is one with an addition.

    Convolutions and matrix products are counted; what the others do is too little to matter.

    Args:
        operation: Its name, as the runtime says it.
        inputs: Shapes of its inputs.
        output: Shape of its output.

    Returns:
        Their number.

    Example:
        >>> multiply_adds("CONV_2D", [(1, 8, 8, 3), (16, 5, 5, 3)], (1, 4, 4, 16))
        19200
        >>> multiply_adds("DEPTHWISE_CONV_2D", [(1, 8, 8, 16), (1, 3, 3, 16)], (1, 8, 8, 16))
        9216
    """
    if operation in ("CONV_2D", "FULLY_CONNECTED"):
        return int(np.prod(output) * np.prod(inputs[1][1:]))
    if operation == "DEPTHWISE_CONV_2D":
        return int(np.prod(output) * np.prod(inputs[1][1:3]))
    if operation == "TRANSPOSE_CONV":
        return int(np.prod(inputs[2]) * np.prod(inputs[1][:3]))
    return 0


def _against(
    detector: Any, options: argparse.Namespace, frames: Sequence[np.ndarray]
) -> dict[str, Any]:
    """The model and another of the same shape, in turns, and how many activations are zero."""
    with tempfile.TemporaryDirectory() as folder:
        if options.against == "random":
            path = pathlib.Path(folder) / "random.tflite"
            _write_random(detector, path, frames)
        else:
            path = pathlib.Path(options.against)
        other = ssd.Detector(path, threads=detector.threads)
        if graph(path)[0] != graph(detector.path)[0]:
            raise ValueError(f"--against: wanted a model of the same layers, {path} has others")
        mine, yours = [], []
        for _ in range(_ROUNDS):
            for each, times in ((detector, mine), (other, yours)):
                runs = max(1, options.runs // _ROUNDS)
                times.append(time_stages(each, frames, runs, options.score_threshold)[0][:, 1])
        return {
            "name": str(options.against),
            "forward_ms": _milliseconds(mine),
            "other_forward_ms": _milliseconds(yours),
            "zeros": zeros(detector, frames),
            "other_zeros": zeros(other, frames),
        }


def _milliseconds(rounds: Sequence[np.ndarray]) -> float:
    return round(float(np.median(np.concatenate(rounds))) * 1e3, 4)


def _write_random(detector: Any, path: pathlib.Path, frames: Sequence[np.ndarray]) -> None:
    """A model of the same Config with the weights that training starts from, exported alike."""
    try:
        model = ssd.SSD(detector.config)
    except ImportError:
        raise ImportError(
            "--against random: making a model needs the training packages; make one on a PC "
            "(ssd.export of an untrained ssd.SSD) and pass its file: --against FILE"
        ) from None
    precision = detector.about.get("precision", "float32")
    calibration = np.stack([ssd.letterbox(frame, detector.config) for frame in frames])
    ssd.export(model, path, precision=precision, calibration=calibration)


def zeros(detector: Any, frames: Sequence[np.ndarray]) -> list[list[Any]]:
    """Share of zeros in the output of each convolution, over a few frames.

    Args:
        detector: An `ssd.Detector` of a `.tflite` file.
        frames: uint8 [height, width, 3] each; the first few are looked at.

    Returns:
        A list of [output shape, share] in the order of the layers.

    Example:
        >>> shares = [share for _, share in zeros(ssd.Detector(), generated(64, 48)[:1])]
        >>> 0 <= min(shares) <= max(shares) <= 1
        True
    """
    _, interpreter = graph(detector.path, keep=True)
    details = {each["index"]: each for each in interpreter.get_tensor_details()}
    outputs = [
        details[each["outputs"][0]]
        for each in interpreter._get_ops_details()
        if each["op_name"] in ("CONV_2D", "DEPTHWISE_CONV_2D")
    ]
    shares = []
    for frame in frames[:4]:
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], detector.prepare(frame))
        interpreter.invoke()
        # An integer stands for 0 where it is the zero point.
        shares.append(
            [
                np.mean(interpreter.get_tensor(each["index"]) == each["quantization"][1])
                for each in outputs
            ]
        )
    means = np.mean(shares, axis=0)
    return [
        [each["shape"].tolist(), round(float(share), 4)]
        for each, share in zip(outputs, means, strict=True)
    ]


def photos(folder: pathlib.Path) -> list[np.ndarray]:
    """The first photos of a folder; what is no photo is passed over.

    Args:
        folder: A folder, looked through with all folders in it.

    Returns:
        uint8 [height, width, 3] each.

    Raises:
        ValueError: If there is no photo in it.

    Example:
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     ssd.write_photo(f"{folder}/a.png", generated(64, 48)[0])
        ...     [photo.shape for photo in photos(pathlib.Path(folder))]
        [(48, 64, 3)]
    """
    frames = []
    for path in sorted(folder.rglob("*")) if folder.is_dir() else []:
        try:
            if path.is_file():
                frames.append(ssd.read_photo(path))
        except ValueError:
            continue
        if len(frames) == _PHOTOS:
            break
    if not frames:
        raise ValueError(f"--photos: wanted a folder with photos, found none in {folder}")
    return frames


def generated(width: int, height: int) -> list[np.ndarray]:
    """Frames of smooth light and noise, always the same: no photos are needed to time a board.

    Args:
        width: In pixels.
        height: In pixels.

    Returns:
        uint8 [height, width, 3] each.

    Example:
        >>> [frame.shape for frame in generated(64, 48)[:2]]
        [(48, 64, 3), (48, 64, 3)]
    """
    random = np.random.default_rng(0)
    frames = []
    for _ in range(8):
        coarse = random.integers(0, 256, (4, 4, 3))
        rows, columns = np.arange(height) * 4 // height, np.arange(width) * 4 // width
        light = coarse[rows[:, None], columns] + random.normal(0, 8, (height, width, 3))
        frames.append(np.clip(light, 0, 255).astype(np.uint8))
    return frames


def runtime_version() -> str:
    """The runtime and NumPy, as "name version".

    Returns:
        Both, separated by a comma.

    Example:
        >>> runtime_version().endswith(f", numpy {np.__version__}")
        True
    """
    names = {"ai_edge_litert": "ai-edge-litert", "tflite_runtime": "tflite-runtime"}
    name = names[ssd.find_runtime().__name__.partition(".")[0]]
    return f"{name} {metadata.version(name)}, numpy {np.__version__}"


def warnings(result: dict[str, Any]) -> list[str]:
    """Why the figures may not be trusted, in words.

    Args:
        result: What `--json` writes, but for this.

    Returns:
        A sentence or two for each reason.

    Example:
        >>> well = {"governor": None, "throttled": 0, "celsius": 40.0, "load": 0.1}
        >>> hot = {**well, "celsius": 80.0}
        >>> result = {"board": {"emulated": False}, "before": well, "after": hot, "threads": {}}
        >>> warnings(result)
        ['The board is at 80 °C: it may slow itself down.']
    """
    before, after, found = result["before"], result["after"], []
    if result["board"]["emulated"]:
        found.append("This processor is emulated: the times say nothing about a real one.")
    if after["governor"] not in (None, "performance"):
        found.append(
            f"The CPU governor is {after['governor']}: the clock follows the load. "
            "For figures to compare: cpufreq-set -g performance"
        )
    if after["throttled"]:
        found.append(
            f"The firmware reports throttling or low voltage ({after['throttled']:#x}): "
            "cool the board, or give it a better power supply."
        )
    if (after["celsius"] or 0) > 75:
        found.append(f"The board is at {after['celsius']:.0f} °C: it may slow itself down.")
    if (before["load"] or 0) > 0.5:
        found.append(f"Other work was running before the start (load {before['load']:.1f}).")
    for count, stages in result["threads"].items():
        if stages["forward"]["p90"] > 1.5 * stages["forward"]["median"]:
            found.append(
                f"With {count} threads one forward pass in ten takes more than 1.5 times "
                "the median: something else wants the processor."
            )
    return found


def table(result: dict[str, Any]) -> str:
    """The result for a person to read.

    Args:
        result: What `--json` writes.

    Returns:
        Some lines.

    Example:
        >>> stages = dict.fromkeys((*STAGES, "total"), dict.fromkeys(("median", "p90", "p99"), 1.0))
        >>> names = ("python", "numpy", "import_ssd", "open", "first", "total")
        >>> state = dict.fromkeys(("governor", "mhz", "celsius", "throttled", "load"))
        >>> print(table({
        ...     "model": {"file": "face.tflite", "precision": "int8", "bytes": 364000, "anchors": 9,
        ...               "input": [224, 288], "multiply_adds": 143_000_000},
        ...     "board": {"name": "Pi", "machine": "aarch64", "cores": 4, "python": "3.11"},
        ...     "runtime": "ai-edge-litert 1.2.0", "runs": 200, "warnings": [],
        ...     "frames": {"source": "generated", "sizes": ["640x480"]},
        ...     "cold_start": dict.fromkeys(names, 0.1) | {"peak_memory_mb": None},
        ...     "before": state, "after": state,
        ...     "threads": {"1": stages | {"found_per_frame": 0.0}}}).splitlines()[0])
        face.tflite: int8, 364 KB, input 224x288, 9 anchors, 143.0 M multiply-adds
    """
    lines = [*_head_lines(result), "", *_stage_lines(result)]
    if "against" in result:
        lines += ["", *_against_lines(result["against"])]
    lines += ["", *(_state_line(when, result[when]) for when in ("before", "after"))]
    lines += [f"WARNING: {warning}" for warning in result["warnings"]]
    return "\n".join(lines)


def _head_lines(result: dict[str, Any]) -> list[str]:
    model, machine, cold = result["model"], result["board"], result["cold_start"]
    return [
        f"{model['file']}: {model['precision'] or 'precision not stated'}, "
        f"{model['bytes'] / 1000:.0f} KB, input {model['input'][0]}x{model['input'][1]}, "
        f"{model['anchors']} anchors, {model['multiply_adds'] / 1e6:.1f} M multiply-adds",
        f"{machine['name']} ({machine['machine']}, {machine['cores']} cores), "
        f"Python {machine['python']}, {result['runtime']}",
        f"frames: {result['frames']['source']}, {', '.join(result['frames']['sizes'][:4])}; "
        f"{result['runs']} runs",
        "",
        "cold start, s:  "
        + "  ".join(f"{name} {value:.3f}" for name, value in cold.items() if name[0] != "p")
        + f"  (python {cold['python']:.3f})",
        f"peak memory:    {_or_unknown(cold['peak_memory_mb'], '{:.0f} MB')}",
    ]


def _stage_lines(result: dict[str, Any]) -> Iterator[str]:
    names = "".join(f"{stage:>10}" for stage in (*STAGES, "total"))
    yield f"{'threads':>7}  {'ms':6}{names}{'Gop/s':>10}"
    for count, stages in result["threads"].items():
        for place, name in enumerate(("median", "p90", "p99")):
            row = "".join(f"{stages[stage][name]:>10.3f}" for stage in (*STAGES, "total"))
            rate = 2 * result["model"]["multiply_adds"] / stages["forward"]["median"] / 1e6
            said = f"{rate:>10.1f}" if place == 0 else ""
            yield f"{count if place == 0 else '':>7}  {name:6}{row}{said}"
        yield f"{'':>9}{stages['found_per_frame']:.1f} boxes found per frame"


def _state_line(when: str, state: dict[str, Any]) -> str:
    return (
        f"{when:7} governor {_or_unknown(state['governor'])}, "
        f"clock {_or_unknown(state['mhz'], '{:.0f} MHz')}, "
        f"temperature {_or_unknown(state['celsius'], '{:.1f} °C')}, "
        f"throttled {_or_unknown(state['throttled'], '{:#x}')}, "
        f"load {_or_unknown(state['load'], '{:.2f}')}"
    )


def _against_lines(other: dict[str, Any]) -> Iterator[str]:
    yield (
        f"forward, in turns: {other['forward_ms']:.3f} ms; "
        f"{other['name']}: {other['other_forward_ms']:.3f} ms "
        f"(ratio {other['forward_ms'] / other['other_forward_ms']:.3f})"
    )
    yield "share of zeros in each convolution's output, this model and the other:"
    for (shape, mine), (_, yours) in zip(other["zeros"], other["other_zeros"], strict=True):
        yield f"{'x'.join(map(str, shape[1:])):>14}{mine:>8.1%}{yours:>8.1%}"


def _or_unknown(value: Any, form: str = "{}") -> str:
    return "unknown" if value is None else form.format(value)


def plot(result: dict[str, Any], path: str | os.PathLike) -> None:
    """A bar for each number of threads, its stages stacked, with the 90th percentile marked.

    Args:
        result: What `--json` writes.
        path: PNG file to write.

    Example:
        >>> stages = dict.fromkeys((*STAGES, "total"), {"median": 1.0, "p90": 1.5})
        >>> result = {"threads": {"1": stages}, "model": {"file": "a"}, "board": {"name": "Pi"}}
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     plot(result, f"{folder}/latency.png")
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.add_subplot()
    counts = list(result["threads"])
    bottom = np.zeros(len(counts))
    for stage in STAGES:
        heights = np.array([result["threads"][count][stage]["median"] for count in counts])
        axes.bar(counts, heights, bottom=bottom, label=stage)
        bottom += heights
    slow = [result["threads"][count]["total"]["p90"] for count in counts]
    axes.plot(counts, slow, "k_", markersize=24, label="90th percentile")
    axes.set(xlabel="threads", ylabel="ms per frame", ylim=(0, None))
    axes.set_title(f"{pathlib.Path(result['model']['file']).name} on {result['board']['name']}")
    axes.legend()
    figure.savefig(path, dpi=120)


def _size(frame: np.ndarray) -> str:
    return f"{frame.shape[1]}x{frame.shape[0]}"


def _thread_counts(text: str) -> list[int]:
    counts = [int(part) for part in text.split(",")]
    if not counts or min(counts) < 1:
        raise ValueError
    return counts


def _frame_size(text: str) -> tuple[int, int]:
    width, _, height = text.partition("x")
    if int(width) < 1 or int(height) < 1:
        raise ValueError
    return int(width), int(height)


def _minutes(text: str) -> float:
    if not 0 < float(text) < float("inf"):
        raise ValueError
    return float(text)


# argparse shows these in its message about a bad value.
_minutes.__name__ = "number of minutes such as 10"
_thread_counts.__name__ = "list of thread counts such as 1,2,4"
_frame_size.__name__ = "frame size such as 640x480"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.latency",
        description="Say how fast a model is on this machine, stage by stage.",
    )
    most = len(cores.available())
    parser.add_argument(
        "model", type=pathlib.Path, nargs="?", help=".tflite file that ssd.export wrote"
    )
    parser.add_argument(
        "--compare",
        type=pathlib.Path,
        nargs=2,
        metavar=("A.json", "B.json"),
        help="measure nothing: two files of --json side by side",
    )
    parser.add_argument(
        "--models",
        type=pathlib.Path,
        nargs="+",
        metavar="MODEL",
        help="milliseconds beside AP of several models, on --photos with --truth",
    )
    parser.add_argument("--truth", type=pathlib.Path, help="COCO JSON file of --photos")
    parser.add_argument(
        "--minutes",
        type=_minutes,
        help="go on for so long, and say whether the machine slows down",
    )
    parser.add_argument(
        "--threads",
        type=_thread_counts,
        default=[count for count in (1, 2, 4) if count <= most],
        help="thread counts to try (1,2,4, as far as there are cores)",
    )
    count = positive(int, "positive integer")
    parser.add_argument("--runs", type=count, default=200, help="frames timed (200)")
    parser.add_argument("--score-threshold", type=float, help="least score (what the file says)")
    parser.add_argument("--frame", type=_frame_size, default=(640, 480), help="WxH (640x480)")
    parser.add_argument("--photos", type=pathlib.Path, help="folder; without it: made-up frames")
    parser.add_argument(
        "--against",
        metavar="random|FILE",
        help="also time another model of the same shape: with untrained weights, or a file's",
    )
    parser.add_argument("--json", type=pathlib.Path, help="write all figures to this file")
    parser.add_argument("--plot", type=pathlib.Path, help="draw them (needs matplotlib)")
    return parser


if __name__ == "__main__":
    sys.exit(main())

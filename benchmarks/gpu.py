"""`python -m benchmarks.gpu`: all figures of a machine with an NVIDIA GPU, in one command.

For a machine that is at hand for minutes, has JAX and no network. What TensorFlow is needed for
is not measured where it is missing, and says so; the rest runs on a pack of stored batches. Each
figure is on disk as soon as it is known.
"""

import argparse
import contextlib
import os
import pathlib
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

import ssd
from benchmarks import batch_pack, board, cores, envelope, gpu_page, outputs
from benchmarks.options import positive

_LIMIT_MINUTES = 8.0
# Of benchmarks.ladder.RUNGS: the first trainer, ssd.dataset, with sampling on the device, with
# decoded photos besides, the last.
_RUNGS = (0, 2, 3, 5, -1)
_COPY_BYTES = {"gpu": 2**30, "cpu": 2**26}
_AHEAD = 20  # calls that are under way at once: what is timed is the device, not Python


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and write the JSON file and the page fragment.

    Args:
        arguments: What was typed; by default those of the process.

    Returns:
        The exit status: 0 when all is done that can be done here.

    Example:
        >>> main(["--json", "no/such/folder/gpu.json"])
        1
    """
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        _check(options)
        if options.write_pack:
            batch_pack.write(options.labels, _config(options), options.write_pack)
            print(f"pack: {options.write_pack}")
            return 0
        _use_jax()
        with contextlib.ExitStack() as stack:
            if options.labels is None and options.pack is None:
                options.labels = pathlib.Path(stack.enter_context(_portraits()))
            print(gpu_page.format_page(measure(options, say=_say)))
    except (ImportError, OSError, ValueError) as error:
        print(f"gpu: {error}", file=sys.stderr)
        return 1
    return 0


def _check(options: argparse.Namespace) -> None:
    outputs.check_outputs("gpu", json=options.json)
    if options.page:
        ssd.check_output(options.page, replaces=gpu_page.is_page)
    if options.write_pack:
        ssd.check_output(options.write_pack, replaces=batch_pack.is_pack)
    if options.write_pack and options.labels is None:
        raise ValueError("--write-pack: wanted LABELS to make batches of")
    if options.labels is not None and not options.labels.is_dir():
        raise FileNotFoundError(f"{options.labels}: wanted a folder of labels, there is none")


def _use_jax() -> None:
    """Keras on JAX, whatever the environment says: no other backend is measured here."""
    if "keras" in sys.modules and sys.modules["keras"].backend.backend() != "jax":
        raise ValueError("wanted Keras on JAX, it is already open on another backend")
    os.environ["KERAS_BACKEND"] = "jax"


@contextlib.contextmanager
def _portraits() -> Iterator[str]:
    from benchmarks.portraits import write_portraits

    if why := missing_tensorflow():
        raise ValueError(f"wanted --pack FILE or LABELS: cut-outs cannot be made here ({why})")
    with tempfile.TemporaryDirectory() as folder:
        write_portraits(folder)
        yield folder


def missing_tensorflow() -> str | None:
    """Why the pipeline cannot be measured here.

    Returns:
        A few words, or None if it can.

    Example:
        >>> missing_tensorflow() in (None, "TensorFlow is not installed")
        True
    """
    try:
        import tensorflow  # noqa: F401
    except ImportError:
        return "TensorFlow is not installed"
    return None


def measure(
    options: argparse.Namespace, *, say: Callable[[str], None] = lambda what: None
) -> dict[str, Any]:
    """All figures, part by part; after each the files hold what is known.

    A part that fails says why, and the others go on; when the time is up the rest is left out.

    Args:
        options: Those of the command line.
        say: Told what is measured next.

    Returns:
        What `--json` writes, but for the envelope: "machine", "limit_minutes", "seconds" of the
        whole; and of each part its figures, or {"not_measured": why}.

    Raises:
        FileNotFoundError: If the pack or the labels are missing.
        ValueError: If JAX sees no GPU and the CPU was not asked for.

    Example:
        >>> measure(_parser().parse_args(["--cpu", "--pack", "nowhere.npz"]))
        Traceback (most recent call last):
        FileNotFoundError: nowhere.npz: wanted a file of benchmarks.gpu --write-pack, there is none
    """
    begun = time.perf_counter()
    machine = describe_machine()
    if machine["device"] != "gpu" and not options.cpu:
        raise ValueError("wanted a GPU that JAX sees, got the CPU; --cpu measures that")
    images, labels, config = _batches(options)
    result: dict[str, Any] = {
        "machine": machine,
        "photos": str(options.pack or options.labels),
        "image_size": list(config.image_size),
        "limit_minutes": options.minutes,
    }
    parts = _parts(options, images, labels, config, result)
    for name, part in parts.items():
        say(name)
        result[name] = _run(part, 60 * options.minutes - (time.perf_counter() - begun))
        result["seconds"] = round(time.perf_counter() - begun, 1)
        _write(options, result)
    return result


def _run(part: Callable[[], dict[str, Any]], seconds_left: float) -> dict[str, Any]:
    if seconds_left <= 0:
        return {"not_measured": "the time was up"}
    try:
        return part()
    except KeyboardInterrupt:
        raise
    except Exception as error:  # one part's trouble, out of memory say, is not the others'
        lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [""]
        said = lines[-1] if lines[0].endswith(":") else lines[0]  # "in user code:", and where
        return {"not_measured": f"{type(error).__name__}: {said:.200}"}


def _write(options: argparse.Namespace, result: dict[str, Any]) -> None:
    if options.json:
        envelope.write(options.json, "gpu", result)
    if options.page:
        options.page.write_text(gpu_page.format_page(result) + "\n")


def _parts(
    options: argparse.Namespace,
    images: np.ndarray,
    labels: np.ndarray,
    config: ssd.Config,
    result: dict[str, Any],
) -> dict[str, Callable[[], dict[str, Any]]]:
    """Name and function of each part, in their order: what needs least comes first."""
    parts: dict[str, Callable[[], dict[str, Any]]] = {
        "copy": lambda: {"bytes_per_second": copy_bandwidth(result["machine"]["device"])}
    }
    for size in options.batch_sizes:
        batch = batch_pack.take(images, labels, size)
        parts[f"train_step_{size}"] = lambda batch=batch: _time_step(config, batch, options.seconds)
        parts[f"matching_{size}"] = lambda batch=batch, size=size: _beside(
            _time_matching(config, batch[1], options.seconds),
            result["copy"].get("bytes_per_second"),
            result[f"train_step_{size}"].get("seconds"),
        )
    why = missing_tensorflow() or (None if options.labels else "no LABELS were given")
    size = options.batch_sizes[0]

    def pipeline(part: Callable[[], dict[str, Any]]) -> Callable[[], dict[str, Any]]:
        return part if why is None else lambda: {"not_measured": why}

    parts["stages"] = pipeline(lambda: _time_stages(options.labels, config, size))
    parts["ladder"] = pipeline(
        lambda: {"rows": _climb(options.labels, config, size, options.seconds)}
    )
    return parts


def _beside(
    found: dict[str, Any], copied: float | None, step_seconds: float | None
) -> dict[str, Any]:
    """Matching as a share of what the memory can do, and of the train step."""
    bytes_per_second = found["bytes"] / found["seconds"] if found["bytes"] else None
    return {
        **found,
        "bytes_per_second": bytes_per_second,
        "bandwidth_share": bytes_per_second / copied if bytes_per_second and copied else None,
        "step_share": found["seconds"] / step_seconds if step_seconds else None,
    }


def describe_machine() -> dict[str, Any]:
    """What the figures have to name.

    Returns:
        "device" ("gpu" or "cpu"), "name" of it, "driver", "processor", "cores" and "backend".

    Example:
        >>> describe_machine()["device"] in ("gpu", "cpu")
        True
    """
    import jax

    device = jax.devices()[0]
    return {
        "device": device.platform,
        "name": device.device_kind,
        "driver": _driver(),
        "processor": board.describe()["name"],
        "cores": len(cores.available()),
        "backend": "jax",
    }


def _driver() -> str | None:
    try:
        import pynvml

        pynvml.nvmlInit()
        version = pynvml.nvmlSystemGetDriverVersion()
    except Exception:  # no package, no driver or no GPU: NVML has an error for each
        return None
    return version.decode() if isinstance(version, bytes) else version


def copy_bandwidth(device: str) -> float:
    """How fast the device copies its own memory, reading and writing counted.

    Args:
        device: "gpu" or "cpu": how much is copied.

    Returns:
        Bytes a second.

    Example:
        >>> copy_bandwidth("cpu") > 1e6
        True
    """
    import jax
    import jax.numpy as jnp

    source = jnp.ones(_COPY_BYTES.get(device, 2**26) // 4, jnp.float32)
    copy = jax.jit(lambda x: x + 1)
    return 2 * source.nbytes / time_calls(copy, source, seconds=0.2)


def time_calls(function: Callable[..., Any], *values: Any, seconds: float) -> float:
    """Seconds of a call on the device; calls are under way together, as in a training loop.

    Args:
        function: Of JAX, compiled.
        values: What it is given, on the device.
        seconds: How long to measure; the first call, which compiles, is not counted.

    Returns:
        The least of the means of some calls.

    Example:
        >>> time_calls(lambda x: x + 1, np.ones(1), seconds=0.01) > 0
        True
    """
    import jax

    jax.block_until_ready(function(*values))
    best, begun = float("inf"), time.perf_counter()
    while best == float("inf") or time.perf_counter() - begun < seconds:
        started = time.perf_counter()
        for _ in range(_AHEAD):
            last = function(*values)
        jax.block_until_ready(last)
        best = min(best, (time.perf_counter() - started) / _AHEAD)
    return best


def _time_matching(config: ssd.Config, labels: np.ndarray, seconds: float) -> dict[str, Any]:
    """Matching of a batch's boxes to the anchors, compiled and alone.

    Args:
        config: The `ssd.Config`.
        labels: float32 [batch, rows, 5].
        seconds: How long to measure.

    Returns:
        "batch", "anchors", "rows"; "seconds" of a call; and "bytes" that XLA says it moves, None
        where it does not say.
    """
    import jax
    import jax.numpy as jnp

    import anchors

    grid = jnp.asarray(anchors.grid(config.feature_shapes, config.anchor_shapes))
    boxes, classes = jnp.asarray(labels[..., :4]), jnp.asarray(labels[..., 4])

    def match(grid: Any, boxes: Any, classes: Any) -> tuple[Any, ...]:
        return tuple(
            anchors.match(
                grid,
                boxes,
                positive_iou=config.positive_iou,
                negative_iou=config.negative_iou,
                ignore=classes == -1,
            )
        )

    compiled = jax.jit(match).lower(grid, boxes, classes).compile()
    costs = compiled.cost_analysis()
    costs = costs[0] if isinstance(costs, list) else costs or {}
    return {
        "batch": len(labels),
        "anchors": len(grid),
        "rows": labels.shape[1],
        "seconds": time_calls(compiled, grid, boxes, classes, seconds=seconds),
        "bytes": costs.get("bytes accessed"),
    }


def _time_step(
    config: ssd.Config, batch: tuple[np.ndarray, np.ndarray], seconds: float
) -> dict[str, Any]:
    """The train step of `ssd.SSD` in Keras's own loop, on a batch that is on the device.

    Args:
        config: The `ssd.Config` of the model.
        batch: Images and labels.
        seconds: How long to measure.

    Returns:
        "batch", "seconds" of a step, "photos_per_second" and "first_seconds", of the first steps,
        compilation included.
    """
    import jax
    import keras

    model = ssd.SSD(config)
    model.compile(keras.optimizers.Adam(), ssd.MultiboxLoss(config))
    on_device = tuple(jax.device_put(part) for part in batch)

    def fit(steps: int) -> float:
        begun = time.perf_counter()
        batches = (on_device for _ in range(steps + 1))  # Keras looks at one before it begins
        model.fit(batches, steps_per_epoch=steps, verbose=0)
        return time.perf_counter() - begun

    first = fit(2)
    fit(2)
    each = fit(8) / 8
    steps = max(8, round(seconds / each))
    step = fit(steps) / steps
    return {
        "batch": len(batch[0]),
        "seconds": step,
        "photos_per_second": len(batch[0]) / step,
        "first_seconds": round(first, 2),
    }


def _time_stages(labels: pathlib.Path, config: ssd.Config, batch_size: int) -> dict[str, Any]:
    from benchmarks.stages import time_stages

    return dict(time_stages(labels, config, batch_size, repeats=3))


def _climb(
    labels: pathlib.Path, config: ssd.Config, batch_size: int, seconds: float
) -> list[dict[str, Any]]:
    """Some rungs of the ladder with the real train step, and what NVML says of the GPU."""
    from benchmarks import ladder
    from benchmarks.train_step import TrainStep

    step = TrainStep(labels, config, batch_size=batch_size)
    device = step.time_step(seconds)["step"]
    return ladder.climb(
        labels,
        config,
        step,
        device,
        batch_size=batch_size,
        seconds=seconds,
        rungs=[ladder.RUNGS[place] for place in _RUNGS],
    )


def _batches(options: argparse.Namespace) -> tuple[np.ndarray, np.ndarray, ssd.Config]:
    """What the train step and matching run on: the pack, or one made of the labels just now."""
    if options.pack:
        return batch_pack.read(options.pack)
    if why := missing_tensorflow():
        raise ValueError(f"wanted --pack FILE: batches cannot be made here ({why})")
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "pack.npz")
        size = min(options.batch_sizes)
        batch_pack.write(options.labels, _config(options), path, batch_size=size)
        return batch_pack.read(path)


def _config(options: argparse.Namespace) -> ssd.Config:
    return ssd.Config.read(options.config) if options.config else ssd.Config()


def _say(what: str) -> None:
    print(f"{what} ...", file=sys.stderr, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.gpu",
        description="Measure on a machine with an NVIDIA GPU: matching, the train step, the "
        "time of an example, and how busy the GPU is on rungs of the ladder. docs/gpu.md says "
        "what to bring to a machine without a network.",
    )
    count = positive(int, "positive integer")
    seconds = positive(float, "positive number")
    parser.add_argument(
        "labels",
        type=pathlib.Path,
        nargs="?",
        help="folder of labels for the pipeline's rows; without it and --pack: cut-outs of one "
        "portrait",
    )
    parser.add_argument("--pack", type=pathlib.Path, help="stored batches to train on")
    parser.add_argument(
        "--write-pack",
        type=pathlib.Path,
        metavar="FILE.npz",
        help="store batches of LABELS, and end",
    )
    parser.add_argument("--config", type=pathlib.Path, help="JSON file with fields of ssd.Config")
    parser.add_argument(
        "--batch-sizes", type=count, nargs="+", default=[32, 256], help="photos in a step (32 256)"
    )
    parser.add_argument("--seconds", type=seconds, default=5.0, help="how long each is timed (5)")
    parser.add_argument(
        "--minutes",
        type=seconds,
        default=_LIMIT_MINUTES,
        help="no part is begun after so long (8)",
    )
    parser.add_argument("--cpu", action="store_true", help="measure without a GPU: to try it out")
    parser.add_argument("--json", type=pathlib.Path, help="write all figures to this file")
    parser.add_argument("--page", type=pathlib.Path, help="write them as Markdown to this file")
    return parser


if __name__ == "__main__":
    sys.exit(main())

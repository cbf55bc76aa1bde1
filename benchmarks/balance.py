"""`python -m benchmarks.balance LABELS`: does the data keep up with the device, and if not, why.

Measures what one core needs for an example, stage by stage; the train step, part by part; and
the training loop with real data beside what `ssd.equation` predicts of it.
"""

import argparse
import functools
import pathlib
import platform
import sys
import tempfile
from collections.abc import Callable, Sequence
from importlib import metadata
from typing import Any

import ssd
from benchmarks import balance_plot, balance_table, cores, envelope, ladder, outputs, scripted
from benchmarks.imitation import decode_only, imitate
from benchmarks.looping import wait
from benchmarks.options import positive
from benchmarks.portraits import write_portraits
from benchmarks.stages import time_stages
from benchmarks.train_step import TrainStep, time_model

_PACKAGES = ("tensorflow-cpu", "tensorflow", "keras", "numpy", "jax")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print a table, and write what was asked for.

    Args:
        arguments: What was typed; by default those of the process.

    Returns:
        The exit status: 0 when all is done.

    Example:
        >>> main(["--json", "no/such/folder/figures.json"])
        1
    """
    options = _parser().parse_args(arguments)
    try:
        _check_outputs(options)
        result = _measure_labels_or_portraits(options)
        print(balance_table.format_table(result))
        if options.json:
            envelope.write(options.json, "balance", result)
        if options.plot:
            balance_plot.draw(result, options.plot)
    except (ImportError, OSError, ValueError) as error:
        print(f"balance: {error}", file=sys.stderr)
        return 1
    return 0


def _check_outputs(options: argparse.Namespace) -> None:
    for given, name in ((options.labels, "LABELS"), (options.ladder, "--ladder")):
        if options.script and given:
            raise ValueError(f"--script: wanted no {name} beside it, which are of this project")
    outputs.check_outputs("balance", json=options.json, plot=options.plot)


def _measure_labels_or_portraits(options: argparse.Namespace) -> dict[str, Any]:
    if options.script:
        return _measure_script(options)
    if options.labels is not None:
        return {"photos": str(options.labels), **_measure(options)}
    with tempfile.TemporaryDirectory() as folder:
        options.labels = pathlib.Path(folder)
        write_portraits(options.labels)
        what = "cut-outs of one portrait, since no LABELS were given"
        return {"photos": what, **_measure(options)}


def _measure(options: argparse.Namespace) -> dict[str, Any]:
    """Everything that the table shows, as plain values (`--json` writes them)."""
    config = ssd.Config.read(options.config) if options.config else ssd.Config()
    _say("one core, stage by stage")
    result: dict[str, Any] = {
        "machine": describe_machine(),
        "batch_size": options.batch_size,
        "image_size": list(config.image_size),
        "stages": time_stages(options.labels, config, options.batch_size),
        "cores": options.cores,
    }
    before = cores.busy()
    if not options.device_step:
        step = TrainStep(options.labels, config, batch_size=options.batch_size)
        result["train_step"] = time_model(
            step,
            example_seconds=result["stages"]["example"],
            batch_size=options.batch_size,
            cores=options.cores,
            seconds=options.seconds,
            say=_say,
        )
        if options.ladder:
            result |= _climb(options, config, step, result["train_step"]["step"])
    elif options.ladder:
        device = options.device_step[0]
        result |= _climb(options, config, functools.partial(wait, device), device)
    else:
        size = options.batch_size
        made = ssd.dataset(options.labels, config, batch_size=size, training=True).repeat()
        result["imitated"] = _imitate(options, made, options.labels, size)
    result["other_work"] = cores.other_work(before, cores.busy())
    result["advice"] = balance_table.advice(result)
    return result


def _imitate(
    options: argparse.Namespace, made: Any, labels: Any, batch_size: int
) -> list[dict[str, Any]]:
    return imitate(
        made,
        options.device_step,
        batch_size=batch_size,
        most_cores=options.cores,
        decoded=decode_only(labels),
        seconds=options.seconds,
        repeats=options.repeats,
        say=_say,
    )


def _measure_script(options: argparse.Namespace) -> dict[str, Any]:
    """The same for a pipeline and a model of somebody else."""
    script = scripted.Script(*options.script)
    before = cores.busy()
    result: dict[str, Any] = {
        "machine": describe_machine(),
        "script": list(options.script),
        "batch_size": script.batch_size,
        "cores": options.cores,
    }
    with tempfile.TemporaryDirectory() as folder:
        write_portraits(folder, count=32)  # what is decoded to see what the cores are worth
        if options.device_step:
            rows = _imitate(options, script.data, folder, script.batch_size)
            result["imitated"] = rows
            result["stages"] = {"example": min(row["example_seconds"] for row in rows)}
        else:
            figures = scripted.time_script(
                script,
                cores=options.cores,
                decoded=decode_only(folder),
                seconds=options.seconds,
                repeats=options.repeats,
                say=_say,
            )
            result["train_step"] = figures
            result["stages"] = {"example": figures["data_core_seconds"] / script.batch_size}
    result["other_work"] = cores.other_work(before, cores.busy())
    result["advice"] = balance_table.advice(result)
    return result


def _climb(
    options: argparse.Namespace,
    config: ssd.Config,
    step: Callable[[Any], Any],
    device_seconds: float,
) -> dict[str, Any]:
    """The same training fed in several ways, and with a data service on one core."""
    timed = {"batch_size": options.batch_size, "seconds": options.seconds}
    _say("the same training, fed in several ways")
    rows = ladder.climb(options.labels, config, step, device_seconds, **timed)
    _say("one process on one core, alone and with a data service")
    capped = ladder.capped(options.labels, config, **timed)
    return {"ladder": rows, "ladder_device_seconds": device_seconds, "capped": capped}


def describe_machine() -> dict[str, Any]:
    """Processor, cores and versions, as figures have to name them.

    Returns:
        "processor", "cores", and the version of each package that is installed.

    Example:
        >>> describe_machine()["python"] == platform.python_version()
        True
    """
    name = platform.processor() or platform.machine()
    about = pathlib.Path("/proc/cpuinfo")  # on Linux, where `platform` knows no name
    lines = about.read_text().splitlines() if about.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    versions = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return {"processor": models[0] if models else name, "cores": len(cores.available()), **versions}


def _say(what: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\033[K{what} ...", end="", file=sys.stderr, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.balance",
        description="Measure whether the input pipeline keeps up with the device that trains, "
        "hold the training loop against the balance equation, and say which side binds.",
        epilog="Without a GPU: --device-step 0.002 0.01 0.05 shows the equation hold.",
    )
    parser.add_argument(
        "labels",
        type=pathlib.Path,
        nargs="?",
        help="folder that distill wrote; without it: cut-outs of one portrait",
    )
    count = positive(int, "positive integer")
    seconds = positive(float, "number of seconds")
    parser.add_argument("--config", type=pathlib.Path, help="JSON file with fields of ssd.Config")
    parser.add_argument("--batch-size", type=count, default=32, help="photos in a step (32)")
    parser.add_argument(
        "--cores",
        type=count,
        default=len(cores.available()),
        help="cores that make data (all there are)",
    )
    parser.add_argument(
        "--device-step",
        type=seconds,
        nargs="+",
        metavar="SECONDS",
        help="imitate a device that only waits so long for each batch; no model is built",
    )
    parser.add_argument(
        "--script",
        nargs=2,
        metavar="MODULE:NAME",
        help="measure a pipeline and a model of yours instead, as in --script mine:dataset "
        "mine:model: a tf.data.Dataset or an iterable of batches, and a compiled Keras model, or "
        "functions that return them",
    )
    parser.add_argument(
        "--ladder",
        action="store_true",
        help="also feed the training in several ways, from a Python loop to a data service "
        "(with --device-step: this instead of the rows of cores, at the first step given)",
    )
    parser.add_argument(
        "--seconds", type=seconds, default=3.0, help="how long each loop is timed (3)"
    )
    parser.add_argument(
        "--repeats", type=count, default=3, help="times the imitated rows take turns (3)"
    )
    parser.add_argument("--json", type=pathlib.Path, help="write all figures to this file")
    parser.add_argument("--plot", type=pathlib.Path, help="draw them as a PNG file")
    return parser


if __name__ == "__main__":
    sys.exit(main())

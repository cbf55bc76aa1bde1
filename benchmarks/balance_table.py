"""The balance in words: a table of what was measured, and what follows from it."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from benchmarks.stages import STAGES
from ssd import equation

TARGET = 0.95
_WORTH_SAYING = 0.1  # cores that other work kept busy


def format_table(result: dict[str, Any]) -> str:
    """The result for a person to read.

    Args:
        result: What `python -m benchmarks.balance --json` writes.

    Returns:
        Some lines.

    Example:
        >>> stages = dict.fromkeys(STAGES, 0.001) | {"example": 0.005, "bare_decoding": 0.002}
        >>> result = {
        ...     "machine": {"processor": "Xeon", "cores": 2, "python": "3.11"}, "cores": 2,
        ...     "photos": "labels", "batch_size": 8, "image_size": [256, 256], "advice": ["Rest."],
        ...     "stages": stages | {"first_trainer": 0.1}, "other_work": None}
        >>> print(*format_table(result).splitlines()[:5], sep="\\n")
        Xeon, 2 cores; python 3.11
        photos: labels; 8 in a batch, input 256x256
        <BLANKLINE>
        one example on one core      ms   share
          read                     1.000     20%
    """
    lines = [*_head(result), ""]
    if "read" in result["stages"]:
        lines += [*_stage_lines(result["stages"]), ""]
    if "imitated" in result:
        lines += _imitated_lines(result["imitated"])
    if "train_step" in result:
        lines += _model_lines(result["train_step"], result["cores"], result["batch_size"])
    if "ladder" in result:
        lines += _ladder_lines(result["ladder"], result["ladder_device_seconds"])
        lines += _capped_lines(result["capped"])
    lines += ["", *result["advice"]]
    if (result["other_work"] or 0) > _WORTH_SAYING:
        lines.append(
            f"WARNING: other work kept {result['other_work']:.1f} cores busy meanwhile; "
            "measured again on a quiet machine the figures will be better."
        )
    return "\n".join(lines)


def _head(result: dict[str, Any]) -> Iterator[str]:
    here = result["machine"]
    versions = ", ".join(f"{k} {v}" for k, v in here.items() if k not in ("processor", "cores"))
    yield f"{here['processor']}, {here['cores']} cores; {versions}"
    if "script" in result:
        data, model = result["script"]
        yield f"pipeline: {data}; model: {model}; {result['batch_size']} in a batch"
        return
    rows, columns = result["image_size"]
    yield f"photos: {result['photos']}; {result['batch_size']} in a batch, input {rows}x{columns}"


def _stage_lines(stages: dict[str, float]) -> Iterator[str]:
    def line(what: str, seconds: float, said: str) -> str:
        return f"  {what:22}{seconds * 1e3:8.3f}{said}"

    whole, bare, first = (stages[name] for name in ("example", "bare_decoding", "first_trainer"))
    yield "one example on one core      ms   share"
    for stage in STAGES:
        yield line(stage, stages[stage], f"{stages[stage] / whole:8.0%}")
    space = " " * 8
    yield line("T_g, all together", whole, f"{space}{1 / whole:.0f} photos/s and core")
    yield line(
        "decoding whole files",
        bare,
        f"{space}the pipeline does {bare / whole:.0%} of the photos/s that this alone allows",
    )
    yield line(
        "the first trainer",
        first,
        f"{space}the pipeline does {first / whole:.1f} times its photos/s",
    )


def _imitated_lines(rows: list[dict[str, Any]]) -> Iterator[str]:
    yield "a device that only waits"
    yield "  cores  worth  step ms  predicted/s  measured/s    off  device busy"
    for row in rows:
        off = row["measured"] / row["predicted"] - 1
        yield (
            f"  {row['cores']:5}{row['effective_cores']:7.2f}"
            f"{row['device_seconds'] * 1e3:9g}{row['predicted']:13.0f}"
            f"{row['measured']:12.0f}{off:7.1%}{row['utilization']:13.0%}"
        )


def _model_lines(model: dict[str, Any], cores: int, batch_size: int) -> Iterator[str]:
    def line(what: str, seconds: float, said: str = "") -> str:
        return f"  {what:22}{seconds * 1e3:8.1f}{said}"

    guess = equation.device_seconds_per_batch(model["forward"] / batch_size, batch_size)
    yield f"train step on the {model['device']} ({model['backend']}), ms per batch"
    for part in ("forward", "backward", "update", "step"):
        yield line(part, model[part])
    yield line(
        "2 x forward",
        guess,
        "  the guess that backward costs as much as forward is off by "
        f"{guess / model['step'] - 1:+.0%}",
    )
    yield ""
    yield f"training loop, {cores} cores, ms per batch"
    yield line("making the data", model["data"])
    yield line("data on the device", model["step"])
    yield line("real data, predicted", model["predicted"])
    off, rate = model["measured"] / model["predicted"] - 1, batch_size / model["measured"]
    yield line("real data, measured", model["measured"], f"  {off:+.0%}; {rate:.0f} photos/s")
    if model["device"] == "CPU":
        yield "No GPU here: the device is the CPU, and data and training share its cores."
    yield _utilization_line(model)


def _utilization_line(model: dict[str, Any]) -> str:
    asked, seen = model["utilization_asked"], model["measured_utilization"]
    if seen is None:
        return f"GPU utilization by {asked}: {model['utilization_why']}"
    predicted = model["predicted_utilization"]
    return f"GPU utilization: predicted {predicted:.0%}, measured by {asked} {seen:.0%}"


def _ladder_lines(rows: list[dict[str, Any]], device_seconds: float) -> Iterator[str]:
    yield f"the same training fed in several ways, a device step of {device_seconds * 1e3:.3g} ms"
    yield "  rung                               data ms  predicted ms  measured ms  device busy"
    for row in rows:
        yield (
            f"  {row['rung']:33}{row['data_seconds'] * 1e3:9.1f}{row['predicted'] * 1e3:14.1f}"
            f"{row['measured'] * 1e3:13.1f}{row['utilization']:13.0%}"
        )


def _capped_lines(found: dict[str, float]) -> Iterator[str]:
    yield (
        f"a loop that may use one core makes {found['alone']:.0f} photos/s itself; two workers "
        f"of a data service make {found['served']:.0f}, {found['gain']:.2f} times as many"
    )


def advice(result: dict[str, Any]) -> list[str]:
    """Which side binds and what to do about it, in one sentence each.

    Args:
        result: What `python -m benchmarks.balance --json` writes, but for this.

    Returns:
        A list of sentences.

    Example:
        >>> result = {"stages": {"example": 0.001}, "batch_size": 32, "cores": 4}
        >>> model = {"device": "CPU", "step": 0.1, "step_core_seconds": 0.288}
        >>> print(*advice(result | {"train_step": model}))  # doctest: +NORMALIZE_WHITESPACE
        The device is the CPU and both sides share it: 10% of the work is data. A GPU or a smaller
        model would help; more cores help both sides.
    """
    example, batch_size = result["stages"]["example"], result["batch_size"]
    model = result.get("train_step")
    if model and model["device"] == "CPU":
        return [_advise_shared(example * batch_size, model["step_core_seconds"])]
    if model:
        devices = [model["step"]]
    elif "ladder" in result:
        devices = [result["ladder_device_seconds"]]
    else:
        devices = sorted({row["device_seconds"] for row in result["imitated"]})
    return [advise(example, batch_size, device, result["cores"]) for device in devices]


def _advise_shared(data: float, step: float) -> str:
    """For a processor that does both: seconds of its cores for data, and for the train step."""
    part = data / (data + step)
    if part > 0.5:
        hint = "A cache of decoded photos or a data service on another machine would help."
    else:
        hint = "A GPU or a smaller model would help; more cores help both sides."
    return f"The device is the CPU and both sides share it: {part:.0%} of the work is data. {hint}"


def advise(example_seconds: float, batch_size: int, device_seconds: float, cores: int) -> str:
    """One sentence on one device: which side binds, and what would change that.

    Args:
        example_seconds: T_g, seconds of one core for an example.
        batch_size: Photos in a batch.
        device_seconds: Seconds of the device for a batch, above 0.
        cores: Cores that make data.

    Returns:
        str.

    Example:
        >>> print(advise(0.028, 32, 0.0104, 4))  # doctest: +NORMALIZE_WHITESPACE
        A step of 10.4 ms: data binds, the device works 5 % of the time; 95 % would take 82 cores
        like these or 2923 photos/s from a cache or a data service, or a model 21.5 times as heavy
        at the same speed.
        >>> print(advise(0.001, 32, 0.0104, 4))  # doctest: +NORMALIZE_WHITESPACE
        A step of 10.4 ms: the device binds and works all of the time; more cores would change
        nothing, a faster device or a lighter model would, down to steps of 8 ms.
    """
    data = equation.data_seconds_per_batch(example_seconds, batch_size, cores)
    said = f"A step of {device_seconds * 1e3:.3g} ms: "
    if equation.binds(data, device_seconds) == "device":
        return said + (
            "the device binds and works all of the time; more cores would change nothing, a "
            f"faster device or a lighter model would, down to steps of {data * 1e3:.3g} ms."
        )
    share = equation.utilization(data, device_seconds)
    needed = equation.cores_needed(example_seconds, batch_size, device_seconds, target=TARGET)
    rate = equation.photos_per_second_needed(batch_size, device_seconds, target=TARGET)
    return said + (
        f"data binds, the device works {100 * share:.0f} % of the time; {100 * TARGET:.0f} % would "
        f"take {np.ceil(needed):.0f} cores like these or {rate:.0f} photos/s from a cache or a "
        f"data service, or a model {data / device_seconds:.1f} times as heavy at the same speed."
    )

"""The balance as a picture: what the equation predicts is a line, what was measured a dot."""

import os
from typing import Any

import numpy as np

from ssd import equation


def draw(result: dict[str, Any], path: str | os.PathLike) -> None:
    """Draw the ladder if it was climbed, or else photos a second against the device's step.

    Args:
        result: What `python -m benchmarks.balance --json` writes.
        path: PNG file to write.

    Example:
        >>> import pathlib, tempfile
        >>> row = {"cores": 1, "effective_cores": 1.0, "device_seconds": 0.05,
        ...        "example_seconds": 0.004, "measured": 158.0}
        >>> result = {"imitated": [row], "batch_size": 8, "cores": 1, "stages": {"example": 0.004}}
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     draw(result, pathlib.Path(folder, "balance.png"))
        ...     print(len(list(pathlib.Path(folder).iterdir())))
        1
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.add_subplot()
    if "ladder" in result:
        _draw_ladder(axes, result["ladder"], result["ladder_device_seconds"])
    else:
        _draw_balance(axes, result)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=120)


def _draw_balance(axes: Any, result: dict[str, Any]) -> None:
    """Photos a second against the device's step, for each number of cores."""
    batch_size, example = result["batch_size"], result["stages"]["example"]
    rows, model = result.get("imitated", []), result.get("train_step")
    if rows:
        # T_g as the rows were predicted with, by the clock.
        example = float(np.median([row["example_seconds"] for row in rows]))
    devices = [row["device_seconds"] for row in rows] + ([model["step"]] if model else [])
    steps = np.geomspace(min(devices) / 4, max(devices) * 2, 200)
    tops = []
    for count in range(1, result["cores"] + 1):
        mine = [row for row in rows if row["cores"] == count]
        worth = float(np.median([row["effective_cores"] for row in mine])) if mine else count
        if model and model["device"] == "CPU":
            line = _shared(example * batch_size, model, worth, steps)
        else:
            data = equation.data_seconds_per_batch(example, batch_size, worth)
            line = np.array([equation.seconds_per_step(data, step) for step in steps])
        _draw_cores(axes, count, batch_size / line, mine, steps)
        tops += [*(batch_size / line), *(row["measured"] for row in mine)]
    what = "what the device could take"
    axes.plot(steps * 1e3, batch_size / steps, ":", color="gray", label=what)
    if model:
        tops.append(batch_size / model["measured"])
        axes.plot(model["step"] * 1e3, tops[-1], "k*", markersize=12, label="measured, real loop")
    # What lies in the picture is all there is: lines and points end where it does.
    limits = {"xlim": (steps[0] * 1e3, steps[-1] * 1e3), "ylim": (0, 1.15 * max(tops))}
    axes.set(xscale="log", xlabel="ms of the device per batch", ylabel="photos/s", **limits)
    title = "Left of the knee data binds, right of it the device"
    if model and model["device"] == "CPU":
        title = "Data and device share the same cores, so their times add up"
    axes.set_title(title, loc="left")
    axes.legend()


def _shared(data: float, model: dict[str, Any], cores: float, steps: np.ndarray) -> np.ndarray:
    """Seconds a step where the device is the processor, for devices of the same kind."""
    busy = model["step_core_seconds"] / model["step"]
    times = [equation.shared_seconds_per_step(data, busy * step, step, cores) for step in steps]
    return np.array(times)


def _draw_cores(
    axes: Any, count: int, line: np.ndarray, rows: list[dict[str, Any]], steps: np.ndarray
) -> None:
    """The line of one number of cores, and its rows upon it."""
    name = f"{count} core" + "s" * (count > 1)
    (drawn,) = axes.plot(steps * 1e3, line, label=f"predicted, {name}")
    axes.plot(
        [row["device_seconds"] * 1e3 for row in rows],
        [row["measured"] for row in rows],
        "o",
        color=drawn.get_color(),
        label=f"measured, {name}" if rows else None,
    )


def _draw_ladder(axes: Any, rows: list[dict[str, Any]], device_seconds: float) -> None:
    """Utilization against the time to make a batch: the balance line, and each rung on it."""
    data = np.array([row["data_seconds"] for row in rows])
    line = np.geomspace(min(data.min(), device_seconds) / 2, data.max() * 2, 200)
    for prefetch, style, name in ((True, "-", "with prefetch"), (False, ":", "without")):
        busy = [equation.utilization(each, device_seconds, prefetch=prefetch) for each in line]
        axes.plot(line * 1e3, busy, style, label=f"predicted, {name}")
    for number, row in enumerate(rows, 1):
        point = row["data_seconds"] * 1e3, row["utilization"]
        axes.plot(*point, "o", color="k", label="measured" if number == 1 else None)
        beside = (6, 4) if number % 2 else (-12, -14)
        axes.annotate(str(number), point, xytext=beside, textcoords="offset points")
    names = "\n".join(f"{number}  {row['rung']}" for number, row in enumerate(rows, 1))
    axes.text(0.98, 0.72, names, transform=axes.transAxes, ha="right", va="top", fontsize=9)
    limits = {"xlim": (line[0] * 1e3, line[-1] * 1e3), "ylim": (0, 1.08)}
    axes.set(xscale="log", **limits, ylabel="share of the time in which the device works")
    axes.set_xlabel("ms to make a batch")
    axes.set_title(
        f"A device step of {device_seconds * 1e3:.3g} ms, fed in several ways", loc="left"
    )
    axes.legend(loc="upper right")

"""The figures of `benchmarks.gpu` as Markdown, to go into a page."""

import pathlib
import re
from collections.abc import Iterator, Mapping
from typing import Any

_HEAD = r".+ with \d+ cores; .+, input \d+×\d+; \d+ s in all\."


def format_page(result: Mapping[str, Any]) -> str:
    """A fragment of a page.

    Args:
        result: What `python -m benchmarks.gpu --json` writes.

    Returns:
        Some lines of Markdown.

    Example:
        >>> machine = {"device": "gpu", "name": "NVIDIA H200", "driver": None,
        ...            "processor": "Xeon", "cores": 16, "backend": "jax"}
        >>> result = {"machine": machine, "photos": "pack.npz", "image_size": [256, 256],
        ...           "seconds": 99.0, "stages": {"not_measured": "TensorFlow is not installed"}}
        >>> print(format_page(result).splitlines()[0])
        NVIDIA H200 (jax), Xeon with 16 cores; pack.npz, input 256×256; 99 s in all.
    """
    return "\n".join([_head(result), *_steps(result), *_stages(result), *_ladder(result)])


def is_page(path: pathlib.Path) -> bool:
    """Whether a file is such a fragment, and nothing that somebody wrote.

    Args:
        path: The file.

    Returns:
        Whether it begins as one.

    Example:
        >>> is_page(pathlib.Path(__file__))
        False
    """
    with open(path, encoding="utf-8", errors="replace") as file:
        return re.match(_HEAD, file.readline(4096)) is not None


def _head(result: Mapping[str, Any]) -> str:
    machine, (rows, columns) = result["machine"], result["image_size"]
    driver = f", driver {machine['driver']}" if machine["driver"] else ""
    copied = result.get("copy", {}).get("bytes_per_second")
    speed = f" A copy in its memory moves {copied / 1e12:.3f} TB/s." if copied else ""
    return (
        f"{machine['name']} ({machine['backend']}{driver}), {machine['processor']} with "
        f"{machine['cores']} cores; {result['photos']}, input {rows}×{columns}; "
        f"{result.get('seconds', 0):.0f} s in all.{speed}"
    )


def _steps(result: Mapping[str, Any]) -> Iterator[str]:
    sizes = [name.rpartition("_")[2] for name in result if name.startswith("train_step_")]
    if not sizes:
        return
    yield "\n| batch | train step ms | photos/s | first steps s | matching ms | GB moved/s |" + (
        " of a copy | of the step |"
    )
    yield "|---|---|---|---|---|---|---|---|"
    for size in sizes:
        step = result[f"train_step_{size}"]
        match = result.get(f"matching_{size}", {"not_measured": "not reached"})
        if "not_measured" in step:
            cells = [_why(step), "–", "–"]
        else:
            cells = [
                f"{step['seconds'] * 1e3:.2f}",
                f"{step['photos_per_second']:,.0f}",
                f"{step['first_seconds']:.1f}",
            ]
        if "not_measured" in match:
            cells += [_why(match), "–", "–", "–"]
        else:
            cells += [
                f"{match['seconds'] * 1e3:.3f}",
                _or_dash(match["bytes_per_second"], lambda value: f"{value / 1e9:,.1f}"),
                _or_dash(match["bandwidth_share"], "{:.1%}".format),
                _or_dash(match["step_share"], "{:.1%}".format),
            ]
        yield f"| {size} | {' | '.join(cells)} |"


def _stages(result: Mapping[str, Any]) -> Iterator[str]:
    stages = result.get("stages")
    if stages is None:
        return
    if "not_measured" in stages:
        yield f"\nT_g, milliseconds of one core for an example: {_why(stages)}."
    else:
        yield f"\nT_g, of one core for an example: {stages['example'] * 1e3:.2f} ms."


def _ladder(result: Mapping[str, Any]) -> Iterator[str]:
    ladder = result.get("ladder")
    if ladder is None:
        return
    if "not_measured" in ladder:
        yield f"\nThe ladder: {_why(ladder)}."
        return
    yield "\n| fed by | ms a batch | ms a step, predicted | measured | busy, predicted | by NVML |"
    yield "|---|---|---|---|---|---|"
    for row in ladder["rows"]:
        seen = row["measured_utilization"]
        said = f"{seen:.0%}" if seen is not None else row["utilization_why"]
        times = " | ".join(
            f"{row[name] * 1e3:.1f}" for name in ("data_seconds", "predicted", "measured")
        )
        yield f"| {row['rung']} | {times} | {row['predicted_utilization']:.0%} | {said} |"


def _why(part: Mapping[str, Any]) -> str:
    return f"not measured ({part['not_measured']})"


def _or_dash(value: float | None, form: Any) -> str:
    return "–" if value is None else form(value)

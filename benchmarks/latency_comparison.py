"""Two files of `python -m benchmarks.latency --json` side by side: what became faster."""

import os
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from benchmarks import envelope

_STAGES = ("resize", "forward", "decode", "nms", "total")
# What has to be the same, or the times say as much about it as about what was changed.
_SAME = {
    "board": lambda result: f"{result['board']['name']}, {result['board']['cores']} cores",
    "Python": lambda result: result["board"]["python"],
    "runtime": lambda result: result["runtime"],
    "model": lambda result: (
        f"{pathlib.Path(result['model']['file']).name} {result['model']['sha256'][:8]}"
    ),
    "frames": lambda result: (
        f"{result['frames']['source']}, " + ", ".join(result["frames"]["sizes"][:4])
    ),
}


def compare(paths: Sequence[str | os.PathLike]) -> str:
    """The times of two runs and their ratio, stage by stage.

    Args:
        paths: Two files of `python -m benchmarks.latency --json`: before, and after.

    Returns:
        Some lines; first what differs besides the times, last the warnings of both runs.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If one is no such file, or they share no number of threads.

    Example:
        >>> import tempfile
        >>> times = dict.fromkeys(_STAGES, {"median": 2.0, "p90": 3.0})
        >>> result = {
        ...     "board": {"name": "Pi", "cores": 4, "python": "3.11"},
        ...     "runtime": "ai-edge-litert 1.2.0",
        ...     "model": {"file": "a.tflite", "sha256": "0123"},
        ...     "frames": {"source": "generated", "sizes": ["64x48"]},
        ...     "threads": {"1": times}, "warnings": []}
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = f"{folder}/a.json"
        ...     envelope.write(file, "latency", result)
        ...     print(compare([file, file]).splitlines()[-1])
              total        2.000     2.000  1.00      3.000     3.000  1.00
    """
    before, after = (_read(path) for path in paths)
    counts = [count for count in before["threads"] if count in after["threads"]]
    if not counts:
        raise ValueError(
            f"{paths[1]}: wanted threads as in {paths[0]} ({', '.join(before['threads'])}), "
            f"got {', '.join(after['threads'])}"
        )
    lines = [*_differences(before, after)]
    lines.append("threads           ms before     after ratio p90 before     after ratio")
    for count in counts:
        lines += _stage_lines(count, before["threads"][count], after["threads"][count])
    for name, result in (("before", before), ("after", after)):
        lines += [f"WARNING, {name}: {warning}" for warning in result["warnings"]]
    return "\n".join(lines)


def _read(path: str | os.PathLike) -> dict[str, Any]:
    content = envelope.read(path, "latency")
    if "threads" not in content:
        raise ValueError(
            f"{path}: wanted a file of python -m benchmarks.latency --json without --minutes"
        )
    return content


def _differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    for name, of in _SAME.items():
        one, other = of(before), of(after)
        yield f"{name}: {one}" if one == other else f"{name}: before {one}; after {other}"


def _stage_lines(count: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    for place, stage in enumerate(_STAGES):
        cells = ""
        for name in ("median", "p90"):
            one, other = before[stage][name], after[stage][name]
            ratio = f"{other / one:6.2f}" if one else f"{'–':>6}"
            cells += f"{one:10.3f}{other:10.3f}{ratio} "
        yield f"{count if place == 0 else '':>5} {stage:8}{cells.rstrip()}"

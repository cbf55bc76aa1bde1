"""Photos a second of `ssd detect FOLDER`, with one process and with several, in turns.

    python -m benchmarks.folders PHOTOS --workers 2

Each round starts the command anew, once with `--workers 1` and once with several; the fastest
round of each counts. A round's speed is what the command itself says: without the start of Python,
with that of the other processes.
"""

import argparse
import pathlib
import re
import subprocess
import sys
from collections.abc import Sequence

from benchmarks.options import positive


def speed(said: str) -> float:
    """The photos a second that a run of `ssd detect` says in its last line.

    Args:
        said: What it printed.

    Returns:
        Photos a second.

    Raises:
        ValueError: If it says none, as for fewer than 100 photos.

    Example:
        >>> speed("1000 photos: 9 found; 85.2 photos a second, 2.6 ms each to find")
        85.2
    """
    found = re.search(r"([0-9.]+) photos a second", said)
    if found is None:
        last = (said.strip().splitlines() or ["nothing"])[-1]
        raise ValueError(f"wanted 100 photos or more, which have a speed, got {last!r}")
    return float(found[1])


def measure(photos: str, workers: Sequence[int], rounds: int) -> dict[int, float]:
    """The best speed of each number of workers.

    Args:
        photos: Folder of photos.
        workers: Numbers of workers, which take turns.
        rounds: How often each is run.

    Returns:
        Photos a second, by the number of workers.

    Raises:
        ValueError: If the command says no speed.

    Example:
        >>> measure("photos", [], 3)
        {}
    """
    best = dict.fromkeys(workers, 0.0)
    for _ in range(rounds):
        for count in workers:
            command = [sys.executable, "-m", "ssd", "detect", photos, "--workers", str(count)]
            done = subprocess.run(command, capture_output=True, text=True)
            best[count] = max(best[count], speed(done.stdout or done.stderr))
    return best


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print.

    Args:
        arguments: What was typed; by default those of the process.

    Returns:
        The exit status: 0 when all is done.
    """
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.folders", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("photos", type=pathlib.Path, help="folder of photos")
    count = positive(int, "positive integer")
    parser.add_argument("--workers", type=count, default=2, help="how many, beside one (2)")
    parser.add_argument("--rounds", type=count, default=3, help="how often each is run (3)")
    options = parser.parse_args(arguments)
    try:
        best = measure(str(options.photos), (1, options.workers), options.rounds)
    except (OSError, ValueError) as error:
        print(f"folders: {error}", file=sys.stderr)
        return 1
    for count, rate in best.items():
        print(f"{count} at once: {rate:.1f} photos a second, {rate / best[1]:.2f} times one")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""What one core needs for an example, stage by stage."""

import functools
import itertools
import os
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import ssd
from benchmarks import first_trainer
from benchmarks.looping import use_threads

STAGES = ("read", "augment", "decode", "resize", "batch")
MOST_PHOTOS = 256  # that are gone through: enough for a mean, few enough to stay in memory
FEW_PHOTOS = 16  # that the first trainer gets: it takes a hundred times as long


def time_stages(
    labels: str | os.PathLike, config: ssd.Config, batch_size: int, *, repeats: int = 8
) -> dict[str, float]:
    """Seconds of one core for an example, stage by stage.

    Each stage is the time of the pipeline up to it, less that of the pipeline before it. It is
    processor time, so that other work on the machine disturbs it least; the best of several.

    Args:
        labels: Folder of labels.
        config: The `ssd.Config` of the model.
        batch_size: Photos in a batch.
        repeats: How often everything is timed.

    Returns:
        A dictionary: seconds of each of `STAGES`; "example", T_g, all of them together; and
        "sampled_on_device", the same where the device samples; "bare_decoding", of decoding the
        same files whole and doing nothing else; and "first_trainer", of the Python loop that the
        project began with.

    Raises:
        ValueError: If there is less than a batch of photos.

    Example:
        >>> import tempfile
        >>> from benchmarks.portraits import write_portraits
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_portraits(folder, count=4)
        ...     seconds = time_stages(folder, ssd.Config(), 4, repeats=1)
        >>> sum(seconds[stage] for stage in STAGES) >= 0.99 * seconds["example"] > 0
        True
    """
    photos = list(itertools.islice(ssd.read_labels(labels), MOST_PHOTOS))
    count = len(photos) // batch_size * batch_size
    if count == 0:
        raise ValueError(f"{labels}: wanted at least a batch of {batch_size} photos")
    stages = ssd.pipeline_stages(labels, config, batch_size=batch_size, photos=count)
    until = _processor_seconds(stages, count, batch_size, repeats)
    steps = np.diff([0.0, *(until[stage] for stage in STAGES)]).clip(0)
    return {
        **dict(zip(STAGES, steps.tolist(), strict=True)),
        "example": until["batch"],
        "sampled_on_device": until["parts"],
        "bare_decoding": until["whole_files"] - until["read"],
        "first_trainer": _first_trainer(photos[:FEW_PHOTOS], config, repeats),
    }


def _processor_seconds(
    stages: dict[str, Any], count: int, batch_size: int, repeats: int
) -> dict[str, float]:
    """Seconds for a photo as far as each stage, the best of several.

    One element of what is timed goes through all photos and hands out nothing: neither setting a
    pipeline up nor handing its pixels to Python is counted.
    """
    alone = use_threads(1)
    alone.autotune.enabled = False
    # Among them is making maps parallel: what was made during another's turn would be found.
    alone.experimental_optimization.apply_default_optimizations = False
    size: dict[str, int] = dict.fromkeys(("batch", "parts"), count // batch_size)
    passes = {
        name: iter(stage.map(lambda *_: 0).batch(size.get(name, count)).with_options(alone))
        for name, stage in stages.items()
    }
    best = dict.fromkeys(passes, np.inf)
    for _ in range(repeats + 1):  # the first round warms up: graphs are optimized, files read
        for name, photos in passes.items():
            best[name] = min(best[name], _processor_time(functools.partial(next, photos)) / count)
    return best


def _first_trainer(photos: "list[ssd.LabeledPhoto]", config: ssd.Config, repeats: int) -> float:
    def all_of_them() -> None:
        for photo in photos:
            first_trainer.make_example(photo, config)

    return min(_processor_time(all_of_them) for _ in range(repeats)) / len(photos)


def _processor_time(work: Callable[[], Any]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start

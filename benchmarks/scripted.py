"""Somebody else's pipeline and model, named as MODULE:NAME, measured as this project's own."""

import importlib
import itertools
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from benchmarks import utilization
from benchmarks.looping import time_data, time_loop
from benchmarks.train_step import TrainStep
from ssd import equation


class Script(TrainStep):
    """A pipeline and a compiled model, which need know nothing of `ssd`.

    Args:
        data: MODULE:NAME of a `tf.data.Dataset` or an iterable of batches, as Keras takes them,
            or of a function that returns it.
        model: MODULE:NAME of a compiled Keras model, or of a function that returns it.

    Attributes:
        data: The batches, without an end.
        batch_size: Examples in the first batch.

    Raises:
        ValueError: If there is no such module or name, or it is something else.

    Example:
        >>> Script("json", "json:tool")
        Traceback (most recent call last):
        ValueError: json: wanted MODULE:NAME, as in train:dataset
    """

    def __init__(self, data: str, model: str) -> None:
        made, built = named(data), named(model)
        import keras

        if not isinstance(built, keras.Model) or not built.compiled:
            raise ValueError(f"{model}: wanted a compiled Keras model, got {_kind(built)}")
        if not hasattr(made, "__iter__"):
            raise ValueError(f"{data}: wanted a dataset or an iterable, got {_kind(made)}")
        self.gpu = utilization.has_gpu()
        self.backend = keras.backend.backend()
        self.data = made.repeat() if hasattr(made, "repeat") else _Endless(made)
        arrays = getattr(self.data, "as_numpy_iterator", lambda: iter(self.data))
        self.batches = map(_parts, arrays())
        first = next(self.batches, None)
        if not first:
            raise ValueError(f"{data}: wanted batches, got none")
        self.batch_size = len(np.asarray(keras.tree.flatten(first)[0]))
        self._batch = keras.tree.map_structure(keras.ops.convert_to_tensor, first)
        self._parts = len(first)
        self._same = iter(lambda: self._batch, None)
        self._model, self._optimizer = built, built.optimizer

    def _compile(self, **options: Any) -> None:
        """As it was compiled, with a new optimizer of the same kind and other options."""
        config = {**self._optimizer.get_config(), **options}
        self._model.optimizer = type(self._optimizer).from_config(config)
        self._model.make_train_function(force=True)


class _Endless:
    """An iterable, again and again."""

    def __init__(self, data: Any):
        self._data = data

    def __iter__(self) -> Iterator[Any]:
        return itertools.chain.from_iterable(self._data for _ in itertools.count())


def named(where: str) -> Any:
    """What a MODULE:NAME stands for; of a function, what it returns.

    Args:
        where: The module as Python imports it, from the folder one is in too, and the name.

    Returns:
        Whatever it is.

    Raises:
        ValueError: If there is no such module or name.

    Example:
        >>> named("os:sep") in "/\\\\"
        True
    """
    module, colon, name = where.partition(":")
    if not (module and colon and name):
        raise ValueError(f"{where}: wanted MODULE:NAME, as in train:dataset")
    if "" not in sys.path:
        sys.path.insert(0, "")
    try:
        found = getattr(importlib.import_module(module), name)
    except (ModuleNotFoundError, AttributeError) as error:
        raise ValueError(f"{where}: wanted a name in a module, {error}") from None
    return found() if callable(found) and not hasattr(found, "train_on_batch") else found


def time_script(
    script: Script,
    *,
    cores: int,
    decoded: Any,
    seconds: float,
    repeats: int,
    say: Callable[[str], None] = lambda what: None,
) -> dict[str, Any]:
    """What pipeline, train step and the whole loop take, and what the equation says of the latter.

    Pipeline and step are each measured alone, by the clock and by the processor time that they
    take; and, with work that keeps all cores busy, how many cores there are to be had. Prediction
    and loop take turns, since what else the machine does disturbs both.

    Args:
        script: The pipeline and the model.
        cores: Cores that make data.
        decoded: What `benchmarks.imitation.decode_only` returns.
        seconds: How long each is timed.
        repeats: How often they take turns.
        say: Told what is measured next.

    Returns:
        As `benchmarks.train_step.time_model`, medians; and "data_core_seconds", the processor
        time of a batch.

    Example:
        >>> import keras
        >>> class Known(Script):
        ...     gpu, backend, batches, _same = False, "jax", itertools.repeat([0]), None
        ...     def __init__(self): pass
        ...     def __call__(self, batch): pass
        ...     def time_parts(self, seconds): return {"step": 1e-4, "step_core_seconds": 1e-4}
        >>> options = dict(cores=1, decoded=itertools.repeat(0), seconds=0.01, repeats=1)
        >>> time_script(Known(), **options)["predicted"] >= 1e-4
        True
    """
    turns = []
    for turn in range(repeats):
        say(f"round {turn + 1} of {repeats}")
        parts = script.time_parts(seconds)
        data, data_cores = _timed(lambda: time_data(script.batches, seconds))
        _, worth = _timed(lambda: time_data(iter(decoded), seconds / 2))
        worth = max(0.1, min(cores, worth))
        data_core_seconds = data * data_cores
        if script.gpu:
            predicted = equation.seconds_per_step(data, parts["step"])
        else:
            predicted = equation.shared_seconds_per_step(
                data_core_seconds, parts["step_core_seconds"], parts["step"], worth
            )
        measured, _ = _timed(lambda: time_loop(script.batches, script, seconds))
        turns.append(
            {
                **parts,
                "data": data,
                "data_core_seconds": data_core_seconds,
                "worth": worth,
                "predicted": max(data, predicted),
                "measured": measured,
            }
        )
    middle = {name: float(np.median([turn[name] for turn in turns])) for name in turns[0]}
    return {
        "device": "GPU" if script.gpu else "CPU",
        "backend": script.backend,
        **middle,
        "predicted_utilization": middle["step"] / middle["predicted"],
        "measured_utilization": None,
        "utilization_asked": "NVML",
        "utilization_why": "not asked for",
    }


def _timed(work: Callable[[], float]) -> tuple[float, float]:
    """What some work returns, and how many cores it kept busy."""
    busy, begun = time.process_time(), time.perf_counter()
    found = work()
    return found, (time.process_time() - busy) / (time.perf_counter() - begun)


def _parts(batch: Any) -> list[Any]:
    """The parts of a batch as `train_on_batch` takes them."""
    return [*batch] if isinstance(batch, tuple | list) else [batch]


def _kind(value: Any) -> str:
    return f"a {type(value).__name__}"

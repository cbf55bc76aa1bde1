"""The train step, part by part, and the training loop with real data."""

import os
import time
from collections.abc import Callable
from typing import Any

import ssd
from benchmarks import utilization
from benchmarks.looping import time_loop
from ssd import equation

_WARM_UP = 4  # steps before one is timed, beyond those in which it is traced


class TrainStep:
    """A model of the default loss and optimizer, and a batch that is on the device.

    Args:
        labels: Folder of labels.
        config: The `ssd.Config` of the model.
        batch_size: Photos in a batch.

    Attributes:
        gpu: Whether the device is a GPU.
        backend: The Keras backend.

    Example:
        >>> import tempfile
        >>> from benchmarks.portraits import write_portraits
        >>> config = ssd.Config(image_size=(64, 64), width_multiplier=0.05)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_portraits(folder, count=4)
        ...     step = TrainStep(folder, config, batch_size=2)
        >>> step.backend in ("tensorflow", "jax")
        True
    """

    def __init__(self, labels: str | os.PathLike, config: ssd.Config, *, batch_size: int) -> None:
        import keras

        self.gpu = utilization.has_gpu()
        self.backend = keras.backend.backend()
        data = ssd.dataset(labels, config, batch_size=batch_size, training=True).repeat()
        self.batches = data.as_numpy_iterator()
        self._batch = [keras.ops.convert_to_tensor(part) for part in next(self.batches)]
        self._same = iter(lambda: self._batch, None)
        self._model, self._config, self._parts = ssd.SSD(config), config, 2

    def __call__(self, batch: Any) -> None:
        """Train on one batch.

        Args:
            batch: (images, labels), and more, which is not looked at.
        """
        self._model.train_on_batch(*batch[: self._parts])

    def time_parts(self, seconds: float) -> dict[str, float]:
        """Seconds of forward, backward and update, on a batch that is on the device.

        Args:
            seconds: How long each is timed.

        Returns:
            "forward", "backward" and "update", which make up "step"; and "step_core_seconds",
            the time that the processor's cores together work for it.
        """
        # Gradients that are only gathered cost forward and backward; applied, the update as well.
        self._compile(gradient_accumulation_steps=10**6)
        forward = time_loop(self._same, lambda _: self._model.test_on_batch(*self._batch), seconds)
        gathered = time_loop(self._same, self, seconds)
        whole = self.time_step(seconds)
        return {
            "forward": forward,
            "backward": max(0.0, gathered - forward),
            "update": max(0.0, whole["step"] - gathered),
            **whole,
        }

    def time_step(self, seconds: float) -> dict[str, float]:
        """Seconds of the whole step, on a batch that is on the device.

        Args:
            seconds: How long it is timed.

        Returns:
            "step" and "step_core_seconds", as `time_parts`.
        """
        self._compile()
        for _ in range(_WARM_UP):
            self(self._batch)
        busy, begun = time.process_time(), time.perf_counter()
        step = time_loop(self._same, self, seconds)
        share = (time.process_time() - busy) / (time.perf_counter() - begun)
        return {"step": step, "step_core_seconds": share * step}

    def time_training(self, seconds: float) -> dict[str, Any]:
        """The training loop with real data, and how busy a GPU is meanwhile.

        Args:
            seconds: How long it is timed.

        Returns:
            "measured", seconds between two steps; "measured_utilization" or None;
            "utilization_asked", who was asked for it; and "utilization_why", why it is None.
        """
        with utilization.watch() as seen:
            measured = time_loop(self.batches, self, seconds)
        asked = "NVML"
        if self.gpu and seen.mean is None and self.backend == "jax":
            asked = "the profiler"
            with utilization.trace() as seen:
                time_loop(self.batches, self, seconds)
        return {
            "measured": measured,
            "measured_utilization": seen.mean,
            "utilization_asked": asked,
            "utilization_why": seen.why_none,
        }

    def _compile(self, **options: Any) -> None:
        import keras

        self._model.compile(keras.optimizers.Adam(**options), ssd.MultiboxLoss(self._config))


def time_model(
    step: TrainStep,
    *,
    example_seconds: float,
    batch_size: int,
    cores: int,
    seconds: float,
    say: Callable[[str], None] = lambda what: None,
) -> dict[str, Any]:
    """What a train step and the whole loop take, and what the equation says of the latter.

    Args:
        step: The train step.
        example_seconds: T_g, as `benchmarks.stages.time_stages` measured it.
        batch_size: Photos in a batch.
        cores: Cores that make data.
        seconds: How long each loop is timed.
        say: Told what is measured next.

    Returns:
        What `TrainStep.time_parts` and `time_training` return; "data", seconds to make a batch;
        "predicted", seconds of a loop's step, and "predicted_utilization"; "device", GPU or CPU;
        and "backend".

    Example:
        >>> class Known(TrainStep):
        ...     gpu, backend = True, "jax"
        ...     def __init__(self): pass
        ...     def time_parts(self, seconds): return {"step": 0.01, "step_core_seconds": 0.0}
        ...     def time_training(self, seconds): return {"measured": 0.02}
        >>> options = dict(example_seconds=0.005, batch_size=8, cores=2, seconds=1.0)
        >>> time_model(Known(), **options)["predicted_utilization"]
        0.5
    """
    say("the train step")
    parts = step.time_parts(seconds)
    say("the training loop with real data")
    loop = step.time_training(seconds)
    data = equation.data_seconds_per_batch(example_seconds, batch_size, cores)
    if step.gpu:
        predicted = equation.seconds_per_step(data, parts["step"])
    else:
        predicted = equation.shared_seconds_per_step(
            example_seconds * batch_size, parts["step_core_seconds"], parts["step"], cores
        )
    return {
        "device": "GPU" if step.gpu else "CPU",
        "backend": step.backend,
        **parts,
        "data": data,
        "predicted": predicted,
        "predicted_utilization": parts["step"] / predicted,
        **loop,
    }

"""How busy the GPU is while something runs, asked of its driver (NVML) or of the profiler."""

import contextlib
import pathlib
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator


class Samples:
    """What a `watch` or a `trace` saw.

    Attributes:
        shares: One number from 0 to 1 for each look: the share of the driver's last sampling
            period in which a kernel ran; or one for the whole time, of a `trace`.
        why_none: In words, why there are none; empty if there are.

    Example:
        >>> Samples().mean is None
        True
    """

    def __init__(self) -> None:
        self.shares: list[float] = []
        self.why_none = ""

    @property
    def mean(self) -> float | None:
        """Mean share from 0 to 1, or None if nothing could be seen."""
        return sum(self.shares) / len(self.shares) if self.shares else None


def has_gpu() -> bool:
    """Whether Keras trains on a GPU here.

    Returns:
        bool.

    Example:
        >>> has_gpu() in (True, False)
        True
    """
    import keras

    # Of all devices: JAX has no list of GPUs where there is none, but an error.
    return any(device.startswith("gpu") for device in keras.distribution.list_devices())


@contextlib.contextmanager
def watch(*, every_seconds: float = 0.1, gpu: int = 0) -> Iterator[Samples]:
    """Look at a GPU again and again while the block runs.

    NVML counts a GPU as busy whenever any kernel runs, however small: 100 % means that it never
    waits, not that it could do no more.

    Args:
        every_seconds: Time between two looks.
        gpu: Which GPU, counted as the driver counts.

    Yields:
        `Samples`, complete when the block is done. Without a GPU or the package nvidia-ml-py
        they stay empty and say why.

    Example:
        >>> with watch() as seen:
        ...     pass
        >>> seen.mean is None or 0 <= seen.mean <= 1
        True
    """
    samples = Samples()
    try:
        import pynvml

        pynvml.nvmlInit()
        handle = pynvml.nvmlDeviceGetHandleByIndex(gpu)
    except ImportError:
        samples.why_none = "not measured: the package nvidia-ml-py is not installed"
    except pynvml.NVMLError as error:
        samples.why_none = f"not measured: no GPU that NVML knows ({error})"
    if samples.why_none:
        yield samples
        return

    done = threading.Event()

    def sample() -> None:
        while not done.is_set():
            samples.shares.append(pynvml.nvmlDeviceGetUtilizationRates(handle).gpu / 100)
            done.wait(every_seconds)

    # The driver's figure is about the time before it is asked.
    time.sleep(every_seconds)
    watcher = threading.Thread(target=sample, daemon=True)
    watcher.start()
    try:
        yield samples
    finally:
        done.set()
        watcher.join()
        pynvml.nvmlShutdown()


@contextlib.contextmanager
def trace(*, device: str = "/device:GPU:0") -> Iterator[Samples]:
    """Add up what JAX's profiler saw a device do while the block runs, where there is no NVML.

    It slows what it watches, so time the block without it.

    Args:
        device: What the profiler calls it.

    Yields:
        `Samples`, complete when the block is done; empty if the profiler saw no such device.

    Example:
        >>> with trace(device="/device:none") as seen:
        ...     pass
        >>> seen.why_none
        'not measured: the profiler saw nothing of /device:none'
    """
    import jax

    samples = Samples()
    with tempfile.TemporaryDirectory() as folder:
        begun = time.perf_counter()
        with jax.profiler.trace(folder):
            yield samples
            seconds = time.perf_counter() - begun
        spans = []
        for path in pathlib.Path(folder).rglob("*.xplane.pb"):
            for plane in jax.profiler.ProfileData.from_file(str(path)).planes:
                if plane.name.startswith(device):
                    spans += [
                        (event.start_ns, event.start_ns + event.duration_ns)
                        for line in plane.lines
                        for event in line.events
                    ]
    if spans:
        samples.shares.append(min(1.0, covered(spans) * 1e-9 / seconds))
    else:
        samples.why_none = f"not measured: the profiler saw nothing of {device}"


def covered(spans: Iterable[tuple[float, float]]) -> float:
    """Length of what at least one of several spans covers.

    Args:
        spans: Pairs of start and stop, in any order.

    Returns:
        A number in the unit of the spans.

    Example:
        >>> covered([(5, 6), (0, 2), (1, 3)])
        4
    """
    total, until = 0, float("-inf")
    for start, stop in sorted(spans):
        total += max(0, stop - max(start, until))
        until = max(until, stop)
    return total

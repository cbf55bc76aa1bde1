"""How busy the GPU is while something runs, asked of its driver (NVML) or of the profiler."""

import contextlib
import pathlib
import tempfile
import threading
import time


class Samples:
    """What a `watch` or a `trace` saw.

    Attributes:
        shares: One number from 0 to 1 for each look: the share of the driver's last sampling
            period in which a kernel ran; or one for the whole time, of a `trace`.
        why_none: In words, why there are none; empty if there are.
    """

    def __init__(self):
        self.shares, self.why_none = [], ""

    @property
    def mean(self):
        """Mean share from 0 to 1, or None if nothing could be seen."""
        return sum(self.shares) / len(self.shares) if self.shares else None


@contextlib.contextmanager
def watch(*, every_seconds=0.1, gpu=0):
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

    def look():
        while not done.is_set():
            samples.shares.append(pynvml.nvmlDeviceGetUtilizationRates(handle).gpu / 100)
            done.wait(every_seconds)

    # The driver's figure is about the time before it is asked.
    time.sleep(every_seconds)
    watcher = threading.Thread(target=look, daemon=True)
    watcher.start()
    try:
        yield samples
    finally:
        done.set()
        watcher.join()
        pynvml.nvmlShutdown()


@contextlib.contextmanager
def trace(*, device="/device:GPU:0"):
    """Add up what JAX's profiler saw a device do while the block runs, where there is no NVML.

    It slows what it watches, so time the block without it.

    Args:
        device: What the profiler calls it.

    Yields:
        `Samples`, complete when the block is done; empty if the profiler saw no such device.
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


def covered(spans):
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

"""The balance equation: how fast data arrives, how fast the device takes it, what binds.

A batch of B examples takes the processor T_g · B / C seconds to make, where T_g is the time of
one example on one core and C the number of cores, and takes the device one step. Whichever is
longer is the time of a training step:

    with prefetch       step = max(data, device)     utilization = device / max(data, device)
    without prefetch    step = data + device         utilization = device / (data + device)

Every function here is plain arithmetic; `python -m benchmarks.balance` measures what goes into it
and holds what comes out against a real training loop, and `ssd.Balance` sees it in yours.
"""


def data_seconds_per_batch(example_seconds: float, batch_size: float, cores: float) -> float:
    """Seconds that the cores take to make one batch.

    Args:
        example_seconds: T_g, seconds of one core for one example: read, decode, augment, batch.
        batch_size: B, examples in a batch.
        cores: C, cores that make examples; need not be whole.

    Returns:
        T_g · B / C, in seconds.

    Raises:
        ValueError: If a time is negative or a count is not above 0.

    Example:
        >>> data_seconds_per_batch(0.028, 32, 4)
        0.224
    """
    _check("example_seconds", example_seconds, at_least=0)
    _check("batch_size", batch_size, above=0)
    _check("cores", cores, above=0)
    return example_seconds * batch_size / cores


def device_seconds_per_batch(
    forward_seconds: float, batch_size: float, *, backward_factor: float = 1.0
) -> float:
    """Seconds of a train step, guessed from the forward pass alone.

    The guess is that backward costs as much as forward; `python -m benchmarks.balance` says by
    how much the measured step departs from it.

    Args:
        forward_seconds: T_i, seconds of the device for the forward pass of one example.
        batch_size: B, examples in a batch.
        backward_factor: Cost of the backward pass as a multiple of the forward pass.

    Returns:
        (1 + backward_factor) · T_i · B, in seconds.

    Raises:
        ValueError: If a time or the factor is negative or the batch is not above 0.

    Example:
        >>> device_seconds_per_batch(0.0001625, 32)
        0.0104
    """
    _check("forward_seconds", forward_seconds, at_least=0)
    _check("batch_size", batch_size, above=0)
    _check("backward_factor", backward_factor, at_least=0)
    return (1 + backward_factor) * forward_seconds * batch_size


def seconds_per_step(data_seconds: float, device_seconds: float, *, prefetch: bool = True) -> float:
    """Seconds between two steps of a training loop.

    Args:
        data_seconds: Seconds to make a batch, as `data_seconds_per_batch` says.
        device_seconds: Seconds of the device for a batch.
        prefetch: Whether the next batch is made while the device works on this one.

    Returns:
        max(data, device) with prefetch, data + device without, in seconds.

    Raises:
        ValueError: If a time is negative.

    Example:
        >>> seconds_per_step(0.224, 0.0104), seconds_per_step(0.224, 0.0104, prefetch=False)
        (0.224, 0.2344)
    """
    _check("data_seconds", data_seconds, at_least=0)
    _check("device_seconds", device_seconds, at_least=0)
    return max(data_seconds, device_seconds) if prefetch else data_seconds + device_seconds


def utilization(data_seconds: float, device_seconds: float, *, prefetch: bool = True) -> float:
    """Share of the time in which the device works.

    Args:
        data_seconds: Seconds to make a batch.
        device_seconds: Seconds of the device for a batch.
        prefetch: Whether the next batch is made while the device works on this one.

    Returns:
        device / max(data, device), or device / (data + device) without prefetch, from 0 to 1.

    Raises:
        ValueError: If a time is negative, or both are 0.

    Example:
        The project's first trainer: 28 ms an example, 4 cores, a step of 10.4 ms.

        >>> data = data_seconds_per_batch(0.028, 32, 4)
        >>> round(utilization(data, 0.0104, prefetch=False), 3)
        0.044
        >>> utilization(data, 0.0104) == 0.0104 / 0.224
        True
    """
    step = seconds_per_step(data_seconds, device_seconds, prefetch=prefetch)
    if step == 0:
        raise ValueError("utilization: wanted data or device above 0 seconds, got 0 for both")
    return device_seconds / step


def shared_seconds_per_step(
    data_core_seconds: float, device_core_seconds: float, device_seconds: float, cores: float
) -> float:
    """Seconds between two steps where the device is the same processor that makes the data.

    Both sides take their time from the same cores, so it adds up, prefetch or not; and a step
    is never faster than the train step alone.

    Args:
        data_core_seconds: T_g · B, seconds of one core to make a batch.
        device_core_seconds: Seconds of one core that a train step keeps busy, all cores summed.
        device_seconds: Seconds that a train step takes on all cores when nothing else runs.
        cores: Cores that both sides share.

    Returns:
        max(device, (data + device of one core) / cores), in seconds.

    Raises:
        ValueError: If a time is negative or there are no cores.

    Example:
        A batch takes one core 0.06 s, the step takes two cores 0.2 s and keeps them busy.

        >>> round(shared_seconds_per_step(0.06, 0.4, 0.2, 2), 3)
        0.23
    """
    _check("data_core_seconds", data_core_seconds, at_least=0)
    _check("device_core_seconds", device_core_seconds, at_least=0)
    _check("device_seconds", device_seconds, at_least=0)
    _check("cores", cores, above=0)
    return max(device_seconds, (data_core_seconds + device_core_seconds) / cores)


def photos_per_second(
    data_seconds: float, device_seconds: float, batch_size: float, *, prefetch: bool = True
) -> float:
    """Photos that a training loop goes through in a second.

    Args:
        data_seconds: Seconds to make a batch.
        device_seconds: Seconds of the device for a batch.
        batch_size: B, examples in a batch.
        prefetch: Whether the next batch is made while the device works on this one.

    Returns:
        Photos a second.

    Raises:
        ValueError: If a time is negative, both are 0, or the batch is not above 0.

    Example:
        >>> round(photos_per_second(0.224, 0.0104, 32))
        143
    """
    _check("batch_size", batch_size, above=0)
    step = seconds_per_step(data_seconds, device_seconds, prefetch=prefetch)
    if step == 0:
        raise ValueError("photos_per_second: wanted data or device above 0 seconds, got 0 for both")
    return batch_size / step


def binds(data_seconds: float, device_seconds: float) -> str:
    """Which side sets the pace: "data" (input-bound) or "device".

    Args:
        data_seconds: Seconds to make a batch.
        device_seconds: Seconds of the device for a batch.

    Returns:
        "data" if data > device, else "device".

    Raises:
        ValueError: If a time is negative.

    Example:
        >>> binds(0.224, 0.0104), binds(0.004, 0.0104)
        ('data', 'device')
    """
    _check("data_seconds", data_seconds, at_least=0)
    _check("device_seconds", device_seconds, at_least=0)
    return "data" if data_seconds > device_seconds else "device"


def cores_needed(
    example_seconds: float, batch_size: float, device_seconds: float, *, target: float = 0.95
) -> float:
    """Cores with which the device works the target share of the time, with prefetch.

    From utilization = device · C / (T_g · B), solved for C.

    Args:
        example_seconds: T_g, seconds of one core for one example.
        batch_size: B, examples in a batch.
        device_seconds: Seconds of the device for a batch.
        target: Utilization wanted, above 0 and up to 1.

    Returns:
        target · T_g · B / device: cores, not rounded.

    Raises:
        ValueError: If an argument is outside its range.

    Example:
        >>> round(cores_needed(0.028, 32, 0.0104), 1)
        81.8
    """
    _check("device_seconds", device_seconds, above=0)
    _check("target", target, above=0, at_most=1)
    return target * data_seconds_per_batch(example_seconds, batch_size, 1) / device_seconds


def photos_per_second_needed(
    batch_size: float, device_seconds: float, *, target: float = 0.95
) -> float:
    """Photos a second that keep the device working the target share of the time.

    Args:
        batch_size: B, examples in a batch.
        device_seconds: Seconds of the device for a batch.
        target: Utilization wanted, above 0 and up to 1.

    Returns:
        target · B / device: photos a second.

    Raises:
        ValueError: If an argument is outside its range.

    Example:
        >>> round(photos_per_second_needed(32, 0.0104))
        2923
    """
    _check("batch_size", batch_size, above=0)
    _check("device_seconds", device_seconds, above=0)
    _check("target", target, above=0, at_most=1)
    return target * batch_size / device_seconds


def run_seconds(
    data_seconds: float, device_seconds: float, steps: int, *, buffer_batches: int = 0
) -> float:
    """Seconds of a run of so many steps that starts with a full buffer between the two sides.

    The buffer lets an input-bound device run at its own pace until it is empty: it delays the
    bound and does not lift it. Over a long run each step takes max(data, device), however large
    the buffer; and since each batch takes as long as the next, room for more is never used.

    Args:
        data_seconds: Seconds to make a batch, each time the same.
        device_seconds: Seconds of the device for a batch, each time the same.
        steps: Steps of the run.
        buffer_batches: Batches that lie ready at the start.

    Returns:
        Seconds from the start until the last step is done.

    Raises:
        ValueError: If an argument is outside its range.

    Example:
        Data takes 4 s and the device 1 s. Ten batches ready make ten steps short, and no more.

        >>> for steps in (10, 100, 1000):
        ...     with_it = run_seconds(4.0, 1.0, steps, buffer_batches=10)
        ...     print(with_it / steps, run_seconds(4.0, 1.0, steps) / steps)
        1.0 4.1
        3.61 4.01
        3.961 4.001
    """
    _check("data_seconds", data_seconds, at_least=0)
    _check("device_seconds", device_seconds, at_least=0)
    _check("steps", steps, at_least=1)
    _check("buffer_batches", buffer_batches, at_least=0)
    left = steps - buffer_batches  # batches that are made during the run
    if left <= 0:
        return steps * device_seconds
    # The device never waits, or waits for the first batch made, or for each up to the last.
    return max(
        steps * device_seconds,
        data_seconds + left * device_seconds,
        left * data_seconds + device_seconds,
    )


def _check(
    name: str,
    value: float,
    *,
    at_least: float | None = None,
    above: float | None = None,
    at_most: float | None = None,
) -> None:
    limits = []
    if above is not None:
        limits.append((value > above, f"above {above}"))
    if at_least is not None:
        limits.append((value >= at_least, f"{at_least} or more"))
    if at_most is not None:
        limits.append((value <= at_most, f"at most {at_most}"))
    if not all(holds for holds, _ in limits):  # False for NaN as well
        raise ValueError(f"{name}: wanted {' and '.join(text for _, text in limits)}, got {value}")

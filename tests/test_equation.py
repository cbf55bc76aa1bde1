"""The balance equation against the project's published starting point and a loop that waits."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ssd import equation

# The first trainer: 28 ms of one core for an example, 32 in a batch, 4 cores, a step of 10.4 ms.
START = {"example_seconds": 0.028, "batch_size": 32}
DEVICE = 0.0104

seconds = st.floats(1e-4, 1.0)


def test_the_published_starting_point():
    data = equation.data_seconds_per_batch(**START, cores=4)
    assert data == pytest.approx(0.224)
    assert equation.utilization(data, DEVICE, prefetch=False) == pytest.approx(0.0104 / 0.2344)
    assert round(equation.utilization(data, DEVICE, prefetch=False), 2) == 0.04
    assert equation.utilization(data, DEVICE) == pytest.approx(0.0104 / 0.224)
    assert equation.binds(data, DEVICE) == "data"
    # Two passes of 162.5 µs for each of 32 photos.
    assert equation.device_seconds_per_batch(DEVICE / 64, 32) == pytest.approx(DEVICE)


@given(device=seconds, target=st.floats(0.05, 1.0))
def test_the_cores_needed_give_the_utilization_asked_for(device, target):
    cores = equation.cores_needed(**START, device_seconds=device, target=target)
    data = equation.data_seconds_per_batch(**START, cores=cores)
    assert equation.utilization(data, device) == pytest.approx(target)
    needed = equation.photos_per_second_needed(32, device, target=target)
    assert needed == pytest.approx(32 / data)


@given(data=seconds, device=seconds)
def test_prefetch_never_slows_and_at_most_doubles(data, device):
    with_it = equation.photos_per_second(data, device, 8)
    without = equation.photos_per_second(data, device, 8, prefetch=False)
    assert without < with_it <= 2 * without * (1 + 1e-12)
    assert 0 < equation.utilization(data, device) <= 1


def loop(data, device, steps, buffer, filled):
    """Two workers and a queue, one event at a time: the slow way to say what `run_seconds` says."""
    clock, queue, left, taken = 0.0, filled, steps - filled, 0
    making, working = math.inf, math.inf
    while True:
        if working == math.inf and queue:
            queue, taken, working = queue - 1, taken + 1, clock + device
        if making == math.inf and left > 0 and queue < buffer:
            left, making = left - 1, clock + data
        if making == working == math.inf:
            return clock
        clock = min(making, working)
        if making == clock:
            queue, making = queue + 1, math.inf
        if working == clock:
            working = math.inf


@settings(max_examples=300)
@given(
    data=st.integers(1, 9),
    device=st.integers(1, 9),
    steps=st.integers(1, 40),
    buffer=st.integers(1, 6),
    filled=st.integers(0, 6),
)
def test_a_run_takes_as_long_as_its_two_workers(data, device, steps, buffer, filled):
    """Room in the buffer beyond what lies in it at the start changes nothing."""
    filled = min(filled, buffer, steps)
    found = equation.run_seconds(data, device, steps, buffer_batches=filled)
    assert found == loop(data, device, steps, buffer, filled)


def test_a_buffer_delays_and_does_not_help():
    """However large it is: each step of a long input-bound run costs as much as its data."""
    for buffer in (1, 10, 100):
        full = equation.run_seconds(4, 1, 20_000, buffer_batches=buffer)
        assert full / 20_000 == pytest.approx(4, rel=0.02)
    # A short run ends before it is found out.
    assert equation.run_seconds(4, 1, 100, buffer_batches=100) == 100


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: equation.data_seconds_per_batch(-0.1, 32, 4), "example_seconds"),
        (lambda: equation.data_seconds_per_batch(0.1, 32, 0), "cores"),
        (lambda: equation.device_seconds_per_batch(float("nan"), 32), "forward_seconds"),
        (lambda: equation.utilization(0, 0), "0 for both"),
        (lambda: equation.cores_needed(0.1, 32, 0.1, target=1.5), "target.*at most 1"),
        (lambda: equation.run_seconds(1, 1, 0), "steps: wanted 1 or more"),
    ],
)
def test_what_makes_no_sense_is_named(call, said):
    with pytest.raises(ValueError, match=said):
        call()


def test_a_shared_processor_adds_up():
    """Ten seconds of one core are five of two; but a step is never faster than it is alone."""
    assert equation.shared_seconds_per_step(4, 6, 3.5, 2) == 5
    assert equation.shared_seconds_per_step(0.1, 6, 3.5, 2) == 3.5

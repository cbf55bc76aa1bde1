"""Batches from a tf.data service: they come, or a line says that they do not."""

import collections
import contextlib
import socket
import subprocess
import sys
import time

import pytest
import tensorflow as tf

import ssd
from ssd.data import remote, service

SERVER = """
import sys
import tensorflow as tf
servers = tf.data.experimental.service
target = sys.argv[1]
if target == "none":
    dispatcher = servers.DispatchServer(servers.DispatcherConfig(port=0))
    target = dispatcher.target.partition("://")[2]
worker = servers.WorkerServer(servers.WorkerConfig(target))
print(target, flush=True)
worker.join()
"""


@contextlib.contextmanager
def other_machine(target):
    """A worker in a process that can die, with a dispatcher in it or with one elsewhere."""
    process = subprocess.Popen(
        [sys.executable, "-c", SERVER, target], stdout=subprocess.PIPE, text=True
    )
    try:
        yield process, f"grpc://{process.stdout.readline().strip()}"
    finally:
        process.kill()
        process.communicate()


@pytest.fixture
def patience(monkeypatch):
    """Ticks until a loop ends: without an end while machines start, however busy they are."""
    ticks = tf.Variable(10**9)
    for option, value in {"tick": 0.25, "said_after": 8, "given_up_after": ticks}.items():
        monkeypatch.setitem(remote.end_waits.__kwdefaults__, option, value)
    return ticks


@pytest.mark.parametrize("dies", ["the worker", "the dispatcher as well"])
def test_a_worker_that_died_is_said_and_ends_the_loop(disc_labels, tiny, patience, capfd, dies):
    servers, target = tf.data.experimental.service, "none"
    if dies == "the worker":
        dispatcher = servers.DispatchServer(servers.DispatcherConfig(port=0))
        target = dispatcher.target.partition("://")[2]
    with other_machine(target) as (machine, address):
        made = ssd.dataset(disc_labels, tiny, batch_size=16, training=True, service=address)
        assert made.cardinality() == tf.data.INFINITE_CARDINALITY
        batches = iter(made)
        for _ in range(8):  # more than a pass
            images, labels = next(batches)
            assert images.shape == (16, 64, 96, 3)
            assert labels.shape == (16, 12, 5)
        machine.kill()
        patience.assign(40)
        with pytest.raises(
            tf.errors.InvalidArgumentError,
            match=rf"{address}: no batch has come for \d+ s; do its dispatcher and workers run",
        ):
            collections.deque(batches, maxlen=0)  # some were on their way
    lines = [line for line in capfd.readouterr().err.splitlines() if "no batch" in line]
    assert f"{address}: no batch has come for 2 s; do its dispatcher and workers run?" in lines


def test_a_loop_that_is_slow_to_ask_is_not_waiting(capfd):
    """Of the ticks of that time only a few have piled up."""
    made = remote.end_waits(
        tf.data.Dataset.range(50).repeat(), "here", tick=0.02, said_after=60, given_up_after=60
    )
    seen = []
    for number in made.take(100):
        if len(seen) % 50 == 20:
            time.sleep(3)  # 150 ticks
        seen.append(int(number))
    assert seen == [*range(50), *range(50)]
    assert "no batch" not in capfd.readouterr().err


def test_elements_keep_order_and_structure():
    pairs = tf.data.Dataset.range(5).map(lambda n: {"a": n, "b": (tf.fill([2], n), n)})
    made = remote.end_waits(pairs.repeat(), "here")
    assert made.element_spec == pairs.element_spec
    assert [int(each["b"][1]) for each in made.take(7)] == [0, 1, 2, 3, 4, 0, 1]


def test_nobody_at_the_address_is_said_at_once(disc_labels, tiny):
    """TensorFlow would try for an hour and say nothing."""
    with socket.socket() as free:  # bound and not listening: nobody answers there
        free.bind(("localhost", 0))
        address = f"grpc://localhost:{free.getsockname()[1]}"
        with pytest.raises(ConnectionError, match=f"{address}: wanted the dispatcher of a data"):
            ssd.dataset(disc_labels, tiny, training=True, service=address)


@pytest.mark.parametrize("address", ["10.0.0.1:5050", "grpc://10.0.0.1", "grpc://:5050", ""])
def test_what_is_no_address_is_refused(disc_labels, tiny, address, capsys):
    said = f"service: wanted grpc://HOST:PORT, got {address}"
    with pytest.raises(ValueError, match=said):
        ssd.dataset(disc_labels, tiny, training=True, service=address)
    assert service.main(["worker", "--open-to-network", address]) == 1
    assert said in capsys.readouterr().err

"""The same labels from every engine, whatever dies on the way."""

import contextlib
import itertools
import os
import pathlib
import signal

import pytest
from test_labeling import files_of, make_photos, options

from distill import engine, labeling

UNHURRIED = "stand_in_teacher:unhurried"
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


@pytest.fixture
def ray(monkeypatch):
    """Ray, with the stand-in teachers where its workers find them."""
    ray = pytest.importorskip("ray")
    paths = [ROOT, os.path.join(ROOT, "tests")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))
    return ray


@pytest.fixture
def machines(ray):
    """A cluster of two machines, as far as Ray can tell, and this process joined to it."""
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    cluster.add_node(num_cpus=1)
    ray.init(address=cluster.address, log_to_driver=False, logging_level="error")
    yield cluster
    ray.shutdown()
    cluster.shutdown()


def kill_nine(machine):
    """Kills a machine of a cluster as a power cut would: Ray's processes and the workers."""
    doomed = [each.process.pid for kind in machine.all_processes.values() for each in kind]
    for pid in [*doomed]:
        for children in pathlib.Path(f"/proc/{pid}/task").glob("*/children"):
            doomed += map(int, children.read_text().split())
    for pid in doomed:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return len(doomed)


@pytest.mark.slow
def test_a_machine_killed_on_the_way_changes_nothing(machines, tmp_path):
    folder = make_photos(tmp_path / "photos", 400)
    (folder / "broken.jpg").write_bytes(b"broken")
    chosen = options(teacher=UNHURRIED, shard_photos=40)
    whole = labeling.label(folder, tmp_path / "whole", chosen)
    (doomed,) = machines.worker_nodes
    seen, killed = [], []

    def watch(state):
        seen.append(state)
        if state.done > 100 and not killed:
            killed.append(kill_nine(doomed))

    counts = labeling.label(folder, tmp_path / "ray", chosen, engine=engine.cluster, progress=watch)
    assert killed[0] >= 2  # Ray's own process and a worker
    assert any(b.done < a.done for a, b in itertools.pairwise(seen))  # a shard was lost
    assert counts == whole
    assert files_of(tmp_path / "ray") == files_of(tmp_path / "whole")

"""The same labels from every engine, whatever dies on the way."""

import contextlib
import os
import pathlib
import signal
import sys
import types

import pytest
from test_labeling import STAND_IN, files_of, killed_again_and_again, make_photos, options

from distill import engine, labeling
from distill.__main__ import main
from distill.shard import Part

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


class Lost(Exception):
    """As Ray's errors about workers that are gone."""


class Told(Lost):
    """As Ray's error that brings one from a worker that lives."""

    def __init__(self, cause):
        super().__init__(cause)
        self.cause = cause


class Script:
    """Ray and a crew of one in a few lines: workers do what a list says, call after call."""

    exceptions = types.SimpleNamespace(RayError=Lost, RayTaskError=Told)

    def __init__(self, *calls):
        self.calls, self.idle, self.starting = list(calls), [], {}
        self.hired = self.buried = 0
        self.source = "."
        label = types.SimpleNamespace(remote=self.begin)
        self.worker = engine._Worker(types.SimpleNamespace(label=label), "here")

    def begin(self, names):
        return iter(self.calls.pop(0))

    def hire(self, wanted):
        if self.hired == self.buried:
            self.idle.append(self.worker)
            self.hired += 1

    def bury(self, worker):
        self.buried += 1

    def wait(self, streams, *, num_returns, timeout):
        return streams[:num_returns], streams[num_returns:]

    def get(self, value):
        if isinstance(value, Exception):
            raise value
        return value


ONE = Part([], [["a.jpg", "no photo"]], 0, 0)


def test_a_shard_whose_worker_dies_is_begun_anew():
    script = Script([ONE, Lost()], [ONE, ONE], [ONE])
    shards = {7: ["a.jpg", "a.jpg"], 8: ["a.jpg"]}
    steps = [
        (index, len(parts), whole) for index, parts, whole in engine._deal(script, script, shards)
    ]
    assert steps == [
        *[(7, 1, False), (7, 0, False)],  # lost, and said to be lost
        *[(7, 1, False), (7, 2, False), (7, 2, True)],
        *[(8, 1, False), (8, 1, True)],
    ]
    assert script.buried == 1


def test_a_shard_that_ends_too_soon_is_not_taken_for_whole():
    script = Script([ONE], [ONE, ONE])
    steps = list(engine._deal(script, script, {0: ["a.jpg", "a.jpg"]}))
    assert [whole for _, _, whole in steps] == [False, False, False, False, True]
    assert steps[-1] == (0, [ONE, ONE], True)
    assert script.buried == 1


def test_a_shard_that_kills_its_workers_ends_the_run():
    script = Script(*[[Lost()]] * engine.DEATHS)
    with pytest.raises(ChildProcessError, match=f"shard 3: {engine.DEATHS} workers died of it"):
        list(engine._deal(script, script, {3: ["a.jpg"]}))


def test_what_a_worker_says_is_heard():
    script = Script([Told(ValueError("no such folder here"))])
    with pytest.raises(ValueError, match="no such folder here"):
        list(engine._deal(script, script, {0: ["a.jpg"]}))


def test_a_machine_that_does_not_see_the_photos_says_so(tmp_path):
    make_photos(tmp_path / "photos", 1)
    with pytest.raises(ValueError, match="wanted a folder that all machines see"):
        engine._Labeler(str(tmp_path / "nowhere"), options()).prepare()
    worker = engine._Labeler(str(tmp_path / "photos"), options())
    worker.prepare()
    assert [part.photos for part in worker.label(["0000.jpg"])] == [1]
    with pytest.raises(ValueError, match=r"sees none of 'gone\.jpg'"):
        list(worker.label(["gone.jpg"]))
    with pytest.raises(OSError, match=r"gone\.jpg: No such file or directory; nothing is lost"):
        list(worker.label(["0000.jpg", "gone.jpg"]))
    assert list(worker.label([])) == []


def test_the_command_asks_for_what_it_needs(tmp_path, capsys, monkeypatch):
    arguments = [str(make_photos(tmp_path / "photos", 1)), str(tmp_path / "out")]
    arguments += ["--teacher", STAND_IN]
    assert main([*arguments, "--address", "head:6379"]) == 2
    assert "--address: wanted --engine ray with it" in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "ray", None)
    assert main([*arguments, "--engine", "ray"]) == 1
    assert "wanted Ray, it is not installed" in capsys.readouterr().err


@pytest.fixture
def ray(monkeypatch, tmp_path):
    """Ray, with the stand-in teachers where its workers find them, and a place to meet."""
    ray = pytest.importorskip("ray")
    paths = [ROOT, os.path.join(ROOT, "tests")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))
    monkeypatch.setenv("MEETING", str(tmp_path / "meeting"))
    (tmp_path / "meeting").mkdir()
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
    folder = make_photos(tmp_path / "photos", 640)
    (folder / "broken.jpg").write_bytes(b"broken")
    chosen = options(teacher="stand_in_teacher:in_company", shard_photos=160)
    alone = [tmp_path / "meeting" / name for name in "ab"]
    for name in alone:
        name.touch()
    whole = labeling.label(folder, tmp_path / "whole", chosen)
    for name in [*alone, tmp_path / "meeting" / str(os.getpid())]:
        name.unlink()
    (doomed,) = machines.worker_nodes
    killed, steps = [], []

    def watched(source, shards, options):
        for index, parts, whole in engine.cluster(source, shards, options):
            steps.append((index, len(parts), whole))
            if {index for index, *_ in steps} >= {0, 1} and not killed:
                killed.append(kill_nine(doomed))  # both have begun, neither is half done
            yield index, parts, whole

    counts = labeling.label(folder, tmp_path / "ray", chosen, engine=watched)
    assert killed[0] >= 2  # Ray's own process and a worker
    assert [parts for _, parts, _ in steps].count(0) >= 1  # a shard was lost
    assert counts == whole
    assert files_of(tmp_path / "ray") == files_of(tmp_path / "whole")


@pytest.mark.slow
def test_ray_started_by_the_command_and_killed_ten_times(ray, tmp_path):
    killed_again_and_again(tmp_path, 10, 400, "--engine", "ray")

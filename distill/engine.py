"""Where shards are labeled: in this process, or on the machines of a Ray cluster.

An engine is a generator of a folder, the shards to label ({index: names of photos}) and `Options`.
It yields `(index, parts, whole)`: all that there is so far of a shard, and whether that is all of
it. A shard whose machine dies is begun anew, and its parts are fewer again. An engine writes
nothing; whoever runs it does (`distill.labeling`), and so there is one writer.
"""

import collections
import logging
import os
import platform
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from distill.options import Options
from distill.shard import Part, label_shard

DEATHS = 4  # that end a run: of workers with the same shard, or on the same machine
PATIENCE = 1.0  # seconds between two looks at which machines there are


Step = tuple[int, list[Part], bool]
Shards = Mapping[int, Sequence[str]]


def local(source: str | os.PathLike, shards: Shards, options: Options) -> Iterator[Step]:
    """Labels shards in this process, one after the other.

    Args:
        source: Folder of the photos.
        shards: {index: names of photos}.
        options: `distill.options.Options`.

    Yields:
        (index, a list of `distill.shard.Part`s, whether the shard is whole).

    Raises:
        OSError: If photos cannot be read for a reason that may pass.

    Example:
        >>> list(local("photos", {}, Options(teacher="time:sleep")))
        []
    """
    teacher = options.load_teacher()
    for index, names in shards.items():
        parts: list[Part] = []
        for part in label_shard(source, names, teacher, options):
            parts.append(part)
            yield index, parts, False
        yield index, parts, True


def cluster(
    source: str | os.PathLike, shards: Shards, options: Options, *, address: str = "local"
) -> Iterator[Step]:
    """Labels shards on a Ray cluster.

    Each GPU gets a worker, an actor that holds the teacher, and so does each machine without a
    GPU; machines that join later get theirs, too. The folder must be visible under the same path
    on all of them, and the package installed.

    Args:
        source: Folder of the photos.
        shards: {index: names of photos}.
        options: `distill.options.Options`.
        address: Of a running cluster ("auto", "host:port", "ray://host:port"), or "local" to
            start one on this machine that ends with the run.

    Yields:
        (index, a list of `distill.shard.Part`s, whether the shard is whole).

    Raises:
        ValueError: If Ray is not installed, no cluster is at the address, or a machine of it
            does not see the photos or the teacher.
        ChildProcessError: If workers keep dying.
        OSError: If photos cannot be read for a reason that may pass.

    Example:
        >>> import functools
        >>> engine = functools.partial(cluster, address="head:6379")  # for `distill.labeling.label`
        >>> engine.keywords
        {'address': 'head:6379'}
    """
    ray = _import_ray()
    ours = not ray.is_initialized()
    if ours:
        try:
            ray.init(address=address, logging_level="error", log_to_driver=False)
        except (ConnectionError, RuntimeError, ValueError) as error:
            reason = str(error).partition("\n")[0]
            raise ValueError(
                f"address: wanted a running Ray cluster, got {address!r} ({reason})"
            ) from None
    crew = _Crew(ray, os.path.abspath(source), options)
    try:
        yield from _deal(ray, crew, shards)
    finally:
        crew.dismiss()
        if ours:
            ray.shutdown()


class _Worker(NamedTuple):
    actor: Any
    machine: str


class _Job(NamedTuple):
    worker: _Worker
    index: int
    parts: list[Part]


def _deal(ray: Any, crew: Any, shards: Shards) -> Iterator[Step]:
    """Gives each free worker a shard until all are done."""
    waiting = collections.deque(shards)
    deaths: collections.Counter[int] = collections.Counter()
    jobs: dict[Any, _Job] = {}  # by their streams of parts
    while waiting or jobs:
        crew.hire(len(waiting) + len(jobs))
        while waiting and crew.idle:
            worker, index = crew.idle.pop(), waiting.popleft()
            names = shards[index]
            stream = worker.actor.label.remote(names)
            jobs[stream] = _Job(worker, index, [])
        streams = [*jobs, *crew.starting]
        ready, _ = ray.wait(streams, num_returns=1, timeout=PATIENCE) if streams else ([], [])
        for stream in ready:
            if stream in crew.starting:
                crew.welcome(stream)
                continue
            job = jobs[stream]
            part = _next(ray, stream)
            if part is not None:
                job.parts.append(part)
                yield job.index, job.parts, False
                continue
            del jobs[stream]
            if sum(part.photos for part in job.parts) == len(shards[job.index]):
                crew.idle.append(job.worker)
                yield job.index, job.parts, True
                continue
            crew.bury(job.worker)
            deaths[job.index] += 1
            if deaths[job.index] == DEATHS:
                raise ChildProcessError(f"shard {job.index}: {DEATHS} workers died of it")
            waiting.appendleft(job.index)
            yield job.index, [], False


def _next(ray: Any, stream: Any) -> Part | None:
    """The next part of a shard; None if there is none, be it whole or its worker dead."""
    try:
        return ray.get(next(stream))
    except StopIteration:
        return None
    except ray.exceptions.RayTaskError as error:  # the worker lives, and says what is wrong
        raise error.cause from None
    except ray.exceptions.RayError:
        return None


class _Crew:
    """The workers of a cluster: as many as its machines have room for, none of them given up on."""

    def __init__(self, ray: Any, source: str, options: Options):
        self.ray, self.source, self.options = ray, source, options
        self.idle: list[_Worker] = []
        self.starting: dict[Any, _Worker] = {}  # by the promise that the teacher is loaded
        self.staff: dict[str, list] = collections.defaultdict(list)  # actors of each machine
        self.deaths: collections.Counter[str] = collections.Counter()  # in a row on a machine
        self.actor = ray.remote(max_restarts=0)(_Labeler)

    def hire(self, wanted: int) -> None:
        """Puts workers where there is room for them, as long as there are fewer than wanted."""
        machines = {
            node["NodeID"]: workers_on(node["Resources"])
            for node in self.ray.nodes()
            if node["Alive"]
        }
        for machine in set(self.staff) - set(machines):
            del self.staff[machine]
        if machines and all(self.deaths[machine] >= DEATHS for machine in machines):
            raise ChildProcessError(f"workers died on every machine, {DEATHS} times in a row")
        pinned = self.ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy
        for machine, (number, cpus, gpus) in machines.items():
            while (
                len(self.staff[machine]) < number
                and self.deaths[machine] < DEATHS
                and sum(map(len, self.staff.values())) < wanted
            ):
                actor = self.actor.options(
                    num_cpus=cpus,
                    num_gpus=gpus,
                    scheduling_strategy=pinned(machine, soft=False),
                ).remote(self.source, self.options)
                self.staff[machine].append(actor)
                self.starting[actor.prepare.remote()] = _Worker(actor, machine)

    def welcome(self, begun: Any) -> None:
        """Takes on a worker that has loaded the teacher, or buries it."""
        worker = self.starting.pop(begun)
        try:
            self.ray.get(begun)
        except self.ray.exceptions.RayTaskError as error:
            raise error.cause from None
        except self.ray.exceptions.RayError:
            self.bury(worker)
        else:
            self.deaths[worker.machine] = 0
            self.idle.append(worker)

    def bury(self, worker: _Worker) -> None:
        """Strikes a dead worker off, so that another may take its place."""
        logging.getLogger(__name__).warning("a worker died; what it had is begun anew")
        self.ray.kill(worker.actor)
        self.deaths[worker.machine] += 1
        if worker.actor in self.staff[worker.machine]:
            self.staff[worker.machine].remove(worker.actor)

    def dismiss(self) -> None:
        """Ends all workers."""
        for actors in self.staff.values():
            for actor in actors:
                self.ray.kill(actor)


class _Labeler:
    """An actor that holds the teacher."""

    def __init__(self, source: str, options: Options):
        self.source, self.options = source, options

    def prepare(self) -> None:
        """Loads the teacher; raises ValueError if the photos or the teacher are not there."""
        if not os.path.isdir(self.source):
            raise ValueError(
                f"{self.source}: wanted a folder that all machines see, {platform.node()} does not"
            )
        self.teacher = self.options.load_teacher()

    def label(self, names: Sequence[str]) -> Iterator[Part]:
        """The parts of a shard, all of whose photos the machine that found them sees."""
        if names and not _sees_any(self.source, names):
            raise ValueError(f"{self.source}: {platform.node()} sees none of {names[0]!r} and more")
        yield from label_shard(self.source, names, self.teacher, self.options)


def _sees_any(source: str, names: Sequence[str]) -> bool:
    return any(os.path.lexists(os.path.join(source, name)) for name in names)


def workers_on(resources: Mapping[str, float]) -> tuple[int, int, int]:
    """How many workers a machine of a cluster takes, and what each is given.

    A worker uses all cores it finds, so a machine without a GPU has one, and each GPU has one.

    Args:
        resources: What Ray says the machine has, such as {"CPU": 8.0, "GPU": 2.0}.

    Returns:
        (workers, CPUs of each, GPUs of each).

    Example:
        >>> workers_on({"CPU": 16.0}), workers_on({"CPU": 16.0, "GPU": 2.0}), workers_on({})
        ((1, 16, 0), (2, 8, 1), (0, 0, 0))
    """
    cpus, gpus = int(resources.get("CPU", 0)), int(resources.get("GPU", 0))
    if gpus:
        return gpus, cpus // gpus, 1
    return min(cpus, 1), cpus, 0


def _import_ray() -> Any:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray  # pyright: ignore[reportMissingImports]
        import ray.util.scheduling_strategies  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise ValueError("engine: wanted Ray, it is not installed (pip install '.[ray]')") from None
    return ray

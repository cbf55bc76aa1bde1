"""The same work on many things at once, in several processes, its results in their order."""

import atexit
import collections
import contextlib
import dataclasses
import itertools
import multiprocessing
import os
import signal
import sys
import traceback
import types
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

T = TypeVar("T")
R = TypeVar("R")

_GIVEN = 3  # things a helper has before it, so that it need not wait for what is done here
_AHEAD = 4  # things for each process that are taken, and whose results are not
_ASKING = (signal.SIGINT, signal.SIGTERM)  # a terminal and a service manager send them to all


def side_by_side(
    work: Callable[[T], R], things: Iterable[T], workers: int
) -> Generator[R, None, None]:
    """`map`, in this process and several others; few results are held for each of them.

    This process begins at once. The others start meanwhile, and each takes part from when it is
    ready. They end with this one, however it ends, and are deaf to Ctrl-C: what they were given
    they complete.

    Args:
        work: What to do with one of the things. Where there are several workers, pickle has to be
            able to take it, the things and the results to another process; so it cannot be
            defined in the program's own script, which others do not run.
        things: Any number; taken as they are needed.
        workers: How many processes, this one among them.

    Yields:
        The results, in the order of the things. What `work` raises comes in its place.

    Raises:
        OSError: If another process was killed.

    Example:
        >>> list(side_by_side(abs, range(-3, 3), 1))
        [3, 2, 1, 0, 1, 2]
    """
    things = iter(things)
    waiting: collections.deque[_Task[T, R]] = collections.deque()
    with contextlib.ExitStack() as at_the_end:
        helpers = []
        for _ in range(workers - 1):
            helpers.append(_Helper(work))
            at_the_end.callback(helpers[-1].end)
        for thing in things:
            own = _Task(thing)
            waiting.append(own)
            for helper in helpers:
                helper.take_answers()
                for other in itertools.islice(things, helper.room):
                    waiting.append(helper.give(other))
            own.outcome = _outcome(work, thing)
            while waiting and (waiting[0].outcome or len(waiting) >= _AHEAD * workers):
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


@dataclasses.dataclass
class _Task(Generic[T, R]):
    """One of the things, and what came of it: a result, or what was raised in its place."""

    thing: T
    helper: "_Helper | None" = None
    outcome: tuple[Any, Exception | None] | None = None

    def result(self) -> R:
        while self.outcome is None:
            assert self.helper is not None
            self.helper.take_answers(wait=True)
        result, error = self.outcome
        if error is not None:
            raise error
        return result


class _Helper:
    """Another process that does the work."""

    def __init__(self, work: Callable[[Any], Any]) -> None:
        # Not forked: what has threads, as NumPy and runtimes have, cannot be.
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        # The work is not among these: the system takes 64 KB for a process that is not yet there.
        self._process = context.Process(target=_help, args=(theirs, os.getcwd()), daemon=True)
        with _deaf(), _without_script():
            self._process.start()
        atexit.register(self.end)  # before multiprocessing's own, which would wait for it
        theirs.close()  # so that it is only open there, and its end can be seen here
        self._work: Callable[[Any], Any] | None = work  # until it knows it
        self._tasks: collections.deque[_Task] = collections.deque()
        self._is_ready = False

    @property
    def room(self) -> int:
        """How many things more it can be given."""
        return _GIVEN - len(self._tasks) if self._is_ready else 0

    def give(self, thing: Any) -> "_Task":
        """Have a thing worked on."""
        task = _Task(thing, self)
        self._tasks.append(task)
        with self._alive():
            self._connection.send(thing)
        return task

    def take_answers(self, *, wait: bool = False) -> None:
        """Note what has come of the things that it was given; wait for one of them, or do not."""
        with self._alive():
            while self._is_to_answer and self._connection.poll(None if wait else 0):
                answer, wait = self._connection.recv(), False
                if self._work is not None:
                    self._connection.send(self._work)
                    self._work = None
                elif self._is_ready:
                    self._tasks.popleft().outcome = answer
                else:
                    self._is_ready = True

    def end(self) -> None:
        """End it; what it is at it completes."""
        atexit.unregister(self.end)
        self._connection.close()
        if not self._tasks:
            self._process.kill()
        self._process.join()

    @property
    def _is_to_answer(self) -> bool:
        return bool(self._tasks) or not self._is_ready

    @contextlib.contextmanager
    def _alive(self) -> Iterator[None]:
        """Where it has ended, the things that it was given have that in place of a result."""
        try:
            yield
        except (EOFError, OSError):
            self._process.join()
            why = f"ended with status {self._process.exitcode}; too little memory?"
            if not self._tasks:
                raise OSError(f"wanted another process to work side by side, it {why}") from None
            while self._tasks:
                task = self._tasks.popleft()
                error = OSError(f"{task.thing}: wanted a result, the process at work on it {why}")
                task.outcome = None, error


def _help(connection: "Connection", folder: str) -> None:
    """In another process: do what is asked until the one that asks has gone."""
    for number in _ASKING:
        signal.signal(number, signal.SIG_IGN)
    os.chdir(folder)
    with contextlib.suppress(EOFError, OSError):
        connection.send(None)  # here
        work = connection.recv()
        connection.send(None)  # ready
        while True:
            connection.send(_outcome(work, connection.recv()))


def _outcome(work: Callable[[Any], Any], thing: Any) -> tuple[Any, Exception | None]:
    try:
        return work(thing), None
    except Exception as error:
        error.add_note(traceback.format_exc())  # of another process only this arrives
        return None, error


@contextlib.contextmanager
def _deaf() -> Iterator[None]:
    """What is started meanwhile is never asked to stop, not even before it can say so itself."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    from multiprocessing import resource_tracker

    resource_tracker.ensure_running()  # which would lift the mask if it came later
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _ASKING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextlib.contextmanager
def _without_script() -> Iterator[None]:
    """What is started meanwhile does not run the program's own script once more."""
    script = sys.modules["__main__"]
    sys.modules["__main__"] = types.ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = script

"""The same work in several processes: results in their order, however one of them ends."""

import functools
import itertools
import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

from ssd.side_by_side import side_by_side


def slowly(number):
    time.sleep(0.001 * (number % 3))
    return number


def process_of(number):
    time.sleep(0.001)
    return os.getpid()


def refuse_a_thousand(number):
    time.sleep(0.001)
    if number == 1000:
        raise ValueError("a thousand")
    return number


def die_elsewhere(number, here):
    if os.getpid() != here:
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(0.001)
    return number


def all_processes(results):
    """Which are at work, once there are two of them."""
    seen = set()
    while len(seen) < 2:
        seen.add(next(results))
    return seen


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_side_by_side_keeps_the_order_and_takes_few_ahead(workers):
    given, taken, most = [], 0, 0

    def things():
        for number in itertools.count():
            if number > 300 and (workers == 1 or most > 1):  # others have taken part
                return
            given.append(number)
            yield number

    for number in side_by_side(slowly, things(), workers):
        assert number == taken
        most = max(most, len(given) - taken)
        taken += 1
    assert taken == len(given)
    assert most <= (1 if workers == 1 else 8 * workers)


def test_this_process_and_another_do_the_work():
    results = side_by_side(process_of, itertools.count(), 2)
    seen = all_processes(results)
    assert os.getpid() in seen
    results.close()
    (other,) = seen - {os.getpid()}
    with pytest.raises(ProcessLookupError):
        os.kill(other, 0)


@pytest.mark.parametrize("workers", [1, 2])
def test_what_work_raises_comes_in_its_place(workers):
    results = side_by_side(refuse_a_thousand, range(5000), workers)
    assert list(itertools.islice(results, 1000)) == list(range(1000))
    with pytest.raises(ValueError, match="a thousand"):
        next(results)


def test_a_process_that_is_killed_is_said_in_the_place_of_its_work():
    work = functools.partial(die_elsewhere, here=os.getpid())
    came = []
    with pytest.raises(OSError, match=r"^\d+: wanted a result.*status -9") as raised:
        came.extend(side_by_side(work, range(1_000_000), 2))
    assert came == list(range(int(str(raised.value).split(":")[0])))


def test_what_is_asked_to_stop_is_this_process_alone():
    """A terminal's Ctrl-C goes to all processes of a program, also to one that only starts."""
    script = (
        "import itertools, os, signal; from test_side_by_side import all_processes, process_of;"
        "from ssd.side_by_side import side_by_side; from ssd.stopping import stopping\n"
        "with stopping():\n"
        "    results = side_by_side(process_of, itertools.count(), 2); next(results)\n"
        "    os.killpg(0, signal.SIGINT); all_processes(results)\n"
        "with stopping():\n"
        "    os.killpg(0, signal.SIGTERM); print(len({next(results) for _ in range(100)}))"
    )
    done = run_alone(script)
    assert (done.stdout, done.stderr) == ("2\n", "")


def test_a_script_that_is_not_guarded_is_not_run_again(tmp_path):
    (tmp_path / "script.py").write_text(
        "import itertools; from test_side_by_side import all_processes, process_of;"
        "from ssd.side_by_side import side_by_side;"
        "print(len(all_processes(side_by_side(process_of, itertools.count(), 2))))"
    )
    done = run_alone(
        f"import runpy; runpy.run_path({str(tmp_path / 'script.py')!r}, None, '__main__')"
    )
    assert (done.stdout, done.stderr) == ("2\n", "")


def run_alone(script):
    here = pathlib.Path(__file__).parent
    environment = {**os.environ, "PYTHONPATH": f"{here.parent}:{here}"}
    return subprocess.run(
        [sys.executable, "-c", script],
        env=environment,
        capture_output=True,
        text=True,
        start_new_session=True,
        timeout=60,
    )

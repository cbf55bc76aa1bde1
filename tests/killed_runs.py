"""Whole training runs, killed at random moments: `killed_runs.py LABELS OUT CONFIG SEED KILLS`.

A moment is the n-th thing a run does: a file opened, renamed or removed in its folder, or a step
taken. No clock is asked, so the same seed kills at the same moments on any machine. Runs are
children of one process that has imported everything and computed nothing yet, and take their
steps eagerly, which spares compiling each time.
"""

import json
import os
import pathlib
import random
import shutil
import signal
import sys
import traceback
import warnings

import keras
import tensorflow as tf

import ssd
from ssd.training.fitting import train

EPOCHS = 3
_SEEN = ("open", "os.rename", "os.remove", "os.mkdir", "step")


class _Steps(keras.callbacks.Callback):
    """Makes a step something that a run does."""

    def on_train_batch_end(self, batch, logs=None):
        sys.audit("step", self.folder)

    def __init__(self, folder):
        super().__init__()
        self.folder = str(folder)


def run(labels, folder, config, kill_at, counts=None):
    """Train in a child that kills itself at the n-th event; whether it was killed."""
    child = os.fork()
    if child:
        _, status = os.waitpid(child, 0)
        if os.WIFSIGNALED(status):
            assert os.WTERMSIG(status) == signal.SIGKILL, status
            return True
        assert os.WEXITSTATUS(status) == 0, f"{folder}: the same call did not go on"
        return False
    done = 0

    def count(event, arguments):
        nonlocal done
        if event in _SEEN and str(arguments[0]).startswith(str(folder)):
            done += 1
            if done == kill_at:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(count)
    status = 1
    try:
        warnings.simplefilter("ignore")  # that tf.data keeps its graphs
        tf.config.run_functions_eagerly(True)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        train(
            labels, folder, config, epochs=EPOCHS, batch_size=24, seed=1, callbacks=[_Steps(folder)]
        )
        if counts:
            counts.write_text(str(done))
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)


def main(labels, out, config, seed, kills):
    """Kill runs until there were so many kills; each run ends by itself at last."""
    labels, out, config = pathlib.Path(labels), pathlib.Path(out), ssd.Config.from_json(config)
    out.mkdir()
    assert not run(labels, out / "whole", config, 0, counts=out / "counts")
    events = int((out / "counts").read_text())
    moments, killed, ended = random.Random(int(seed)), [], 0
    while len(killed) < int(kills):
        folder = out / f"run{ended}"
        moment = moments.randint(1, events)
        while len(killed) < int(kills) and run(labels, folder, config, moment):
            killed.append(moment)
            # Half of the moments in the first quarter: a run begins more often than it ends.
            moment = moments.randint(1, events if moments.random() < 0.5 else events // 4)
        assert not run(labels, folder, config, 0)
        rows = (folder / "history.csv").read_text().splitlines()
        assert [row.split(",")[0] for row in rows] == ["epoch", *map(str, range(EPOCHS))], rows
        assert sorted(path.name for path in folder.iterdir()) == [
            *("curves.png", "history.csv", "lock", "model.keras", "run.json"),
        ]
        shutil.rmtree(folder)
        ended += 1
    print(json.dumps({"events": events, "kills": killed, "runs": ended}))


if __name__ == "__main__":
    main(*sys.argv[1:])

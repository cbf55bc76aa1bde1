"""A training run that can be stopped anywhere and goes on where it was."""

import csv
import json
import os
import pathlib
import sys

import keras

from ssd import records
from ssd.config import Config
from ssd.data import dataset
from ssd.losses import LossTerms, MultiboxLoss
from ssd.model import SSD, load


def train(
    labels,
    out,
    config=None,
    *,
    epochs=30,
    batch_size=32,
    learning_rate=2e-3,
    seed=None,
    gate=0.999,
    extra=1.0,
    cache=None,
):
    """Train a detector on a folder of shards.

    After each epoch the run is saved, whole or not at all. The same call in the same folder
    goes on after the last epoch saved there, however the run was stopped.

    Args:
        labels: Folder that `python -m distill` wrote.
        out: Folder for `model.keras`, `history.csv` and `curves.png`.
        config: The `ssd.Config` of the model; the default one if left out.
        epochs: Passes over all photos.
        batch_size: Photos in a step.
        learning_rate: Its peak, reached after a twentieth of the steps; a cosine from there
            to zero.
        seed: Makes the run repeatable.
        gate, extra: As in `ssd.MultiboxLoss`.
        cache: As in `ssd.dataset`.

    Returns:
        The trained `ssd.SSD`, as saved in `out/model.keras`.

    Raises:
        ValueError: If there are fewer photos than a batch, or `out` holds another run.
    """
    out, config = pathlib.Path(out), config or Config()
    for option, value in {"epochs": epochs, "batch_size": batch_size}.items():
        if value < 1:
            raise ValueError(f"{option}: wanted 1 or more, got {value}")
    photos = records.count(labels)
    if photos < batch_size:
        raise ValueError(f"{labels}: wanted at least a batch of {batch_size} photos, got {photos}")
    run = {
        "labels": str(pathlib.Path(labels).resolve()),
        "config": json.loads(config.to_json()),
        "epochs": epochs,
        "batch_size": batch_size,
        "learning_rate": learning_rate,
        "seed": seed,
        "gate": gate,
        "extra": extra,
    }
    _claim(out, run)

    if seed is not None:
        keras.utils.set_random_seed(seed)
    steps = photos // batch_size
    # Repeated, so that the next epoch's photos are on their way before this one ends.
    data = dataset(
        labels, config, batch_size=batch_size, training=True, seed=seed, cache=cache
    ).repeat()
    saved = out / "model.keras"
    if saved.exists():
        model = load(saved)
        done = int(model.optimizer.iterations) // steps
    else:
        model, done = SSD(config), 0
        schedule = keras.optimizers.schedules.CosineDecay(
            0.0,
            epochs * steps,
            warmup_target=learning_rate,
            warmup_steps=max(1, epochs * steps // 20),
        )
        optimizer = keras.optimizers.AdamW(schedule, weight_decay=1e-4, clipnorm=10.0)
        model.compile(optimizer, MultiboxLoss(config, gate=gate, extra=extra))

    history = out / "history.csv"
    _keep_epochs(history, done)
    model.fit(
        data,
        epochs=epochs,
        initial_epoch=done,
        steps_per_epoch=steps,
        shuffle=False,  # the data does that
        verbose=1 if sys.stdout.isatty() else 2,
        # In this order: a row too many can be dropped, a missing one could not be made up.
        callbacks=[keras.callbacks.CSVLogger(history, append=done > 0), _Save(saved)],
    )
    plot(history, out / "curves.png")
    return model


def plot(history, path):
    """Draw each term of the loss over the epochs of a run.

    Args:
        history: The `history.csv` of a run.
        path: PNG file to write.
    """
    from matplotlib.figure import Figure

    with open(history, newline="") as file:
        rows = list(csv.DictReader(file))
    epochs = [int(row["epoch"]) + 1 for row in rows]
    names = ["loss", *LossTerms._fields]
    figure = Figure(figsize=(10, 5.5), layout="constrained")
    for axes, name in zip(figure.subplots(2, 3).flat, names, strict=True):
        axes.plot(epochs, [float(row[name]) for row in rows])
        axes.set_title(name, loc="left")
        axes.set_xlabel("epoch")
        axes.set_ylim(bottom=0)
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=120)


class _Save(keras.callbacks.Callback):
    """Saves model and optimizer after each epoch; a kill while writing harms nothing."""

    def __init__(self, path):
        super().__init__()
        self.path = path

    def on_epoch_end(self, epoch, logs=None):
        partial = self.path.with_name("partial.keras")
        self.model.save(partial)
        os.replace(partial, self.path)


def _claim(out, run):
    """Note the run in its folder, or see that the folder holds just this run."""
    out.mkdir(parents=True, exist_ok=True)
    note = out / "run.json"
    if note.exists():
        before = json.loads(note.read_text())
        changed = [word for word in run if before.get(word) != run[word]]
        if changed:
            word = changed[0]
            raise ValueError(
                f"{out} holds another run: its {word} is {before.get(word)!r}, "
                f"wanted {run[word]!r}; choose another folder"
            )
    elif any(out.iterdir()):
        raise ValueError(f"{out}: wanted an empty folder or a run to go on with")
    else:
        partial = out / "run.json.partial"
        partial.write_text(json.dumps(run, indent=2))
        os.replace(partial, note)


def _keep_epochs(history, count):
    """Drop rows of epochs that were logged but not saved: they are run again."""
    if not history.exists():
        return
    with open(history, newline="") as file:
        reader = csv.DictReader(file)
        names, rows = reader.fieldnames, [row for row in reader if int(row["epoch"]) < count]
    with open(history, "w", newline="") as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        writer.writerows(rows)

"""A training run that can be stopped anywhere and goes on where it was."""

import csv
import json
import pathlib
import shutil
import sys
from importlib import metadata, util

import keras

from ssd import atomic
from ssd.config import Config
from ssd.data import records
from ssd.data.pipeline import dataset
from ssd.nets.losses import LossTerms, MultiboxLoss
from ssd.nets.model import SSD, load


def train(
    labels,
    out,
    config=None,
    *,
    start=None,
    epochs=30,
    batch_size=32,
    learning_rate=2e-3,
    seed=None,
    alpha=1.0,
    gate=0.999,
    extra=1.0,
    balance_objects=0.0,
    combine="sum",
    freeze_normalization=False,
    validation=None,
    patience=None,
    tensorboard=False,
    cache=None,
):
    """Train a detector on labels.

    After each epoch the run is saved, whole or not at all. The same call in the same folder
    goes on after the last epoch saved there, however the run was stopped. How the model was
    trained stands in its `training`, and in every file it is saved to.

    Half precision and several devices are Keras's to set, before the call: see docs/training.md.

    Args:
        labels: Folder that `python -m distill` wrote, or a list of several. A folder that is
            named twice is seen twice in an epoch, which is how labels are weighed.
        out: Folder for `model.keras`, `history.csv` and `curves.png`.
        config: The `ssd.Config` of the model. If left out, that of `start`, or the default one.
        start: A `.keras` file whose weights to begin with. Its Config must have the same
            backbone, width and anchors; a head for other classes begins afresh.
        epochs: Passes over all photos.
        batch_size: Photos in a step.
        learning_rate: Its peak, reached after a twentieth of the steps; a cosine from there
            to zero.
        seed: Makes the run repeatable.
        alpha, gate, extra, balance_objects, combine: As in `ssd.MultiboxLoss`.
        freeze_normalization: Whether to keep the normalization of `start`
            (`ssd.SSD.freeze_normalization`), which makes a step a third faster or more.
        validation: Folder of labels, or a list, to measure the loss on after each epoch. The
            model of the epoch where it was least is kept in `best.keras`.
        patience: Epochs without a new best after which to stop; None trains to the end.
        tensorboard: Whether to write the terms of the loss to `out/tensorboard` as well.
        cache: As in `ssd.dataset`.

    Returns:
        The trained `ssd.SSD`: that of `out/best.keras` if there is a validation, or else that
        of `out/model.keras`.

    Raises:
        ValueError: If there are fewer photos than a batch, `out` holds another run, `start`
            does not fit, there is patience without a validation,
            `freeze_normalization` without a `start`, or no `tensorboard` package.
    """
    out = pathlib.Path(out)
    for option, value in {"epochs": epochs, "batch_size": batch_size}.items():
        if value < 1:
            raise ValueError(f"{option}: wanted 1 or more, got {value}")
    if patience is not None and (patience < 1 or validation is None):
        raise ValueError(f"patience: wanted 1 or more and a validation, got {patience}")
    if freeze_normalization and start is None:
        raise ValueError("freeze_normalization: wanted a trained model to start from, got none")
    if tensorboard and util.find_spec("tensorboard") is None:
        raise ValueError("tensorboard: wanted the package of that name (pip install tensorboard)")
    photos = records.count(labels)
    if photos < batch_size:
        named = ", ".join(map(str, records.folders(labels)))
        raise ValueError(f"{named}: wanted at least a batch of {batch_size} photos, got {photos}")
    first = None if start is None else load(start)
    config = config or (first.config if first else Config())
    if first:
        _check_fit(first.config, config, start)
    options = {
        "photos": photos,
        "epochs": epochs,
        "batch_size": batch_size,
        "learning_rate": learning_rate,
        "seed": seed,
        "alpha": alpha,
        "gate": gate,
        "extra": extra,
        "balance_objects": balance_objects,
        "combine": combine,
        "freeze_normalization": freeze_normalization,
        "patience": patience,
    }
    run = {
        "labels": _resolved(labels),
        "config": json.loads(config.to_json()),
        "start": start and str(pathlib.Path(start).resolve()),
        "validation": validation and _resolved(validation),
        **options,
    }
    _claim(out, run)

    if seed is not None:
        keras.utils.set_random_seed(seed)
    steps = photos // batch_size
    judge = validation and dataset(validation, config, batch_size=batch_size)
    saved, best, history = out / "model.keras", out / "best.keras", out / "history.csv"
    if saved.exists():
        model = load(saved)
        done = int(model.optimizer.iterations) // steps
        if freeze_normalization:
            model.freeze_normalization()
    else:
        model, done = SSD(config), 0
        if first:
            _take_over(model, first)
        if freeze_normalization:
            model.freeze_normalization()
        model.provenance = {
            **options,
            "start": first and first.provenance,
            "version": metadata.version("ssd-faces"),
            "backend": keras.backend.backend(),
        }
        schedule = keras.optimizers.schedules.CosineDecay(
            0.0,
            epochs * steps,
            warmup_target=learning_rate,
            warmup_steps=max(1, epochs * steps // 20),
        )
        optimizer = keras.optimizers.Adam(schedule, clipnorm=10.0)
        loss = MultiboxLoss(
            config,
            alpha=alpha,
            gate=gate,
            extra=extra,
            balance_objects=balance_objects,
            combine=combine,
        )
        model.compile(optimizer, loss)

    # Repeated, so that the next epoch's photos are on their way before this one ends.
    # A run that goes on must not see the examples of its first epochs again.
    order = None if seed is None else seed + done
    data = dataset(
        labels, config, batch_size=batch_size, training=True, seed=order, cache=cache
    ).repeat()
    _keep_epochs(history, done)
    # In this order: a row too many can be dropped, a missing one could not be made up.
    callbacks = [keras.callbacks.CSVLogger(history, append=done > 0), _Save(saved)]
    if validation:
        callbacks.append(_Best(history, saved, best, patience))
    if tensorboard:
        callbacks.append(keras.callbacks.TensorBoard(out / "tensorboard", write_graph=False))
    if not (validation and done and _choose_best(history, saved, best, patience)):
        model.fit(
            data,
            validation_data=judge,
            epochs=epochs,
            initial_epoch=done,
            steps_per_epoch=steps,
            shuffle=False,  # the data does that
            verbose=1 if sys.stdout.isatty() else 2,
            callbacks=callbacks,
        )
    plot(history, out / "curves.png")
    return load(best) if validation else model


def plot(history, path):
    """Draw each term of the loss over the epochs of a run, and of its validation.

    Args:
        history: The `history.csv` of a run.
        path: PNG file to write.
    """
    from matplotlib.figure import Figure

    with open(history, newline="") as file:
        rows = list(csv.DictReader(file))
    epochs = [int(row["epoch"]) + 1 for row in rows]
    names = ["loss", *LossTerms._fields]
    judged = rows[0].get("val_loss", "NA") != "NA"  # Keras writes the column in any case
    figure = Figure(figsize=(10, 5.5), layout="constrained")
    for axes, name in zip(figure.subplots(2, 3).flat, names, strict=True):
        axes.plot(epochs, [float(row[name]) for row in rows], label="training")
        if judged:
            axes.plot(epochs, [float(row[f"val_{name}"]) for row in rows], label="validation")
        axes.set_title(name, loc="left")
        axes.set_xlabel("epoch")
        axes.set_ylim(bottom=0)
        axes.spines[["top", "right"]].set_visible(False)
    if judged:
        figure.axes[0].legend(frameon=False)
    figure.savefig(path, dpi=120)


class _Save(keras.callbacks.Callback):
    """Saves model and optimizer after each epoch; a kill while writing harms nothing."""

    def __init__(self, path):
        super().__init__()
        self.path = path

    def on_epoch_end(self, epoch, logs=None):
        terms = {name: float(value) for name, value in logs.items()}
        self.model.provenance = {**self.model.provenance, "epochs_done": epoch + 1, "terms": terms}
        with atomic.whole(self.path) as temporary:
            self.model.save(temporary)


class _Best(keras.callbacks.Callback):
    """Keeps the model of the best epoch, and stops where it is long past."""

    def __init__(self, *choice):
        super().__init__()
        self.choice = choice

    def on_epoch_end(self, epoch, logs=None):
        self.model.stop_training = _choose_best(*self.choice)


def _choose_best(history, saved, best, patience):
    """Keep the last epoch's model if it is the best; whether to stop.

    What decides is on the disk, so that a resumed run decides as an undisturbed one.
    """
    with open(history, newline="") as file:
        losses = [float(row["val_loss"]) for row in csv.DictReader(file)]
    since = len(losses) - 1 - losses.index(min(losses))
    if since == 0:
        with atomic.whole(best) as temporary:
            shutil.copyfile(saved, temporary)
    return patience is not None and since >= patience


def _resolved(labels):
    return [str(folder.resolve()) for folder in records.folders(labels)]


def _check_fit(first, config, start):
    """See that weights made under one Config mean something under another."""
    for word in ("backbone", "width_multiplier", "anchor_sizes", "anchor_aspect"):
        if getattr(first, word) != getattr(config, word):
            raise ValueError(
                f"{start}: wanted a model with the Config's {word}, {getattr(config, word)!r}, "
                f"got one with {getattr(first, word)!r}"
            )


def _take_over(model, first):
    """The weights of another model, where they have the same shape."""
    for layer in model.layers:
        before = first.get_layer(layer.name).weights
        for weight, other in zip(layer.weights, before, strict=True):
            if weight.shape == other.shape:
                weight.assign(other)


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
        atomic.write_text(note, json.dumps(run, indent=2))


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

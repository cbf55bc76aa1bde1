"""`ssd.train`: labels in, a trained model out; stopped anywhere, the same call goes on."""

import dataclasses
import hashlib
import json
import os
import pathlib
import warnings
from collections.abc import Iterable, Mapping, Sequence

import keras

from ssd.balance.callback import Balance
from ssd.config import Config
from ssd.data import balancing, checking, records, turning
from ssd.nets.backbones import find_backbone
from ssd.nets.growing import take_over
from ssd.nets.keeping import KeepingLoss
from ssd.nets.loading import load
from ssd.nets.losses import MultiboxLoss
from ssd.nets.model import SSD
from ssd.training.callbacks import FreezeBody, SaveEpoch
from ssd.training.checkout import commit
from ssd.training.curves import plot
from ssd.training.folder import claim
from ssd.training.material import Material, resolved
from ssd.training.measuring import MeasureAP
from ssd.training.options import (
    Options,
    check_balance,
    check_cache,
    check_loss,
    check_options,
    check_start,
)
from ssd.training.progress import Progress
from ssd.version import __version__

_ROOT = pathlib.Path(__file__).parents[2]  # of this library, where its checkout would be


def train(
    labels: records.Labels,
    out: str | os.PathLike,
    config: Config | None = None,
    *,
    loss: MultiboxLoss | None = None,
    start: str | os.PathLike | None = None,
    parents: Mapping[str, str] | None = None,
    epochs: int = 30,
    batch_size: int = 32,
    learning_rate: float = 2e-3,
    seed: int | None = None,
    weights: Sequence[float] | None = None,
    balance: str | None = None,
    crops: records.Labels | None = None,
    crop_share: float = 0.3,
    crop_spread: float = 1.0,
    freeze_normalization: bool = False,
    freeze_body: int = 0,
    validation: records.Labels | None = None,
    patience: int | None = None,
    callbacks: Iterable[keras.callbacks.Callback] = (),
    cache: str | os.PathLike | None = None,
    sample_on_device: bool = False,
    rotation: float = 0.0,
) -> SSD:
    """Train a detector on labels.

    After each epoch it prints what the loss has come to and its terms, AP on the validation
    labels, how much of the time the device waited for data (`ssd.Balance`), and how long the
    whole run will still take; and the run is saved, whole or not at all. The same call in the
    same folder goes on after the last epoch saved there, however the run was stopped. How the
    model was trained stands in its `provenance`, and in every file it is saved to.

    Half precision and several devices are Keras's to set, before the call: see docs/training.md.

    Args:
        labels: Folder that `python -m distill` wrote, or a list of several. A folder that is
            named twice is seen twice in an epoch, which is how labels are weighed.
        out: Folder for `model.keras`, `history.csv` and `curves.png`.
        config: The `ssd.Config` of the model. If left out, that of `loss` or of `start`, or the
            default one. The labels must have its classes, in the same order.
        loss: An `ssd.MultiboxLoss` or `ssd.KeepingLoss` of the same Config; if left out, the
            default one.
        start: A `.keras` file whose weights to begin with. Its Config must have the same
            backbone, width and anchors. Its heads grow: classes of the same name stay, and a
            new one begins as its parent. Blocks on the finest map may be added.
        parents: Of new classes, the class of `start` that they are a kind of, {name: parent}, or
            "background". If left out, the one class of `start`, where there is one and it stays,
            or else the background.
        epochs: Passes over all photos.
        batch_size: Photos in a step.
        learning_rate: Its peak, reached after a twentieth of the steps; a cosine from there
            to zero.
        seed: Makes the run repeatable.
        weights: As in `ssd.dataset`: how often photos of each folder come.
        balance: As in `ssd.dataset`: "class" has photos of each class come equally often.
        crops: As in `ssd.dataset`: labels of crops, placed into photos on which nothing is.
        crop_share: As in `ssd.dataset`: how many of the examples are such.
        crop_spread: As in `ssd.dataset`: how far their sizes and places vary.
        freeze_normalization: Whether to keep the normalization of `start`
            (`ssd.SSD.freeze_normalization`), which makes a step a third faster or more.
        freeze_body: Epochs to begin with in which nothing but the heads of `start` learns
            (`ssd.SSD.freeze_body`).
        validation: Folder of labels, or a list, to measure loss and AP50 on after each epoch, AP
            on 300 of the photos. The model of the epoch where AP was highest, or of equals the
            loss least, is kept in `best.keras`.
        patience: Epochs without a new best after which to stop; None trains to the end.
        callbacks: Keras's, or your own. After each epoch they are called when it is saved; in a
            run that goes on they see the epochs that are left, under their numbers.
        cache: As in `ssd.dataset`.
        sample_on_device: As in `ssd.dataset`: for a GPU that waits for its photos.
        rotation: As in `ssd.dataset`: degrees by which every other example is turned at most.

    Returns:
        The trained `ssd.SSD`: that of `out/best.keras` if there is a validation, or else that
        of `out/model.keras`.

    Raises:
        FileNotFoundError: If there are no such labels, or no such `start`.
        ValueError: If an option is out of its range or does not fit another, labels are
            incomplete, damaged, fewer than a batch, or of other classes, or `out` holds
            something else; then no step was taken. If a loss or a weight is not finite after
            an epoch; then the epoch before stays saved.

    Example:
        >>> import tempfile, numpy as np, ssd
        >>> from ssd.data import manifest
        >>> from PIL import Image
        >>> config = ssd.Config(image_size=(64, 64), width_multiplier=0.05)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     Image.new("L", (64, 64)).save(f"{folder}/black.jpg")
        ...     photo = records.LabeledPhoto(
        ...         pathlib.Path(folder, "black.jpg").read_bytes(), "black.jpg", 64, 64,
        ...         boxes=np.float32([[0.2, 0.2, 0.8, 0.8]]), class_ids=[1], scores=[1.0])
        ...     records.write_shard(records.shard_path(folder, 0), [photo] * 2)
        ...     manifest.write(folder, {"classes": ["face"]})
        ...     model = ssd.train(folder, f"{folder}/run", config, epochs=1, batch_size=2)
        ... # doctest: +ELLIPSIS
        first step: compiled in ...
        epoch 1 of 1: loss ...
        >>> model.provenance["photos"]
        2
    """
    first = None if start is None else load(start)
    config = _config(config, loss, first)
    find_backbone(config.backbone)
    loss = loss or MultiboxLoss(config)
    check_loss(loss, config)
    options = Options.of(
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=learning_rate,
        seed=seed,
        loss=loss.options,
        freeze_normalization=freeze_normalization,
        freeze_body=freeze_body,
        weights=weights,
        balance=balance,
        crop_share=None if crops is None else crop_share,
        crop_spread=None if crops is None else crop_spread,
        rotation=rotation or None,
        parents=parents or None,
        patience=patience,
    )
    material = Material(labels, validation, crops, cache, sample_on_device)
    validated = validation is not None

    # All of it before any work.
    check_options(options, started=first is not None, validated=validated)
    if isinstance(loss, KeepingLoss):
        loss.open_old()
    turning.check(rotation, sample_on_device=sample_on_device)
    balancing.check(labels, options.weights, balance)
    check_balance(balance, config)
    if first is not None and start is not None:
        check_start(first, config, start, options.parents)
    check_cache(cache, [*records.folders(labels), out])
    contents = material.check(config, options)

    about = _describe(config, options, material, contents, start, loss)
    with claim(out, about) as run, checking.naming_damage(material.folders, config.classes):
        if options.seed is not None:
            keras.utils.set_random_seed(options.seed)
        if run.saved.exists():
            model = _resume(run, options, loss)
        else:
            model = _build(config, options, contents, first, loss)
        run.rewind(_epochs_done(model))
        if not _is_over(run, model, options, validated):
            _fit(run, model, options, material, callbacks)
        plot(run.history, run.curves)
        return _best(run) if validated else model


def _config(config, loss, first):
    """The Config asked for, or that of the first of these that has one."""
    for each in (loss, first):
        if config is None and each is not None:
            config = each.config
    return config or Config()


def _describe(config, options, material, contents, start, loss):
    """What was asked for, as `run.json` keeps it: another call of the same goes on."""
    return {
        "labels": resolved(material.labels),
        "content": contents.labels,
        "validation": resolved(material.validation),
        "config": json.loads(config.to_json()),
        "start": None if start is None else str(pathlib.Path(start).resolve()),
        **_asked(options, contents),
        "validation_content": contents.validation,
        "start_content": None if start is None else _digest(start),
        "crops": resolved(material.crops),
        "crops_content": contents.crops,
        "old_content": _digest(loss.options["old"]) if isinstance(loss, KeepingLoss) else None,
    }


def _asked(options, contents):
    """What both `run.json` and a model's provenance say of a run."""
    return {"photos": contents.photos, **dataclasses.asdict(options)}


def _digest(path):
    """A short text that is another where a file is."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


def _build(config, options, contents, first, loss):
    """A fresh model, or one with the weights of another, compiled, and what it is made of."""
    model = SSD(config)
    if first is not None:
        take_over(model, first, options.parents)
    model.provenance = {
        **_asked(options, contents),
        "content": contents.labels,
        "start": None if first is None else first.provenance,
        "version": __version__,
        "commit": commit(_ROOT),
        "backend": keras.backend.backend(),
    }
    steps = options.epochs * _steps(model, options)
    model.compile(_optimizer(options.learning_rate, steps), loss)
    return _prepare(model, options)


def _resume(run, options, loss):
    """The model of the last epoch saved; the old model of its loss may lie elsewhere by now."""
    model = load(run.saved)
    if isinstance(model.loss, KeepingLoss):
        model.loss.share_old(loss)
    return _prepare(model, options)


def _prepare(model, options):
    """What no file says of a model that trains."""
    if options.freeze_normalization:
        model.freeze_normalization()
    return model


def _optimizer(learning_rate, steps):
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0, steps, warmup_target=learning_rate, warmup_steps=max(1, steps // 20)
    )
    return keras.optimizers.Adam(schedule, clipnorm=10.0)


def _steps(model, options):
    """How many steps an epoch has."""
    return model.provenance["photos"] // options.batch_size


def _epochs_done(model):
    return model.provenance.get("epochs_done", 0)


def _is_over(run, model, options, validated):
    """Whether nothing is left to train; else say where a run goes on."""
    done = _epochs_done(model)
    since = run.keep_best() if validated and done else 0
    if done >= options.epochs or (options.patience is not None and since >= options.patience):
        return True
    if done:
        print(f"{run.path}: goes on after epoch {done} of {options.epochs}", flush=True)
    return False


def _fit(run, model, options, material, callbacks):
    """The epochs that are left."""
    done, steps = _epochs_done(model), _steps(model, options)
    # A run that goes on must not see the examples of its first epochs again.
    order = None if options.seed is None else options.seed + done
    data = material.training_batches(model.config, options, order)
    validated = material.validation is not None
    before = [FreezeBody(options.freeze_body)]
    if validated:
        before.append(MeasureAP(material.validation))
    before.append(SaveEpoch(run, validated=validated, patience=options.patience))
    # It comes after what is saved of an epoch: how long steps took is no part of a run's result.
    balance = Balance(say=lambda line: None)
    progress = Progress(options.epochs, steps, balance)
    with warnings.catch_warnings():
        # Of Keras, while the body is frozen: that is what was asked for.
        warnings.filterwarnings("ignore", "Gradients do not exist for variables")
        model.fit(
            # Repeated, so that the next epoch's photos are on their way before this one ends.
            balance(data.repeat()),
            validation_data=material.validation_batches(model.config, options),
            epochs=options.epochs,
            initial_epoch=done,
            steps_per_epoch=steps,
            shuffle=False,  # the data does that
            verbose=0,
            callbacks=[*before, balance, progress, *callbacks],
        )


def _best(run):
    if not run.best.exists():
        raise ValueError(f"{run.path}: wanted a finite loss on the validation labels, got none")
    return load(run.best)

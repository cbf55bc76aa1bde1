"""`ssd train`: from labels to a model."""

import argparse
import pathlib
from importlib import util

from ssd.arguments import (
    Command,
    existing_file,
    existing_folder,
    existing_keras,
    mapping,
    number,
    numbers,
    whole_number,
)
from ssd.config import Config
from ssd.quiet import import_tensorflow

_CROP_SHARE = 0.3


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "labels",
        type=existing_folder("a folder of labels"),
        nargs="+",
        help="folders that distill or ssd import wrote; one named twice is seen twice",
    )
    parser.add_argument("out", type=pathlib.Path, help="folder for the model and its curves")
    parser.add_argument(
        "--start",
        type=existing_keras,
        help=".keras file whose weights to begin with; face or smile, which ship",
    )
    parser.add_argument(
        "--parents",
        type=mapping,
        help="which class of --start new classes are a kind of: smile=face; or background",
    )
    parser.add_argument(
        "--config",
        type=existing_file("a JSON file"),
        help="JSON file with the fields of ssd.Config",
    )
    parser.add_argument(
        "--epochs", type=whole_number(), default=30, help="passes over the photos (30)"
    )
    parser.add_argument(
        "--batch-size", type=whole_number(), default=32, help="photos in a step (32)"
    )
    parser.add_argument("--learning-rate", type=number(), default=2e-3, help="its peak (0.002)")
    parser.add_argument("--seed", type=whole_number(0), help="makes the run repeatable")
    parser.add_argument(
        "--weights",
        type=numbers,
        metavar="N,N,...",
        help="how often photos of each folder come: 3,1",
    )
    parser.add_argument(
        "--balance",
        choices=("class",),
        help="have photos of each class come equally often",
    )
    parser.add_argument(
        "--crops",
        type=existing_folder("a folder of labels"),
        help="folder of labels of crops, to be placed into photos on which nothing is",
    )
    parser.add_argument(
        "--crop-share",
        type=number(0, 1),
        help=f"how many of the examples are photos with crops in them ({_CROP_SHARE})",
    )
    parser.add_argument("--alpha", type=number(), default=1.0, help="weight of the offset loss (1)")
    parser.add_argument(
        "--balance-objects",
        type=number(0, 1),
        default=0.0,
        help="how far faces count alike, 0 to 1 (0)",
    )
    parser.add_argument(
        "--freeze-normalization",
        action="store_true",
        help="keep the normalization of --start; steps are faster",
    )
    parser.add_argument(
        "--freeze-body",
        type=whole_number(),
        default=0,
        metavar="EPOCHS",
        help="epochs to begin with in which nothing but the heads of --start learns (0)",
    )
    parser.add_argument(
        "--validation",
        type=existing_folder("a folder of labels"),
        help="folder of labels to measure loss and AP on; the best epoch is kept as best.keras",
    )
    parser.add_argument(
        "--patience",
        type=whole_number(),
        help="epochs without a new best after which to stop (none)",
    )
    parser.add_argument("--tensorboard", action="store_true", help="write OUT/tensorboard as well")
    parser.add_argument(
        "--policy", default="float32", help="Keras dtype policy (float32); GPUs: mixed_bfloat16"
    )
    parser.add_argument("--cache", type=pathlib.Path, help="folder to keep decoded photos in")
    parser.add_argument(
        "--sample-on-device",
        action="store_true",
        help="scale, mirror and compress photos on the device: for a GPU that waits for them",
    )
    parser.add_argument(
        "--rotation",
        type=number(0, 180),
        default=0.0,
        metavar="DEGREES",
        help="turn every other example by up to so much, either way (0)",
    )


def _run(options: argparse.Namespace) -> None:
    config = Config.read(options.config) if options.config else None
    _check(options)
    import_tensorflow()
    import keras

    from ssd.nets.loading import load
    from ssd.nets.losses import MultiboxLoss
    from ssd.training.fitting import train

    keras.config.set_dtype_policy(options.policy)
    if config is None:
        config = load(options.start).config if options.start else Config()
    callbacks = []
    if options.tensorboard:
        board = options.out / "tensorboard"
        callbacks.append(keras.callbacks.TensorBoard(board, write_graph=False))
    train(
        options.labels,
        options.out,
        config,
        loss=MultiboxLoss(config, alpha=options.alpha, balance_objects=options.balance_objects),
        start=options.start,
        parents=options.parents,
        epochs=options.epochs,
        batch_size=options.batch_size,
        learning_rate=options.learning_rate,
        seed=options.seed,
        weights=options.weights,
        balance=options.balance,
        crops=options.crops,
        crop_share=_CROP_SHARE if options.crop_share is None else options.crop_share,
        freeze_normalization=options.freeze_normalization,
        freeze_body=options.freeze_body,
        validation=options.validation,
        patience=options.patience,
        callbacks=callbacks,
        cache=options.cache,
        sample_on_device=options.sample_on_device,
        rotation=options.rotation,
    )
    kept = "best.keras" if options.validation else "model.keras"
    print(f"model: {options.out / kept}\ncurves: {options.out / 'curves.png'}")


def _check(options: argparse.Namespace) -> None:
    """What `ssd.train` would refuse too, said before anything heavy is imported."""
    if options.patience and not options.validation:
        raise ValueError("--patience: wanted --validation with it")
    if options.freeze_normalization and not options.start:
        raise ValueError("--freeze-normalization: wanted --start with it, a trained model")
    for option in ("freeze_body", "patience"):
        epochs = getattr(options, option) or 0
        if epochs > options.epochs:
            name = option.replace("_", "-")
            raise ValueError(
                f"--{name}: wanted at most the {options.epochs} epochs of the run, got {epochs}"
            )
    if options.weights and options.balance:
        raise ValueError("--weights: wanted none beside --balance, which weighs by itself")
    if options.weights and len(options.weights) != len(options.labels):
        raise ValueError(
            f"--weights: wanted a number for each of {len(options.labels)} folders, "
            f"got {len(options.weights)}"
        )
    if options.crop_share is not None and not options.crops:
        raise ValueError("--crop-share: wanted --crops with it, a folder of labels")
    if options.crop_share is not None and not 0 < options.crop_share < 1:
        raise ValueError(
            f"--crop-share: wanted a number over 0 and below 1, got {options.crop_share:g}"
        )
    if options.freeze_body and not options.start:
        raise ValueError("--freeze-body: wanted --start with it, a trained model")
    if options.parents and not options.start:
        raise ValueError("--parents: wanted --start with it, a trained model")
    if options.rotation and options.sample_on_device:
        raise ValueError("--rotation: wanted none beside --sample-on-device")
    if options.tensorboard and util.find_spec("tensorboard") is None:
        raise ValueError("--tensorboard: wanted the package of that name (pip install tensorboard)")


COMMAND = Command(
    "train",
    "Train a detector on labels. Stopped, the same command goes on.",
    _add_arguments,
    _run,
)

"""`ssd calibrate`: scores that mean something, and a default threshold."""

import argparse
import pathlib

from ssd.arguments import Command, existing_keras, existing_model, mapping, number
from ssd.commands.judged import add_judged
from ssd.outputs import OutputFile
from ssd.quiet import import_tensorflow


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "model",
        type=existing_model,
        help=".keras, .tflite or .onnx file; face or smile, which ship",
    )
    parser.add_argument(
        "validation",
        nargs="+",
        metavar="PHOTOS TRUTH",
        help="folder of photos and COCO JSON file of labels by people; one pair or several",
    )
    parser.add_argument(
        "--out",
        type=OutputFile((".keras",)),
        help=".keras file to write, with the fitted scores and threshold; it replaces none",
    )
    parser.add_argument(
        "--false-positives",
        type=number(0),
        default=0.1,
        help="false positives per photo that the default threshold allows (0.1)",
    )
    add_judged(parser)
    parser.add_argument(
        "--map",
        type=mapping,
        help="classes of the model for other names in the truth, or for others of its classes, "
        "which then count as these: smile=face",
    )


def _run(options: argparse.Namespace) -> None:
    words = options.validation
    if len(words) % 2:
        raise ValueError(f"validation: wanted pairs of PHOTOS and TRUTH, got {len(words)} words")
    model = options.model
    if options.out and isinstance(model, str):  # the name of one that ships
        model = existing_keras(model)
    if options.out and model.suffix != ".keras":
        raise ValueError(f"--out: wanted a .keras model to write another, got {model}")
    if pathlib.Path(model).suffix == ".keras":
        import_tensorflow()
    from ssd.calibrating import calibrate
    from ssd.opening import Detector

    if options.out:
        from ssd.nets.loading import load

        model = load(model)
    found = calibrate(
        Detector(model),
        list(zip(words[::2], words[1::2], strict=True)),
        false_positives_per_image=options.false_positives,
        min_height=options.min_height,
        rule=options.rule,
        class_map=options.map,
    )
    print(found)
    if options.out:
        found.apply_to(model).save(options.out)
        print(f"model with these scores: {options.out}")


COMMAND = Command(
    "calibrate",
    "Fit a model's scores to the share of boxes that are right, and choose its threshold.",
    _add_arguments,
    _run,
)

"""`python -m ssd`: the road from labels to boxes, without writing code."""

import argparse
import contextlib
import pathlib
import sys

from ssd.quiet import import_tensorflow


def main(arguments=None):
    """Run one command; the exit status is 0 only when its work is done."""
    options = _parser().parse_args(arguments)
    try:
        return options.run(options) or 0
    except (ValueError, OSError) as error:
        print(f"ssd {options.command}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"ssd {options.command}: stopped", file=sys.stderr)
        return 130


# Each command imports what it needs: `detect` runs on a board without TensorFlow.


def _train(options):
    from ssd.config import Config

    config = Config.from_json(options.config.read_text()) if options.config else None
    import_tensorflow()
    import keras

    from ssd.training import train

    keras.config.set_dtype_policy(options.policy)

    train(
        options.labels,
        options.out,
        config,
        start=options.start,
        epochs=options.epochs,
        batch_size=options.batch_size,
        learning_rate=options.learning_rate,
        seed=options.seed,
        alpha=options.alpha,
        balance_objects=options.balance_objects,
        freeze_normalization=options.freeze_normalization,
        validation=options.validation,
        patience=options.patience,
        tensorboard=options.tensorboard,
        cache=options.cache,
    )
    kept = "best.keras" if options.validation else "model.keras"
    print(f"model: {options.out / kept}\ncurves: {options.out / 'curves.png'}")


def _evaluate(options):
    from ssd.detect.detector import Detector
    from ssd.metrics.evaluation import evaluate_results, run_detector

    detector = Detector(options.model, threads=options.threads)
    with _bar() as progress:
        results = run_detector(detector, options.photos, options.truth, progress=progress)
    print(evaluate_results(results, min_height=options.min_height))
    if options.report:
        from ssd.metrics.report import draw_report

        draw_report(results, options.report, min_height=options.min_height)
        print(f"report: {options.report}")


@contextlib.contextmanager
def _bar():
    """A `progress(done, total)` that draws a bar; None where nobody looks, or without tqdm."""
    try:
        from tqdm import tqdm
    except ImportError:
        yield None
        return
    with tqdm(unit="photo", disable=not sys.stderr.isatty()) as bar:

        def progress(done, total):
            bar.total = total
            bar.update(done - bar.n)

        yield progress


def _export(options):
    import_tensorflow()
    from ssd.data.pipeline import dataset
    from ssd.nets.model import load
    from ssd.tflite.exporting import export

    model = load(options.model)
    photos = None
    if options.precision == "int8":
        if options.calibration is None:
            raise ValueError("int8 wants --calibration, a folder of labels with photos to look at")
        photos = dataset(options.calibration, model.config)
    export(model, options.out, precision=options.precision, calibration=photos)
    print(f"{options.out}: {options.out.stat().st_size / 1000:.0f} KB")


def _import(options):
    import_tensorflow()
    from ssd.data.importing import import_labels

    counts, problems = import_labels(
        options.format,
        options.annotations,
        options.photos,
        options.out,
        class_names=options.classes.split(","),
        max_side=options.max_side,
    )
    for file, reason in problems:
        print(f"ssd import: {file}: {reason}", file=sys.stderr)
    print(
        f"{counts['labelled']} photos of {counts['photos']} taken over, {counts['boxes']} boxes, "
        f"{counts['ignored']} regions to ignore"
    )


def _coco(options):
    import_tensorflow()
    from ssd.data import coco

    photos, annotations = coco.write(options.labels, options.out)
    print(f"{options.out}: {photos} photos, {annotations} boxes and regions")


def _detect(options):
    from ssd.detect.detector import Detector
    from ssd.detect.drawing import draw
    from ssd.photos.reading import read_photo, write_photo

    detector = Detector(options.model, threads=options.threads)
    status = 0
    for path in options.photos:
        try:
            photo = read_photo(path)
        except (ValueError, OSError) as error:
            print(f"ssd detect: {error}", file=sys.stderr)
            status = 1
            continue
        found = detector(photo, score_threshold=options.score_threshold)
        for box, score, class_id in zip(*found, strict=True):
            edges = " ".join(f"{edge:.0f}" for edge in box)
            print(f"{path}\t{detector.config.classes[class_id - 1]}\t{score:.3f}\t{edges}")
        if options.out:
            options.out.mkdir(parents=True, exist_ok=True)
            write_photo(options.out / f"{path.stem}.png", draw(photo, found))
    return status


def _skew(options):
    from ssd.detect.detector import Detector
    from ssd.metrics.skew import draw, skew

    import_tensorflow()
    detector = Detector(options.model) if options.model else None
    found = skew(options.labels, options.captures, detector=detector)
    print(found)
    if options.plot:
        draw(found, options.plot)
        print(f"picture: {options.plot}")


def _parser():
    parser = argparse.ArgumentParser(prog="python -m ssd", description=__doc__.split("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name, run, help):
        made = commands.add_parser(name, help=help, description=help)
        made.set_defaults(run=run)
        return made

    made = command(
        "train", _train, "Train a detector on labels. Stopped, the same command goes on."
    )
    made.add_argument(
        "labels",
        type=pathlib.Path,
        nargs="+",
        help="folders that python -m distill or import wrote; one named twice is seen twice",
    )
    made.add_argument("out", type=pathlib.Path, help="folder for the model and its curves")
    made.add_argument("--start", type=pathlib.Path, help=".keras file whose weights to begin with")
    made.add_argument("--config", type=pathlib.Path, help="JSON file with the words of ssd.Config")
    made.add_argument("--epochs", type=int, default=30, help="passes over the photos (30)")
    made.add_argument("--batch-size", type=int, default=32, help="photos in a step (32)")
    made.add_argument("--learning-rate", type=float, default=2e-3, help="its peak (0.002)")
    made.add_argument("--seed", type=int, help="makes the run repeatable")
    made.add_argument("--alpha", type=float, default=1.0, help="weight of the offset loss (1)")
    made.add_argument(
        "--balance-objects", type=float, default=0.0, help="how far faces count alike, 0 to 1 (0)"
    )
    made.add_argument(
        "--freeze-normalization",
        action="store_true",
        help="keep the normalization of --start; steps are faster",
    )
    made.add_argument(
        "--validation",
        type=pathlib.Path,
        help="folder of labels to measure the loss on; the best epoch is kept as best.keras",
    )
    made.add_argument(
        "--patience", type=int, help="epochs without a new best after which to stop (none)"
    )
    made.add_argument("--tensorboard", action="store_true", help="write OUT/tensorboard as well")
    made.add_argument(
        "--policy", default="float32", help="Keras dtype policy (float32); GPUs: mixed_bfloat16"
    )
    made.add_argument("--cache", type=pathlib.Path, help="folder to keep decoded photos in")

    made = command("evaluate", _evaluate, "Measure a model against labels in COCO format.")
    made.add_argument("model", type=pathlib.Path, help=".tflite file")
    made.add_argument("photos", type=pathlib.Path, help="folder of photos")
    made.add_argument("truth", type=pathlib.Path, help="COCO JSON file")
    made.add_argument(
        "--min-height",
        type=float,
        default=0.0,
        help="ignore faces whose height is less than this share of the photo's long side (0)",
    )
    made.add_argument("--report", type=pathlib.Path, help="PNG file for curves and mistakes")
    made.add_argument("--threads", type=int, default=1, help="threads of the runtime (1)")

    made = command("export", _export, "Turn a trained model into a .tflite file.")
    made.add_argument("model", type=pathlib.Path, help=".keras file")
    made.add_argument("out", type=pathlib.Path, help=".tflite file to write")
    made.add_argument("--precision", default="int8", help="int8 (default), float16 or float32")
    made.add_argument("--calibration", type=pathlib.Path, help="folder of labels, for int8")

    made = command("import", _import, "Turn labels drawn by people into labels to train on.")
    made.add_argument("format", help="coco, voc, yolo or wider")
    made.add_argument(
        "annotations", type=pathlib.Path, help="JSON or text file, or folder (voc, yolo)"
    )
    made.add_argument("photos", type=pathlib.Path, help="folder that the file names are in")
    made.add_argument(
        "out", type=pathlib.Path, help="folder for the labels, new or of the same run"
    )
    made.add_argument("--classes", default="face", help="names, separated by commas (face)")
    made.add_argument(
        "--max-side", type=int, default=640, help="photos are scaled down to it (640)"
    )

    made = command("coco", _coco, "Write labels as COCO detection JSON.")
    made.add_argument("labels", type=pathlib.Path, help="folder of labels")
    made.add_argument("out", type=pathlib.Path, help="JSON file to write")

    made = command("detect", _detect, "Find faces: prints file, class, score, ymin xmin ymax xmax.")
    made.add_argument("photos", type=pathlib.Path, nargs="+", help="photos")
    made.add_argument("--model", type=pathlib.Path, help=".tflite file (the one that ships)")
    made.add_argument("--score-threshold", type=float, default=0.5, help="least score (0.5)")
    made.add_argument("--threads", type=int, default=1, help="threads of the runtime (1)")
    made.add_argument("--out", type=pathlib.Path, help="folder for photos with boxes drawn in")

    made = command(
        "skew", _skew, "Say where a device's captures differ from the photos trained on."
    )
    made.add_argument("labels", type=pathlib.Path, help="folder of labels trained on")
    made.add_argument("captures", type=pathlib.Path, help="folder of an ssd.CaptureLog, or a copy")
    made.add_argument("--model", type=pathlib.Path, help=".tflite file, to compare scores as well")
    made.add_argument("--plot", type=pathlib.Path, help="PNG file to draw the differences into")
    return parser


if __name__ == "__main__":
    sys.exit(main())

"""Does the extra offset loss earn its place? Nine losses, a few seeds each, the same budget.

    python examples/extra_offset.py LABELS PHOTOS TRUTH OUT [--start MODEL] [--epochs 12]

Trains on LABELS; measures on PHOTOS, whose faces the COCO file TRUTH tells; writes
`OUT/extra_offset.json` and `OUT/extra_offset.png`. Stopped, the same command goes on.

Every run begins afresh, or with `--start` from the same trained model with its normalization
frozen, as the recipe's last round does: the extra term falls on boxes surer than 0.999, and a
network has hardly any of them before it is well trained. One of the losses lowers that gate to 0.9.
Others have the same aim by other means: the larger of two terms, a confidence that follows the fit
(`quality`), offsets that are charged by their overlap.

Greedy suppression keeps the most confident box of a face, however it fits. The extra term charges
the offsets of confident boxes again, so that this box fits better. Whether it does is what the
first two figures say, which look at the boxes before suppression.
"""

import argparse
import dataclasses
import json
import pathlib
import textwrap

import asked
import keras
import numpy as np
from matplotlib.figure import Figure
from recipe import ALPHA, BALANCE_OBJECTS, BATCHES, CONFIG, OFFSETS, RATES, SMALLEST

import anchors
import ssd

LOSSES = {
    "extra 0": {"extra": 0.0},
    "extra 1": {"extra": 1.0},
    "extra 10": {"extra": 10.0},
    "extra 10, gate 0.9": {"extra": 10.0, "gate": 0.9},
    "max(loc, conf)": {"extra": 0.0, "combine": "max"},
    "max(200 loc, conf)": {"extra": 0.0, "combine": "max", "alpha": 200.0},
    "quality": {"extra": 0.0, "quality": 1.0},
    "DIoU": {"extra": 0.0, "offsets": OFFSETS},
    "DIoU, quality": {"extra": 0.0, "offsets": OFFSETS, "quality": 1.0},
}
FIGURES = {
    "iou": "mean IoU of a face's most confident box",
    "agree": "share of faces whose most confident box fits best",
    "ap50": "average precision at IoU 0.5",
    "ap75": "average precision at IoU 0.75",
}
FLOOR = 0.02  # least score of a box that is looked at
OF_FACE = 0.5  # least overlap (IoU) of a box that is of a face


def main():
    """Train what is not trained yet, measure what is not measured yet, draw."""
    options = read_options()
    keras.config.set_dtype_policy(options.policy)
    options.out.mkdir(parents=True, exist_ok=True)
    decides = ("labels", "photos", "truth", "start", "epochs", "policy")
    wanted = {name: getattr(options, name) for name in decides}
    asked.claim(
        options.out,
        **wanted,
        **dataclasses.asdict(options.config),
        batch_size=BATCHES[-1],
        learning_rate=learning_rate(options),
        **{f"loss {name}": loss_options(name) for name in LOSSES},
    )

    runs = []
    for seed in range(options.seeds):  # every loss once before any twice
        for name in LOSSES:
            runs.append({"loss": name, "seed": seed, **run(name, seed, options)})
            print(json.dumps(runs[-1]), flush=True)
    (options.out / "extra_offset.json").write_text(json.dumps(runs, indent=2) + "\n")
    draw(runs, options.out / "extra_offset.png")
    for name in LOSSES:
        means = {each: spread(runs, name, each) for each in FIGURES}
        print(f"{name:20}", *(f"{each} {m:.3f} ± {s:.3f}" for each, (m, s) in means.items()))


def read_options():
    """What the command line asks for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("labels", type=asked.existing, help="folder of labels to train on")
    parser.add_argument("photos", type=asked.existing, help="folder of photos to measure on")
    parser.add_argument("truth", type=asked.existing, help="COCO JSON with their faces")
    parser.add_argument("out", type=pathlib.Path, help="folder for everything made")
    parser.add_argument(
        "--epochs", type=asked.count, default=12, help="passes over the photos (12)"
    )
    parser.add_argument("--seeds", type=asked.count, default=3, help="runs of each loss (3)")
    parser.add_argument("--start", type=asked.existing, help="model that all runs go on from")
    parser.add_argument("--config", type=asked.existing, help="JSON file with another ssd.Config")
    parser.add_argument("--policy", default="float32", help="Keras dtype policy (float32)")
    options = parser.parse_args()
    text = options.config and options.config.read_text()
    options.config = ssd.Config.from_json(text) if text else CONFIG
    return options


def run(name, seed, options):
    """The figures of one run; trained and measured only if that is not done yet."""
    stem = f"{name.replace(' ', '_')}-{seed}"
    folder, figures = options.out / stem, options.out / f"{stem}.json"
    if not figures.exists():
        config = options.config
        model = ssd.train(
            options.labels,
            folder,
            config,
            start=options.start,
            freeze_normalization=options.start is not None,
            epochs=options.epochs,
            batch_size=BATCHES[-1],
            learning_rate=learning_rate(options),
            seed=seed,
            loss=ssd.MultiboxLoss(config, **loss_options(name)),
            cache=options.out / "cache",
        )
        file = ssd.export(model, options.out / f"{stem}.tflite", precision="float32")
        measured = measure_fit(ssd.Detector(file), options.photos, options.truth)
        asked.write(figures, json.dumps(measured))
    return json.loads(figures.read_text())


def loss_options(name):
    """What a loss is made with."""
    return {"alpha": ALPHA, "balance_objects": BALANCE_OBJECTS, **LOSSES[name]}


def learning_rate(options):
    """That of the recipe's first round, or with a model to start from of its last."""
    return RATES[-1] if options.start else RATES[0]


def measure_fit(detector, photos, truth):
    """How well boxes fit, before and after suppression.

    Args:
        detector: An `ssd.Detector`.
        photos: Folder of photos.
        truth: COCO JSON file.

    Returns:
        A dictionary with the names of `FIGURES`, the `best` IoU that any box of a face has on
        average, and the number of `faces` that had a box at all.
    """
    raws, chosen, best = [], [], []

    def keep_raw(photo, score_threshold):
        outputs = detector.forward(detector.prepare(photo))
        raws.append(detector.decode(*outputs, photo.shape, score_threshold=score_threshold))
        return detector.suppress(raws[-1])

    run = ssd.run_detector(keep_raw, photos, truth, score_floor=FLOOR)
    for raw, result in zip(raws, run.results, strict=True):
        boxes = result.boxes
        if not len(raw.boxes) or not len(boxes):
            continue
        table = np.asarray(anchors.iou(raw.boxes, boxes))  # [raw, boxes]
        whose = table.argmax(axis=1)
        heights = (boxes[:, 2] - boxes[:, 0]) / max(result.shape)
        for index in np.flatnonzero(~result.ignored & (heights >= SMALLEST)):
            own = np.flatnonzero((whose == index) & (table[:, index] >= OF_FACE))
            if len(own):
                chosen.append(table[own[raw.scores[own].argmax()], index])
                best.append(table[own, index].max())
    chosen, best = np.array(chosen), np.array(best)
    measured = ssd.evaluate_run(run, min_height=SMALLEST)
    return {
        "iou": float(chosen.mean()) if len(chosen) else 0.0,
        "best": float(best.mean()) if len(best) else 0.0,
        "agree": float((chosen == best).mean()) if len(chosen) else 0.0,
        "faces": len(chosen),
        "ap50": measured.ap50,
        "ap75": measured.ap75,
        "recall": measured.recall,
    }


def spread(runs, name, figure):
    """Mean and standard deviation of a figure over the seeds of one loss."""
    values = [run[figure] for run in runs if run["loss"] == name]
    return float(np.mean(values)), float(np.std(values, ddof=1)) if len(values) > 1 else 0.0


def draw(runs, path):
    """Each figure of each run as a dot, the mean of each loss as a line."""
    figure = Figure(figsize=(11, 3.6), layout="constrained")
    for axes, (which, title) in zip(figure.subplots(1, len(FIGURES)), FIGURES.items(), strict=True):
        for place, name in enumerate(LOSSES):
            values = [run[which] for run in runs if run["loss"] == name]
            axes.plot([place] * len(values), values, "o", color="#1f5fa8", alpha=0.6)
            axes.hlines(np.mean(values), place - 0.3, place + 0.3, color="#c0392b")
        axes.set_xticks(range(len(LOSSES)), LOSSES, rotation=30, ha="right")
        axes.set_xlim(-0.6, len(LOSSES) - 0.4)
        axes.set_title(textwrap.fill(title, 28), loc="left", fontsize=10)
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    main()

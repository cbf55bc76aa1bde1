"""Which backbone, width and input? Each trained alike, then AP over milliseconds.

    python examples/sweep.py LABELS PHOTOS TRUTH OUT [--examples 150000] [--rows "alexnet-*"]

Every row is one model: a backbone, a width, an input, a seed. All are trained on LABELS with the
same number of examples, three in four of them at half the height and width, exported to int8, and
measured on PHOTOS, whose faces the COCO file TRUTH tells. Milliseconds are of one thread, all files
by turns, so that their ratios hold while the machine's speed changes. OUT then holds `sweep.md`,
`sweep.json` and `sweep.png`; the front, of which no other row finds more in as little time, is
marked.

Stopped at any point, even killed, the same command goes on. `--rows` chooses by name, so that a
long sweep can be run in pieces, in any order: the table is always of all that are done.

    python examples/sweep.py --plan [--rows ...]

trains nothing, and prints what untrained models of these rows cost beside the one that ships.
"""

import argparse
import dataclasses
import fnmatch
import json
import math
import os
import pathlib
import sys
import tempfile
import time

import asked
import keras
import numpy as np
from matplotlib.figure import Figure
from recipe import CONFIG, RATES, SMALLEST, loss_of, smaller

import ssd

BACKBONES = ("alexnet", "darknet", "mobilenet", "resnet")
WIDTHS = (0.125, 0.1875, 0.25)
SIZES = ("192x256", "256x320")
BATCH = 16
HALF = 0.75  # of the examples come at half the height and width, four for the time of one
ROUNDS, CALLS = 10, 12  # turns of each model, and calls in each, the first two to warm up
SHIPPED = "the one that ships"


@dataclasses.dataclass(frozen=True)
class Row:
    """One model of the sweep."""

    backbone: str
    width: float
    size: str  # height x width of the input
    seed: int = 0

    @property
    def kind(self):
        """What it is called, whatever the seed."""
        return f"{self.backbone}-{self.width:g}-{self.size}"

    @property
    def name(self):
        """Of its folder."""
        return f"{self.kind}-seed{self.seed}"

    @property
    def config(self):
        """Its `ssd.Config`: the recipe's, but for what the sweep is about."""
        height, width = map(int, self.size.split("x"))
        return dataclasses.replace(
            CONFIG,
            backbone=self.backbone,
            width_multiplier=self.width,
            image_size=(height, width),
        )


def main():
    """Train what is not trained yet, measure what is not measured yet, draw."""
    options = read_options()
    rows = chosen(options)
    if options.plan:
        plan(rows)
        return
    options.out.mkdir(parents=True, exist_ok=True)
    epochs = passes(options)
    asked.claim(
        options.out,
        epochs=epochs,
        labels=options.labels,
        photos=options.photos,
        truth=options.truth,
        policy=options.policy,
        loss=loss_of(CONFIG).options,
        batch_size=BATCH,
        learning_rates=RATES[:2],
        half=HALF,
        **dataclasses.asdict(CONFIG),
    )
    for number, row in enumerate(rows, 1):
        print(f"{row.name}: {number} of {len(rows)}", flush=True)
        measure(row, epochs, options)
    done = [json.loads(file.read_text()) for file in sorted(options.out.glob("*/row.json"))]
    times = milliseconds(
        {each["name"]: options.out / each["name"] / "face.tflite" for each in done}
    )
    for each in done:
        each |= {"ms": times[each["name"]], "ratio": times[each["name"]] / times[SHIPPED]}
    kinds = by_kind(done)
    asked.write(options.out / "sweep.json", json.dumps(done, indent=2) + "\n")
    asked.write(options.out / "sweep.md", table(kinds) + "\n")
    draw(kinds, options.out / "sweep.png")
    print(table(kinds))


def read_options():
    """What the command line asks for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    there, count = asked.existing, asked.count
    parser.add_argument("labels", type=there, nargs="?", help="folder of labels")
    parser.add_argument("photos", type=there, nargs="?", help="folder of photos to measure")
    parser.add_argument("truth", type=there, nargs="?", help="COCO JSON of their faces")
    parser.add_argument("out", type=pathlib.Path, nargs="?", help="folder for everything made")
    parser.add_argument(
        "--examples",
        type=count,
        default=150_000,
        help="of each row, in whole passes (150000)",
    )
    parser.add_argument("--backbones", nargs="+", default=BACKBONES, help="names")
    parser.add_argument("--widths", type=float, nargs="+", default=WIDTHS, help="multipliers")
    parser.add_argument("--sizes", nargs="+", default=SIZES, help="heights x widths: 256x320")
    parser.add_argument("--seeds", type=count, default=1, help="how often each is trained (1)")
    parser.add_argument(
        "--rows", nargs="+", default=["*"], help='names, or patterns as of files: "alexnet-*"'
    )
    parser.add_argument("--plan", action="store_true", help="print what untrained models cost")
    parser.add_argument("--policy", default="float32", help="Keras dtype policy (float32)")
    options = parser.parse_args()
    if not options.plan and options.out is None:
        parser.error("wanted LABELS PHOTOS TRUTH OUT, or --plan")
    keras.config.set_dtype_policy(options.policy)
    return options


def chosen(options):
    """The rows that were asked for; every one once before any with a second seed."""
    rows = [
        Row(backbone, width, size, seed)
        for seed in range(options.seeds)
        for backbone in options.backbones
        for width in options.widths
        for size in options.sizes
    ]
    wanted = [
        row
        for row in rows
        if any(
            fnmatch.fnmatch(each, pattern)
            for each in (row.name, row.kind)
            for pattern in options.rows
        )
    ]
    if not wanted:
        names = ", ".join(sorted({row.kind for row in rows}))
        sys.exit(f"sweep: wanted --rows of {names}, got {' '.join(options.rows)}")
    try:
        # What cannot be is refused before anything is trained.
        assert all(row.config for row in wanted)
    except ValueError as error:
        sys.exit(f"sweep: {error}")
    return wanted


def passes(options):
    """How often the photos are gone through."""
    photos = sum(1 for _ in ssd.read_labels(options.labels))
    steps = photos // BATCH
    if not steps:
        sys.exit(f"sweep: wanted at least {BATCH} photos in {options.labels}, got {photos}")
    epochs = max(1, round(options.examples / (steps * BATCH)))
    print(f"{epochs * steps * BATCH:,} examples a row: {epochs} passes over {photos:,} photos")
    return epochs


def measure(row, epochs, options):
    """Train a row, export and measure it, unless that is done."""
    folder = options.out / row.name
    if (folder / "row.json").exists():
        return
    model = learn(row, epochs, options.labels, folder)
    file = export(model, folder / "face.tflite", options.labels)
    figures = ssd.evaluate(ssd.Detector(file), options.photos, options.truth, min_height=SMALLEST)
    about = {
        **dataclasses.asdict(row),
        "name": row.name,
        "kind": row.kind,
        "epochs": epochs,
        "multiply_adds": multiply_adds(model),
        "parameters": model.count_params(),
        "bytes": file.stat().st_size,
        "ap50": figures.ap50,
        "recall": figures.recall,
    }
    asked.write(folder / "row.json", json.dumps(about, indent=2) + "\n")


def learn(row, epochs, labels, folder):
    """The model of a row: at half size first, then as it will be used."""
    half = max(1, round(HALF * epochs))
    small = smaller(row.config, 2)
    common = {"batch_size": BATCH, "seed": row.seed}
    model = ssd.train(
        labels,
        folder / "half",
        small,
        loss=loss_of(small),
        epochs=half,
        learning_rate=RATES[0],
        **common,
    )
    if half == epochs:
        whole = ssd.SSD(row.config)  # its weights are those of any size
        whole.set_weights(model.get_weights())
        whole.provenance = model.provenance
        return whole
    return ssd.train(
        labels,
        folder / "whole",
        row.config,
        start=folder / "half" / "model.keras",
        freeze_normalization=True,
        loss=loss_of(row.config),
        epochs=epochs - half,
        learning_rate=RATES[1],
        **common,
    )


def export(model, file, labels=None):
    """An int8 file, calibrated on labels, or on noise where only its speed matters."""
    if labels is not None:
        seen = ssd.dataset(labels, model.config, batch_size=8, training=True, seed=0)
    else:
        shape = (4, *model.config.image_size, 3)
        seen = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    return ssd.export(model, file, precision="int8", calibration=seen)


def multiply_adds(model):
    """Of a model's convolutions, for one photo."""
    return sum(
        math.prod(layer.output.shape[1:3]) * math.prod(layer.kernel.shape)
        for layer in model.layers
        if hasattr(layer, "kernel")
    )


def milliseconds(files):
    """Median by name of running the network on a frame of 640 × 480, in one thread.

    All take turns, the model that ships among them. It is processor time, so that other work on
    the machine disturbs it least.
    """
    frame = np.random.default_rng(0).integers(0, 256, (480, 640, 3), dtype=np.uint8)
    detectors = {SHIPPED: ssd.Detector()}
    detectors |= {name: ssd.Detector(file) for name, file in files.items()}
    inputs = {name: detector.prepare(frame) for name, detector in detectors.items()}
    times = {name: [] for name in detectors}
    for _ in range(ROUNDS):
        for name, detector in detectors.items():
            for call in range(CALLS):
                begun = time.process_time()
                detector.forward(inputs[name])
                if call >= 2:
                    times[name].append(time.process_time() - begun)
    return {name: round(1e3 * float(np.median(each)), 3) for name, each in times.items()}


def plan(rows):
    """Print what untrained models cost."""
    with tempfile.TemporaryDirectory() as folder:
        kinds = {row.kind: row for row in rows}
        costs, files = {}, {}
        for kind, row in kinds.items():
            model = ssd.SSD(row.config)
            costs[kind] = multiply_adds(model), model.count_params()
            files[kind] = export(model, pathlib.Path(folder, f"{kind}.tflite"))
        times = milliseconds(files)
    print("| row | multiply-adds | parameters | ms | of the shipped model's |")
    print("|---|---:|---:|---:|---:|")
    for kind, (count, parameters) in costs.items():
        print(
            f"| {kind} | {count / 1e6:.0f} M | {parameters:,} | {times[kind]:.2f} "
            f"| {times[kind] / times[SHIPPED]:.2f} |"
        )
    print(f"| {SHIPPED} | | | {times[SHIPPED]:.2f} | 1.00 |")


def by_kind(done):
    """One line for all seeds of a kind: means, and the least and greatest AP; the front marked."""
    kinds = []
    for kind in sorted({each["kind"] for each in done}):
        same = [each for each in done if each["kind"] == kind]
        found = [each["ap50"] for each in same]
        line = {**same[0], "seeds": len(same), "ap50": float(np.mean(found))}
        line |= {"least": min(found), "most": max(found)}
        line |= {key: float(np.mean([each[key] for each in same])) for key in ("ms", "ratio")}
        kinds.append(line)
    for line in kinds:
        line["front"] = not any(
            other["ap50"] >= line["ap50"] and other["ms"] <= line["ms"] and other is not line
            for other in kinds
        )
    return sorted(kinds, key=lambda line: line["ms"])


def table(kinds):
    """All kinds, the quickest first."""
    lines = [
        "| row | multiply-adds | parameters | KB | ms | of the shipped model's | AP50 | seeds "
        "| front |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---|",
    ]
    for each in kinds:
        spread = f" ({each['least']:.3f} to {each['most']:.3f})" if each["seeds"] > 1 else ""
        lines.append(
            f"| {each['kind']} | {each['multiply_adds'] / 1e6:.0f} M | {each['parameters']:,} "
            f"| {each['bytes'] / 1000:.0f} | {each['ms']:.2f} | {each['ratio']:.2f} "
            f"| {each['ap50']:.3f}{spread} | {each['seeds']} | {'×' if each['front'] else ''} |"
        )
    return "\n".join(lines)


def draw(kinds, path):
    """AP over milliseconds and over multiply-adds; the front is a line, and its rows are named."""
    figure = Figure(figsize=(11, 5), layout="constrained")
    axes = figure.subplots(1, 2, sharey=True)
    names = sorted({each["backbone"] for each in kinds})
    for axis, key, scale, label in (
        (axes[0], "ms", 1, "milliseconds a photo (int8, one thread)"),
        (axes[1], "multiply_adds", 1e-6, "million multiply-adds"),
    ):
        for number, name in enumerate(names):
            own = [each for each in kinds if each["backbone"] == name]
            at, found = [each[key] * scale for each in own], [each["ap50"] for each in own]
            below = [each["ap50"] - each["least"] for each in own]
            above = [each["most"] - each["ap50"] for each in own]
            style = {"fmt": "o", "color": f"C{number}", "capsize": 3}
            axis.errorbar(at, found, yerr=[below, above], label=name, **style)
            for each, x in zip(own, at, strict=True):
                if not each["front"]:
                    continue
                text = f"{each['width']:g}, {each['size'].replace('x', '×')}"
                axis.annotate(
                    text, (x, each["ap50"]), (4, -9), textcoords="offset points", fontsize=7
                )
        axis.set_xlabel(label)
        axis.grid(alpha=0.3)
    front = [each for each in kinds if each["front"]]
    at, found = [each["ms"] for each in front], [each["ap50"] for each in front]
    axes[0].step(at, found, where="post", color="0.6", zorder=0, label="front")
    axes[0].set_ylabel("AP50")
    axes[0].legend()
    with tempfile.NamedTemporaryFile(suffix=".png", dir=path.parent, delete=False) as file:
        figure.savefig(file, format="png", dpi=120)
    os.replace(file.name, path)


if __name__ == "__main__":
    main()

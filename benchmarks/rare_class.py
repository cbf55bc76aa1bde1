"""What balancing is worth where one of two classes is rare: AP on crops kept out, both ways round.

    python -m benchmarks.rare_class CROPS OUT

CROPS has a folder for each of two classes, the second a kind of the first, as smiling faces are of
faces. Of each, 150 crops are kept out by a fixed seed. In turn one class is rare. The face model
that ships, its heads grown by a column and its knowledge kept (`ssd.KeepingLoss`), then learns from
few crops of the rare class beside few of the other (`even`), beside many (`many`), and beside many
with `balance="class"` (`balanced`); with each seed from another few, and in equally many steps.
Crops lie at random places in a plain margin, so this is fast, and about classes alone: scenes are
left out.

Stopped, the same command goes on. OUT gets a folder for each run and `figures.json`.
"""

import argparse
import dataclasses
import hashlib
import io
import itertools
import json
import os
import pathlib
import sys
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

import ssd
from benchmarks import envelope
from benchmarks.options import positive

ARMS = ("even", "many", "balanced")
SIDE, CROP = 96, 64  # pixels of the photos, and of the crops in them
INPUT = 64  # pixels of the model's input
LEARNING_RATE = 5e-3
FACE = pathlib.Path(ssd.__file__).parent / "models" / "face.keras"


class Sizes(NamedTuple):
    """How much there is of what.

    Attributes:
        few: Crops of the rare class.
        many: Crops of the other class where there are many, or all that there are.
        kept: Crops of each class that are kept out and judged.
        steps: Steps of a run.
        batch_size: Photos in a step.

    Example:
        >>> Sizes().few
        60
    """

    few: int = 60
    many: int = 1200
    kept: int = 150
    steps: int = 2000
    batch_size: int = 32


def main(arguments: Sequence[str] | None = None) -> int:
    """Train and judge what is not there yet, and print the table.

    Args:
        arguments: The command line; by default that of the process.

    Returns:
        The exit status.
    """
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("crops", type=pathlib.Path, help="a folder for each of two classes")
    parser.add_argument("out", type=pathlib.Path, help="folder for runs and figures")
    parser.add_argument("--start", type=pathlib.Path, default=FACE, help="a .keras face model")
    count = positive(int, "positive integer")
    parser.add_argument("--seeds", type=count, default=3, help="runs of each kind (3)")
    for field, default in Sizes()._asdict().items():
        parser.add_argument(f"--{field.replace('_', '-')}", type=count, default=default)
    options = parser.parse_args(arguments)
    sizes = Sizes(**{field: getattr(options, field) for field in Sizes._fields})
    try:
        rows = _measure(options.crops, options.out, options.start, range(options.seeds), sizes)
        _write_figures(options.out / "figures.json", list(rows), sizes)
    except (OSError, ValueError) as error:
        print(f"rare_class: {error}", file=sys.stderr)
        return 1
    print(*table(json.loads((options.out / "figures.json").read_text())["runs"]), sep="\n")
    return 0


def _measure(
    crops: pathlib.Path, out: pathlib.Path, start: pathlib.Path, seeds: Sequence[int], sizes: Sizes
) -> Iterator[dict[str, Any]]:
    """Every run, trained and judged where that was not done before.

    Args:
        crops: A folder for each of two classes.
        out: Folder for the runs.
        start: The `.keras` face model that each begins with.
        seeds: A number for each repetition.
        sizes: How much there is of what.

    Yields:
        "rare", "arm", "seed", "photos" and the figures of each run.

    Raises:
        ValueError: If there are not two folders with crops enough, or `out` has runs of other
            sizes, crops or another start.
    """
    learned, kept = split(crops, sizes)
    out.mkdir(parents=True, exist_ok=True)
    _claim(out / "asked.json", crops, start, sizes)
    truth, learner = _write_truth(out / "kept", kept), None
    for seed, rare, arm in itertools.product(seeds, learned, ARMS):
        run = out / f"{rare}-{arm}-{seed}"
        done = run / "figures.json"
        if not done.exists():
            print(f"{run.name} ...", flush=True)
            labels = _write_arm(out / f"{rare}-labels-{seed}", learned, rare, arm, seed, sizes)
            learner = learner or _Learner(start, list(learned), sizes)
            model = learner.learn(labels, arm, seed)
            photos = sum(1 for _ in ssd.read_labels(labels))
            about = {"rare": rare, "arm": arm, "seed": seed, "photos": photos}
            result = ssd.evaluate(ssd.Detector(model), truth.parent, truth)
            write_whole(done, {**about, **_figures(result, rare)})
        yield json.loads(done.read_text())


def _claim(path: pathlib.Path, crops: pathlib.Path, start: pathlib.Path, sizes: Sizes) -> None:
    """See that runs in a folder are of one kind."""
    files = sorted(each for each in crops.glob("*/*") if each.is_file())
    asked = {**sizes._asdict(), "crops": _digest(crops, files)}
    asked |= {"start": _digest(start.parent, [start]), "learning_rate": LEARNING_RATE}
    before = json.loads(path.read_text()) if path.exists() else asked
    for name, value in asked.items():
        if before.get(name) != value:
            raise ValueError(
                f"{path.parent}: wanted {name} {value}, but its runs are of {before.get(name)}; "
                "name another folder"
            )
    write_whole(path, asked)


def _digest(folder: pathlib.Path, files: Sequence[pathlib.Path]) -> str:
    """A short text that is another where one of the files is, or its place in the folder."""
    digest = hashlib.sha256()
    for file in files:
        digest.update(ascii(str(file.relative_to(folder))).encode())
        with open(file, "rb") as opened:
            digest.update(hashlib.file_digest(opened, "sha256").digest())
    return digest.hexdigest()[:16]


def split(crops: pathlib.Path, sizes: Sizes) -> tuple[dict[str, list], dict[str, list]]:
    """The crops to learn from and those to judge by, of each class, in a fixed random order.

    Args:
        crops: A folder for each of two classes.
        sizes: How much there is of what.

    Returns:
        {name of the class: paths}, twice.

    Raises:
        ValueError: If there are not two folders with crops enough.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     for name in ("no/1", "no/2", "yes/1", "yes/2"):
        ...         pathlib.Path(folder, name).parent.mkdir(exist_ok=True)
        ...         pathlib.Path(folder, name).touch()
        ...     learned, kept = split(pathlib.Path(folder), Sizes(few=1, kept=1))
        >>> [*learned], [len(paths) for paths in (*learned.values(), *kept.values())]
        (['no', 'yes'], [1, 1, 1, 1])
    """
    folders = sorted(path for path in crops.glob("*") if path.is_dir())
    if len(folders) != 2:
        raise ValueError(f"{crops}: wanted two folders of crops, found {len(folders)}")
    learned, kept = {}, {}
    for folder in folders:
        paths = sorted(path for path in folder.iterdir() if path.is_file())
        wanted = sizes.kept + sizes.few
        if len(paths) < wanted:
            raise ValueError(f"{folder}: wanted {wanted} crops or more, found {len(paths)}")
        order = np.random.default_rng(0).permutation(len(paths))
        shuffled = [paths[index] for index in order]
        kept[folder.name], learned[folder.name] = shuffled[: sizes.kept], shuffled[sizes.kept :]
    return learned, kept


def _write_arm(
    folder: pathlib.Path, learned: dict[str, list], rare: str, arm: str, seed: int, sizes: Sizes
) -> list[pathlib.Path]:
    """Labels that a run learns from.

    Args:
        folder: Where they go; each part is written once and shared by the arms.
        learned: Paths of crops of each class.
        rare: The rare class.
        arm: One of `ARMS`.
        seed: Chooses the few.
        sizes: How much there is of what.

    Returns:
        Folders as `ssd.dataset` takes them.
    """
    (common,) = learned.keys() - {rare}
    names = list(learned)

    def part(name, number, count):
        order = np.random.default_rng([seed, number]).permutation(len(learned[name]))[:count]
        paths = [learned[name][index] for index in order]
        target = folder / f"{name}-{count}"
        photos = (_compose(path, names.index(name) + 1, np.array([seed, i]))
                  for i, path in enumerate(paths))  # fmt: skip
        ssd.write_labels(target, photos, class_names=names)
        return target

    few = part(rare, names.index(rare), sizes.few)
    return [few, part(common, names.index(common), sizes.few if arm == "even" else sizes.many)]


def _compose(path: os.PathLike, class_id: int, seed: np.ndarray) -> "ssd.LabeledPhoto":
    """A crop at a random place in a plain margin.

    Args:
        path: The crop.
        class_id: Its class.
        seed: Chooses place and color.

    Returns:
        The photo, with one box.
    """
    from PIL import Image

    random = np.random.default_rng(seed)
    photo = Image.new("RGB", (SIDE, SIDE), tuple(random.integers(0, 256, 3).tolist()))
    top, left = random.integers(0, SIDE - CROP + 1, 2).tolist()
    photo.paste(Image.fromarray(ssd.read_photo(path)).resize((CROP, CROP)), (left, top))
    file = io.BytesIO()
    photo.save(file, "JPEG", quality=95)
    box = np.array([[top, left, top + CROP, left + CROP]], np.float32) / SIDE
    return ssd.LabeledPhoto(
        file.getvalue(), pathlib.Path(path).name, SIDE, SIDE, box, np.array([class_id]), np.ones(1)
    )


def _write_truth(folder: pathlib.Path, kept: dict[str, list]) -> pathlib.Path:
    """The photos to judge by, and what is on them.

    Args:
        folder: Where they go.
        kept: Paths of crops of each class.

    Returns:
        The COCO file in the folder.
    """
    folder.mkdir(exist_ok=True)
    images, annotations = [], []
    for class_id, paths in enumerate(kept.values(), start=1):
        for path in paths:
            number = len(images) + 1
            photo = _compose(path, class_id, np.array([number]))
            (folder / f"{number}.jpg").write_bytes(photo.encoded)
            ymin, xmin, ymax, xmax = (np.asarray(photo.boxes)[0] * SIDE).tolist()
            images.append(
                {"id": number, "file_name": f"{number}.jpg", "width": SIDE, "height": SIDE}
            )
            box = {"bbox": [xmin, ymin, xmax - xmin, ymax - ymin], "category_id": class_id}
            annotations.append({"id": number, "image_id": number, **box})
    categories = [{"id": number, "name": name} for number, name in enumerate(kept, start=1)]
    truth = folder / "truth.json"
    content = {"images": images, "annotations": annotations, "categories": categories}
    truth.write_text(json.dumps(content))
    return truth


class _Learner:
    """The face model, to be taught both classes again and again from the same beginning.

    Compiling takes as long as a run, so one model serves all of them.

    Args:
        start: The `.keras` face model.
        class_names: The classes, the second a kind of the first.
        sizes: How much there is of what.
    """

    def __init__(self, start: pathlib.Path, class_names: Sequence[str], sizes: Sizes):
        import keras

        face = ssd.load(start)
        classes, size = tuple(class_names), (INPUT, INPUT)
        kinds = {classes[1]: classes[0]}
        config = dataclasses.replace(face.config, image_size=size, classes=classes, kinds=kinds)
        self.model, self._sizes = ssd.SSD(config), sizes
        ssd.take_over(self.model, face, dict.fromkeys(classes, *face.config.classes))
        self.model.freeze_normalization()
        rate = keras.optimizers.schedules.CosineDecay(
            0.0, sizes.steps, warmup_target=LEARNING_RATE, warmup_steps=max(1, sizes.steps // 20)
        )
        optimizer = keras.optimizers.Adam(rate, clipnorm=10.0)
        optimizer.build(self.model.trainable_variables)
        self.model.compile(optimizer, ssd.KeepingLoss(config, old=start))
        self._variables = [*self.model.variables, *optimizer.variables]
        self._beginning = [np.array(keras.ops.convert_to_numpy(each)) for each in self._variables]

    def learn(self, labels: list[pathlib.Path], arm: str, seed: int) -> "ssd.SSD":
        """Begin again, and learn.

        Args:
            labels: As `_write_arm` gives them.
            arm: One of `ARMS`.
            seed: Of the order and the augmentation.

        Returns:
            The model, until it learns again.
        """
        import keras

        keras.utils.set_random_seed(seed)
        for variable, value in zip(self._variables, self._beginning, strict=True):
            variable.assign(value)
        data = ssd.dataset(
            labels,
            self.model.config,
            batch_size=self._sizes.batch_size,
            training=True,
            seed=seed,
            balance="class" if arm == "balanced" else None,
        )
        self.model.fit(data.repeat(), steps_per_epoch=self._sizes.steps, shuffle=False, verbose=2)
        return self.model


def _figures(result: Any, rare: str) -> dict[str, float]:
    """What is told of a run.

    Args:
        result: What `ssd.evaluate` returned.
        rare: The rare class.

    Returns:
        AP (IoU 0.5) of the rare class and of both on average, and how often a face of the rare
        class scores more for it than one of the other.
    """
    return {
        "ap_rare": result.classes[rare].ap50,
        "ap_mean": result.ap50,
        "roc_area": result.telling_apart.classes[rare].roc_area,
    }


def write_whole(path: pathlib.Path, content: dict[str, Any]) -> None:
    """Write a JSON file that appears whole or not at all.

    Args:
        path: The file.
        content: Plain values.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_whole(pathlib.Path(folder, "a.json"), {"a": 1})
        ...     pathlib.Path(folder, "a.json").read_text()
        '{"a": 1}'
    """
    path.parent.mkdir(exist_ok=True)
    partial = path.with_suffix(".part")
    partial.write_text(json.dumps(content))
    partial.replace(path)


def _write_figures(path: pathlib.Path, rows: list[dict[str, Any]], sizes: Sizes) -> None:
    """Write the figures of all runs.

    Args:
        path: The file.
        rows: What a run left.
        sizes: How much there was of what.
    """
    envelope.write(path, "rare_class", {"sizes": sizes._asdict(), "runs": rows})


def table(rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    """The figures as a table: of each rare class and arm, the mean over the seeds and each seed.

    Args:
        rows: What a run left.

    Yields:
        Lines of Markdown.

    Example:
        >>> row = {"rare": "a", "arm": "even", "seed": 0, "photos": 120}
        >>> [*table([{**row, "ap_rare": 0.5, "ap_mean": 0.75, "roc_area": 0.5}])][-1]
        '| a | even | 120 | 0.500 (0.500) | 0.750 (0.750) | 0.500 (0.500) |'
    """
    names = ("ap_rare", "ap_mean", "roc_area")
    yield "| rare | arm | photos | AP of the rare | mean AP | ROC area |"
    yield "|---|---|---|---|---|---|"
    for rare, arm in itertools.product(dict.fromkeys(row["rare"] for row in rows), ARMS):
        own = [row for row in rows if (row["rare"], row["arm"]) == (rare, arm)]
        if own:
            cells = [
                f"{np.mean([row[name] for row in own]):.3f} "
                f"({', '.join(f'{row[name]:.3f}' for row in own)})"
                for name in names
            ]
            yield f"| {rare} | {arm} | {own[0]['photos']} | {' | '.join(cells)} |"


if __name__ == "__main__":
    sys.exit(main())

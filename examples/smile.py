"""The road to a second class: crops and a face model in, a model of faces and smiles out.

    python examples/smile.py SMILES FACES... OUT --validation PHOTOS TRUTH.json

SMILES has two folders of crops, `neutral` and `smiling`. FACES are folders of labels of faces, as
`python -m distill` or `ssd import` write them; one that is named twice is seen twice. Stopped at
any point, the same command goes on where it was. In OUT then lie `smile.tflite` (int8),
`smile.keras` to train on from, and the model card `smile.md`.

1. On each crop, set into a margin, the face model says where its box ends. Crops on which it sees
   no face are left out; of the others 150 of each class are kept out, to measure on.
2. Faces of FACES become faces of unknown class: nobody has said whether they smile. Of the last
   folder, 100 photos on which nothing is are kept out, to measure in.
3. The face model's heads grow by the column `smile`, and all of it learns, in stages: from small
   images with crops in the middle, where a smile is soon found, to whole ones with crops anywhere.
   What is no smile stays as the face model has it (`ssd.KeepingLoss`).
4. Scores are fitted to PHOTOS, where a smile is a face; the model is exported and measured there,
   and on the crops that were kept out: placed into the scenes that were, and bare in a margin.
"""

import argparse
import dataclasses
import json
import pathlib

import asked
import keras
import numpy as np
import placed
import recipe

import ssd

CLASSES, KINDS, FOLDERS = ("face", "smile"), {"smile": "face"}, ("neutral", "smiling")
KEPT, SCENES = 150, 100  # crops of each class, and scenes, to measure on
# Size of images (in the end the face model's own), how far crops spread, share of examples with
# crops, epochs, batch, peak rate.
STAGES = (
    ((96, 96), 0.0, 0.8, 1, 32, 2e-3),
    ((96, 96), 0.5, 0.8, 1, 32, 2e-3),
    ((128, 160), 1.0, 0.7, 10, 32, 2e-3),
    (None, 1.0, 0.5, 16, 16, 1e-3),
    (None, 1.0, 0.6, 6, 16, 5e-4),
    (None, 1.0, 0.4, 8, 16, 1e-3),
)
SMALLEST = 0.05  # height of a face that counts, as a share of the photo's long side


def main():
    """Walk the four steps; each is skipped if its work is done."""
    options = read_options()
    options.out.mkdir(parents=True, exist_ok=True)
    asked.claim(options.out, smiles=options.smiles, faces=options.faces, start=options.start)
    keras.config.set_dtype_policy(options.policy)
    find_boxes(options)
    labels = without_classes(options)
    ship(train(labels, options), labels, options)
    kept = json.loads((options.out / "kept.json").read_text())
    scenes = [ssd.read_photo(path) for path in sorted((options.out / "scenes").iterdir())]
    placed.write(options.out, kept["crops"], scenes, CLASSES)
    (options.out / "smile.md").write_text("\n".join(card(kept, options)) + "\n")
    print(f"model card: {options.out / 'smile.md'}")


def read_options():
    """What the command line asks for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    add, path = parser.add_argument, asked.existing
    face = pathlib.Path(ssd.__file__).parent / "models" / "face.keras"
    add("smiles", type=path, help="folder of two folders of crops")
    add("faces", type=path, nargs="+", help="folders of labels of faces")
    add("out", type=pathlib.Path, help="folder for everything made")
    add("--start", type=path, default=face, help="face model (the one that ships)")
    pair = {"nargs": 2, "action": "append", "default": [], "metavar": ("PHOTOS", "TRUTH")}
    add("--validation", type=path, **pair, help="faces to fit scores to and measure on; repeat")
    add("--policy", default="float32", help="Keras dtype policy (float32)")
    options = parser.parse_args()
    names = [folder.name for folder in {each.resolve() for each in options.faces}]
    if len(set(names)) < len(names):
        parser.error(f"FACES: wanted folders of different names, got {sorted(names)}")
    return options


def find_boxes(options):
    """Step 1: labels of crops to learn from, in OUT/crops; in OUT/kept.json the others."""
    if (options.out / "kept.json").exists():
        return
    print("the face model looks for faces on the crops", flush=True)
    detector, without, kept, learned = ssd.Detector(options.start), 0, [], []
    for class_id, name in enumerate(FOLDERS, 1):
        paths = sorted((options.smiles / name).glob("*.*"))
        np.random.default_rng(0).shuffle(paths)
        rows = [(str(path.resolve()), class_id, find_face(detector, path)) for path in paths]
        found = [row for row in rows if row[2] is not None]
        without += len(rows) - len(found)
        some = min(KEPT, len(found) // 5)
        kept, learned = kept + found[:some], learned + found[some:]
    if not learned:
        raise SystemExit(f"{options.smiles}: wanted crops of faces, saw a face on none of them")
    crops = (as_label(*row) for row in learned)
    ssd.write_labels(options.out / "crops", crops, class_names=CLASSES)
    usual = np.median([box for _, _, box in learned], axis=0)
    about = {
        "edges": (usual - [0, 0, 1, 1]).tolist(),
        "learned": len(learned),
        "without": without,
        "crops": kept,
    }
    asked.write(options.out / "kept.json", json.dumps(about))


def find_face(detector, path):
    """Where the box of the face on a crop ends, on its unit square; None where none is seen."""
    crop = ssd.read_photo(path)
    found = detector(placed.in_margin(crop), score_threshold=0.05)
    if not len(found):
        return None
    return np.clip((found.boxes[0] - placed.MARGIN) / (crop.shape[:2] * 2), 0, 1).tolist()


def as_label(path, class_id, box):
    """A crop as `ssd.write_labels` takes it."""
    path, (height, width, _) = pathlib.Path(path), ssd.read_photo(path).shape
    name, row = f"{path.parent.name}/{path.name}", (np.array([box]), np.array([class_id]))
    return ssd.LabeledPhoto(path.read_bytes(), name, height, width, *row, np.ones(1))


def without_classes(options):
    """Step 2: folders of FACES again, their faces of unknown class; and OUT/scenes, kept out."""
    last = options.faces[-1]
    empty = {photo.filename: photo for photo in ssd.read_labels(last) if not len(photo.class_ids)}
    scenes = np.random.default_rng(0).permutation(sorted(empty)).tolist()
    scenes = scenes[: min(SCENES, len(scenes) // 4)]
    (options.out / "scenes").mkdir(exist_ok=True)
    for name in scenes:
        path = pathlib.PurePath(name).with_suffix(".jpg")
        (options.out / "scenes" / path.name).write_bytes(empty[name].encoded)
    labels = [options.out / f"labels_{folder.name}" for folder in options.faces]
    for folder, unknown in zip(options.faces, labels, strict=True):
        if not recipe.complete(unknown):
            print(f"faces of unknown class: {folder}", flush=True)
            photos = (
                photo._replace(class_ids=np.where(photo.class_ids > 0, -2, photo.class_ids))
                for photo in ssd.read_labels(folder)
                if folder != last or photo.filename not in scenes
            )
            ssd.write_labels(unknown, photos, class_names=CLASSES)
    return labels


def train(labels, options):
    """Step 3: the model, stage by stage; each goes on from the one before."""
    face, start = ssd.load(options.start).config, options.start
    for number, (size, spread, share, epochs, batch, rate) in enumerate(STAGES, 1):
        print(f"stage {number} of {len(STAGES)}", flush=True)
        size = size or face.image_size
        config = dataclasses.replace(face, image_size=size, classes=CLASSES, kinds=KINDS)
        model = ssd.train(
            labels,
            options.out / f"stage{number}",
            config,
            loss=ssd.KeepingLoss(config, old=options.start),
            start=start,
            epochs=epochs,
            batch_size=batch,
            learning_rate=rate,
            crops=options.out / "crops",
            crop_share=share,
            crop_spread=spread,
            freeze_normalization=True,
        )
        start = options.out / f"stage{number}" / "model.keras"
    return model


def ship(model, labels, options):
    """The files, their scores fitted."""
    if options.validation:
        scores = ssd.calibrate(model, options.validation, min_height=SMALLEST)
        print(scores, flush=True)
        model = scores.apply_to(model)
    model = recipe.rounded(model)
    recipe.save_packed(model, options.out / "smile.keras")
    crops = options.out / "crops"
    seen = ssd.dataset(labels, model.config, batch_size=8, training=True, seed=0, crops=crops)
    ssd.export(model, options.out / "smile.tflite", calibration=seen)


def card(kept, options):
    """The model card, line by line."""
    file = options.out / "smile.tflite"
    detector = ssd.Detector(file)
    edges = ", ".join(f"{edge:+.3f}" for edge in kept["edges"])
    yield "# Smile model\n"
    yield f"`smile.tflite`, {file.stat().st_size / 1000:.0f} KB. Research use.\n"
    yield f"{kept['learned']} crops were learned from; no face was seen on {kept['without']}."
    yield f"Median edges of the face's box, from the crop's (top, left, bottom, right): {edges}.\n"
    for kind in ("placed", "bare"):
        for precision in (0.7, 0.9):
            truth = options.out / f"{kind}.json"
            result = ssd.evaluate(detector, options.out / kind, truth, at_precision=precision)
            yield f"## {kind}, at a precision of {precision}\n\n```text\n{result}\n```\n"
    for photos, truth in options.validation:
        for model in (file, options.start):
            result = ssd.evaluate(ssd.Detector(model), photos, truth, min_height=SMALLEST)
            yield f"## {truth.name}, {model.name}\n\n```text\n{result}\n```\n"


if __name__ == "__main__":
    main()

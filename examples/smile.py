"""The road to a second class: crops and a face model in, a model of faces and smiles out.

    python examples/smile.py SMILES FACES... OUT --validation PHOTOS TRUTH.json

SMILES has two folders of crops, `neutral` and `smiling`. FACES are folders of labels of faces, as
`python -m distill` or `ssd import` write them; one that is named twice is seen twice. Stopped at
any point, the same command goes on where it was. In OUT then lie `smile.tflite` (int8),
`smile.keras` to train on from, and the model card `smile.md`.

1. 150 crops of each class are kept out. On the others the face model says where its box ends, on
   the crop set into a margin. Crops on which it sees no face are not learned from.
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

import keras
import numpy as np
import recipe
from PIL import Image

import ssd

CLASSES, FOLDERS = ("face", "smile"), ("neutral", "smiling")
KEPT, SCENES = 150, 100  # crops of each class, and scenes, to measure on
HEIGHTS = ((30, 60), (60, 120), (120, 200))  # of the faces there, pixels
MARGIN, GRAY = 32, 128  # around a crop when its face is looked for, pixels; and its gray
# Size of images (in the end the face model's own), how far crops spread, share of examples with
# crops, epochs, batch, peak rate.
STAGES = (
    ((96, 96), 0.0, 0.8, 1, 32, 2e-3),
    ((96, 96), 0.5, 0.8, 1, 32, 2e-3),
    ((128, 160), 1.0, 0.7, 4, 32, 2e-3),
    (None, 1.0, 0.6, 4, 16, 1e-3),
)
SMALLEST = 0.05  # height of a face that counts, as a share of the photo's long side
KINDS = {"smile": "face"}


def main():
    """Walk the four steps; each is skipped if its work is done."""
    options = read_options()
    options.out.mkdir(parents=True, exist_ok=True)
    keras.config.set_dtype_policy(options.policy)
    find_boxes(options)
    labels = without_classes(options)
    model = train(labels, options)
    ship(model, labels, options)
    compose(options.out)
    (options.out / "smile.md").write_text("\n".join(card(options)) + "\n")
    print(f"model card: {options.out / 'smile.md'}")


def read_options():
    """What the command line asks for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("smiles", type=pathlib.Path, help="folder of two folders of crops")
    parser.add_argument("faces", type=pathlib.Path, nargs="+", help="folders of labels of faces")
    parser.add_argument("out", type=pathlib.Path, help="folder for everything made")
    shipped = pathlib.Path(ssd.__file__).parent / "models" / "face.keras"
    parser.add_argument(
        "--start", type=pathlib.Path, default=shipped, help="face model (the one that ships)"
    )
    parser.add_argument(
        "--validation",
        type=pathlib.Path,
        nargs=2,
        action="append",
        default=[],
        metavar=("PHOTOS", "TRUTH"),
        help="photos and COCO JSON of faces, to fit scores to and to measure on; may come again",
    )
    parser.add_argument("--policy", default="float32", help="Keras dtype policy (float32)")
    return parser.parse_args()


def find_boxes(options):
    """Step 1: labels of crops to learn from, in OUT/crops; in OUT/kept.json the others."""
    if (options.out / "kept.json").exists():
        return
    print("the face model looks for faces on the crops", flush=True)
    detector, kept, learned = ssd.Detector(options.start), [], []
    for class_id, name in enumerate(FOLDERS, 1):
        paths = sorted((options.smiles / name).glob("*.*"))
        np.random.default_rng(0).shuffle(paths)
        some = min(KEPT, len(paths) // 5)
        kept += [(path, class_id, find_face(detector, path)) for path in paths[:some]]
        learned += [(path, class_id, find_face(detector, path)) for path in paths[some:]]
    found = [each for each in learned if each[2] is not None]
    usual = np.median([box for _, _, box in found], axis=0)
    ssd.write_labels(
        options.out / "crops", (as_label(*each) for each in found), class_names=CLASSES
    )
    about = {
        "edges": (usual - [0, 0, 1, 1]).tolist(),
        "learned": len(found),
        "without": len(learned) - len(found),
        "kept_without": sum(box is None for _, _, box in kept),
        "crops": [
            (str(path.resolve()), class_id, (usual if box is None else box).tolist())
            for path, class_id, box in kept
        ],
    }
    (options.out / "kept.json").write_text(json.dumps(about))


def find_face(detector, path):
    """Where the box of the face on a crop ends, on its unit square; None where none is seen."""
    crop = ssd.read_photo(path)
    found = detector(in_margin(crop), score_threshold=0.05)
    if not len(found):
        return None
    return np.clip((found.boxes[0] - MARGIN) / (crop.shape[:2] * 2), 0, 1)


def in_margin(crop):
    """A crop with gray around it."""
    return np.pad(crop, ((MARGIN, MARGIN), (MARGIN, MARGIN), (0, 0)), constant_values=GRAY)


def as_label(path, class_id, box):
    """A crop as `ssd.write_labels` takes it."""
    with Image.open(path) as photo:
        size = photo.height, photo.width
    name, box = f"{path.parent.name}/{path.name}", np.array([box], np.float32)
    return ssd.LabeledPhoto(path.read_bytes(), name, *size, box, np.array([class_id]), np.ones(1))


def without_classes(options):
    """Step 2: folders of FACES again, their faces of unknown class; and OUT/scenes, kept out."""
    last, labels = options.faces[-1], []
    scenes = sorted(photo.filename for photo in ssd.read_labels(last) if not len(photo.class_ids))
    kept = {*np.random.default_rng(0).permutation(scenes)[: min(SCENES, len(scenes) // 4)].tolist()}
    for folder in options.faces:
        labels.append(options.out / f"labels_{folder.name}")
        if not recipe.complete(labels[-1]):
            print(f"faces of unknown class: {folder}", flush=True)
            photos = (
                photo._replace(class_ids=np.where(photo.class_ids > 0, -2, photo.class_ids))
                for photo in ssd.read_labels(folder)
                if folder != last or photo.filename not in kept
            )
            ssd.write_labels(labels[-1], photos, class_names=CLASSES)
    (options.out / "scenes").mkdir(exist_ok=True)
    for photo in ssd.read_labels(last):
        if photo.filename in kept:
            name = pathlib.PurePath(photo.filename).with_suffix(".jpg").name
            (options.out / "scenes" / name).write_bytes(photo.encoded)
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
            parents={"smile": "face"} if start == options.start else None,
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


def compose(out):
    """Step 4: crops that were kept out, each in a scene and bare in a margin, with their truth."""
    random, rows = np.random.default_rng(1), {"placed": [], "bare": []}
    scenes = [ssd.read_photo(path) for path in sorted((out / "scenes").iterdir())]
    kept = json.loads((out / "kept.json").read_text())["crops"]
    for number, (path, class_id, box) in enumerate(kept):
        crop, (least, most) = ssd.read_photo(path), HEIGHTS[number % len(HEIGHTS)]
        scene, box = scenes[number % len(scenes)].copy(), np.array(box)
        height = np.exp(random.uniform(np.log(least), np.log(most)))
        side = min(round(height / (box[2] - box[0])), *scene.shape[:2])
        top, left = (int(random.integers(size - side + 1)) for size in scene.shape[:2])
        scaled = Image.fromarray(crop).resize((side, side), Image.Resampling.BILINEAR)
        scene[top : top + side, left : left + side] = scaled
        rows["placed"].append((scene, class_id, box * side + [top, left] * 2, f"{least} to {most}"))
        size = np.array(crop.shape[:2] * 2)
        rows["bare"].append((in_margin(crop), class_id, box * size + MARGIN, "bare"))
    for kind, found in rows.items():
        write_truth(out / kind, out / f"{kind}.json", found)


def write_truth(folder, file, rows):
    """Photos of one face each, and COCO JSON of [(photo, class, box, source)]."""
    folder.mkdir(exist_ok=True)
    images, annotations = [], []
    for number, (photo, class_id, (ymin, xmin, ymax, xmax), source) in enumerate(rows):
        name, (height, width) = f"{number:03d}.png", photo.shape[:2]
        ssd.write_photo(folder / name, photo)
        image = {"id": number, "file_name": name, "height": height, "width": width}
        images.append({**image, "source": source})
        box = [xmin, ymin, xmax - xmin, ymax - ymin]
        annotations.append({"id": number, "image_id": number, "category_id": class_id, "bbox": box})
    categories = [{"id": number, "name": name} for number, name in enumerate(CLASSES, 1)]
    coco = {"images": images, "annotations": annotations, "categories": categories}
    file.write_text(json.dumps(coco))


def card(options):
    """The model card, line by line."""
    kept = json.loads((options.out / "kept.json").read_text())
    file = options.out / "smile.tflite"
    detector = ssd.Detector(file)
    edges = ", ".join(f"{edge:+.3f}" for edge in kept["edges"])
    yield "# Smile model\n"
    yield f"`smile.tflite`, {file.stat().st_size / 1000:.0f} KB. Research use.\n"
    yield f"{kept['learned']} crops were learned from; on {kept['without']} more no face was seen."
    yield f"Median edges of the face's box, from the crop's (top, left, bottom, right): {edges}.\n"
    for kind in ("placed", "bare"):
        for precision in (0.7, 0.9):
            result = ssd.evaluate(
                detector, options.out / kind, options.out / f"{kind}.json", at_precision=precision
            )
            yield f"## {kind}, at a precision of {precision}\n\n```text\n{result}\n```\n"
    for photos, truth in options.validation:
        for model in (file, options.start):
            result = ssd.evaluate(ssd.Detector(model), photos, truth, min_height=SMALLEST)
            yield f"## {truth.name}, {model.name}\n\n```text\n{result}\n```\n"


if __name__ == "__main__":
    main()

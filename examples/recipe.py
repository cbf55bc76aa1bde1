"""The recipe of the face model: photos and some human labels in, a model to ship out.

    python examples/recipe.py PHOTOS OUT --human HUMAN.json [--validation PHOTOS TRUTH.json]

PHOTOS is a folder, HUMAN.json says in COCO format where faces are on some of its photos.
Stopped at any point, the same command goes on where it was. In OUT then lie `face.tflite` (int8),
`face_float16.tflite` (which computes in 32 bits), `face.keras` to fine-tune from, and the model
card `face.md`. Weights are rounded to 16 bits, which makes the two last files small.

1. People's labels are taken over.
2. MTCNN labels the other photos, looking twice.
3. Round 1: a student learns from the people's labels alone.
4. The student labels the other photos, too. What it and MTCNN both see is a face; what only one
   of them sees is a region to ignore.
5. Round 2: a student begins afresh, on people's labels, seen several times each, and on those.
   Round 3: it goes on with its normalization frozen, which is quicker, and more of
   people's labels. Round 4: and with people's labels alone, for MTCNN draws looser boxes than
   people do.
6. It is exported and measured.

Without `--human` MTCNN's labels are all there is. Round 2 learns from them alone, and its student
labels the same photos; round 3 goes on with MTCNN's faces, and what only the student sees is a
region to ignore: MTCNN overlooks faces, and as background they would be unlearnt again.
"""

import argparse
import json
import os
import pathlib
import zipfile

import keras

import ssd
from distill import Options, Rules, combine, find_photos, label

CONFIG = ssd.Config(
    image_size=(224, 288),
    width_multiplier=0.1875,
    positive_iou=0.4,
    negative_iou=0.3,
    min_face=10.0,
)
ALPHA = 3.0  # weight of the offset loss
BALANCE_OBJECTS = 0.5  # how far faces with few anchors are made up for
# Of rounds 1 to 4: passes, photos in a step, peak learning rate, and how often photos with people's
# labels are seen for once that the others are. A fresh model gets further by many small steps.
EPOCHS = (26, 20, 12, 60)
BATCHES = (8, 8, 16, 16)
RATES = (2e-3, 2e-3, 1e-3, 5e-4)
HUMAN_TIMES = (1, 4, 8, 1)
SMALLEST = 0.05  # height of a face that counts, as a share of the photo's long side


def main():
    """Walk the six steps; each is skipped if its work is done."""
    options = read_options()
    options.out.mkdir(parents=True, exist_ok=True)
    keras.config.set_dtype_policy(options.policy)
    rounds = with_people if options.human else without_people
    models, folders = rounds(options)
    ship(models, folders, options)


def read_options():
    """What the command line asks for; `config` is the `ssd.Config`."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("photos", type=pathlib.Path, help="folder of photos")
    parser.add_argument("out", type=pathlib.Path, help="folder for everything made")
    parser.add_argument("--human", type=pathlib.Path, help="COCO JSON; without, MTCNN's labels")
    parser.add_argument(
        "--validation",
        type=pathlib.Path,
        nargs=2,
        metavar=("PHOTOS", "TRUTH"),
        help="folder of photos and COCO JSON to measure on",
    )
    parser.add_argument("--config", type=pathlib.Path, help="JSON file with another ssd.Config")
    parser.add_argument(
        "--epochs",
        type=int,
        nargs=4,
        default=EPOCHS,
        metavar="N",
        help=f"of the rounds ({' '.join(map(str, EPOCHS))})",
    )
    parser.add_argument(
        "--policy",
        default="float32",
        help="Keras dtype policy (float32); mixed_bfloat16 on a GPU, or a processor with AMX",
    )
    parser.add_argument("--seed", type=int, help="makes the training repeatable")
    options = parser.parse_args()
    text = options.config and options.config.read_text()
    options.config = ssd.Config.from_json(text) if text else CONFIG
    return options


def with_people(options):
    """Steps 1 to 5: {round: its model}, and the folders of labels they come from."""
    out, by_mtcnn, agreed = options.out, options.out / "labels_mtcnn", options.out / "labels_agreed"
    say("people's labels")
    human = out / "labels_human"
    if not complete(human):
        ssd.import_labels("coco", options.human, options.photos, human, max_side=640)
    others = without_labels(options.photos, human, out / "photos_without_labels")
    by_teacher(others, by_mtcnn)
    models = {1: train(1, human, options)}
    by_student(others, models[1], out)
    by_both = [by_mtcnn, out / "labels_student"]
    say(str(combine(by_both, agreed, kept=by_both[1:])))
    road = [[human] * times + [agreed] for times in HUMAN_TIMES[1:3]] + [[human]]
    start = None
    for number, labels in enumerate(road, 2):
        models[number] = train(number, labels, options, start)
        start = out / f"round{number}" / "model.keras"
    return models, (human, by_mtcnn, agreed)


def without_people(options):
    """The same where MTCNN's labels are all there is."""
    out, by_mtcnn, agreed = options.out, options.out / "labels_mtcnn", options.out / "labels_agreed"
    by_teacher(options.photos, by_mtcnn)
    models = {2: train(2, by_mtcnn, options)}
    by_student(options.photos, models[2], out)
    # Every face of MTCNN's stays one, and whatever the student sees is no background.
    rules = Rules(trusted_score=Options().label, min_score_alone=0)
    say(str(combine([out / "labels_student", by_mtcnn], agreed, kept=[by_mtcnn], rules=rules)))
    models[3] = train(3, agreed, options, out / "round2" / "model.keras")
    return models, (by_mtcnn, agreed)


def train(number, labels, options, start=None):
    """The model of one round."""
    say(f"round {number}")
    return ssd.train(
        labels,
        options.out / f"round{number}",
        options.config,
        start=start,
        freeze_normalization=start is not None,
        epochs=options.epochs[number - 1],
        batch_size=BATCHES[number - 1],
        learning_rate=RATES[number - 1],
        loss=ssd.MultiboxLoss(options.config, alpha=ALPHA, balance_objects=BALANCE_OBJECTS),
        seed=options.seed,
        cache=options.out / "cache",
    )


def ship(models, folders, options):
    """Step 6: the files, and what they are worth."""
    say("the files, and what they are worth")
    out = options.out
    model = rounded(models[max(models)])
    save_packed(model, out / "face.keras")
    seen = ssd.dataset(folders[0], options.config, batch_size=8, training=True, seed=0)
    files = {"int8": out / "face.tflite", "float16": out / "face_float16.tflite"}
    for precision, file in files.items():
        if not file.exists():
            ssd.export(model, file, precision=precision, calibration=seen)
    figures = {}
    if options.validation:
        for file in files.values():
            detector = ssd.Detector(file, threads=os.cpu_count() or 1)
            figures[file.name] = ssd.evaluate(detector, *options.validation, min_height=SMALLEST)
            say(f"{file.name}: {figures[file.name]}")
    counts = {folder.name: about(folder)["counts"] for folder in folders}
    files = [*files.values(), out / "face.keras"]
    (out / "face.md").write_text(card(models, files, figures, counts))
    say(f"model card: {out / 'face.md'}")


def by_teacher(photos, out):
    """MTCNN's labels of the photos in a folder, in `out`."""
    say("MTCNN labels photos")
    if not complete(out):
        label(photos, out, Options(second_opinion="mirror"), progress=tell)


def by_student(photos, student, out):
    """A trained model's labels of the photos in a folder, in `out/labels_student`."""
    say("the student labels them, too")
    file, labels = out / "student.tflite", out / "labels_student"
    if not file.exists():
        ssd.export(student, file, precision="float32")
    if not complete(labels):
        # Its word counts from 0.3 where MTCNN agrees; alone it must be surer (`distill.Rules`).
        looks = Options(teacher=str(file), label=0.5, ignore=0.3, second_opinion="mirror")
        label(photos, labels, looks, progress=tell)


def without_labels(photos, human, folder):
    """A folder of links to the photos that people's labels, in the folder `human`, are not of."""
    named = {photo.filename for photo in ssd.read_labels(human)}
    for name in find_photos(photos, leave_out=folder.parent).names:
        link = folder / name
        if name in named:
            continue
        if not link.exists():
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to((photos / name).resolve())
    return folder


def complete(folder):
    """Whether a folder of labels is there and finished."""
    return (folder / "dataset.json").exists() and about(folder).get("complete", False)


def about(folder):
    """What a folder of labels says of itself."""
    return json.loads((folder / "dataset.json").read_text())


def rounded(model):
    """The same model with weights of 16 bits, without what only training needs."""
    small = ssd.SSD(model.config)
    small.provenance = model.provenance
    small.set_weights([each.astype("float16").astype("float32") for each in model.get_weights()])
    return small


def save_packed(model, path):
    """As `model.save`, packed: half of every rounded weight is zeros, which bzip2 sees best."""
    whole, packed = path.with_name("whole.keras"), path.with_name("packed.keras")
    model.save(whole)
    with zipfile.ZipFile(whole) as old, zipfile.ZipFile(packed, "w", zipfile.ZIP_BZIP2) as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
    whole.unlink()
    packed.replace(path)


def card(models, files, figures, counts):
    """The model card: what the model is, what it was made of, how good it is."""
    model = models[max(models)]
    config = model.config
    lines = [
        "# Face model",
        "",
        f"An SSD with {model.count_params():,} parameters for photos of {config.image_size[0]}×"
        f"{config.image_size[1]} pixels. Research use: it carries the terms of the photos it was "
        "trained on.",
        "",
        "| file | KB |",
        "|---|---|",
        *(f"| `{file.name}` | {file.stat().st_size / 1000:.0f} |" for file in files),
        "",
        "## Labels",
        "",
        "| labels | photos | faces | regions ignored |",
        "|---|---|---|---|",
        *(
            f"| {name} | {each['photos']} | {each['boxes']} | {each['ignored']} |"
            for name, each in counts.items()
        ),
        "",
        "## Training",
        "",
        *(training_line(number, each.provenance) for number, each in models.items()),
        "",
    ]
    if figures:
        lines += [
            f"## Figures, faces of {SMALLEST:.0%} of the photo's long side or more, IoU 0.5",
            "",
            "| file | photos | faces | AP50 | AP75 | recall at 0.1 false positives a photo |",
            "|---|---|---|---|---|---|",
            *(
                f"| {name} | {each.photos} | {each.faces} | {each.ap50:.3f} | {each.ap75:.3f} | "
                f"{each.recall:.3f} |"
                for name, each in figures.items()
            ),
            "",
        ]
    return "\n".join(lines)


def training_line(number, about):
    """How one round went."""
    return (
        f"{number}. {about['photos']} photos (repeats counted), {about['epochs']} epochs, "
        f"batch {about['batch_size']}, learning rate {about['learning_rate']:g}, "
        f"alpha {about['loss']['alpha']:g}, seed {about['seed']}, "
        f"final loss {about['terms']['loss']:.3f}; "
        f"ssd-faces {about['version']} on {about['backend']}."
    )


def say(what):
    """Say where we are."""
    print(what, flush=True)


def tell(done, total):
    """How far the labeling is."""
    say(f"   {done} of {total} photos")


if __name__ == "__main__":
    main()

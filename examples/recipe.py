"""The recipe of the face model: photos in, a model to ship out.

    python examples/recipe.py PHOTOS... OUT --teacher centerface --human HUMAN.json
        --validation PHOTOS TRUTH.json

PHOTOS are folders. Each HUMAN.json says in COCO format where people saw faces on some of their
photos; there may be several, or none. Stopped at any point, the same command goes on where it was.
In OUT then lie `face.tflite` (int8), `face_float16.tflite` (which computes in 32 bits),
`face.keras` to fine-tune from, and the model card `face.md`. Weights are rounded to 7 significant
bits, which makes that file small.

1. The teachers label all photos: what most of them see is a face, what fewer see is a region to
   ignore.
2. People's labels are brought to one style: people say where a face is, the teachers where its box
   ends. What the teachers alone see there is a region to ignore.
3. Round 1: a student begins afresh, on all of these, in images of half the height and width, of
   which four take the time of one; people's photos are seen twice as often. Rounds 2 and 3: it
   goes on at full size, with its normalization frozen, which is quicker.
4. Scores are fitted to the validation photos; the model is exported and measured.

One teacher alone, without people, overlooks faces, which a student would learn as background. Then
the student of round 1 labels the photos, too, and what only it sees is a region to ignore from
round 2 on. `--start FILE` begins with round 2, from that model.
"""

import argparse
import dataclasses
import json
import os
import pathlib
import zipfile

import asked
import keras
import numpy as np

import ssd
from distill import Options, Rules, combine, label, label_by_vote

CONFIG = ssd.Config(
    image_size=(256, 320),
    width_multiplier=0.1875,
    fine_blocks=2,
    positive_iou=0.4,
    negative_iou=0.3,
    min_face=12.0,
)
ALPHA = 2.0  # weight of the offset loss
OFFSETS = {"smooth_l1": 1.0, "diou": 5.0}
QUALITY = 1.0  # confidence follows the fit
BALANCE_OBJECTS = 0.75  # how far faces with few anchors are made up for
# Of each round: what the sides of images are divided by, passes, photos in a step, peak learning
# rate. A fresh model gets further by many small steps.
DIVISORS = (2, 1, 1)
EPOCHS = (20, 20, 20)
BATCHES = (8, 16, 16)
RATES = (2e-3, 1e-3, 5e-4)
HUMAN_TIMES = 2  # how often photos with people's labels are seen for once that the others are
SMALLEST = 0.05  # height of a face that counts, as a share of the photo's long side
SIGNIFICANT = 7  # bits of a weight that ships: finer than int8, and a model packs to 1.3 bytes each
MIN_FACE = 12  # side of the smallest face that teachers look for, pixels


def main():
    """Walk the four steps; each is skipped if its work is done."""
    options = read_options()
    options.out.mkdir(parents=True, exist_ok=True)
    asked.claim(options.out, human=options.human, start=options.start)
    keras.config.set_dtype_policy(options.policy)
    seen = by_teachers(options)
    people = [by_people(file, seen, options) for file in options.human]
    others = of_the_others(seen, people, options.out)
    labels = [folder for _, folder in people] * HUMAN_TIMES + [others]
    models = {}
    if not options.start:
        models[1] = train(1, labels, options, None)
        if not people and len(options.teacher) == 1:
            labels = [by_student(seen, models[1], options)]
    start = options.start or options.out / "round1" / "model.keras"
    for number in (2, 3):
        models[number] = train(number, labels, options, start)
        start = options.out / f"round{number}" / "model.keras"
    ship(models, list(dict.fromkeys(labels)), options)


def read_options():
    """What the command line asks for; `config` is the `ssd.Config`."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("photos", type=asked.existing, nargs="+", help="folders of photos")
    parser.add_argument("out", type=pathlib.Path, help="folder for everything made")
    parser.add_argument(
        "--teacher",
        action="append",
        help="who labels, as for distill (mtcnn); the first says where a face ends",
    )
    parser.add_argument(
        "--human",
        type=asked.existing,
        action="append",
        default=[],
        help="COCO JSON of people's labels of some of the photos; may be given several times",
    )
    parser.add_argument(
        "--validation",
        type=asked.existing,
        nargs=2,
        action="append",
        default=[],
        metavar=("PHOTOS", "TRUTH"),
        help="photos and COCO JSON to fit scores to and to measure on; may be given several times",
    )
    parser.add_argument("--start", type=asked.existing, help="model of round 1, made before")
    parser.add_argument("--config", type=asked.existing, help="JSON file with another ssd.Config")
    parser.add_argument(
        "--epochs",
        type=asked.count,
        nargs=3,
        default=EPOCHS,
        metavar="N",
        help=f"of the rounds ({' '.join(map(str, EPOCHS))})",
    )
    parser.add_argument(
        "--policy",
        default="float32",
        help="Keras dtype policy (float32); mixed_bfloat16 where the hardware multiplies it",
    )
    parser.add_argument("--seed", type=int, help="makes the training repeatable")
    options = parser.parse_args()
    folders = [name for file in options.human for name in (file.stem, f"{file.stem}_styled")]
    asked.different(parser, "--human", [*folders, "teachers", "others", "student", "agreed"])
    asked.different(parser, "--validation", [truth.name for _, truth in options.validation])
    options.teacher = options.teacher or ["mtcnn"]
    text = options.config and options.config.read_text()
    options.config = ssd.Config.from_json(text) if text else CONFIG
    return options


def by_teachers(options):
    """Step 1: the folder of the teachers' labels of all photos."""
    say(f"{', '.join(options.teacher)} labels the photos")
    out = options.out / "labels_teachers"
    raters = [Options(teacher=name, min_face=MIN_FACE) for name in options.teacher]
    if len(raters) > 1:
        label_by_vote(options.photos, out, raters, geometry=raters[0].name, progress=tell)
    else:
        # One that has no other to agree with looks again, at the mirrored photo.
        alone = Options(teacher=options.teacher[0], min_face=MIN_FACE, second_opinion="mirror")
        label(options.photos, out, alone, progress=tell)
    return out


def by_people(file, seen, options):
    """Step 2 for one file: the folders of people's labels as they are, and in one style."""
    say(f"people's labels, {file.name}")
    human = options.out / f"labels_{file.stem}"
    styled = options.out / f"labels_{file.stem}_styled"
    photos = os.path.commonpath([path.resolve() for path in options.photos])
    if not complete(human):
        ssd.import_labels("coco", file, photos, human, max_side=640)
    rules = Rules(min_score_alone=0)
    combine([human, seen], styled, kept=[human], geometry=seen, rules=rules, progress=tell)
    return human, styled


def of_the_others(seen, people, out):
    """The folder of the teachers' labels of the photos that people labeled none of."""
    if not people:
        return seen
    others = out / "labels_others"
    if not complete(others):
        named = {photo.filename for photo in ssd.read_labels([human for human, _ in people])}
        photos = (photo for photo in ssd.read_labels(seen) if photo.filename not in named)
        ssd.write_labels(others, photos)
    return others


def by_student(seen, student, options):
    """The folder of the teacher's labels where what only its student sees is ignored."""
    say("the student labels them, too")
    file, labels = options.out / "student.tflite", options.out / "labels_student"
    if not file.exists():
        whole = ssd.SSD(options.config)  # its weights are those of any size
        whole.set_weights(student.get_weights())
        ssd.export(whole, file, precision="float32")
    looks = Options(teacher=str(file), label=0.5, ignore=0.3, second_opinion="mirror")
    label(options.photos, labels, looks, progress=tell)
    # Every face of the teacher's stays one, and whatever the student sees is no background.
    rules = Rules(trusted_score=about(seen)["label"], min_score_alone=0)
    agreed = options.out / "labels_agreed"
    combine([labels, seen], agreed, kept=[seen], geometry=seen, rules=rules, progress=tell)
    return agreed


def train(number, labels, options, start):
    """The model of one round."""
    say(f"round {number}")
    config = smaller(options.config, DIVISORS[number - 1])
    return ssd.train(
        labels,
        options.out / f"round{number}",
        config,
        start=start,
        freeze_normalization=start is not None,
        epochs=options.epochs[number - 1],
        batch_size=BATCHES[number - 1],
        learning_rate=RATES[number - 1],
        loss=loss_of(config),
        seed=options.seed,
        cache=options.out / "cache",
    )


def smaller(config, divisor):
    """The same Config with the sides of its images divided; they stay multiples of 32."""
    size = tuple(side // divisor + -(side // divisor) % 32 for side in config.image_size)
    return dataclasses.replace(config, image_size=size)


def loss_of(config):
    """What all models of faces are trained by."""
    return ssd.MultiboxLoss(
        config,
        alpha=ALPHA,
        offsets=OFFSETS,
        quality=QUALITY,
        balance_objects=BALANCE_OBJECTS,
    )


def ship(models, folders, options):
    """Step 4: the files, and what they are worth."""
    say("the files, and what they are worth")
    out, model = options.out, models[max(models)]
    if options.validation:
        scores = ssd.calibrate(model, options.validation, min_height=SMALLEST)
        say(str(scores))
        model = scores.apply_to(model)
    model = rounded(model)
    save_packed(model, out / "face.keras")
    seen = ssd.dataset(folders, options.config, batch_size=8, training=True, seed=0)
    files = {"int8": out / "face.tflite", "float16": out / "face_float16.tflite"}
    for precision, file in files.items():
        ssd.export(model, file, precision=precision, calibration=seen)
    figures = {}
    for file in files.values():
        detector = ssd.Detector(file, threads=os.cpu_count() or 1)
        for photos, truth in options.validation:
            result = ssd.evaluate(detector, photos, truth, min_height=SMALLEST)
            figures[file.name, truth.name] = result
            say(f"{file.name}, {truth.name}: {result}")
    counts = {folder.name: about(folder)["counts"] for folder in folders}
    files = [*files.values(), out / "face.keras"]
    (out / "face.md").write_text(card(models, files, figures, counts))
    say(f"model card: {out / 'face.md'}")


def complete(folder):
    """Whether a folder of labels is there and finished."""
    return (folder / "dataset.json").exists() and about(folder).get("complete", False)


def about(folder):
    """What a folder of labels says of itself."""
    return json.loads((folder / "dataset.json").read_text())


def rounded(model):
    """The same model with weights of fewer bits, without what only training needs."""
    small = ssd.SSD(model.config)
    small.provenance = model.provenance
    small.set_weights([to_bits(each) for each in model.get_weights()])
    return small


def to_bits(weights):
    """Float32 numbers rounded to so many significant bits."""
    mantissa, exponent = np.frexp(weights)
    return np.ldexp(np.round(mantissa * 2**SIGNIFICANT) / 2**SIGNIFICANT, exponent)


def save_packed(model, path):
    """As `model.save`, packed: most of every rounded weight is zeros, which bzip2 sees best."""
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
            f"| {name} | {each.get('labeled', each['photos'])} | {each['boxes']} | "
            f"{each['ignored']} |"
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
            "| file | truth | photos | faces | AP50 | AP75 | recall at 0.1 false positives |",
            "|---|---|---|---|---|---|---|",
            *(
                f"| {name} | {truth} | {each.photos} | {each.faces} | {each.ap50:.3f} | "
                f"{each.ap75:.3f} | {each.recall:.3f} |"
                for (name, truth), each in figures.items()
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

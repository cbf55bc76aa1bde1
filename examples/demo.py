"""The whole road once: photos in, labels by a teacher, a student trained, exported, compared.

    python examples/demo.py OUT [--photos FOLDER] [--epochs N]

Stopped at any point, the same command goes on where it was. Without `--photos` the photos are
composed by `compose.py`. With it, one photo in six is held back for the comparison, and none of
your photos is changed.
"""

import argparse
import pathlib
import subprocess
import sys
import time

import asked
import numpy as np
from matplotlib.figure import Figure

import ssd
from distill import mtcnn, mtcnn_package

COMPOSED, HELD_BACK = 480, 120
EPOCHS = 20
TIMED = 60  # photos on which both are timed
SHOWN = 4  # photos in the picture


def main():
    """Walk the road; the exit status is 0 only at its end."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("out", type=pathlib.Path, help="folder for everything made")
    parser.add_argument("--photos", type=asked.existing, help="your photos (default: composed)")
    parser.add_argument(
        "--epochs", type=asked.count, default=EPOCHS, help=f"passes over the photos ({EPOCHS})"
    )
    options = parser.parse_args()
    out = options.out / ("yours" if options.photos else "composed")
    seen, held_back = out / "photos", out / "held_back"

    out.mkdir(parents=True, exist_ok=True)
    asked.claim(out, photos=options.photos)

    step(1, "Photos")
    if options.photos:
        split(options.photos, seen, held_back)
    else:
        from compose import write_photos

        write_photos(seen, COMPOSED, seed=1)
        write_photos(held_back, HELD_BACK, seed=2)

    step(2, "The teacher (MTCNN) labels them")
    run("distill", seen, out / "labels")
    run("distill", held_back, out / "held_back_labels")
    if not (out / "truth.json").exists():
        run("ssd", "coco", out / "held_back_labels", out / "truth.json")

    step(3, "A student learns from the labels")
    run("ssd", "train", out / "labels", out / "run", "--epochs", options.epochs)

    step(4, "The student as an int8 file for the Pi")
    model = out / "face.tflite"
    run("ssd", "export", out / "run" / "model.keras", model, "--calibration", out / "labels")

    step(5, "Both on the photos held back")
    student = ssd.Detector(model)
    result = ssd.evaluate(student, held_back, out / "truth.json")
    paths = sorted(held_back.iterdir())
    paths = paths[:: max(1, len(paths) // TIMED)]
    photos = [ssd.read_photo(path) for path in paths]
    detectors = {"teacher": teacher(mtcnn), "package": teacher(mtcnn_package), "student": student}
    found, milliseconds = watch(detectors, photos)
    print(table(result, milliseconds))
    draw(photos, found, milliseconds, out / "demo.png")
    print(f"\nSide by side: {out / 'demo.png'}")


def step(number, text):
    """Say which part of the road this is."""
    print(f"\n── {number}/5 {text}", flush=True)


def run(module, *arguments):
    """Run a command of the project; if it fails, so does the demo."""
    command = ["-m", module, *map(str, arguments)]
    print("$ python", *command, flush=True)
    done = subprocess.run([sys.executable, *command])
    if done.returncode:
        sys.exit(done.returncode)


def split(folder, seen, held_back):
    """Link one photo in six into `held_back`, the others into `seen`."""
    if not folder.is_dir():
        sys.exit(f"{folder}: wanted a folder of photos, there is no such folder")
    seen.mkdir(parents=True, exist_ok=True)
    held_back.mkdir(parents=True, exist_ok=True)
    files = sorted(path for path in folder.resolve().rglob("*") if path.is_file())
    for index, path in enumerate(files):
        link = (held_back if index % 6 == 5 else seen) / f"{index:06d}{path.suffix}"
        if not link.is_symlink():
            link.symlink_to(path)


def teacher(function):
    """A teacher, called like a student: one photo in, `ssd.Detections` out."""

    def detect(photo):
        boxes, scores = function([photo])[0]
        return ssd.Detections(boxes, scores, np.ones(len(scores), int))

    return detect


def watch(detectors, photos):
    """What each detector finds, and its median time per photo in milliseconds."""
    found = {name: [] for name in detectors}
    times = {name: [] for name in detectors}
    for detect in detectors.values():
        detect(photos[0])  # a first call builds what later ones reuse
    for photo in photos:
        for name, detect in detectors.items():
            start = time.perf_counter()
            found[name].append(detect(photo))
            times[name].append(1000 * (time.perf_counter() - start))
    return found, {name: float(np.median(each)) for name, each in times.items()}


def table(result, milliseconds):
    """The figures, as text."""
    package, teacher, student = (milliseconds[name] for name in ("package", "teacher", "student"))
    rows = [
        ("", "mtcnn package", "distill's teacher", "student (int8)"),
        ("ms per photo, median", f"{package:.1f}", f"{teacher:.1f}", f"{student:.1f}"),
        ("AP at IoU 0.5", "", "made the labels", f"{result.ap50:.3f}"),
        ("AP at IoU 0.75", "", "made the labels", f"{result.ap75:.3f}"),
    ]
    lines = [f"{name:22}" + "".join(f"{cell:>19}" for cell in cells) for name, *cells in rows]
    return "\n".join(
        [
            f"{result.photos} photos held back, {result.faces} faces on them\n",
            *lines,
            f"\nThe student is {package / student:.0f} times as fast as MTCNN from its package,",
            f"{teacher / student:.0f} times as fast as distill's teacher on one photo at a time.",
        ]
    )


def draw(photos, found, milliseconds, path):
    """Teacher above, student below, on the photos with most faces."""
    order = sorted(range(len(photos)), key=lambda index: -len(found["teacher"][index]))
    figure = Figure(figsize=(3 * SHOWN, 5.4), layout="constrained")
    grid = figure.subplots(2, SHOWN, squeeze=False)
    for row, name in zip(grid, ("teacher", "student"), strict=True):
        for axes, index in zip(row, order, strict=False):
            axes.imshow(ssd.draw(photos[index], found[name][index]))
        for axes in row:
            axes.set_axis_off()
        row[0].set_title(f"{name}, {milliseconds[name]:.1f} ms per photo", loc="left")
    figure.savefig(path, dpi=100)


if __name__ == "__main__":
    main()

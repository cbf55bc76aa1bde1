"""Find faces in photos, draw them, and say how long it took.

    python examples/detect.py face.tflite photo.jpg ...

Needs NumPy, Pillow and a LiteRT runtime: it runs on the board as it does here.
"""

import pathlib
import sys
import time

import ssd

model, *photos = sys.argv[1:]

detector = ssd.Detector(model, threads=2)
for path in map(pathlib.Path, photos):
    photo = ssd.read_photo(path)
    start = time.perf_counter()
    found = detector(photo)
    milliseconds = (time.perf_counter() - start) * 1e3

    print(f"{path}: {len(found)} found in {milliseconds:.1f} ms")
    for box, score, class_id in zip(*found, strict=True):
        top, left, bottom, right = box.round().astype(int)
        name = detector.config.classes[class_id - 1]
        print(f"  {name} {score:.2f}  rows {top} to {bottom}, columns {left} to {right}")
    drawn = path.with_name(f"{path.stem}-found.png")
    ssd.write_photo(drawn, ssd.draw(photo, found, names=detector.config.classes))

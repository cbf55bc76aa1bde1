"""Train a face detector on labeled photos, export it, look at a photo with it.

    python -m distill photos/ labels/
    python examples/train.py labels/ run/ photo.jpg

`python -m ssd train` does the same and can be stopped and resumed; here it is in plain sight.
"""

import pathlib
import sys

import ssd

labels, out, photo = sys.argv[1:]
photo = ssd.read_photo(photo)
pathlib.Path(out).mkdir(parents=True, exist_ok=True)

config = ssd.Config(image_size=(256, 256), classes=("face",), backbone="alexnet")
data = ssd.dataset(labels, config, batch_size=32, training=True)

model = ssd.SSD(config)
model.compile("adam", ssd.MultiboxLoss(config, gate=0.999, extra=1.0))
model.fit(data, epochs=30, shuffle=False)  # the data shuffles itself
model.save(f"{out}/model.keras")

ssd.export(model, f"{out}/face.tflite", precision="int8", calibration=data)

detector = ssd.Detector(f"{out}/face.tflite", threads=1)
for box, score, _ in zip(*detector(photo), strict=True):
    print(f"face {score:.2f} at ymin, xmin, ymax, xmax = {box.round()}")

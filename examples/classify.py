"""Does the backbone still classify? Crops of two classes told apart, before any detector is blamed.

    python examples/classify.py CROPS OUT [EPOCHS]

CROPS has a folder for each class; the last by name is the one to find. 150 crops of each, or a
fifth where there are fewer, are kept out by a fixed seed and judged; OUT gets `roc.png`.
"""

import pathlib
import sys

import keras
import numpy as np
from matplotlib.figure import Figure

import ssd

crops, out, epochs = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), int([*sys.argv, "40"][3])
out.mkdir(parents=True, exist_ok=True)
keras.utils.set_random_seed(0)
kept, learned = [], []
for label, folder in enumerate(sorted(path for path in crops.iterdir() if path.is_dir())):
    paths = sorted(folder.glob("*.*"))
    np.random.default_rng(0).shuffle(paths)
    some = min(150, len(paths) // 5)
    kept += [(path, label) for path in paths[:some]]
    learned += [(path, label) for path in paths[some:]]


def load(pairs):
    """Images uint8 [crops, 64, 64, 3] and labels [crops]."""
    images = [keras.utils.load_img(path, target_size=(64, 64)) for path, _ in pairs]
    return np.stack([*map(np.uint8, images)]), np.array([label for _, label in pairs], np.float32)


body = ssd.SSD(ssd.Config(image_size=(64, 64)))
x = keras.layers.RandomFlip("horizontal")(body.inputs[0])
x = keras.layers.RandomRotation(0.03)(keras.layers.RandomTranslation(0.06, 0.06)(x))
x = keras.layers.RandomZoom((-0.15, 0.05))(x)
x = keras.Model(body.inputs, body.get_layer("conv6_relu").output)(x)
x = keras.layers.Dropout(0.5)(keras.layers.GlobalAveragePooling2D()(x))
model = keras.Model(body.inputs, keras.layers.Dense(1, "sigmoid")(x))
rate = keras.optimizers.schedules.CosineDecay(2e-3, epochs * -(-len(learned) // 32))
model.compile(keras.optimizers.Adam(rate), "binary_crossentropy", metrics=["accuracy"])
model.fit(*load(learned), batch_size=32, epochs=epochs, verbose=2)

images, labels = load(kept)
scores = model.predict(images, verbose=0)[:, 0]
right = np.cumsum(labels[np.argsort(-scores)])  # of the best 1, 2, 3 ... scores
recall, number = right / right[-1], np.arange(1, len(right) + 1)
false = np.append(0, number - right) / (len(labels) - right[-1])
area = np.trapezoid(np.append(0, recall), false)
found = recall[right / number >= 0.7].max(initial=0)
accuracy = np.mean((scores >= 0.5) == labels)
print(f"{len(kept)} crops kept out: accuracy {accuracy:.3f}, area under ROC {area:.3f},")
print(f"at a precision of 70 % or more: recall {found:.3f}")

figure = Figure(figsize=(4, 4), layout="constrained")
axes = figure.subplots()
axes.plot(false, np.append(0, recall))
axes.set(xlabel="share of the others", ylabel="share of the class", title=f"area {area:.3f}")
figure.savefig(out / "roc.png", dpi=120)

"""AP of a model after each epoch of its training, by the rules of `ssd evaluate`."""

import io
import itertools
import math
import pathlib
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
from PIL import Image

from ssd.data import records
from ssd.detect.detections import Detections
from ssd.metrics.evaluation import evaluate_run
from ssd.metrics.results import MAX_DETECTIONS, SCORE_FLOOR, DetectorRun, PhotoResult
from ssd.opening import Detector

PHOTOS = 300
_BATCH = 32
_CANDIDATES = 4  # for each box that is judged, before suppression


class MeasureAP(keras.callbacks.Callback):
    """Adds `val_ap50` to the logs of each epoch, for the callbacks after it.

    Faces are ignored whose height is less of the photo's long side than `Config.min_face` is of the
    input's: the rule of `ssd evaluate --min-height`, alike for photos of any shape.

    Args:
        labels: Folder of validation labels, or a list of several.
        photos: Most photos to look at; of more, every second, third and so on.

    Example:
        >>> MeasureAP("labels").photos
        300
    """

    def __init__(self, labels: records.Labels, *, photos: int = PHOTOS):
        super().__init__()
        self.labels, self.photos = labels, photos

    def on_train_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        """Read the photos, once for all epochs.

        Args:
            logs: As Keras gives them.
        """
        self._detector = Detector(self.model)
        stride = math.ceil(records.count(self.labels) / self.photos)
        chosen = itertools.islice(records.read(self.labels), 0, None, max(1, stride))
        self._truth, images = [], []
        for photo in chosen:
            pixels = np.asarray(Image.open(io.BytesIO(photo.encoded)).convert("RGB"))
            images.append(self._detector.prepare(pixels)[0].astype(np.uint8))
            self._truth.append(_truth(photo, pixels.shape[:2], len(self.model.config.classes)))
        self._images = np.stack(images)

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Run the model over the photos and hold what it finds against the labels.

        Args:
            epoch: Counted from 0.
            logs: Those that later callbacks see, too.
        """
        if isinstance(logs, dict):
            finite = math.isfinite(logs.get("loss", 0.0))
            logs["val_ap50"] = self.measure() if finite else math.nan

    def measure(self) -> float:
        """AP50 of the model as it is now.

        Returns:
            A number from 0 to 1; NaN without a face to find.
        """
        results = []
        for start in range(0, len(self._images), _BATCH):
            some = slice(start, start + _BATCH)
            outputs = np.asarray(self.model.predict_on_batch(self._images[some]))
            # Under tf.distribute each device answers for all of them.
            for truth, rows in zip(self._truth[some], outputs, strict=False):
                found = _find(self._detector, rows, truth.shape)
                results.append(truth._replace(found=found))
        config = self.model.config
        smallest = config.min_face / max(config.image_size)
        run = DetectorRun(results, tuple(config.classes))
        return float(evaluate_run(run, min_height=smallest).ap50)


def _find(detector: Detector, outputs: np.ndarray, shape: tuple[int, int]) -> Detections:
    """What a model's outputs for a photo come to, as in `ssd evaluate`."""
    offsets, logits = outputs[:, :4], outputs[:, 4:]
    found = detector.decode(offsets, logits, shape, score_threshold=SCORE_FLOOR)
    # Nearly all anchors are candidates, and suppression compares each with all others.
    return detector.suppress(found.best(_CANDIDATES * MAX_DETECTIONS)).best(MAX_DETECTIONS)


def _truth(photo: records.LabeledPhoto, shape: tuple[int, int], classes: int) -> PhotoResult:
    """A labeled photo without what is found in it; what is no class of its own is ignored."""
    height, width = shape
    rows = [
        (box, class_id, given < 1)
        for box, given in zip(photo.boxes, photo.class_ids, strict=True)
        for class_id in (range(1, 1 + classes) if given < 1 else [given])
    ]
    return PhotoResult(
        path=pathlib.Path(photo.filename),
        shape=(height, width),
        boxes=np.array([row[0] for row in rows]).reshape(-1, 4) * [height, width, height, width],
        class_ids=np.array([row[1] for row in rows], int),
        ignored=np.array([row[2] for row in rows], bool),
        found=Detections(np.zeros((0, 4)), np.zeros(0), np.zeros(0, int)),
        name=photo.filename,
    )

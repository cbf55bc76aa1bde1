import json

import imageio.v3 as iio
import numpy as np
import pytest

import anchors
import ssd
from ssd.__main__ import main
from ssd.calibrating import Calibration, Check
from ssd.detect.detector import Detector
from ssd.metrics.calibration import ScoreMap, calibration_error, fit_scores
from ssd.nets.scores import rescale_scores

PHOTOS = 400
TRUE = ScoreMap(0.5, -0.4)  # what the scores of the model below are really worth


class Known:
    """A model that is surer than it should be: on each photo two boxes, each right or wrong."""

    scales = ((0.0, 0), (0.0, 0))

    def __init__(self, config):
        self.about = {"config": json.loads(config.to_json()), "variances": [0.1, 0.1, 0.2, 0.2]}
        self.anchors = np.asarray(anchors.grid(config.feature_shapes, config.anchor_shapes))
        random = np.random.default_rng(5)
        inside = np.flatnonzero(((self.anchors > 0) & (self.anchors < 1)).all(axis=1))
        upper = inside[self.anchors[inside, 2] < 0.5]
        lower = inside[self.anchors[inside, 0] > 0.5]
        self.chosen = np.stack([random.choice(half, PHOTOS) for half in (upper, lower)], axis=1)
        self.leads = random.uniform(-4, 7, (PHOTOS, 2)).astype(np.float32)
        shares = TRUE(1 / (1 + np.exp(-self.leads)))
        self.right = random.uniform(size=(PHOTOS, 2)) < shares

    def prepare(self, image):
        return image

    def forward(self, image):
        number = int(image[0, 0, 0]) + 256 * int(image[0, 0, 1])
        logits = np.zeros((len(self.anchors), 2), np.float32)
        logits[:, 1] = -30
        logits[self.chosen[number], 1] = self.leads[number]
        return np.zeros((len(self.anchors), 4), np.float32), logits


@pytest.fixture(scope="module")
def known():
    config = ssd.Config(image_size=(64, 64), width_multiplier=0.05)
    return Known(config)


@pytest.fixture(scope="module")
def validation(known, tmp_path_factory):
    folder = tmp_path_factory.mktemp("validation")
    images, annotations = [], []
    for number in range(PHOTOS):
        name = f"{number}.png"
        color = np.uint8([number % 256, number // 256, 0])
        iio.imwrite(folder / name, np.broadcast_to(color, (64, 64, 3)))
        images.append({"id": number, "file_name": name, "height": 64, "width": 64})
        for anchor, right in zip(known.chosen[number], known.right[number], strict=True):
            ymin, xmin, ymax, xmax = map(float, known.anchors[anchor] * 64)
            if right:
                annotations.append({
                    "id": len(annotations) + 1, "image_id": number, "category_id": 1,
                    "bbox": [xmin, ymin, xmax - xmin, ymax - ymin], "iscrowd": 0,
                })  # fmt: skip
    truth = {"images": images, "annotations": annotations}
    truth["categories"] = [{"id": 1, "name": "face"}]
    (folder / "truth.json").write_text(json.dumps(truth))
    return folder, folder / "truth.json"


def test_fitted_scores_are_the_share_that_is_right():
    random = np.random.default_rng(0)
    scores = random.uniform(0.01, 0.999, 20_000)
    hits = random.uniform(size=20_000) < ScoreMap(1.6, -1.2)(scores)
    fitted = fit_scores(scores, hits)
    assert [*fitted] == pytest.approx([1.6, -1.2], abs=0.06)
    assert calibration_error(scores, hits) > 0.1
    assert calibration_error(fitted(scores), hits) < 0.015


def test_thousands_of_hopeless_boxes_decide_nothing():
    """Those that no threshold in use would ever return follow another law."""
    random = np.random.default_rng(1)
    good = random.uniform(0.05, 0.999, 3000)
    hits = random.uniform(size=3000) < ScoreMap(0.8, -0.3)(good)
    poor = random.uniform(0.0001, 0.02, 100_000)
    fitted = fit_scores(np.append(good, poor), np.append(hits, np.arange(100_000) % 10_000 == 0))
    assert calibration_error(fitted(good), hits) < 0.03


def test_a_model_that_knows_hardly_anything_is_told_so():
    """All of its boxes are under 0.05 in the end; the first fit stays."""
    scores = np.linspace(0.3, 0.9, 5000)
    fitted = fit_scores(scores, np.arange(5000) % 1000 == 999)
    assert fitted(scores).mean() == pytest.approx(0.001, rel=0.1)


@pytest.mark.parametrize("hits", [[True, True], [False, False]])
def test_scores_of_boxes_all_alike_cannot_be_fitted(hits):
    with pytest.raises(ValueError, match="wanted boxes that are right and such that are wrong"):
        fit_scores([0.4, 0.8], hits)


def test_better_scores_must_be_better():
    with pytest.raises(ValueError, match="wanted better scores to be right more often"):
        fit_scores(np.repeat([0.3, 0.7], 100), np.arange(200) % 100 < np.repeat([70, 30], 100))


def test_a_model_that_is_too_sure_is_found_out(known, validation):
    found = ssd.calibrate(Detector(known), [validation])
    assert [*found.map] == pytest.approx([*TRUE], abs=0.12)
    assert found.error_before > 0.12
    for check in found.checks:
        assert check.error < 0.09  # 200 photos, 400 boxes in 15 bins
        assert check.false_positives == pytest.approx(0.1, abs=0.05)
    again = ssd.calibrate(Detector(known), [validation])
    assert str(again) == str(found)
    assert ssd.calibrate(Detector(known), [validation], seed=1).checks != found.checks


class Smiling(Known):
    """The same, of faces that smile more or less: what is known of a face is split in two."""

    def forward(self, image):
        number = int(image[0, 0, 0]) + 256 * int(image[0, 0, 1])
        offsets, logits = super().forward(image)
        share = np.random.default_rng(number).uniform(0.01, 0.99, (len(logits), 1))
        parts = logits[:, 1:] + np.log(np.concatenate([share, 1 - share], axis=1))
        return offsets, np.concatenate([logits[:, :1], parts], axis=1).astype(np.float32)


def test_what_is_promised_of_classes_that_share_a_score_is_what_the_model_then_does(validation):
    classes = {"classes": ("face", "smile"), "kinds": {"smile": "face"}}
    known = Smiling(ssd.Config(image_size=(64, 64), width_multiplier=0.05, **classes))
    detector = Detector(known)
    found = ssd.calibrate(detector, [validation])
    # The same in the logits, as `Calibration.apply_to` has it in the weights.
    scores, hits = [], []
    for number in range(PHOTOS):
        _, logits = known.forward(np.uint8([[[number % 256, number // 256, 0]]]))
        odds = np.exp(found.map.slope * logits[known.chosen[number], 1:] + found.map.shift)
        scores += (odds.sum(axis=1) / (1 + odds.sum(axis=1))).tolist()
        hits += known.right[number].tolist()
    scores, hits = np.array(scores), np.array(hits)
    wrong = np.sort(scores[~hits])[::-1]
    allowed = PHOTOS // 10
    assert (wrong >= found.score_threshold - 1e-5).sum() == allowed
    assert calibration_error(scores, hits) < 0.06 < found.error_before
    # What is left to fit of these scores is nothing.
    assert [*fit_scores(scores, hits)] == pytest.approx([1, 0], abs=0.02)
    # And the detector with these scores is that model.
    photo = np.broadcast_to(np.uint8([7, 0, 0]), (64, 64, 3))
    seen = detector.rescaled(*found.map)(photo, score_threshold=0.01)
    assert np.sort(seen.scores) == pytest.approx(np.sort(scores[14:16]), abs=1e-5)


def test_several_validations_count_together(known, validation):
    twice = ssd.calibrate(Detector(known), [validation, validation])
    once = ssd.calibrate(Detector(known), [validation])
    assert twice.photos == 2 * once.photos
    assert [*twice.map] == pytest.approx([*once.map], rel=1e-3)


def test_the_model_that_has_the_scores(tiny, tmp_path):
    """In memory, as .keras and as .tflite; it stays what it was besides."""
    model, random = ssd.SSD(tiny), np.random.default_rng(2)
    photo = random.integers(0, 255, (*tiny.image_size, 3)).astype(np.uint8)
    calibration = Calibration(ScoreMap(1.7, -0.9), 0.61, 0.1, (Check(0, 0),) * 2, 9)
    changed = calibration.apply_to(model)
    wanted = calibration.map(scores_of_all(ssd.Detector(model), photo))
    assert np.allclose(scores_of_all(ssd.Detector(changed), photo), wanted, atol=1e-5)
    changed.save(tmp_path / "face.keras")
    ssd.export(changed, tmp_path / "face.tflite", precision="float32")
    for name in ("face.keras", "face.tflite"):
        detector = ssd.Detector(tmp_path / name)
        assert np.allclose(scores_of_all(detector, photo), wanted, atol=1e-4)
        assert detector.config.score_threshold == 0.61
        assert detector.about["provenance"]["calibration"]["slope"] == 1.7


def scores_of_all(detector, photo):
    """The scores of all anchors, in their order."""
    outputs = detector.forward(detector.prepare(photo))
    return detector.decode(*outputs, photo.shape, score_threshold=0).scores


@pytest.mark.device
def test_every_class_moves_alike(tmp_path):
    config = ssd.Config(image_size=(64, 64), width_multiplier=0.05, classes=("face", "hand"))
    model = ssd.SSD(config)
    photo = np.full((1, 64, 64, 3), 90, np.uint8)
    before = np.asarray(model(photo))[0, :, 4:]
    rescale_scores(model, 2.0, 0.5)
    after = np.asarray(model(photo))[0, :, 4:]
    leads = [each[:, 1:] - each[:, :1] for each in (before, after)]
    assert np.allclose(leads[1], 2 * leads[0] + 0.5, atol=1e-4)


def test_a_detector_returns_what_its_file_says(known):
    photo = np.zeros((64, 64, 3), np.uint8)
    known.leads[0] = [0.5, 2.0]
    for threshold, count in ((0.5, 2), (0.8, 1), (0.9, 0)):
        known.about["config"]["score_threshold"] = threshold
        detector = Detector(known)
        assert len(detector(photo)) == count
        assert len(detector.batch([photo])[0]) == count
        assert len(detector(photo, score_threshold=0.1)) == 2


def test_the_command(tiny, tmp_path, capsys, validation):
    ssd.SSD(tiny).save(tmp_path / "face.keras")
    photos, truth = validation
    words = ["calibrate", str(tmp_path / "face.keras"), str(photos)]
    assert main([*words, str(truth), "again"]) == 1
    assert "wanted pairs of PHOTOS and TRUTH, got 3 words" in capsys.readouterr().err
    coco = json.loads(truth.read_text())
    coco["annotations"] = [{**coco["annotations"][0], "bbox": [0, 0, 1, 1]}]
    (tmp_path / "truth.json").write_text(json.dumps(coco))
    out = tmp_path / "other.keras"
    assert main([*words, str(tmp_path / "truth.json"), "--out", str(out)]) == 1
    assert "scores: wanted boxes that are right and such that are wrong" in capsys.readouterr().err
    assert not out.exists()


def test_the_command_writes_the_model(tiny, tmp_path, capsys, validation, monkeypatch):
    ssd.SSD(tiny).save(tmp_path / "face.keras")
    found = Calibration(ScoreMap(1.5, 0.2), 0.7, 0.1, (Check(0.02, 0.1),) * 2, 9)
    monkeypatch.setattr("ssd.calibrating.calibrate", lambda *_, **__: found)
    out = tmp_path / "other.keras"
    words = ["calibrate", str(tmp_path / "face.keras"), *map(str, validation), "--out", str(out)]
    assert main(words) == 0
    assert str(found) in capsys.readouterr().out
    assert ssd.load(out).config.score_threshold == 0.7

import dataclasses
import json

import numpy as np
import pytest

import ssd
from ssd.nets.growing import columns, take_over
from ssd.training.options import check_start


@pytest.fixture(scope="module")
def photos():
    random = np.random.default_rng(0)
    return random.integers(0, 255, (2, 64, 96, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def face(tiny):
    return shaken(ssd.SSD(tiny))


def shaken(model):
    """With weights of its own in each column, so that none can stand in another's place."""
    random = np.random.default_rng(1)
    for weight in model.trainable_weights:
        weight.assign(np.asarray(weight) + 0.02 * random.standard_normal(weight.shape))
    return model


def grown(first, class_names, parents=None):
    model = ssd.SSD(dataclasses.replace(first.config, classes=class_names))
    take_over(model, first, parents)
    return model


def answers(model, photos):
    """Offsets and logits."""
    predictions = model.predict(photos, verbose=0)
    return predictions[..., :4], predictions[..., 4:]


def odds(logits):
    """Log odds of anything against background, summed over classes as the softmax sums them."""
    return np.logaddexp.reduce(logits[..., 1:], axis=-1) - logits[..., 0]


@pytest.mark.parametrize("class_names", [("face", "smile"), ("smile", "face", "wink"), ("smile",)])
def test_a_grown_head_says_at_first_what_the_face_model_said(face, photos, class_names):
    offsets, logits = answers(face, photos)
    model = grown(face, class_names, {name: "face" for name in class_names if name != "face"})
    own_offsets, own_logits = answers(model, photos)
    np.testing.assert_allclose(own_offsets, offsets, rtol=0, atol=1e-5)
    np.testing.assert_allclose(odds(own_logits), odds(logits), rtol=0, atol=1e-5)


def test_the_parent_of_a_new_class_is_the_one_class_there_is(face, photos):
    _, named = answers(grown(face, ("face", "smile"), {"smile": "face"}), photos)
    _, usual = answers(grown(face, ("face", "smile")), photos)
    np.testing.assert_array_equal(named, usual)


def test_classes_change_places_and_keep_their_columns(face, photos):
    two = shaken(grown(face, ("face", "smile")))
    offsets, logits = answers(two, photos)
    own_offsets, own_logits = answers(grown(two, ("smile", "face")), photos)
    np.testing.assert_allclose(own_offsets, offsets, rtol=0, atol=1e-5)
    np.testing.assert_allclose(own_logits, logits[..., [0, 2, 1]], rtol=0, atol=1e-5)


def test_what_is_no_face_grows_out_of_the_background(face, photos):
    _, logits = answers(face, photos)
    _, own = answers(grown(face, ("face", "hand"), {"hand": "background"}), photos)
    shares, own_shares = softmax(logits), softmax(own)
    np.testing.assert_allclose(own_shares[..., 1], shares[..., 1], rtol=0, atol=1e-5)
    np.testing.assert_allclose(own_shares[..., 2], 0.01 * shares[..., 0], rtol=0, atol=1e-5)


def softmax(logits):
    return np.exp(logits - np.logaddexp.reduce(logits, axis=-1, keepdims=True))


def test_without_a_parent_that_stays_new_classes_are_background():
    assert columns(("ball", "box"), ("face",)) == ([0, 0, 0], [0.99, 0.005, 0.005])
    assert columns(("face", "smile", "hand"), ("face", "smile"))[0] == [0, 1, 2, 0]


def test_parents_that_make_no_sense_are_refused_before_anything_changes(face):
    model = ssd.SSD(dataclasses.replace(face.config, classes=("face", "smile")))
    before = model.get_weights()
    with pytest.raises(ValueError, match="wanted face or background as that of smile, got 'cat'"):
        take_over(model, face, {"smile": "cat"})
    with pytest.raises(ValueError, match="wanted new classes, one of smile, got 'face'"):
        take_over(model, face, {"face": "background"})
    for own, was in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(own, was)


def test_a_new_class_that_counts_as_its_parent_finds_what_the_parent_found(face, photos, tmp_path):
    for number, photo in enumerate(photos):
        ssd.write_photo(tmp_path / f"{number}.png", photo)
    images = [{"id": n, "file_name": f"{n}.png", "height": 64, "width": 96} for n in range(2)]
    box = {"id": 0, "image_id": 0, "category_id": 1, "iscrowd": 0, "bbox": [10, 10, 20, 20]}
    categories = [{"id": 1, "name": "face"}]
    coco = {"images": images, "annotations": [box], "categories": categories}
    (tmp_path / "truth.json").write_text(json.dumps(coco))

    def run(model, class_map=None, floor=0.0):
        options = {"class_map": class_map, "score_floor": floor, "max_detections": 10_000}
        return ssd.run_detector(ssd.Detector(model), tmp_path, tmp_path / "truth.json", **options)

    one, both = run(face), run(grown(face, ("face", "smile")), {"smile": "face"})
    assert not both.problems
    for before, after in zip(one.results, both.results, strict=True):
        assert len(before.found) == len(after.found) > 20
        np.testing.assert_allclose(after.found.boxes, before.found.boxes, atol=1e-2)
        np.testing.assert_allclose(2 * after.found.scores, before.found.scores, atol=1e-5)
        assert (after.found.class_ids == 1).all()
    # A floor is of what a box is found to be in all.
    middle = float(np.median(one.results[0].found.scores))
    few = run(face, floor=middle).results[0].found
    halves = run(grown(face, ("face", "smile")), {"smile": "face"}, middle).results[0].found
    assert 10 < len(few) == len(halves) < len(one.results[0].found)
    config = dataclasses.replace(face.config, classes=("face", "smile"), kinds={"smile": "face"})
    kind = ssd.SSD(config)
    take_over(kind, face)
    same = run(kind, {"smile": "face"}, middle).results[0].found
    np.testing.assert_allclose(same.scores, few.scores, atol=1e-5)


def test_a_block_that_is_added_changes_nothing_before_the_first_step(face, photos):
    model = ssd.SSD(dataclasses.replace(face.config, fine_blocks=3))
    take_over(model, face)
    np.testing.assert_array_equal(model.predict(photos, verbose=0), face.predict(photos, verbose=0))
    shaken(model)
    assert np.any(model.predict(photos, verbose=0) != face.predict(photos, verbose=0))
    assert model.count_params() > face.count_params()


def test_a_model_with_more_blocks_than_wanted_is_refused(face):
    larger = ssd.SSD(dataclasses.replace(face.config, fine_blocks=2))
    check_start(face, larger.config, "face.keras")
    with pytest.raises(ValueError, match=r"^big: wanted .* fine_blocks, 1, got one with 2$"):
        check_start(larger, face.config, "big")

"""Files of before 0.1.0, which call some of their fields otherwise, are still read."""

import json
import zipfile

import numpy as np
import pytest
from PIL import Image

import ssd
from distill import labeling
from distill.options import Options
from ssd.data import checking, manifest
from ssd.old_names import NAMES, renamed

OLD = {new: old for old, new in NAMES.items()}


def old(fields):
    """The fields of a file as they were called before 0.1.0, of nested dictionaries, too."""
    if not isinstance(fields, dict):
        return fields
    return {OLD.get(name, name): old(value) for name, value in fields.items()}


def write_old(path, out):
    """A `.keras` file, or a `.tflite` file's archive, with old names in what it says of itself."""
    with zipfile.ZipFile(path) as new, zipfile.ZipFile(out, "w") as written:
        for name in new.namelist():
            content = new.read(name)
            if name == "config.json":
                about = json.loads(content)
                content = json.dumps({**about, "config": old(about["config"])}).encode()
            written.writestr(name, content)


@pytest.mark.device
def test_a_model_of_before_is_opened(tiny, tmp_path):
    model = ssd.SSD(tiny)
    model.provenance = {"loss": {"alpha": 3.0}, "freeze_normalization": True}
    model.save(tmp_path / "model.keras")
    write_old(tmp_path / "model.keras", tmp_path / "old.keras")
    assert (
        "width_multiplier"
        not in zipfile.ZipFile(tmp_path / "old.keras").read("config.json").decode()
    )
    opened = ssd.load(tmp_path / "old.keras")
    assert (opened.config, opened.provenance) == (model.config, model.provenance)
    for weight, other in zip(model.weights, opened.weights, strict=True):
        np.testing.assert_array_equal(weight, other)


@pytest.mark.device
def test_a_loss_of_before_is_made_again(tiny):
    loss = ssd.MultiboxLoss(tiny, balance_objects=0.5, combine="max", min_negatives_per_image=2)
    before = old(loss.get_config())
    del before["combine"]
    again = ssd.MultiboxLoss.from_config({**before, "larger": True, "focal": None})
    assert (again.config, again.options) == (loss.config, loss.options)


def test_labels_of_before_are_read_and_gone_on_with(tmp_path):
    photos, out = tmp_path / "photos", tmp_path / "labels"
    photos.mkdir()
    Image.new("RGB", (64, 48)).save(photos / "a.png")
    options = Options(teacher="stand_in_teacher:look")
    counts = labeling.label(photos, out, options)
    for path in (out / "dataset.json", out / "progress" / "shard-00000.json"):
        content = old(json.loads(path.read_text()))
        assert "labelled" in {**content, **content.get("counts", {})}
        path.write_text(json.dumps(content))
    assert manifest.read(out)["counts"] == counts
    assert checking.check(out, ("face",)).photos == 1
    Image.new("RGB", (64, 48)).save(photos / "b.png")
    assert labeling.label(photos, out, options)["labeled"] == 2


def test_what_nobody_renamed_stays():
    fields = {"image_size": [64, 64], "map": {"width": "face"}, "counts": {"boxes": 2}}
    assert renamed(fields) == fields

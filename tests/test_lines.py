"""What strangers wrote, names of files and nests of JSON, costs a line and steers nothing."""

import json

import numpy as np
import pytest

import ssd
from distill.review import mark_files
from ssd.__main__ import main
from ssd.config import Config
from ssd.data import manifest
from ssd.lines import printable
from ssd.metrics.saving import read_evaluation
from ssd.photos.coco import read_coco
from ssd.photos.reading import write_photo
from ssd.training.folder import claim

NEST = "[" * 100_000
HOSTILE = "b\x1b[31mred\nline\r\u202e.jpg"


def test_a_line_has_no_line_ends_and_nothing_that_steers_a_terminal():
    assert printable("Müller 顔 🙂.jpg") == "Müller 顔 🙂.jpg"
    assert printable(HOSTILE) == r"b\x1b[31mred\nline\r\u202e.jpg"


def test_commands_say_names_in_one_line_each(tmp_path, capsys):
    write_photo(tmp_path / HOSTILE, np.zeros((60, 80, 3), np.uint8))
    (tmp_path / f"no{HOSTILE}").write_text("no photo")
    assert main(["detect", str(tmp_path / HOSTILE), str(tmp_path / f"no{HOSTILE}")]) == 1
    truth = tmp_path / "truth.json"
    images = [{"id": 1, "file_name": HOSTILE}, {"id": 2, "file_name": f"gone{HOSTILE}"}]
    row = {"image_id": 1, "category_id": 1, "bbox": [1, 1, 20, 20]}
    categories = [{"id": 1, "name": "face"}]
    truth.write_text(json.dumps({"images": images, "annotations": [row], "categories": categories}))
    assert main(["evaluate", str(ssd.Detector().path), str(tmp_path), str(truth)]) == 0
    assert main(["compare", str(tmp_path / f"x{HOSTILE}"), "b"]) == 1
    output = capsys.readouterr()
    lines = [*output.out.split("\n"), *output.err.split("\n")]
    assert all(line.isprintable() for line in lines)
    assert sum("red" in line for line in lines) == 4


@pytest.mark.parametrize("reader", ["config", "evaluation", "dataset", "coco", "marks", "run"])
def test_a_nest_without_an_end_is_no_json(tmp_path, reader):
    def resume(path):
        (tmp_path / "model.keras").write_text("weights")
        with claim(path.parent, {"epochs": 3}):
            pass

    path = tmp_path / {"dataset": "dataset.json", "run": "run.json"}.get(reader, "a.json")
    path.write_text(NEST)
    read = {
        "config": lambda path: Config.from_json(path.read_text()),
        "evaluation": read_evaluation,
        "dataset": lambda path: manifest.read(path.parent),
        "coco": read_coco,
        "marks": mark_files.read,
        "run": resume,
    }
    with pytest.raises(ValueError, match="wanted") as caught:
        read[reader](path)
    assert "\n" not in str(caught.value)

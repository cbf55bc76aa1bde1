"""The sweep over backbones, widths and inputs: stopped anywhere it goes on, and marks its front."""

import dataclasses
import json
import pathlib
import sys

import pytest

import ssd

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "examples"))
import sweep


@pytest.fixture
def truth(disc_labels, tmp_path):
    """Photos with discs as files, and their COCO JSON."""
    folder, images, boxes = tmp_path / "photos", [], []
    folder.mkdir()
    for number, photo in enumerate(ssd.read_labels(disc_labels)):
        (folder / photo.filename).write_bytes(photo.encoded)
        size = {"height": photo.height, "width": photo.width}
        images.append({"id": number, "file_name": photo.filename, **size})
        for ymin, xmin, ymax, xmax in photo.boxes * ([photo.height, photo.width] * 2):
            box = [float(each) for each in (xmin, ymin, xmax - xmin, ymax - ymin)]
            about = {"id": len(boxes), "image_id": number, "category_id": 1, "iscrowd": 0}
            boxes.append({**about, "bbox": box, "area": box[2] * box[3]})
    coco = {"images": images, "annotations": boxes, "categories": [{"id": 1, "name": "face"}]}
    (tmp_path / "truth.json").write_text(json.dumps(coco))
    return folder, tmp_path / "truth.json"


@pytest.fixture
def call(disc_labels, truth, tiny, tmp_path, monkeypatch):
    """The command in this process, on tiny models that are trained step by step."""
    eager = property(lambda model: True, lambda model, value: None)
    monkeypatch.setattr(ssd.SSD, "run_eagerly", eager)
    monkeypatch.setattr(sweep, "CONFIG", tiny)

    def call(*options):
        sizes = ["--widths", "0.03", "0.1", "--sizes", "32x64", "--backbones", "alexnet"]
        words = [disc_labels, *truth, tmp_path / "out", *sizes, *options]
        monkeypatch.setattr(sys, "argv", ["sweep.py", *map(str, words)])
        sweep.main()
        return json.loads((tmp_path / "out" / "sweep.json").read_text())

    return call


def test_rows_are_trained_once_in_pieces_and_measured_together(
    call, truth, tmp_path, monkeypatch, capsys
):
    first = call("--examples", 48, "--rows", "*-0.03-*")
    assert [each["name"] for each in first] == ["alexnet-0.03-32x64-seed0"]
    assert "48 examples a row: 1 passes over 48 photos" in capsys.readouterr().out
    train = ssd.train

    def killed(*args, **options):
        train(*args, **options)
        raise KeyboardInterrupt  # trained, and neither exported nor measured

    monkeypatch.setattr(ssd, "train", killed)
    with pytest.raises(KeyboardInterrupt):
        call("--examples", 48)
    assert not (tmp_path / "out" / "alexnet-0.1-32x64-seed0" / "row.json").exists()
    monkeypatch.setattr(ssd, "train", train)
    assert len(call("--examples", 48)) == 2
    assert "epoch 1 of 1" not in capsys.readouterr().out.split("2 of 2")[-1]
    lines = (tmp_path / "out" / "sweep.md").read_text().splitlines()
    assert len(lines) == 4
    assert any(line.endswith("| × |") for line in lines)
    assert (tmp_path / "out" / "sweep.png").stat().st_size > 10_000
    with pytest.raises(SystemExit, match="wanted epochs 2, but its results are of 1; name another"):
        call("--examples", 96)
    truth[1].write_text(truth[1].read_text() + " ")
    with pytest.raises(SystemExit, match=r"wanted truth truth\.json .*, but its results are of"):
        call("--examples", 48)
    with pytest.raises(SystemExit, match=r"wanted --rows of alexnet-0\.03-32x64, .*, got vgg"):
        call("--rows", "vgg")


def test_the_front_is_what_nothing_else_beats():
    def line(kind, ms, ap50, seed=0):
        about = dataclasses.asdict(sweep.Row(kind, 1.0, "64x64", seed))
        return {**about, "kind": kind, "ms": ms, "ratio": 1.0, "ap50": ap50}

    kinds = sweep.by_kind(
        [
            line("quick", 1.0, 0.5),
            line("worse", 2.0, 0.4),
            line("better", 3.0, 0.6, seed=0),
            line("better", 3.0, 0.8, seed=1),
            line("slow", 4.0, 0.7),
        ]
    )
    assert [each["kind"] for each in kinds if each["front"]] == ["quick", "better"]
    better = kinds[2]
    assert (better["seeds"], better["least"], better["most"]) == (2, 0.6, 0.8)
    assert better["ap50"] == pytest.approx(0.7)

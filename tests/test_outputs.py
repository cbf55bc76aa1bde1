"""What a command writes takes the place of nothing that somebody would miss."""

import json

import pytest
from PIL import Image

from benchmarks.outputs import check_outputs
from distill.__main__ import main as distill_main
from ssd.__main__ import main


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("photos", "labels"):
        (tmp_path / name).mkdir()
    for name in ("w.keras", "other.keras", "truth.json", "notes.txt", "a.json"):
        (tmp_path / name).write_text("mine")
    Image.new("RGB", (8, 8)).save(tmp_path / "photo.png")
    Image.new("RGB", (8, 8)).save(tmp_path / "photo.jpg")
    (tmp_path / "link.keras").hardlink_to(tmp_path / "w.keras")
    (tmp_path / "ratings.csv").write_text("photo,class\na.jpg,smile\n")
    return tmp_path


REFUSED = [
    ("ssd", "export w.keras w.keras", "wanted a"),
    ("ssd", "export w.keras new.keras", "OUT: wanted a .tflite or .onnx file to write"),
    ("ssd", "export w.keras photo.jpg", "photo.jpg: wanted a new file"),
    ("ssd", "evaluate face photos truth.json --json truth.json", "wanted"),
    ("ssd", "evaluate face photos truth.json --json notes.txt", "notes.txt: wanted a new file"),
    ("ssd", "evaluate face photos truth.json --report photo.jpg", "wanted a .png file to write"),
    ("ssd", "evaluate face photos truth.json --report photo.png", "photo.png: wanted a new file"),
    ("ssd", "evaluate face photos truth.json --report r.txt", "wanted a .png file to write"),
    ("ssd", "compare a.json truth.json --sheet x.json", "wanted a .png file to write"),
    ("ssd", "compare a.json truth.json --sheet photo.png", "photo.png: wanted a new file"),
    ("ssd", "skew labels photos --plot photo.png", "photo.png: wanted a new file"),
    ("ssd", "coco labels truth.json", "truth.json: wanted a new file"),
    ("ssd", "csv labels notes.txt", "notes.txt: wanted a new file"),
    ("ssd", "calibrate w.keras photos truth.json --out w.keras", "wanted a new file"),
    ("ssd", "calibrate w.keras photos truth.json --out other.keras", "wanted a new file"),
    ("ssd", "calibrate w.keras photos truth.json --out new.onnx", "wanted a .keras file"),
    ("ssd", "detect photo.jpg --csv photo.jpg", "photo.jpg: wanted a new file"),
    ("ssd", "detect photo.jpg --csv new --json ./new", "--json, --csv: wanted a file for each"),
    ("distill", "vote ratings.csv ratings.csv notes.txt", "notes.txt: wanted a new file"),
    ("distill", "vote ratings.csv ratings.csv n --disputed n", "wanted a file for each"),
]


@pytest.mark.parametrize(("program", "line", "said"), REFUSED)
def test_nothing_is_lost(here, program, line, said, capsys):
    before = {path: path.read_bytes() for path in here.iterdir() if path.is_file()}
    assert (main if program == "ssd" else distill_main)(line.split()) != 0
    err = capsys.readouterr().err
    assert said in err
    assert err.count("\n") == 1
    assert {path: path.read_bytes() for path in here.iterdir() if path.is_file()} == before


def test_an_input_is_never_an_output_whatever_its_kind_and_name(here, capsys):
    for name in ("a.json", "b.json"):
        (here / name).write_text('{"kind": "evaluation"}')
    (here / "b.json").unlink()
    (here / "b.json").hardlink_to(here / "a.json")
    assert main(["evaluate", "face", "photos", "a.json", "--json", "b.json"]) == 2
    assert "--json: wanted another file than those to read" in capsys.readouterr().err


def test_a_result_takes_the_place_of_an_older_one(here, capsys):
    from matplotlib.figure import Figure

    Figure(figsize=(1, 1)).savefig(here / "report.png")
    (here / "empty.png").write_bytes(b"")
    (here / "old.json").write_text('{"kind":"evaluation","versions":{}}')
    for drawing in ("report.png", "empty.png"):
        line = f"evaluate face photos truth.json --json old.json --report {drawing}"
        assert main(line.split()) == 1
        assert "truth.json: wanted COCO JSON" in capsys.readouterr().err
    # An export asks for nothing but what it lacks.
    (here / "old.tflite").write_text("model")
    assert main(["export", "w.keras", "old.tflite"]) == 1
    assert "int8 wants --calibration" in capsys.readouterr().err


def test_benchmarks_replace_their_own_results_alone(here):
    for options, said in (
        ({"json": "truth.json"}, "truth.json: wanted a new file"),
        ({"json": "no/a.json"}, "wanted a file in a folder that exists"),
        ({"plot": "photo.png"}, "photo.png: wanted a new file"),
        ({"plot": "new.jpg"}, "wanted a .png file to write, got 'new.jpg'"),
    ):
        with pytest.raises((OSError, ValueError), match=said):
            check_outputs("speed", **options)
    content = {"kind": "speed", "versions": {}, "model": {}}
    (here / "old.json").write_text(json.dumps(content))
    check_outputs("speed", json="old.json", plot="new.png")
    with pytest.raises(FileExistsError, match=r"old\.json: wanted a new file"):
        check_outputs("matching", json="old.json")

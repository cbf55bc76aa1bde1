import json

import numpy as np
import pytest

import ssd
from benchmarks import peers


def test_the_frame_holds_five_faces_that_mtcnn_finds_in_pixels_of_the_frame():
    frame = peers.frame()
    assert frame.shape == (*peers.FRAME, 3)
    found = peers.mtcnn(frame)
    assert len(found) == len(peers.HEADS)
    middles = (found.boxes[:, :2] + found.boxes[:, 2:]) / 2
    for height, top, left in peers.HEADS:
        head = np.array([top, left, top + height, left + height * 0.7])
        inside = (middles > head[:2]) & (middles < head[2:])
        assert inside.all(axis=1).sum() == 1


def test_detectors_take_turns_and_the_fastest_call_counts(monkeypatch):
    clock, turns = [0.0], []
    monkeypatch.setattr(peers.time, "perf_counter", lambda: clock[0])

    def detector(name, seconds):
        def call(photo):
            turns.append(name)
            clock[0] += seconds.pop(0)

        return call

    detectors = {
        "one": detector("one", [9, 9, 3, 2, 4]),
        "other": detector("other", [1, 1, 5, 7, 6]),
    }
    assert peers.milliseconds(detectors, None, 3) == {"one": 2000, "other": 5000}
    assert turns == ["one", "other"] * 5


def test_prints_rows_of_a_table(tmp_path, capsys):
    from ssd.photos.reading import write_photo

    write_photo(tmp_path / "five.png", peers.frame())
    boxes = ssd.Detector()(peers.frame()).boxes
    annotations = [
        {"id": index, "image_id": 1, "category_id": 1, "bbox": [x, y, right - x, bottom - y]}
        for index, (y, x, bottom, right) in enumerate(boxes.tolist())
    ]
    coco = {
        "images": [{"id": 1, "file_name": "five.png", "height": 480, "width": 640}],
        "annotations": annotations,
        "categories": [{"id": 1, "name": "face"}],
    }
    (tmp_path / "truth.json").write_text(json.dumps(coco))
    options = ["--rounds", "1", "--photos", str(tmp_path), "--truth", str(tmp_path / "truth.json")]
    assert peers.main(options) == 0
    rows = capsys.readouterr().out.splitlines()[3:]
    cells = [[cell.strip() for cell in row.split("|")[1:-1]] for row in rows]
    assert [row[0] for row in cells] == ["face.tflite", "MTCNN at 320", "MTCNN at 640"]
    assert cells[0][4:] == ["1.000", "1.000"]  # its own boxes are the truth
    assert float(cells[1][4]) > 0.5
    assert cells[1][3] == "1"
    assert cells[2][4:] == ["", ""]


@pytest.mark.parametrize(
    ("arguments", "status"), [(["--photos", "."], 2), (["--model", "gone.tflite"], 1)]
)
def test_says_in_one_line_what_is_wrong(arguments, status, capsys):
    assert peers.main(arguments) == status
    assert capsys.readouterr().err.count("\n") == 1

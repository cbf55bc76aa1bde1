"""What becomes of what was found: files, complete or none, and something to look at."""

import csv
import http.client
import json
import os
import sys

import numpy as np
import pytest
from PIL import Image
from test_commands import command, refused

import ssd
from ssd.detect.detections import Detections
from ssd.sinks.coco_file import CocoFile, Ids
from ssd.sinks.crops import Crops
from ssd.sinks.csv_file import CsvFile
from ssd.sinks.journal import Journal
from ssd.sinks.json_file import JsonFile
from ssd.sinks.page import Page
from ssd.sinks.picture_files import PictureFiles
from ssd.sinks.sink import FrameResult
from ssd.sinks.yolo_folder import YoloFolder
from ssd.sources.frame import Frame
from ssd.sources.naming import find_sources

PIXELS = np.arange(40 * 60 * 3, dtype=np.uint8).reshape(40, 60, 3)
BOXES = np.float32([[1.5, 10.25, 20.1, 30.3], [0, 0, 40, 60]])


def result(name="a.jpg", index=None, seconds=None, ids=None, picture=None, boxes=BOXES):
    found = Detections(
        boxes, np.float32([0.9, 0.1])[: len(boxes)], np.array([1, 2])[: len(boxes)], ids
    )
    stem = os.path.splitext(os.path.basename(name))[0]
    frame = Frame(name, stem, PIXELS.shape[:2], PIXELS, index, seconds)
    return FrameResult(frame, found, picture)


def fill(sink, *results):
    for each in results:
        sink.add(each)
    sink.close()


def test_json_gives_back_each_float(tmp_path):
    sink = JsonFile(tmp_path / "a.json", ("face", "cat"), {"model": "m.tflite"})
    fill(sink, result(), result("v.mp4", 7, 0.25, np.array([3, 4])), result(boxes=BOXES[:0]))
    content = json.loads((tmp_path / "a.json").read_text())
    photo, frame, empty = content.pop("frames")
    assert content == {"kind": "detections", "model": "m.tflite", "classes": ["face", "cat"]}
    assert photo["source"] == "a.jpg"
    assert photo["size"] == [40, 60]
    assert "frame" not in photo
    assert np.array_equal(np.float32([each["box"] for each in photo["found"]]), BOXES)
    assert [each["class"] for each in photo["found"]] == ["face", "cat"]
    assert (frame["frame"], frame["seconds"]) == (7, 0.25)
    assert [each["id"] for each in frame["found"]] == [3, 4]
    assert empty["found"] == []


def test_a_journal_that_was_not_finished_lies_there_as_lines(tmp_path):
    journal = Journal(tmp_path / "a.json")
    journal.add({"name": "M\udcfcller"})  # as Python reads a name that is no UTF-8
    journal.add(1)
    assert (tmp_path / "a.jsonl").read_bytes() == b'{"name":"M\\udcfcller"}\n1\n'
    assert not (tmp_path / "a.json").exists()


def test_names_that_are_no_utf_8_come_back_from_json(tmp_path):
    name = os.fsdecode(b"M\xfcller.jpg")
    sink = JsonFile(tmp_path / "a.json", ("face", "cat"), {"model": name})
    fill(sink, result(name))
    content = json.loads((tmp_path / "a.json").read_bytes())
    assert [content["model"], content["frames"][0]["source"]] == [name] * 2
    assert os.fsencode(content["model"]) == b"M\xfcller.jpg"


def test_csv_has_a_row_a_box(tmp_path):
    sink = CsvFile(tmp_path / "a.csv", ("face", "cat"))
    fill(sink, result("a,b.jpg"), result("v.mp4", 7, 0.25, np.array([3, 4])))
    with open(tmp_path / "a.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["source"] for row in rows] == ["a,b.jpg"] * 2 + ["v.mp4"] * 2
    assert [row["id"] for row in rows] == ["", "", "3", "4"]
    assert (rows[2]["frame"], rows[2]["seconds"], rows[0]["frame"]) == ("7", "0.25", "")
    edges = [[float(row[edge]) for edge in ("ymin", "xmin", "ymax", "xmax")] for row in rows[:2]]
    assert np.array_equal(np.float32(edges), BOXES)


def test_csv_is_whole_while_it_grows(tmp_path):
    sink = CsvFile(tmp_path / "a.csv", ("face", "cat"))
    sink.add(result())
    assert (tmp_path / "a.csv").read_text().count("\n") == 3
    sink.close()


def test_yolo_has_shares_and_a_file_for_nothing(tmp_path):
    sink = YoloFolder(tmp_path / "labels")
    fill(sink, result(), result("v.mp4", 7), result("b.jpg", boxes=BOXES[:0]))
    assert sorted(os.listdir(tmp_path / "labels")) == ["a.txt", "b.txt", "v-000007.txt"]
    first, second = (tmp_path / "labels" / "a.txt").read_text().splitlines()
    np.testing.assert_allclose(
        [float(word) for word in first.split()],
        [0, 20.275 / 60, 10.8 / 40, 20.05 / 60, 18.6 / 40, 0.9],
        atol=1e-6,
    )
    assert second == "1 0.500000 0.500000 1.000000 1.000000 0.100000"
    assert (tmp_path / "labels" / "b.txt").read_text() == ""


def test_crops_are_the_pixels_of_the_boxes(tmp_path):
    fill(Crops(tmp_path / "crops", ("face", "cat")), result("a.png"), result("v.mp4", 7))
    files = sorted(str(path.relative_to(tmp_path / "crops")) for path in tmp_path.rglob("*.*"))
    assert files == ["cat/a-2.png", "cat/v-000007-2.jpg", "face/a-1.png", "face/v-000007-1.jpg"]
    crop = np.asarray(Image.open(tmp_path / "crops" / "face" / "a-1.png"))
    assert np.array_equal(crop, PIXELS[1:21, 10:31])


@pytest.mark.parametrize(
    ("name", "form"),
    [("a.JPG", "JPEG"), ("a.png", "PNG"), ("a.webp", "WEBP"), ("a.tif", "TIFF"), ("a.heic", "PNG")],
)
def test_pictures_have_the_format_of_their_photo(tmp_path, name, form):
    sink = PictureFiles(tmp_path / "out", find_sources([name]))
    fill(sink, result(name, picture=PIXELS))
    (path,) = (tmp_path / "out").iterdir()
    with Image.open(path) as image:
        assert image.format == form
        assert 0x8825 not in image.getexif()  # where it was taken


def test_coco_has_the_ids_of_the_truth(tmp_path):
    truth = {
        "images": [
            {"id": 70, "file_name": "trip/a.jpg"},
            {"id": "x", "file_name": "b.jpg"},
            {"id": 8, "file_name": "one/c.jpg"},
            {"id": 9, "file_name": "two/c.jpg"},
        ],
        "annotations": [],
        "categories": [{"id": 5, "name": "Face"}],
    }
    (tmp_path / "truth.json").write_text(json.dumps(truth))
    ids = Ids(("face", "cat"), tmp_path / "truth.json")
    assert ids.of_photo("/home/me/trip/a.jpg") == 70
    assert ids.of_photo("a.jpg") == 70
    assert ids.of_photo("other/B.jpg") == "x"
    assert ids.of_photo("c.jpg") is None  # one of two
    assert ids.of_photo("two/c.jpg") == 9
    sink = CocoFile(tmp_path / "a.json", ids)
    fill(sink, result("trip/a.jpg"), result("nobody.jpg"))
    (row,) = json.loads((tmp_path / "a.json").read_text())  # the truth has no cats
    ymin, xmin, ymax, xmax = BOXES[0].tolist()
    assert row == {
        "image_id": 70,
        "category_id": 5,
        "bbox": [xmin, ymin, xmax - xmin, ymax - ymin],
        "score": float(np.float32(0.9)),
        "file_name": "trip/a.jpg",
    }
    assert sink.remarks == (f"{tmp_path / 'a.json'}: left out 1 that the truth does not name",)


@pytest.mark.parametrize(
    ("text", "message"),
    [("{}", "wanted COCO JSON"), ("no", "wanted COCO JSON"), ("[]", "wanted COCO JSON")],
)
def test_a_truth_that_is_none_is_refused(tmp_path, text, message):
    (tmp_path / "truth.json").write_text(text)
    with pytest.raises(ValueError, match=message):
        Ids(("face",), tmp_path / "truth.json")


def test_a_truth_of_other_things_is_refused(tmp_path):
    truth = {"images": [], "categories": [{"id": 1, "name": "car"}]}
    (tmp_path / "truth.json").write_text(json.dumps(truth))
    with pytest.raises(ValueError, match=r"wanted a category that the model has \(face\), got car"):
        Ids(("face",), tmp_path / "truth.json")


@pytest.fixture
def opened():
    page = Page(0)
    yield page
    page.close()


def ask(page, path, host=None):
    connection = http.client.HTTPConnection("127.0.0.1", int(page.address.rsplit(":", 1)[1][:-1]))
    connection.request("GET", path, headers={"Host": host} if host else {})
    return connection.getresponse()


def test_the_page_shows_pictures_as_they_come(opened):
    assert b'src="stream"' in ask(opened, "/").read()
    opened.add(result(picture=PIXELS))
    stream = ask(opened, "/stream")
    assert stream.getheader("Content-Type").startswith("multipart/x-mixed-replace")
    for count in range(2):
        assert stream.readline() == b"--frame\r\n"
        assert stream.readline() == b"Content-Type: image/jpeg\r\n"
        length = int(stream.readline().split()[1])
        assert stream.readline() == b"\r\n"
        picture = stream.read(length)
        assert picture.startswith(b"\xff\xd8")
        assert stream.readline() == b"\r\n"
        opened.add(result(picture=255 - PIXELS))
        assert count < 2


def test_the_page_is_for_this_machine_alone(opened):
    assert opened.address.startswith("http://127.0.0.1:")
    assert ask(opened, "/", host="evil.example:8000").status == 403
    assert ask(opened, "/", host="localhost:8000").status == 200
    assert ask(opened, "/etc/passwd").status == 404
    assert ask(opened, "/").getheader("Cross-Origin-Resource-Policy") == "same-origin"


def test_a_port_that_is_taken_is_no_hindrance(opened):
    port = int(opened.address.rsplit(":", 1)[1][:-1])
    other = Page(port)
    assert other.address != opened.address
    other.close()


@pytest.fixture
def portrait(tmp_path):
    import matplotlib.cbook

    path = matplotlib.cbook.get_sample_data("grace_hopper.jpg", asfileobj=False)
    (tmp_path / "in").mkdir()
    Image.open(path).save(tmp_path / "in" / "a.jpg", quality=95)
    return tmp_path / "in" / "a.jpg"


def test_one_command_writes_all_results(portrait, tmp_path):
    status, _, err = command(
        *("detect", portrait, "--json", tmp_path / "r.json", "--csv", tmp_path / "r.csv"),
        *(
            "--coco",
            tmp_path / "c.json",
            "--yolo",
            tmp_path / "yolo",
            "--crops",
            tmp_path / "crops",
        ),
        *("--out", tmp_path / "out"),
    )
    assert (status, err) == (0, [])
    found = ssd.Detector()(ssd.read_photo(portrait))
    ymin, xmin, ymax, xmax = found.boxes[0].tolist()
    (row,) = json.loads((tmp_path / "c.json").read_text())
    assert row["bbox"] == [xmin, ymin, xmax - xmin, ymax - ymin]
    assert (tmp_path / "yolo" / "a.txt").read_text().startswith("0 ")
    assert (tmp_path / "crops" / "face" / "a-1.jpg").exists()
    assert (tmp_path / "out" / "a.jpg").exists()
    assert sorted(os.listdir(tmp_path)) == [
        "c.json",
        "crops",
        "in",
        "out",
        "r.csv",
        "r.json",
        "yolo",
    ]


@pytest.mark.parametrize(
    ("options", "message", "status"),
    [
        (("--blur",), "--blur: wanted --out or --show", 2),
        (("--truth", "a.jpg"), "--truth: wanted --coco", 2),
        (("--smooth",), "--smooth: wanted a video or a camera", 2),
        (("--every", "2"), "--every: wanted a video or a camera", 2),
        (("--json", "x", "--csv", "x"), "wanted a file for each", 2),
        (("--json", "no/x.json"), "wanted a file in a folder that exists", 1),
        (("--json", "full/mine"), "wanted a new file", 1),
        (("--csv", "full/mine"), "wanted a new file", 1),
        (("--yolo", "full"), "wanted a new or an empty folder", 1),
        (("--crops", "full"), "wanted a new or an empty folder", 1),
        (("--crops", "a.jpg"), "wanted a folder, this is a file", 1),
        (("--json", "new.json", "--yolo", "full"), "wanted a new or an empty folder", 1),
        (("--json", "new.json", "--coco", "full/mine"), "wanted a new file", 1),
        (
            ("--csv", "a.csv", "--json", "a.json", "--coco", "b.json", "--truth", "bad.json"),
            "bad.json: wanted COCO JSON",
            1,
        ),
        (("--csv", "a.csv", "--json", "full/empty"), "wanted a new file", 1),
        (("--csv", "a.csv", "--coco", "b.json", "--out", "v.mp4"), "wanted a folder for pict", 1),
    ],
)
def test_what_does_not_go_is_refused_and_leaves_nothing(
    portrait, monkeypatch, options, message, status
):
    monkeypatch.chdir(portrait.parent)
    os.mkdir("full")
    (portrait.parent / "full" / "mine").write_text("mine")
    (portrait.parent / "bad.json").write_text("{}")
    (portrait.parent / "full" / "empty").write_text("")
    assert message in refused("detect", "a.jpg", *options, status=status)
    assert sorted(os.listdir()) == ["a.jpg", "bad.json", "full"]
    assert (portrait.parent / "full" / "mine").read_text() == "mine"


def test_what_reads_a_camera_is_missed_before_anything_is_shown(monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    monkeypatch.setitem(sys.modules, "cv2", None)
    assert "wanted the package" in refused("detect", "0", "--show")


def test_refusals_import_nothing_heavy():
    import subprocess

    script = (
        "import sys; from ssd.__main__ import main; main(['detect', 'a.jpg', '--blur']);"
        "print([name for name in ('numpy', 'PIL', 'av', 'tkinter', 'tensorflow') "
        "if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.strip() == "[]"


def test_detecting_a_photo_imports_neither_video_nor_tensorflow(portrait):
    import subprocess

    script = (
        f"import sys; from ssd.__main__ import main; main(['detect', {str(portrait)!r}]);"
        "print([name for name in ('av', 'cv2', 'tkinter', 'tensorflow', 'matplotlib')"
        " if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "[]"

"""`ssd detect` on videos: the same boxes, no growth, and files that are whole however it ends."""

import csv
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from test_commands import command, refused

import ssd

pytest.importorskip("av")
import videos

ROOT = pathlib.Path(__file__).parent.parent


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    return videos.write_video(tmp_path_factory.mktemp("video") / "walk.mp4", 300)


def run(*arguments, **options):
    """A process of its own, which can be killed."""
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"}
    return subprocess.Popen([sys.executable, *map(str, arguments)], env=environment, **options)


def test_boxes_are_those_of_the_detector_frame_by_frame(video, tmp_path):
    out, results = tmp_path / "v.mp4", tmp_path / "v.json"
    status, said, err = command("detect", video, "--out", out, "--json", results)
    assert (status, err) == (0, [])
    assert said[0].startswith(f"{video}: 300 frames: ")
    assert "frames a second" in said[0]
    assert "ms each to find" in said[0]
    content = json.loads(results.read_text())
    assert content["classes"] == ["face"]
    detector, pictures = ssd.Detector(), videos.read_video(video)
    assert len(content["frames"]) == len(pictures) == 300
    boxes = 0
    for index, (row, picture) in enumerate(zip(content["frames"], pictures, strict=True)):
        found = detector(picture)
        assert (row["frame"], row["seconds"]) == (index, round(index / videos.RATE, 6))
        got = [(*each["box"], each["score"]) for each in row["found"]]
        np.testing.assert_array_equal(
            np.array(got, np.float32).reshape(-1, 5),
            np.column_stack([found.boxes, found.scores]),
        )
        boxes += len(found)
    assert boxes > 250
    drawn = videos.read_video(out)
    assert len(drawn) == 300
    assert not np.array_equal(drawn[0], pictures[0])  # boxes are drawn in
    assert not (tmp_path / "v.jsonl").exists()


def test_every_third_frame_keeps_number_and_time(video, tmp_path):
    results = tmp_path / "v.csv"
    assert command("detect", video, "--every", 3, "--csv", results)[0] == 0
    with open(results, newline="") as file:
        rows = list(csv.DictReader(file))
    assert {int(row["frame"]) % 3 for row in rows} == {0}
    assert all(float(row["seconds"]) == pytest.approx(int(row["frame"]) / 30) for row in rows)
    assert max(int(row["frame"]) for row in rows) == 297


def test_a_face_keeps_its_id_through_the_video(video, tmp_path):
    results = tmp_path / "v.json"
    assert command("detect", video, "--smooth", "--json", results)[0] == 0
    content = json.loads(results.read_text())
    ids = [each["id"] for row in content["frames"] for each in row["found"]]
    assert len(ids) > 250
    assert set(ids) == {1}


@pytest.mark.parametrize("name", ["v.mp4", "v.mkv"])
def test_what_a_killed_run_leaves_is_whole_up_to_the_last_second(video, tmp_path, name):
    out, results = tmp_path / name, tmp_path / "v.json"
    with run("-m", "ssd", "detect", video, "--out", out, "--json", results) as process:
        lines = tmp_path / "v.jsonl"
        while not (lines.exists() and lines.read_bytes().count(b"\n") >= 120):
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
    assert not results.exists()
    rows = [json.loads(line) for line in lines.read_bytes().splitlines()]
    assert lines.read_bytes().endswith(b"\n")
    assert [row["frame"] for row in rows] == list(range(len(rows)))
    assert 120 <= len(rows) < 300
    assert len(videos.read_video(out)) >= len(rows) - videos.RATE


def test_results_of_a_killed_run_are_not_written_over(video, tmp_path):
    (tmp_path / "v.jsonl").write_text('{"frame":0}\n')
    assert "a run that was killed" in refused("detect", video, "--json", tmp_path / "v.json")
    assert (tmp_path / "v.jsonl").read_text() == '{"frame":0}\n'
    assert not (tmp_path / "v.json").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_asked_to_stop_it_completes_its_files(video, tmp_path, number):
    out, results = tmp_path / "v.mp4", tmp_path / "v.json"
    arguments = ("detect", video, "--out", out, "--json", results)
    with run("-m", "ssd", *arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        lines = tmp_path / "v.jsonl"
        while not (lines.exists() and lines.read_bytes().count(b"\n") >= 30):
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(number)
        said, err = process.communicate()
    assert process.returncode == 130
    assert err.decode().splitlines() == ["ssd detect: stopped; what was detected is written"] or (
        err.decode().splitlines() == ["python -m ssd detect: stopped; what was detected is written"]
    )
    frames = json.loads(results.read_text())["frames"]
    assert 30 <= len(frames) < 300
    assert len(videos.read_video(out)) == len(frames)
    assert f"{len(frames)} frames" in said.decode()


MEMORY = """
import sys
from ssd.__main__ import main
from ssd.sinks.json_file import JsonFile

add, count = JsonFile.add, 0
def counting(self, result):
    global count
    add(self, result)
    count += 1
    if count in (100, 3000):
        pages = int(open("/proc/self/statm").read().split()[1])
        print(pages * 4096)
JsonFile.add = counting
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.slow
@pytest.mark.skipif(not pathlib.Path("/proc/self/statm").exists(), reason="reads Linux's /proc")
def test_memory_does_not_grow_with_frames(tmp_path):
    video = videos.write_video(tmp_path / "long.mp4", 300, rounds=10)
    results = ("--out", tmp_path / "v.mp4", "--json", tmp_path / "v.json")
    with run("-c", MEMORY, "detect", video, *results, stdout=subprocess.PIPE) as process:
        said = process.communicate()[0].decode().splitlines()
    assert process.returncode == 0
    early, late = map(int, said[:2])
    print(f"{early / 1e6:.1f} MB at frame 100, {late / 1e6:.1f} MB at frame 3,000")
    assert late - early < 5e6


def test_a_folder_takes_videos_and_photos(video, tmp_path):
    from PIL import Image

    (tmp_path / "in").mkdir()
    Image.fromarray(next(videos.frames(1))).save(tmp_path / "in" / "walk.jpg")
    os.link(video, tmp_path / "in" / "walk.mp4")
    status, said, err = command(
        *("detect", tmp_path / "in", "--out", tmp_path / "out", "--every", 50)
    )
    assert (status, err) == (0, [])
    assert sorted(os.listdir(tmp_path / "out")) == ["walk-2.mp4", "walk.jpg"]
    assert len(videos.read_video(tmp_path / "out" / "walk-2.mp4")) == 6
    assert "6 frames" in said[-1]


def test_a_video_that_is_none_is_named_and_the_next_one_read(video, tmp_path):
    wrong = tmp_path / "wrong.mp4"
    wrong.write_text("no video")
    gone = tmp_path / "gone.mp4"
    status, said, err = command("detect", wrong, gone, video, "--every", 100)
    assert status == 1
    assert [line.split("detect: ")[1] for line in err] == [
        f"{wrong}: wanted a video (Invalid data found when processing input)",
        f"{gone}: wanted a video, there is no such file",
    ]
    assert len(said) == 1


def test_a_video_that_breaks_off_counts_up_to_there(video, tmp_path):
    """A recording that was cut in the middle of its pictures; MPEG-TS needs no index to play."""
    import av

    whole = tmp_path / "whole.ts"
    with av.open(str(video)) as given, av.open(str(whole), "w") as container:
        stream = container.add_stream_from_template(given.streams.video[0])
        for packet in given.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                container.mux(packet)
    broken = tmp_path / "broken.ts"
    broken.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    _, said, _ = command("detect", broken, "--every", 10)
    assert 5 < int(said[0].split(" frames")[0].rsplit(" ", 1)[1]) < 30


def test_odd_sizes_can_be_written(tmp_path):
    from ssd.sinks.video_files import VideoFile

    video = VideoFile(tmp_path / "v.mp4")
    for index in range(3):
        video.write(np.full((75, 99, 3), 200, np.uint8), index / 10)
    video.close()
    frames = videos.read_video(tmp_path / "v.mp4")
    assert [frame.shape for frame in frames] == [(76, 100, 3)] * 3


def test_a_phones_video_is_turned_upright(tmp_path, video):
    """Phones store what they see lying and say how to turn it."""
    import av

    from ssd.sources.video import Video

    class Turned:
        rotation = 90
        time = 0.0

        def to_ndarray(self, format):
            return np.arange(24, dtype=np.uint8).reshape(2, 4, 3)

    opened = Video(str(video))
    container = opened._container
    opened._container = type(
        "Container", (), {"decode": lambda self, video: [Turned()], "close": container.close}
    )()
    ((_, _, pixels),) = opened.read()
    assert pixels.shape == (4, 2, 3)
    np.testing.assert_array_equal(pixels, np.rot90(Turned().to_ndarray("rgb24")))
    assert av


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--out", "v.mp4", "photo.jpg"), "wanted a folder for pictures of photos"),
        (("--out", "v.mp4", "a.mp4", "b.mp4"), "wanted one video or camera"),
    ],
)
def test_refuses_a_video_for_what_is_not_one(arguments, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert message in refused("detect", *arguments)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("out", ["v.mp4", "v.json"])
def test_no_file_is_replaced(video, tmp_path, out):
    (tmp_path / out).write_text("mine")
    option = "--json" if out.endswith("json") else "--out"
    assert "wanted a new file" in refused("detect", video, option, tmp_path / out)
    assert (tmp_path / out).read_text() == "mine"
    assert os.listdir(tmp_path) == [out]

import dataclasses
import json
import re

import imageio.v3 as iio
import numpy as np
import pytest

import ssd
from benchmarks import latency
from ssd.__main__ import main
from ssd.detect.detections import Detections
from ssd.metrics.comparing import FIGURES, _resamples, _Tables, compare, draw_sheet, join
from ssd.metrics.evaluation import evaluate_run
from ssd.metrics.results import DetectorRun, PhotoResult, describe_model
from ssd.metrics.saving import read_evaluation, read_run, write_evaluation

OPTIONS = {"min_height": 0.1, "rule": "coco", "false_positives_per_image": 0.1}


def make_run(folder, *, photos=30, classes=1, noise=2.0, lost=0.2, seed=0):
    """Photos with faces, most of which are found; the truth does not depend on how well."""
    places, chance = np.random.default_rng(0), np.random.default_rng(seed + 1)
    results = []
    for index in range(photos):
        low = places.uniform(0, 60, (places.integers(0, 5), 2))
        boxes = np.concatenate([low, low + places.uniform(8, 40, low.shape)], axis=1)
        class_ids = places.integers(1, classes + 1, len(boxes))
        found = boxes + chance.normal(0, noise, boxes.shape)
        wrong = chance.uniform(0, 60, (chance.integers(0, 3), 2))
        found = np.concatenate([found, np.concatenate([wrong, wrong + 20], axis=1)])
        ids = np.append(class_ids, chance.integers(1, classes + 1, len(wrong)))
        # Scores that are often equal, as those of an int8 model.
        scores = np.append(chance.uniform(0.3, 1, len(boxes)), chance.uniform(0, 0.8, len(wrong)))
        scores = np.round(scores * 20) / 20
        kept = chance.random(len(found)) >= lost
        order = np.flatnonzero(kept)[np.argsort(-scores[kept], kind="stable")]
        results.append(
            PhotoResult(
                path=folder / f"{index}.png",
                shape=(100, 120),
                boxes=boxes,
                class_ids=class_ids,
                ignored=places.random(len(boxes)) < 0.1,
                found=Detections(np.float32(found[order]), np.float32(scores[order]), ids[order]),
                name=f"far/{index}.png",
                source="street" if index % 2 else None,
            )
        )
    names = tuple(f"class {number}" for number in range(1, classes + 1))
    inputs = {
        "model": {"file": f"{seed}.tflite", "sha256": f"{seed}" * 64, "classes": list(names)},
        "truth": {"file": "truth.json", "sha256": "0"},
        "photos": str(folder),
        "score_floor": 0.001,
        "max_detections": 300,
    }
    return DetectorRun(results, names, inputs=inputs)


@pytest.fixture
def files(tmp_path):
    """Evaluations of a good and a worse detector."""
    random = np.random.default_rng(0)
    for index in range(30):
        photo = random.integers(0, 255, (100, 120, 3), dtype=np.uint8)
        iio.imwrite(tmp_path / f"{index}.png", photo)
    for name, run in (
        ("good", make_run(tmp_path, seed=1)),
        ("worse", make_run(tmp_path, noise=5.0, lost=0.6, seed=2)),
    ):
        write_evaluation(evaluate_run(run, min_height=0.1), tmp_path / f"{name}.json")
    return [tmp_path / "good.json", tmp_path / "worse.json"]


@pytest.mark.parametrize("classes", [1, 3])
def test_a_file_holds_all_that_the_figures_are_made_of(tmp_path, classes):
    before = evaluate_run(make_run(tmp_path, classes=classes), min_height=0.1)
    write_evaluation(before, tmp_path / "a.json")
    content = read_evaluation(tmp_path / "a.json")
    after = evaluate_run(read_run(content), min_height=0.1)
    for name in ("faces", "ap30", "ap50", "ap75", "coco_ap", "recall", "score_threshold"):
        assert getattr(after, name) == pytest.approx(getattr(before, name), abs=1e-6)
        assert content["figures"][name] == pytest.approx(getattr(before, name), abs=1e-6)
    assert content["model"]["sha256"] == "0" * 64
    assert content["options"]["max_detections"] == 300
    assert "numpy" in content["versions"]
    assert len(content["figures"]["classes"]) == (classes if classes > 1 else 0)
    first = content["results"][1]
    assert (first["file"], first["name"], first["source"]) == ("1.png", "far/1.png", "street")


def test_numbers_of_numpy_are_written_as_others_are(tmp_path):
    run = make_run(tmp_path)
    inputs = {**run.inputs, "score_floor": np.float32(0.5), "max_detections": np.int64(300)}
    results = [each._replace(shape=np.array(each.shape)) for each in run.results]
    run = dataclasses.replace(run, results=results, inputs=inputs, left_out=np.int64(2))
    options = {"min_height": np.float32(0.125), "score_threshold": np.float32(0.25)}
    write_evaluation(evaluate_run(run, **options), tmp_path / "a.json")
    content = read_evaluation(tmp_path / "a.json")
    assert content["options"] | options | {"score_floor": 0.5} == content["options"]
    assert content["left_out"] == 2


def test_matches_are_those_that_were_counted(tmp_path):
    result = evaluate_run(make_run(tmp_path), min_height=0.1, score_threshold=0)
    write_evaluation(result, tmp_path / "a.json")
    hits = [hit for each in read_evaluation(tmp_path / "a.json")["results"] for hit in each["hits"]]
    assert len([hit for hit in hits if hit is not None and hit >= 0]) == round(
        result.recall * result.faces
    )
    assert hits.count(-1) == round(result.false_positives * result.photos) > 0
    assert hits.count(None) > 0


@pytest.mark.parametrize(("classes", "cells"), [(1, 10_000_000), (3, 10_000_000), (1, 100)])
def test_weights_of_photos_are_as_good_as_photos_said_again(tmp_path, classes, cells, monkeypatch):
    """The bootstrap's shortcut against evaluating photos that stand there several times."""
    monkeypatch.setattr("ssd.metrics.comparing._CELLS", cells)  # 100 are 3 scores at a time
    run, random = make_run(tmp_path, classes=classes), np.random.default_rng(3)
    tables = _Tables(run, OPTIONS)
    for _ in range(10):
        weights = random.multinomial(30, np.full(30, 1 / 30))
        drawn = tables.figures(weights[None].astype(np.float32))
        again = [each for each, count in zip(run.results, weights, strict=True)
                 for _ in range(count)]  # fmt: skip
        measured = evaluate_run(dataclasses.replace(run, results=again), min_height=0.1)
        wanted = measured.ap50, measured.ap75, measured.recall, measured.mean_iou
        assert [float(drawn[name][0]) for name in FIGURES] == pytest.approx(wanted, abs=1e-5)


def test_differences_are_those_of_the_figures_and_lie_in_their_intervals(files):
    result = compare(files)
    one, other = (read_evaluation(path)["figures"] for path in files)
    for name, field in zip(FIGURES, ("ap50", "ap75", "recall", "mean_iou"), strict=True):
        difference = result.differences[0][name]
        assert difference.value == pytest.approx(other[field] - one[field], abs=1e-5)
        assert difference.low < difference.value < difference.high
    assert result.differences[0]["AP50"].high < 0
    assert re.search(r"AP50 +-0\.\d+ \(-0\.\d+ to -0\.\d+\)\n", str(result))
    assert str(compare(files)) == str(result) != str(compare(files, seed=1))


def test_an_evaluation_differs_in_nothing_from_itself(files, tmp_path):
    (tmp_path / "again.json").write_bytes(files[0].read_bytes())
    result = compare([files[0], tmp_path / "again.json"])
    assert {*result.differences[0].values()} == {(0, 0, 0)}
    assert "could be chance" in str(result)
    assert result.gained == result.lost == ([],)


def test_intervals_hold_what_other_photos_show(tmp_path):
    """Of 40 pairs of samples of one kind, few intervals of their difference leave out none."""
    outside, draws = 0, _resamples(30, 200, seed=0)
    for seed in range(40):
        one, other = (
            _Tables(make_run(tmp_path, seed=2 * seed + place), OPTIONS).resample(draws)["AP50"]
            for place in (0, 1)
        )
        low, high = np.percentile(other - one, (2.5, 97.5))
        outside += low > 0 or high < 0
    assert outside <= 6  # 2 are expected; more than 6 come once in 200 times


def test_who_finds_what_the_other_misses(files, tmp_path):
    result = compare(files)
    (gained,), (lost,) = result.gained, result.lost
    assert len(lost) > len(gained)
    recalls = [read_evaluation(path)["figures"]["recall"] * result.faces for path in files]
    assert len(gained) - len(lost) == round(recalls[1] - recalls[0])
    heights = [crop.box[2] - crop.box[0] for crop in lost]
    assert heights == sorted(heights, reverse=True)
    assert min(heights) >= 0.1 * 120
    draw_sheet(result, tmp_path / "sheet.png")
    assert iio.imread(tmp_path / "sheet.png").shape[1] > 1000


def test_the_command_joins_milliseconds_and_draws_a_sheet(files, tmp_path, capsys):
    model, timed = ssd.Detector().path, tmp_path / "ms.json"
    words = [model, "--runs", 2, "--threads", "1", "--frame", "64x48", "--json", timed]
    assert latency.main([*map(str, words)]) == 0
    content = read_evaluation(timed)
    assert content["versions"]["numpy"] == np.__version__
    median = content["threads"]["1"]["total"]["median"]
    worse = json.loads(files[1].read_text())
    worse["model"] |= describe_model(ssd.Detector())
    files[1].write_text(json.dumps(worse))
    capsys.readouterr()
    moved = tmp_path / "moved"
    moved.mkdir()
    for path in tmp_path.glob("*.png"):
        path.rename(moved / path.name)
    sheet = tmp_path / "sheet.png"
    words = ["compare", *files, timed, "--photos", moved, "--sheet", sheet]
    assert main([*map(str, words)]) == 0
    out = capsys.readouterr().out
    assert sheet.exists()
    assert re.search(r"^good .* –$", out, re.M)
    assert re.search(rf"^worse .* {median:.2f}$", out, re.M)
    assert "misses" in out
    # Without the folder, the photos are not where the file says.
    assert main([*map(str, ["compare", *files, "--sheet", sheet])]) == 1
    assert "wanted a photo" in capsys.readouterr().err


def test_photos_that_only_one_has_or_that_have_other_boxes_are_left_out(files, tmp_path):
    content = json.loads(files[1].read_text())
    del content["results"][:4]
    moved = next(each for each in content["results"] if each["truth"])
    moved["truth"][0][0] -= 3
    content["options"]["rule"] = "scorer"
    files[1].write_text(json.dumps(content))
    result = compare(files)
    assert result.photos == 25
    assert any("4 photos are not in all" in line for line in result.problems)
    assert any("1 photos have different boxes" in line for line in result.problems)
    assert any("worse: was measured with" in line for line in result.problems)
    assert result.options["rule"] == "coco"


def test_three_evaluations_are_held_against_the_first(files, tmp_path):
    run = make_run(tmp_path, noise=0.5, lost=0.0, seed=5)
    write_evaluation(evaluate_run(run, min_height=0.1), tmp_path / "best.json")
    result = compare([*files, tmp_path / "best.json"], samples=100)
    assert result.names == ("good", "worse", "best")
    assert len(result.differences) == 2
    assert result.differences[1]["AP75"].low > 0


def test_files_that_are_none_are_one_line(files, tmp_path, capsys):
    def refused(*words):
        assert main(["compare", *map(str, words)]) == 1
        (line,) = capsys.readouterr().err.splitlines()
        return line

    assert "wanted two different files of ssd evaluate --json or more" in refused(files[0])
    assert "wanted two different files" in refused(files[0], files[0])
    assert "nowhere.json" in refused(files[0], tmp_path / "nowhere.json")
    other = tmp_path / "other.json"
    for text in ("", "[]", "{}", '{"kind": 1, "model": {}}', files[0].read_text()[:200]):
        other.write_text(text)
        assert "other.json: wanted a JSON file of ssd evaluate --json" in refused(files[0], other)
    other.write_text('{"kind": "speed", "model": {}}')
    assert "other.json: wanted an evaluation or a latency, got 'speed'" in refused(files[0], other)
    content = json.loads(files[1].read_text())
    for change, words in (
        ({"results": [{"name": "a"}]}, "other.json: wanted the results of an evaluation"),
        ({"photos": ["a"]}, "other.json: wanted the results of an evaluation"),
        ({"results": []}, "share none"),
        ({"options": {}}, "wanted the options of each evaluation"),
        ({"model": {"classes": ["mask"]}}, "wanted evaluations of the same classes"),
    ):
        other.write_text(json.dumps({**content, **change}))
        assert words in refused(files[0], other)


def test_runs_are_joined_by_the_names_of_photos(tmp_path):
    run = make_run(tmp_path, photos=5)
    shuffled = dataclasses.replace(run, results=run.results[::-1])
    (one, other), lines = join([run, shuffled], ["a", "b"])
    assert [each.name for each in other.results] == [each.name for each in one.results]
    assert lines == []

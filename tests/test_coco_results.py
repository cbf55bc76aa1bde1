"""`ssd detect --coco` and pycocotools match as `ssd evaluate` does."""

import contextlib
import io
import json
import os
import pathlib

import numpy as np
import pytest
from test_commands import command

import ssd
from ssd.metrics.judging import judge_results

PHOTOS = 100


def given_photos(folder, out):
    """A truth of the first photos of a set, in the folder that they lie in."""
    truth = json.loads((folder / "validation_everyday.json").read_text())
    truth["images"] = truth["images"][:PHOTOS]
    kept = {image["id"] for image in truth["images"]}
    truth["annotations"] = [each for each in truth["annotations"] if each["image_id"] in kept]
    (out / "in").mkdir()
    for image in truth["images"]:
        name = pathlib.PurePath(image["file_name"]).name
        os.symlink(folder / "validation_everyday" / name, out / "in" / name)
        image["file_name"] = name
    return truth


def composed_photos(out):
    """Portraits of several sizes over noise, and a region to ignore here and there."""
    import matplotlib.cbook
    from PIL import Image

    path = matplotlib.cbook.get_sample_data("grace_hopper.jpg", asfileobj=False)
    portrait, random = Image.fromarray(ssd.read_photo(path)), np.random.default_rng(3)
    images, annotations = [], []
    (out / "in").mkdir()
    for index in range(PHOTOS):
        photo = random.integers(40, 140, (240, 320, 3), np.uint8)
        for left in (0, 160):
            height = int(random.integers(60, 180))
            face = np.asarray(portrait.resize((height * 512 // 600, height)))
            top = int(random.integers(0, 240 - height))
            if index % 4:  # else what the truth has is not there
                photo[top : top + height, left : left + face.shape[1]] = face
            edges = np.array([179, 120, 355, 330]) * height / 600 + random.normal(0, height / 40, 4)
            x, y, right, bottom = edges + np.array([left, top, left, top])
            crowd = int(random.random() < 0.15)
            about = {"image_id": 500 - index, "category_id": 7, "iscrowd": crowd}
            if index % 5:  # else what is there is not in the truth
                annotations.append({**about, "bbox": [x, y, right - x, bottom - y]})
        Image.fromarray(photo).save(out / "in" / f"{index}.png")
        about = {"id": 500 - index, "file_name": f"{index}.png", "height": 240, "width": 320}
        images.append(about)
    return {"images": images, "annotations": annotations, "categories": [{"id": 7, "name": "face"}]}


def test_pycocotools_matches_as_evaluate_does(tmp_path):
    pytest.importorskip("pycocotools")
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    folder = os.environ.get("SSD_PHOTOS")
    truth = given_photos(pathlib.Path(folder), tmp_path) if folder else composed_photos(tmp_path)
    for number, each in enumerate(truth["annotations"], start=1):
        each |= {"id": number, "area": each["bbox"][2] * each["bbox"][3]}
        each.setdefault("iscrowd", 0)
    (tmp_path / "truth.json").write_text(json.dumps({"info": {}, **truth}))

    status, said, err = command(
        *("detect", tmp_path / "in", "--coco", tmp_path / "r.json"),
        *("--truth", tmp_path / "truth.json", "--score-threshold", 0.001, "--max-detections", 300),
    )
    assert (status, err) == (0, [])
    assert said[-1].startswith(f"{PHOTOS} photos: ")
    ours = ssd.evaluate(ssd.Detector(), tmp_path / "in", tmp_path / "truth.json")
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO(str(tmp_path / "truth.json"))
        theirs = COCOeval(coco, coco.loadRes(str(tmp_path / "r.json")), "bbox")
        theirs.params.maxDets = [300]
        theirs.params.areaRng, theirs.params.areaRngLbl = [[0, 1e10]], ["all"]
        theirs.evaluate()
        theirs.accumulate()
    precision = theirs.eval["precision"][..., 0, -1]
    assert ours.coco_ap50 == pytest.approx(precision[0].mean(), abs=1e-6)
    assert ours.coco_ap == pytest.approx(precision.mean(), abs=1e-6)
    assert 0.3 < ours.coco_ap50 < 1

    # Who hits whom at an IoU of 0.5: (photo, score, box of the truth), on both sides.
    matched = set()
    for image in filter(None, theirs.evalImgs):
        hits, ignored = image["dtMatches"][0], image["dtIgnore"][0]
        for score, hit, is_ignored in zip(image["dtScores"], hits, ignored, strict=True):
            if hit and not is_ignored:
                x, y, width, height = coco.anns[int(hit)]["bbox"]
                matched.add((image["image_id"], score, *np.round([y, x, y + height, x + width], 3)))
    judged = judge_results(ours.run.results, 1)
    keys = {image["file_name"]: image["id"] for image in truth["images"]}
    own = set()
    for photo, score, hit in zip(judged.photos, judged.scores, judged.hits, strict=True):
        if hit >= 0:
            result = ours.run.results[photo]
            own.add((keys[result.name], float(score), *np.round(result.boxes[hit], 3)))
    assert own == matched
    assert len(own) > 0.4 * ours.faces
    print(
        f"{len(own)} matches alike; AP50 {ours.coco_ap50:.6f}, AP {ours.coco_ap:.6f} on both sides"
    )

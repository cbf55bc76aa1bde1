import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

from benchmarks import batch_pack, envelope, gpu, gpu_page

ROOT = pathlib.Path(__file__).parent.parent
TINY = {"image_size": [64, 64], "width_multiplier": 0.05, "max_boxes": 6, "min_face": 4}


@pytest.fixture(scope="module")
def tiny_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("config") / "tiny.json"
    path.write_text(json.dumps(TINY))
    return path


@pytest.fixture(scope="module")
def pack(disc_labels, tiny_file, tmp_path_factory):
    path = tmp_path_factory.mktemp("pack") / "pack.npz"
    options = ["--config", str(tiny_file), "--write-pack", str(path)]
    assert gpu.main([str(disc_labels), *options]) == 0
    return path


# Not by None in `sys.modules`, as is usual: Keras takes a name that is there for a package that is.
HIDE_TENSORFLOW = """
import sys


class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "tensorflow":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


sys.meta_path.insert(0, Hidden())
"""


def run(folder, *arguments, before=""):
    """The command in a process of its own, after a few lines of Python."""
    start = f"{before}\nimport sys\nfrom benchmarks import gpu\nsys.exit(gpu.main(sys.argv[1:]))"
    files = ["--json", folder / "gpu.json", "--page", folder / "gpu.md"]
    command = [sys.executable, "-c", start, *arguments, "--cpu", "--seconds", "0.05", *files]
    return subprocess.run(
        [str(each) for each in command],
        env={**os.environ, "PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
    )


def check_figures(result):
    """Each part has finite figures or says why it has none."""
    sizes = [name.rpartition("_")[2] for name in result if name.startswith("train_step_")]
    names = ["copy", *(f"{part}_{size}" for size in sizes for part in ("train_step", "matching"))]
    for name in [*names, "stages", "ladder"]:
        part = result[name]
        if "not_measured" in part:
            assert part["not_measured"], name
            continue
        for row in part["rows"] if name == "ladder" else [part]:
            numbers = [value for value in row.values() if isinstance(value, (int, float))]
            assert numbers, name
            assert np.isfinite(numbers).all(), name
    assert result["machine"].keys() >= {"device", "name", "driver", "processor", "cores", "backend"}
    assert 0 < result["seconds"] < 60 * result["limit_minutes"]


def test_without_tensorflow_it_runs_on_a_pack(pack, tmp_path):
    done = run(tmp_path, "--pack", pack, "--batch-sizes", 2, before=HIDE_TENSORFLOW)
    assert done.returncode == 0, done.stderr
    result = envelope.read(tmp_path / "gpu.json", "gpu")
    check_figures(result)
    step, match = result["train_step_2"], result["matching_2"]
    assert step["photos_per_second"] == pytest.approx(2 / step["seconds"])
    assert match["batch"] == 2
    assert match["step_share"] == pytest.approx(match["seconds"] / step["seconds"])
    assert match["bandwidth_share"] > 0
    for part in ("stages", "ladder"):
        assert result[part] == {"not_measured": "TensorFlow is not installed"}
    page = (tmp_path / "gpu.md").read_text()
    assert page.count("not measured (TensorFlow is not installed)") == 2
    assert page.strip() == done.stdout.strip()


def test_with_tensorflow_the_pipeline_has_its_rows(disc_labels, tiny_file, tmp_path):
    options = [disc_labels, "--config", tiny_file, "--batch-sizes", 8]
    done = run(tmp_path, *options)
    assert done.returncode == 0, done.stderr
    result = envelope.read(tmp_path / "gpu.json", "gpu")
    check_figures(result)
    assert result["stages"]["example"] > 0
    assert "rows" in result["ladder"], result["ladder"]
    rungs = [row["rung"] for row in result["ladder"]["rows"]]
    assert len(rungs) == 5
    assert rungs[0].startswith("Python loop")
    assert "not measured: " in result["ladder"]["rows"][0]["utilization_why"]
    assert rungs[-1] in (tmp_path / "gpu.md").read_text()


@pytest.mark.parametrize(
    ("said", "kept"),
    [("out of memory\nmore", "out of memory"), ("in code:\n\n    a, line 1\n    no b\n", "no b")],
)
def test_a_part_that_fails_says_why_and_the_others_go_on(said, kept):
    def fail():
        raise RuntimeError(said)

    assert gpu._run(fail, 1.0) == {"not_measured": f"RuntimeError: {kept}"}
    assert gpu._run(dict, 1.0) == {}
    assert gpu._run(fail, 0.0) == {"not_measured": "the time was up"}


def test_a_page_of_what_was_not_measured_says_so():
    machine = {"device": "gpu", "name": "GPU", "driver": "1", "processor": "p", "cores": 1,
               "backend": "jax"}  # fmt: skip
    none = {"not_measured": "RuntimeError: out of memory"}
    parts = dict.fromkeys(("train_step_32", "matching_32", "stages", "ladder"), none)
    result = {"machine": machine, "photos": "a", "image_size": [1, 1], **parts}
    assert gpu_page.format_page(result).count("not measured (RuntimeError: out of memory)") == 4


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--json", "no/such/a.json"], "wanted a file in a folder that exists"),
        (["no/such/labels"], "wanted a folder of labels"),
        (["--write-pack", "a.npz"], "wanted LABELS"),
    ],
)
def test_bad_input_is_one_line(arguments, words, capsys):
    assert gpu.main(arguments) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert words in line


def test_a_page_and_a_pack_replace_their_like_alone(pack, tmp_path, capsys):
    page, arrays = tmp_path / "README.md", tmp_path / "data.npz"
    page.write_text("# Somebody's\n")
    np.savez(arrays, a=np.zeros(3))
    for option, path in (("--page", page), ("--write-pack", arrays)):
        before = path.read_bytes()
        assert gpu.main([option, str(path)]) == 1
        assert "there is another; name another" in capsys.readouterr().err
        assert path.read_bytes() == before
    machine = {"device": "cpu", "name": "x", "driver": "1.2", "processor": "y", "cores": 2}
    result = {"machine": {**machine, "backend": "jax"}, "photos": "p", "image_size": [64, 96]}
    result["stages"] = {"not_measured": "here"}
    page.write_text(gpu_page.format_page(result))
    assert gpu_page.is_page(page)
    assert batch_pack.is_pack(pack)


def test_a_pack_is_what_was_put_into_it(pack, tmp_path):
    images, labels, config = batch_pack.read(pack)
    assert (images.dtype, labels.dtype) == (np.uint8, np.float32)
    assert list(config.image_size) == TINY["image_size"]
    assert images.shape[0] == labels.shape[0] > 0
    (tmp_path / "a.npz").write_bytes(pack.read_bytes()[:100])
    with pytest.raises(ValueError, match="this is something else"):
        batch_pack.read(tmp_path / "a.npz")


def test_an_envelope_is_told_from_other_files(tmp_path):
    path = tmp_path / "a.json"
    envelope.write(path, "speed", {"per_second": 3.0})
    assert envelope.read(path, "speed")["per_second"] == 3.0
    with pytest.raises(ValueError, match="got one of kind speed"):
        envelope.read(path, "gpu")
    path.write_text('{"kind": "speed"}')
    with pytest.raises(ValueError, match="without versions"):
        envelope.read(path, "speed")

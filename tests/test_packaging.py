"""What pip would install where, read from the package's own metadata."""

import email
import pathlib
import shutil
import subprocess
import sys
import zipfile

import pytest
from packaging.requirements import Requirement

ROOT = pathlib.Path(__file__).parent.parent
MACHINES = {
    "Linux PC": {"platform_system": "Linux", "platform_machine": "x86_64"},
    "Windows PC": {"platform_system": "Windows", "platform_machine": "AMD64"},
    "Mac": {"platform_system": "Darwin", "platform_machine": "arm64"},
    "64-bit Pi": {"platform_system": "Linux", "platform_machine": "aarch64"},
    "32-bit Pi": {"platform_system": "Linux", "platform_machine": "armv7l"},
}
DETECTING = {"numpy", "imageio", "ai-edge-litert"}
TRAINING = {"flatbuffers", "keras", "mtcnn", "matplotlib", "tqdm"}


@pytest.fixture(scope="module")
def metadata(tmp_path_factory):
    """The folder of metadata that pip gets to see."""
    folder = tmp_path_factory.mktemp("metadata")
    build = (
        "import setuptools.build_meta as b, sys; b.prepare_metadata_for_build_wheel(sys.argv[1])"
    )
    command = [sys.executable, "-c", build, folder]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (made,) = folder.glob("*.dist-info")
    return made


def installed(metadata, machine, extra=""):
    fields = email.message_from_string((metadata / "METADATA").read_text())
    requirements = map(Requirement, fields.get_all("Requires-Dist"))
    environment = {"sys_platform": "any", "python_version": "3.11", **MACHINES[machine]}
    return {
        each.name
        for each in requirements
        if each.marker is None or each.marker.evaluate({**environment, "extra": extra})
    }


def test_a_board_gets_what_detecting_needs_and_no_more(metadata):
    assert installed(metadata, "64-bit Pi") == DETECTING
    assert installed(metadata, "32-bit Pi") == {"numpy", "imageio", "tflite-runtime"}


def test_a_pc_gets_training_with_one_tensorflow(metadata):
    everything = DETECTING | TRAINING
    assert installed(metadata, "Linux PC") == everything | {"tensorflow-cpu"}
    assert installed(metadata, "Windows PC") == everything | {"tensorflow-cpu"}
    assert installed(metadata, "Mac") == everything | {"tensorflow"}


def test_an_arm_server_can_ask_for_training(metadata):
    assert TRAINING | {"tensorflow"} <= installed(metadata, "64-bit Pi", extra="train")


def test_a_gpu_comes_by_way_of_jax_and_brings_no_second_tensorflow(metadata):
    with_gpu = installed(metadata, "Linux PC", extra="cuda")
    assert "jax" in with_gpu
    assert "tensorflow" not in with_gpu


def test_every_package_is_named(metadata):
    top = (metadata / "top_level.txt").read_text().split()
    assert sorted(top) == ["anchors", "benchmarks", "distill", "ssd"]


def test_the_review_page_comes_with_the_package():
    script = (
        "from setuptools import Distribution; from distutils.core import run_setup; "
        "build = run_setup('setup.py', stop_after='init').get_command_obj('build_py'); "
        "build.ensure_finalized(); "
        "print(*[name for _, _, _, names in build.data_files for name in names], sep='\\n')"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, check=True, capture_output=True, text=True
    )
    assert {"page/review.html", "page/review.css", "page/review.js"} <= set(done.stdout.split())


def test_the_shipped_models_are_inside_the_wheel(tmp_path):
    """Whatever lies in ssd/models travels; a copy with a model of no weight shows it."""
    copy = tmp_path / "copy"
    names = ("anchors", "benchmarks", "distill", "ssd")
    leave_out = shutil.ignore_patterns("__pycache__")
    for name in names:
        shutil.copytree(ROOT / name, copy / name, ignore=leave_out)
    for name in ("setup.py", "pyproject.toml"):
        shutil.copy(ROOT / name, copy)
    models = copy / "ssd" / "models"
    models.mkdir(exist_ok=True)
    for name in ("face.tflite", "face_float16.tflite", "face.keras"):
        (models / name).touch()
    build = "import setuptools.build_meta as b, sys; b.build_wheel(sys.argv[1])"
    command = [sys.executable, "-c", build, tmp_path]
    subprocess.run(command, cwd=copy, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        inside = {name for name in archive.namelist() if name.startswith("ssd/models/")}
    assert {f"ssd/models/{path.name}" for path in models.iterdir()} == inside
    assert len(inside) >= 3

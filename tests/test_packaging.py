"""What is in the distribution, and what pip would install where, read from its own metadata."""

import email
import pathlib
import shutil
import subprocess
import sys
import zipfile

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

import ssd

ROOT = pathlib.Path(__file__).parent.parent
MACHINES = {
    "Linux PC": {"platform_system": "Linux", "platform_machine": "x86_64"},
    "Windows PC": {"platform_system": "Windows", "platform_machine": "AMD64"},
    "Mac": {"platform_system": "Darwin", "platform_machine": "arm64"},
    "64-bit Pi": {"platform_system": "Linux", "platform_machine": "aarch64"},
    "32-bit Pi": {"platform_system": "Linux", "platform_machine": "armv7l"},
}
DETECTING = {"numpy", "pillow", "ai-edge-litert"}
TRAINING = {"flatbuffers", "imageio", "keras", "matplotlib", "mtcnn", "tqdm"}


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The wheel and the source archive, made from a copy, and what was said on the way."""
    folder = tmp_path_factory.mktemp("built")
    leave_out = shutil.ignore_patterns("__pycache__")
    for name in ("anchors", "benchmarks", "distill", "ssd"):
        shutil.copytree(ROOT / name, folder / "copy" / name, ignore=leave_out)
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder / "copy")
    for name in ("face.tflite", "face_float16.tflite", "face.keras"):
        (folder / "copy" / "ssd" / "models" / name).touch()
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, folder / "copy"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    (wheel,) = folder.glob("*.whl")
    (archive,) = folder.glob("*.tar.gz")
    return wheel, archive, done.stdout + done.stderr


@pytest.fixture(scope="module")
def metadata(built):
    """The fields that pip and PyPI get to see."""
    with zipfile.ZipFile(built[0]) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith("/METADATA"))
        return email.message_from_bytes(archive.read(name))


def installed(metadata, machine, *extras):
    requirements = map(Requirement, metadata.get_all("Requires-Dist"))
    environment = {"sys_platform": "any", "python_version": "3.11", **MACHINES[machine]}
    return {
        each.name
        for each in requirements
        if each.marker is None
        or any(each.marker.evaluate({**environment, "extra": extra}) for extra in ("", *extras))
    }


@pytest.mark.parametrize("machine", MACHINES)
def test_detecting_needs_three_packages_anywhere(metadata, machine):
    runtime = {"tflite-runtime"} if machine == "32-bit Pi" else {"ai-edge-litert"}
    assert installed(metadata, machine) == {"numpy", "pillow"} | runtime


def test_training_comes_with_one_tensorflow(metadata):
    everything = DETECTING | TRAINING
    assert installed(metadata, "Linux PC", "train") == everything | {"tensorflow-cpu"}
    assert installed(metadata, "Windows PC", "train") == everything | {"tensorflow-cpu"}
    assert installed(metadata, "Mac", "train") == everything | {"tensorflow"}
    assert installed(metadata, "64-bit Pi", "train") == everything | {"tensorflow"}


def test_a_gpu_comes_by_way_of_jax_and_brings_no_second_tensorflow(metadata):
    with_gpu = installed(metadata, "Linux PC", "train", "cuda")
    assert "jax" in with_gpu
    assert "tensorflow" not in with_gpu


def test_the_demo_can_train(metadata):
    assert installed(metadata, "Linux PC", "demo") > DETECTING | TRAINING


def test_the_bot_has_pins_and_a_camera_and_trains_nothing(metadata):
    wanted = DETECTING | {"gpiozero"}
    assert installed(metadata, "Linux PC", "bot") == wanted | {"av"}
    assert installed(metadata, "64-bit Pi", "bot") == wanted | {"lgpio"}


@pytest.mark.parametrize(
    ("package", "hostile"), [("keras", "3.13.9"), ("ray", "2.53.0"), ("pillow", "12.2.0")]
)
def test_versions_that_a_hostile_file_can_use_are_refused(metadata, package, hostile):
    found = [
        each for each in map(Requirement, metadata.get_all("Requires-Dist")) if each.name == package
    ]
    assert found
    assert all(hostile not in each.specifier for each in found)


def test_one_version_and_one_floor_of_python(metadata):
    assert metadata["Version"] == ssd.__version__
    wanted = SpecifierSet(metadata["Requires-Python"])
    assert "3.10" not in wanted
    named = [
        line.rpartition(" ")[2]
        for line in metadata.get_all("Classifier")
        if line.startswith("Programming Language :: Python :: 3.")
    ]
    assert named == ["3.11", "3.12", "3.13"]
    assert all(version in wanted for version in named)


def test_the_page_of_the_index_has_what_it_shows(metadata):
    assert metadata["License-Expression"] == "MIT"
    assert metadata["Description-Content-Type"] == "text/markdown"
    assert metadata.get_payload().startswith("# ")
    assert metadata.get_all("Project-URL")
    assert len(metadata["Summary"]) > 40


def test_nothing_is_said_of_the_distribution(built):
    """Neither by setuptools, which warns in boxes of asterisks, nor by the index's own check."""
    wheel, archive, said = built
    assert "****" not in said
    assert "deprecat" not in said.lower()
    command = [sys.executable, "-m", "twine", "check", "--strict", wheel, archive]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    assert done.stdout.count("PASSED") == 2


def test_all_files_are_inside_the_wheel(built):
    with zipfile.ZipFile(built[0]) as archive:
        inside = {name for name in archive.namelist() if ".dist-info/" not in name}
        (points,) = (name for name in archive.namelist() if name.endswith("/entry_points.txt"))
        scripts = archive.read(points).decode()
    assert {name.partition("/")[0] for name in inside} == {
        "anchors",
        "benchmarks",
        "distill",
        "ssd",
    }
    wanted = {
        path.relative_to(ROOT).as_posix()
        for name in ("anchors", "benchmarks", "distill", "ssd")
        for path in (ROOT / name).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert wanted <= inside
    assert {
        "ssd/py.typed",
        "ssd/models/face.tflite",
        "distill/page_parts/page.css",
        "distill/review/page_parts/review.js",
    } <= inside
    assert "ssd = ssd.__main__:main" in scripts
    assert "distill = distill.__main__:main" in scripts


def test_the_wheel_works_outside_the_checkout(built, tmp_path):
    """In place of the checkout; `make test-wheel` does it in an environment of its own."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run([*command, "--target", tmp_path / "here", built[0]], check=True)
    script = "import sys; sys.path.insert(0, 'here'); import ssd; print(ssd.__file__, ssd.draw)"
    command = [sys.executable, "-c", script]
    environment = {"PATH": "/usr/bin:/bin"}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert str(tmp_path) in done.stdout


# The packages of `[train]` are not there at all.
BARE = """
import sys
package, *words = sys.argv[1:]
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("tensorflow", "keras", "mtcnn", "matplotlib", "tqdm", "jax"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Missing())
sys.argv[0] = package
import importlib
sys.exit(importlib.import_module(f"{package}.__main__").main(words))
"""


@pytest.mark.parametrize(
    "words",
    [
        "ssd train here run",
        "ssd export file new.tflite --precision float32",
        "ssd import coco file here labels",
        "ssd coco here new.json",
        "ssd skew here here",
        "distill here labels",
        "distill --review here",
    ],
)
def test_without_the_training_packages_a_command_names_what_to_install(words, tmp_path):
    (tmp_path / "here").mkdir()
    (tmp_path / "file").touch()
    done = subprocess.run(
        [sys.executable, "-c", BARE, *words.split()],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1, done.stderr
    assert done.stderr.count("\n") == 1
    assert "not installed: pip install 'ssd-faces[train]'" in done.stderr
    assert done.stderr.startswith(words.split()[0])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "here"]

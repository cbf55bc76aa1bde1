"""Who may import whom, checked in a fresh process where the forbidden cannot be imported."""

import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parent.parent

# Importing a module must succeed although these cannot be imported.
BOARD = ("keras", "tensorflow", "jax", "anchors", "distill", "mtcnn", "matplotlib", "tqdm")
FEED = ("keras", "anchors", "distill", "mtcnn")
DEVICE = ("tensorflow", "distill", "mtcnn", "ssd.data", "ssd.records")
FORBIDDEN = {
    "ssd": (*BOARD, "numpy", "imageio"),
    "ssd.config": (*BOARD, "numpy", "imageio"),
    "ssd.detector": BOARD,
    "ssd.suppression": BOARD,
    "ssd.drawing": BOARD,
    "ssd.photo": BOARD,
    "ssd.evaluation": BOARD,
    "ssd.__main__": BOARD,
    "ssd.records": FEED,
    "ssd.augment": FEED,
    "ssd.data": FEED,
    "anchors": ("ssd", *DEVICE),
    "ssd.backbones": DEVICE,
    "ssd.losses": DEVICE,
    "ssd.model": DEVICE,
    "ssd.training": ("distill", "mtcnn"),
    "ssd.exporting": ("distill", "mtcnn"),
    "distill": ("mtcnn", "keras", "anchors"),
    "benchmarks": ("ssd", "anchors"),
}

# A finder in front of all others that refuses the forbidden packages. Under the JAX backend
# Keras itself imports no TensorFlow, so what remains is the module's own doing.
CHECK = """
import importlib, os, sys
os.environ["KERAS_BACKEND"] = "jax"
module, *forbidden = sys.argv[1:]
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if any(name == each or name.startswith(each + ".") for each in forbidden):
            raise ImportError(f"{module} must not import {name}")
if "tensorflow" in forbidden:
    try:
        import keras
    except ImportError:
        pass
loaded = set(sys.modules)
sys.meta_path.insert(0, Refuse())
importlib.import_module(module)
"""


def import_without(module, forbidden, root=ROOT):
    return subprocess.run(
        [sys.executable, "-c", CHECK, module, *forbidden],
        cwd=root,
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize("module", FORBIDDEN)
def test_a_module_imports_only_what_its_layer_allows(module):
    done = import_without(module, FORBIDDEN[module])
    assert done.returncode == 0, done.stderr[-800:]


def test_the_check_can_fail(tmp_path):
    (tmp_path / "culprit.py").write_text("import json.tool\n")
    assert import_without("culprit", ["xml"], tmp_path).returncode == 0
    done = import_without("culprit", ["json.tool"], tmp_path)
    assert done.returncode != 0
    assert "culprit must not import json.tool" in done.stderr


def test_every_module_has_a_layer():
    packages = ("anchors", "ssd", "distill", "benchmarks")
    modules = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for package in packages
        for path in (ROOT / package).glob("*.py")
    }
    covered = {name for name in modules if any(known in name for known in FORBIDDEN)}
    assert modules == covered


def test_import_is_quick_and_brings_nothing():
    script = (
        "import sys, time; start = time.perf_counter(); import ssd; "
        "print(time.perf_counter() - start); "
        "print([name for name in ('tensorflow', 'keras', 'numpy') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    seconds, brought = done.stdout.splitlines()
    assert brought == "[]"
    assert float(seconds) < 0.3

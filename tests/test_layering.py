"""Who may import whom: one row a room, the table of docs/design.md, and every import held to it."""

import ast
import importlib
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parent.parent
PACKAGES = ("anchors", "ssd", "distill", "benchmarks", "examples")

# Packages too heavy for a board, or for one side of the batch. All others (NumPy, Pillow, imageio,
# tqdm, matplotlib inside the functions that draw) are open to every room that docs/design.md
# does not say otherwise of.
HEAVY = {"tensorflow", "keras", "jax", "mtcnn", "ray", "matplotlib"}

# Room: places of this project it may import, heavy packages it may import.
# `ssd` alone stands for the public names, `ssd.NAME`.
ROWS = {
    "anchors": ([], ["keras", "tensorflow", "jax"]),
    "ssd": (["ssd.quiet", "ssd.registration", "ssd.version"], []),
    "ssd.balance": ([], ["keras", "tensorflow"]),
    "ssd.arguments": (["ssd.lines", "ssd.outputs", "ssd.quiet", "ssd.shipped"], []),
    "ssd.atomic": ([], []),
    "ssd.boxes": ([], []),
    "ssd.config": ([], []),
    "ssd.lines": ([], []),
    "ssd.lock": ([], []),
    "ssd.model_files": ([], []),
    "ssd.old_names": ([], []),
    "ssd.outputs": ([], []),
    "ssd.quiet": ([], ["tensorflow"]),
    "ssd.processors": ([], []),
    "ssd.shipped": ([], []),
    "ssd.side_by_side": ([], []),
    "ssd.status_line": ([], []),
    "ssd.stopping": ([], []),
    "ssd.registration": ([], []),
    "ssd.version": ([], []),
    "ssd.photos": (["ssd.atomic", "ssd.boxes", "ssd.config", "ssd.lines"], []),
    "ssd.data": (
        [
            "ssd.atomic",
            "ssd.boxes",
            "ssd.config",
            "ssd.lines",
            "ssd.lock",
            "ssd.old_names",
            "ssd.photos",
        ],
        ["tensorflow"],
    ),
    "ssd.nets": (
        ["anchors", "ssd.config", "ssd.model_files", "ssd.old_names", "ssd.version"],
        ["keras"],
    ),
    "ssd.detect": (
        [
            "ssd.atomic",
            "ssd.boxes",
            "ssd.config",
            "ssd.model_files",
            "ssd.old_names",
            "ssd.photos",
            "ssd.processors",
            "ssd.quiet",
            "ssd.shipped",
        ],
        [],
    ),
    "ssd.sources": (["ssd.photos"], []),
    "ssd.sinks": (["ssd.atomic", "ssd.detect", "ssd.photos", "ssd.sources"], []),
    "ssd.detecting": (
        [
            "ssd.detect",
            "ssd.photos",
            "ssd.side_by_side",
            "ssd.sinks",
            "ssd.sources",
            "ssd.stopping",
        ],
        [],
    ),
    "ssd.opening": (["anchors", "ssd.detect", "ssd.nets", "ssd.quiet"], ["keras"]),
    "ssd.calibrating": (["ssd.detect", "ssd.metrics", "ssd.nets", "ssd.opening"], []),
    "ssd.tflite": (
        [
            "anchors",
            "ssd.atomic",
            "ssd.config",
            "ssd.detect",
            "ssd.nets",
            "ssd.quiet",
            "ssd.version",
        ],
        ["keras", "tensorflow"],
    ),
    "ssd.onnx": (["anchors", "ssd.atomic", "ssd.nets", "ssd.version"], ["keras"]),
    "ssd.exporting": (["ssd.nets", "ssd.onnx", "ssd.tflite"], []),
    "ssd.metrics": (
        ["ssd.atomic", "ssd.boxes", "ssd.config", "ssd.data", "ssd.detect", "ssd.photos"],
        ["matplotlib"],
    ),
    "ssd.training": (
        [
            "ssd.atomic",
            "ssd.balance",
            "ssd.config",
            "ssd.data",
            "ssd.detect",
            "ssd.lock",
            "ssd.metrics",
            "ssd.nets",
            "ssd.opening",
            "ssd.version",
        ],
        ["keras", "matplotlib"],
    ),
    "ssd.commands": (
        [
            "ssd.arguments",
            "ssd.calibrating",
            "ssd.config",
            "ssd.data",
            "ssd.detect",
            "ssd.detecting",
            "ssd.exporting",
            "ssd.lines",
            "ssd.metrics",
            "ssd.nets",
            "ssd.opening",
            "ssd.outputs",
            "ssd.photos",
            "ssd.processors",
            "ssd.quiet",
            "ssd.sinks",
            "ssd.sources",
            "ssd.status_line",
            "ssd.stopping",
            "ssd.training",
        ],
        ["keras"],
    ),
    "ssd.__main__": (["ssd", "ssd.arguments", "ssd.commands"], []),
    "distill": (
        [
            "ssd",
            "ssd.arguments",
            "ssd.atomic",
            "ssd.boxes",
            "ssd.data",
            "ssd.lock",
            "ssd.old_names",
            "ssd.outputs",
            "ssd.photos",
            "ssd.processors",
            "ssd.quiet",
        ],
        ["mtcnn", "ray", "tensorflow"],
    ),
    "benchmarks": (
        ["anchors", "distill", "ssd"],
        ["jax", "keras", "matplotlib", "tensorflow"],
    ),
    "examples": (["anchors", "distill", "ssd"], ["keras", "matplotlib"]),
}


def files():
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            yield path.relative_to(ROOT)


def room(name):
    """The row that a module, or a name in one, belongs to."""
    parts = name.split(".")
    while ".".join(parts) not in ROWS and len(parts) > 1:
        parts.pop()
    return ".".join(parts)


def imports(source):
    """Every module that a file asks for, at its top or inside a function."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{each.name}" for each in node.names)


def offences(owner, source):
    """What a file of that room imports and must not."""
    own, heavy = ROWS[owner]
    for name in imports(source):
        top = name.partition(".")[0]
        place = room(name)
        if (
            (top in PACKAGES and place != owner and place not in own)
            or (top in HEAVY and top not in heavy)
            or (owner in GUESTS and place in LIBRARIES and not is_public(name))
        ):
            yield name


# Those who use the project as everybody does: by `PACKAGE.NAME`, for the names in its `__all__`.
GUESTS = {"benchmarks", "examples"}
LIBRARIES = {"anchors", "distill", "ssd"}


def is_public(name):
    """Whether an import is of a package as a whole, or of one of its public names."""
    package, _, rest = name.partition(".")
    return not rest or rest in importlib.import_module(package).__all__


@pytest.mark.parametrize("path", [*files()], ids=str)
def test_a_file_imports_only_what_its_room_allows(path):
    name = ".".join(path.with_suffix("").parts).removesuffix(".__init__")
    assert [*offences(room(name), (ROOT / path).read_text())] == []


def test_only_the_teacher_knows_mtcnn_and_only_the_engine_ray():
    def knowing(package):
        found = [path for path in files() if package in [*imports((ROOT / path).read_text())]]
        return [str(path) for path in found]

    assert knowing("mtcnn") in ([], ["distill/teachers/mtcnn.py"])
    assert knowing("ray") in ([], ["distill/engine.py"])


def test_the_three_frameworks_rooms_do_not_know_each_other():
    rooms = {"ssd.data", "ssd.nets", "ssd.detect"}
    assert all(not rooms & set(ROWS[each][0]) for each in rooms)


@pytest.mark.parametrize(
    ("owner", "line"),
    [
        ("ssd.detect", "import tensorflow as tf"),
        ("ssd.detect", "def f():\n    from ssd.nets import model"),
        ("ssd.data", "import keras"),
        ("ssd.data", "from keras import ops"),
        ("ssd.nets", "from ssd.data.pipeline import dataset"),
        ("ssd.photos", "from ssd.data import records"),
        ("distill", "from ssd.nets import model"),
        ("benchmarks", "from ssd.nets import losses"),
        ("benchmarks", "from distill.labeling import label"),
        ("benchmarks", "from distill import labeling"),
        ("examples", "from anchors.boxes import iou"),
        ("examples", "import distill.votes.voting"),
        ("examples", "from ssd.nets.loading import load"),
        ("anchors", "import ssd.config"),
    ],
)
def test_an_import_through_a_wall_is_noticed(owner, line):
    assert [*offences(owner, line)] != []


@pytest.mark.parametrize(
    ("owner", "line"),
    [
        ("ssd.detect", "import numpy as np\nfrom ssd.config import Config"),
        ("ssd.data", "import tensorflow as tf\nfrom ssd.photos import reading"),
        ("examples", "import ssd\nfrom ssd import Detector\nfrom distill import label"),
        ("benchmarks", "import anchors, distill\nfrom benchmarks import cores"),
    ],
)
def test_an_import_through_a_door_is_let_pass(owner, line):
    assert [*offences(owner, line)] == []


def test_the_table_of_the_design_page_is_this_one():
    rows = {}
    for line in (ROOT / "docs" / "design.md").read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 3 and cells[0].strip("`") in ROWS:
            own, heavy = ([word.strip("` ") for word in cell.split(",")] for cell in cells[1:])
            rows[cells[0].strip("`")] = ([*filter(None, own)], [*filter(None, heavy)])
    assert rows == ROWS


# On a board the heavy packages are not there at all.
BARE = """
import importlib, sys
module, *missing = sys.argv[1:]
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in missing:
            raise ModuleNotFoundError(f"No module named {name!r}")
sys.meta_path.insert(0, Missing())
importlib.import_module(module)
"""


def run(*command, cwd=ROOT):
    return subprocess.run(
        [sys.executable, "-c", *command], cwd=cwd, capture_output=True, text=True, timeout=300
    )


def board_modules():
    for path in files():
        name = ".".join(path.with_suffix("").parts).removesuffix(".__init__")
        if path.parts[0] == "ssd" and not {"tensorflow", "keras"} & set(ROWS[room(name)][1]):
            yield name
    yield from ("ssd.__main__", "benchmarks.board", "benchmarks.latency")


@pytest.mark.parametrize("module", [*board_modules()])
def test_a_board_module_does_without_the_heavy_packages(module):
    done = run(BARE, module, *HEAVY, "anchors", "distill")
    assert done.returncode == 0, done.stderr[-800:]


def test_the_bare_run_can_fail(tmp_path):
    (tmp_path / "culprit.py").write_text("import json\nfrom xml import dom\n")
    assert run(BARE, "culprit", "yaml", cwd=tmp_path).returncode == 0
    assert "No module named 'xml'" in run(BARE, "culprit", "xml", cwd=tmp_path).stderr


def test_import_brings_nothing():
    script = (
        "import sys, ssd; "
        "print([name for name in ('tensorflow', 'keras', 'numpy') if name in sys.modules])"
    )
    assert run(script).stdout.strip() == "[]"

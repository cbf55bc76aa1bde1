"""Who may import whom, watched in a fresh process while every module is imported."""

import json
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parent.parent
PACKAGES = ("anchors", "ssd", "distill", "benchmarks")

# What a layer must not import.
BOARD = ("keras", "tensorflow", "jax", "anchors", "distill", "mtcnn", "matplotlib")
FEED = ("keras", "anchors", "distill", "mtcnn", "ssd.model", "ssd.losses")
DEVICE = ("tensorflow", "distill", "mtcnn", "ssd.data", "ssd.augment", "ssd.records")
JOIN = ("distill", "mtcnn")
FORBIDDEN = {
    "anchors": ("tensorflow", "ssd", "distill", "benchmarks"),
    "ssd": BOARD,
    "ssd.__main__": BOARD,
    "ssd.capture": BOARD,
    "ssd.config": BOARD,
    "ssd.detector": BOARD,
    "ssd.drawing": BOARD,
    "ssd.evaluation": BOARD,
    "ssd.photo": BOARD,
    "ssd.photo_files": BOARD,
    "ssd.resizing": BOARD,
    "ssd.skew": BOARD,
    "ssd.smoothing": BOARD,
    "ssd.suppression": BOARD,
    "ssd.coco": FEED,
    "ssd.importing": FEED,
    "ssd.jpeg": FEED,
    "ssd.quiet": FEED,
    "ssd.augment": FEED,
    "ssd.cache": FEED,
    "ssd.data": FEED,
    "ssd.records": FEED,
    "ssd.service": FEED,
    "ssd.backbones": DEVICE,
    "ssd.light": DEVICE,
    "ssd.losses": DEVICE,
    "ssd.model": DEVICE,
    "ssd.exporting": JOIN,
    "ssd.metadata": JOIN,
    "ssd.flatbuffer": JOIN,
    "ssd.ranges": JOIN,
    "ssd.saturation": JOIN,
    "ssd.report": JOIN,
    "ssd.training": JOIN,
    "distill": ("keras", "anchors", "ssd.model", "ssd.losses", "ssd.data", "ssd.detector"),
    "benchmarks": (),
    "benchmarks.board": BOARD,
    "benchmarks.latency": BOARD,
}

# Notes down, for every import statement of ours that runs, who asked for what.
WATCH = """
import builtins, importlib, json, sys
packages, modules = sys.argv[1].split(), sys.argv[2].split()
asked, original = {}, builtins.__import__
def watched(name, globals=None, locals=None, fromlist=(), level=0):
    importer = (globals or {}).get("__name__", "")
    if importer.partition(".")[0] in packages and level == 0:
        asked.setdefault(importer, []).append(name)
        asked[importer] += [f"{name}.{each}" for each in fromlist or ()]
    return original(name, globals, locals, fromlist, level)
builtins.__import__ = watched
for module in modules:
    importlib.import_module(module)
print(json.dumps(asked))
"""

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


def imports(names, *, packages=PACKAGES, cwd=ROOT):
    """What each module among those loaded asks for."""
    done = run(WATCH, " ".join(packages), " ".join(names), cwd=cwd)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


def modules():
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            yield name.removesuffix(".__init__")


def forbidden(module):
    """The row of a module, or else that of its package."""
    while module not in FORBIDDEN:
        module = module.rpartition(".")[0]
    return FORBIDDEN[module]


def offences(asked, missing):
    return [name for name in asked if any(f"{name}.".startswith(f"{each}.") for each in missing)]


@pytest.fixture(scope="module")
def asked():
    return imports(modules())


@pytest.mark.parametrize("module", [*modules()])
def test_a_module_imports_only_what_its_layer_allows(asked, module):
    assert offences(asked.get(module, []), forbidden(module)) == []


def test_only_the_teacher_knows_mtcnn(asked):
    assert [name for name in asked if offences(asked[name], ["mtcnn"])] in ([], ["distill.teacher"])


def test_every_module_of_ssd_has_a_row_of_its_own():
    own = {name for name in modules() if name.startswith("ssd.")}
    assert {name for name in own if not name.startswith("ssd.backbones")} <= set(FORBIDDEN)


@pytest.mark.parametrize("module", [name for name, row in FORBIDDEN.items() if row is BOARD])
def test_a_board_module_does_without_the_heavy_packages(module):
    done = run(BARE, module, *BOARD)
    assert done.returncode == 0, done.stderr[-800:]


def test_the_checks_can_fail(tmp_path):
    (tmp_path / "culprit").mkdir()
    (tmp_path / "culprit" / "__init__.py").write_text("import json\nfrom xml import dom\n")
    found = imports(["culprit"], packages=["culprit"], cwd=tmp_path)
    assert offences(found["culprit"], ["json"]) == ["json"]
    assert offences(found["culprit"], ["xml.dom"]) == ["xml.dom"]
    assert offences(found["culprit"], ["xm", "jso", "xml.sax"]) == []
    assert run(BARE, "culprit", "yaml", cwd=tmp_path).returncode == 0
    assert "No module named 'xml'" in run(BARE, "culprit", "xml", cwd=tmp_path).stderr


def test_import_is_quick_and_brings_nothing():
    script = (
        "import sys, time; start = time.perf_counter(); import ssd; "
        "print(time.perf_counter() - start); "
        "print([name for name in ('tensorflow', 'keras', 'numpy') if name in sys.modules])"
    )
    seconds, brought = run(script).stdout.splitlines()
    assert brought == "[]"
    assert float(seconds) < 0.3

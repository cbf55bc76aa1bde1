"""Every public name is documented, and every example runs."""

import ast
import doctest
import importlib
import pathlib

import pytest

ROOT = pathlib.Path(__file__).parent.parent
FILES = sorted(
    path
    for package in ("anchors", "ssd", "distill", "benchmarks", "examples")
    for path in (ROOT / package).rglob("*.py")
)
NAMES = [str(path.relative_to(ROOT)) for path in FILES]
MODULES = [
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for path in FILES
    if path.parent.name != "examples"
]


@pytest.mark.parametrize("name", NAMES)
def test_every_public_name_is_documented(name):
    tree = ast.parse((ROOT / name).read_text())
    assert ast.get_docstring(tree), f"{name} says nothing about itself"
    missing = []
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            inside = node.body if isinstance(node, ast.ClassDef) else []
            for each in [node, *inside]:
                if not isinstance(each, ast.FunctionDef | ast.ClassDef):
                    continue
                if each.name.startswith("_") or each.name == "main":
                    continue
                if not ast.get_docstring(each):
                    missing.append(f"{node.name}.{each.name}" if each is not node else node.name)
    assert not missing, f"{name}: no docstring on {missing}"


@pytest.mark.parametrize("module", MODULES)
def test_docstring_examples_run(module):
    failed, _ = doctest.testmod(importlib.import_module(module))
    assert failed == 0


def test_docstring_examples_are_really_tried():
    def wrong():
        """
        >>> 1 + 1
        3
        """

    test = doctest.DocTestFinder().find(wrong, globs={})[0]
    assert doctest.DocTestRunner(verbose=False).run(test, out=lambda text: None).failed == 1

"""What editors and type checkers see: the lazy names, each where it really lives."""

import ast
import importlib
import pathlib

import pytest

import anchors
import distill
import ssd

ROOT = pathlib.Path(__file__).parent.parent


def stub(package):
    """{name: module} of the imports in a package's `__init__.pyi`."""
    tree = ast.parse((ROOT / package.__name__ / "__init__.pyi").read_text())
    found = {}
    for node in tree.body:
        if isinstance(node, ast.ImportFrom):
            for each in node.names:
                assert each.asname == each.name, "a stub hands on only `name as name`"
                found[each.name] = node.module
    return found


@pytest.mark.parametrize("package", [distill, ssd], ids=lambda package: package.__name__)
def test_the_stub_lists_exactly_the_lazy_names(package):
    homes = {name: f"{package.__name__}.{home}" for name, home in package._HOME.items()}
    assert stub(package) == homes
    assert sorted(homes) == sorted(package.__all__)


@pytest.mark.parametrize("package", [distill, ssd], ids=lambda package: package.__name__)
def test_a_lazy_name_is_what_its_home_holds(package):
    for name, module in stub(package).items():
        assert getattr(package, name) is getattr(importlib.import_module(module), name)
        assert name in dir(package)


def test_packages_say_that_they_are_typed():
    for package in (anchors, distill, ssd):
        assert (pathlib.Path(package.__file__).parent / "py.typed").is_file()

"""What editors and type checkers see: the lazy names, each where it really lives."""

import ast
import importlib
import pathlib

import anchors
import distill
import ssd

ROOT = pathlib.Path(__file__).parent.parent


def stub():
    """{name: module} of the imports in `ssd/__init__.pyi`."""
    tree = ast.parse((ROOT / "ssd" / "__init__.pyi").read_text())
    found = {}
    for node in tree.body:
        if isinstance(node, ast.ImportFrom):
            for each in node.names:
                assert each.asname == each.name, "a stub hands on only `name as name`"
                found[each.name] = node.module
    return found


def test_the_stub_lists_exactly_the_lazy_names():
    homes = {name: f"ssd.{home}" for name, home in ssd._HOME.items()}
    assert stub() == homes
    assert sorted(homes) == sorted(ssd.__all__)


def test_a_lazy_name_is_what_its_home_holds():
    for name, module in stub().items():
        assert getattr(ssd, name) is getattr(importlib.import_module(module), name)
        assert name in dir(ssd)


def test_packages_say_that_they_are_typed():
    for package in (anchors, distill, ssd):
        assert (pathlib.Path(package.__file__).parent / "py.typed").is_file()

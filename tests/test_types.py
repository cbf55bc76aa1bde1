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
        assert (ROOT / package.__name__ / "py.typed").is_file()


def public_functions(body, prefix=""):
    """(name, node) of each function and method of a file that others may call."""
    for node in body:
        if not isinstance(node, ast.ClassDef | ast.FunctionDef):
            continue
        if node.name.startswith("_") and node.name not in ("__init__", "__call__"):
            continue
        if isinstance(node, ast.ClassDef):
            yield from public_functions(node.body, f"{node.name}.")
        else:
            yield prefix + node.name, node


def untyped(name, node):
    arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
    yield from (
        f"{name}({each.arg})"
        for each in arguments
        if each.annotation is None and each.arg not in ("self", "cls")
    )
    if node.returns is None and node.name != "__init__":
        yield f"{name} ->"


def test_everything_public_says_what_it_takes_and_gives():
    missing = [
        f"{path.relative_to(ROOT)}: {each}"
        for package in (anchors, distill, ssd)
        for path in sorted((ROOT / package.__name__).rglob("*.py"))
        for name, node in public_functions(ast.parse(path.read_text()).body)
        for each in untyped(name, node)
    ]
    assert not missing, "\n".join(missing)

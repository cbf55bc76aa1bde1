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


Function = ast.FunctionDef | ast.AsyncFunctionDef
# Methods that Keras asks for, and describes.
OF_KERAS = {
    *("build", "call", "compute_output_shape", "compute_loss", "get_config", "from_config"),
    *("on_epoch_end", "on_train_begin", "on_train_end"),
}


def public(nodes):
    """Functions and classes of a body that do not begin with an underscore."""
    return [
        node
        for node in nodes
        if isinstance(node, Function | ast.ClassDef) and not node.name.startswith("_")
    ]


def own(function):
    """The nodes of a function without those of functions inside it."""
    left = list(function.body)
    while left:
        node = left.pop()
        yield node
        if not isinstance(node, Function | ast.Lambda | ast.ClassDef):
            left.extend(ast.iter_child_nodes(node))


def wanted_sections(function):
    """What its docstring has to say: what goes in, what comes out and what is raised."""
    arguments = function.args
    names = [each.arg for each in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]
    names += [each.arg for each in (arguments.vararg, arguments.kwarg) if each]
    decorators = {ast.unparse(each) for each in function.decorator_list}
    if set(names) - {"self", "cls"}:
        yield "Args:"
    inside = list(own(function))
    if any(isinstance(node, ast.Yield | ast.YieldFrom) for node in inside):
        yield "Yields:"
    elif "property" not in decorators and any(
        isinstance(node, ast.Return) and node.value is not None for node in inside
    ):
        yield "Returns:"
    # A bare `raise`, or one of what was caught, hands on what somebody else says of.
    if any(isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) for node in inside):
        yield "Raises:"


def lacking(source):
    """What a file's docstrings do not say: pairs of a name and what it lacks."""
    for node in public(ast.parse(source).body):
        docstring = ast.get_docstring(node) or ""
        # A command line is shown in the documentation, where it is tried too.
        if ">>>" not in docstring and node.name != "main":
            yield node.name, "an example"
        if isinstance(node, ast.ClassDef):
            for method in public(node.body):
                text = ast.get_docstring(method) or ""
                if not text:
                    yield f"{node.name}.{method.name}", "a docstring"
                if not isinstance(method, Function) or method.name in OF_KERAS:
                    continue
                for section in wanted_sections(method):
                    if section not in text:
                        yield f"{node.name}.{method.name}", section
            made = [each for each in node.body if getattr(each, "name", "") == "__init__"]
            fields = any(isinstance(each, ast.AnnAssign) for each in node.body)
            takes = fields or (made and "Args:" in wanted_sections(made[0]))
            if takes and "Args:" not in docstring and "Attributes:" not in docstring:
                yield node.name, "Args: or Attributes:"
        else:
            for section in wanted_sections(node):
                if section not in docstring:
                    yield node.name, section


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_every_file_says_what_it_is(path):
    assert ast.get_docstring(ast.parse(path.read_text()))


PROMISED = [path for path in FILES if path.parent.name != "examples"]


@pytest.mark.parametrize("path", PROMISED, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_public_name_keeps_what_contributing_promises(path):
    """Args, Returns or Yields, Raises, and an example."""
    missing = [f"{name} lacks {what}" for name, what in lacking(path.read_text())]
    assert missing == []


def test_what_a_docstring_lacks_is_noticed():
    source = """
def f(a):
    'Says nothing.'
    if a:
        raise ValueError("no")
    return 1
def _g(a):
    return 1
class C:
    def __init__(self, a): ...
    def m(self):
        yield 1
    @property
    def p(self):
        'A number.'
        return 1
"""
    assert [*lacking(source)] == [
        ("f", "an example"),
        ("f", "Args:"),
        ("f", "Returns:"),
        ("f", "Raises:"),
        ("C", "an example"),
        ("C.m", "a docstring"),
        ("C.m", "Yields:"),
        ("C", "Args: or Attributes:"),
    ]


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

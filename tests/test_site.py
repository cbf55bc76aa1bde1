"""The documentation: it builds strictly, every link leads somewhere, and every code block holds.

A block says what it is: `python` runs, `sh` holds commands that their own parsers accept, `console`
holds commands with what they print, `text` and `json` are only read.
"""

import argparse
import contextlib
import importlib
import json
import pathlib
import pkgutil
import re
import runpy
import shlex
import shutil
import subprocess
import sys
from typing import NamedTuple

import pytest

ROOT = pathlib.Path(__file__).parent.parent
OURS = ("anchors", "ssd", "distill", "benchmarks")
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
# Their blocks need each other: they are walked from top to bottom.
WALKS = [ROOT / "docs" / name for name in ("tutorial.md", "classes.md")]
SHORTER = {"--count 480": "--count 40", "--count 120": "--count 12"}

# Programs of others that a page may tell a reader to run.
OTHERS = {"apt", "cd", "git", "lscpu", "pip", "scp", "source", "sudo", "unzip"}
OTHER_MODULES = {"http.server", "pip", "venv"}


class Block(NamedTuple):
    """A fenced block of a page."""

    page: pathlib.Path
    line: int
    language: str
    code: str


def blocks(page):
    """The fenced blocks of a page, in order."""
    text = page.read_text()
    for found in re.finditer(r"^```(\w*)[^\n]*\n(.*?)^```$", text, re.M | re.S):
        yield Block(page, text[: found.start()].count("\n") + 1, found[1], found[2])


def every(*languages, but=()):
    """All blocks in these languages, each as a parameter of a test that names page and line."""
    return [
        pytest.param(block, id=f"{page.name}-{block.line}")
        for page in PAGES
        for block in blocks(page)
        if block.language in languages and page not in but
    ]


@pytest.fixture
def desk(tmp_path, monkeypatch, disc_labels):
    """A folder to run documentation in: `labels/` and `photo.jpg` are there.

    Training is one epoch, and of a small model where the page does not say of which.
    """
    import keras
    import matplotlib.cbook

    import ssd

    (tmp_path / "labels").symlink_to(disc_labels)
    portrait = matplotlib.cbook.get_sample_data("grace_hopper.jpg", asfileobj=False)
    (tmp_path / "photo.jpg").symlink_to(portrait)
    monkeypatch.chdir(tmp_path)
    small = {"image_size": (64, 96), "width_multiplier": 0.1}
    config = ssd.Config
    monkeypatch.setattr(ssd, "Config", lambda **options: config(**small | options))
    fit = ssd.SSD.fit
    monkeypatch.setattr(
        ssd.SSD, "fit", lambda self, data, **options: fit(self, data, **options | {"epochs": 1})
    )
    policy = keras.config.dtype_policy()
    yield tmp_path
    keras.config.set_dtype_policy(policy)


# Code


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_block_says_what_it_is(page):
    import markdown

    html = markdown.markdown(page.read_text(), extensions=["fenced_code", "tables"])
    named = re.findall(r'<pre><code class="language-(\w+)">', html)
    assert len(named) == html.count("<pre>"), "a block without a language"
    assert {*named} <= {"python", "sh", "console", "text", "json"}


@pytest.mark.parametrize("block", every("python", but=WALKS))
def test_python_runs(block, desk):
    exec(compile(block.code, str(block.page), "exec"), {"__name__": "documentation"})


class Parsed(Exception):
    """Raised instead of running a command whose arguments are right."""


@contextlib.contextmanager
def parsing_only(monkeypatch):
    """Commands go as far as their arguments, and no further."""
    parse = argparse.ArgumentParser.parse_args

    def parse_and_stop(self, *arguments, **options):
        parse(self, *arguments, **options)
        raise Parsed

    with monkeypatch.context() as patch:
        patch.setattr(argparse.ArgumentParser, "parse_args", parse_and_stop)
        yield patch


def commands(code):
    """The words of each command of a shell block; joined by && or | they are two."""
    for line in code.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        while words:
            ends = [place for place, word in enumerate(words) if word in ("&&", "|")]
            end = ends[0] if ends else len(words)
            yield words[:end]
            words = words[end + 1 :]


def ours(words):
    """(main function, its arguments) of a command of this project; None for other programs.

    Raises:
        ValueError: If the command is of nobody known.
    """
    while re.fullmatch(r"\w+=.*", words[0]):
        words = words[1:]
    name, *rest = words
    name = name.replace("python3", "python")
    if name in ("ssd", "distill"):
        return importlib.import_module(f"{name}.__main__").main, rest
    if name == "python" and rest[0] == "-m":
        module, arguments = rest[1], rest[2:]
        if module.partition(".")[0] not in OURS:
            if module not in OTHER_MODULES:
                raise ValueError(f"{module}: nobody's module")
            return None
        with contextlib.suppress(ImportError):
            module = importlib.import_module(f"{module}.__main__").__name__
        return importlib.import_module(module).main, arguments
    if name == "python" and rest[0].endswith(".py"):
        script = ROOT / rest[0]
        if not script.is_file():
            raise ValueError(f"{rest[0]}: no such script")
        if "ArgumentParser" not in script.read_text():
            return None
        return script, rest[1:]
    if name == "make":
        targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.M)
        wrong = [word for word in rest if "=" not in word and word not in targets]
        if wrong:
            raise ValueError(f"make: no target {wrong}")
        return None
    if pathlib.PurePath(name).name not in OTHERS:
        raise ValueError(f"{name}: nobody's command")
    return None


def run(command, arguments, monkeypatch):
    """Runs a command of this project here, or a script as `python` would; the exit status."""
    if callable(command):
        return command(arguments)
    with monkeypatch.context() as patch:
        patch.syspath_prepend(str(command.parent))
        patch.setattr(sys, "argv", [str(command), *arguments])
        try:
            runpy.run_path(str(command), run_name="__main__")
        except SystemExit as stop:
            return stop.code
    return 0


def stand_ins(arguments):
    """Files and folders of the names that arguments may mean: parsers ask for those they read."""
    for word in arguments:
        path = pathlib.Path(word)
        if re.match(r"[\w./]", word) and not path.is_absolute() and not path.exists():
            (path if not path.suffix else path.parent).mkdir(parents=True, exist_ok=True)
            if path.suffix:
                path.touch()


def check(words, monkeypatch):
    """Lets a command's own parser read its arguments; what it cannot take is an error."""
    if found := ours(words):
        stand_ins(found[1])
        with parsing_only(monkeypatch), contextlib.suppress(Parsed):
            run(*found, monkeypatch)
            pytest.fail(f"{shlex.join(words)}: refused")


@pytest.mark.parametrize("block", every("json"))
def test_json_is_json(block):
    json.loads(block.code)


@pytest.mark.parametrize("page", WALKS, ids=lambda page: page.name)
def test_a_tutorial_can_be_walked(page, desk, monkeypatch):
    """All its blocks, in order, in one folder; fewer photos, and one epoch."""
    (desk / "labels").unlink()
    names = {"__name__": "documentation"}
    for block in blocks(page):
        code = block.code
        for long, short in SHORTER.items():
            code = code.replace(long, short)
        if block.language == "python":
            exec(compile(code, f"{page.name}:{block.line}", "exec"), names)
        for words in commands(code) if block.language == "sh" else ():
            if found := ours(words):
                assert not run(*found, monkeypatch), shlex.join(words)


@pytest.mark.parametrize("block", every("sh"))
def test_commands_are_what_their_parsers_take(block, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for words in commands(block.code):
        check(words, monkeypatch)


@pytest.mark.parametrize(
    "line",
    [
        "ssd detcet photo.jpg",
        "ssd detect --modell face.tflite photo.jpg",
        "distill --nonsense photos labels",
        "python -m benchmarks.latency --photos",
        "python examples/smiling_bot.py --photos photos",
        "python examples/gone.py",
        "make coffee",
        "curl example.org",
        "python -m nobody",
    ],
)
def test_a_wrong_command_is_noticed(line, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    with pytest.raises((SystemExit, ValueError, pytest.fail.Exception)):
        check(shlex.split(line), monkeypatch)


NUMBER = re.compile(r"\d+\.?\d*")


def numbers(text):
    """All numbers in a text."""
    return [float(number) for number in NUMBER.findall(text)]


@pytest.mark.parametrize("block", every("console"))
def test_commands_print_what_the_page_says(block, desk, capsys, monkeypatch):
    """The words exactly; numbers to 5 %, since runtimes round differently."""
    for part in block.code.removeprefix("$ ").split("\n$ "):
        line, _, wanted = part.partition("\n")
        for words in commands(line):
            if found := ours(words):
                assert not run(*found, monkeypatch)
        printed = capsys.readouterr().out.strip()
        wanted = wanted.strip()
        assert (
            re.sub(r"\d+\.?\d*", "0", printed).split() == re.sub(r"\d+\.?\d*", "0", wanted).split()
        )
        assert numbers(printed) == pytest.approx(numbers(wanted), rel=0.05, abs=0.05)


# Links and names


def slugs(page):
    """The anchors of a page's headings."""
    from markdown.extensions.toc import slugify

    text = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.M | re.S)
    return {slugify(title, "-") for title in re.findall(r"^#+ (.+)$", text, re.M)}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if target.startswith("http"):
            continue
        path, _, anchor = target.partition("#")
        path = (page.parent / path) if path else page
        assert path.exists(), target
        if anchor and path.name != "api.md":  # mkdocstrings makes that page's anchors
            assert anchor in slugs(path), target


@pytest.mark.parametrize(
    "page", [page for page in PAGES if page.name != "history.md"], ids=lambda page: page.name
)
def test_files_and_names_of_the_project_exist(page):
    text = page.read_text()
    tops = "|".join([*OURS, "examples", "tests", "docs"])
    for path in re.findall(rf"`((?:{tops})/[\w./-]*)`", text):
        assert (ROOT / path).exists(), path
    for name in re.findall(rf"`((?:{'|'.join(OURS)})(?:\.\w+)+)(?:\(.*?\))?`", text):
        if not name.endswith((".py", ".md", ".npy", ".tflite", ".keras")):
            pkgutil.resolve_name(name)


# The site


def build(config, site):
    """mkdocs in a process of its own, strictly, as `make docs` runs it."""
    command = [sys.executable, "-m", "mkdocs", "build", "--strict"]
    return subprocess.run(
        [*command, "--config-file", str(config), "--site-dir", str(site)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )


def test_the_site_builds_strictly_and_fetches_nothing(tmp_path):
    done = build(ROOT / "mkdocs.yml", tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    for page in tmp_path.rglob("*.html"):
        fetched = re.findall(
            r'<(?:script|link|img)[^>]+(?:src|href)="(http[^"]+)"', page.read_text()
        )
        assert fetched == [], page.name


@pytest.fixture(scope="module")
def small_site(tmp_path_factory):
    """A folder with the real configuration, the packages' source and hardly a page."""
    folder = tmp_path_factory.mktemp("site")
    shutil.copytree(ROOT / "ssd", folder / "ssd", ignore=shutil.ignore_patterns("models"))
    (folder / "docs").mkdir()
    shutil.copy(ROOT / "docs" / "docstrings.py", folder / "docs")
    (folder / "docs" / "other.md").write_text("# Other\n")
    config = re.sub(r"^nav:\n(?:  .*\n)+", "", (ROOT / "mkdocs.yml").read_text(), flags=re.M)
    (folder / "mkdocs.yml").write_text(config)
    return folder


BROKEN = "[1](page.md) [2](#here) [3](other.md#there) [4][ssd.Name]"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[a](other.md) [b](other.md#other)\n\n::: ssd.config.Config", []),
        (BROKEN, ["page.md", "#here", "other.md#there", "ssd.Name"]),
        ("::: ssd.config.Name", ["ssd.config.Name"]),
        ('--8<-- "page.md"', ["page.md"]),
    ],
)
def test_what_is_broken_stops_the_build(text, said, small_site, tmp_path):
    (small_site / "docs" / "index.md").write_text(f"# Index\n\n{text}\n")
    done = build(small_site / "mkdocs.yml", tmp_path)
    assert (done.returncode == 0) == (not said), done.stderr
    assert all(each in done.stderr for each in said), done.stderr


def test_the_api_page_has_every_public_name():
    import anchors
    import distill
    import ssd

    shown = re.findall(r"^::: (\S+)$", (ROOT / "docs" / "api.md").read_text(), re.M)
    public = [
        f"{room.__name__}.{name}" for room in (ssd, anchors, distill) for name in room.__all__
    ]
    assert sorted(shown) == sorted(public)

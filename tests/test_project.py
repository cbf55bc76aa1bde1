"""What those who carry on rely on: one version in all places, and checks that are what they say."""

import pathlib
import re
import tomllib

import yaml

import ssd

ROOT = pathlib.Path(__file__).parent.parent


def read(name):
    return (ROOT / name).read_text()


def test_version_and_date_are_the_same_in_all_places():
    citation = yaml.safe_load(read("CITATION.cff"))
    assert citation["version"] == ssd.__version__
    top = re.search(r"^## (.+)$", read("CHANGELOG.md"), re.M)
    assert top
    assert top[1] in ("Unreleased", f"{ssd.__version__} ({citation['date-released']})")


def test_the_workflow_runs_every_python_and_backend_that_we_claim():
    project = tomllib.loads(read("pyproject.toml"))["project"]
    claimed = [
        line.rpartition(" ")[2]
        for line in project["classifiers"]
        if re.fullmatch(r"Programming Language :: Python :: 3\.\d+", line)
    ]
    jobs = yaml.safe_load(read(".github/workflows/ci.yml"))["jobs"]
    assert jobs["test"]["strategy"]["matrix"] == {
        "python": claimed,
        "backend": ["tensorflow", "jax"],
    }
    assert jobs["wheel"]["strategy"]["matrix"]["python"] == claimed


def test_the_workflow_calls_what_the_makefile_has():
    targets = set(re.findall(r"^([\w-]+):", read("Makefile"), re.M))
    jobs = yaml.safe_load(read(".github/workflows/ci.yml"))["jobs"].values()
    steps = {step["run"] for job in jobs for step in job["steps"] if "run" in step}
    assert steps == {
        *("make lint", "make docs", "make test-wheel", "make test-elsewhere"),
        "make test-${{ matrix.backend }}",
    }
    known = {"lint", "docs", "test-wheel", "test-elsewhere", "test-tensorflow", "test-jax"}
    assert known <= targets


def test_hooks_fetch_nothing():
    repositories = yaml.safe_load(read(".pre-commit-config.yaml"))["repos"]
    assert [each["repo"] for each in repositories] == ["local"]
    hooks = repositories[0]["hooks"]
    assert {hook["language"] for hook in hooks} == {"system", "fail"}
    (photos,) = (hook for hook in hooks if hook["language"] == "fail")
    wrong = re.compile(photos["files"])
    assert wrong.search("tests/me.JPG")
    assert not wrong.search("ssd/models/face.tflite")
    assert re.match(photos["exclude"], "docs/model.png")

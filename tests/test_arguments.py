"""Wrong arguments: one line, the word that was meant, and nothing heavy imported to say so."""

import argparse
import pathlib
import subprocess
import sys

import pytest

from distill.__main__ import COMMANDS as DISTILL_COMMANDS
from distill.__main__ import main as distill_main
from ssd import arguments
from ssd.__main__ import COMMANDS
from ssd.__main__ import main as ssd_main

ROOT = pathlib.Path(__file__).parent.parent
HEAVY = ("numpy", "tensorflow", "keras", "jax", "PIL", "imageio", "mtcnn", "matplotlib", "ray")
NAMES = [command.name for command in COMMANDS]

# Status, and a part of the one line; `here` and `file` are there, `nowhere` is not.
WRONG = [
    ("ssd", "", 2, "wanted a command: detect, train"),
    ("ssd", "trian labels run", 2, "unknown command trian; did you mean train?"),
    ("ssd", "xyzzy", 2, "unknown command xyzzy; ssd --help lists what there is"),
    ("ssd", "--verison", 2, "unknown option --verison; did you mean --version?"),
    ("ssd", "train --nonsense", 2, "ssd train: unknown option --nonsense; ssd train --help lists"),
    ("ssd", "train here run --epoch 3", 2, "unknown option --epoch; did you mean --epochs?"),
    ("ssd", "train here run --epoch=3", 2, "unknown option --epoch; did you mean --epochs?"),
    ("ssd", "train here", 2, "ssd train: the following arguments are required: out"),
    ("ssd", "train nowhere run", 1, "nowhere: wanted a folder of labels, there is no such folder"),
    ("ssd", "train file run", 1, "file: wanted a folder of labels, this is a file"),
    (
        "ssd",
        "train here run --epochs 0",
        2,
        "--epochs: wanted a whole number of 1 or more, got '0'",
    ),
    ("ssd", "train here run --epochs 1.5", 2, "wanted a whole number of 1 or more, got '1.5'"),
    ("ssd", "train here run --learning-rate nan", 2, "wanted a number of 0 or more, got 'nan'"),
    ("ssd", "train here run --balance-objects 2", 2, "wanted a number from 0 to 1, got '2'"),
    ("ssd", "train here run --config nowhere", 1, "nowhere: wanted a JSON file"),
    ("ssd", "train here run --config file", 1, "file: Config: wanted JSON"),
    ("ssd", "train here run --config bytes.json", 1, "bytes.json: 'utf-8' codec can't decode"),
    ("ssd", "shrink here out --config bytes.json", 1, "bytes.json: 'utf-8' codec can't decode"),
    ("ssd", "calibrate face here", 1, "wanted pairs of PHOTOS and TRUTH, got 1 words"),
    ("ssd", "calibrate file here file --out a.keras", 1, "--out: wanted a .keras model"),
    ("ssd", "export smile out.tflite", 1, "int8 wants --calibration"),
    ("ssd", "skew nowhere here --model smile", 1, "nowhere: wanted a folder of labels"),
    ("ssd", "train here run --start nowhere", 1, "nowhere: wanted a .keras model file"),
    ("ssd", "train here run --patience 3", 1, "--patience: wanted --validation with it"),
    ("ssd", "train here run --freeze-normalization", 1, "wanted --start with it"),
    (
        "ssd",
        "train here run --start file --freeze-body 5 --epochs 3",
        1,
        "--freeze-body: wanted at most the 3 epochs of the run, got 5",
    ),
    (
        "ssd",
        "train here run --validation here --patience 31",
        1,
        "--patience: wanted at most the 30 epochs of the run, got 31",
    ),
    ("ssd", "evaluate nowhere here file", 1, "nowhere: wanted a"),
    ("ssd", "evaluate file nowhere file", 1, "nowhere: wanted a folder of photos"),
    ("ssd", "evaluate file here here", 1, "here: wanted a COCO JSON file, this is a folder"),
    ("ssd", "evaluate file here file --min-height -1", 2, "wanted a number from 0 to 1, got '-1'"),
    (
        "ssd",
        "evaluate file here file --report no/a.png",
        1,
        "wanted a file in a folder that exists",
    ),
    ("ssd", "evaluate file here file spare", 2, "one argument too many: 'spare'"),
    (
        "ssd",
        "evaluate file here --wider here --min-height 0.05 --json a",
        2,
        "--json, --min-height: wanted TRUTH, a protocol has its own rules",
    ),
    ("ssd", "evaluate file here --fddb here --map smile=face", 2, "--map: wanted TRUTH"),
    ("ssd", "export file out.tflite", 1, "int8 wants --calibration"),
    ("ssd", "export file o.onnx --calibration here", 1, "--calibration: wanted none for a file of"),
    (
        "ssd",
        "export file o.tflite --precision float16 --calibration here",
        1,
        "--calibration: wanted none for a file of float16",
    ),
    ("ssd", "train here out --crop-share 0.5", 1, "--crop-share: wanted --crops with it"),
    ("ssd", "train here out --crops here --crop-share 1", 1, "wanted a number over 0 and below 1"),
    ("ssd", "export file o.onnx --precision int8", 1, "wanted float32 for an ONNX file, got int8"),
    ("ssd", "export file o --format pb", 2, "--format: invalid choice: 'pb'"),
    ("ssd", "export file here", 1, "here: wanted a file to write, this is a folder"),
    ("ssd", "export file o --precision int4", 2, "--precision: invalid choice: 'int4'"),
    ("ssd", "import pascal file here out", 2, "invalid choice: 'pascal'"),
    ("ssd", "import coco file nowhere out", 1, "nowhere: wanted a folder of photos"),
    ("ssd", "coco nowhere a.json", 1, "nowhere: wanted a folder of labels"),
    ("ssd", "detect --treshold 0.5 a.jpg", 2, "did you mean --score-threshold?"),
    ("ssd", "detect a.jpg --score-threshold high", 2, "wanted a number from 0 to 1, got 'high'"),
    ("ssd", "detect a.jpg --threads 0", 2, "--threads: wanted a whole number of 1 or more"),
    ("ssd", "detect a.jpg --model nowhere", 1, "nowhere: wanted a"),
    ("ssd", "detect here/a.jpg --out here", 1, "here: wanted a folder without the photos"),
    ("ssd", "detect a.jpg --out file", 1, "file: wanted a folder for the pictures, this is a file"),
    ("ssd", "skew nowhere here", 1, "nowhere: wanted a folder of labels"),
    ("ssd", "skew here nowhere", 1, "nowhere: wanted a folder of a CaptureLog"),
    ("distill", "", 2, "wanted PHOTOS and OUT, or --review OUT"),
    ("distill", "--reveiw here", 2, "unknown option --reveiw; did you mean --review?"),
    ("distill", "nowhere out", 1, "nowhere: wanted a folder of photos, there is no such folder"),
    ("distill", "here nowhere out", 1, "nowhere: wanted a folder of photos, there is no such"),
    ("distill", "here file out", 1, "file: wanted a folder of photos, this is a file"),
    ("distill", "here", 2, "wanted PHOTOS and OUT, or --review OUT"),
    ("distill", "here out --review here", 2, "wanted PHOTOS and OUT, or --review OUT"),
    ("distill", "here out --marks file", 2, "wanted PHOTOS and OUT, or --review OUT"),
    ("distill", "here out --min-face 3", 2, "--min-face: wanted a whole number of 12 or more"),
    ("distill", "here out --label 3", 2, "--label: wanted a number from 0 to 1, got '3'"),
    ("distill", "here out --ignore 0.99", 1, "ignore: wanted a score in (0, 0.95], got 0.99"),
    ("distill", "here out --teacher nothing", 1, "or package.module:function, got"),
    ("distill", "here out --teacher nowhere.tflite", 1, "nowhere.tflite: wanted a model file to"),
    ("distill", "here out --keep mtcnn", 2, "--keep, --geometry: wanted two or more --teacher"),
    ("distill", "here out --teacher a --teacher b --label 0.5", 2, "wanted one --teacher with it"),
    ("distill", "here out --teacher a --geometry a", 2, "wanted two or more --teacher with it"),
    ("distill", "here out --address a:1", 2, "--address: wanted --engine ray with it"),
    ("distill", "--review nowhere", 1, "nowhere: wanted a folder of labels"),
    ("distill", "combine", 2, "distill combine: the following arguments are required: FOLDER, OUT"),
    ("distill", "combine here out", 2, "distill combine: wanted two or more folders of labels"),
    ("distill", "combine here nowhere out", 1, "nowhere: wanted a folder of labels"),
    ("distill", "combine here ./here out --kep here", 2, "--kep; did you mean --keep?"),
    ("distill", "combine here file out", 1, "file: wanted a folder of labels, this is a file"),
    ("distill", "combine here . out --iou-threshold 2", 2, "wanted a number from 0 to 1, got '2'"),
    ("distill", "combine here . out --trusted-score 0", 1, "trusted_score: wanted a number in (0,"),
    ("distill", "join here file out", 2, "the following arguments are required: --classes"),
    ("distill", "join nowhere file out --classes a", 1, "nowhere: wanted a folder of labels"),
    ("distill", "join here nowhere out --classes a", 1, "nowhere: wanted a file of ratings"),
    ("distill", "./combine out", 1, "combine: wanted a folder of photos, there is no such folder"),
]
RIGHT = [
    ("ssd", "--version"),
    ("ssd", "--help"),
    *(("ssd", f"{name} --help") for name in NAMES),
    ("distill", "--version"),
    ("distill", "--help"),
    *(("distill", f"{name} --help") for name in DISTILL_COMMANDS),
]


@pytest.fixture
def here(tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    (tmp_path / "file").write_text("")
    (tmp_path / "bytes.json").write_bytes(b"\xff\xfe")
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(("package", "words", "status", "said"), WRONG)
def test_wrong_arguments_are_one_line(package, words, status, said, here, capsys):
    main = {"ssd": ssd_main, "distill": distill_main}[package]
    assert main(words.split()) == status
    out, err = capsys.readouterr()
    assert out == ""
    assert said in err
    assert err.startswith(package)
    assert err.count("\n") == 1
    assert not pathlib.Path("run").exists()
    assert not pathlib.Path("out").exists()


def test_nothing_heavy_is_imported_to_help_or_to_refuse(here):
    """All of the lines in one process: what one of them imported would be seen after it."""
    script = """
import contextlib, importlib, io, sys
heavy, lines = eval(sys.argv[1])
for package, words in lines:
    main = importlib.import_module(f"{package}.__main__").main
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        main(words.split())
    found = [name for name in heavy if name in sys.modules]
    assert not found, (package, words, found)
"""
    lines = [*RIGHT, *((package, words) for package, words, _, _ in WRONG)]
    done = subprocess.run(
        [sys.executable, "-c", script, repr((HEAVY, lines))],
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-800:]


@pytest.mark.parametrize(("package", "words"), RIGHT)
def test_help_and_version_are_there(package, words, capsys):
    main = {"ssd": ssd_main, "distill": distill_main}[package]
    assert main(words.split()) == 0
    out, err = capsys.readouterr()
    assert err == ""
    wanted = "ssd-faces " if "--version" in words else f"usage: {package}"
    assert out.startswith(wanted)


def test_every_command_is_helped_with():
    assert sorted(NAMES) == sorted(
        [
            *("calibrate", "coco", "compare", "csv", "detect", "evaluate"),
            *("export", "import", "shrink", "skew", "split", "train", "yolo"),
        ]
    )


@pytest.mark.parametrize("package", ["ssd", "distill"])
def test_a_command_is_named_as_it_was_called(package):
    command = [sys.executable, "-m", package, "--nonsense"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith(f"python -m {package}: unknown option --nonsense")


def test_what_follows_two_dashes_is_no_option(capsys):
    parser = arguments.Parser(prog="show")
    parser.add_argument("names", nargs="+")
    parser.add_argument("--size", type=arguments.number(-5, 5))
    parsed = parser.parse_args(["--size", "-2", "-1", "-", "--", "--name"])
    assert (parsed.size, parsed.names) == (-2.0, ["-1", "-", "--name"])


def test_a_name_that_is_mapped_to_two_classes_is_refused():
    assert arguments.mapping("a=face,b=face,a=face") == {"a": "face", "b": "face"}
    with pytest.raises(argparse.ArgumentTypeError, match="wanted one class for a, got face and ig"):
        arguments.mapping("a=face,a=ignore")

"""What a process really writes to its standard output and error, down to the file descriptors."""

import os
import pathlib
import re
import subprocess
import sys

import matplotlib.cbook
import pytest

from ssd import quiet

ROOT = pathlib.Path(__file__).parent.parent
PORTRAIT = matplotlib.cbook.get_sample_data("grace_hopper.jpg", asfileobj=False)
# Nothing in the environment asks for silence.
PLAIN = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}


def run(*command, cwd=ROOT, **environment):
    return subprocess.run(
        [sys.executable, *command],
        cwd=cwd,
        env={**PLAIN, **environment},
        capture_output=True,
        text=True,
    )


def test_detect_prints_its_own_lines_and_nothing_else():
    done = run("-m", "ssd", "detect", PORTRAIT)
    assert done.returncode == 0
    assert done.stderr == ""
    assert str(PORTRAIT) in done.stdout.splitlines()[0]


@pytest.mark.parametrize("name", ["ü.jpg", os.fsdecode(b"\xff.jpg")])
def test_a_name_that_the_output_cannot_show_is_escaped(name, tmp_path):
    (tmp_path / name).symlink_to(PORTRAIT)
    done = run("-m", "ssd", "detect", name, PORTRAIT, cwd=tmp_path, PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (0, "")
    escaped = name.encode("ascii", "backslashreplace").decode()
    assert [line.partition(":")[0] for line in done.stdout.splitlines()] == [
        *(escaped, str(PORTRAIT), "2 photos"),
    ]


def test_a_reader_that_goes_away_ends_the_command_without_a_word():
    """As in `ssd detect photos/* | head -1`."""
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "ssd", "detect", PORTRAIT]
    done = subprocess.run(command, cwd=ROOT, env=PLAIN, stdout=writing, stderr=subprocess.PIPE)
    os.close(writing)
    assert (done.returncode, done.stderr) == (1, b"")


SEVERAL = """
import threading, numpy as np, ssd
photo = np.zeros((64, 64, 3), np.uint8)
detector = ssd.Detector()
threads = [threading.Thread(target=detector, args=(photo,)) for _ in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""


def test_a_detector_in_threads_is_silent_unless_asked():
    assert run("-c", SEVERAL).stderr == ""
    assert "XNNPACK" in run("-c", SEVERAL, SSD_VERBOSE="1").stderr


def test_the_script_of_the_readme_is_silent(disc_labels, tmp_path):
    """Its blocks as one program, in a process of their own; it trains for one pass."""
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.S)
    once = (
        "import ssd\nfit = ssd.SSD.fit\n"
        "ssd.SSD.fit = lambda self, data, **options: fit(self, data, **options | {'epochs': 1})\n"
    )
    (tmp_path / "script.py").write_text(once + "\n".join(blocks))
    (tmp_path / "labels").symlink_to(disc_labels)
    (tmp_path / "photo.jpg").symlink_to(PORTRAIT)
    done = run("script.py", cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-800:]
    assert done.stderr == ""


def test_what_others_say_meanwhile_is_kept(capfd):
    with quiet.without_greeting():
        os.write(2, b"INFO: Created TensorFlow Lite XNNPACK delegate for CPU.\n")
        os.write(2, b"a thread of the user's\n")
    assert capfd.readouterr().err == "a thread of the user's\n"


def test_an_error_leaves_standard_error_as_it_was(capfd):
    with pytest.raises(ValueError, match="invalid literal"), quiet.quietly():
        int(str(os.write(2, b"dropped\n")) + "?")
    print("shown", file=sys.stderr)
    assert capfd.readouterr().err == "shown\n"


def test_verbose_lets_everything_through(capfd, monkeypatch):
    monkeypatch.setenv("SSD_VERBOSE", "1")
    with quiet.quietly():
        os.write(2, b"shown\n")
    assert capfd.readouterr().err == "shown\n"


def test_a_process_without_standard_error_can_open_a_model():
    """As a service may run, with the descriptor closed."""
    script = "import os, sys; os.close(2); sys.stderr = None; import ssd; ssd.Detector(); print(1)"
    assert run("-c", script).stdout == "1\n"

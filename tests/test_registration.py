"""After `import ssd` Keras opens this project's files by itself, in a new process."""

import os
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parent.parent
MODEL = ROOT / "ssd" / "models" / "face.keras"
SCRIPT = """
import sys
for name in sys.argv[1].split():
    __import__(name)
    if name == "ssd":
        assert "ssd.nets" not in sys.modules
import keras, ssd
model = keras.saving.load_model(sys.argv[2])
assert type(model) is ssd.SSD, type(model)
print(keras.backend.backend(), len(model.config.classes))
"""


@pytest.mark.parametrize("order", ["ssd keras", "keras ssd"])
@pytest.mark.parametrize("backend", ["tensorflow", "jax"])
def test_keras_opens_a_file_in_a_new_process(backend, order):
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, order, MODEL],
        env={**os.environ, "KERAS_BACKEND": backend, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-800:]
    assert done.stdout.split() == [backend, "1"]


def test_an_import_of_keras_that_fails_is_no_end():
    """A backend that is missing, then one that is there: still registered."""
    script = """
import os, sys, ssd
os.environ["KERAS_BACKEND"] = "none"
try:
    import keras
except Exception:
    os.environ["KERAS_BACKEND"] = "numpy"
for name in [name for name in sys.modules if name.partition(".")[0] == "keras"]:
    del sys.modules[name]
import keras
assert "ssd>SSD" in keras.saving.get_custom_objects()
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-800:]

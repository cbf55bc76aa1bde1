"""The models that ship with the package."""

import pathlib

SHIPPED = pathlib.Path(__file__).parent / "models" / "face.tflite"
NAMES = ("face", "smile")  # by which they are opened

"""The whole road once: photos in, labels by a teacher, a student trained, exported, compared.

    python examples/demo.py OUT [--photos FOLDER] [--epochs N]

Stopped at any point, the same command goes on where it was. Without `--photos` the photos are
composed by `compose.py`. With it, one photo in six is held back for the comparison, and none of
your photos is changed.
"""

import argparse
import pathlib
import shutil
import subprocess
import sys
import time

import numpy as np
from matplotlib.figure import Figure
from tqdm import tqdm

import ssd
from distill.teacher import load_teacher
from ssd.photo import read_photo

COMPOSED, COMPOSED_HELD_BACK = 600, 120
SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif"}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("out", type=pathlib.Path, help="folder for everything made")
    parser.add_argument("--photos", type=pathlib.Path, help="your photos (default: composed)")
    parser.add_argument("--epochs", type=int, help="passes over the photos")
    options = parser.parse_args()
    out = options.out

    step("1. Photos")
    seen, held_back = out / "photos", out / "held_back"
    if options.photos:
        split(options.photos, seen, held_back)
    else:
        from compose import write_photos

        write_photos(seen, COMPOSED, seed=1)
        write_photos(held_back, COMPOSED_HELD_BACK, seed=2)

"""What an example was asked for: refused where it makes no sense, and noted, so that a folder of
results is of one question.
"""

import argparse
import functools
import hashlib
import json
import pathlib
import sys


def existing(text):
    """A type of argument: the path of a file or folder that is there."""
    path = pathlib.Path(text)
    if not path.exists():
        raise argparse.ArgumentTypeError(f"{text}: wanted a file or folder, there is none")
    return path


def count(text):
    """A type of argument: a whole number of 1 or more."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"wanted a whole number of 1 or more, got {text!r}")
    return int(text)


def different(parser, option, names):
    """Refuse what would be kept under one name."""
    names = sorted(names)
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        parser.error(f"{option}: wanted files of different names, got several {', '.join(twice)}")


def claim(out, **asked):
    """Note what is asked for in OUT/asked.json, or end the program if it was something else.

    Args:
        out: Folder of results.
        asked: By name, what decides them, as JSON has it. Paths, and lists of them, stand for what
            is in them.
    """
    once = functools.cache(lambda path: content(path, out))
    asked = json.loads(json.dumps(asked, default=once))
    note = out / "asked.json"
    if note.exists():
        before = json.loads(note.read_text())
        for name, value in asked.items():
            if before.get(name) != value:
                sys.exit(
                    f"{out}: wanted {name} {value}, but its results are of {before.get(name)}; "
                    "name another folder"
                )
    write(note, json.dumps(asked, indent=2) + "\n")


def write(path, text):
    """A file that is there whole or not at all."""
    partial = path.with_suffix(".part")
    partial.write_text(text)
    partial.replace(path)


def content(path, but):
    """Name and digest of a file, or of the files in a folder, without those in the folder `but`."""
    path, but = path.resolve(), but.resolve()
    files = [path]
    if path.is_dir():
        inside = (each for each in path.rglob("*") if each.is_file() and each.name[0] != ".")
        files = sorted(each for each in inside if but not in each.parents)
    digest = hashlib.sha256()
    for file in files:
        digest.update(ascii(str(file.relative_to(path))).encode())
        with open(file, "rb") as opened:
            digest.update(hashlib.file_digest(opened, "sha256").digest())
    return f"{path.name} ({digest.hexdigest()[:16]})"

"""Model files of strangers: damaged at random, and made to do harm. `pytest -m slow -s` counts.

A child process opens one after the other and says how it ended: opened, or refused by an OSError or
ValueError of one line. A traceback, a crash and a hang end the child, and with it the test.
"""

import collections
import io
import json
import pathlib
import random
import struct
import subprocess
import sys
import zipfile

import lamps
import numpy as np
import pytest

import ssd

pytestmark = pytest.mark.slow

SHIPPED = pathlib.Path(ssd.__file__).parent / "models"
BOMBS = (10**6, 10**7, 4 * 10**8)  # bytes, all 0, that a member unpacks to
MEGABYTES = 300  # that the process may grow by, over what it had before the first file

CHILD = """
import pathlib, signal, sys
import numpy as np
import ssd
def memory():
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmHWM")) / 1024
photo = np.zeros((64, 96, 3), np.uint8)
def detect(path):
    ssd.Detector(path)(photo)
opens = {"tflite": detect, "keras": ssd.load}[sys.argv[1]]
opens(sys.argv[2])  # a whole one, so that all that is imported is there before
before = memory()
for line in sys.stdin:
    path = line.strip()
    signal.alarm(120)  # a hang is an end
    try:
        opens(path)
        said = "opened"
    except (OSError, ValueError) as error:
        said = str(error)
    signal.alarm(0)
    assert "\\n" not in said, said
    print(f"{memory() - before:.0f} {said}", flush=True)
"""


def open_all(kind, good, paths):
    """How each file ended, as (megabytes grown so far, what was said)."""
    child = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", CHILD, kind, str(good)],
        input="".join(f"{path}\n" for path in paths),
        capture_output=True,
        text=True,
    )
    lines = [line.split(" ", 1) for line in child.stdout.splitlines()]
    place = paths[len(lines)].name if len(lines) < len(paths) else "none"
    assert child.returncode == 0, f"{child.returncode} at {place}: {child.stderr[-2000:]}"
    assert len(lines) == len(paths)
    return [(float(grown), said) for grown, said in lines]


def report(name, ends):
    """Print counts, and hold the memory."""
    said = collections.Counter("opened" if text == "opened" else "refused" for _, text in ends)
    most = max(grown for grown, _ in ends)
    print(f"{name}: {len(ends)} files, {dict(said)}, memory grew by {most:.0f} MB")
    assert most < MEGABYTES


def damage(content, draw):
    """A file with something wrong: cut, bytes changed, a piece moved, zeroed or doubled."""
    content = bytearray(content)
    start = draw.randrange(len(content))
    length = draw.randrange(1, max(2, min(4096, len(content) - start)))
    match draw.randrange(6):
        case 0:
            del content[start:]
        case 1:
            for _ in range(draw.choice([1, 3, 30, 300])):
                content[draw.randrange(len(content))] = draw.randrange(256)
        case 2:
            content[start : start + length] = bytes(length)
        case 3:
            del content[start : start + length]
        case 4:
            content[start:start] = content[start : start + length]
        case 5:  # a number, where there may be one: a size, an offset, a count
            number = draw.choice([0, 0xFFFFFFFF, 0x7FFFFFFF, draw.randrange(2**32)])
            struct.pack_into("<I", content, min(start, len(content) - 4), number)
    return bytes(content)


@pytest.mark.parametrize(("kind", "count"), [("tflite", 300), ("keras", 100)])
def test_damaged_files(kind, count, tmp_path):
    good = SHIPPED / f"face.{kind}"
    draw = random.Random(0)
    paths = []
    for index in range(count):
        content = good.read_bytes()
        if index % 3 == 0:  # the part that says what the rest is: the archive, or its directory
            head, tail = content[:-2000], content[-2000:]
            content = head + damage(tail, draw)
        else:
            content = damage(content, draw)
        paths.append(tmp_path / f"{index:03d}.{kind}")
        paths[-1].write_bytes(content)
    report(f"damaged .{kind}", open_all(kind, good, paths))


def npy(shape, data=b"", dtype="<f4", version=b"\1\0"):
    header = repr({"descr": dtype, "fortran_order": False, "shape": shape}).encode()
    header += b" " * (-(len(header) + 11) % 64) + b"\n"
    return b"\x93NUMPY" + version + struct.pack("<H", len(header)) + header + data


def crafted_members(draw):
    """Contents of model.json and anchors.npy that lie, or hold what no model has."""
    config = json.loads(lamps.config().to_json())
    about = {"config": config, "variances": list(lamps.VARIANCES), "precision": "float32"}
    anchors = io.BytesIO()
    np.save(anchors, lamps.cells())
    anchors = anchors.getvalue()
    wrong = draw.choice(
        [None, [], {}, "x", -1, 1e308, 10**400, [[]], {"a": 1}, True, "9" * 9999, [1e39] * 4]
    )
    match draw.randrange(12):
        case 0:
            about[draw.choice(list(about))] = wrong
        case 1:
            about["config"][draw.choice(list(config))] = wrong
        case 2:
            about = wrong
        case 3:
            return b"[" * draw.choice([10, 10**5, 10**6]), anchors
        case 4:
            return json.dumps(about).encode("utf-16"), anchors
        case 5:
            return json.dumps(about).encode(), npy((10 ** draw.randrange(1, 19), 4))
        case 6:
            return json.dumps(about).encode(), npy((96, 4), bytes(16 * 96)[: draw.randrange(1600)])
        case 7:
            rows = lamps.cells()
            rows[draw.randrange(96), draw.randrange(4)] = draw.choice([np.nan, np.inf, 1e38])
            return json.dumps(about).encode(), npy((96, 4), rows.tobytes())
        case 8:
            dtype = draw.choice(["|O", "<U9", "<c8", "|V16", "<f8", "<i4", "|b1", "<M8[s]"])
            return json.dumps(about).encode(), npy((96, 4), bytes(6144), dtype)
        case 9:
            return json.dumps(about).encode(), npy((96, 4), anchors[-1536:], version=b"\2\0")
        case 10:
            return bytes(draw.choice(BOMBS)), anchors
        case 11:
            return json.dumps(about).encode(), bytes(draw.choice(BOMBS))
    return json.dumps(about).encode(), anchors


def crafted_archive(draw, members):
    """A ZIP archive of these members, packed in any way, and perhaps lying about their sizes."""
    file = io.BytesIO()
    method = draw.choice(
        [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]
    )
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in members.items():
            # Packing the largest otherwise takes longer than all the rest.
            packed = zipfile.ZIP_DEFLATED if len(content) > 10**7 else method
            archive.writestr(name, content, packed)
            if draw.random() < 0.3:  # the directory that is written last is what is believed
                archive.filelist[-1].file_size = draw.choice([0, 10, 10**6, 2**31])
            if draw.random() < 0.1:
                archive.filelist[-1].compress_size = draw.choice([0, 10, 10**6, 2**31])
        if draw.random() < 0.1:
            for index in range(20_000):
                archive.writestr(f"{index}", b"")
    return file.getvalue()


def test_crafted_archives(tmp_path):
    draw = random.Random(1)
    good = lamps.write_model(tmp_path / "good.tflite")
    whole = good.read_bytes()
    flatbuffer = whole[: whole.index(b"PK\3\4")]
    paths = []
    for index in range(150):
        about, anchors = crafted_members(draw)
        archive = crafted_archive(draw, {"model.json": about, "anchors.npy": anchors})
        paths.append(tmp_path / f"{index:03d}.tflite")
        paths[-1].write_bytes(flatbuffer + archive)
    report("crafted .tflite", open_all("tflite", good, paths))


def crafted_weights(draw):
    """An HDF5 file that is not what it says, from a few bytes."""
    import h5py

    file = io.BytesIO()
    with h5py.File(file, "w") as weights:
        group = weights.create_group("layers/conv1/vars")
        match draw.randrange(5):
            case 0:
                group.create_dataset(
                    "0", (10**9,), "f4", chunks=(10**6,), compression="gzip", fillvalue=1
                )
            case 1:
                group["0"] = h5py.ExternalLink("/etc/passwd", "/")
            case 2:
                group["0"] = h5py.SoftLink("/layers")
            case 3:
                group.create_dataset("0", (4,), "f4", external=[("/etc/passwd", 0, 16)])
            case 4:
                group.create_dataset("0", data=np.zeros(10, np.float32))
    return file.getvalue()


def test_crafted_keras_files(tmp_path):
    draw = random.Random(2)
    good = SHIPPED / "face.keras"
    with zipfile.ZipFile(good) as archive:
        real = {name: archive.read(name) for name in archive.namelist()}
    about = json.loads(real["config.json"])
    config = about["config"]["config"]
    paths = []
    for index in range(50):
        members, changed = dict(real), json.loads(real["config.json"])
        match index % 8:
            case 0:
                changed["config"]["config"] |= {"width_multiplier": 4.0}
            case 1:
                changed["config"]["config"] |= {"anchor_sizes": [[8.0] * 10**4] * 3}
            case 2:
                changed["config"]["config"] |= {"image_size": [32 * 10**6] * 2}
            case 3:
                changed |= {
                    "module": "keras.layers",
                    "class_name": "Dense",
                    "registered_name": None,
                    "config": {"units": 10**9},
                    "build_config": {"input_shape": [1, 10**9]},
                }
            case 4:
                changed["compile_config"] = {
                    "optimizer": {"module": "os", "class_name": "system", "config": {}},
                }
            case 5:
                members["model.weights.h5"] = crafted_weights(draw)
            case 6:
                members["model.weights.h5"] = bytes(draw.choice(BOMBS))
            case 7:
                wrong = draw.choice([None, [], {}, "x", -1, 1e308, 10**400])
                changed["config"]["config"][draw.choice(list(config))] = wrong
        members["config.json"] = json.dumps(changed).encode()
        paths.append(tmp_path / f"{index:03d}.keras")
        paths[-1].write_bytes(crafted_archive(draw, members))
    report("crafted .keras", open_all("keras", good, paths))

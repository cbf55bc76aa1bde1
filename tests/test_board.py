"""What a board has and no more: the detector there answers as here, in the space it may take.

Two boards are environments of this machine, with another runtime each. The third is a Debian for
arm64 that qemu-user plays, where `SSD_ARM64` names a folder to build it in (`make test-arm64`
does). Speed there means nothing, since every instruction is translated.
"""

import contextlib
import importlib.metadata
import json
import os
import pathlib
import shutil
import subprocess
import sys

import numpy as np
import pytest

import ssd

pytestmark = pytest.mark.slow

ROOT = pathlib.Path(__file__).parent.parent
# On Python 3.13 the smallest runtime there is takes 28 MB instead of 12.
LITERT = "ai-edge-litert~=1.2.0" if sys.version_info < (3, 13) else "ai-edge-litert==2.1.0"
PACKAGES = {
    "litert": ("numpy", "pillow", LITERT),
    "tflite": ("numpy<2", "pillow", "tflite-runtime"),
}
FOR_TESTS = ("pytest", "hypothesis", "gpiozero", "imageio")
# Its Python is 3.11.
DEBIAN, MIRROR = "bookworm", "http://deb.debian.org/debian"
WHEELS_FOR = ("manylinux_2_17_aarch64", "manylinux_2_27_aarch64", "manylinux_2_28_aarch64")

DETECT = """
import json, sys
import numpy as np
import ssd
assert not {"keras", "tensorflow", "anchors", "matplotlib"} & set(sys.modules)
detector = ssd.Detector(sys.argv[1], portable=sys.argv[3] == "portable")
found = [detector(photo, score_threshold=0.4) for photo in np.load(sys.argv[2])]
print(json.dumps([[values.tolist() for values in each] for each in found]))
"""

# A root of its own, in a namespace of its own: what is mounted goes when the command ends.
INSIDE = """
set -e
root=$1; shared=$2; shift 2
mount -t proc proc "$root/proc"
for each in $shared; do mkdir -p "$root$each"; mount --bind "$each" "$root$each"; done
exec chroot "$root" "$@"
"""


def run(command, **options):
    done = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, **options
    )
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout


@pytest.fixture(scope="module", params=["litert", "tflite", "arm64"])
def board(request, tmp_path_factory):
    """The command that starts Python where this project and a board's packages are, alone."""
    if request.param == "arm64":
        return arm64(tmp_path_factory.getbasetemp())
    if request.param == "tflite" and sys.version_info >= (3, 12):
        pytest.skip("the last tflite-runtime is for Python 3.11")
    folder = tmp_path_factory.mktemp(request.param)
    run([sys.executable, "-m", "venv", "--without-pip", folder])
    python = folder / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", python, "--quiet"]
    run([*pip, "install", "--disable-pip-version-check", *PACKAGES[request.param]])
    run([*pip, "install", "--disable-pip-version-check", "--no-deps", ROOT])
    return [python]


def arm64(shared):
    """The same in a Debian for arm64, which is made unless it is there."""
    if "SSD_ARM64" not in os.environ:
        pytest.skip("SSD_ARM64 names no folder for a Debian arm64 root; make test-arm64 does")
    if os.geteuid() != 0:
        pytest.skip("only root may make a Debian root")
    if not plays_arm64():
        pytest.skip("the kernel runs no arm64 programs: wanted qemu-user-static and binfmt_misc")
    if not shutil.which("debootstrap"):
        pytest.skip("wanted debootstrap")
    root = pathlib.Path(os.environ["SSD_ARM64"])
    system = root.with_name(f"{root.name}.partial")
    if not root.exists():
        shutil.rmtree(system, ignore_errors=True)
        wanted = ["--arch=arm64", "--variant=minbase", "--include=python3,python3-venv,python3-pip"]
        run(["debootstrap", *wanted, DEBIAN, system, MIRROR])
        system.rename(root)

    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    wheels = shared / "wheels"
    run([*pip, "wheel", "--no-deps", "--wheel-dir", wheels, ROOT])
    platforms = [part for name in WHEELS_FOR for part in ("--platform", name)]
    for_debian = ["--only-binary=:all:", "--python-version", "3.11", *platforms]
    (wheel,) = wheels.glob("*.whl")
    for wanted in ([*requirements(wheel)], FOR_TESTS):
        run([*pip, "download", *for_debian, "--dest", wheels, *wanted])

    enter = ["unshare", "--mount", "sh", "-c", INSIDE, "sh", root, f"{shared} {ROOT}"]
    shutil.rmtree(root / "opt" / "ssd", ignore_errors=True)
    run([*enter, "python3", "-m", "venv", "--without-pip", "/opt/ssd"], env=BARE)
    python = "/opt/ssd/bin/python"
    # What the wheel asks for on this processor is read there, from its own markers.
    offline = ["--no-index", "--find-links", wheels, wheel, *FOR_TESTS]
    run([*enter, "python3", "-m", "pip", "--python", python, "install", *offline], env=BARE)
    return [*enter, python]


def plays_arm64():
    """Whether the kernel hands arm64 programs to qemu-user; asks it to where it does not yet."""
    folder = pathlib.Path("/proc/sys/fs/binfmt_misc")
    if not (folder / "register").exists():  # a container has the folder, but nothing in it
        subprocess.run(["mount", "-t", "binfmt_misc", "binfmt_misc", folder], capture_output=True)
    qemu = shutil.which("qemu-aarch64-static")
    if not (folder / "qemu-aarch64").exists() and qemu and (folder / "register").exists():
        # An ELF file of 64 bits, for machine 183. Flag F opens qemu now, outside the root.
        magic = r"\x7fELF\x02\x01\x01" + r"\x00" * 9 + r"\x02\x00\xb7\x00"
        mask = r"\xff" * 7 + r"\x00" + r"\xff" * 8 + r"\xfe" + r"\xff" * 3
        with contextlib.suppress(OSError):
            (folder / "register").write_text(f":qemu-aarch64:M::{magic}:{mask}:{qemu}:F\n")
    entry = folder / "qemu-aarch64"
    return entry.exists() and entry.read_text().startswith("enabled")


# Nothing of this machine's environment reaches the board.
BARE = {
    "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
    "LANG": "C.UTF-8",
    "PYTHONDONTWRITEBYTECODE": "1",
}


def requirements(wheel):
    """What the wheel asks for on a 64-bit ARM Linux board with Debian's Python."""
    from packaging.requirements import Requirement

    board = {
        "platform_system": "Linux",
        "platform_machine": "aarch64",
        "python_version": "3.11",
        "extra": "",
    }
    (metadata,) = importlib.metadata.distributions(path=[str(wheel)])
    for line in metadata.requires:
        requirement = Requirement(line)
        if requirement.marker is None or requirement.marker.evaluate(board):
            yield f"{requirement.name}{requirement.specifier}"


@pytest.fixture(scope="module")
def trained(disc_labels, tiny, tmp_path_factory):
    """A small model that finds what it is shown, in both precisions, and photos to find it in."""
    from conftest import disc_photo

    folder = tmp_path_factory.mktemp("trained")
    model = ssd.train(disc_labels, folder / "run", tiny, epochs=60, batch_size=16, seed=0)
    calibration = ssd.dataset(disc_labels, tiny)
    paths = {
        precision: ssd.export(
            model, folder / f"{precision}.tflite", precision=precision, calibration=calibration
        )
        for precision in ("float32", "int8")
    }
    random = np.random.default_rng(5)
    np.save(folder / "photos.npy", np.stack([disc_photo(random)[0] for _ in range(40)]))
    return paths, folder / "photos.npy"


@pytest.fixture(scope="module")
def full_size(tmp_path_factory):
    """An untrained model of the default Config, int8: what it costs does not depend on training."""
    config = ssd.Config()
    random = np.random.default_rng(0)
    photos = random.integers(0, 256, (8, *config.image_size, 3), dtype=np.uint8)
    path = tmp_path_factory.mktemp("full") / "model.tflite"
    return ssd.export(ssd.SSD(config), path, precision="int8", calibration=photos)


@pytest.mark.parametrize(
    ("precision", "kernels"), [("float32", "usual"), ("int8", "usual"), ("int8", "portable")]
)
def test_finds_there_what_it_finds_here(board, trained, precision, kernels, capsys):
    paths, photos = trained
    there = json.loads(run([*board, "-c", DETECT, paths[precision], photos, kernels], env=BARE))
    detector = ssd.Detector(paths[precision], portable=kernels == "portable")
    here = [detector(photo, score_threshold=0.4) for photo in np.load(photos)]
    pairs = []
    for mine, lists in zip(here, there, strict=True):
        yours = ssd.Detections(*map(np.array, lists))
        pairs += [*nearest(mine, yours), *nearest(yours, mine)]
    pixels, scores = np.max(pairs, axis=0)
    near = np.mean([distance < 1 for distance, _ in pairs])
    with capsys.disabled():
        print(
            f" [{precision}, {kernels} kernels: {len(pairs)} boxes, {near:.1%} within a pixel, at "
            f"most {pixels:.3f} pixels and {scores:.4f} score apart]"
        )
    assert len(pairs) >= 40, "too little to compare"
    if kernels == "portable" and len(board) == 1:  # whatever the runtime, on one processor
        assert (pixels, scores) == (0, 0)
    # Each processor has int8 convolutions of its own, which round in their own way; where that
    # decides which of two boxes is the better, more moves than a rounding.
    assert near >= 0.95 if precision == "int8" else pixels < 1
    assert scores < (0.02 if precision == "float32" else 0.05)


def nearest(found, other):
    """For each sure box, how far in pixels and in score the nearest of the others' is."""
    for box, score, kind in zip(*found, strict=True):
        if score < 0.5:  # the others may just miss it
            continue
        yield min(
            (
                (abs(np.subtract(box, box2)).max(), abs(score - score2))
                for box2, score2, kind2 in zip(*other, strict=True)
                if kind2 == kind
            ),
            default=(np.inf, 1.0),
        )


def test_takes_little_room(board):
    sizes = json.loads(run([*board, "-c", SIZES], env=BARE))
    assert "numpy" in sizes
    assert "tensorflow" not in sizes
    # What is there for the tests alone does not count.
    for_tests = (*FOR_TESTS, "_pytest", "pygments", "pluggy", "colorzero")
    total = sum(size for name, size in sizes.items() if name not in ("numpy", *for_tests))
    assert total < (40 if sys.version_info < (3, 13) else 60), sizes


SIZES = """
import json, pathlib, sysconfig
site, sizes = pathlib.Path(sysconfig.get_path("purelib")), {}
for path in site.rglob("*"):
    if path.is_file() and path.suffix != ".pyc":
        name = path.relative_to(site).parts[0].split("-")[0].split(".")[0]
        sizes[name] = sizes.get(name, 0) + path.stat().st_size / 1e6
print(json.dumps(sizes))
"""


def test_starts_fast_and_small_and_measures_itself(board, full_size, tmp_path):
    out = tmp_path / "latency.json"
    command = [*board, "-m", "benchmarks.latency", full_size, "--runs", 20, "--threads", 1]
    table = run([*command, "--json", out], env=BARE)
    result = json.loads(out.read_text())
    cold = result["cold_start"]
    assert cold["peak_memory_mb"] is None or cold["peak_memory_mb"] < 120
    if len(board) == 1:
        assert cold["import_ssd"] < 0.1
        # Half a second on an idle machine; tests may run beside other work.
        assert cold["total"] < 1.5
    else:
        assert result["board"]["machine"] == "aarch64"
        assert "WARNING: This processor is emulated" in table


def test_the_detectors_own_tests_pass_there(board, tmp_path):
    if len(board) == 1:
        pytest.skip("they run here anyway")
    names = ("detector", "suppression", "resizing", "photo", "drawing", "smiling_bot")
    files = [ROOT / "tests" / f"test_{name}.py" for name in names]
    # The models they want are made by TensorFlow, which is not there.
    models = {**os.environ, "SSD_LAMPS": str(tmp_path)}
    run([sys.executable, "-m", "pytest", "-q", *files], cwd=ROOT, env=models)
    options = ["-q", "-p", "no:cacheprovider", "-p", "no:hypothesispytest"]
    print(run([*board, "-m", "pytest", *options, *files], env={**BARE, "SSD_LAMPS": str(tmp_path)}))

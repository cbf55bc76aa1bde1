"""Packaging: what `pip install .` brings, on a PC and on an ARM Linux board.

pip cannot see whether a machine has a GPU, but it can see its processor:

* On an ARM Linux board the base install is what `ssd.Detector` needs and no more.
* On a PC it is also what training and labelling need, with the TensorFlow wheel
  built for CPUs (274 MB, not 572). A GPU user adds `[cuda]`: the device side is
  `keras.ops`, so JAX brings CUDA and TensorFlow only feeds it, on the CPU.
* `[train]` asks for the training packages wherever the base leaves them out
  (an ARM server).
"""

from setuptools import find_packages, setup

BOARD = 'platform_system == "Linux" and platform_machine in "aarch64 armv7l armv6l"'
PC = 'platform_system != "Linux" or platform_machine not in "aarch64 armv7l armv6l"'
ARM32 = 'platform_system == "Linux" and platform_machine in "armv7l armv6l"'
ARM64 = 'platform_system == "Linux" and platform_machine == "aarch64"'

DETECT = [
    "numpy",
    "imageio>=2.28",  # brings Pillow, which decodes and resizes
    f"ai-edge-litert>=1.2; {PC}",
    # On a board the smallest: 6 MB, where later ones unpack to 25 to 302 (docs/pi.md).
    f'ai-edge-litert~=1.2.0; {ARM64} and python_version < "3.13"',
    f'ai-edge-litert==2.1.0; {ARM64} and python_version == "3.13"',
    f'ai-edge-litert>=2.1.6; {ARM64} and python_version > "3.13"',
    f"tflite-runtime; {ARM32}",
]
TRAIN = [
    "flatbuffers",
    "keras>=3.8",
    "mtcnn>=1.0.0",
    "matplotlib",
    "tqdm",
    # There is no tensorflow-cpu wheel for a Mac or for 64-bit ARM Linux.
    'tensorflow-cpu>=2.18; platform_machine in "x86_64 AMD64"',
    'tensorflow>=2.18; platform_machine not in "x86_64 AMD64"',
]


def where(requirements, marker):
    """The same requirements, each asked for only where `marker` is true."""
    for requirement in requirements:
        name, _, own = requirement.partition(";")
        yield f"{name}; ({own.strip()}) and ({marker})" if own else f"{name}; {marker}"


setup(
    name="ssd-faces",
    version="0.1.0",
    description="An SSD face detector that trains fast on your photos and runs on a Raspberry Pi",
    license="MIT",
    python_requires=">=3.10",
    packages=find_packages(include=["ssd", "ssd.*", "anchors", "distill", "benchmarks"]),
    package_data={"distill": ["page/*"], "ssd": ["models/*"]},
    entry_points={
        "console_scripts": ["ssd = ssd.__main__:main", "distill = distill.__main__:main"]
    },
    install_requires=DETECT + list(where(TRAIN, PC)),
    extras_require={
        "train": TRAIN,
        "jax": ["jax"],
        "cuda": ["jax[cuda12]"],
        "ray": ["ray>=2.40"],  # core alone, 240 MB unpacked: `python -m distill --engine ray`
        "demo": ["scikit-image", "scikit-learn"],
        "peers": ["keras-hub", "tf-models-official"],  # that benchmarks.matching compares with
        "dev": [
            "gpiozero",
            "hypothesis",
            "jax",
            "mkdocs-material",
            "mkdocstrings[python]",
            "packaging",
            "pycocotools",
            "pytest",
            "pytest-xdist",
            "ruff",
            "scikit-image",
            "scikit-learn",
            "setuptools>=68",
            "tensorboard",
        ],
    },
)

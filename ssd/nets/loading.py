"""`.keras` files, perhaps of strangers: what they claim is checked before Keras reads them."""

import io
import os
import zipfile
from collections.abc import Iterator
from typing import Any

import h5py
import keras

from ssd import model_files
from ssd.config import Config
from ssd.nets.backbones import find_backbone
from ssd.nets.layers import channels
from ssd.nets.model import SSD
from ssd.old_names import renamed

_WANTED = "a .keras model file"
_MEMBERS = {"metadata.json", "config.json", "model.weights.h5"}
_MAX_ANCHORS = 2**22  # of a photo of 8,000 pixels square
# Where what a model is compiled with comes from, unless it is registered with Keras already; a
# file may name any module, and Keras imports it.
_MODULES = ("builtins", "keras", "keras.losses", "keras.metrics", "keras.optimizers")


def load(path: str | os.PathLike) -> SSD:
    """The model that `model.save(path)` wrote, with its `config`, ready to go on training.

    Args:
        path: A `.keras` file.

    Returns:
        An `ssd.SSD`.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it holds no `ssd.SSD`, is damaged, or claims to be what it is not; or its
            backbone is a user's own, and not registered.

    Example:
        >>> import tempfile, ssd
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     ssd.SSD(ssd.Config(width_multiplier=0.05)).save(f"{folder}/model.keras")
        ...     ssd.load(f"{folder}/model.keras").config.width_multiplier
        0.05
    """
    path = model_files.check_file(path, _WANTED)
    try:
        with path.open("rb") as file, model_files.open_archive(file) as archive:
            name, home = _check(archive)
    except ValueError as error:
        raise ValueError(f"{path}: wanted {_WANTED} ({error})") from None
    try:
        find_backbone(name, home)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    try:
        model = keras.saving.load_model(path)
    except Exception as error:  # whatever a damaged file makes Keras raise
        reason = model_files.one_line(error)
        raise ValueError(f"{path}: wanted {_WANTED} ({reason})") from error
    return model


def _check(archive: zipfile.ZipFile) -> tuple[str, str | None]:
    """That an archive holds an `ssd.SSD`, of weights as many as its Config implies.

    Returns its backbone, and where that is defined.
    """
    other = sorted(set(archive.namelist()) - _MEMBERS)
    if other:
        raise ValueError(f"wanted {', '.join(sorted(_MEMBERS))} in it, got {other[0][:80]!r}")
    model_files.read_json(archive, "metadata.json")
    about = model_files.read_json(archive, "config.json")
    if about.get("registered_name") != "ssd>SSD":
        raise ValueError(f"it holds a {str(about.get('class_name'))[:80]}, no ssd.SSD")
    for module in _modules(about.get("compile_config")):
        if module not in _MODULES and not str(module).startswith("keras.optimizers."):
            raise ValueError(f"it is compiled with something of {str(module)[:80]}")
    config = _read_config(about)
    weights = model_files.read_member(archive, "model.weights.h5", limit=model_files.MAX_BYTES)
    numbers = _count_numbers(weights)
    if numbers < _least_numbers(config):
        raise ValueError(f"{numbers:,} weights are too few for its Config")
    return config.backbone, about["config"].get("backbone_home")


def _read_config(about: dict[str, Any]) -> Config:
    """The Config of a file's model."""
    try:
        config = Config.from_dict(renamed(about["config"])["config"])
    except (KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise ValueError(f"config.json: {model_files.one_line(error)}") from None
    cells = zip(config.feature_shapes, config.anchor_shapes, strict=True)
    anchors = sum(rows * columns * len(sizes) for (rows, columns), sizes in cells)
    if anchors > _MAX_ANCHORS:
        raise ValueError(f"config.json: wanted at most {_MAX_ANCHORS:,} anchors, got {anchors:,}")
    return config


def _modules(value: Any) -> Iterator[Any]:
    """The modules that Keras would import to make something again that it has written down."""
    if isinstance(value, dict):
        known = keras.saving.get_registered_object(str(value.get("registered_name")))
        if value.get("module") is not None and known is None:
            yield value["module"]
        for each in value.values():
            yield from _modules(each)
    elif isinstance(value, list):
        for each in value:
            yield from _modules(each)


def _count_numbers(content: bytes) -> int:
    """How many weights an HDF5 file holds, if they are all in it and as they are.

    A dataset may be compressed without end, lie in another file, or be said to.
    """
    sizes: list[int] = []

    def visit(name: str, link: Any) -> None:
        if not isinstance(link, h5py.HardLink):
            raise ValueError(f"model.weights.h5: wanted weights, got a link at {name[:80]!r}")
        found = file[name]
        if isinstance(found, h5py.Dataset):
            if found.external or found.is_virtual or found.nbytes > len(content):
                raise ValueError(f"model.weights.h5: {name[:80]!r} is not in the file as it is")
            sizes.append(found.size)

    try:
        with h5py.File(io.BytesIO(content), "r") as file:
            file.visititems_links(visit)
    except ValueError:
        raise
    except Exception as error:  # whatever a damaged file makes HDF5 raise
        raise ValueError(f"model.weights.h5: {model_files.one_line(error)}") from None
    if sum(sizes) > len(content):
        raise ValueError("model.weights.h5: more weights than bytes")
    return sum(sizes)


def _least_numbers(config: Config) -> int:
    """Weights of a model's heads and of the layers before them, whatever its backbone."""
    narrow, block, count = (channels(each, config.width_multiplier) for each in (128, 192, 256))
    anchors = sum(map(len, config.anchor_sizes))
    heads = anchors * (4 + 1 + len(config.classes)) * 9 * count
    maps = len(config.anchor_sizes) - config.levels[0]
    mixing = maps * narrow * (2 * count + 9 * narrow)
    return heads + mixing + config.fine_blocks * 2 * 9 * count * block

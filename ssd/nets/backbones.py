"""Backbones by name: images on [0, 1] to feature maps of stride 8, 16 and 32."""

import importlib
import pathlib
import re
import sys
from collections.abc import Callable
from typing import Any

from ssd.config import BACKBONES

Backbone = Callable[[Any, float], list[Any]]

_registered: dict[str, Backbone] = {}


def backbone(name: str) -> Callable[[Backbone], Backbone]:
    """Register a function as a backbone: from then on `Config(backbone=name)` means it.

    The function takes images, a Keras tensor [batch, height, width, 3] of values in [0, 1], and
    the `width_multiplier`; it returns three feature maps of stride 8, 16 and 32, finest first. It
    is called once for each model that is made. A model file holds its name and weights, not its
    code: whoever opens a `.keras` file registers it first. A `.tflite` file needs nothing.

    Args:
        name: A Python name that no backbone of this project has. Registered again, it means the
            later function, for models that are made from then on.

    Returns:
        A decorator, which returns the function as it is.

    Raises:
        ValueError: If the name is none, or is one of this project's.

    Example:
        >>> import keras, ssd
        >>> @ssd.backbone("three_steps")
        ... def three_steps(images, width_multiplier):
        ...     maps, count = [], round(32 * width_multiplier)
        ...     for stride in (8, 2, 2):
        ...         images = keras.layers.Conv2D(
        ...             count, stride + 1, stride, padding="same", activation="relu")(images)
        ...         maps.append(images)
        ...     return maps
        >>> model = ssd.SSD(ssd.Config(backbone="three_steps", image_size=(64, 64)))
        >>> tuple(model.output_shape)
        (None, 304, 6)
    """
    if not isinstance(name, str) or not name.isidentifier():
        raise ValueError(f"backbone: wanted a Python name such as 'mine', got {name!r}")
    if name in BACKBONES:
        raise ValueError(f"backbone: wanted another name than {', '.join(BACKBONES)}, got {name!r}")

    def register(function: Backbone) -> Backbone:
        _registered[name] = function
        return function

    return register


def find_backbone(name: str, home: str | None = None) -> Backbone:
    """The function of a name.

    Args:
        name: One of `ssd.config.BACKBONES`, or a registered one.
        home: Where it is defined, if a file says so, for the message.

    Returns:
        It.

    Raises:
        ValueError: If it is not registered; the message says what to import.

    Example:
        >>> find_backbone("alexnet").__name__
        'alexnet'
        >>> find_backbone("mine", home="my_nets")
        Traceback (most recent call last):
        ValueError: backbone 'mine' is not registered: import my_nets first
    """
    if name in BACKBONES:
        return getattr(importlib.import_module(f"ssd.nets.{name}"), name)
    if name in _registered:
        return _registered[name]
    # A file may be a stranger's: it is not believed to hold one word.
    if isinstance(home, str) and re.fullmatch(r"[\w.-]{1,80}", home):
        what = f"import {home}" if not home.endswith(".py") else f"register it as {home} does"
        raise ValueError(f"backbone {name!r} is not registered: {what} first")
    raise ValueError(
        f"backbone: wanted one of {', '.join(BACKBONES)}, or one registered by ssd.backbone, "
        f"got {name!r}"
    )


def home_of(name: str) -> str | None:
    """Where a user's own backbone is defined, for whoever opens a file without it.

    Args:
        name: Of a registered backbone.

    Returns:
        The name of its module, or of its file if that is a script; None for this project's own.

    Raises:
        ValueError: If it is not registered.

    Example:
        >>> home_of("alexnet") is None
        True
    """
    function = find_backbone(name)
    if name in BACKBONES:
        return None
    module = getattr(function, "__module__", "__main__")
    if module != "__main__":
        return module
    script = getattr(sys.modules["__main__"], "__file__", None)
    return None if script is None else pathlib.Path(script).name

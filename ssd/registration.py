"""Keras knows the classes of a `.keras` file, without `import ssd` importing Keras.

Keras makes only classes that are registered with it; the modules that a file names it does not
import, since anybody can write a file. Registering is what importing `ssd.nets` does, but that
takes a backend, which a board does not have. So once Keras is imported, by whomever and whenever,
it is told names that stand for the classes until they are needed. Standard library only.
"""

import importlib
import sys
from typing import Any

# Registered name: module and class.
_CLASSES = {
    "ssd>SSD": ("ssd.nets.model", "SSD"),
    "ssd>KeepingLoss": ("ssd.nets.keeping", "KeepingLoss"),
    "ssd>MultiboxLoss": ("ssd.nets.losses", "MultiboxLoss"),
    "ssd>NormalizedConvolution": ("ssd.nets.layers", "NormalizedConvolution"),
    "ssd>NormalizedDepthwise": ("ssd.nets.layers", "NormalizedDepthwise"),
    "ssd>PhotometricAugmentation": ("ssd.nets.photometric", "PhotometricAugmentation"),
}


def tell_keras() -> None:
    """Tell Keras the names of this project's classes: now, or as soon as it is imported.

    Example:
        >>> tell_keras()
        >>> import keras
        >>> "ssd>SSD" in keras.saving.get_custom_objects()
        True
    """
    if "keras" in sys.modules:
        _register(sys.modules["keras"])
    elif not any(isinstance(each, _KerasWatcher) for each in sys.meta_path):
        sys.meta_path.insert(0, _KerasWatcher())


class _Later:
    """Stands for a class in Keras's register until a file wants one made."""

    def __init__(self, module: str, name: str):
        self.module, self.name = module, name

    def from_config(self, config: dict[str, Any]) -> Any:
        return getattr(importlib.import_module(self.module), self.name).from_config(config)


class _KerasWatcher:
    """Sees `import keras` coming, and registers when it is done. Importing is left to others."""

    def find_spec(self, name, path=None, target=None):
        if name != "keras":
            return None
        for finder in sys.meta_path:
            spec = None if finder is self else finder.find_spec(name, path, target)
            if spec is not None:
                _register_after(spec.loader)
                return spec
        return None


def _register_after(loader):
    execute = loader.exec_module

    def exec_module(module):
        execute(module)
        _register(module)

    loader.exec_module = exec_module


def _register(keras):
    known = keras.saving.get_custom_objects()
    for name, place in _CLASSES.items():
        known.setdefault(name, _Later(*place))  # the class itself may be there already

"""The LiteRT runtime that is installed, whichever package it comes from."""

import importlib
from typing import Any

_RUNTIMES = ("ai_edge_litert.interpreter", "tflite_runtime.interpreter")


def find_runtime() -> Any:
    """The interpreter module of the LiteRT runtime that is installed.

    Returns:
        A module, with `Interpreter` in it.

    Raises:
        ImportError: If none is; the message says what to install.

    Example:
        >>> find_runtime().Interpreter.__name__
        'Interpreter'
    """
    for name in _RUNTIMES:
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError:
            continue
    raise ImportError("no LiteRT runtime: pip install ai-edge-litert (or tflite-runtime)")

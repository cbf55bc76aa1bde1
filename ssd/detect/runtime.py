"""The LiteRT runtime that is installed, whichever package it comes from."""

import importlib

_RUNTIMES = ("ai_edge_litert.interpreter", "tflite_runtime.interpreter")


def runtime():
    """The interpreter module of the LiteRT runtime that is installed.

    Raises:
        ImportError: If none is; the message says what to install.
    """
    for name in _RUNTIMES:
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError:
            continue
    raise ImportError("no LiteRT runtime: pip install ai-edge-litert (or tflite-runtime)")

"""Kinds of options that several benchmarks take."""

from collections.abc import Callable
from typing import Any


def positive(kind: type, name: str, *, least: float = 0) -> Callable[[str], Any]:
    """A type of argument: numbers over 0.

    Args:
        kind: int or float.
        name: What argparse says was wanted.
        least: The smallest that makes sense.

    Returns:
        A function that turns an argument into such a number.

    Example:
        >>> positive(int, "positive integer")("12")
        12
    """

    def read(text: str) -> Any:
        value = kind(text)
        if not (value > 0 and value >= least):
            raise ValueError
        return value

    read.__name__ = name  # argparse shows it in its message
    return read

"""Kinds of options that several benchmarks take."""

from collections.abc import Callable
from typing import Any


def positive(kind: type, name: str) -> Callable[[str], Any]:
    """A type of argument: numbers over 0.

    Args:
        kind: int or float.
        name: What argparse says was wanted.

    Returns:
        A function that turns an argument into such a number.

    Example:
        >>> positive(int, "positive integer")("12")
        12
    """

    def read(text: str) -> Any:
        if not kind(text) > 0:
            raise ValueError
        return kind(text)

    read.__name__ = name  # argparse shows it in its message
    return read

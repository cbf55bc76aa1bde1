"""Limits that a user gives, checked before the work."""

import math
from typing import Any

import numpy as np


def is_number(value: Any) -> bool:
    """Whether something is a number, of Python or NumPy, and has a size.

    Args:
        value: What was given.

    Returns:
        Whether it is; a text, a truth value, an array and NaN are not.

    Example:
        >>> is_number(np.float32(0.5)), is_number("0.5"), is_number(True)
        (True, False, False)
    """
    is_one = isinstance(value, int | float | np.integer | np.floating)
    return is_one and not isinstance(value, bool) and not math.isnan(value)


def check_share(name: str, value: Any) -> None:
    """Refuse what is no number from 0 to 1.

    Args:
        name: Of the limit.
        value: What was given.

    Raises:
        ValueError: If it is something else, a text or a truth value among it.

    Example:
        >>> check_share("score_threshold", "0.5")
        Traceback (most recent call last):
        ValueError: score_threshold: wanted a number from 0 to 1, got '0.5'
    """
    if not is_number(value) or not 0 <= value <= 1:
        raise ValueError(f"{name}: wanted a number from 0 to 1, got {value!r}")


def check_count(name: str, value: object) -> None:
    """Refuse what is no whole number of 1 or more.

    Args:
        name: Of the limit.
        value: What was given.

    Raises:
        ValueError: If it is something else.

    Example:
        >>> check_count("max_detections", 2.5)
        Traceback (most recent call last):
        ValueError: max_detections: wanted a positive integer, got 2.5
    """
    if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < 1:
        raise ValueError(f"{name}: wanted a positive integer, got {value!r}")

"""Limits that a user gives, checked before the work."""

import numpy as np


def check_share(name: str, value: object) -> None:
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
    is_number = isinstance(value, int | float | np.integer | np.floating)
    if not is_number or isinstance(value, bool) or not 0 <= value <= 1:
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

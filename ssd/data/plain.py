"""Numbers of NumPy as Python's own, which JSON can hold."""

from collections.abc import Mapping
from typing import Any

import numpy as np


def plain(value: Any) -> Any:
    """What was given for options, as JSON can hold it.

    Args:
        value: Numbers, text, arrays, and lists and dictionaries of them.

    Returns:
        The same with numbers of Python; arrays and tuples are lists.

    Example:
        >>> plain({"seed": np.int64(3), "weights": np.array([1, 2])})
        {'seed': 3, 'weights': [1, 2]}
    """
    if isinstance(value, Mapping):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    return value.tolist() if isinstance(value, np.generic | np.ndarray) else value

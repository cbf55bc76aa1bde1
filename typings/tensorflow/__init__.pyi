# TensorFlow has no types of its own, and those that checkers bring know no `tensor[..., None]`.
from typing import Any

def __getattr__(name: str) -> Any: ...

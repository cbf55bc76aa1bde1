"""Labels for a folder of photos from a teacher that is too slow for the job itself.

Names are imported when first used (PEP 562), as those of `ssd` are.
"""

import importlib
from typing import Any

_HOME = {
    "Options": "options",
    "Rules": "votes.rules",
    "combine": "votes.combining",
    "find_photos": "photo_files",
    "group_faces": "votes.agreement",
    "label": "labeling",
    "label_by_vote": "several",
    "mtcnn": "teachers.mtcnn",
    "mtcnn_package": "teachers.mtcnn",
}
__all__ = list(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'distill' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"distill.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

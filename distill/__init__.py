"""Labels for a folder of photos from a teacher that is too slow for the job itself.

Names are imported when first used (PEP 562), as those of `ssd` are.
"""

import importlib
from typing import Any

_HOME = {
    "Options": "options",
    "Rules": "rules",
    "combine": "combining",
    "find_photos": "photo_files",
    "group_faces": "agreement",
    "label": "labeling",
    "label_by_vote": "several",
    "mtcnn": "teacher",
    "mtcnn_package": "teacher",
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

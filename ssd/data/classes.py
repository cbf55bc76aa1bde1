"""From the names of classes that annotations use to the classes that are asked for."""

from collections.abc import Mapping, Sequence

from ssd.config import IGNORE, UNKNOWN

BACKGROUND = 0


class ClassIds:
    """Which class a name stands for. Capitals do not matter.

    Args:
        class_names: Names of the classes, the first for class 1.
        mapping: For names that the annotations use and `class_names` does not have: the class
            that is meant, or `ignore` for a region to ignore, or `background` for what is not to
            be found, or `unknown` for what is to be found and may be of any class.

    Raises:
        ValueError: If a name is empty or there twice, or a mapping leads to no class.

    Example:
        >>> ids = ClassIds(["face"], {"with_mask": "face", "logo": "background"})
        >>> ids.find("Face"), ids.find("With_Mask"), ids.find("logo"), ids.find("cat")
        (1, 1, 0, None)
    """

    def __init__(self, class_names: Sequence[str], mapping: Mapping[str, str] | None = None):
        keys = [name.strip().casefold() for name in class_names]
        if not keys or not all(keys) or len(set(keys)) < len(keys):
            raise ValueError(f"classes: wanted different names, got {list(class_names)}")
        self.names = [name.strip() for name in class_names]
        self._ids = {key: class_id for class_id, key in enumerate(keys, start=1)}
        targets = {"ignore": IGNORE, "background": BACKGROUND, "unknown": UNKNOWN, **self._ids}
        for name, target in (mapping or {}).items():
            if target.strip().casefold() not in targets:
                raise ValueError(
                    f"map: wanted {', '.join(self.names)}, ignore, background or unknown after "
                    f"{name}=, got {target!r}"
                )
            self._ids[name.strip().casefold()] = targets[target.strip().casefold()]

    def find(self, name: str) -> int | None:
        """The class of a name.

        Args:
            name: As annotations have it.

        Returns:
            1 for the first class and so on, -1 to ignore, 0 for background, -2 for what may be of
            any class, None for a name that is not known.
        """
        return self._ids.get(name.strip().casefold())

"""Classes that count as others, as a smile does as a face where nobody asks for smiles."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from ssd.detect.detections import Detections


def unknown_kinds(kinds: Mapping[str, str], known: Iterable[str]) -> dict[str, str]:
    """What the classes that a truth does not know are kinds of.

    Args:
        kinds: `config.kinds`.
        known: Names of the truth's categories.

    Returns:
        The root of each such kind, by its name.

    Example:
        >>> unknown_kinds({"smile": "face"}, ["Face"])
        {'smile': 'face'}
    """
    names = {folded(name) for name in known}
    return {kind: of for kind, of in kinds.items() if folded(kind) not in names}


def counted_as(class_names: Sequence[str], class_map: Mapping[str, str] | None) -> np.ndarray:
    """As what class what is found of each class counts.

    Args:
        class_names: Of the detector; the first is class 1.
        class_map: Names of classes that count as others, and of those.

    Returns:
        int [1 + classes], class ids; background stays.

    Example:
        >>> counted_as(("face", "smile"), {"Smile": "face"}).tolist()
        [0, 1, 1]
    """
    place = {folded(name): number for number, name in enumerate(class_names, 1)}
    counted = np.arange(1 + len(class_names))
    for name, meant in (class_map or {}).items():
        if folded(name) in place:
            counted[place[folded(name)]] = place[folded(meant)]
    return counted


def count_as(found: Detections, counted: np.ndarray) -> Detections:
    """The same in the classes that they count as; the scores of those that become one are added.

    Args:
        found: What a detector found.
        counted: What `counted_as` returned.

    Returns:
        `Detections`.

    Example:
        >>> box, own = np.zeros((1, 4)), np.float32([[0.25, 0.5]])
        >>> found = Detections(box, np.float32([0.75]), np.array([2]), class_scores=own)
        >>> as_faces = count_as(found, np.array([0, 1, 1]))
        >>> as_faces.class_ids.tolist(), as_faces.class_scores.tolist()
        ([1], [[0.75, 0.0]])
    """
    class_ids = counted[np.asarray(found.class_ids, int)]
    merged = found.class_scores
    if merged is not None:
        merged = merged @ np.eye(len(counted), dtype=np.float32)[counted[1:], 1:]
        merged = np.minimum(merged, np.asarray(found.scores)[:, None])
    return dataclasses.replace(found, class_ids=class_ids, class_scores=merged)


def folded(name: str) -> str:
    """A name as names of classes are compared.

    Args:
        name: The name.

    Returns:
        Without spaces around it, whatever its case.

    Example:
        >>> folded(" Face")
        'face'
    """
    return name.strip().casefold()

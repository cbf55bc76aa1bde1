"""A model's weights in another model: heads grow by columns, and blocks are added."""

from collections.abc import Mapping, Sequence

import numpy as np

from ssd.nets.model import SSD

_NONE = "background"
# What classes that grow out of the background begin with of its share, as in a fresh model.
_NEW = 0.01


def take_over(model: SSD, first: SSD, parents: Mapping[str, str] | None = None) -> None:
    """Give a model the weights of another, which may have other classes.

    Background, boxes and classes of the same name stay as they are. A new class begins as its
    parent: with the same weights, and an even part of the parent's share. So the parent and the
    classes that grew out of it together are as likely as the parent was. Nothing has to tell them
    apart before the first step: each column of a head has a target of its own.

    Args:
        model: The `ssd.SSD` to change.
        first: The other one, of the same backbone, width and anchors. Blocks on the finest map
            that it has not begin as the identity, as in a fresh model.
        parents: Of new classes, the class of `first` that they are a kind of, or "background".
            Of those left out it is the one class of `first`, where there is one and it stays, and
            else the background, of which new classes together begin with a hundredth.

    Raises:
        ValueError: If `parents` names something else; nothing is changed.

    Example:
        >>> import ssd
        >>> options = {"image_size": (64, 64), "width_multiplier": 0.05}
        >>> face = ssd.SSD(ssd.Config(**options))
        >>> both = ssd.SSD(ssd.Config(**options, classes=("face", "smile")))
        >>> ssd.take_over(both, face)
        >>> black = np.zeros([1, 64, 64, 3], np.uint8)
        >>> before, after = np.exp(face(black))[0, 0, 4:], np.exp(both(black))[0, 0, 4:]
        >>> bool(abs(after[1] + after[2] - before[1]) < 1e-5)
        True
    """
    sources, shares = columns(model.config.classes, first.config.classes, parents)
    known_layers = {layer.name for layer in first.layers}
    for layer in model.layers:
        if layer.name not in known_layers:
            continue
        weights = [np.asarray(weight) for weight in first.get_layer(layer.name).weights]
        if layer.name in _heads(model):
            kernel, bias = (_by_class(each, first)[..., sources] for each in weights)
            weights = [kernel, bias + np.log(shares, dtype=np.float32)]
        for weight, value in zip(layer.weights, weights, strict=True):
            weight.assign(np.reshape(value, weight.shape))


def columns(
    class_names: Sequence[str],
    known: Sequence[str],
    parents: Mapping[str, str] | None = None,
) -> tuple[list[int], list[float]]:
    """Which column of a head each column of a new one begins as, and with what part of its share.

    Args:
        class_names: The classes of the new head.
        known: The classes of the old one.
        parents: As in `take_over`.

    Returns:
        Of each column of the new head, background first: the column of the old head, and its
        part, over 0 and up to 1. The parts of all that begin as one column add up to 1.

    Raises:
        ValueError: If `parents` has a class that is not new, or a parent that is not known.

    Example:
        >>> columns(("face", "smile"), ("face",))
        ([0, 1, 1], [1.0, 0.5, 0.5])
        >>> columns(("face", "hand"), ("face",), {"hand": "background"})
        ([0, 1, 0], [0.99, 1.0, 0.01])
    """
    parents = {**(parents or {})}
    _check_parents(parents, class_names, known)
    usual = known[0] if len(known) == 1 and known[0] in class_names else _NONE
    old = [_NONE, *known]
    sources = [0]
    for name in class_names:
        sources.append(old.index(name if name in known else parents.get(name, usual)))
    shares = [1 / sources.count(source) for source in sources]
    new = sources.count(0) - 1
    for column, source in enumerate(sources):
        if source == 0 and new:
            shares[column] = _NEW / new if column else 1 - _NEW
    return sources, shares


def _check_parents(parents, class_names, known):
    new = [name for name in class_names if name not in known]
    for name, parent in parents.items():
        if name not in new:
            among = f"one of {', '.join(new)}" if new else "none, for no class is new"
            raise ValueError(f"parents: wanted new classes, {among}, got {name!r}")
        if parent not in (*known, _NONE):
            raise ValueError(
                f"parents: wanted {', '.join(known)} or background as that of {name}, "
                f"got {parent!r}"
            )


def _heads(model):
    return {f"logits{level}" for level in model.config.levels}


def _by_class(weight, model):
    """The weights of a head, [..., anchors, 1 + classes]."""
    return weight.reshape([*weight.shape[:-1], -1, 1 + len(model.config.classes)])

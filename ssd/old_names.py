"""What files of before 0.1.0 call the fields that have other names now. For files alone."""

from typing import Any

NAMES = {
    # ssd.Config
    "width": "width_multiplier",
    "positive": "positive_iou",
    "negative": "negative_iou",
    # ssd.SSD, and model.json of a .tflite file
    "training": "provenance",
    # ssd.MultiboxLoss
    "per_face": "balance_objects",
    "negatives": "negatives_per_positive",
    "least_negatives": "min_negatives_per_image",
    # what ssd.train notes
    "settled": "freeze_normalization",
    # dataset.json of a folder of labels, and a shard's report
    "labelled": "labeled",
}
_NESTED = ("config", "counts", "provenance", "start", "training")


def renamed(fields: dict[str, Any]) -> dict[str, Any]:
    """The fields of a file under their names of today; of nested dictionaries, too.

    Args:
        fields: What a file holds, such as the JSON of a model or of a folder of labels.

    Returns:
        A new dictionary.

    Example:
        >>> renamed({"config": {"width": 0.5}, "larger": False})
        {'config': {'width_multiplier': 0.5}, 'combine': 'sum'}
    """
    found = {}
    for name, value in fields.items():
        if name == "larger":  # a switch that became a choice
            name, value = "combine", "max" if value else "sum"
        if name == "focal" and value is None:  # an option that went
            continue
        if name in _NESTED and isinstance(value, dict):
            value = renamed(value)
        found[NAMES.get(name, name)] = value
    return found

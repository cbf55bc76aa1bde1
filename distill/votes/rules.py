"""How raters are counted; nothing heavy is imported to say so."""

import dataclasses


@dataclasses.dataclass(frozen=True, kw_only=True)
class Rules:
    """How raters are counted.

    Args:
        iou_threshold: Least IoU of two boxes of one face.
        min_score_alone: What too few raters see and none calls a face counts for nothing, not
            even as a region to ignore, if none of them scores it this high.
        trusted_score: Least score of a face for which the word of a rater that is kept suffices.

    Raises:
        ValueError: If a value is outside (0, 1], or for `min_score_alone` outside [0, 1].

    Example:
        >>> Rules(trusted_score=0.95).iou_threshold
        0.45
    """

    iou_threshold: float = 0.45
    min_score_alone: float = 0.6
    trusted_score: float = 0.9

    def __post_init__(self) -> None:
        for field, value in dataclasses.asdict(self).items():
            if not (0 < value <= 1 or (field == "min_score_alone" and value == 0)):
                raise ValueError(f"{field}: wanted a number in (0, 1], got {value!r}")

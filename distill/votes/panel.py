"""Raters who decide photo after photo, and what they were seen to differ by."""

from collections.abc import Sequence
from typing import Any

from distill.votes.agreement import group_faces
from distill.votes.comparing import Comparison
from distill.votes.rules import Rules
from distill.votes.voting import vote
from ssd.data import records


class Panel:
    """Several raters, in one order.

    Args:
        names: Of the raters.
        kept: Names of those whose word alone suffices.
        geometry: Name of the one that says where a face ends, if it has it; None: the mean.
        rules: `distill.votes.rules.Rules`.

    Raises:
        ValueError: If there are not two or more of different names, or `kept` or `geometry` is
            none of them.

    Example:
        >>> Panel(["mtcnn", "centerface"], kept=["both"])
        Traceback (most recent call last):
        ValueError: kept: wanted one of mtcnn, centerface, got both
    """

    def __init__(
        self,
        names: Sequence[str],
        *,
        kept: Sequence[str] = (),
        geometry: str | None = None,
        rules: Rules | None = None,
    ):
        if len(set(names)) < max(2, len(names)):
            raise ValueError(f"wanted two or more raters, each once, got {', '.join(names)}")
        for option, wanted in [*(("kept", name) for name in kept), ("geometry", geometry)]:
            if wanted is not None and wanted not in names:
                raise ValueError(f"{option}: wanted one of {', '.join(names)}, got {wanted}")
        self._kept = sorted({names.index(name) for name in kept})
        self._geometry = None if geometry is None else names.index(geometry)
        self._rules = rules or Rules()
        self._comparison = Comparison(names)

    def decide(self, photos: Sequence[records.LabeledPhoto]) -> records.LabeledPhoto:
        """What the raters say of one photo together.

        Args:
            photos: The photo as each of them labeled it, in their order.

        Returns:
            A `LabeledPhoto` (`distill.votes.voting.vote`).
        """
        boxes = [photo.boxes for photo in photos]
        faces = group_faces(boxes, iou_threshold=self._rules.iou_threshold)
        self._comparison.add(photos, faces)
        return vote(photos, faces, kept=self._kept, geometry=self._geometry, rules=self._rules)

    def compare(self) -> dict[str, Any]:
        """How they differ on the photos decided so far.

        Returns:
            `distill.votes.comparing.Comparison.to_json`, and the `iou_threshold` of one face.
        """
        compared = self._comparison.to_json(self._geometry)
        return {"iou_threshold": self._rules.iou_threshold, **compared}

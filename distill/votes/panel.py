"""Raters who decide together, and what they are seen to differ by."""

from collections.abc import Sequence
from typing import Any

from distill.votes.columns import Columns
from distill.votes.comparing import compare, view_faces
from distill.votes.rules import Rules
from distill.votes.styles import count_shifted, measure_styles, shift_to_style
from distill.votes.voting import find_faces, vote


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
        self._names, self._rules = [*names], rules or Rules()

    def decide(self, labels: Sequence[Columns]) -> tuple[Columns, dict[str, Any]]:
        """What the raters say of photos together, and how they differ.

        Where one of them says where a face ends, boxes of faces that it does not see are brought to
        its style first (`distill.votes.styles`).

        Args:
            labels: Of each of them, in their order; all of the same photos in the same order.

        Returns:
            `Columns` of these photos (`distill.votes.voting.vote`), and what
            `distill.votes.comparing.compare` gives with the `iou_threshold` of one face.
        """
        faces = find_faces(labels, self._rules)
        views, geometry, shifted = view_faces(labels, faces), self._geometry, None
        if geometry is not None:
            styles = measure_styles(views, geometry)
            shifted = count_shifted(views, geometry, styles)
            labels = [
                each if rater == geometry else shift_to_style(each, views.sources, styles[rater])
                for rater, each in enumerate(labels)
            ]
        voted = vote(labels, faces, kept=self._kept, geometry=geometry, rules=self._rules)
        compared = compare(self._names, views, geometry, shifted)
        return voted, {"iou_threshold": self._rules.iou_threshold, **compared}

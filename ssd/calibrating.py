"""`ssd.calibrate`: scores that are the share of boxes that are right, and a default threshold."""

import dataclasses
import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ssd.detect import detector as detecting
from ssd.metrics.calibration import ScoreMap, calibration_error, fit_scores
from ssd.metrics.evaluation import check_options
from ssd.metrics.figures import choose_threshold, curve_of
from ssd.metrics.judging import Judgement, judge_results
from ssd.metrics.results import run_detector
from ssd.opening import Detector

if TYPE_CHECKING:
    from ssd.nets.model import SSD

_PASSES, _NEAR = 6, 0.01  # of fitting; how near to no change is no change
Pair = tuple[str | os.PathLike, str | os.PathLike]


class Check(NamedTuple):
    """What came of fitting on one half of the photos, on the other half.

    Attributes:
        error: `ssd.metrics.calibration.calibration_error`.
        false_positives: Per photo, at the threshold of the first half.

    Example:
        >>> Check(0.02, 0.1).error
        0.02
    """

    error: float
    false_positives: float


@dataclasses.dataclass(frozen=True, eq=False)
class Calibration:
    """How a detector's scores are to be read.

    Attributes:
        map: `ssd.metrics.calibration.ScoreMap`, from the logits as they are to the fitted ones; of
            a model of one class, from its scores.
        score_threshold: The fitted score from which on there are as many false positives a photo
            as were asked for, at most.
        error_before: Calibration error of the scores as they are.
        checks: A `Check` each way, of the halves of the photos.
        photos: Photos it was fitted on.

    Example:
        >>> print(Calibration(ScoreMap(1.5, -1.0), 0.7, 0.07, (Check(0.02, 0.1),) * 2, 500))
        scores of 500 photos: lead of a face × 1.500 - 1.000; default threshold 0.700
        calibration error 0.070 before; fitted on one half, on the other 0.020 and 0.020
        false positives a photo at the threshold of one half, on the other: 0.100 and 0.100
    """

    map: ScoreMap
    score_threshold: float
    error_before: float
    checks: tuple[Check, Check]
    photos: int

    def __str__(self) -> str:
        sign, shift = "-" if self.map.shift < 0 else "+", abs(self.map.shift)
        errors = " and ".join(f"{each.error:.3f}" for each in self.checks)
        wrong = " and ".join(f"{each.false_positives:.3f}" for each in self.checks)
        return (
            f"scores of {self.photos} photos: lead of a face × {self.map.slope:.3f} {sign} "
            f"{shift:.3f}; default threshold {self.score_threshold:.3f}\n"
            f"calibration error {self.error_before:.3f} before; fitted on one half, on the other "
            f"{errors}\n"
            f"false positives a photo at the threshold of one half, on the other: {wrong}"
        )

    def apply_to(self, model: "SSD") -> "SSD":
        """A model with these scores, and this threshold in its Config.

        Args:
            model: The `ssd.SSD` that it was fitted for; it stays as it is.

        Returns:
            A new `ssd.SSD`.
        """
        from ssd.nets.model import SSD
        from ssd.nets.scores import rescale_scores

        config = dataclasses.replace(model.config, score_threshold=round(self.score_threshold, 4))
        changed = SSD(config)
        changed.set_weights(model.get_weights())
        rescale_scores(changed, self.map.slope, self.map.shift)
        about = {**self.map._asdict(), "photos": self.photos}
        changed.provenance = {**model.provenance, "calibration": about}
        return changed


def calibrate(
    model: Any,
    validation: Sequence[Pair],
    *,
    false_positives_per_image: float = 0.1,
    min_height: float = 0.0,
    rule: str = "coco",
    class_map: Mapping[str, str] | None = None,
    seed: int = 0,
    progress: Callable[[int, int], object] | None = None,
) -> Calibration:
    """See what scores are worth on photos with labels by people, none of them trained on.

    Training asks for certainty about each of a face's many anchors; what a detector returns is the
    best of them, and is wrong more often than it says, or less often.

    A class counts as what it is a kind of (`Config.kinds`), in the truth as well: the score of a
    smiling face is how sure it is to be a face. The scores and the threshold are those that the
    model has in the end: where it knows several classes, it is run over the photos several times.

    Args:
        model: What `ssd.Detector` opens: a file, an `ssd.SSD`; or an open detector.
        validation: (folder of photos, COCO JSON), one or several.
        false_positives_per_image: What the default threshold is to allow.
        min_height: As for `ssd.evaluate`.
        rule: As for `ssd.evaluate`.
        class_map: As for `ssd.evaluate`: `{"smile": "face"}` where people have said of no face
            whether it smiles.
        seed: Decides the halves.
        progress: Called after each photo as `progress(done, total)`, folder by folder; of a model
            of several classes once more for each time that it is asked.

    Returns:
        A `Calibration`; `Calibration.apply_to` gives the model with these scores.

    Raises:
        FileNotFoundError: If there is no such file or folder.
        ValueError: If a truth cannot be used, an option is out of range, or what was found is
            all right or all wrong, which says nothing of scores.

    Example:
        >>> import ssd
        >>> ssd.calibrate(None, [])
        Traceback (most recent call last):
        ValueError: validation: wanted (photos, truth), one or several, got none
    """
    check_options(
        min_height=min_height,
        false_positives_per_image=false_positives_per_image,
        score_threshold=None,
        at_precision=None,
        rule=rule,
    )
    if not validation:
        raise ValueError("validation: wanted (photos, truth), one or several, got none")
    detector = model if isinstance(model, detecting.Detector) else Detector(model)
    # A threshold is held against the score of a box, of whichever of its classes it may be.
    class_map = {**detector.config.kinds, **(class_map or {})}

    def judge(scores: ScoreMap) -> Judgement:
        results = [
            result
            for photos, truth in validation
            for result in run_detector(
                detector.rescaled(*scores),
                _text(photos),
                _text(truth),
                class_map=class_map,
                progress=progress,
            ).results
        ]
        classes = len(detector.config.classes)
        return judge_results(results, classes, heights=(min_height, np.inf), rule=rule)

    before = judge(ScoreMap(1.0, 0.0))
    fitted, judged = _fit(before, judge, alone=len(detector.config.classes) == 1)
    photos, allowed = len(judged.faces), false_positives_per_image
    first = np.random.default_rng(seed).permutation(photos) < photos // 2
    halves = judged.of_photos(first), judged.of_photos(~first)
    return Calibration(
        map=fitted,
        score_threshold=_threshold(judged, allowed),
        error_before=calibration_error(before.scores, before.hits >= 0),
        checks=(_check(halves[0], halves[1], allowed), _check(halves[1], halves[0], allowed)),
        photos=photos,
    )


def _fit(
    judged: Judgement, judge: Callable[[ScoreMap], Judgement], *, alone: bool
) -> tuple[ScoreMap, Judgement]:
    """The map of logits, and what the model finds with the scores that come of it.

    The lead of a class that is alone is that of its score, so what the map says of a score is what
    the model then says. Where several classes share the scores it is not; so the model is asked
    again, and what its scores still lack is fitted, until that is next to nothing.
    """
    total = ScoreMap(1.0, 0.0)
    for _ in range(_PASSES):
        step = fit_scores(judged.scores, judged.hits >= 0)
        total = total.then(step)
        told = dataclasses.replace(judged, scores=step(judged.scores))
        if alone:
            return total, told
        judged = judge(total)
        hits = judged.hits >= 0
        if hits.all() or not hits.any():  # on few photos: nothing is left to fit to
            return total, told
        if abs(step.slope - 1) < _NEAR and abs(step.shift) < _NEAR:
            break
    return total, judged


def _threshold(judged: Judgement, allowed: float) -> float:
    """The least score with no more than so many false positives a photo."""
    return min(choose_threshold(curve_of(judged), allowed * len(judged.faces)), 1.0)


def _check(fitted_on: Judgement, other: Judgement, allowed: float) -> Check:
    fitted = fit_scores(fitted_on.scores, fitted_on.hits >= 0)
    threshold = fitted(_threshold(fitted_on, allowed))
    scores = fitted(other.scores)
    wrong = int(((scores >= threshold) & (other.hits < 0)).sum())
    error = calibration_error(scores, other.hits >= 0)
    return Check(error, wrong / max(len(other.faces), 1))


def _text(path):
    return os.fspath(path)

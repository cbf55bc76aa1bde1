"""What the answers to an audit say of all labels: precision, recall, and another threshold."""

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from distill.audit.estimates import Estimate, part_of, rare_sum, scaled, share, total
from distill.audit.files import Answers, Sample
from distill.people.kappa import agreement, cohen, fleiss
from distill.people.majority import majority


class Line(NamedTuple):
    """What one threshold gives.

    Args:
        score: The least score of a label; None for the labels as they are.
        labels: How many labels there would be.
        precision: Share of them that are right; None where there is none.
        recall: Share of the faces that would be labels; None where too little was judged.

    Example:
        >>> Line(0.95, 200, Estimate(0.97, 0.95, 0.98), None).labels
        200
    """

    score: float | None
    labels: int
    precision: Estimate | None
    recall: Estimate | None


def combine_answers(sample: Sample, raters: Sequence[Answers]) -> Answers:
    """What most raters answer, of what all of them have judged.

    Args:
        sample: What was drawn.
        raters: The answers of each.

    Returns:
        Answers; of two raters those on which they agree. Missed faces are the mean, rounded.

    Example:
        >>> sample = {"items": [{"kind": "label", "photo": "a.jpg"}] * 2}
        >>> ann, bob = Answers({0: True, 1: True}, {"a.jpg": 2}), Answers({0: False, 1: True}, {})
        >>> combine_answers(sample, [ann, bob])
        Answers(right={1: True}, missed={})
    """
    right = {}
    for place, said in _said(sample, raters):
        answer = majority([*said.values()]) if len(said) == len(raters) else None
        if answer is not None:
            right[place] = answer
    photos = set.intersection(*(set(each.missed) for each in raters))
    missed = {
        photo: round(sum(each.missed[photo] for each in raters) / len(raters))
        for photo in sorted(photos)
    }
    return Answers(right, missed)


def threshold_lines(sample: Sample, answers: Answers) -> list[Line]:
    """Precision and recall of the labels, and of those that other thresholds would give.

    Args:
        sample: What was drawn.
        answers: What was answered; not all need be.

    Returns:
        First a line of the labels as they are, then one for each row of the sample's `table`.

    Raises:
        ValueError: If no label was judged.

    Example:
        >>> item = {"kind": "label", "photo": "a.jpg", "score": 0.99, "labels": 1}
        >>> sample = {"items": [item], "label": 0.95, "table": [],
        ...           "population": {"labels": 1, "regions": 0, "empty": 0}}
        >>> [line] = threshold_lines(sample, Answers({0: True}, {"a.jpg": 0}))
        >>> line.precision.value, line.recall.value
        (1.0, 1.0)
    """
    judged = _judged(sample, answers)
    labels, regions = judged["label"], judged["region"]
    if not len(labels):
        raise ValueError("answers: wanted a label that is judged right or wrong, there is none")
    population = sample["population"]
    unboxed = _unboxed(sample, answers, len(labels))
    if population["regions"] and not len(regions):
        unboxed = None

    def line(score, is_label, above, would_be, learned):
        right = total([_number(labels[is_label], above), _number(regions[would_be], learned)])
        lost = [
            _number(labels[~is_label], population["labels"] - above),
            _number(regions[~would_be], population["regions"] - learned),
        ]
        found = above + learned
        precision = scaled(right, 1 / found) if found else None
        recall = part_of(right, total([*lost, unboxed])) if unboxed else None
        return Line(score, found, precision, recall)

    every, none = np.full(len(labels), True), np.full(len(regions), False)
    lines = [line(None, every, population["labels"], none, 0)]
    for score, above, learned in sample["table"]:
        # Regions that score as labels do lost a vote: they are labels at no threshold.
        would_be = regions[:, 0] >= np.float32(score)
        if sample["label"] is not None:
            would_be &= regions[:, 0] < np.float32(sample["label"])
        is_label = labels[:, 0] >= np.float32(score)
        lines.append(line(score, is_label, above, would_be if learned else none, learned))
    return lines


def report(sample: Sample, raters: Sequence[Answers]) -> str:
    """The answers to an audit in words and a table.

    Args:
        sample: What was drawn.
        raters: The answers of each rater.

    Returns:
        Lines of text.

    Raises:
        ValueError: If no label was judged.

    Example:
        >>> item = {"kind": "label", "photo": "a.jpg", "score": 0.99, "labels": 1}
        >>> sample = {"items": [item], "label": 0.95, "table": [],
        ...           "population": {"labels": 1, "regions": 0, "empty": 0}}
        >>> print(report(sample, [Answers({0: True}, {"a.jpg": 0})]))
        judged: 1 of 1 labels, 0 of 0 regions to ignore, 0 of 0 photos without a label
        precision 100.0 % (5.0 to 100.0) of 1 labels
        recall 100.0 % (21.4 to 100.0) of the faces
    """
    answers = combine_answers(sample, raters)
    current, *others = threshold_lines(sample, answers)
    text = [_progress(sample, answers), *_agreement(sample, raters, answers)]
    text.append(f"precision {current.precision} of {current.labels:,} labels")
    if current.recall:
        text.append(f"recall {current.recall} of the faces")
    else:
        text.append("recall: judge photos without a label and regions to ignore to know it")
    if len(others) > 1:
        text += ["", "another --label would give", *_rows(others, sample["label"])]
    return "\n".join(text)


def _said(sample, raters) -> list[tuple[int, Mapping[Hashable, Hashable]]]:
    """(place, {rater: whether the box is right}) of each box that anybody judged."""
    found = []
    for place, _ in enumerate(sample["items"]):
        said = {who: each.right[place] for who, each in enumerate(raters) if place in each.right}
        if said:
            found.append((place, said))
    return found


def _judged(sample: Sample, answers: Answers) -> dict[str, np.ndarray]:
    """{kind: [judged, 2], the score of each box and whether it is right}."""
    found: dict[str, list[Any]] = {"label": [], "region": []}
    for place, right in answers.right.items():
        item = sample["items"][place]
        found[item["kind"]].append([item["score"], right])
    return {kind: np.array(rows, np.float32).reshape(-1, 2) for kind, rows in found.items()}


def _number(judged: np.ndarray, boxes: int) -> Estimate:
    """How many of so many boxes are right, by those of them that were judged."""
    return scaled(share(int(judged[:, 1].sum()), len(judged)), boxes)


def _unboxed(sample: Sample, answers: Answers, judged: int) -> Estimate | None:
    """How many faces of all photos have no box; None where no photo without a label was judged."""
    population = sample["population"]
    label = population["labels"] / judged
    empty = [
        answers.missed[item["photo"]]
        for item in sample["items"]
        if item["kind"] == "empty" and item["photo"] in answers.missed
    ]
    if population["empty"] and not empty:
        return None
    values = [
        answers.missed.get(item["photo"], 0) * label / item["labels"]
        for item in (sample["items"][place] for place in answers.right)
        if item["kind"] == "label"
    ]
    weight = population["empty"] / len(empty) if empty else 0
    return rare_sum([*values, *(weight * missed for missed in empty)], greatest=max(label, weight))


def _progress(sample, answers):
    drawn: dict[str, int] = dict.fromkeys(("label", "region", "empty"), 0)
    done = dict(drawn)
    for place, item in enumerate(sample["items"]):
        drawn[item["kind"]] += 1
        is_done = place in answers.right or (
            item["kind"] == "empty" and item["photo"] in answers.missed
        )
        done[item["kind"]] += is_done
    names = {"label": "labels", "region": "regions to ignore", "empty": "photos without a label"}
    counts = [f"{done[kind]:,} of {drawn[kind]:,} {name}" for kind, name in names.items()]
    return f"judged: {', '.join(counts)}"


def _agreement(sample, raters, answers):
    if len(raters) < 2:
        return
    said = [each for _, each in _said(sample, raters) if len(each) == len(raters)]
    name, kappa = ("Cohen's", cohen) if len(raters) == 2 else ("Fleiss'", fleiss)
    yield (
        f"{len(raters)} raters agree on {100 * agreement(said):.1f} %, {name} kappa "
        f"{kappa(said):.2f}; {len(said) - len(answers.right):,} of {len(said):,} boxes discarded"
    )
    for who, each in enumerate(raters, start=1):
        judged = _judged(sample, each)["label"]
        yield f"precision by rater {who} alone {share(int(judged[:, 1].sum()), len(judged))}"


def _rows(lines, label):
    yield f"  {'--label':>7} {'labels':>10}  {'precision':<24} recall"
    for line in lines:
        sign = "*" if line.score == label else " "
        precision, recall = (str(each or "not known") for each in (line.precision, line.recall))
        yield f"{sign} {line.score:>7g} {line.labels:>10,}  {precision:<24} {recall}"
    if label is not None:
        yield "* as the labels were made"

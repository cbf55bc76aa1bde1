"""What several people's judgements are worth, in words."""

from collections.abc import Sequence

from distill.people.kappa import agreement, cohen, fleiss
from distill.people.label_errors import estimate_errors
from distill.people.voting import Judged

CORRELATION = 0.3  # of errors, to show what shared mistakes would mean


def people_report(judged: Sequence[Judged]) -> str:
    """How far people agree, what is kept, and how much of that is wrong.

    Args:
        judged: As `distill.people.voting.judge` returns it.

    Returns:
        Lines of text.

    Example:
        >>> said = [("a", "a")] * 372 + [("b", "b")] * 388 + [("a", "b")] * 240
        >>> judged = [
        ...     Judged(f"{i}.jpg", None, {"ann": ann, "bob": bob}, ann if ann == bob else None)
        ...     for i, (ann, bob) in enumerate(said)]
        >>> print(people_report(judged))
        1,000 rated, 2,000 ratings by 2 raters
        agreement 76.0 %, Cohen's kappa 0.55
        kept 760 (76.0 %), discarded 240 (24.0 %)
        estimated from agreement alone, if raters err each for themselves:
          wrong alone: ann 13.9 %, bob 13.9 %
          wrong among the kept: 2.6 % (1.8 to 3.7)
          ratings: 2.63 per kept label, 2.70 per correct one
        if their errors correlate at 0.3, which agreement cannot show: 13.1 % wrong
    """
    rated = [each for each in judged if any(each.said.values())]
    said = [each.said for each in rated]
    kept = sum(each.class_name is not None for each in rated)
    raters = {rater for each in said for rater in each}
    ratings = sum(map(len, said))
    lines = [
        f"{len(rated):,} rated, {ratings:,} ratings by {len(raters)} "
        f"{'rater' if len(raters) == 1 else 'raters'}"
    ]
    if len(raters) > 1:
        name, kappa = ("Cohen's", cohen) if len(raters) == 2 else ("Fleiss'", fleiss)
        lines.append(f"agreement {_percent(agreement(said))}, {name} kappa {kappa(said):.2f}")
    if rated:
        lost = len(rated) - kept
        lines.append(
            f"kept {kept:,} ({_percent(kept / len(rated))}), "
            f"discarded {lost:,} ({_percent(lost / len(rated))})"
        )
    if kept and any(len(each) > 1 for each in said):
        lines += _errors(said, [each.class_name for each in rated], ratings / kept)
    return "\n".join(lines)


def _errors(said, agreed, ratings_per_label):
    errors = estimate_errors(said, agreed)
    shared = estimate_errors(said, agreed, correlation=CORRELATION)
    each = ", ".join(f"{rater} {_percent(rate)}" for rater, rate in errors.raters.items())
    yield "estimated from agreement alone, if raters err each for themselves:"
    yield f"  wrong alone: {each}"
    yield f"  wrong among the kept: {errors.wrong}"
    if errors.together > errors.wrong.value:
        worst = _percent(errors.together)
        yield f"  ({worst} if all who are wrong about a thing give it the same class)"
    correct = ratings_per_label / (1 - errors.wrong.value)
    yield f"  ratings: {ratings_per_label:.2f} per kept label, {correct:.2f} per correct one"
    yield (
        f"if their errors correlate at {CORRELATION}, which agreement cannot show: "
        f"{_percent(shared.wrong.value)} wrong"
    )


def _percent(share):
    return f"{100 * share:.1f} %"

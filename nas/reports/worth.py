"""Whether the search was worth it: one sentence that compares the winner with what one would have run by hand."""

from collections.abc import Sequence
from math import sqrt

from nas.percent import percent
from nas.reports.rows.network_row import NetworkRow
from nas.reports.rows.trial_row import TrialRow
from nas.reports.rows.way_row import label_of
from nas.reports.verdict import Verdict
from nas.study.candidate_text import architecture_text, mask_text

_BY_HAND = ("by hand", "small dense")


def worth(
    best: NetworkRow, baselines: Sequence[NetworkRow], trials: Sequence[TrialRow], *, test: int, sign: float = 1.0
) -> str:
    """The sentence, with figures, and with whether the difference is larger than the noise.

    Args:
        best: the winner.
        baselines: networks with which it is compared.
        trials: trainings of the search.
        test: number of test examples.
        sign: factor that makes larger values of the metric better.
    """
    by_name = {row.name: row for row in baselines}
    way = next((label_of(trial) for trial in trials if trial.digest == best.digest), "")
    other = by_name.get("by hand") or by_name.get("random") or by_name.get("dense")
    if way in _BY_HAND and "by hand" in by_name:
        return _nothing_better(best, by_name["by hand"], sign)
    figures = f"the winner{f' ({way})' if way else ''} has {_figures(best)} on {test:,} test examples"
    if other is None:
        return f"Verdict: {figures}; there is nothing to compare it with."
    verdict = Verdict.of(best, other, sign)
    if other.name == "by hand":
        judged = {"better": "worth it", "worse": "not worth it"}.get(verdict.kind, "not shown to be worth it")
    else:
        judged = f"nothing was run by hand to compare with, only {_NAMES[other.name]}"
    name = _NAMES.get(other.name, other.name)
    return f"Verdict: {judged}: {figures}, {name} {_figures(other)}: {_difference(verdict)}."


_NAMES = {"by hand": "the best by hand", "random": "the best of random search", "dense": "its dense reference"}


def _nothing_better(best: NetworkRow, by_hand: NetworkRow, sign: float) -> str:
    """The winner is itself a reference."""
    verdict = Verdict.of(best, by_hand, sign)
    if verdict.kind == "same":
        again = f"It has {_figures(best)} on the test split."
    else:
        again = (
            "The winner is one of those, trained again with another seed or on other data: "
            if best.digest == by_hand.digest
            else ""
        )
        again = f"{again}{_figures(best)} on the test split against {_figures(by_hand)}: {_difference(verdict)}."
    what = f"{mask_text(best.candidate)}, {architecture_text(best.candidate)}"
    return (
        "Verdict: the search found nothing better than what an expert would have run first, which is the winner "
        f"({what}). {again}"
    )


def _figures(row: NetworkRow) -> str:
    if row.interval is None:
        return row.measured
    low, high = row.interval
    return f"{row.measured} (95 % interval {100 * low:.1f} to {100 * high:.1f})"


def _difference(verdict: Verdict) -> str:
    points = f"{verdict.difference * 100:+.2f} points"
    if verdict.error is None:
        return f"{points}, of single trainings, so that the noise is not known"
    larger = "not larger" if verdict.kind == "within noise" else "larger"
    return f"{points} ± {verdict.error * 100:.2f} (standard error), {larger} than the noise"


def leaders(best: NetworkRow, trials: Sequence[TrialRow], *, validation: int, sign: float = 1.0) -> str:
    """A sentence that says which leaders of the validation split cannot be told apart; empty if none or not known.

    The noise of a share of `validation` examples is binomial. The networks are taken as independent, which makes the noise rather too
    large: they are measured on the same examples.
    """
    found: dict[str, list[float]] = {}
    for trial in trials:
        if trial.accuracy is not None:
            found.setdefault(trial.digest, []).append(trial.accuracy)
    own = found.pop(best.digest, None)
    values = {digest: max(values, key=lambda value: sign * value) for digest, values in found.items()}
    if own is None or validation < 1 or not all(0 <= value <= 1 for value in [*own, *values.values()]):
        return ""
    leader = max(own, key=lambda value: sign * value)
    near = [value for value in values.values() if sign * (leader - value) <= 2 * _error(leader, value, validation)]
    if not near:
        return ""
    noise = 2 * _error(leader, leader, validation)
    several = "1 other candidate is" if len(near) == 1 else f"{len(near)} other candidates are"
    return (
        f"On the {validation:,} validation examples {several} within two standard errors ({100 * noise:.1f} points) of the winner, "
        f"{percent(leader)}: these leaders cannot be told apart.{_chosen(best)}"
    )


def _chosen(best: NetworkRow) -> str:
    """How the winner was chosen among them."""
    if best.expected is None:
        return ""
    return f" With their results on training examples, {percent(best.expected)} are expected of the winner on new ones."


def _error(first: float, second: float, examples: int) -> float:
    """Standard error of the difference of two shares."""
    return sqrt((first * (1 - first) + second * (1 - second)) / examples)

"""Chart of the search over its trainings: every result, and the mean of the leader."""

import itertools
from collections.abc import Sequence

from nas.percent import percent
from nas.reports.charts.axis_scale import Scale
from nas.reports.charts.frame import Frame, shares
from nas.reports.markup import Markup, joined
from nas.reports.report import Report
from nas.reports.rows.trial_row import TrialRow


def leader_means(trials: Sequence[TrialRow], sign: float = 1.0) -> list[float | None]:
    """The best mean over the trainings of one candidate, after each trial. It falls if a leader is trained again with a worse result."""
    sums: dict[str, tuple[float, int]] = {}
    means: dict[str, float] = {}
    leader: str | None = None
    found: list[float | None] = []
    for trial in trials:
        digest = trial.digest
        if trial.accuracy is not None:
            total, count = sums.get(digest, (0.0, 0))
            sums[digest] = total + trial.accuracy, count + 1
            means[digest] = (total + trial.accuracy) / (count + 1)
            if digest == leader:  # another candidate may lead now
                leader = max(means, key=lambda one: sign * means[one])
            elif leader is None or sign * means[digest] > sign * means[leader]:
                leader = digest
        found.append(None if leader is None else means[leader])
    return found


def best_so_far(report: Report) -> Markup:
    """The chart."""
    trials = [(trial.number + 1, trial) for trial in report.trials]
    measured = [(number, trial.accuracy, trial) for number, trial in trials if trial.accuracy is not None]
    leaders = [
        (n, mean)
        for (n, _), mean in zip(trials, leader_means(report.trials, report.task.sign), strict=True)
        if mean is not None
    ]
    frame = Frame(
        Scale.around([1, *(number for number, _ in trials)], least=0.0),
        Scale.around([accuracy for _, accuracy, _ in measured], least=0.0, most=1.0, label=shares),
        "trainings",
        f"{report.task.metric}, validation",
    )
    marks = [
        frame.dot(number, accuracy, _told(trial), class_="second" if trial.repeat else "pale", radius=2.8)
        for number, accuracy, trial in measured
    ]
    return frame.drawn(joined(marks), frame.line(_steps(leaders), class_="front"), label="results in order of training")


def _told(trial: TrialRow) -> str:
    again = f", training {trial.repeat + 1} of this network" if trial.repeat else ""
    return f"trial {trial.number}: {percent(trial.accuracy)} with {trial.nnz:,} non-zeros{again}"


def _steps(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Points of a step line, which keeps each height until the next point."""
    found = list(points[:1])
    for (_, before), (x, y) in itertools.pairwise(points):
        found += [(x, before), (x, y)]
    return found

"""Accuracy on the validation split against non-zero weights: every trial, the Pareto front, the winner and the baselines."""

from dataclasses import dataclass
from statistics import mean

from nas.percent import percent
from nas.reports.charts.axis_scale import Scale
from nas.reports.charts.frame import Frame, counts, shares
from nas.reports.markup import Markup, joined
from nas.reports.report import Report

Point = tuple[float, float]


@dataclass(frozen=True)
class ParetoData:
    """Points ``(non-zeros, accuracy)`` of the page's chart and of `pareto.png`.

    Attributes:
        trials: all trials that did not fail.
        front: Pareto front, from the smallest to the largest.
        winner: point from the search, or from the retrainings if the winner is not on the front.
        baselines: points by name, means over the retrainings.
    """

    trials: list[Point]
    front: list[Point]
    winner: Point
    baselines: dict[str, Point]

    @classmethod
    def of(cls, report: Report) -> "ParetoData":
        """The points of a report."""
        best = report.best
        known = [row for row in report.front if row.digest == best.digest]
        return cls(
            trials=[(trial.nnz, trial.accuracy) for trial in report.trials if trial.accuracy is not None],
            front=sorted((row.nnz, row.accuracy) for row in report.front),
            winner=(known[0].nnz, known[0].accuracy) if known else (best.nnz, mean(best.validation)),
            baselines={row.name: (row.nnz, mean(row.validation)) for row in report.baselines},
        )


def pareto(report: Report) -> Markup:
    """The chart."""
    data = ParetoData.of(report)
    points = [*data.trials, *data.front, data.winner, *data.baselines.values()]
    frame = Frame(
        Scale.around((x for x, _ in points), log=True, label=counts),
        Scale.around((y for _, y in points), least=0.0, most=1.0, label=shares),
        "non-zero weights",
        f"{report.task.metric}, validation",
    )
    marks = [
        *(frame.dot(*point, _told("trial", point), class_="pale", radius=2.6) for point in data.trials),
        frame.line(data.front, class_="front"),
        *(frame.dot(*point, _told("front", point), class_="ink", radius=3.2) for point in data.front),
        *(frame.dot(*point, _told(name, point), class_=f"baseline {name}", radius=8.5) for name, point in _known(data)),
        frame.dot(*data.winner, _told("winner", data.winner), class_="winner", radius=6),
    ]
    return frame.drawn(joined(marks), label="accuracy against non-zero weights of all trials")


def _known(data: ParetoData) -> list[tuple[str, Point]]:
    """The baselines that have their own colour."""
    return [(name, point) for name, point in data.baselines.items() if name in ("dense", "random")]


def _told(name: str, point: Point) -> str:
    return f"{name}: {percent(point[1])} with {point[0]:,.0f} non-zeros"

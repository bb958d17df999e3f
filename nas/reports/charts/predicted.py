"""Chart of predictions before the trainings against the results of the trainings."""

from dataclasses import dataclass

from nas.percent import percent
from nas.reports.charts.axis_scale import Scale
from nas.reports.charts.frame import Frame, shares
from nas.reports.markup import Markup, joined
from nas.reports.report import Report
from nas.study.trial import Score


@dataclass(frozen=True)
class Forecasts:
    """Predictions of first trainings, with their results.

    Attributes:
        pairs: pairs of score and measured accuracy.
    """

    pairs: list[tuple[Score, float]]

    @classmethod
    def of(cls, report: Report) -> "Forecasts":
        """The forecasts of a report."""
        return cls(
            [(t.score, t.accuracy) for t in report.trials if t.score and t.accuracy is not None and t.repeat == 0]
        )

    @property
    def error(self) -> float:
        """Mean absolute difference between prediction and result."""
        return sum(abs(score.mean - accuracy) for score, accuracy in self.pairs) / len(self.pairs)

    @property
    def std(self) -> float:
        """Mean of the predicted standard deviations."""
        return sum(score.std for score, _ in self.pairs) / len(self.pairs)

    @property
    def held(self) -> int:
        """Number of results within one predicted standard deviation."""
        return sum(abs(score.mean - accuracy) <= score.std for score, accuracy in self.pairs)

    def __str__(self) -> str:
        """The figures in words."""
        return (
            f"The results are {100 * self.error:.1f} points away from the prediction on average, "
            f"{self.held} of {len(self.pairs)} within one stated standard deviation ({100 * self.std:.1f} points on average)."
        )


def predicted(report: Report, forecasts: Forecasts) -> Markup:
    """The chart: one dot per forecast, without error bars, which would often be as wide as the whole chart."""
    both = [value for score, accuracy in forecasts.pairs for value in (score.mean, accuracy)]
    scale = Scale.around(both, least=0.0, most=1.0, label=shares)
    frame = Frame(scale, scale, "predicted before the training", f"measured {report.task.metric}, validation")
    marks = [
        frame.dot(
            score.mean,
            accuracy,
            f"predicted {score.mean:.2%} ± {score.std:.2%}, measured {percent(accuracy)}",
            class_="second",
        )
        for score, accuracy in forecasts.pairs
    ]
    line = frame.line([(scale.low, scale.low), (scale.high, scale.high)], class_="diagonal")
    return frame.drawn(line, joined(marks), label="predicted against measured accuracy")

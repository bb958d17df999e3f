"""Estimates the remaining time of a run: its remaining trainings, including those for the report, at the speed so far."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from nas.study.config import SearchConfig
from nas.study.seconds import Seconds

REPORT_SECONDS = 4.0
"""Rough time for the exports, the explanation of the winner's prediction and the page."""


@dataclass(frozen=True, kw_only=True)
class Work:
    """Remaining work of a run.

    Attributes:
        planned: number of trainings that a predictor chooses; they also need time to propose, score and refit.
        plain: number of other trainings: random search, and retraining of the winner and the baselines.
        report: whether the report is still to be written.
    """

    planned: int = 0
    plain: int = 0
    report: bool = True

    def __add__(self, other: "Work") -> "Work":
        """The sum of both."""
        return Work(
            planned=self.planned + other.planned, plain=self.plain + other.plain, report=self.report or other.report
        )


def after_search(config: SearchConfig) -> Work:
    """Work after the search: trainings of the winner and of the dense reference, and random search if it is requested."""
    retrainings = 2 * config.repeats
    random = config.trainings + config.repeats if config.random_baseline else 0
    return Work(plain=retrainings + random)


@dataclass(eq=False)
class RemainingTime:
    """Estimates from the seconds that this process has spent.

    Attributes:
        seconds: time spent so far, updated during the run.
        planned, plain: trainings of each kind (see `Work`) in this time, by their epochs.
        last_fit: seconds of the last predictor fit; the report fits the predictor once more.
    """

    seconds: Seconds
    planned: float = 0.0
    plain: float = 0.0
    last_fit: float = 0.0

    @contextmanager
    def fitting(self, clock: Callable[[], float]) -> Iterator[None]:
        """Count the time of a predictor fit."""
        start = clock()
        yield
        self.last_fit = clock() - start
        self.seconds.fitting += self.last_fit

    def of(self, work: Work) -> float | None:
        """Estimated seconds for this work; None before the first training."""
        trained = self.planned + self.plain
        if trained == 0:
            return None
        spent = self.seconds
        training = (spent.training + spent.recording) / trained
        planning = (spent.screening + spent.fitting) / max(self.planned, 1.0)
        report = REPORT_SECONDS + self.last_fit if work.report else 0.0
        return work.planned * (training + planning) + work.plain * training + report

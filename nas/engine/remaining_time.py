"""How long a run still takes: the trainings that are left, those of the report included, at the pace so far."""

from dataclasses import dataclass

from nas.study.config import SearchConfig
from nas.study.seconds import Seconds

REPORT_SECONDS = 4.0
"""What the exports, the explanation of the winner's prediction and the page take, roughly."""


@dataclass(frozen=True, kw_only=True)
class Work:
    """What is left to do.

    Attributes:
        planned: trainings that a predictor chooses: proposing, scoring and refitting take time too.
        plain: other trainings: of random search, and again of the winner and the baselines.
        report: whether the report is still to be written.
    """

    planned: int = 0
    plain: int = 0
    report: bool = True

    def __add__(self, other: "Work") -> "Work":
        """Both together."""
        return Work(
            planned=self.planned + other.planned, plain=self.plain + other.plain, report=self.report or other.report
        )


def after_search(config: SearchConfig) -> Work:
    """What follows the search itself: winner and dense reference again, and random search where it is asked for."""
    retrainings = 2 * config.repeats
    random = config.trainings + config.repeats if config.random_baseline else 0
    return Work(plain=retrainings + random)


@dataclass(eq=False)
class RemainingTime:
    """Estimates from the seconds that this process has spent.

    Attributes:
        seconds: grow while the run works.
        planned, plain: trainings of each kind (see `Work`) that are in them.
        last_fit: seconds of the last fit of the predictor, which is fitted once more for the report.
    """

    seconds: Seconds
    planned: int = 0
    plain: int = 0
    last_fit: float = 0.0

    def of(self, work: Work) -> float | None:
        """Seconds that this work will take; None before the first training."""
        trained = self.planned + self.plain
        if trained == 0:
            return None
        spent = self.seconds
        training = (spent.training + spent.recording) / trained
        planning = (spent.screening + spent.fitting) / max(self.planned, 1)
        report = REPORT_SECONDS + self.last_fit if work.report else 0.0
        return work.planned * (training + planning) + work.plain * training + report

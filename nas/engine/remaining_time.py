"""Estimates the remaining time of a run: its remaining trainings, including those for the report, at the speed so far.

Ways of searching differ in speed: a child that inherits its weights is trained without a method, a plan with one, and every way plans
its rounds differently. So the speed of each way is known by itself. For a way that is new, the speed of each space serves: a
convolution takes ten times as long as a small perceptron.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from statistics import geometric_mean

from nas.study.config import SearchConfig
from nas.study.seconds import Seconds
from nas.study.trial import Trial
from nas.study.way import Way

REPORT_SECONDS = 4.0
"""Rough time for the exports, the explanation of the winner's prediction and the page."""
PLANNING_SECONDS = 4.0
"""Rough time to propose, score and choose the candidates of a round by a predictor, as long as no such round was planned."""


@dataclass(frozen=True, kw_only=True)
class Work:
    """Remaining work of a run.

    Attributes:
        rounds: trainings that the rounds of each way of searching will cost.
        plain: other trainings: those of the winner and the baselines, and random search.
        report: whether the report is still to be written.
        space: space of the leading candidate, whose children and dense reference are still to be trained; empty if not known.
    """

    rounds: Mapping[Way, float] = field(default_factory=dict)
    plain: float = 0.0
    report: bool = True
    space: str = ""


def after_search(config: SearchConfig, *, kept: bool = False) -> Work:
    """Work after the search: trainings of the winner and of the dense reference, and random search if it is requested.

    `kept`: the winner is kept as it was found, the best by hand too, and only the dense reference is trained. Then all of them go on
    for `finish` trainings.
    """
    plain = config.repeats if kept else 2 * config.repeats
    finish = config.finish or 0
    plain += finish * (plain + (2 if kept else 0))
    if config.random_baseline:
        plain += config.trainings + config.repeats * (1 + finish)
    return Work(plain=plain)


@dataclass(eq=False)
class Pace:
    """What was spent on one kind of training.

    Attributes:
        trainings: trainings, by their epochs.
        seconds: seconds for training and recording.
        planned: number of rounds that were planned by a predictor.
        planning: seconds for planning them.
    """

    trainings: float = 0.0
    seconds: float = 0.0
    planned: int = 0
    planning: float = 0.0

    def __add__(self, other: "Pace") -> "Pace":
        """Both together."""
        return Pace(
            self.trainings + other.trainings,
            self.seconds + other.seconds,
            self.planned + other.planned,
            self.planning + other.planning,
        )


@dataclass(eq=False)
class RemainingTime:
    """Estimates from the seconds that this process has spent.

    Attributes:
        seconds: time spent so far, updated during the run.
        paces: what was spent on each way of searching, and under None on plain trainings.
        spaces: the training of the candidates of each space.
        last_fit: seconds of the last predictor fit; the report fits the predictor once more.
    """

    seconds: Seconds
    paces: dict[Way | None, Pace] = field(default_factory=dict)
    spaces: dict[str, Pace] = field(default_factory=dict)
    last_fit: float = 0.0

    @contextmanager
    def fitting(self, clock: Callable[[], float], *, more: bool = False) -> Iterator[None]:
        """Count the time of a predictor fit; `more`: of a further part of the last one."""
        start = clock()
        yield
        took = clock() - start
        self.last_fit = took + (self.last_fit if more else 0.0)
        self.seconds.fitting += took

    def pace(self, way: Way | None) -> Pace:
        """The pace of a way of searching, to be counted up; None: of plain trainings."""
        return self.paces.setdefault(way, Pace())

    def count_plain(self, trainings: float, seconds: float) -> None:
        """Count trainings outside the rounds of the search."""
        self.seconds.training += seconds
        pace = self.pace(None)
        pace.trainings, pace.seconds = pace.trainings + trainings, pace.seconds + seconds

    def learn(self, trials: Sequence[Trial]) -> None:
        """Begin with the training times of earlier trials, those of a run that is resumed."""
        for trial in trials:
            if not trial.failed:
                pace = self.pace(trial.way)
                pace.trainings += trial.cost
                pace.seconds += trial.seconds
                self.trained(trial.candidate.space, trial.cost, trial.seconds)

    def trained(self, space: str, cost: float, seconds: float) -> None:
        """Count the training of a candidate of a space; its `cost` is in trainings."""
        pace = self.spaces.setdefault(space, Pace())
        pace.trainings, pace.seconds = pace.trainings + cost, pace.seconds + seconds

    def of(self, work: Work, *, round_: float = 1.0, guided: bool = False) -> float | None:
        """Estimated seconds for this work; None before the first training.

        Args:
            work: the remaining work.
            round_: trainings of one round.
            guided: whether a predictor plans the rounds.
        """
        together = sum(self.paces.values(), Pace())
        if together.trainings == 0:
            return None
        total = work.plain * self._speed(None, work.space, together)
        for way, trainings in work.rounds.items():
            pace = self.paces.get(way)
            total += trainings * self._speed(way, work.space, together)
            if guided:
                total += -(-trainings // round_) * _planning(pace, together)
        return total + (REPORT_SECONDS + self.last_fit if work.report else 0.0)

    def _speed(self, way: Way | None, space: str, together: Pace) -> float:
        """Seconds of a training: of this way, else between the leading space, where children stay, and all spaces.

        Another space may lead soon. Means are geometric: too long by a factor is as bad as too short by it.
        """
        pace = self.paces.get(way)
        if pace is not None and pace.trainings > 0:
            return pace.seconds / pace.trainings
        known = {name: one.seconds / one.trainings for name, one in self.spaces.items() if one.seconds > 0}
        if not known:
            return together.seconds / together.trainings
        middle = geometric_mean(known.values())
        return geometric_mean([known[space], middle]) if way in ("evolution", None) and space in known else middle


def _planning(pace: Pace | None, together: Pace) -> float:
    """Seconds of planning a round."""
    known = pace if pace is not None and pace.planned else together
    return known.planning / known.planned if known.planned else PLANNING_SECONDS

"""The report of a run: the winner, the baselines, the Pareto front, the trials and the times."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from nas.errors import RunError
from nas.input_file import read_json
from nas.metrics import METRICS
from nas.reports.confusion import Confusion
from nas.reports.fields import Fields
from nas.reports.rows.family_row import FamilyRow
from nas.reports.rows.front_row import FrontRow
from nas.reports.rows.network_row import NetworkRow
from nas.reports.rows.time_row import TimeRow
from nas.reports.rows.trial_row import TrialRow
from nas.reports.rows.way_row import WayRow
from nas.reports.sentence import headline, looked_up_headline, looked_up_sentence, looked_up_verdict, sentence
from nas.reports.worth import leaders, worth
from nas.study.agreement import Agreement
from nas.tasks.task import Task

VERSION = 1


@dataclass(frozen=True, kw_only=True)
class TaskFacts:
    """Facts about the task in a report; `train`, `validation` and `test` are sizes of the splits.

    Attributes:
        direction: direction of the metric, ``maximize`` or ``minimize``.
        looked_up: the columns and the table in which accuracies were looked up; empty if networks were trained.
    """

    name: str
    metric: str
    fingerprint: str
    description: str
    train: int
    validation: int
    test: int
    direction: str = "maximize"
    looked_up: str = ""

    @property
    def sign(self) -> float:
        """Factor 1 or -1 that makes larger values of the metric better."""
        return -1.0 if self.direction == "minimize" else 1.0

    @classmethod
    def of(cls, task: Task, *, looked_up: str = "") -> "TaskFacts":
        """The facts of a task."""
        return cls(
            name=task.name,
            metric=task.metric,
            fingerprint=task.fingerprint,
            description=task.description,
            train=len(task.train),
            validation=len(task.validation),
            test=len(task.test),
            direction=METRICS.load(task.metric).direction,
            looked_up=looked_up,
        )

    @classmethod
    def from_json(cls, data: object, place: str) -> "TaskFacts":
        """Read the facts from a report."""
        fields = Fields(data, place)
        return cls(
            name=fields.text("name"),
            metric=fields.text("metric"),
            fingerprint=fields.text("fingerprint"),
            description=fields.text("description"),
            train=fields.count("train"),
            validation=fields.count("validation"),
            test=fields.count("test"),
            direction=fields.text("direction") if "direction" in fields else "maximize",
            looked_up=fields.text("looked_up") if "looked_up" in fields else "",
        )


@dataclass(frozen=True, kw_only=True)
class Report:
    """The report of a run, which the terminal, the page and ``report.json`` show.

    Attributes:
        version: version of the program.
        task: facts about the task.
        config: the resolved configuration, as JSON.
        best: the winner.
        baselines: networks with which the winner is compared.
        front: the Pareto front, the most accurate first.
        trials: all trainings of the search.
        seconds: times by kind of work.
        random: what random search spent and found, if it was requested.
        confusion: confusion matrix of ``best.onnx`` on the test split; None if several answers may be right, or in an older report.
    """

    version: str
    task: TaskFacts
    config: Mapping[str, Any]
    best: NetworkRow
    baselines: tuple[NetworkRow, ...]
    front: tuple[FrontRow, ...]
    trials: tuple[TrialRow, ...]
    seconds: tuple[TimeRow, ...] = field(repr=False)
    random: WayRow | None = None
    confusion: Confusion | None = None

    @property
    def networks(self) -> tuple[NetworkRow, ...]:
        """The winner and the baselines."""
        return (self.best, *self.baselines)

    @cached_property
    def family(self) -> tuple[FamilyRow, ...]:
        """Where the winner comes from: its own training first, then those from which it descends; nothing if it was looked up."""
        if self.task.looked_up:
            return ()
        return FamilyRow.all(self.trials, self.best)

    @cached_property
    def ways(self) -> tuple[WayRow, ...]:
        """What each way of searching spent and found; nothing if accuracies were looked up, since nothing was spent."""
        if self.task.looked_up:
            return ()
        epochs = self.config.get("epochs")
        found = WayRow.all(
            self.trials,
            self.networks,
            epochs=epochs if isinstance(epochs, int) else 1,
            sign=self.task.sign,
        )
        return found if self.random is None else (*found, self.random)

    @cached_property
    def agreement(self) -> Agreement:
        """How well the scores ranked the candidates."""
        return Agreement.of(self.trials)

    @property
    def verdict(self) -> str:
        """One sentence that says whether the search was worth it."""
        if self.task.looked_up:
            return looked_up_verdict(self.best, self.baselines)
        return worth(self.best, self.baselines, self.trials, test=self.task.test, sign=self.task.sign)

    @property
    def leaders(self) -> str:
        """One sentence on the leaders that cannot be told apart; empty if there are none."""
        return leaders(self.best, self.trials, validation=self.task.validation, sign=self.task.sign)

    @property
    def headline(self) -> str:
        """One sentence with the result and whether it beats the baselines."""
        if self.task.looked_up:
            return looked_up_headline(self.best, self.task.metric, len(self.trials))
        return headline(self.best, self.baselines, self.task.name, self.task.metric, self.task.sign)

    @property
    def sentence(self) -> str:
        """One sentence with all figures."""
        if self.task.looked_up:
            return looked_up_sentence(self.best, self.baselines, self.task.looked_up, self.task.metric)
        return sentence(self.best, self.baselines, self.task.name, self.task.metric, self.task.sign)

    def to_json(self) -> dict[str, Any]:
        """As plain JSON values."""
        return {
            "format": VERSION,
            "version": self.version,
            "task": asdict(self.task),
            "config": dict(self.config),
            "best": self.best.to_json(),
            "baselines": {baseline.name: baseline.to_json() for baseline in self.baselines},
            "front": [row.to_json() for row in self.front],
            "trials": [row.to_json() for row in self.trials],
            "family": [row.to_json() for row in self.family],
            "ways": [row.to_json() for row in self.ways],
            "random": None if self.random is None else self.random.to_json(),
            "agreement": self.agreement.to_json(),
            "verdict": self.verdict,
            "leaders": self.leaders,
            "seconds": {row.part: row.seconds for row in self.seconds},
            "headline": self.headline,
            "sentence": self.sentence,
            "confusion": None if self.confusion is None else self.confusion.to_json(),
        }

    @classmethod
    def from_json(cls, data: object, place: str = "the report") -> "Report":
        """Read what `to_json` wrote; `RunError` names the fault. Texts are created again from the figures."""
        fields = Fields(data, place)
        if fields.count("format") != VERSION:
            raise RunError(f"{place} is of format {fields.count('format')}; this version reads format {VERSION}")
        return cls(
            version=fields.text("version"),
            task=TaskFacts.from_json(fields.value("task"), f"{place}, 'task'"),
            config=fields.mapping("config"),
            best=NetworkRow.from_json(fields.value("best"), f"{place}, 'best'"),
            baselines=tuple(
                NetworkRow.from_json(row, f"{place}, baseline {name!r}")
                for name, row in fields.mapping("baselines").items()
            ),
            front=tuple(
                FrontRow.from_json(row, f"{place}, row {number} of 'front'")
                for number, row in enumerate(fields.items("front"))
            ),
            trials=TrialRow.all_from_json(fields.items("trials", least=1), place),
            seconds=tuple(TimeRow(part, seconds) for part, seconds in fields.numbers("seconds").items()),
            random=WayRow.from_json(fields.value("random"), f"{place}, 'random'") if "random" in fields else None,
            confusion=Confusion.from_json(fields.value("confusion"), f"{place}, 'confusion'")
            if "confusion" in fields
            else None,
        )


def read(path: Path) -> Report:
    """The report in a file; if it is missing or damaged, a `RunError` states how to write it again."""
    again = f"`nas resume {path.parent}`"
    if not path.exists():
        raise RunError(f"{path.parent} has no report yet: finish it with {again}")
    try:
        return Report.from_json(read_json(path, error=RunError), str(path))
    except RunError as error:
        raise RunError(f"{error}; write it anew with {again}") from None

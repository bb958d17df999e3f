"""The record of a search: an Optuna study in a journal file, to which only finished trainings are added.

Samplers work on copies in memory, so the journal never holds a running trial, and a kill leaves no unfinished one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import DecimalException
from pathlib import Path
from typing import Any

import optuna
from optuna.exceptions import OptunaError
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState

from nas.errors import RunError
from nas.study.constraints import Constraint
from nas.study.journal_file import ChecksumBackend, check, repair
from nas.study.objectives import Objective, main_of, values
from nas.study.trial import Proposal, Score, Trial
from nas.study.way import of_first_trainings, read_way
from search_spaces import Candidate, SpaceError, Ticket

STUDY = "search"
METRIC_NAMES = "study:metric_names"
"""Where Optuna keeps the names of a study's values, which its dashboard and its figures show."""
LONGEST = 1e9
"""Seconds from which on a training's time is not believed; a journal may hold any number."""

STRANGE = (
    *(ArithmeticError, AssertionError, AttributeError, DecimalException, LookupError, MemoryError, RecursionError),
    *(TypeError, ValueError, OptunaError, SpaceError),
)
"""Errors that Optuna and this package raise for valid JSON that is not our record."""


class Record:
    """All trials of a run, on disk and in memory.

    Opening it for writing needs the run's lock, because it first removes a torn last line, which a kill or a full disk leaves.
    """

    def __init__(
        self,
        path: Path,
        objectives: Sequence[Objective],
        constraints: Sequence[Constraint] = (),
        *,
        read_only: bool = False,
    ) -> None:
        """Open the journal at `path`, or create it.

        Args:
            path: path of the journal.
            objectives: objectives of the search, which give the values of a trial.
            constraints: constraints of the search.
            read_only: whether to write nothing, not even a repair; then the journal must exist.

        Raises:
            RunError: a journal that is damaged, missing or not ours; the message names the line if it is known.
        """
        self._path, self._read_only = path, read_only
        self._objectives, self._constraints = tuple(objectives), tuple(constraints)
        lines = _lines_of_trials(path, read_only=read_only)
        try:
            self._study = _open(path, objectives, read_only=read_only)
            frozen = self._study.get_trials(deepcopy=False)
        except STRANGE as error:
            raise _not_ours(path, error) from error
        if len(frozen) != len(lines):
            raise RunError(f"{path} is damaged: it holds {len(lines)} trials, of which {len(frozen)} are of the search")
        trials = [_checked_trial(f"{path}, line {line}", one) for line, one in zip(lines, frozen, strict=True)]
        ways = of_first_trainings((trial.digest, trial.way) for trial in trials)
        self.trials: list[Trial] = [replace(trial, way=way) for trial, way in zip(trials, ways, strict=True)]

    @property
    def facts(self) -> Mapping[str, Any]:
        """Facts that the study stores in addition to its trials."""
        return self._study.user_attrs

    def _require_writable(self) -> None:
        if self._read_only:
            raise RunError(f"{self._path} was opened for reading only")

    def remember(self, name: str, value: Any) -> None:
        """Store a fact about the study (JSON)."""
        self._require_writable()
        self._study.set_user_attr(name, value)

    def add(self, trial: Trial) -> None:
        """Write a finished training; it is on disk when this returns."""
        self._require_writable()
        if trial.number != len(self.trials):
            raise RunError(f"trial {trial.number} does not follow the {len(self.trials)} recorded ones")
        self._study.add_trial(to_frozen(trial, self._objectives, self._constraints))
        self.trials.append(trial)


def _lines_of_trials(path: Path, *, read_only: bool) -> tuple[int, ...]:
    """Check the journal. If it is opened for writing, also repair it and remove the lock of a dead writer."""
    if read_only:
        return check(path).trials
    for left in path.parent.glob(f"{path.name}.lock*"):
        left.unlink(missing_ok=True)
    if not path.exists():
        return ()
    found = check(path)
    repair(path, found)
    return found.trials


def _open(path: Path, objectives: Sequence[Objective], *, read_only: bool) -> optuna.Study:
    storage = JournalStorage(JournalFileBackend(str(path)) if read_only else ChecksumBackend(path))
    if read_only or STUDY in optuna.get_all_study_names(storage):
        return optuna.load_study(study_name=STUDY, storage=storage)
    study = optuna.create_study(study_name=STUDY, storage=storage, directions=[o.direction for o in objectives])
    # `study.set_metric_names` does the same, and warns that it is experimental.
    storage.set_study_system_attr(storage.get_study_id_from_name(STUDY), METRIC_NAMES, [o.name for o in objectives])
    return study


def to_frozen(trial: Trial, objectives: Sequence[Objective], constraints: Sequence[Constraint] = ()) -> FrozenTrial:
    """The trial as an Optuna trial: accuracies and costs are values, scores are only attributes."""
    proposal = trial.proposal or Proposal(candidate=trial.candidate)
    attributes = {name: value for name, value in trial.to_json().items() if name not in ("number", "digest")}
    attributes["digest"] = trial.digest
    frozen = optuna.trial.create_trial(
        state=TrialState.FAIL if trial.accuracy is None else TrialState.COMPLETE,
        values=None if trial.accuracy is None else values(objectives, trial.accuracy, trial.metrics),
        params=dict(proposal.params),
        distributions=dict(proposal.distributions),
        user_attrs=attributes,
        system_attrs=dict(proposal.system_attrs),
        constraints=_excesses(trial, objectives, constraints) or None,
    )
    if frozen.datetime_complete is not None and 0 <= trial.seconds < LONGEST:
        frozen.datetime_start = frozen.datetime_complete - timedelta(seconds=trial.seconds)
    return frozen


def _excesses(trial: Trial, objectives: Sequence[Objective], constraints: Sequence[Constraint]) -> dict[str, float]:
    """The excess over each bound, without constraints on metrics that a failed training lacks."""
    known = {**trial.metrics} if trial.accuracy is None else {**trial.metrics, main_of(objectives).name: trial.accuracy}
    return {
        str(constraint): constraint.excess(known)
        for constraint in constraints
        if constraint.relative or constraint.metric in known
    }


def _not_ours(place: object, error: BaseException) -> RunError:
    return RunError(f"{place} was not written by `nas search`, or is damaged ({type(error).__name__}: {error})")


def _checked_trial(place: str, frozen: FrozenTrial) -> Trial:
    """The trial; refused if its candidate does not have the stored digest."""
    try:
        trial, digest = _from_frozen(frozen), frozen.user_attrs["digest"]
    except STRANGE as error:
        raise _not_ours(place, error) from error
    if digest != trial.digest:
        raise RunError(
            f"{place} is damaged: its candidate has the digest {trial.digest}, not {str(digest)[:40]!r} as stored"
        )
    return trial


def _from_frozen(frozen: FrozenTrial) -> Trial:
    """The trial that `to_frozen` wrote; any other input raises one of the errors in `STRANGE`."""
    data = frozen.user_attrs
    candidate = Candidate.from_json(data["candidate"])
    score = data["score"]
    return Trial(
        number=frozen.number,
        round=int(data["round"]),
        repeat=int(data["repeat"]),
        candidate=candidate,
        accuracy=None if data["accuracy"] is None else float(data["accuracy"]),
        train_accuracy=None if data.get("train_accuracy") is None else float(data["train_accuracy"]),
        score=None if score is None else Score(float(score["mean"]), float(score["std"])),
        metrics={"nnz": _number(data["metrics"]["nnz"]), **{name: _number(v) for name, v in data["metrics"].items()}},
        seconds=float(data["seconds"]),
        seed=int(data["seed"]),
        dead_units=int(data["dead_units"]),
        cost=float(data.get("cost", 1.0)),
        ticket=_ticket(data.get("ticket")),
        error=str(data["error"]),
        way=read_way(data.get("way"), data["candidate"], int(data["round"])),
        proposal=Proposal(
            candidate=candidate,
            params=frozen.params,
            distributions=frozen.distributions,
            system_attrs={k: v for k, v in frozen.system_attrs.items() if not k.startswith("constraints")},
        ),
    )


def _ticket(data: object) -> Ticket | None:
    """The ticket, checked; none in journals of older versions."""
    if data is None:
        return None
    ticket = Ticket(**data)  # type: ignore[arg-type]
    ticket.bits()
    return ticket


def _number(value: object) -> float:
    """The number, unchanged as int or float; `TypeError` for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{value!r} is no number")
    return value

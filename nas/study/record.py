"""The record of a search: an Optuna study in a journal file, to which only finished trainings are added.

Samplers work on copies in memory, so the journal never holds a trial that is still running: nothing can be left over by a kill.
"""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState

from nas.errors import RunError
from nas.study.constraints import Constraint
from nas.study.objectives import Objective, values
from nas.study.trial import Proposal, Score, Trial
from search_spaces.candidate import Candidate
from search_spaces.errors import SpaceError

STUDY = "search"


class Record:
    """All trials of a run, on disk and in memory.

    Opening it needs the run's lock: a torn last line, left by a kill or a full disk, is cut off first.
    """

    def __init__(self, path: Path, objectives: Sequence[Objective], constraints: Sequence[Constraint] = ()) -> None:
        """Open the journal at `path`, or begin one."""
        _repair(path)
        self._objectives, self._constraints = tuple(objectives), tuple(constraints)
        try:
            self._study = _open(path, objectives)
            self.trials: list[Trial] = [_from_frozen(frozen) for frozen in self._study.get_trials(deepcopy=False)]
        except (KeyError, TypeError, AttributeError, AssertionError, ValueError, SpaceError) as error:
            # What Optuna and we raise on valid JSON that is no record of ours.
            raise RunError(
                f"{path} was not written by `nas search`, or is damaged ({type(error).__name__}: {error})"
            ) from error

    @property
    def facts(self) -> Mapping[str, Any]:
        """What the study remembers beside its trials."""
        return self._study.user_attrs

    def remember(self, name: str, value: Any) -> None:
        """Store a fact about the study (JSON)."""
        self._study.set_user_attr(name, value)

    def add(self, trial: Trial) -> None:
        """Write a finished training; it is on disk when this returns."""
        if trial.number != len(self.trials):
            raise RunError(f"trial {trial.number} does not follow the {len(self.trials)} recorded ones")
        self._study.add_trial(to_frozen(trial, self._objectives, self._constraints))
        self.trials.append(trial)


def _open(path: Path, objectives: Sequence[Objective]) -> optuna.Study:
    storage = JournalStorage(JournalFileBackend(str(path)))
    if STUDY in optuna.get_all_study_names(storage):
        return optuna.load_study(study_name=STUDY, storage=storage)
    return optuna.create_study(study_name=STUDY, storage=storage, directions=[o.direction for o in objectives])


def to_frozen(trial: Trial, objectives: Sequence[Objective], constraints: Sequence[Constraint] = ()) -> FrozenTrial:
    """The trial in Optuna's form: accuracies and costs are values, scores are attributes only."""
    proposal = trial.proposal or Proposal(candidate=trial.candidate)
    attributes = {name: value for name, value in trial.to_json().items() if name not in ("number", "digest")}
    attributes["digest"] = trial.digest
    return optuna.trial.create_trial(
        state=TrialState.FAIL if trial.accuracy is None else TrialState.COMPLETE,
        values=None if trial.accuracy is None else values(objectives, trial.accuracy, trial.metrics),
        params=dict(proposal.params),
        distributions=dict(proposal.distributions),
        user_attrs=attributes,
        system_attrs=dict(proposal.system_attrs),
        constraints={str(constraint): constraint.excess(trial.metrics) for constraint in constraints} or None,
    )


def _from_frozen(frozen: FrozenTrial) -> Trial:
    """The trial that `to_frozen` wrote; anything else raises one of the errors that `Record` expects."""
    data = frozen.user_attrs
    candidate = Candidate.from_json(data["candidate"])
    score = data["score"]
    return Trial(
        number=frozen.number,
        round=int(data["round"]),
        repeat=int(data["repeat"]),
        candidate=candidate,
        accuracy=None if data["accuracy"] is None else float(data["accuracy"]),
        score=None if score is None else Score(float(score["mean"]), float(score["std"])),
        metrics={"nnz": _number(data["metrics"]["nnz"]), **{name: _number(v) for name, v in data["metrics"].items()}},
        seconds=float(data["seconds"]),
        seed=int(data["seed"]),
        dead_units=int(data["dead_units"]),
        error=str(data["error"]),
        proposal=Proposal(
            candidate=candidate,
            params=frozen.params,
            distributions=frozen.distributions,
            system_attrs={k: v for k, v in frozen.system_attrs.items() if not k.startswith("constraints")},
        ),
    )


def _number(value: object) -> float:
    """The number as it was written, whole or not; `TypeError` for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{value!r} is no number")
    return value


def _repair(path: Path) -> None:
    """Cut a torn last line off a journal and drop a dead writer's lock; a damaged line elsewhere is a `RunError`."""
    path.with_name(path.name + ".lock").unlink(missing_ok=True)
    if not path.exists():
        return
    content = path.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    for number, line in enumerate(whole.splitlines(), start=1):
        try:
            sound = isinstance(json.loads(line), dict)
        except ValueError:
            sound = False
        if not sound:
            raise RunError(f"{path} is damaged in line {number}: {line[:60].decode(errors='replace')!r}")
    if len(whole) < len(content):
        with path.open("r+b") as file:
            file.truncate(len(whole))
            os.fsync(file.fileno())

"""What a study knows about a space: its trials read again as candidates. Nothing but the study is needed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from nas.engine.strategies.asked_trial import AskedTrial, Param
from nas.optuna.trial_space import TrialSpace
from search_spaces import Candidate, RecordedTrial, SpaceError


@dataclass(frozen=True, eq=False)
class Told:
    """A trial of the study that proposes a candidate.

    Attributes:
        trial: the trial.
        candidate: its candidate.
        params: those of its parameters that the space asks for.
    """

    trial: FrozenTrial
    candidate: Candidate
    params: Mapping[str, Param]


@dataclass(eq=False)
class CandidateReader:
    """Reads candidates from the parameters of trials; each is read once.

    Attributes:
        space: space of the candidates.
    """

    space: TrialSpace
    _known: dict[str, tuple[Candidate, Mapping[str, Param]] | None] = field(default_factory=dict)

    def read(self, params: Mapping[str, Any]) -> tuple[Candidate, Mapping[str, Param]] | None:
        """The candidate with its own parameters.

        None if parameters are missing or impossible: the trial is of something else, or has just begun.
        """
        key = repr(sorted(params.items()))
        if key not in self._known:
            asked = AskedTrial(RecordedTrial(params))
            try:
                self._known[key] = self.space.suggest(asked), asked.params
            except SpaceError:
                self._known[key] = None
        return self._known[key]

    def told(self, study: Study, *states: TrialState) -> list[Told]:
        """The study's trials in one of these states that propose a candidate, in order."""
        trials = study.get_trials(deepcopy=False, states=states)
        return [Told(trial, *known) for trial in trials if (known := self.read(trial.params)) is not None]

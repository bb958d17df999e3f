"""Shared by the Optuna strategies: a study in memory, rebuilt each round from the measured trials, proposes candidates.

A sampler never gets the journal: after a kill, the trials that it proposed would stay "running" there.
"""

from collections.abc import Callable, Sequence

import numpy as np
import optuna
from optuna.samplers import BaseSampler
from optuna.trial import TrialState

from nas.engine.pool import Pool
from nas.engine.strategies.strategy import patience
from nas.study.record import to_frozen
from nas.study.trial import Proposal, Trial


def fill(
    pool: Pool, trials: Sequence[Trial], count: int, rng: np.random.Generator, sampler: Callable[[int], BaseSampler]
) -> None:
    """Ask a sampler, seeded from `rng`, until the pool holds `count` candidates. Refused ones are reported to it as failed."""
    study = optuna.create_study(
        directions=[objective.direction for objective in pool.objectives], sampler=sampler(int(rng.integers(2**31)))
    )
    for trial in trials:
        if trial.repeat == 0 and trial.proposal is not None and trial.proposal.params:
            study.add_trial(to_frozen(trial, pool.objectives))
    while len(pool) < count and pool.refused < patience(count):
        asked = study.ask()
        candidate = pool.space.suggest(asked)
        # A sampler writes its own notes (NSGA-II: the generation) when the trial begins or a parameter is drawn.
        frozen = study.get_trials(deepcopy=False)[asked.number]
        proposal = Proposal(
            candidate=candidate,
            params=dict(frozen.params),
            distributions=dict(frozen.distributions),
            system_attrs={k: v for k, v in frozen.system_attrs.items() if isinstance(v, int | float | str)},
        )
        if not pool.offer(proposal):
            study.tell(asked, state=TrialState.FAIL)

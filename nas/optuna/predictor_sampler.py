"""An Optuna sampler that proposes networks by their predicted accuracy, as BANANAS does (White et al. 2021, arXiv:1910.11858).

BANANAS reads paths of operators and trusts Thompson samples of an ensemble; this sampler reads the structure graph with its masks, and
alternates between greedy and optimistic choices (`nas.engine.acquisition`). Several objectives become one at random, as in ParEGO
(Knowles 2006). A running trial counts as one of middling value, a constant liar (Ginsbourger et al. 2010).
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, TPESampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from nas.engine.acquisition import pick
from nas.errors import UsageError
from nas.optuna import shares
from nas.optuna.history import CandidateReader, Told
from nas.optuna.proposals import Proposed, propose
from nas.optuna.structure_scores import StructureScores
from nas.optuna.trial_space import TrialSpace
from nas.ranges import require_number, require_whole
from nas.seeds import derive, generator
from nas.tasks.task import Task
from predictors import Predictor, StructureGraph, TaskDescription, needs_task

PARENTS = 5
"""Number of the best finished trials whose parameters are changed."""
REFITS = 20
"""A new predictor is fitted when the number of finished trials has grown by one part in so many."""
FIXED = "fixed_params"
"""Where Optuna keeps the parameters of `study.enqueue_trial`."""
_CHOICE = threading.Lock()
"""Held from the look at what runs until the choice is noted, or else two threads choose one network. Not a field: samplers are pickled."""


class PredictorSampler(BaseSampler):
    """Proposes the parameters of networks that a predictor expects most of; for `study.optimize` with any objective.

    Before each trial it draws candidates of the space, at random and as changes of the best finished ones, reads their structure,
    predicts them by a predictor that learnt from the finished trials of the study, and takes one. It keeps no state of its own: a study
    that is loaded again goes on. Failed, pruned and foreign trials are not learnt from. No network is
    proposed twice, also none that runs, failed or was pruned.

    The predictor sees the network only. Parameters that the space does not ask for, such as a learning rate, come from `fallback`.

    Args:
        space: space of the networks; the objective calls ``space.suggest(trial)``.
        task: what the networks are trained on, if the shipped predictor shall help while few trials are finished: a name that it knows
            (``digits``), a `nas.Task`, or a `predictors.TaskDescription`.
        predictor: name of the predictor (`nas list predictors`); None takes ``quick-warm`` with a task, else ``quick``.
        candidates: number of candidates built and scored before a trial.
        explore: probability of a trial that is drawn at random among the candidates.
        fallback: sampler of the parameters that the space does not ask for; None takes Optuna's `TPESampler`.
        encode: reads the structure graph of a network, such as a cache of your own does; None takes `predictors.encode`.
        seed: seed of everything random; a trial's draws depend on it and on the trial's number. None takes one from the system.

    Raises:
        UsageError: a number out of range, or a predictor that needs a task and gets none.
        PredictorError: a predictor or a task that does not exist.
    """

    def __init__(
        self,
        space: TrialSpace,
        *,
        task: str | Task | TaskDescription | None = None,
        predictor: str | None = None,
        candidates: int = 32,
        explore: float = 0.125,
        fallback: BaseSampler | None = None,
        encode: Callable[[ir.Model], StructureGraph] | None = None,
        seed: int | None = None,
    ) -> None:
        """See the class."""
        require_whole("candidates", candidates, 1)
        require_number("explore", explore, 0, 1)
        name = predictor or ("quick" if task is None else "quick-warm")
        if needs_task(name) and task is None:
            raise UsageError(f"predictor {name!r} knows several tasks: say which by task=, a name or a description")
        self._space, self._candidates, self._explore, self._fallback = space, candidates, explore, fallback
        self._reader = CandidateReader(space)
        self._scores = StructureScores(space, name, _described(task), encode)
        self._seed = _fresh_seed() if seed is None else seed
        self._proposed: dict[tuple[str, int], Proposed] = {}

    def reseed_rng(self) -> None:
        """Draw differently from now on; Optuna asks for it when trials run in parallel threads."""
        self._seed = _fresh_seed()
        if self._fallback is not None:
            self._fallback.reseed_rng()

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        """Pass it on to the fallback."""
        self._of_others(trial, "").before_trial(study, trial)

    def after_trial(self, study: Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None) -> None:
        """Forget the proposal: the study has its parameters."""
        self._proposed.pop((study.study_name, trial.number), None)
        self._of_others(trial, "").after_trial(study, trial, state, values)

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Choose the candidate of a trial; returns what its parameters are drawn from.

        A network of another kind has other parameters, so the choice comes before the space. Empty if the space has no new candidate.
        """
        with _CHOICE:
            chosen = self._choose(study, trial)
            if chosen is None:
                return {}
            self._proposed[study.study_name, trial.number] = chosen
        return dict(chosen.distributions)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """The parameters of the candidate; those that it lacks are drawn independently."""
        chosen = self._proposed.get((study.study_name, trial.number))
        params: Mapping[str, Any] = {} if chosen is None else chosen.params
        return {
            name: params[name] if name in params else self.sample_independent(study, trial, name, distribution)
            for name, distribution in search_space.items()
        }

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """A parameter that the candidate does not have, from the fallback."""
        return self._of_others(trial, param_name).sample_independent(study, trial, param_name, param_distribution)

    def _of_others(self, trial: FrozenTrial, name: str) -> BaseSampler:
        """The sampler of other parameters. The default one has no state: its draws depend on trial and parameter."""
        if self._fallback is not None:
            return self._fallback
        seed = derive(self._seed, "fallback", trial.number, name) % 2**31
        return TPESampler(seed=seed, multivariate=False)

    def _choose(self, study: Study, trial: FrozenTrial) -> Proposed | None:
        """The next candidate; None if there is no new one."""
        finished = self._reader.told(study, TrialState.COMPLETE)
        running = self._reader.told(study, TrialState.RUNNING)
        given_up = self._reader.told(study, TrialState.FAIL, TrialState.PRUNED)
        values = self._values(study, finished)
        predictor = self._fitted(finished, values, running)
        best = np.argsort(-values, kind="stable")[:PARENTS]
        rng = generator(self._seed, "candidates", trial.number)
        pool = propose(
            self._space,
            1 if predictor is None else self._candidates,
            [finished[place].params for place in best],
            fixed=trial.system_attrs.get(FIXED, {}),
            taken={one.candidate.digest for one in (*finished, *running, *given_up)} | self._under_way(study),
            rng=rng,
        )
        if not pool:
            return None
        return pool[0] if predictor is None else self._best(pool, predictor, trial.number, rng)

    def _under_way(self, study: Study) -> set[str]:
        """Digests of what this process proposed for trials that run; the study may not have all their parameters yet."""
        return {one.candidate.digest for (name, _), one in list(self._proposed.items()) if name == study.study_name}

    def _best(self, pool: Sequence[Proposed], predictor: Predictor, slot: int, rng: np.random.Generator) -> Proposed:
        """The candidate that the acquisition takes."""
        graphs = [self._scores.encode(one.model) for one in pool]
        said = predictor.predict(graphs)
        places = list(range(len(pool)))
        place = pick(places, slot, lambda optimism: said.mean + optimism * said.std, explore=self._explore, rng=rng)
        self._scores.keep(pool[place].candidate, graphs[place])
        return pool[place]

    def _values(self, study: Study, finished: Sequence[Told]) -> NDArray[np.float64]:
        """How good finished trials are, from 0 to 1; with several objectives in a direction that changes with every refit."""
        rng = generator(self._seed, "objectives", _learnt_from(len(finished)))
        return shares.of_trials([one.trial for one in finished], study.directions, rng)

    def _fitted(
        self, finished: Sequence[Told], values: NDArray[np.float64], running: Sequence[Told]
    ) -> Predictor | None:
        """A predictor that learnt from finished trials, and from running ones as if they had the median value."""
        learnt = finished[: _learnt_from(len(finished))]
        measured: dict[str, list[float]] = {}
        for one, value in zip(learnt, values.tolist(), strict=False):
            measured.setdefault(one.candidate.digest, []).append(value)
        if learnt:
            for one in running:
                measured.setdefault(one.candidate.digest, [float(np.median(values))])
        return self._scores.fit(
            {one.candidate.digest: one.candidate for one in (*learnt, *running)},
            {digest: float(np.mean(several)) for digest, several in measured.items()},
            derive(self._seed, "fit") % 2**31,
        )


def _learnt_from(finished: int) -> int:
    """The number of finished trials that the predictor learns from: it is not fitted again after every trial of a long study."""
    return finished - finished % max(1, finished // REFITS)


def _fresh_seed() -> int:
    return int(np.random.SeedSequence().generate_state(1, np.uint64)[0] >> np.uint64(1))


def _described(task: str | Task | TaskDescription | None) -> TaskDescription | None:
    """The description of a task."""
    if task is None or isinstance(task, TaskDescription):
        return task
    if isinstance(task, Task):
        from nas.tasks.description import describe

        return describe(task)
    import predictors

    return predictors.load("default").described(task)

"""Conformance tests for strategies; they run over the table of names, so that a new strategy is tested automatically."""

from collections.abc import Iterable

import numpy as np

import search_spaces
from nas.engine import strategies
from nas.engine.pool import Pool
from nas.study import constraints, objectives
from nas.study.trial import Proposal, Trial
from search_spaces import Signature


class StrategyContract:
    """Conformance tests of a strategy; inherit and parametrise over ``name``."""

    def pool(self, taken: Iterable[str] = ()) -> Pool:
        """An empty pool over small MLPs of at most 60 non-zeros."""
        bounds, goals = constraints.parse_all(["nnz<=60"]), objectives.parse(["accuracy", "-nnz"])
        space = search_spaces.create("mlp", Signature(input_shape=(8,), outputs=3), max_nnz=60)
        return Pool(space, bounds, goals, taken=taken)

    def trials(self, name: str, count: int) -> list[Trial]:
        """Trials proposed by the strategy itself, with accuracies that grow with the non-zeros."""
        trials: list[Trial] = []
        while len(trials) < count:
            pool = self.pool(taken=[trial.digest for trial in trials])
            strategies.create(name).fill(pool, trials, 6, rng=np.random.default_rng(len(trials)), trainings=48)
            for member in pool.members:
                number = len(trials)
                trials.append(
                    Trial(
                        number=number,
                        round=number // 6,
                        repeat=0,
                        candidate=member.proposal.candidate,
                        accuracy=member.metrics["nnz"] / 100,
                        score=None,
                        metrics=member.metrics,
                        seconds=1.0,
                        seed=number,
                        proposal=member.proposal,
                    )
                )
        return trials

    def test_fills_the_pool_within_the_constraints(self, name: str) -> None:
        """The pool gets the wanted number of candidates, each feasible and new."""
        trials = self.trials(name, 12)
        pool = self.pool(taken=[trial.digest for trial in trials])
        strategies.create(name).fill(pool, trials, 9, rng=np.random.default_rng(5), trainings=48)
        digests = {member.digest for member in pool.members}
        assert len(digests) == len(pool) == 9
        assert not digests & {trial.digest for trial in trials}
        assert all(member.metrics["nnz"] <= 60 for member in pool.members)

    def test_same_history_and_generator_same_proposals(self, name: str) -> None:
        """A resumed search proposes the same candidates as an uninterrupted one."""
        trials = self.trials(name, 12)
        runs = []
        for _ in range(2):
            pool = self.pool()
            strategies.create(name).fill(pool, trials, 6, rng=np.random.default_rng(3), trainings=48)
            runs.append([member.digest for member in pool.members])
        assert runs[0] == runs[1]

    def test_another_generator_other_proposals(self, name: str) -> None:
        """Another generator gives other candidates."""
        trials = self.trials(name, 12)
        runs = []
        for seed in (1, 2):
            pool = self.pool()
            strategies.create(name).fill(pool, trials, 6, rng=np.random.default_rng(seed), trainings=48)
            runs.append([member.digest for member in pool.members])
        assert runs[0] != runs[1]

    def test_gives_up_when_nothing_is_feasible(self, name: str) -> None:
        """With a constraint that no candidate meets, filling stops instead of looping forever."""
        pool = self.pool()
        pool.constraints = constraints.parse_all(["nnz>=100000"])
        strategies.create(name).fill(pool, [], 2, rng=np.random.default_rng(0), trainings=8)
        assert len(pool) == 0

    def test_survives_failed_trials(self, name: str) -> None:
        """A failed training does not stop the strategy."""
        trials = self.trials(name, 6)
        failed = Trial(
            number=6,
            round=1,
            repeat=0,
            candidate=trials[0].candidate,
            accuracy=None,
            score=None,
            metrics=trials[0].metrics,
            seconds=0.0,
            seed=0,
            error="loss is not finite",
            proposal=Proposal(candidate=trials[0].candidate),
        )
        pool = self.pool()
        strategies.create(name).fill(pool, [*trials, failed], 4, rng=np.random.default_rng(0), trainings=48)
        assert len(pool) == 4

import numpy as np
import pytest

from nas.engine import strategies
from nas.engine.strategies.testing import StrategyContract
from nas.errors import UsageError

FILLING = sorted(name for name in strategies.STRATEGIES if hasattr(strategies.STRATEGIES.load(name), "fill"))
"""Strategies that fill pools; the guided one plans whole rounds."""


@pytest.mark.parametrize("name", FILLING)
class TestEveryStrategy(StrategyContract):
    pass


def test_an_unknown_strategy_names_the_nearest():
    with pytest.raises(UsageError, match="unknown strategy 'evolutoin'; did you mean 'evolution'"):
        strategies.create("evolutoin")


def test_evolution_breeds_from_the_accurate():
    contract = StrategyContract()
    trials = contract.trials("evolution", 24)
    pool = contract.pool(taken=[trial.digest for trial in trials])
    strategies.create("evolution").fill(pool, trials, 40, rng=np.random.default_rng(0), trainings=48)
    measured = np.mean([trial.metrics["nnz"] for trial in trials])
    assert np.mean([member.metrics["nnz"] for member in pool.members]) > measured + 3

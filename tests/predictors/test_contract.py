import functools
from dataclasses import replace

import pytest

from predictors.library.loading import create, shipped
from predictors.models.boosted import BoostedOptions
from predictors.models.ensemble import EnsembleOptions, EnsemblePredictor
from predictors.models.forest import ForestOptions
from predictors.models.gnn.gnn import GNNOptions, GNNPredictor
from predictors.models.origins import OriginsPredictor
from predictors.models.warm import QuickWarmPredictor, WarmPredictor
from predictors.registry import PREDICTORS, needs_task
from predictors.testing import PredictorContract, synthetic_graphs

SMALL = GNNOptions(members=2, hidden=16, layers=2, unit_hidden=8, unit_layers=1, steps=40, epochs=1)
SMALL_ENSEMBLE = EnsembleOptions(
    folds=2,
    forest=ForestOptions(trees=20),
    boosted=BoostedOptions(trees=40, learning_rate=0.2),
    network=replace(SMALL, steps=20),
)
QUICK = {
    "gnn": functools.partial(GNNPredictor, SMALL),
    "ensemble": functools.partial(EnsemblePredictor, SMALL_ENSEMBLE),
    "origins": functools.partial(OriginsPredictor, lambda _: create("linear")),
    "quick-warm": lambda: QuickWarmPredictor(source=shipped().predictor),
    "warm": lambda: WarmPredictor(SMALL_ENSEMBLE, source=shipped().predictor),
}


@functools.cache
def _contract(name):
    return PredictorContract(
        QUICK.get(name, functools.partial(create, name)),
        learns=name != "constant",
        task=shipped().tasks["digits"] if needs_task(name) else None,
    )


@pytest.mark.parametrize("check", PredictorContract.checks())
@pytest.mark.parametrize("name", PREDICTORS)
def test_contract(name, check, monkeypatch):
    if name in ("warm", "quick-warm") and check == "check_damaged_arrays":
        _from_few_arrays(name, monkeypatch).run(check)
    else:
        _contract(name).run(check)


def _from_few_arrays(name, monkeypatch):
    """A warm start from a small predictor; restoring one computes the digest of all arrays of its source."""
    graphs, accuracies = synthetic_graphs(40)
    source = create("density").fit(graphs, accuracies)
    monkeypatch.setattr("predictors.testing.shipped_predictor", lambda: source)
    warm = {
        "warm": functools.partial(WarmPredictor, SMALL_ENSEMBLE, source=source),
        "quick-warm": functools.partial(QuickWarmPredictor, source=source),
    }
    return PredictorContract(warm[name], task=shipped().tasks["digits"])


def test_the_contract_fails_a_predictor_that_breaks_it():
    class Careless(type(create("constant"))):
        def predict(self, graphs):
            return type(super().predict(graphs))(super().predict(graphs).mean, super().predict(graphs).std - 1)

    with pytest.raises(AssertionError, match="std is negative"):
        PredictorContract(Careless).run("check_shapes")
    with pytest.raises(AssertionError, match="of a signal"):
        PredictorContract(functools.partial(create, "constant")).run("check_learns")

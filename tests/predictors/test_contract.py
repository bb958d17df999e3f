import functools

import pytest

from predictors.library.loading import create, shipped
from predictors.models.ensemble import EnsembleOptions, EnsemblePredictor
from predictors.models.gnn.gnn import GNNOptions, GNNPredictor
from predictors.models.warm import WarmPredictor
from predictors.registry import PREDICTORS, needs_task
from predictors.testing import PredictorContract

SMALL = GNNOptions(members=2, hidden=16, layers=2, unit_hidden=8, unit_layers=1, steps=100, epochs=1)
SMALL_ENSEMBLE = EnsembleOptions(folds=2, network=SMALL)
QUICK = {
    "gnn": functools.partial(GNNPredictor, SMALL),
    "ensemble": functools.partial(EnsemblePredictor, SMALL_ENSEMBLE),
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
def test_contract(name, check):
    _contract(name).run(check)


def test_the_contract_fails_a_predictor_that_breaks_it():
    class Careless(type(create("constant"))):
        def predict(self, graphs):
            return type(super().predict(graphs))(super().predict(graphs).mean, super().predict(graphs).std - 1)

    with pytest.raises(AssertionError, match="std is negative"):
        PredictorContract(Careless).run("check_shapes")
    with pytest.raises(AssertionError, match="of a signal"):
        PredictorContract(functools.partial(create, "constant")).run("check_learns")

"""The Gaussian process: gradient, interpolation, uncertainty, inducing networks."""

import numpy as np
import pytest

from predictors.errors import InvalidPredictorError
from predictors.features.matrix import matrix
from predictors.models import gaussian_process as module
from predictors.models.gaussian_process import GROUPS, MEMBERS, GaussianProcessOptions, GaussianProcessPredictor
from predictors.testing import synthetic_graphs


def test_every_feature_is_in_one_group():
    assert len(set(GROUPS)) == len(GROUPS)
    assert (MEMBERS.sum(axis=0) == 1).all()


def test_the_gradient_is_that_of_the_loss():
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(20, MEMBERS.shape[1]))
    varies = np.ones(rows.shape[1], bool)
    varies[MEMBERS[2]] = False  # a group without information
    terms = module._Terms(module._Rows(rows, varies), module._Rows(rows, varies))
    prior = module._start(len(terms.groups))
    scales, targets = prior + 0.3 * rng.normal(size=len(prior)), rng.normal(size=20)
    _, gradient = module._loss(scales, terms, targets, prior)
    step = 1e-5
    numeric = [
        (module._loss(scales + move, terms, targets, prior)[0] - module._loss(scales - move, terms, targets, prior)[0])
        / (2 * step)
        for move in step * np.eye(len(scales))
    ]
    np.testing.assert_allclose(gradient, numeric, atol=1e-6)


def test_uncertainty_grows_away_from_the_training_networks():
    graphs, accuracies = synthetic_graphs(60)
    fitted = GaussianProcessPredictor().fit(graphs[:40], accuracies[:40])
    seen, unseen = fitted.predict_targets(graphs[:40]).std.mean(), fitted.predict_targets(graphs[40:]).std.mean()
    assert seen < unseen


def test_the_stated_interval_holds_what_it_says():
    graphs, accuracies = synthetic_graphs(240, seed=4)
    noisy = np.clip(accuracies + 0.02 * np.random.default_rng(1).normal(size=240), 0, 1)
    said = GaussianProcessPredictor().fit(graphs[:120], noisy[:120]).predict(graphs[120:])
    assert 0.8 <= np.mean((noisy[120:] >= said.low) & (noisy[120:] <= said.high)) <= 0.99


def test_a_few_inducing_networks_say_nearly_the_same():
    graphs, accuracies = synthetic_graphs(160, seed=2)
    exact = GaussianProcessPredictor().fit(graphs[:120], accuracies[:120])
    options = GaussianProcessOptions(inducing=80)
    sparse = GaussianProcessPredictor(options).fit(graphs[:120], accuracies[:120])
    assert len(sparse.arrays()["rows"]) == 80
    one, two = exact.predict(graphs[120:]), sparse.predict(graphs[120:])
    assert np.corrcoef(one.mean, two.mean)[0, 1] > 0.98
    assert np.median(two.std / one.std) == pytest.approx(1.0, abs=0.3)


def test_all_networks_as_inducing_ones_give_the_exact_process():
    graphs, accuracies = synthetic_graphs(30, seed=2)
    features = matrix(graphs).astype(float)
    spread = features.std(axis=0)
    rows = module._standardised(features, features.mean(axis=0), spread)
    scales = module._start(len(GROUPS))
    targets = (accuracies - accuracies.mean()) / accuracies.std()
    said = []
    for exact in (True, False):
        prior, data, weights = module._weights(rows, rows, targets, scales, spread > 0, exact)
        process = module.Process(
            centre=features.mean(axis=0),
            spread=spread,
            rows=rows.astype(np.float32),
            scales=scales,
            weights=weights,
            prior_factor=prior.astype(np.float64),
            data_factor=data.astype(np.float64),
            intercept=0.0,
            unit=1.0,
            training_graphs=30,
        )
        said.append(module._predict(process, features + 0.1))
    np.testing.assert_allclose(said[0].mean, said[1].mean, atol=2e-3)
    np.testing.assert_allclose(said[0].std, said[1].std, atol=2e-3)


def test_a_damaged_state_is_refused():
    graphs, accuracies = synthetic_graphs(12)
    arrays = GaussianProcessPredictor().fit(graphs, accuracies).arrays()
    with pytest.raises(InvalidPredictorError, match="impossible scales"):
        GaussianProcessPredictor.from_arrays({**arrays, "scales": arrays["scales"] + 100.0})
    with pytest.raises(InvalidPredictorError, match="rows"):
        GaussianProcessPredictor.from_arrays({**arrays, "rows": arrays["rows"][:, 1:]})


@pytest.mark.parametrize("wrong", [{"scaled": 1}, {"inducing": 1}, {"iterations": 0}])
def test_options_out_of_range(wrong):
    with pytest.raises(ValueError, match="need scaled"):
        GaussianProcessOptions(**wrong)

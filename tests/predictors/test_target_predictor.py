"""What regressions of targets have in common: calibration, interval, scale.

Where how well a predictor predicts does not matter, the predictors are small: few trees and few penalties.
"""

import numpy as np
import pytest

from predictors.calibration.scale import Scale, scores_at
from predictors.calibration.target import accuracy_of, to_target
from predictors.models.forest import ForestOptions, ForestPredictor
from predictors.models.gaussian_process import GaussianProcessOptions, GaussianProcessPredictor
from predictors.models.gnn.gnn import GNNOptions, GNNPredictor
from predictors.models.linear import LinearPredictor, _fit
from predictors.models.quick import QuickPredictor
from predictors.models.target_predictor import TargetPredictor, _agreement, every_scale
from predictors.task_description import TaskDescription
from predictors.testing import synthetic_graphs

CALIBRATED = [ForestPredictor, GaussianProcessPredictor, LinearPredictor, QuickPredictor]


class SmallForest(ForestPredictor):
    def __init__(self, options: ForestOptions | None = None) -> None:
        super().__init__(options or ForestOptions(trees=20))


SMALL = [SmallForest, GaussianProcessPredictor, LinearPredictor, QuickPredictor]


@pytest.fixture
def small(monkeypatch) -> None:
    """Few penalties of the elastic net, the strong ones, and few trees in the forest of `QuickPredictor`."""
    monkeypatch.setattr("predictors.models.linear.PENALTIES", np.geomspace(1.0, 0.3, 5))
    monkeypatch.setattr(
        QuickPredictor,
        "_fresh",
        lambda self: (GaussianProcessPredictor(), LinearPredictor(), SmallForest()),
    )


def heaps(count: int) -> tuple[list, np.ndarray]:
    """Networks whose accuracies are 1 or .1; with a better structure 1 is more frequent."""
    graphs, accuracies = synthetic_graphs(count)
    return graphs, np.where(np.random.default_rng(0).random(count) < accuracies, 1.0, 0.1)


@pytest.mark.parametrize("kind", CALIBRATED)
def test_the_mean_of_two_heaps_is_that_of_what_is_measured_on_other_networks(kind: type[TargetPredictor]):
    graphs, accuracies = heaps(360)
    predictor = kind().fit(graphs[:160], accuracies[:160])
    said, measured = predictor.predict(graphs[160:]).mean, accuracies[160:]
    middle = predictor._accuracies(predictor.predict_targets(graphs[160:]).mean)
    assert abs(said.mean() - measured.mean()) < 0.05
    assert np.mean((said - measured) ** 2) < np.mean((middle - measured) ** 2)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("kind", SMALL)
def test_calibration_ranks_as_the_targets_do(kind: type[TargetPredictor]):
    graphs, accuracies = synthetic_graphs(120)
    predictor = kind().fit(graphs[:60], accuracies[:60])
    order = np.argsort(predictor.predict_targets(graphs[60:]).mean)
    assert (np.diff(predictor.predict(graphs[60:]).mean[order]) >= 0).all()


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("kind", SMALL)
def test_a_fit_on_targets_forgets_the_calibration_before_it(kind: type[TargetPredictor]):
    graphs, accuracies = heaps(60)
    predictor = kind().fit(graphs, accuracies)
    assert "curve_scores" in predictor.arrays()
    predictor.fit_targets(graphs, to_target(accuracies))
    assert "curve_scores" not in predictor.arrays()
    middle = accuracy_of(predictor.predict_targets(graphs).mean)
    np.testing.assert_array_equal(predictor.predict(graphs).mean, middle)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("kind", SMALL)
def test_the_calibration_is_saved_with_the_predictor(kind: type[TargetPredictor]):
    graphs, accuracies = heaps(60)
    predictor = kind().fit(graphs, accuracies)
    again = kind.from_arrays(predictor.arrays())
    assert again._curve is not None
    np.testing.assert_array_equal(again.predict(graphs).mean, predictor.predict(graphs).mean)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("kind", [SmallForest, LinearPredictor])
def test_what_is_said_of_a_left_out_network_does_not_hang_on_its_own_target(kind: type[TargetPredictor]):
    graphs, accuracies = synthetic_graphs(40)
    targets = to_target(accuracies)
    moved = np.where(np.arange(40) == 7, targets + 1e-3, targets)
    said, again = (kind().fit_left_out(graphs, one).mean for one in (targets, moved))
    assert abs(again[7] - said[7]) < 2e-4, "the mean of all targets and the chosen penalty may move a little"
    assert not np.allclose(again, said, rtol=0, atol=1e-12)


def test_leaving_out_of_a_process_is_a_process_without_that_network():
    graphs, accuracies = synthetic_graphs(30)
    targets = to_target(accuracies)
    predictor = GaussianProcessPredictor()
    said, std = predictor.fit_left_out(graphs, targets)
    process = predictor._process
    assert process is not None
    from predictors.models.gaussian_process import _Rows, _Terms, _weights

    varies = process.spread > 0
    rows, scaled = process.rows.astype(np.float64), (targets - process.intercept) / process.unit
    for out in (0, 13, 29):
        kept = np.arange(30) != out
        _, _, weights = _weights(rows[kept], rows[kept], scaled[kept], process.scales, varies, True)
        cross = _Terms(_Rows(rows[[out]], varies), _Rows(rows[kept], varies)).kernel(process.scales)
        expected = float((cross @ weights)[0]) * process.unit + process.intercept
        np.testing.assert_allclose(said[out], expected, rtol=1e-9)
    assert (std > 0).all()


def test_of_networks_that_a_process_does_not_keep_nothing_is_known():
    graphs, accuracies = synthetic_graphs(80)
    options = GaussianProcessOptions(scaled=20, inducing=50)
    said = GaussianProcessPredictor(options).fit_left_out(graphs, to_target(accuracies)).mean
    assert np.isfinite(said).sum() == 50
    assert "curve_scores" in GaussianProcessPredictor(options).fit(graphs, accuracies).arrays()


def test_of_many_networks_a_forest_leaves_out_a_fifth(monkeypatch):
    graphs, accuracies = synthetic_graphs(300)
    monkeypatch.setattr("predictors.models.forest.ENOUGH", 300)
    predictor = ForestPredictor(ForestOptions(trees=10))
    assert np.isfinite(predictor.fit_left_out(graphs, to_target(accuracies)).mean).sum() == 60
    assert "curve_scores" in predictor.fit(graphs, accuracies).arrays()


def test_a_graph_network_is_calibrated_by_what_its_members_did_not_see():
    graphs, accuracies = heaps(60)
    predictor = GNNPredictor(GNNOptions(members=3, steps=6, epochs=3)).fit(graphs, accuracies)
    assert "curve_scores" in predictor.arrays()
    again = GNNPredictor.from_arrays(predictor.arrays())
    np.testing.assert_array_equal(again.predict(graphs).mean, predictor.predict(graphs).mean)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("kind", SMALL)
@pytest.mark.parametrize("count", [2, 19, 49])
def test_few_networks_are_not_calibrated(kind: type[TargetPredictor], count: int):
    graphs, accuracies = synthetic_graphs(count)
    predictor = kind().fit(graphs, accuracies)
    assert "curve_scores" not in predictor.arrays()
    assert np.isfinite(predictor.predict(graphs).mean).all()


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("kind", [GaussianProcessPredictor, LinearPredictor, QuickPredictor])
def test_the_scale_is_that_on_which_left_out_networks_are_ranked_best(kind: type[TargetPredictor], monkeypatch):
    graphs, accuracies = synthetic_graphs(40)
    scales = every_scale(graphs, to_target(accuracies))
    assert len(scales) == 3
    module = (
        "predictors.models.linear" if kind is not GaussianProcessPredictor else "predictors.models.gaussian_process"
    )
    judge = LinearPredictor if kind is QuickPredictor else kind
    fitted, agreements = [], []
    for scale in scales:
        with monkeypatch.context() as patched:
            patched.setattr(f"{module}.every_scale", lambda *_, only=scale: [only])
            said = judge().fit_left_out(graphs, scores_at(to_target(accuracies), scale)).mean
            agreements.append(_agreement(said, accuracies))
            fitted.append(kind().fit(graphs, accuracies).predict(graphs).mean)
    assert all((one != other).any() for place, one in enumerate(fitted) for other in fitted[:place])
    chosen = kind().fit(graphs, accuracies)
    np.testing.assert_array_equal(chosen.predict(graphs).mean, fitted[int(np.argmax(agreements))])


@pytest.mark.usefixtures("small")
def test_networks_of_several_tasks_and_few_networks_stay_on_the_scale_of_targets():
    graphs, accuracies = synthetic_graphs(40)
    tasks = [
        TaskDescription(samples=count, classes=10, inputs=64, one_nn=0.9, linear_probe=0.9) for count in (100, 9000)
    ]
    mixed = [graph.on(tasks[place % 2]) for place, graph in enumerate(graphs)]
    assert LinearPredictor().fit(mixed, accuracies).scale is None
    assert LinearPredictor().fit(graphs[:19], accuracies[:19]).scale is None


def test_the_scale_is_saved_with_the_predictor(monkeypatch):
    graphs, accuracies = synthetic_graphs(40)
    monkeypatch.setattr("predictors.models.linear.every_scale", lambda *_: [Scale.of_accuracies()])
    predictor = LinearPredictor().fit(graphs, accuracies)
    assert predictor.scale is not None
    again = LinearPredictor.from_arrays(predictor.arrays())
    for one, other in zip(
        again.predict(graphs).__dict__.values(), predictor.predict(graphs).__dict__.values(), strict=True
    ):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("kind", CALIBRATED)
def test_the_stated_interval_holds_what_it_says_also_of_two_heaps(kind: type[TargetPredictor]):
    graphs, accuracies = heaps(400)
    for measured in (accuracies, synthetic_graphs(400)[1]):
        said = kind().fit(graphs[:60], measured[:60]).predict(graphs[60:])
        assert np.mean((said.low <= measured[60:]) & (measured[60:] <= said.high)) > 0.8
        assert np.sqrt(np.mean((said.mean - measured[60:]) ** 2)) < 1.5 * np.sqrt(np.mean(said.std**2))


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("kind", SMALL)
def test_the_unit_of_the_targets_changes_nothing_but_the_unit(kind: type[TargetPredictor]):
    graphs, accuracies = synthetic_graphs(40)
    targets = to_target(accuracies)
    said, ten = (kind().fit_targets(graphs, unit * targets).predict_targets(graphs) for unit in (1.0, 10.0))
    np.testing.assert_allclose(ten.mean, 10 * said.mean, rtol=1e-3)
    np.testing.assert_allclose(ten.std, 10 * said.std, rtol=1e-3, atol=1e-9)


@pytest.mark.usefixtures("small")
def test_a_fit_that_is_broken_off_changes_nothing(monkeypatch):
    graphs, accuracies = synthetic_graphs(40)
    predictor = LinearPredictor().fit(graphs, accuracies)
    before = predictor.predict(graphs)
    fits = iter(range(3))

    def broken(*told):
        if next(fits) == 2:
            raise KeyboardInterrupt
        return _fit(*told)

    monkeypatch.setattr("predictors.models.linear._fit", broken)
    with pytest.raises(KeyboardInterrupt):
        predictor.fit(graphs, accuracies[::-1])
    np.testing.assert_array_equal(predictor.predict(graphs).mean, before.mean)
    np.testing.assert_array_equal(predictor.predict(graphs).std, before.std)


@pytest.mark.parametrize("kind", CALIBRATED)
def test_nine_in_ten_fall_into_the_interval_also_where_few_networks_err_far(kind: type[TargetPredictor]):
    graphs, accuracies = synthetic_graphs(600, seed=2)
    rng = np.random.default_rng(3)
    errors = np.where(rng.random(600) < 0.04, 0.3, 0.01) * rng.normal(size=600)
    noisy = np.clip(0.2 + 0.6 * accuracies + errors, 0.0, 1.0)
    predictor = kind().fit(graphs[:100], noisy[:100])
    said = predictor.predict(graphs[100:])
    held = np.mean((noisy[100:] >= said.low) & (noisy[100:] <= said.high))
    assert 0.84 <= held <= 0.95
    again = kind.from_arrays(predictor.arrays()).predict(graphs[100:])
    np.testing.assert_array_equal(again.low, said.low)


@pytest.mark.parametrize("seed", range(3))
def test_networks_without_a_stated_doubt_do_not_make_all_intervals_endless(seed: int):
    graphs, accuracies = synthetic_graphs(400, seed=seed)
    collapsed = np.where(accuracies > np.median(accuracies), accuracies, 0.1)
    said = ForestPredictor().fit(graphs[:100], collapsed[:100]).predict(graphs[100:])
    assert np.median(said.high - said.low) < 0.5
    assert np.mean((collapsed[100:] >= said.low) & (collapsed[100:] <= said.high)) >= 0.85


def test_equal_accuracies_lie_in_the_interval():
    graphs, _ = synthetic_graphs(60)
    said = ForestPredictor().fit(graphs, np.full(60, 0.3)).predict(graphs)
    np.testing.assert_allclose([said.low, said.high], 0.3, atol=1e-6)

"""Metrics, losses and costs as values: small answers checked by eye."""

import numpy as np
import onnx_ir as ir
import pytest
import torch

from nas.errors import UsageError
from nas.losses import LOSSES
from nas.measure.costs import COSTS, COUNTED, counts, measure_all
from nas.metrics import METRICS, Answers, Metric, mean
from nas.study.trial import Score
from search_spaces.network_builder import NetworkBuilder


def answers(*rows: tuple[list[int], list[int]]) -> list[Answers]:
    """One part a row: predicted classes of one network, and targets."""
    return [
        Answers(torch.nn.functional.one_hot(torch.tensor(predicted), 3).float(), torch.tensor(targets))
        for predicted, targets in rows
    ]


def test_accuracy_counts_over_all_parts():
    # right: 2 of 3, then 0 of 1; a mean of the parts' accuracies would be 1/3
    parts = answers(([0, 1, 2], [0, 1, 1]), ([2], [0]))
    assert float(METRICS.load("accuracy").measure(parts)) == 0.5


def test_accuracy_of_a_stack_and_of_padded_sequences():
    predicted = torch.tensor([[[0, 1], [2, 2]], [[0, 0], [2, 1]]])  # two networks, two examples, two steps
    targets = torch.tensor([[0, 1], [2, -1]])  # the last step counts nowhere
    part = Answers(torch.nn.functional.one_hot(predicted, 3).float(), targets)
    assert METRICS.load("accuracy").measure([part]).tolist() == [1.0, 2 / 3]


def test_legality_asks_what_is_legal_and_says_so_where_nothing_is_told():
    legal = torch.tensor([[[True, True, False], [False, False, True]]])
    predicted = torch.nn.functional.one_hot(torch.tensor([[1, 0]]), 3).float()
    part = Answers(predicted, torch.tensor([[0, 2]]), legal)
    assert float(METRICS.load("legality").measure([part])) == 0.5
    with pytest.raises(UsageError, match="legality needs a task that says which symbols are legal"):
        METRICS.load("legality").measure(answers(([0], [0])))


def test_a_mean_of_nothing_is_refused():
    with pytest.raises(ValueError, match="at least one example"):
        mean([], lambda part: part.targets)


def metric(direction: str, low: float, high: float) -> Metric:
    return Metric(name="m", meaning="", measure=lambda parts: torch.zeros(()), direction=direction, low=low, high=high)


@pytest.mark.parametrize(
    ("direction", "low", "high", "value", "share"),
    [
        ("maximize", 0, 1, 0.7, 0.7),
        ("minimize", 0, 1, 0.7, 0.3),
        ("maximize", -1, 1, 0.5, 0.75),
        ("minimize", 0, float("inf"), 3.0, 0.25),  # an error: 1 / (1 + 3)
        ("maximize", float("-inf"), 1, 0.0, 0.5),  # as R²: 1 / (1 + (1 - 0))
        ("maximize", 0, float("inf"), 3.0, 0.75),
        ("minimize", float("-inf"), 0, -3.0, 0.75),
        ("minimize", float("-inf"), float("inf"), 0.0, 0.5),
    ],
)
def test_predictors_learn_shares_of_which_more_is_better(direction, low, high, value, share):
    one = metric(direction, low, high)
    assert one.to_share(value) == pytest.approx(share)
    assert one.from_share(share) == pytest.approx(value)
    better = one.to_share(value + 0.01 * one.sign)
    assert better > one.to_share(value)


def test_a_score_of_an_error_rate_is_an_error_rate():
    assert METRICS.load("accuracy").from_share(1.2) == 1.2  # an optimistic score stays as it is, bit for bit
    assert Score(0.8, 0.1).in_unit_of(METRICS.load("accuracy")) == Score(0.8, 0.1)
    told = Score(0.8, 0.1).in_unit_of(metric("minimize", 0, 1))
    assert (told.mean, told.std) == (pytest.approx(0.2), pytest.approx(0.1))


def test_values_are_told_with_their_unit():
    assert METRICS.load("accuracy").text(0.91234) == "91.23 %"
    assert Metric(name="rmse", meaning="", measure=len, unit="mm").text(1.23456) == "1.235 mm"


def test_cross_entropy_is_the_registered_loss():
    logits, targets = torch.tensor([[0.0, 0.0], [0.0, 0.0]]), torch.tensor([0, -1])
    compute = LOSSES.load("cross-entropy").compute
    assert float(compute(logits, targets, lead=0, padded=True)) == pytest.approx(0.6931472)  # ln 2


@pytest.fixture(scope="module")
def model() -> ir.Model:
    builder = NetworkBuilder((4,), "m")
    network = builder.finish(builder.gemm(builder.input, 3, "head"))
    return network.model({layer.name: np.ones(layer.shape, bool) for layer in network.layers})


def test_every_counted_cost_is_what_counts_says(model):
    assert tuple(counts(model)) == COUNTED
    assert {name: COSTS.load(name).measure(model) for name in COUNTED} == counts(model)
    assert counts(model)["weights"] == 12


def test_exported_costs_are_measured_on_the_finished_network_once(model):
    asked = []

    def finish() -> ir.Model:
        asked.append(1)
        return model

    assert measure_all(["nnz"], model, finish) == {"nnz": counts(model)["nnz"]}
    assert asked == []
    found = measure_all(["bytes", "latency"], model, finish)
    assert found["bytes"] == COSTS.load("bytes").measure(model)
    assert found["latency"] > 0
    assert asked == [1]
    assert [name for name in COSTS if not COSTS.load(name).exact] == ["latency"]

"""SynFlow: worked saliencies, the layers that it does not empty, and recurrent and normalised networks."""

import numpy as np
import pytest
import torch

from nas.training.loop import selection
from nas.training.loop.session import Session
from nas.training.masks.linear_flow import linearised
from nas.training.methods import MethodError, create
from nas.training.methods.method import begin
from nas.training.methods.synflow import Flow, Synflow
from nas.training.options import TrainingOptions
from nas.training.stack.stack import Member
from nas.training.testing import NETWORKS
from onnx_graph.weight import set_weights
from search_spaces.network_builder import NetworkBuilder


def perceptron(*sizes, activation="relu", values=None):
    builder = NetworkBuilder((sizes[0],), "mlp")
    x = builder.input
    for index, width in enumerate(sizes[1:-1]):
        x = builder.activation(builder.gemm(x, width, f"hidden_{index}"), activation, f"activation_{index}")
    builder.finish(builder.gemm(x, sizes[-1], "head"))
    model = builder.model({layer.name: np.ones(layer.shape, bool) for layer in builder.layers})
    if values:
        set_weights(model, {name: np.array(value, np.float32) for name, value in values.items()})
    return model


def session_of(*models, density=0.5, init="fan-in"):
    """Without a task: no data is needed."""
    options = TrainingOptions(init=init)
    begun = [begin(Synflow(), model, density, i, options) for i, model in enumerate(models)]
    members = [Member.of(model, i) for i, (model, _) in enumerate(begun)]
    return Session(members, None, options, torch.device("cpu"), keep=[keep for _, keep in begun])


def flow(session):
    """Both examples of ones halved."""
    return {name: (saliency / 2).tolist() for name, saliency in Flow(session).saliencies(session.masks()).items()}


VALUES = {"hidden_0.weight": [[1, -2], [-3, 4]], "head.weight": [[1, -1]]}


@pytest.mark.parametrize("activation", ["relu", "tanh", "silu", "sigmoid"])
def test_scores_are_sums_over_paths(activation):
    # Paths through hidden unit 0: |1|·|1| + |−2|·|1| = 3, unit 1: 3 + 4 = 7, in all 10. Whatever lies between, and the signs.
    session = session_of(perceptron(2, 2, 1, activation=activation, values=VALUES), init="keep")
    assert flow(session) == {"hidden_0.weight": [[[1, 2], [3, 4]]], "head.weight": [[[3, 7]]]}


def test_a_weight_without_a_path_is_worth_nothing():
    values = VALUES | {"head.weight": [[1, 0]]}
    session = session_of(perceptron(2, 2, 1, values=values), density=0.3, init="keep")
    found = flow(session)
    assert found["hidden_0.weight"] == [[[1, 2], [0, 0]]]
    assert found["head.weight"] == [[[3, 0]]]


def test_the_largest_of_all_layers_are_kept():
    # Of 1, 2, 3, 4 and 3, 7 the two largest.
    session = session_of(perceptron(2, 2, 1, values=VALUES), density=1 / 3, init="keep")
    Synflow(rounds=1).choose(session)
    masks = session.masks()
    assert masks["hidden_0.weight"].int().tolist() == [[[0, 0], [0, 1]]]
    assert masks["head.weight"].int().tolist() == [[[0, 1]]]


def test_scores_are_taken_anew_in_every_round():
    # Hidden 2, 1 | 3, ½; head 1·(2 + 1) = 3, 1·(3 + ½) = 3½. At once 3½, 3 and 3 stay. One after the other ½ goes, then 1; then
    # unit 0 is a single path, whose two weights are worth 2 both, against 3 and 3 of unit 1: of equal ones the later goes.
    values = {"hidden_0.weight": [[2, 1], [3, 0.5]], "head.weight": [[1, 1]]}
    found = []
    for rounds in (1, 8):
        session = session_of(perceptron(2, 2, 1, values=values), density=0.5, init="keep")
        Synflow(rounds=rounds).choose(session)
        found.append([mask.int().tolist()[0] for mask in session.masks().values()])
    assert found == [[[[0, 0], [1, 0]], [[1, 1]]], [[[1, 0], [1, 0]], [[0, 1]]]]


def test_layers_have_equal_sums():
    found = Flow(session := session_of(perceptron(12, 20, 7, 3))).saliencies(session.masks())
    sums = [float(saliency.sum()) for saliency in found.values()]
    assert sums == pytest.approx([sums[0]] * 3)


def test_never_empties_a_layer_where_one_round_and_magnitude_do():
    # The check of the paper: 174 of 17,400 weights.
    session = session_of(perceptron(64, 100, 100, 10), density=0.01)

    def smallest(masks):
        return min(int(mask.flatten(1).sum(1).min()) for mask in masks.values())

    once = selection.keep_largest(Flow(session).saliencies(session.masks()), session.keep, session.masks())
    magnitudes = {name: weight.abs() for name, weight in session.weights().items()}
    assert smallest(once) == 0
    assert smallest(selection.keep_largest(magnitudes, session.keep, session.masks())) == 0
    Synflow().choose(session)
    assert smallest(session.masks()) > 20
    assert selection.count(session.masks()).tolist() == [174]


@pytest.mark.parametrize("network", list(NETWORKS))
def test_every_layer_and_every_gate_has_a_flow(network):
    make, _, _ = NETWORKS[network]
    found = Flow(session := session_of(make())).saliencies(session.masks())
    for layer in session.layers:
        for gate in found[layer.name].chunk(layer.weight.gates, 1):
            assert torch.isfinite(gate).all()
            assert (gate > 0).float().mean() > 0.9, layer.name


def test_stacked_and_padded_networks_score_as_alone():
    cnn = NETWORKS["cnn"][0]
    for models in ([perceptron(4, 6, 5, 3), perceptron(4, 3, 8, 3)], [cnn(), cnn()]):
        stacked = Flow(session := session_of(*models)).saliencies(session.masks())
        for row, model in enumerate(models):
            begun = begin(Synflow(), model, 0.5, row, TrainingOptions())[0]
            alone = Session([Member.of(begun, row)], None, TrainingOptions(), torch.device("cpu"))
            for name, saliency in Flow(alone).saliencies(alone.masks()).items():
                part = stacked[name][row]
                torch.testing.assert_close(part[tuple(slice(size) for size in saliency.shape[1:])], saliency[0])
                assert float(part.sum()) == pytest.approx(float(saliency.sum()))


def test_linear_graph_leaves_the_model_alone_and_needs_no_statistics():
    model = NETWORKS["cnn"][0]()
    before = [node.op_type for node in model.graph]
    assert "BatchNormalization" not in [node.op_type for node in linearised(model).graph]
    assert [node.op_type for node in model.graph] == before


def test_refuses_no_rounds_and_an_input_of_unknown_size():
    with pytest.raises(MethodError, match="rounds is 0"):
        create("synflow", {"rounds": 0})
    builder = NetworkBuilder((4,), "mlp")
    builder.finish(builder.gemm(builder.input, 2, "head"))
    model = builder.model({"head.weight": np.ones((2, 4), bool)})
    model.graph.inputs[0].shape = None
    with pytest.raises(MethodError, match="known size"):
        begin(Synflow(), model, 0.5, 0, TrainingOptions())

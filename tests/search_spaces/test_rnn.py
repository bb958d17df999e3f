"""Recurrent networks: shapes, skips, structure of the recurrence, outputs per step and at the end, against NumPy."""

import numpy as np
import pytest

import onnx_graph
from search_spaces import Candidate, InvalidCandidateError, InvalidOptionError, MaskRecipe, Signature, create
from search_spaces.testing import run

LAST = Signature(input_shape=(5, 2), outputs=3)
EVERY = Signature(input_shape=(5, 2), outputs=3, per_step=True)
GENES = {"cell": "rnn-tanh", "layers": 1, "hidden_1": 4, "skip_0_head": False, "recurrence": "recipe"}


def build(signature=LAST, density=1.0, **genes):
    candidate = Candidate(space="rnn", architecture={**GENES, **genes}, mask=MaskRecipe(density=density))
    return create("rnn", signature).build(candidate)


def tanh_outputs(x):
    """All weights 1, biases 0: four equal hidden units h_t = tanh(Σ x_t + 4 h_{t-1}); every output is 4 h_t."""
    hidden, outputs = 0.0, []
    for step in x:
        hidden = np.tanh(step.sum() + 4 * hidden)
        outputs.append(4 * hidden)
    return outputs


def test_last_step_of_a_tanh_layer():
    x = np.random.default_rng(0).normal(size=(5, 2)).astype(np.float32)
    output = run(build(), x[np.newaxis])
    assert output == pytest.approx(np.full((1, 3), tanh_outputs(x)[-1]), abs=1e-5)


def test_every_step_of_a_tanh_layer():
    x = np.random.default_rng(0).normal(size=(5, 2)).astype(np.float32)
    output = run(build(EVERY), x[np.newaxis])
    assert output[0, :, 0] == pytest.approx(tanh_outputs(x), abs=1e-5)


@pytest.mark.parametrize("signature", [LAST, EVERY])
def test_skip_from_the_input_adds_it_to_the_head(signature):
    x = np.random.default_rng(0).normal(size=(1, 5, 2)).astype(np.float32)
    plain, skipping = run(build(signature), x), run(build(signature, skip_0_head=True), x)
    seen = x.sum(axis=-1, keepdims=True) if signature.per_step else x[:, -1].sum(axis=-1, keepdims=True)
    assert skipping - plain == pytest.approx(np.broadcast_to(seen, plain.shape), abs=1e-5)


def test_skip_from_a_lower_layer():
    model = build(layers=2, hidden_2=6, skip_1_head=True)
    assert {weight.name: weight.shape for weight in onnx_graph.weights(model)} == {
        "layer_1.input_weight": (4, 2),
        "layer_1.recurrent_weight": (4, 4),
        "layer_2.input_weight": (6, 4),
        "layer_2.recurrent_weight": (6, 6),
        "head.weight": (3, 6),
        "skip_1_head.weight": (3, 4),
    }


@pytest.mark.parametrize(
    ("cell", "operator", "gates"), [("rnn-relu", "RNN", 1), ("gru", "GRU", 3), ("lstm", "LSTM", 4)]
)
def test_cells_have_their_gates(cell, operator, gates):
    model = build(cell=cell)
    recurrent = next(weight for weight in onnx_graph.weights(model) if weight.kind == "recurrent")
    assert (recurrent.operator, recurrent.gates, recurrent.shape) == (operator, gates, (4 * gates, 4))


def test_gru_resets_after_the_product():
    node = next(node for node in build(cell="gru").graph if node.op_type == "GRU")
    assert node.attributes["linear_before_reset"].value == 1


def test_activation_of_the_plain_cells():
    named = {
        cell: next(node for node in build(cell=cell).graph if node.op_type == "RNN").attributes["activations"].value
        for cell in ("rnn-tanh", "rnn-relu")
    }
    assert {cell: list(value) for cell, value in named.items()} == {"rnn-tanh": ["Tanh"], "rnn-relu": ["Relu"]}


def test_recurrence_is_a_graph_on_the_hidden_units_shared_by_the_gates():
    genes = {"recurrence": "watts-strogatz", "degree": 2, "rewire": 0.0, "graph_seed": 0}
    mask = onnx_graph.masks(build(cell="gru", hidden_1=6, **genes))["layer_1.recurrent_weight"]
    # A ring of six units, each joined to its two neighbours and to itself.
    ring = np.array(
        [
            [1, 1, 0, 0, 0, 1],
            [1, 1, 1, 0, 0, 0],
            [0, 1, 1, 1, 0, 0],
            [0, 0, 1, 1, 1, 0],
            [0, 0, 0, 1, 1, 1],
            [1, 0, 0, 0, 1, 1],
        ],
        dtype=bool,
    )
    assert (mask == np.tile(ring, (3, 1))).all()


def test_recurrence_depends_on_its_seed():
    genes = {"recurrence": "barabasi-albert", "degree": 4, "hidden_1": 12}
    first, second = (onnx_graph.masks(build(graph_seed=seed, **genes))["layer_1.recurrent_weight"] for seed in (0, 1))
    assert (first != second).any()
    assert first.sum() == second.sum()


def test_images_are_read_row_by_row():
    # (2, 5, 3): five steps of 2 · 3 features, the pixels of both channels of a row.
    signature = Signature(input_shape=(2, 5, 3), outputs=3)
    model = build(signature)
    assert model.graph.initializers["layer_1.input_weight"].shape.numpy() == (1, 4, 6)
    x = np.random.default_rng(0).normal(size=(1, 2, 5, 3)).astype(np.float32)
    rows = x[0].transpose(1, 0, 2).reshape(5, 6)
    assert run(model, x)[0, 0] == pytest.approx(tanh_outputs(rows)[-1], abs=1e-5)


def test_grey_images_need_no_transpose():
    signature = Signature(input_shape=(1, 5, 3), outputs=3)
    assert [node.op_type for node in build(signature).graph][:2] == ["Reshape", "Transpose"]


@pytest.mark.parametrize(
    ("genes", "said"),
    [
        ({"cell": "sru"}, "sru"),
        ({"recurrence": "ring", "degree": 2, "graph_seed": 0}, "ring"),
        ({"recurrence": "erdos-renyi", "degree": 6, "graph_seed": 0}, "degree 6"),
        ({"hidden_1": -1}, "hidden_1"),
        ({"layers": 2}, "hidden_2"),
    ],
)
def test_nonsense_is_an_invalid_candidate(genes, said):
    with pytest.raises(InvalidCandidateError, match=said):
        build(**genes)


def test_tables_are_refused():
    with pytest.raises(InvalidOptionError, match=r"needs examples of shape \(T, F\).*take 'mlp'"):
        create("rnn", Signature(input_shape=(64,), outputs=2))

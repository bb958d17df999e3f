"""How a network differs from those of the fit, in words."""

from dataclasses import replace

import numpy as np
import pytest

import search_spaces
from predictors import TaskDescription, encode
from predictors.features.graph_features import GRAPH_FEATURES
from predictors.features.matrix import column_groups
from predictors.library.unlike import CLASS_WORDS, GROUP_WORDS, WORDS, unlike
from predictors.models.quick import QuickPredictor
from predictors.reading.operators import CLASSES
from predictors.structure_graph import StructureGraph
from search_spaces.signature import Signature


def graph(space: search_spaces.SearchSpace, seed: int) -> StructureGraph:
    return encode(space.build(space.sample(np.random.default_rng(seed))))


def mlp(seed: int) -> StructureGraph:
    """A perceptron of 8 to 16 units."""
    space = search_spaces.create(
        "mlp", Signature(input_shape=(1, 4, 4), outputs=3), width=(8, 16), depth=(1, 2), wirings=("plain",)
    )
    return graph(space, seed)


@pytest.fixture(scope="module")
def predictor() -> QuickPredictor:
    """Fitted on perceptrons of 8 to 16 units."""
    return QuickPredictor().fit([mlp(seed) for seed in range(40)], np.random.default_rng(0).random(40))


def test_a_wider_network_is_called_wider(predictor):
    space = search_spaces.create(
        "mlp", Signature(input_shape=(1, 4, 4), outputs=3), width=(400, 400), depth=(1, 1), wirings=("plain",)
    )
    other = graph(space, 0)
    said = unlike(predictor.support, other)
    assert "units of the widest layer 400 (fit: " in said
    assert "to 16)" in said


def test_a_network_of_the_fit_is_not_unlike(predictor):
    assert unlike(predictor.support, mlp(3)) == ""


def with_operator(known: StructureGraph, name: str, unknown: tuple[str, ...] = ()) -> StructureGraph:
    """The same network whose last node is another operator."""
    operators = known.operators.copy()
    operators[-2] = CLASSES.index(name)
    return replace(known, operators=operators, unknown=unknown)


def test_new_operators_are_named(predictor):
    known = mlp(3)
    assert "has operators that the fit does not: sigmoid" in unlike(predictor.support, with_operator(known, "sigmoid"))
    assert "does not: local response normalisation" in unlike(predictor.support, with_operator(known, "lrn"))
    strange = unlike(predictor.support, with_operator(known, "unknown_2", ("other::Warp",)))
    assert "does not: other::Warp" in strange
    many = unlike(predictor.support, with_operator(known, "unknown_2", tuple(f"other::W{i}" for i in range(9))))
    assert "other::W5 and 3 more" in many
    assert predictor.predict([with_operator(known, "sigmoid")]).distance[0] > 1


def test_every_class_of_operators_has_words():
    assert set(CLASS_WORDS) <= set(CLASSES)


def test_features_without_words_are_named_by_their_group(predictor):
    known = mlp(3)
    summary = known.summary.copy()
    summary[GRAPH_FEATURES.index("count_sigmoid")] = 9.0
    said = unlike(predictor.support, replace(known, summary=summary))
    assert said == "differs from the fit in: number of operators of each kind"


def test_every_group_has_words():
    assert set(GROUP_WORDS) == set(column_groups())


def test_the_task_has_words(predictor):
    digits = TaskDescription(samples=1079, classes=10, inputs=64, one_nn=0.99, linear_probe=0.94)
    large = replace(digits, samples=54_001, one_nn=0.6)
    graphs = [known.on(digits) for known in map(mlp, range(12))]
    support = QuickPredictor().fit(graphs, np.random.default_rng(0).random(12)).support
    said = unlike(support, graphs[0].on(large))
    assert said.startswith("training examples 54,001 (fit: 1,079); error of the nearest neighbour 0.4 (fit: 0.01)")
    assert unlike(support, graphs[0].on(None)) == "differs from the fit in: task"
    assert unlike(predictor.support, mlp(3).on(digits)) == "differs from the fit in: task"  # of a fit without tasks
    wide = replace(digits, inputs=3072)
    assert "inputs of the task 3,072 (fit: 64)" in unlike(support, graphs[0].on(wide))
    summary = graphs[0].summary.copy()
    summary[GRAPH_FEATURES.index("log_inputs")] = np.log1p(3072)
    assert unlike(support, replace(graphs[0], summary=summary).on(wide)) == "inputs 3,072 (fit: 16)"


def test_what_puts_a_network_outside_alone_comes_first(predictor):
    known = mlp(3)
    summary = known.summary.copy()
    for name, value in (("log_width_max", 9.0), ("log_inputs", np.log1p(3072)), ("density", 9.0), ("log_layers", 9.0)):
        summary[GRAPH_FEATURES.index(name)] = value
    assert unlike(predictor.support, replace(known, summary=summary)).startswith("inputs 3,072 (fit: 16); ")


def test_every_word_is_plain_and_every_number_is_short():
    for word in WORDS.values():
        assert word.text == word.text.lower()
        assert len(word.shown(1e30)) < 40

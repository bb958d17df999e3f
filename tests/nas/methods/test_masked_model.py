"""Only the mask: equal to the mask of a training, and without data if the method needs none."""

from dataclasses import replace

import numpy as np
import pytest

from nas.errors import UsageError
from nas.training import masked_model, train
from nas.training.methods import MethodError, create
from nas.training.testing import OPTIONS, cnn, mlp, task_for
from onnx_graph.weight import masks

TASK = task_for((1, 4, 4), 0)


@pytest.mark.parametrize("name", ["snip", "grasp", "synflow", "erk", "uniform"])
def test_trained_with_its_own_weights_it_is_what_the_method_gives(name):
    found = masked_model(mlp(), name, density=0.3, seed=4, task=TASK)
    apart = train(found, TASK, replace(OPTIONS, init="keep"), seed=4)
    whole = train(mlp(), TASK, OPTIONS, method=name, density=0.3, seed=4)
    assert all(apart.weights[key].tobytes() == whole.weights[key].tobytes() for key in whole.weights)


def test_holds_exactly_as_many_weights_and_leaves_the_model_alone():
    model = cnn()
    kept = masks(masked_model(model, "synflow", density=0.25, seed=1))
    total = sum(mask.size for mask in kept.values())
    assert sum(int(mask.sum()) for mask in kept.values()) == round(0.25 * total)
    assert all(mask.all() for mask in masks(model).values())


def test_redraw_is_heeded():
    plain, drawn = (
        masked_model(mlp(), create("synflow", {"redraw": redraw}), density=0.3).graph.initializers["hidden_1.weight"]
        for redraw in (False, True)
    )
    first, second = (value.const_value.numpy() for value in (plain, drawn))
    assert ((first != 0) == (second != 0)).all()
    assert (np.abs(second) > np.abs(first) + 1e-3).any()


@pytest.mark.parametrize("name", ["magnitude", "rigl", "iht"])
def test_refuses_methods_that_train(name):
    with pytest.raises(MethodError, match="training; use"):
        masked_model(mlp(), name, density=0.3, task=TASK)


def test_says_what_is_missing_or_does_not_fit():
    with pytest.raises(MethodError, match="Snip ranks weights with examples; give a task"):
        masked_model(mlp(), "snip", density=0.3)
    with pytest.raises(MethodError, match="density"):
        masked_model(mlp(), "synflow", density=0.0)
    with pytest.raises(MethodError, match="no zeros"):
        masked_model(mlp(), "synflow", density=None)
    with pytest.raises(UsageError, match="shape"):
        masked_model(mlp(), "snip", density=0.3, task=task_for((1, 5, 5), 0))

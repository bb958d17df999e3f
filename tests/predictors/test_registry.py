import subprocess
import sys

import pytest

import predictors
from predictors.errors import ModelTypeError, UnknownPredictorError
from predictors.library.loading import create
from predictors.registry import PREDICTORS, saved_class
from predictors.testing import synthetic_graphs


@pytest.mark.parametrize("name", PREDICTORS)
def test_every_predictor_knows_its_name(name):
    assert PREDICTORS.load(name).name == name
    assert create(name).name == name


def test_an_unknown_name_lists_the_known_ones_nearest_first():
    with pytest.raises(UnknownPredictorError, match=r"^unknown predictor 'forrest'; did you mean 'forest'"):
        create("forrest")


def test_predictors_of_costs_are_no_choice_for_accuracy():
    assert saved_class("latency").name == "latency"
    assert "latency" not in PREDICTORS
    with pytest.raises(UnknownPredictorError):
        create("latency")


def test_every_public_name_is_there():
    for name in predictors.__all__:
        assert getattr(predictors, name) is not None
    assert set(predictors.__all__) == set(dir(predictors))
    with pytest.raises(AttributeError, match="nothing"):
        predictors.nothing  # noqa: B018


def test_encode_stays_the_function_when_its_module_is_imported():
    import importlib

    importlib.import_module("predictors.features.encoder")
    assert callable(predictors.encode)
    assert predictors.encode.__name__ == "encode"


def test_import_loads_nothing_heavy():
    code = (
        "import sys, predictors, predictors.registry, predictors.models.forest, predictors.models.gnn.gnn, predictors.calibration.ranking;"
        "print(sorted({'torch', 'sklearn', 'torch_geometric', 'scipy.stats'} & set(sys.modules)))"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.strip() == "[]"


@pytest.mark.parametrize("name", PREDICTORS)
def test_fitting_on_anything_but_structure_graphs_says_what_to_give(name):
    graphs, accuracies = synthetic_graphs(2)
    with pytest.raises(ModelTypeError, match=r"network 1 is of type str: give predictors.encode\(network\)"):
        create(name).fit([graphs[0], "a.onnx"], accuracies)
    with pytest.raises(ModelTypeError, match="a list of structure graphs, got generator"):
        create(name).fit((graph for graph in graphs), accuracies)

"""Spaces by name, options by name, lazy imports."""

import subprocess
import sys

import pytest

import search_spaces
from search_spaces import InvalidOptionError, Signature, UnknownNameError, create, suited
from search_spaces.registry import SPACES

SIGNATURE = Signature(input_shape=(8,), outputs=3)


def test_names_are_a_table():
    assert list(SPACES) == ["mlp", "rnn", "cnn", "onnx", "nasbench101", "nasbench201"]


def test_unknown_space_lists_the_nearest_first():
    with pytest.raises(UnknownNameError) as caught:
        create("mpl", SIGNATURE)
    assert (
        str(caught.value)
        == "unknown search space 'mpl'; did you mean 'mlp'? Known: mlp, cnn, nasbench101, nasbench201, onnx, rnn"
    )


def test_unknown_option_names_the_nearest():
    with pytest.raises(InvalidOptionError, match="did you mean 'max_nnz'"):
        create("mlp", SIGNATURE, maxnnz=100)


@pytest.mark.parametrize(
    "options",
    [
        {"max_nnz": 0},
        {"max_nnz": 10.5},
        {"max_nnz": True},
        {"max_density": 0},
        {"max_density": 1.1},
        {"min_density": 0.6},
        {"min_density": "low"},
        {"min_fill": 0},
        {"min_live": 2},
        {"max_edits": -1},
        {"distributions": ["erkk"]},
        {"distributions": []},
        {"patterns": "random"},
        {"patterns": ["random", "random"]},
        {"depth": [2, 1]},
        {"depth": 3},
        {"depth": [0, 1]},
        {"width": [8]},
        {"activations": ["gelu"]},
        {"wirings": ["ring"]},
        {"vertices": [4, 16]},
    ],
)
def test_bad_options_are_named(options):
    (name,) = options
    with pytest.raises(InvalidOptionError, match=name):
        create("mlp", SIGNATURE, **options)


@pytest.mark.parametrize(
    "options", [{"growths": [9]}, {"stem_strides": [4]}, {"batch_norms": [1]}, {"operations": ["conv7x7"]}]
)
def test_bad_options_of_cnn(options):
    with pytest.raises(InvalidOptionError, match=next(iter(options))):
        create("cnn", Signature(input_shape=(1, 8, 8), outputs=3), **options)


def test_density_bound_lowers_the_least_density():
    assert create("mlp", SIGNATURE, max_density=0.01).options()["min_density"] == 0.0025


@pytest.mark.parametrize(
    "arguments",
    [{"input_shape": (), "outputs": 2}, {"input_shape": (0,), "outputs": 2}, {"input_shape": (3,), "outputs": 0}],
)
def test_bad_signatures(arguments):
    with pytest.raises(InvalidOptionError):
        Signature(**arguments)


def test_public_names_exist():
    assert all(hasattr(search_spaces, name) for name in search_spaces.__all__)
    with pytest.raises(AttributeError):
        _ = search_spaces.nothing


def test_import_is_light():
    program = "import sys, search_spaces; print(sorted({'onnx_ir', 'networkx', 'numpy', 'torch', 'scipy'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("shape", "per_step", "families"),
    [((8,), False, "mlp"), ((1, 8, 8), False, "mlp+cnn"), ((9, 4), False, "mlp+rnn"), ((9, 4), True, "rnn")],
)
def test_auto_takes_the_families_that_suit_the_inputs(shape, per_step, families):
    signature = Signature(input_shape=shape, outputs=3, per_step=per_step)
    assert suited(signature) == families
    assert create("auto", signature).name == families

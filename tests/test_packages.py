"""The public roots of the four packages: listed names, `dir()`, the cost of importing them."""

import importlib
import pkgutil
import subprocess
import sys

import pytest

PACKAGES = ("nas", "predictors", "search_spaces", "onnx_graph")
HEAVY = (
    "torch",
    "torch_geometric",
    "sklearn",
    "scipy",
    "optuna",
    "numpy",
    "onnx",
    "onnx_ir",
    "onnxruntime",
    "matplotlib",
)
TAUGHT = {
    "nas": {
        "SearchConfig",
        "TrainingOptions",
        "apply_result",
        "evaluate",
        "export",
        "from_torch",
        "load_task",
        "masked_model",
        "method",
        "resume",
        "search",
        "train",
    },
    "predictors": {"encode", "fit", "load", "save", "StructureRegressor", "TaskDescription"},
    "search_spaces": {"Candidate", "MaskRecipe", "create", "MaskedSpace", "NetworkBuilder", "Signature"},
    "onnx_graph": {"count", "load", "masks", "save", "shrink", "simplify", "weights"},
}
"""The names that README and guides use."""


@pytest.mark.parametrize("name", PACKAGES)
def test_every_listed_name_is_there_and_dir_lists_them(name):
    package = importlib.import_module(name)
    assert len(package.__all__) == len(set(package.__all__))
    for one in package.__all__:
        assert getattr(package, one) is not None
    assert set(dir(package)) == set(package.__all__)
    assert TAUGHT[name] <= set(package.__all__)


@pytest.mark.parametrize("name", PACKAGES)
def test_no_module_has_the_name_of_a_public_function(name):
    """An import of such a module would replace the function of the same name."""
    package = importlib.import_module(name)
    modules = {module.name for module in pkgutil.iter_modules(package.__path__)}
    assert modules & set(package.__all__) <= {"errors", "optuna"}, "these are public as modules"


@pytest.mark.parametrize("name", PACKAGES)
def test_an_unknown_name_is_an_attribute_error(name):
    with pytest.raises(AttributeError, match="nothing"):
        _ = importlib.import_module(name).nothing


def test_importing_the_packages_imports_no_library():
    assert loaded(f"import {', '.join(PACKAGES)}") == set()


def test_the_help_imports_no_torch():
    assert not {"torch", "sklearn"} & loaded("from nas.cli.main import main; main([])")


def loaded(code: str) -> set[str]:
    """Which heavy libraries a new interpreter has loaded after `code`."""
    program = f"import sys\n{code}\nprint('loaded', *(set({HEAVY!r}) & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    return set(done.stdout.splitlines()[-1].split()[1:])

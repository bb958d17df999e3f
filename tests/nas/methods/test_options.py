"""Options of methods: unknown names are refused with the nearest, numbers must be finite and of their type."""

import pytest

from nas.cli.main import main
from nas.training import TrainingOptions, train
from nas.training.methods import registry
from nas.training.methods.espn import Espn
from nas.training.methods.method import MethodError
from nas.training.methods.static import Static
from nas.training.testing import mlp, task_for


@pytest.mark.parametrize(
    ("name", "option", "nearest"),
    [
        ("rigl", "fractoin", "fraction"),
        ("espn", "intervall", "interval"),
        ("static", "distributon", "distribution"),
        ("static", "foo", "pattern"),
        ("n:m", "mm", "m"),
        ("watts-strogatz", "sharegates", "share_gates"),
    ],
)
def test_an_unknown_option_is_refused_with_the_nearest_names(name, option, nearest):
    with pytest.raises(MethodError, match=rf"method '{name}' has no option '{option}'; did you mean") as caught:
        registry.create(name, {option: "1"})
    assert nearest in str(caught.value)


def test_options_of_pattern_and_distribution_are_checked_before_a_mask_is_drawn():
    assert registry.create("n:m", {"n": "1", "m": "4"}).pattern_options == {"n": 1, "m": 4}
    with pytest.raises(MethodError, match="n"):
        registry.create("n:m", {"n": "5", "m": "4"})
    with pytest.raises(MethodError, match="'randm'"):
        Static(pattern="randm")
    with pytest.raises(MethodError, match="takes no 'foo'"):
        Static(pattern_options={"foo": 1})


@pytest.mark.parametrize("name", registry.METHODS.names())
def test_no_number_of_a_method_may_be_infinite_or_none(name):
    """Every number among the options of every method, from the command line and as an object."""
    from dataclasses import fields
    from typing import get_type_hints

    class_ = registry.METHODS.load(name)
    types = get_type_hints(class_)
    for option in fields(class_):
        if types[option.name] not in (int, float):
            continue
        for text in ("nan", "inf", "-inf", "1e300", str(10**30)):
            with pytest.raises(MethodError) as caught:
                registry.create(name, {option.name: text})
            assert "\n" not in str(caught.value)


def test_a_method_made_as_an_object_is_checked_when_it_trains():
    method = Espn(rate=float("nan"))
    with pytest.raises(MethodError, match=r"option 'rate' of method 'Espn' must be a number .* got nan"):
        train(mlp(), task_for((1, 4, 4), 0), TrainingOptions(epochs=1), method=method, density=0.5)


def test_a_misspelt_option_ends_a_search_before_it_begins(tmp_path, capsys):
    folder = tmp_path / "run"
    flags = ["search", "--task", "digits", "--subset", "200", "--constraint", "nnz<=300", "--out", str(folder)]
    for method, option in (("static", "distributon=er"), ("rigl", "fractoin=0.3"), ("rigl", "fraction=nan")):
        assert main([*flags, "--method", method, "--method-option", option]) == 2
        line = capsys.readouterr().err.strip()
        assert len(line.splitlines()) == 1
        assert line.startswith("nas: error: ")
        assert option.split("=")[0] in line
    assert not folder.exists()

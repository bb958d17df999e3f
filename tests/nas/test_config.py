import tomllib

import pytest

from nas.errors import UsageError
from nas.study.config import SearchConfig, read


def test_a_resolved_configuration_comes_back_from_toml():
    config = SearchConfig(task="digits", constraint=("nnz<=600",), patience=5, learning_rate=0.01, random_baseline=True)
    assert SearchConfig.from_mapping(tomllib.loads(config.to_toml())) == config


def test_an_unknown_option_names_the_nearest():
    with pytest.raises(UsageError, match=r"unknown option 'traininngs'; did you mean 'trainings'\?"):
        SearchConfig.from_mapping({"traininngs": 5})


def test_optunas_name_of_the_budget_is_known():
    assert SearchConfig.from_mapping({"n-trials": 9}).trainings == 9


def test_flags_and_file_spell_names_either_way():
    assert SearchConfig.from_mapping({"learning-rate": 1}).learning_rate == 1.0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"trainings": 0}, "trainings must be at least 1"),
        ({"trainings": "8"}, "trainings must be a whole number, got '8'"),
        ({"trainings": True}, "trainings must be a whole number"),
        ({"epochs": 0}, "epochs"),
        ({"optimizer": "lion"}, "optimizer must be adam or sgd"),
        ({"explore": 1.5}, "explore"),
        ({"timeout": 0}, "timeout"),
        ({"timeout": float("nan")}, "timeout"),
        ({"space": "onnx"}, "needs a model"),
        ({"model": "a.onnx"}, "needs a model"),
        ({"screen": 2, "round": 8}, "screen must be at least 8"),
        ({"constraint": [600]}, "constraint must be a list of texts"),
    ],
)
def test_values_that_no_search_can_have_are_refused(options, message):
    with pytest.raises(UsageError, match=message):
        SearchConfig.from_mapping(options)


def test_the_space_onnx_starts_from_the_models_own_weights():
    assert SearchConfig(space="onnx", model="a.onnx").training_options().init == "keep"
    assert SearchConfig().training_options().init == "fan-in"
    assert SearchConfig(space="onnx", model="a.onnx", init="fan-in").training_options().init == "fan-in"


def test_a_resolved_configuration_names_files_absolutely(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    resolved = SearchConfig(task="mine.csv", data_dir="data").resolved(100)
    assert resolved.task == str(tmp_path / "mine.csv")
    assert resolved.data_dir == str(tmp_path / "data")
    assert SearchConfig(task="digits").resolved(100).task == "digits"


def test_open_epochs_are_about_1700_steps_between_10_and_100():
    config = SearchConfig(batch_size=64)
    assert config.resolved(1078).epochs == 100  # 17 steps an epoch
    assert config.resolved(4000).epochs == 27  # 63 steps an epoch
    assert config.resolved(54000).epochs == 10  # 844 steps an epoch
    assert SearchConfig(epochs=7).resolved(54000).epochs == 7


def test_a_file_that_is_no_toml_is_named(tmp_path):
    path = tmp_path / "run.toml"
    path.write_text("task = digits")
    with pytest.raises(UsageError, match=r"run\.toml is not TOML"):
        read(path)
    with pytest.raises(UsageError, match="cannot read"):
        read(tmp_path / "absent.toml")

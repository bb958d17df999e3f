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
        ({"trainings": 0}, "trainings must be a whole number from 1 to 1,000,000, got 0"),
        ({"trainings": 10**23}, "trainings must be a whole number from 1 to 1,000,000, got 1000"),
        ({"trainings": 1e23}, "trainings must be a whole number, got 1e\\+23"),
        ({"repeats": 10**9}, "repeats must be a whole number"),
        ({"round": -1}, "round must be a whole number"),
        ({"screen": 10**12}, "screen must be a whole number"),
        ({"seed": -1}, "seed must be a whole number from 0"),
        ({"seed": 2**63}, "seed must be a whole number from 0"),
        ({"subset": 0}, "subset must be a whole number from 1"),
        ({"epochs": 10**7}, "epochs must be a whole number from 1 to 1,000,000"),
        ({"batch_size": 10**30}, "batch_size must be a whole number"),
        ({"patience": 0}, "patience must be a whole number from 1"),
        ({"weight_decay": float("nan")}, "weight_decay must be a number of at least 0 and at most 1e\\+06, got nan"),
        ({"weight_decay": -0.1}, "weight_decay must be a number of at least 0"),
        ({"weight_decay": float("inf")}, "weight_decay"),
        ({"learning_rate": float("nan")}, "learning_rate must be a number above 0"),
        ({"learning_rate": float("inf")}, "learning_rate"),
        ({"learning_rate": 0}, "learning_rate must be a number above 0"),
        ({"explore": float("nan")}, "explore"),
        ({"confirm": 1.0}, "confirm must be a number of at least 0 and below 1, got 1"),
        ({"timeout": float("inf")}, "timeout in seconds must be a number above 0"),
        ({"preprocessing": "mine"}, "preprocessing must be auto or model or task"),
        ({"trainings": "8"}, "trainings must be a whole number, got '8'"),
        ({"trainings": True}, "trainings must be a whole number"),
        ({"epochs": 0}, "epochs"),
        ({"optimizer": "lion"}, "optimizer must be adam or sgd"),
        ({"explore": 1.5}, "explore"),
        ({"timeout": 0}, "timeout"),
        ({"timeout": float("nan")}, "timeout"),
        ({"space": "onnx"}, "needs a model"),
        ({"space": "mlp", "model": "a.onnx"}, "needs a model"),
        ({"screen": 2, "round": 8}, "screen must be at least 8"),
        ({"constraint": [600]}, "constraint must be a list of texts"),
    ],
)
def test_values_that_no_search_can_have_are_refused(options, message):
    with pytest.raises(UsageError, match=message):
        SearchConfig.from_mapping(options)


def test_the_library_checks_the_types_of_numbers_too():
    for name, value in (
        ("trainings", 4.0),
        ("trainings", "48"),
        ("epochs", True),
        ("learning_rate", "fast"),
        ("seed", None),
    ):
        with pytest.raises(UsageError, match=f"{name} must be a .*number"):
            SearchConfig(**{name: value})


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
    with pytest.raises(UsageError, match="no such file"):
        read(tmp_path / "absent.toml")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("task = " + "[" * 50_000, "nested too deep to be read"),
        ("task." * 5_000 + "a = 1", "nested deeper than 64 levels"),
        ("seed = " + "9" * 30, "a whole number of more than 64 bits"),
        ("#" * 200_000, "200,000 bytes, expected at most 131,072"),
    ],
)
def test_a_file_that_would_break_the_reader_is_one_clear_error(tmp_path, text, message):
    path = tmp_path / "run.toml"
    path.write_text(text)
    with pytest.raises(UsageError, match=message) as error:
        read(path)
    assert "run.toml" in str(error.value)
    assert len(str(error.value)) < 300

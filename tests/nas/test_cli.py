"""The command line: its output, its exit codes, and one clear line for every error."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import onnx.parser
import pytest

import onnx_graph
import search_spaces
from nas.cli.main import VERBS, main
from nas.tasks import load_task
from predictors.models.boosted import BoostedOptions
from predictors.models.ensemble import EnsembleOptions
from predictors.models.forest import ForestOptions
from predictors.models.gnn.gnn import GNNOptions

DATA = os.environ.get("NAS_DATA_DIR")


@pytest.fixture
def model(tmp_path):
    """A small masked network for digits."""
    space = search_spaces.create("mlp", load_task("digits").signature, max_nnz=300)
    path = tmp_path / "model.onnx"
    onnx_graph.save(space.build(space.sample(np.random.default_rng(1))), path)
    return path


def run(capsys, *argv):
    """Exit code, stdout, stderr."""
    code = main([str(word) for word in argv])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def refused(capsys, *argv):
    """Exit code and the one line on stderr; nothing on stdout."""
    code, out, err = run(capsys, *argv)
    assert out == ""
    lines = err.strip().splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("nas: error: ")
    return code, lines[0]


def test_help_loads_none_of_the_heavy_libraries():
    script = (
        "import sys\nfrom nas.cli.main import main\n"
        "try: main(['--help'])\nexcept SystemExit: pass\n"
        "print(sorted(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    loaded = set(done.stderr.replace("'", "").strip("[]\n").split(", "))
    assert not loaded & {
        "torch",
        "torch_geometric",
        "sklearn",
        "optuna",
        "onnx",
        "onnxruntime",
        "numpy",
        "matplotlib",
        "rich",
    }
    assert all(verb in done.stdout for verb in VERBS)


@pytest.mark.parametrize("verb", sorted(VERBS))
def test_every_verb_has_help_with_examples(capsys, verb):
    with pytest.raises(SystemExit) as stop:
        main([verb, "--help"])
    assert stop.value.code == 0
    assert f"nas {verb}" in capsys.readouterr().out.partition("examples:")[2]


def test_no_command_is_a_usage_error(capsys):
    code, out, _ = run(capsys)
    assert code == 2
    assert "examples:" in out


@pytest.mark.parametrize("what", ["tasks", "spaces", "strategies", "predictors", "masks", "metrics"])
def test_list_gives_names_with_their_meaning(capsys, what):
    code, out, _ = run(capsys, "list", what, "--format", "json")
    rows = json.loads(out)
    assert code == 0
    assert len(rows) >= 3
    assert all(row["name"] and row["meaning"] for row in rows)
    _, table, _ = run(capsys, "list", what)
    assert all(row["name"] in table for row in rows)


def test_inspect_counts_what_the_file_holds(capsys, model):
    _, out, _ = run(capsys, "inspect", model, "--format", "json")
    data = json.loads(out)
    loaded = onnx_graph.load(model)
    assert (
        data["model"]["non-zero weights"]
        == onnx_graph.count(loaded).nnz
        == sum(row["non-zeros"] for row in data["layers"])
    )
    assert data["model"]["effective non-zeros"] == data["model"]["non-zero weights"]
    _, table, _ = run(capsys, "inspect", model)
    assert all(row["weight"] in table for row in data["layers"])


def test_train_keeps_the_mask_and_writes_a_checked_file(capsys, model, tmp_path):
    out_file = tmp_path / "trained.onnx"
    code, out, _ = run(
        capsys,
        "train",
        model,
        "--task",
        "digits",
        "--subset",
        200,
        "--epochs",
        2,
        "--repeats",
        2,
        "-o",
        out_file,
        "--format",
        "json",
    )
    data = json.loads(out)
    assert code == 0
    assert len({row["seed"] for row in data["trainings"]}) == 2
    assert all(0 <= row["test"] <= 1 for row in data["trainings"])
    assert data["exported"]["nnz"] == onnx_graph.count(onnx_graph.load(out_file)).nnz <= data["trainings"][0]["nnz"]
    assert data["exported"]["largest_error"] <= 1e-4


def _again(trial):
    """Whether a network that is not kept can be trained again: the parents of an inherited one may be gone."""
    return "inherited" not in trial["candidate"]["mask"]


def test_search_report_export_and_predict_hang_together(capsys, tmp_path):
    folder = tmp_path / "run"
    flags = [
        "--subset",
        200,
        "--epochs",
        1,
        "--trainings",
        24,
        "--round",
        6,
        "--screen",
        8,
        "--repeats",
        1,
        "--learning-rate",
        0.01,
    ]
    code, out, err = run(capsys, "search", "--task", "digits", "--constraint", "nnz<=300", *flags, "--out", folder)
    assert code == 0
    assert "Pareto front" in out
    assert str(folder / "best.onnx") in out
    assert re.search(r"\d+/24 trainings", err)
    _, report, _ = run(capsys, "report", folder, "--format", "json")
    assert json.loads(report)["best"]["nnz"] <= 300
    code, _, _ = run(capsys, "export", folder, "-o", tmp_path / "small.onnx")
    assert code == 0
    assert onnx_graph.size(onnx_graph.load(tmp_path / "small.onnx")) == onnx_graph.size(
        onnx_graph.load(folder / "best.onnx")
    )
    trials = json.loads(report)["trials"]
    for number in (one["number"] for one in trials if one["accuracy"] is not None and _again(one)):
        code, out, _ = run(
            capsys, "export", folder, "--trial", number, "-o", tmp_path / "trial.onnx", "--format", "json"
        )
        assert (code, json.loads(out)["largest_error"] <= 1e-4) == (0, True)
    assert onnx_graph.load(tmp_path / "small.onnx").metadata_props["nas.task"] == "digits"
    _, scores, _ = run(
        capsys, "predict", tmp_path / "small.onnx", folder / "best.onnx", "--predictor", folder, "--format", "json"
    )
    assert all(0 <= row["score"] <= 1 and row["std"] >= 0 for row in json.loads(scores))
    space = search_spaces.create("mlp", search_spaces.Signature(input_shape=(7,), outputs=10))
    onnx_graph.save(space.build(space.sample(np.random.default_rng(0))), tmp_path / "seven.onnx")
    code, line = refused(capsys, "predict", tmp_path / "seven.onnx", "--predictor", folder)
    assert (code, "does not fit task 'digits': it takes 7 inputs, the task has 64" in line) == (3, True)
    assert refused(capsys, "search", "--task", "digits", "--out", folder)[0] == 2
    code, line = refused(capsys, "export", folder, "--trial", 99, "-o", tmp_path / "x.onnx")
    assert (code, "has no trial 99" in line) == (2, True)


@pytest.fixture
def small_ensembles(monkeypatch):
    """Ensembles of few trees and small graph networks: how well they predict does not matter here."""
    options = EnsembleOptions(
        folds=2,
        forest=ForestOptions(trees=10),
        boosted=BoostedOptions(trees=10),
        network=GNNOptions(members=2, hidden=8, layers=1, unit_hidden=4, unit_layers=1, steps=5, epochs=1),
    )
    monkeypatch.setattr("predictors.models.warm.EnsembleOptions", lambda: options)


@pytest.mark.usefixtures("small_ensembles")
def test_a_search_may_start_from_the_shipped_predictor(capsys, tmp_path):
    folder = tmp_path / "run"
    flags = ["--subset", 200, "--epochs", 1, "--trainings", 8, "--round", 4, "--screen", 4, "--repeats", 1]
    code, _, _ = run(
        capsys, "search", "--task", "digits", "--strategy", "evolution", "--predictor", "warm", *flags, "--out", folder
    )
    assert code == 0
    _, out, _ = run(capsys, "predictor", "card", folder, "--format", "json")
    card = json.loads(out)
    assert (card["predictor"], card["training_graphs"]) == ("warm", 8)
    assert "transfer" in card["weights"]
    _, out, _ = run(capsys, "predict", folder / "best.onnx", "--predictor", folder, "--format", "json")
    assert 0 <= json.loads(out)[0]["score"] <= 1


def test_predictor_fit_evaluate_and_predict_on_ones_own_files(capsys, tmp_path):
    space = search_spaces.create("mlp", search_spaces.Signature(input_shape=(6,), outputs=2))
    rng = np.random.default_rng(0)
    lines = ["model,accuracy,cell"]
    for number in range(24):
        built = space.build(space.sample(rng))
        onnx_graph.save(built, tmp_path / f"{number}.onnx")
        lines.append(f"{number}.onnx,{min(0.99, 0.3 + 0.1 * np.log1p(onnx_graph.count(built).nnz)):.4f},{number % 2}")
    table = tmp_path / "rows.csv"
    table.write_text("\n".join(lines))
    code, out, err = run(capsys, "predictor", "evaluate", "--table", table, "--predictor", "gp", "--format", "json")
    assert err.splitlines()[0] == "0 of 45 folds done · time left not known yet"  # 3 predictors, 5 folds, 3 times
    assert (
        run(capsys, "predictor", "evaluate", "--table", table, "--folds", 2, "--predictor", "constant", "-q")[2] == ""
    )
    result = json.loads(out)
    scores = {row["name"]: row for row in result["predictors"]}
    assert code == 0
    assert scores["gp"]["tau"] > 0.5
    assert scores["gp"]["r2"] > scores["constant"]["r2"]
    code, _, _ = run(capsys, "predictor", "fit", "--table", table, "--predictor", "forest", "--out", tmp_path / "mine")
    assert code == 0
    code, line = refused(capsys, "predictor", "fit", "--table", table, "--out", tmp_path / "other", "--workers", 0)
    assert (code, "--workers must be a whole number from 1 to 1,024, got 0" in line) == (2, True)
    _, out, _ = run(capsys, "predict", tmp_path / "3.onnx", "--predictor", tmp_path / "mine", "--format", "json")
    told = json.loads(out)[0]
    assert told["model"].endswith("3.onnx")
    assert told["low"] <= told["score"] <= told["high"]
    _, out, _ = run(capsys, "predictor", "card", tmp_path / "mine", "--format", "json")
    assert (json.loads(out)["predictor"], json.loads(out)["training_graphs"]) == ("forest", 24)
    code, line = refused(capsys, "predict", tmp_path / "3.onnx", "--predictor", tmp_path / "mine", "--task", "digits")
    assert (code, "one task" in line) == (2, True)


def test_a_task_is_described_for_predictors_of_several(capsys, tmp_path):
    _, out, _ = run(capsys, "predictor", "describe", "digits")
    told = json.loads(out)
    assert set(told) == {"samples", "classes", "inputs", "one_nn", "linear_probe", "relevance"}
    assert len(told["relevance"]) == told["inputs"]
    bad = tmp_path / "task.json"
    bad.write_text("{")
    code, line = refused(capsys, "predict", tmp_path / "x.onnx", "--predictor", GOLDEN, "--task", bad)
    assert (code, "not JSON" in line) == (2, True)


FRESH = ("--weights", "fresh", "--format", "json")
"""One row for each file and task, as JSON."""


def test_the_shipped_predictor_answers_for_the_tasks_that_a_network_fits(capsys, tmp_path):
    space = search_spaces.create("mlp", load_task("digits").signature, min_density=0.05, max_density=0.2)
    model = tmp_path / "model.onnx"
    onnx_graph.save(space.build(space.sample(np.random.default_rng(1))), model)
    code, out, _ = run(capsys, "predict", model, *FRESH)
    (row,) = json.loads(out)
    assert (code, row["task"], row["outside"]) == (0, "digits", False)
    assert 0 <= row["low"] <= row["score"] <= row["high"] <= 1
    _, out, _ = run(capsys, "predict", model, "--task", "digits", *FRESH)
    assert json.loads(out) == [row]
    description = tmp_path / "digits.json"
    description.write_text(run(capsys, "predictor", "describe", "digits")[1])
    _, out, err = run(capsys, "predict", model, "--task", description, *FRESH)
    assert json.loads(out) == [{**row, "task": "described"}]
    assert "unseen" not in err
    described = json.loads(description.read_text())
    description.write_text(json.dumps(described | {"samples": 3000}))
    _, out, err = run(capsys, "predict", model, "--task", description, *FRESH)
    (other,) = json.loads(out)
    assert other["high"] - other["low"] > row["high"] - row["low"]
    assert (row["unseen"], other["unseen"]) == (False, True)
    assert "unseen: a task" in err
    assert "unseen" in run(capsys, "predict", model, "--task", description, "--weights", "fresh")[1]
    description.write_text(json.dumps(described | {"samples": 2000}))
    _, out, err = run(capsys, "predict", model, "--task", description, *FRESH)
    assert (json.loads(out)[0]["unseen"], "unseen" in err) == (False, False)
    code, line = refused(capsys, "predict", model, "--task", "digit")
    assert (code, "knows no task 'digit'; it knows digits" in line) == (2, True)
    assert "digits" in run(capsys, "predictor", "card", "default")[1]


def test_a_predictor_of_milliseconds_is_no_predictor_of_accuracy(capsys, tmp_path, model):
    code, _, _ = run(capsys, "predictor", "calibrate-latency", "--out", tmp_path / "here", "--networks", 60, "-q")
    assert code == 0
    code, line = refused(capsys, "predict", model, "--predictor", tmp_path / "here")
    assert (code, "predicts latency, not accuracy" in line) == (2, True)
    _, out, _ = run(capsys, "predict", model, "--latency", tmp_path / "here", *FRESH)
    (row,) = json.loads(out)
    assert row["latency"] > 0
    assert row["bytes"] > 0
    assert row["latency_outside"] is False


def test_a_network_of_two_tasks_is_predicted_for_both_on_any_number_of_processes(capsys, tmp_path):
    space = search_spaces.create("mlp", search_spaces.Signature(input_shape=(784,), outputs=10), max_density=0.2)
    rng = np.random.default_rng(0)
    files = [tmp_path / f"{number}.onnx" for number in range(2)]
    for file in files:
        onnx_graph.save(space.build(space.sample(rng)), file)
    _, out, _ = run(capsys, "predict", *files, "--format", "json")
    rows = json.loads(out)
    assert {(row["model"], row["task"]) for row in rows} == {
        (str(file), task) for file in files for task in ("mnist", "fashion-mnist")
    }
    assert json.loads(run(capsys, "predict", *files, "--workers", 2, "--format", "json")[1]) == rows
    assert refused(capsys, "predict", *files, "--workers", 0)[0] == 2


@pytest.mark.parametrize("content", ["[" * 100_000, "null", "[1, 2]", "{"])
def test_a_task_file_that_describes_nothing_is_one_clear_line(capsys, tmp_path, model, content):
    (tmp_path / "task.json").write_text(content)
    code, line = refused(capsys, "predict", model, "--task", tmp_path / "task.json")
    assert code == 2
    assert "task.json" in line


def test_a_network_that_fits_no_known_task_is_asked_about(capsys, tmp_path):
    space = search_spaces.create("mlp", search_spaces.Signature(input_shape=(5,), outputs=3))
    onnx_graph.save(space.build(space.sample(np.random.default_rng(0))), tmp_path / "other.onnx")
    code, line = refused(capsys, "predict", tmp_path / "other.onnx")
    assert code == 3
    assert "fits no task that the predictor knows (64 inputs and 10 classes" in line
    assert "nas predictor describe" in line
    code, line = refused(capsys, "predict", tmp_path / "other.onnx", "--task", "digits")
    assert (code, "does not fit task 'digits': it takes 5 inputs, the task has 64" in line) == (3, True)
    space = search_spaces.create("mlp", search_spaces.Signature(input_shape=(64,), outputs=3))
    onnx_graph.save(space.build(space.sample(np.random.default_rng(0))), tmp_path / "three.onnx")
    code, line = refused(capsys, "predict", tmp_path / "three.onnx", "--task", "digits")
    assert (code, "it gives 3 outputs, the task has 10 classes" in line) == (3, True)


def test_a_network_of_free_sizes_may_fit_any_task(capsys, tmp_path):
    text = (
        '<ir_version: 8, opset_import: ["": 17]> g (float[N, 1, H, W] x) => (float[N, 10] y) '
        "{ c = Conv <kernel_shape = [3, 3]> (x, k)\n p = GlobalAveragePool(c)\n f = Flatten(p)\n y = MatMul(f, w) }"
    )
    proto = onnx.parser.parse_model(text)
    rng = np.random.default_rng(0)
    for name, shape in (("k", (4, 1, 3, 3)), ("w", (4, 10))):
        proto.graph.initializer.append(onnx.numpy_helper.from_array(rng.normal(size=shape).astype(np.float32), name))
    (tmp_path / "free.onnx").write_bytes(proto.SerializeToString())
    code, out, _ = run(capsys, "predict", tmp_path / "free.onnx", "--task", "digits", "--format", "json")
    assert (code, json.loads(out)[0]["task"]) == (0, "digits")


@pytest.mark.usefixtures("small_ensembles")
def test_a_predictor_fitted_for_a_task_starts_from_the_shipped_one(capsys, tmp_path):
    space = search_spaces.create("mlp", load_task("digits").signature)
    rng = np.random.default_rng(0)
    for number in range(6):
        onnx_graph.save(space.build(space.sample(rng)), tmp_path / f"{number}.onnx")
    table = tmp_path / "rows.csv"
    table.write_text("\n".join(["model,accuracy", *(f"{number}.onnx,0.{5 + number % 4}" for number in range(6))]))
    code, out, _ = run(
        capsys, "predictor", "fit", "--table", table, "--task", "digits", "--out", tmp_path / "mine", "--format", "json"
    )
    assert (code, json.loads(out)["predictor"]) == (0, "warm")
    _, out, _ = run(capsys, "predict", tmp_path / "3.onnx", "--predictor", tmp_path / "mine", "--format", "json")
    assert json.loads(out)[0]["task"] == "digits"


def test_dry_run_shows_sizes_and_makes_nothing(capsys, tmp_path):
    code, out, _ = run(
        capsys,
        "search",
        "--task",
        "digits",
        "--constraint",
        "nnz<=300",
        "--dry-run",
        "--out",
        tmp_path / "run",
        "--format",
        "json",
    )
    sizes = {row["candidate"]: row for row in json.loads(out)["sizes"]}
    assert code == 0
    assert sizes["smallest"]["nnz"] <= sizes["middle"]["nnz"] <= sizes["largest"]["nnz"] <= 300
    assert not (tmp_path / "run").exists()


def test_flags_win_over_the_file(capsys, tmp_path):
    config = tmp_path / "run.toml"
    config.write_text('task = "digits"\nconstraint = ["nnz<=300"]\ntrainings = 7\nseed = 1\n')
    _, out, _ = run(capsys, "search", "--config", config, "--seed", 5, "--dry-run", "--format", "json")
    resolved = json.loads(out)["config"]
    assert (resolved["trainings"], resolved["seed"], resolved["constraint"]) == (7, 5, ["nnz<=300"])


def test_a_minimised_cost_is_no_flag(capsys):
    words = [
        "search",
        "--task",
        "digits",
        "--objective",
        "accuracy",
        "--objective",
        "-nnz",
        "--dry-run",
        "--format",
        "json",
    ]
    code, out, _ = run(capsys, *words)
    assert code == 0
    assert json.loads(out)["config"]["objective"] == ["accuracy", "-nnz"]


def fixed_batch(path, *, type_="float", batch=1):
    """A linear model for digits whose batch size is fixed."""
    header = f'<ir_version: 8, opset_import: ["": 17]> g ({type_}[{batch}, 1, 8, 8] x) => ({type_}[{batch}, 10] y)'
    text = header + "{ f = Flatten(x)\n y = MatMul(f, w) }"
    proto = onnx.parser.parse_model(text)
    values = np.random.default_rng(0).normal(size=(64, 10)).astype(np.float32 if type_ == "float" else np.float64)
    proto.graph.initializer.append(onnx.numpy_helper.from_array(values, "w"))
    path.write_bytes(proto.SerializeToString())


@pytest.mark.parametrize("batch", [1, 300])
def test_a_model_of_a_fixed_batch_size_is_trained_and_exported(capsys, tmp_path, batch):
    fixed_batch(tmp_path / "one.onnx", batch=batch)
    words = ["train", tmp_path / "one.onnx", "--task", "digits", "--subset", 200, "--epochs", 1, "--repeats", 1]
    code, out, _ = run(capsys, *words, "--init", "keep", "-o", tmp_path / "out.onnx", "--format", "json")
    assert code == 0
    assert 0 <= json.loads(out)["trainings"][0]["before"] <= 1
    assert json.loads(out)["exported"]["largest_error"] <= 1e-4


def test_a_float64_model_is_refused_before_training(capsys, tmp_path):
    fixed_batch(tmp_path / "double.onnx", type_="double")
    code, line = refused(capsys, "train", tmp_path / "double.onnx", "--task", "digits", "-o", tmp_path / "out.onnx")
    assert (code, "only float32 models are supported" in line) == (2, True)
    code, line = refused(
        capsys,
        "search",
        "--task",
        "digits",
        "--space",
        "onnx",
        "--model",
        tmp_path / "double.onnx",
        "--out",
        tmp_path / "run",
    )
    assert (code, "only float32 models are supported" in line) == (2, True)


def test_a_folder_that_is_missing_is_named_before_training(capsys, model, tmp_path):
    code, line = refused(capsys, "train", model, "--task", "digits", "-o", tmp_path / "absent" / "x.onnx")
    assert (code, "there is no folder" in line) == (2, True)


def test_an_unknown_key_in_the_file_names_the_nearest(capsys, tmp_path):
    config = tmp_path / "run.toml"
    config.write_text("epoch = 3\n")
    code, line = refused(capsys, "search", "--config", config)
    assert (code, "unknown option 'epoch'; did you mean 'epochs'?" in line) == (2, True)


# --- broken input -----------------------------------------------------------------------------------------------------


def write_broken(kind: str, path: Path, good: Path) -> None:
    """A file that is not a usable model."""
    if kind == "truncated":
        path.write_bytes(good.read_bytes()[:-40])
    elif kind == "text":
        path.write_text("this is not a model")
    elif kind == "empty":
        path.write_bytes(b"")
    elif kind in ("outside", "absolute"):
        (path.parent.parent / "secret.bin").write_bytes(bytes(16))
        proto = onnx.parser.parse_model(
            '<ir_version: 8, opset_import: ["": 17]> g (float[N, 2] x) => (float[N, 2] y) { y = MatMul(x, w) }'
        )
        tensor = onnx.TensorProto(name="w", data_type=1, dims=[2, 2], data_location=onnx.TensorProto.EXTERNAL)
        location = "../secret.bin" if kind == "outside" else str(path.parent.parent / "secret.bin")
        tensor.external_data.add(key="location", value=location)
        proto.graph.initializer.append(tensor)
        path.write_bytes(proto.SerializeToString())
    elif kind == "folder":
        path.mkdir()


@pytest.mark.parametrize("verb", ["inspect", "predict", "train"])
@pytest.mark.parametrize("kind", ["missing", "truncated", "text", "empty", "outside", "absolute", "folder"])
def test_a_broken_model_is_one_line_and_exit_code_3(capsys, tmp_path, model, kind, verb):
    (tmp_path / "in").mkdir()
    path = tmp_path / "in" / "broken.onnx"
    write_broken(kind, path, model)
    flags = {
        "inspect": [],
        "predict": ["--predictor", GOLDEN],
        "train": ["--task", "digits", "-o", tmp_path / "out.onnx"],
    }[verb]
    code, line = refused(capsys, verb, path, *flags)
    assert code == 3
    assert "broken.onnx" in line
    assert not (tmp_path / "out.onnx").exists()


def test_one_broken_file_does_not_end_a_batch_of_predictions(capsys, tmp_path, model):
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(model.read_bytes()[:-40])
    code, out, err = run(capsys, "predict", broken, model, "--predictor", GOLDEN, "--format", "json")
    rows = json.loads(out)
    assert code == 3
    assert [row["model"] for row in rows] == [str(model), str(broken)]
    assert 0 < rows[0]["score"] < 1
    assert "error" not in rows[0]
    assert rows[1]["error"].startswith(f"{broken}: ")
    assert [line.startswith(f"nas: error: {broken}: ") for line in err.splitlines() if "error" in line] == [True]
    code, out, err = run(capsys, "predict", broken, model, "--predictor", GOLDEN)
    assert code == 3
    assert "model.onnx" in out
    assert "broken.onnx" not in out
    assert err.count("nas: error: ") == 1


def test_a_table_with_broken_files_names_all_their_lines(capsys, tmp_path, model):
    for number in range(6):
        (tmp_path / f"{number}.onnx").write_bytes(model.read_bytes()[: -40 if number in (1, 4) else None])
    table = tmp_path / "rows.csv"
    table.write_text("model,accuracy\n" + "".join(f"{number}.onnx,0.{number + 1}\n" for number in range(6)))
    code, line = refused(
        capsys, "predictor", "fit", "--table", table, "--predictor", "forest", "--out", tmp_path / "mine"
    )
    assert code == 2
    assert "rows.csv, line 3, column 'model'" in line
    assert "1.onnx" in line
    assert line.endswith("1 more models cannot be read: line 6")


def test_names_in_a_file_cannot_act_on_the_terminal(capsys, tmp_path):
    proto = onnx.parser.parse_model(
        '<ir_version: 8, opset_import: ["": 17]> g (float[N,2] x) => (float[N,2] y) <float[2,2] w = {1,0,0,1}> { y = MatMul(x, w) }'
    )
    proto.graph.initializer[0].name = proto.graph.node[0].input[1] = "\x1b]0;owned\x07\x1b[31mred\u202e"
    proto.graph.node[0].op_type = "\x1b[2J"
    path = tmp_path / "red.onnx"
    path.write_bytes(proto.SerializeToString())
    for words in (("inspect", path), ("predict", path, "--predictor", GOLDEN), ("train", path, "--task", "digits")):
        _, out, err = run(capsys, *words)
        assert all(sign.isprintable() or sign == "\n" for sign in out + err)


GOLDEN = next((Path(__file__).parents[1] / "predictors").rglob("predictor.json")).parent
"""A saved predictor that the tests of persistence keep."""


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x": np.zeros((0, 3)), "y": np.zeros(0, int)}, "empty"),
        ({"x": np.full((40, 3), np.nan), "y": np.arange(40) % 2}, "nan"),
        ({"x": np.ones((40, 3)), "y": np.zeros(40, int)}, "class"),
        ({"x": np.ones((40, 3)), "y": np.arange(39) % 2}, "39"),
        ({"x": np.ones((40, 3))}, "y"),
    ],
)
def test_broken_data_is_one_line_and_exit_code_2(capsys, tmp_path, arrays, message):
    path = tmp_path / "data.npz"
    np.savez(path, **arrays)
    code, line = refused(capsys, "search", "--task", path, "--out", tmp_path / "run")
    assert code == 2
    assert message in line.lower()
    assert not (tmp_path / "run").exists()


def test_a_model_that_does_not_fit_the_task_is_refused(capsys, tmp_path):
    space = search_spaces.create("mlp", search_spaces.Signature(input_shape=(7,), outputs=10))
    onnx_graph.save(space.build(space.sample(np.random.default_rng(0))), tmp_path / "seven.onnx")
    code, line = refused(capsys, "train", tmp_path / "seven.onnx", "--task", "digits")
    assert code in (2, 3)
    assert "7" in line
    assert "8" in line


@pytest.mark.skipif(DATA is None, reason="NAS_DATA_DIR is not set: no files that onnxruntime rejects")
def test_files_that_onnxruntime_rejects_are_refused_by_train(capsys, tmp_path):
    import csv

    folder = Path(DATA or "") / "onnx"
    with (folder / "onnx_index.csv").open() as file:
        rejected = [row["file"] for row in csv.DictReader(file) if row["ort_loads"] == "0"]
    assert len(rejected) >= 5
    for name in rejected:
        code, line = refused(
            capsys, "train", folder / name, "--task", "digits", "--epochs", 1, "-o", tmp_path / "out.onnx"
        )
        assert code in (2, 3), line
        assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_no_run_is_refused_by_every_verb_that_needs_one(capsys, tmp_path):
    for argv in (["resume", tmp_path], ["report", tmp_path], ["export", tmp_path, "-o", tmp_path / "x.onnx"]):
        code, line = refused(capsys, *argv)
        assert code == 2
        assert "config.toml" in line


def test_debug_shows_the_traceback(capsys, tmp_path):
    with pytest.raises(onnx_graph.InvalidModelError):
        main(["inspect", str(tmp_path / "absent.onnx"), "--debug"])

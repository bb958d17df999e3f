"""Plug-ins of other packages: one of every kind used from the command line and the library; name clashes; broken ones."""

import csv
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import predictors
import search_spaces
from nas.cli.main import main
from nas.engine import strategies
from nas.errors import ConstraintError, DataError, PluginError, RunError, UsageError
from nas.exporters.registry import format_of
from nas.measure.costs import COSTS
from nas.metrics import METRICS
from nas.study.config import SearchConfig
from nas.tasks import TASKS, load_task
from nas.training.methods import create as create_method
from nas.verbs import search as searches
from nas.verbs.plugins import KINDS
from predictors.errors import InvalidPluginError as InvalidPredictorPlugin
from search_spaces.errors import InvalidPluginError as InvalidSpacePlugin
from search_spaces.masks.recipe import CAPACITIES, DISTRIBUTIONS, PATTERNS

FLAGS = [
    *("--task", "clouds", "--space", "narrow", "--method", "plain", "--method-option", "strength=0.25"),
    *("--space-option", 'patterns=["first"]', "--space-option", 'distributions=["flat"]'),
    *("--space-option", 'edits=["turn"]', "--space-option", "depth=[1,2]", "--space-option", "width=[6,12]"),
    *("--strategy", "first-come", "--predictor", "sparsity"),
    *("--objective=-error-rate", "--objective=balanced-accuracy", "--objective=-nodes"),
    *("--constraint", "nodes<=9", "--constraint", "balanced-accuracy>=40%"),
    *("--learning-rate", "0.05"),
    *("--trainings", "13", "--round", "4", "--screen", "6", "--epochs", "12", "--repeats", "1", "--batch-size", "32"),
]


SITE = Path(__file__).parent / "site"
"""A folder as pip would leave it: the package ``everykind``, which has a plug-in of every kind."""


@pytest.fixture(scope="module")
def package() -> Iterator[Path]:
    """The package of every kind, installed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(SITE))
        yield SITE


def install(
    folder: Path, name: str, source: str, groups: Mapping[str, Mapping[str, str]], version: str = "2.1"
) -> Path:
    """Write the distribution `name` with one module of that name into a folder, as pip would; returns the folder."""
    info = folder / f"{name}-{version}.dist-info"
    info.mkdir(parents=True)
    (folder / f"{name}.py").write_text(source, encoding="utf-8")
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    lines = []
    for group, points in groups.items():
        lines += [f"[{group}]", *(f"{point} = {name}:{attribute}" for point, attribute in points.items())]
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture(scope="module")
def run(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A search that uses all plug-ins, started on the command line."""
    folder = tmp_path_factory.mktemp("runs") / "plugged"
    assert main(["search", "-q", "--out", str(folder), *FLAGS]) == 0
    return folder


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """`installed(name, source, group, **points)`: install one more distribution."""

    def add(name: str, source: str, group: str, **points: str) -> None:
        install(tmp_path / name, name, source, {group: points})
        monkeypatch.syspath_prepend(str(tmp_path / name))

    return add


def rows_of(capsys: pytest.CaptureFixture[str], what: str) -> tuple[dict[str, dict[str, str]], str]:
    """`nas list` as rows by name, and its stderr."""
    assert main(["list", what, "--format", "json"]) == 0
    out, err = capsys.readouterr()
    return {row["name"]: row for row in json.loads(out) if row.get("kind") != "capacity"}, err


@pytest.mark.parametrize(
    ("what", "name", "meaning"),
    [
        ("tasks", "clouds", "Two clouds of points."),
        ("spaces", "narrow", "Perceptrons under another name."),
        ("masks", "first", "The first connections, row by row."),
        ("masks", "flat", "The same density everywhere."),
        ("masks", "turn", "Every mask backwards."),
        ("methods", "plain", "The model's own mask, trained."),
        ("strategies", "first-come", "Random draws under another name."),
        ("predictors", "sparsity", "A line through the densities under another name."),
        ("metrics", "balanced-accuracy", "mean recall of the classes"),
        ("metrics", "smooth-cross-entropy", "cross entropy of weaker logits"),
        ("metrics", "nodes", "nodes of the graph"),
        ("formats", "text", "a sentence"),
    ],
)
def test_list_shows_where_a_plugin_comes_from(package, capsys, what, name, meaning):
    rows, _ = rows_of(capsys, what)
    assert (rows[name]["origin"], rows[name]["meaning"]) == ("everykind 2.1", meaning)


@pytest.mark.parametrize("what", KINDS)
def test_every_name_has_an_origin_and_a_meaning(package, capsys, what):
    rows, err = rows_of(capsys, what)
    assert all(row["meaning"] for row in rows.values())
    assert {row["origin"] for row in rows.values()} - {"your file"} == {"built-in", "everykind 2.1"}
    assert err.count("warning") == (what == "predictors")  # one of that kind is wrong by intent


def test_every_entry_point_group_is_documented_and_tried():
    root = Path(predictors.__file__).parents[1]
    told = "".join(path.read_text() for path in [*root.glob("*.md"), *root.glob("docs/**/*.md")])
    points = next(SITE.glob("*.dist-info")) / "entry_points.txt"
    groups = [line.strip("[]") for line in points.read_text().splitlines() if line.startswith("[")]
    assert len(groups) == 14
    assert [group for group in groups if f"`{group}`" not in told] == []


def test_list_shows_the_options_of_spaces_and_methods(package, capsys):
    spaces, _ = rows_of(capsys, "spaces")
    assert "depth=[1,4]" in spaces["mlp"]["options"]
    assert "max_nnz=none" in spaces["narrow"]["options"]
    methods, _ = rows_of(capsys, "methods")
    assert "strength=0.5" in methods["plain"]["options"]


def test_a_search_with_every_plugin_optimises_and_records_their_metrics_and_costs(run):
    with (run / "trials.csv").open() as file:
        trials = list(csv.DictReader(file))
    assert len(trials) == 13
    assert list(trials[0])[-2:] == ["balanced-accuracy", "nodes"]
    assert all(float(trial["nodes"]) <= 9 for trial in trials)
    # Both classes have 24 validation examples, so the mean recall is one minus the error rate.
    assert all(float(t["balanced-accuracy"]) == pytest.approx(1 - float(t["accuracy"])) for t in trials)
    report = json.loads((run / "report.json").read_text())
    assert report["task"]["metric"] == "error-rate"
    twice = {t["digest"] for t in trials if t["repeat"] == "1"}
    means = {
        digest: sum(float(t["accuracy"]) for t in same) / len(same)
        for digest in twice
        for same in [[t for t in trials if t["digest"] == digest]]
    }
    assert means[report["best"]["digest"]] == min(means.values())
    assert {front["metrics"]["nodes"] for front in report["front"]} <= {float(trial["nodes"]) for trial in trials}
    page = (run / "report.html").read_text()
    assert page.count(">balanced-accuracy<") == page.count(">nodes<") == 2  # heads of the front and of the trials


def test_scores_are_errors_where_the_metric_is_an_error(run):
    with (run / "trials.csv").open() as file:
        scored = [row for row in csv.DictReader(file) if row["score"]]
    assert scored
    measured = [float(row["accuracy"]) for row in scored]
    # Predictors learn shares for which more is better; the record holds the error again.
    assert np.corrcoef([float(row["score"]) for row in scored], measured)[0, 1] > 0.9
    assert all(float(row["score_std"]) >= 0 for row in scored)


def test_masks_follow_the_plugins(run):
    with (run / "trials.csv").open() as file:
        candidates = [json.loads(row["candidate"]) for row in csv.DictReader(file)]
    assert {candidate["mask"]["pattern"] for candidate in candidates} == {"first"}
    assert {candidate["mask"]["distribution"] for candidate in candidates} == {"flat"}
    assert {candidate["space"] for candidate in candidates} == {"narrow"}


def test_an_edit_of_another_package_is_drawn_where_the_space_allows_it(package):
    from search_spaces.masks.edits import random_edit
    from search_spaces.masks.layer import MaskLayer

    layers, rng = [MaskLayer(name="w", shape=(3, 4))], np.random.default_rng(0)
    mask = np.arange(12).reshape(3, 4) < 5
    drawn = [random_edit({"w": mask}, layers, rng, operators=["turn", "rewire"]) for _ in range(30)]
    assert {edit.operator for edit in drawn if edit} == {"turn", "rewire"}
    assert {e.operator for _ in range(30) if (e := random_edit({"w": mask}, layers, rng))} == {
        "rewire",
        "move-density",
        "swap-rows",
        "swap-columns",
    } - {"move-density"}  # one layer has nothing to move to


def test_the_library_uses_the_same_names(package, run, tmp_path):
    signature = search_spaces.Signature(input_shape=(6,), outputs=2)
    assert search_spaces.create("narrow", signature).name == "narrow"
    assert "first" in PATTERNS
    assert "flat" in DISTRIBUTIONS
    assert "first" in CAPACITIES
    assert load_task("clouds").metric == "error-rate"
    assert len(load_task("clouds").fingerprint) == 64
    assert create_method("plain", {"strength": "0.125"}).strength == 0.125
    assert type(strategies.create("first-come")).__name__ == "FirstComeStrategy"
    assert predictors.create("sparsity").name == "sparsity"
    assert METRICS.load("error-rate").direction == "minimize"
    assert COSTS.load("nodes").name == "nodes"
    report = searches.resume(run)
    assert len(report["trials"]) == 13
    assert predictors.load(run).name == "sparsity"


def test_the_capacity_of_a_pattern_of_another_package_is_asked(package):
    from search_spaces.candidate import MaskRecipe
    from search_spaces.masks import MaskLayer, counts

    layers = [MaskLayer(name="w", shape=(2, 3))]
    assert counts(MaskRecipe(pattern="first", distribution="flat", density=1.0), layers) == {"w": 5}
    assert counts(MaskRecipe(pattern="random", distribution="flat", density=1.0), layers) == {"w": 6}


def test_export_writes_the_format_that_the_suffix_names(run, tmp_path, capsys):
    assert main(["export", str(run), "-o", str(tmp_path / "best.txt")]) == 0
    assert (tmp_path / "best.txt").read_text().endswith("checked on 48 examples")
    assert main(["export", str(run), "-o", str(tmp_path / "best.tflite")]) == 2
    assert ".onnx (onnx), .txt (text)" in capsys.readouterr().err


def test_a_fresh_process_finds_the_package(package):
    env = {**os.environ, "PYTHONPATH": os.pathsep.join((str(package), str(Path(predictors.__file__).parents[1])))}
    code = "from nas.tasks import load_task; print(len(load_task('clouds').train))"
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    assert done.stdout == "96\n"


# --- names that are taken twice ---------------------------------------------------------------------------------------

RIVAL = "class Evolution:\n    '''Ours, but worse.'''\n    def fill(self, *args, **options): raise AssertionError\n"


@pytest.mark.takes(9, "two dry runs of the command line, whose imports fall on whichever test is first")
def test_a_name_taken_twice_is_an_error_that_names_both_places(installed, capsys):
    installed("rival", RIVAL, "nas.strategies", evolution="Evolution")
    with pytest.raises(
        PluginError,
        match=r"'evolution' is offered by built-in \(nas\.engine\.\S+:RegularizedEvolution\) and by rival 2\.1 \(rival:Evolution\)",
    ):
        strategies.create("evolution")
    assert main(["search", "--task", "digits", "--dry-run", "--strategy", "evolution"]) == 2
    assert "rival 2.1" in capsys.readouterr().err
    # The others work, and the list says which does not.
    assert main(["search", "--task", "digits", "--dry-run", "--strategy", "random"]) == 0
    capsys.readouterr()
    rows, err = rows_of(capsys, "strategies")
    assert rows["evolution"]["origin"] == "built-in and rival 2.1"
    assert err.startswith("nas: warning: strategy 'evolution' is offered by")
    assert rows["tpe"]["meaning"].startswith("Tree-structured")


def test_two_packages_with_one_name(installed):
    for name in ("one", "two"):
        installed(f"{name}_maker", "def load(data_dir): '''A task.'''\n", "nas.tasks", same="load")
    with pytest.raises(PluginError, match=r"one_maker 2\.1 \(one_maker:load\) and by two_maker 2\.1"):
        load_task("same")
    assert load_task("digits").name == "digits"


def test_a_name_that_is_metric_and_cost_is_refused(installed):
    source = "from nas.metrics import Metric\nNNZ = Metric(name='nnz', meaning='no', measure=len)\n"
    installed("confused", source, "nas.metrics", nnz="NNZ")
    with pytest.raises(PluginError, match=r"'nnz' is a metric of confused 2\.1 and a cost of built-in"):
        searches.resolve(SearchConfig(constraint="nnz<=600", predictor="none"))


def test_a_metric_named_like_a_column_is_refused(installed):
    source = "from nas.metrics import Metric\nSEED = Metric(name='seed', meaning='no', measure=len)\n"
    installed("column", source, "nas.metrics", seed="SEED")
    with pytest.raises(PluginError, match=r"'seed' of column 2\.1 cannot be used: its name must be"):
        searches.resolve(SearchConfig(objective=("accuracy", "seed"), predictor="none"))


# --- plug-ins that cannot be used -------------------------------------------------------------------------------------

BROKEN_IMPORT = "import a_module_that_nobody_has\n"
ASK: dict[str, tuple[str, str, Callable[[str], Any], type[Exception]]] = {
    "task": ("tasks", "nas.tasks", load_task, PluginError),
    "space": (
        "spaces",
        "search_spaces",
        lambda name: search_spaces.create(name, search_spaces.Signature(input_shape=(6,), outputs=2)),
        InvalidSpacePlugin,
    ),
    "pattern": ("masks", "search_spaces.patterns", PATTERNS.load, InvalidSpacePlugin),
    "distribution": ("masks", "search_spaces.distributions", DISTRIBUTIONS.load, InvalidSpacePlugin),
    "method": ("methods", "nas.methods", create_method, PluginError),
    "strategy": ("strategies", "nas.strategies", strategies.create, PluginError),
    "predictor": ("predictors", "predictors", predictors.create, InvalidPredictorPlugin),
    "metric": ("metrics", "nas.metrics", METRICS.load, PluginError),
    "cost": ("metrics", "nas.costs", COSTS.load, PluginError),
    "format": ("formats", "nas.export_formats", lambda name: format_of(Path("a.onnx")), PluginError),
}


@pytest.mark.parametrize("kind", ASK)
def test_a_broken_plugin_is_reported_and_the_rest_works(installed, capsys, kind):
    what, group, ask, error = ASK[kind]
    name = f"broken_{kind}"
    installed(name, BROKEN_IMPORT, group, mine="Thing")
    rows, err = rows_of(capsys, what)
    assert rows["mine"]["origin"] == f"{name} 2.1"
    assert f"of {name} 2.1 ({name}:Thing) cannot be used: ModuleNotFoundError" in err
    assert [name for name, row in rows.items() if "cannot be used" in row["meaning"]] in (
        ["mine"],
        ["mine", "sparsity-cost"],  # that one is wrong by intent
    )
    if kind == "format":  # chosen by suffix: the broken one is passed over
        assert ask("mine").name == "onnx"
        return
    with pytest.raises(
        error, match=rf"'mine' of {name} 2\.1 \({name}:Thing\) cannot be used: ModuleNotFoundError: No module"
    ):
        ask("mine")


@pytest.mark.parametrize("kind", [kind for kind in ASK if kind != "format"])
def test_a_plugin_of_the_wrong_type_says_what_it_must_be(installed, kind):
    _, group, ask, error = ASK[kind]
    name = f"wrong_{kind}"
    installed(name, "Thing = 3\n", group, mine="Thing")
    with pytest.raises(error, match=r"cannot be used: it must be .*, got 3"):
        ask("mine")


def test_an_unknown_name_lists_plugins_too(package):
    with pytest.raises(UsageError, match="unknown strategy 'first-com'; did you mean 'first-come'"):
        strategies.create("first-com")
    with pytest.raises(UsageError, match=r"unknown predictor 'sparsty'; did you mean 'sparsity'\?.* none"):
        searches.resolve(SearchConfig(predictor="sparsty"))


# --- the signature of a task ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "error", "message"),
    [
        ("def load(folder): pass\n", PluginError, "it also needs folder, got"),
        ("def load(data_dir): return [1, 2]\n", PluginError, "must return a nas.tasks.Task, got list"),
        ("def load(data_dir): return 1 / 0\n", DataError, "cannot be loaded: ZeroDivisionError"),
        ("def load(data_dir): open(f'{data_dir}/nowhere')\n", FileNotFoundError, "nowhere"),
        (
            "import dataclasses\nfrom nas.tasks import load_task\n"
            "def load(data_dir):\n    return dataclasses.replace(load_task('digits'), metric='beauty')\n",
            PluginError,
            "it names the metric 'beauty'",
        ),
        (
            "import dataclasses\nfrom nas.tasks import load_task\n"
            "def load(data_dir):\n    task = load_task('digits')\n"
            "    bad = dataclasses.replace(task.test, x=task.test.x.astype('float64'))\n"
            "    return dataclasses.replace(task, test=bad)\n",
            PluginError,
            "test holds x of type float64",
        ),
        (
            "import dataclasses\nfrom nas.tasks import load_task\n"
            "def load(data_dir):\n    task = load_task('digits')\n"
            "    bad = dataclasses.replace(task.train, y=task.train.y + 1)\n"
            "    return dataclasses.replace(task, train=bad)\n",
            PluginError,
            "train holds answers from 1 to 10; they must lie between 0 and 9",
        ),
    ],
)
def test_a_task_that_is_wrong_says_so_in_one_line(installed, source, error, message, request):
    name = f"task_{abs(hash(request.node.name)) % 10**9}"
    installed(name, source, "nas.tasks", mine="load")
    with pytest.raises(error, match=message):
        load_task("mine")


def test_a_task_gets_the_arguments_that_it_takes(installed, package):
    source = (
        "from nas.tasks import load_task\n"
        "def load(data_dir, subset=None):\n    return load_task('digits', subset=subset or 50)\n"
    )
    installed("half", source, "nas.tasks", half="load")
    sizes = [len(load_task("half", subset=subset).train) for subset in (None, 100)]
    assert sizes == [len(load_task("digits", subset=subset).train) for subset in (50, 100)]
    with pytest.raises(UsageError, match=r"task 'clouds' of everykind 2\.1 takes no subset"):
        load_task("clouds", subset=10)
    with pytest.raises(UsageError, match="takes no seed"):
        load_task("clouds", seed=1)
    assert set(TASKS.builtins) < set(TASKS)


# --- metrics as constraints -------------------------------------------------------------------------------------------


def test_a_constraint_on_a_metric_that_nothing_meets_ends_with_a_reason(package, tmp_path):
    config = SearchConfig(
        task="clouds",
        objective="-error-rate",
        constraint="error-rate<=0",
        trainings=2,
        round=2,
        screen=2,
        epochs=1,
        predictor="none",
    )
    with pytest.raises(RunError, match="no trained network meets the constraints on metrics"):
        searches.search(config, tmp_path / "run")


def test_a_constraint_that_no_metric_can_meet_is_refused(package):
    with pytest.raises(ConstraintError, match="can never be met: error-rate lies between 0 and 1"):
        searches.resolve(SearchConfig(task="clouds", objective="-error-rate", constraint="error-rate>=2"))

"""A finished run in MLflow: with a stand-in for its client, and with MLflow itself where it is installed."""

import json
import sys
from types import ModuleType, SimpleNamespace

import pytest

from nas.cli.main import main
from nas.errors import RunError, UsageError
from nas.reports.report import Report, TaskFacts
from nas.reports.rows.network_row import NetworkRow
from nas.reports.rows.time_row import TimeRow
from nas.reports.rows.trial_row import TrialRow
from nas.study.config import SearchConfig
from nas.study.run_folder import RunFolder
from nas.study.seconds import Seconds
from nas.verbs import tracking
from nas.verbs.tracking import log_to_mlflow


def network(name: str, accuracies: tuple[float, ...], nnz: int) -> NetworkRow:
    return NetworkRow(
        name=name,
        digest="d",
        candidate={},
        accuracies=accuracies,
        validation=accuracies,
        seeds=(1, 2),
        nnz=nnz,
        bytes=5000,
        latency=0.25,
        largest_error=1e-6,
        file="best.onnx",
    )


@pytest.fixture
def finished(tmp_path, make_trial):
    """The folder of a run with two trials, the second of which failed."""
    report = Report(
        version="1",
        task=TaskFacts(
            name="digits", metric="accuracy", fingerprint="f", description="", train=3, validation=2, test=2
        ),
        config={"task": "digits", "trainings": 2, "constraint": ["nnz<=600"], "model": None},
        best=network("winner", (0.75, 0.25), 600),
        baselines=(network("by hand", (0.5,), 900),),
        front=(),
        trials=(TrialRow.of(make_trial(0, 0.8)), TrialRow.of(make_trial(1, None, score=None))),
        seconds=TimeRow.all(Seconds(training=3.0, total=4.0)),
    )
    folder = RunFolder(tmp_path / "run")
    folder.create(SearchConfig(task="digits"))
    folder.report.write_text(json.dumps(report.to_json()))
    folder.best.write_bytes(b"onnx")
    return folder


class RefusalError(Exception):
    """What MLflow raises."""


class Client:
    """A stand-in for MLflow's client, which writes down what it is told."""

    known: SimpleNamespace | None = None
    refuses = ""

    def __init__(self, tracking_uri: str) -> None:
        self.uri = tracking_uri
        self.params: dict[str, str] = {}
        self.metrics: list[tuple[str, float, int]] = []
        self.artifacts: list[str] = []
        self.batches: list[tuple[int, int]] = []
        Client.last = self

    def get_experiment_by_name(self, name):
        return self.known

    def create_experiment(self, name):
        return f"new {name}"

    def create_run(self, experiment_id, run_name, tags):
        self.experiment, self.name, self.tags = experiment_id, run_name, tags
        return SimpleNamespace(info=SimpleNamespace(run_id="7"))

    def log_batch(self, run_id, metrics=(), params=()):
        self.batches.append((len(metrics), len(params)))
        self.params |= {one.key: one.value for one in params}
        self.metrics += [(one.key, one.value, one.step) for one in metrics]

    def log_artifact(self, run_id, local_path):
        if self.refuses:
            raise RefusalError(self.refuses)
        self.artifacts.append(local_path.rpartition("/")[2])

    def set_terminated(self, run_id, status):
        self.ended = run_id, status


@pytest.fixture
def client(monkeypatch):
    """Client of the stand-in, which takes the place of MLflow."""
    modules = {name: ModuleType(name) for name in ("mlflow", "mlflow.exceptions", "mlflow.entities")}
    kind = type("Chosen", (Client,), {})
    modules["mlflow"].MlflowClient = kind
    modules["mlflow.exceptions"].MlflowException = RefusalError
    entities = modules["mlflow.entities"]
    entities.Metric = lambda key, value, timestamp, step: SimpleNamespace(key=key, value=value, step=step)
    entities.Param = lambda key, value: SimpleNamespace(key=key, value=value)
    for name, module in modules.items():
        monkeypatch.setitem(sys.modules, name, module)
    return kind


def test_parameters_metrics_and_files_are_copied(finished, client):
    assert log_to_mlflow(finished.path, "http://there", experiment="mine") == "7"
    told = Client.last
    assert (told.uri, told.experiment, told.name, told.ended) == ("http://there", "new mine", "run", ("7", "FINISHED"))
    assert told.params == {"task": "digits", "trainings": "2", "constraint": '["nnz<=600"]'}
    assert told.artifacts == ["best.onnx", "report.json", "config.toml"]
    assert told.metrics == [
        ("winner/accuracy", 0.5, 0),  # the mean of .75 and .25; the deviation is √(2 · .25²) = .3536
        ("winner/accuracy_std", pytest.approx(0.3536, abs=1e-4), 0),
        ("winner/nnz", 600, 0),
        ("winner/bytes", 5000, 0),
        ("winner/latency_ms", 0.25, 0),
        ("by_hand/accuracy", 0.5, 0),
        ("by_hand/nnz", 900, 0),
        ("by_hand/bytes", 5000, 0),
        ("by_hand/latency_ms", 0.25, 0),
        ("trial/accuracy", 0.8, 0),
        ("trial/score", 0.8, 0),
        ("trial/nnz", 100, 0),
        ("trial/nnz", 101, 1),  # the second trial failed, and has no accuracy
        ("trainings", 2.0, 0),
    ]


def test_an_experiment_that_is_there_is_used(finished, client):
    client.known = SimpleNamespace(experiment_id="12")
    log_to_mlflow(finished.path, "http://there")
    assert Client.last.experiment == "12"


def test_large_runs_are_sent_in_parts(finished, client, monkeypatch):
    monkeypatch.setattr(tracking, "MOST", {"metrics": 10, "params": 2})
    log_to_mlflow(finished.path, "http://there")
    assert Client.last.batches == [(0, 2), (0, 1), (10, 0), (4, 0)]
    assert len(Client.last.metrics) == 14


def test_a_refusal_is_one_error_without_the_address_and_the_copy_is_marked(finished, client):
    client.refuses = "the disk is full"
    with pytest.raises(RunError, match="not copied to MLflow: the disk is full") as caught:
        log_to_mlflow(finished.path, "http://user:secret@there")
    assert "secret" not in str(caught.value)
    assert Client.last.ended == ("7", "FAILED")


def test_a_run_without_a_report_is_refused(finished, client):
    finished.report.unlink()
    with pytest.raises(RunError, match="nas resume"):
        log_to_mlflow(finished.path, "http://there")


def test_without_mlflow_the_error_names_the_extra(finished, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(UsageError, match=r"nas-sparse\[mlflow\]"):
        log_to_mlflow(finished.path, "http://there")
    assert main(["report", str(finished.path), "--mlflow", "http://there"]) == 2
    assert "nas-sparse[mlflow]" in capsys.readouterr().err


def test_an_experiment_needs_a_server(finished, capsys):
    assert main(["report", str(finished.path), "--experiment", "mine"]) == 2
    assert "--mlflow URI" in capsys.readouterr().err


def test_the_command_copies_after_the_report_is_shown(finished, client, monkeypatch, capsys):
    monkeypatch.setattr("nas.reports.files.render", lambda *_: None)
    assert main(["report", str(finished.path), "--format", "json", "--mlflow", "http://there"]) == 0
    told = capsys.readouterr()
    assert json.loads(told.out)["best"]["nnz"] == 600
    assert "copied to MLflow, run 7" in told.err
    assert Client.last.experiment == "new nas"


@pytest.mark.takes(30, "imports MLflow")
@pytest.mark.filterwarnings("ignore")
def test_mlflow_itself_takes_the_run(finished, tmp_path, monkeypatch):
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    uri = (tmp_path / "store").as_uri()
    made = log_to_mlflow(finished.path, uri, experiment="mine")
    client = mlflow.MlflowClient(tracking_uri=uri)
    run = client.get_run(made)
    assert run.info.status == "FINISHED"
    assert client.get_experiment(run.info.experiment_id).name == "mine"
    assert run.data.params["constraint"] == '["nnz<=600"]'
    assert run.data.metrics["winner/accuracy"] == 0.5
    assert [(one.step, one.value) for one in client.get_metric_history(made, "trial/nnz")] == [(0, 100.0), (1, 101.0)]
    assert {one.path for one in client.list_artifacts(made)} == {"best.onnx", "report.json", "config.toml"}

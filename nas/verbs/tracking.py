"""Copies a finished run to an MLflow server: parameters, metrics, files (https://mlflow.org/docs/latest/ml/tracking/)."""

import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from nas.errors import RunError, UsageError
from nas.reports.report import Report, read
from nas.reports.rows.network_row import NetworkRow
from nas.study.run_folder import RunFolder

MOST = {"metrics": 1000, "params": 100}
"""Most entries of one request to MLflow."""
LONGEST = 500
"""Most characters of a parameter that every version of MLflow takes."""


def log_to_mlflow(run: Path | str, uri: str, *, experiment: str = "nas") -> str:
    """Copy a finished run into a new run of MLflow. Whatever MLflow itself has set as the active run stays as it is.

    The configuration becomes parameters. The winner and the baselines become metrics such as ``winner/accuracy`` and ``dense/bytes``. Each
    trial becomes a step of ``trial/accuracy`` (measured), ``trial/score`` (predicted) and ``trial/nnz``; the step is its number.

    Args:
        run: folder of a finished run; it is only read.
        uri: address of the tracking server, ``http://…``, or of its database, ``sqlite:///…``.
        experiment: experiment of MLflow, which is made if it does not exist.

    Returns:
        The id of the new run of MLflow.

    Raises:
        UsageError: MLflow is not installed.
        RunError: the run has no report, or MLflow refuses something or cannot be reached.
    """
    require_mlflow()
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    folder = RunFolder(Path(run))
    report = read(folder.report)
    try:
        client = MlflowClient(tracking_uri=uri)
        found = client.get_experiment_by_name(experiment)
        place = client.create_experiment(experiment) if found is None else found.experiment_id
        tags = {"nas.version": report.version, "mlflow.note.content": f"{report.sentence}\n\n{report.verdict}"}
        made = str(client.create_run(place, run_name=folder.path.absolute().name, tags=tags).info.run_id)
        _fill(client, made, folder, report)
    except MlflowException as error:  # without the address, which may hold a password
        raise RunError(f"the run was not copied to MLflow: {error}") from error
    return made


def require_mlflow() -> None:
    """`UsageError` with the remedy if MLflow is not installed."""
    try:
        import mlflow  # noqa: F401
    except ImportError as error:
        raise UsageError(f"--mlflow needs {error.name}: pip install 'nas-sparse[mlflow]'") from error


def _fill(client: Any, made: str, folder: RunFolder, report: Report) -> None:
    """Write everything, and end the run of MLflow in any case."""
    from mlflow.entities import Metric, Param

    now = round(time.time() * 1000)
    metrics = [Metric(name, float(value), now, step) for name, value, step in _metrics(report)]
    params = [Param(name, text) for name, text in _parameters(report)]
    status = "FAILED"
    try:
        for kind, entries in (("params", params), ("metrics", metrics)):
            for begin in range(0, len(entries), MOST[kind]):
                client.log_batch(made, **{kind: entries[begin : begin + MOST[kind]]})
        for path in _files(folder):
            client.log_artifact(made, str(path))
        status = "FINISHED"
    finally:
        client.set_terminated(made, status)


def _parameters(report: Report) -> Iterator[tuple[str, str]]:
    """The configuration, without what was left open."""
    for name, value in sorted(report.config.items()):
        if value not in (None, "", [], {}):
            yield name, (value if isinstance(value, str) else json.dumps(value))[:LONGEST]


def _metrics(report: Report) -> Iterator[tuple[str, float, int]]:
    """Name, value and step."""
    metric = report.task.metric
    for network in report.networks:
        for name, value in _figures(network, metric):
            yield f"{network.name.replace(' ', '_')}/{name}", value, 0
    for trial in report.trials:
        if trial.accuracy is not None:
            yield f"trial/{metric}", trial.accuracy, trial.number
        if trial.score is not None:
            yield "trial/score", trial.score.mean, trial.number
        yield "trial/nnz", trial.nnz, trial.number
    yield "trainings", sum(trial.cost for trial in report.trials), 0


def _figures(network: NetworkRow, metric: str) -> Iterator[tuple[str, float]]:
    """What is known of the winner or of a baseline; the metric is that of the test split."""
    yield metric, network.mean
    if network.std is not None:
        yield f"{metric}_std", network.std
    yield from (("nnz", network.nnz), ("bytes", network.bytes), ("latency_ms", network.latency))


def _files(folder: RunFolder) -> Sequence[Path]:
    """The files of the run for people and programs, as far as they are there."""
    wanted = (folder.best, folder.page, folder.picture, folder.report, folder.trials_file, folder.config_file)
    return [path for path in wanted if path.is_file()]

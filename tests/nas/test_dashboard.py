"""A run's journal in optuna-dashboard, as it is: no export, no conversion."""

import json
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError

import pytest

from nas.cli.main import main
from nas.study.objectives import parse
from nas.study.record import Record

PATIENCE = 60
"""Seconds until the dashboard must answer."""


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A search of four short trainings for accuracy and size."""
    path = tmp_path_factory.mktemp("runs") / "run"
    search = [
        "search",
        "--task",
        "digits",
        "--space",
        "mlp",
        "--subset",
        "200",
        "--epochs",
        "1",
        "--repeats",
        "1",
        "-q",
    ]
    goals = ["--objective", "accuracy", "--objective=-nnz", "--constraint", "nnz<=300", "--strategy", "tpe"]
    assert main([*search, *goals, "--trainings", "4", "--round", "2", "--screen", "4", "--out", str(path)]) == 0
    return path


@contextmanager
def dashboard(journal: Path) -> Iterator[str]:
    """The address of a dashboard that shows the journal."""
    code = "from optuna_dashboard._cli import main; main()"
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-c", code, str(journal), "--port", str(port), "--server", "wsgiref", "--quiet"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(PATIENCE)


def get(address: str) -> str:
    """The answer, as soon as the server gives one."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            with urllib.request.urlopen(address, timeout=PATIENCE) as answer:
                return answer.read().decode()
        except URLError:  # it does not listen yet
            if time.monotonic() > end:
                raise
            time.sleep(0.1)


def test_the_dashboard_shows_the_trials_of_a_run(run, tmp_path):
    goals = parse(["accuracy", "-nnz"])
    journal = Path(shutil.copy(run / "journal.log", tmp_path))
    before = journal.read_bytes()
    with dashboard(journal) as address:
        page = get(f"{address}/dashboard")
        (study,) = json.loads(get(f"{address}/api/studies"))["study_summaries"]
        shown = json.loads(get(f"{address}/api/studies/{study['study_id']}"))
    assert "<title>Optuna Dashboard</title>" in page
    assert (study["study_name"], study["directions"]) == ("search", ["maximize", "minimize"])
    assert shown["objective_names"] == ["accuracy", "nnz"]
    recorded = Record(journal, goals, read_only=True).trials
    assert [trial["number"] for trial in shown["trials"]] == [trial.number for trial in recorded] == [0, 1, 2, 3]
    for one, trial in zip(shown["trials"], recorded, strict=True):
        assert one["state"] == "Complete"
        assert one["values"] == [trial.accuracy, trial.metrics["nnz"]]
        assert one["datetime_start"] < one["datetime_complete"], "a training takes time"
        assert {param["name"] for param in one["params"]} >= {"wiring", "mask_pattern"}
        attributes = {each["key"]: each["value"] for each in one["user_attrs"]}
        assert json.loads(attributes["metrics"])["nnz"] == trial.metrics["nnz"]
    assert journal.read_bytes() == before, "looking at it changes nothing"

"""Kills at any moment: searches go on by themselves, nothing is lost, nothing is done twice."""

import csv
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx
import pytest

from benchmarks.service.service_kills import DECIDED


def decided(data: Path, id_: str):
    """What the trials of a run are, without their times."""
    with (data / "runs" / id_ / "trials.csv").open() as file:
        return [{name: row[name] for name in DECIDED} for row in csv.DictReader(file)]


def children(pid: int) -> dict[int, str]:
    """Child processes with their command lines."""
    found = Path(f"/proc/{pid}/task/{pid}/children")
    text = " ".join(path.read_text() for path in found.parents[1].glob("*/children"))
    return {int(child): (Path(f"/proc/{child}") / "cmdline").read_text().replace("\0", " ") for child in text.split()}


def search_process(pid: int) -> int:
    """The process of the search that a server runs, as soon as it is there."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        for child, command in children(pid).items():
            if "search_process" in command:
                return child
        time.sleep(0.02)
    raise AssertionError("the server runs no search")


def call_processes(pid: int) -> list[int]:
    """The processes for predictions and checks that a server runs, the oldest first."""
    return sorted(child for child, command in children(pid).items() if "call_process" in command)


@pytest.mark.takes(40, "starts a server and two call processes")
def test_a_long_dry_run_does_not_hold_up_predictions(serve, tmp_path, tiny, onnx_file):
    server = serve(tmp_path / "data", "--searches", "0")
    binary = {"content-type": "application/octet-stream"}
    model = server.client.post("/v1/models", content=onnx_file.read_bytes(), headers=binary).json()["sha256"]
    (first,) = call_processes(server.process.pid)
    answers = []
    asking = threading.Thread(
        target=lambda: answers.append(httpx.post(f"{server.address}/v1/searches:validate", json=tiny, timeout=300))
    )
    asking.start()
    deadline = time.monotonic() + 60
    while len(found := call_processes(server.process.pid)) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    (second,) = set(found) - {first}
    os.kill(second, signal.SIGSTOP)
    assert server.client.post(f"/v1/models/{model}:predict", json={"task": "digits"}).status_code == 200
    assert server.client.post("/v1/searches", json=tiny).status_code == 202
    assert answers == [], "the dry run is still at work"
    os.kill(second, signal.SIGCONT)
    asking.join()
    assert answers[0].status_code == 200, answers[0].text


def wait_for_trainings(server, id_: str) -> None:
    """Until at least one round is recorded."""
    deadline = time.monotonic() + 120
    while not (server.client.get(f"/v1/searches/{id_}").json()["progress"] or {}).get("trainings"):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def states(server, id_: str) -> list[str]:
    return [json.loads(data)["state"] for _, kind, data in server.events(id_) if kind == "state"]


@pytest.mark.takes(120, "starts servers, and searches several times")
def test_a_search_survives_kills_of_the_server_and_of_its_process(serve, tmp_path, tiny):
    body = tiny | {"trainings": 12, "epochs": 6}
    data = tmp_path / "data"
    server = serve(data)
    calm = server.client.post("/v1/searches", json=body).json()["id"]
    assert server.wait(calm)["state"] == "done"

    id_ = server.client.post("/v1/searches", json=body, headers={"idempotency-key": "one"}).json()["id"]
    wait_for_trainings(server, id_)
    child = search_process(server.process.pid)
    assert server.end(signal.SIGKILL) == -signal.SIGKILL
    deadline = time.monotonic() + 20
    while Path(f"/proc/{child}").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not Path(f"/proc/{child}").exists(), "the process of a search ends with its server"

    server = serve(data)
    again = server.client.post("/v1/searches", json=body, headers={"idempotency-key": "one"})
    assert again.json()["id"] == id_
    server.wait(id_, "running")
    os.kill(search_process(server.process.pid), signal.SIGKILL)
    found = server.wait(id_)
    assert found["state"] == "done", found
    assert found["attempt"] == 3
    assert states(server, id_) == ["queued", "running", "queued", "running", "queued", "running", "done"]
    assert decided(data, id_) == decided(data, calm)
    assert len(decided(data, id_)) > 2
    best = [server.client.get(f"/v1/searches/{one}/artifacts/report.json").json()["best"] for one in (calm, id_)]
    assert best[0]["digest"] == best[1]["digest"]
    assert best[0]["accuracies"] == best[1]["accuracies"]


@pytest.mark.takes(90, "two servers search")
def test_a_server_that_is_told_to_stop_puts_its_searches_back(serve, tmp_path, tiny):
    data = tmp_path / "data"
    server = serve(data)
    id_ = server.client.post("/v1/searches", json=tiny | {"trainings": 6}).json()["id"]
    server.wait(id_, "running")
    with server.client.stream("GET", f"/v1/searches/{id_}/events") as stream:
        next(stream.iter_text())
        assert server.end() == 0
    assert '"level": "error"' not in server.log.read_text(), "streams of events end without an error"
    server = serve(data)
    assert server.wait(id_)["state"] == "done"
    assert states(server, id_) == ["queued", "running", "queued", "running", "done"]


@pytest.mark.takes(90, "a server and two workers search")
def test_a_worker_takes_over_from_a_killed_one(serve, tmp_path, tiny):
    data = tmp_path / "data"
    server = serve(data, "--searches", "0")
    id_ = server.client.post("/v1/searches", json=tiny | {"trainings": 6}).json()["id"]
    assert server.client.get(f"/v1/searches/{id_}").json()["state"] == "queued"
    command = [sys.executable, "-m", "nas", "worker", "--data", str(data)]
    workers = [subprocess.Popen(command, stderr=subprocess.DEVNULL)]
    try:
        server.wait(id_, "running")
        workers[0].kill()
        workers[0].wait()
        workers.append(subprocess.Popen(command, stderr=subprocess.DEVNULL))
        assert server.wait(id_)["state"] == "done"
    finally:
        for worker in workers:
            worker.terminate()
            worker.wait(30)
    assert states(server, id_) == ["queued", "running", "queued", "running", "done"]


@pytest.mark.takes(90, "a server searches in a process that dies three times")
def test_a_search_that_needs_too_much_memory_fails_and_the_server_lives(serve, tmp_path, tiny):
    server = serve(tmp_path / "data", "--search-memory", "0.01")
    id_ = server.client.post("/v1/searches", json=tiny).json()["id"]
    found = server.wait(id_)
    assert found["state"] == "failed"
    assert "memory" in found["error"]["detail"]
    assert server.client.get("/v2/health/ready").status_code == 200

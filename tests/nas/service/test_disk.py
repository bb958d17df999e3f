"""A disk that is really full, folders that are really read-only, and a clock that is set back."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from nas.errors import RunError, write_failure
from nas.service.app import prepare
from nas.service.data_folder import RESERVE, DataFolder
from nas.service.processes.child import described
from nas.service.settings import Settings
from nas.service.store import queue_store as queue
from nas.service.store.search_store import add_search, events_after, get_search, list_searches, trainings_within_day

BINARY = {"content-type": "application/octet-stream"}
READY = "/v2/health/ready"


def mounted(*arguments: str) -> None:
    """Mount something; the test is skipped where that is not permitted."""
    done = subprocess.run(["mount", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"this user may not mount: {done.stderr.strip()}")


@pytest.fixture
def small_disk(tmp_path) -> Iterator[Path]:
    """A file system of 200 MB."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted("-t", "tmpfs", "-o", "size=200m", "tmpfs", str(place))
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def fill(folder: Path, left: int) -> Path:
    """Fill the file system until so many bytes are left; returns the file that does it."""
    path = folder / "ballast"
    path.unlink(missing_ok=True)
    with path.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, max(1, shutil.disk_usage(folder).free - left))
    return path


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """The folder cannot be written meanwhile: by its mode, or by a mount for a user whom modes do not hold."""
    if os.geteuid() != 0:
        folder.chmod(0o500)
        try:
            yield
        finally:
            folder.chmod(0o700)
        return
    mounted("--bind", str(folder), str(folder))
    try:
        mounted("-o", "remount,bind,ro", str(folder))
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def until(met, seconds=120.0):
    """Wait for a condition."""
    deadline = time.monotonic() + seconds
    while not met():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.takes(60, "starts a server, and searches")
def test_a_full_disk_is_told_and_searches_go_on_when_there_is_space(serve, small_disk, tmp_path, tiny, onnx_file):
    data = small_disk / "data"
    server = serve(data, "--database", f"sqlite:///{tmp_path / 'database.sqlite3'}")
    done = server.client.post("/v1/searches", json=tiny).json()["id"]
    assert server.wait(done)["state"] == "done"
    etag = server.client.head(f"/v1/searches/{done}/artifacts/best.onnx").headers["etag"]

    ballast = fill(small_disk, RESERVE // 2)
    health = server.client.get(READY)
    assert (health.status_code, health.json()["detail"]) == (503, "the disk of the data folder is full")
    assert health.headers["retry-after"]
    refused = server.client.post("/v1/models", content=onnx_file.read_bytes(), headers=BINARY)
    assert (refused.status_code, refused.json()["type"]) == (507, "urn:nas:problem:disk-full")
    assert list((data / "uploads").iterdir()) == []
    waits = server.client.post("/v1/searches", json=tiny | {"seed": 5}).json()["id"]
    until(lambda: "no search begins: the disk" in server.log.read_text())
    assert server.client.get(f"/v1/searches/{waits}").json()["state"] == "queued"
    assert server.client.head(f"/v1/searches/{done}/artifacts/best.onnx").headers["etag"] == etag

    ballast.unlink()
    assert server.client.get(READY).json() == {"ready": True}
    assert server.wait(waits)["state"] == "done"
    assert server.client.post("/v1/models", content=onnx_file.read_bytes(), headers=BINARY).status_code == 201


@pytest.mark.takes(60, "starts a server, and searches")
def test_a_search_whose_disk_fills_up_goes_on_without_a_loss(serve, small_disk, tmp_path, tiny):
    data = small_disk / "data"
    server = serve(data, "--database", f"sqlite:///{tmp_path / 'database.sqlite3'}")
    body = tiny | {"trainings": 40, "epochs": 4}
    id_ = server.client.post("/v1/searches", json=body).json()["id"]
    until(lambda: (server.client.get(f"/v1/searches/{id_}").json()["progress"] or {}).get("trainings"))
    ballast = fill(small_disk, 0)
    until(lambda: server.client.get(f"/v1/searches/{id_}").json()["state"] == "queued")
    recorded = server.client.get(f"/v1/searches/{id_}/trials").json()["items"]
    with server.client.stream("GET", f"/v1/searches/{id_}/events") as stream:
        why = next(line for line in stream.iter_lines() if '"why"' in line)
    assert "goes on when the disk can be written" in why
    assert "No space left" in why
    assert str(data) not in why
    ballast.unlink()
    found = server.wait(id_)
    assert (found["state"], found["attempt"]) == ("done", 2), found
    trials = server.client.get(f"/v1/searches/{id_}/trials").json()["items"]
    assert trials[: len(recorded)] == recorded
    assert [one["number"] for one in trials] == list(range(len(trials)))


@pytest.mark.takes(30, "starts a server")
def test_a_full_disk_of_the_database_is_told_and_nothing_is_half_done(serve, small_disk, tiny, onnx_file):
    server = serve(small_disk / "data", "--searches", "0")
    asked = server.client.post("/v1/searches", json=tiny).json()
    ballast = fill(small_disk, 0)
    for _ in range(20):  # the log of the database may still have room for some
        refused = server.client.post(f"/v1/searches/{asked['id']}:cancel")
        if refused.status_code != 202:
            break
        server.client.post(f"/v1/searches/{asked['id']}:resume")
    assert (refused.status_code, refused.json()["type"]) == (507, "urn:nas:problem:disk-full")
    assert server.client.get(READY).status_code == 503
    state = server.client.get(f"/v1/searches/{asked['id']}").json()["state"]
    ballast.unlink()
    assert server.client.get(f"/v1/searches/{asked['id']}").json()["state"] == state
    assert server.client.post(f"/v1/searches/{asked['id']}:cancel").status_code == 202
    assert server.client.get(READY).json() == {"ready": True}


@pytest.mark.takes(60, "starts a server, and searches")
def test_a_folder_that_cannot_be_written_is_told_and_work_goes_on_afterwards(serve, tmp_path, tiny, onnx_file):
    server = serve(tmp_path / "data")
    with read_only(server.data / "uploads"):
        refused = server.client.post("/v1/models", content=onnx_file.read_bytes(), headers=BINARY)
        assert (refused.status_code, refused.json()["type"]) == (503, "urn:nas:problem:read-only")
        assert "cannot be written" in server.client.get(READY).json()["detail"]
    with read_only(server.data / "runs"):
        assert "cannot be written" in server.client.get(READY).json()["detail"]
        id_ = server.client.post("/v1/searches", json=tiny).json()["id"]
        until(lambda: "no search begins: the data folder" in server.log.read_text())
        assert server.client.get(f"/v1/searches/{id_}").json()["state"] == "queued"
    assert server.client.get(READY).json() == {"ready": True}
    assert server.wait(id_)["state"] == "done"
    assert server.client.post("/v1/models", content=onnx_file.read_bytes(), headers=BINARY).status_code == 201
    with read_only(server.data / "runs"):
        assert server.client.delete(f"/v1/searches/{id_}").status_code == 204, "its files go at the next start"
    assert (server.data / "runs" / id_).exists()
    server.end()
    assert serve(server.data, "--searches", "0").client.get(READY).status_code == 200
    assert not (server.data / "runs" / id_).exists()


def test_an_error_of_the_disk_is_told_apart_whatever_it_is_wrapped_in(tmp_path):
    def failed(number):
        try:
            try:
                raise OSError(number, os.strerror(number))
            except OSError as error:
                raise write_failure(tmp_path / "x", error) from error
        except RunError as error:
            return described(error)["kind"]

    assert [failed(number) for number in (28, 30, 5)] == ["disk", "disk", "run"]


def test_a_fault_of_the_folder_is_named(tmp_path, monkeypatch):
    folder = DataFolder(tmp_path / "data")
    assert folder.fault().startswith("the data folder cannot be written: No such file")
    folder.create()
    assert folder.fault() == ""
    monkeypatch.setattr(DataFolder, "free", lambda self: RESERVE - 1)
    assert folder.fault() == "the disk of the data folder is full"


def test_a_clock_that_is_set_back_changes_neither_the_order_of_events_nor_who_holds_a_search(tmp_path, monkeypatch):
    database = prepare(Settings(data=tmp_path / "data"))
    with database.write() as connection:
        first = add_search(connection, "me", {}, 3)
        held = queue.claim(connection, "worker")
    seen = held
    now = time.time_ns()
    monkeypatch.setattr(time, "time_ns", lambda: now - 3600 * 10**9)
    with database.write() as connection:
        assert queue.heartbeat(connection, held) is False
        assert not queue.take_over(connection, seen, "silent"), "it gave a sign of life"
        assert queue.note(connection, held, "progress", {"trainings": 1})
        second = add_search(connection, "me", {}, 4)
        assert queue.claim(connection, "other").id == second
        assert queue.finish(connection, held, "done", result={})
        events = events_after(connection, first, 0)
        assert [(one.number, one.kind) for one in events] == [(1, "state"), (2, "state"), (3, "progress"), (4, "state")]
        assert events[-1].at < events[0].at
        assert get_search(connection, first).state == "done"
        assert trainings_within_day(connection, "me")[0] == 7
        assert {one.id for one in list_searches(connection, limit=9)} == {first, second}
    database.close()

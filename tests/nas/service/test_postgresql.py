"""Several servers and workers on one queue in PostgreSQL, which runs as another user in a temporary folder."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest
from sqlalchemy import text

from benchmarks.support.private_postgresql import BINARIES, PrivatePostgresql, private_postgresql

pytestmark = pytest.mark.skipif(not BINARIES, reason="there is no PostgreSQL server in /usr/lib/postgresql")


@pytest.fixture(scope="module")
def postgres() -> Iterator[PrivatePostgresql]:
    """A private PostgreSQL server."""
    with private_postgresql() as server:
        yield server


@pytest.fixture
def database(postgres, request) -> str:
    """Address of an empty database of its own."""
    return postgres.database(f"t{abs(hash(request.node.name))}")


def opened(address, folder):
    from nas.service.app import prepare
    from nas.service.settings import Settings

    return prepare(Settings(data=folder, database=address))


def test_the_tables_are_those_of_the_migrations(database, tmp_path):
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    from nas.service.store.schema import metadata

    found = opened(database, tmp_path / "data")
    with found.read() as connection:
        assert compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), metadata) == []
    found.close()


def test_servers_that_start_together_migrate_once(database, tmp_path):
    faults = []

    def begin(number):
        try:
            opened(database, tmp_path / f"data-{number}").close()
        except Exception as error:  # noqa: BLE001  the test shows it
            faults.append(error)

    threads = [threading.Thread(target=begin, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []


def test_the_same_upload_is_not_stored_and_deleted_at_once(database, tmp_path):
    from nas.service.store.upload_store import lock_upload

    found, got = opened(database, tmp_path / "data"), threading.Event()

    def other():
        with found.write() as connection:
            lock_upload(connection, "a" * 64)
            got.set()

    waiting = threading.Thread(target=other)
    with found.write() as connection:
        lock_upload(connection, "a" * 64)
        waiting.start()
        assert not got.wait(0.5)
    assert got.wait(30)
    waiting.join()
    found.close()


def test_many_workers_take_every_search_once(database, tmp_path):
    from nas.service.store import queue_store as queue
    from nas.service.store.search_store import add_search, events_after, list_searches

    found = opened(database, tmp_path / "data")
    with found.write() as connection:
        ids = {add_search(connection, "local", {"task": "digits"}, 1) for _ in range(40)}
    taken, lock = [], threading.Lock()

    def work(name):
        while True:
            with found.write() as connection:
                search = queue.claim(connection, name)
            if search is None:
                return
            with lock:
                taken.append(search.id)
            with found.write() as connection:
                assert queue.note(connection, search, "stage", {"text": name})
            with found.write() as connection:
                assert queue.finish(connection, search, "done", result={})

    threads = [threading.Thread(target=work, args=(f"worker-{number}",)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == sorted(ids)
    with found.read() as connection:
        searches = list_searches(connection, limit=100)
        assert {(one.state, one.attempt, one.events) for one in searches} == {("done", 1, 4)}
        assert [one.number for one in events_after(connection, searches[0].id, 0)] == [1, 2, 3, 4]
    found.close()


def test_of_two_uploads_of_the_same_file_at_the_same_time_one_is_stored(database, tmp_path):
    from nas.service.store.upload_store import MODEL, add_upload, lock_upload, new_upload

    found = opened(database, tmp_path / "data")
    upload, both, stored = new_upload(MODEL, "ab" * 32, "local", "", 1, {}), threading.Barrier(2, timeout=30), []

    def store():
        with found.write() as connection:
            connection.execute(text("SELECT 1"))
            both.wait()  # two transactions are open
            lock_upload(connection, upload.sha256)
            stored.append(add_upload(connection, upload))

    threads = [threading.Thread(target=store) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(stored) == [False, True]
    found.close()


@pytest.mark.takes(15, "starts a server")
def test_a_cursor_that_no_text_of_the_database_can_hold_is_refused(serve, database, tmp_path):
    server = serve(tmp_path / "data", "--database", database, "--searches", "0")
    for kind in ("models", "datasets", "searches"):
        answer = server.client.get(f"/v1/{kind}", params={"cursor": "AA"})  # a zero byte
        assert (answer.status_code, answer.json()["type"]) == (422, "urn:nas:problem:bad-cursor")


@pytest.mark.takes(90, "two servers and a worker search")
def test_two_servers_and_workers_share_searches_of_which_a_killed_one_goes_on(serve, database, tmp_path, tiny):
    data = tmp_path / "data"
    first = serve(data, "--database", database, "--searches", "0")
    second = serve(data, "--database", database, "--searches", "0")
    id_ = first.client.post("/v1/searches", json=tiny, headers={"idempotency-key": "k"}).json()["id"]
    again = second.client.post("/v1/searches", json=tiny, headers={"idempotency-key": "k"})
    assert (again.status_code, again.json()["id"]) == (202, id_)
    command = [sys.executable, "-m", "nas", "worker", "--data", str(data)]
    environment = os.environ | {"NAS_DATABASE": database}
    workers = [subprocess.Popen(command, stderr=subprocess.DEVNULL, env=environment)]
    try:
        second.wait(id_, "running")
        workers[0].kill()
        workers[0].wait()
        workers.append(subprocess.Popen(command, stderr=subprocess.DEVNULL, env=environment))
        assert second.wait(id_)["state"] == "done"
    finally:
        for worker in workers:
            worker.terminate()
            worker.wait(30)
    assert first.client.get(f"/v1/searches/{id_}").json()["state"] == "done"
    events = first.events(id_)
    assert [number for number, _, _ in events] == list(range(1, len(events) + 1))
    best = [one.client.get(f"/v1/searches/{id_}/artifacts/best.onnx").headers["etag"] for one in (first, second)]
    assert best[0] == best[1]


@pytest.mark.takes(90, "two servers search")
def test_a_search_outlives_a_loss_of_the_database(serve, postgres, database, tmp_path, tiny):
    data = tmp_path / "data"
    server = serve(data, "--database", database)
    id_ = server.client.post("/v1/searches", json=tiny | {"trainings": 12, "epochs": 4}).json()["id"]
    server.wait(id_, "running")
    postgres.end()  # at once: all connections are closed
    lost = server.client.get(f"/v1/searches/{id_}")
    assert (lost.status_code, lost.json()["type"]) == (503, "urn:nas:problem:database")
    assert "retry-after" in lost.headers
    assert server.client.get("/v2/health/ready").json()["detail"] == "the database cannot be reached"
    assert server.client.get("/v2/health/live").status_code == 200
    assert server.client.post("/v1/searches", json=tiny).status_code == 503
    postgres.start()
    found = server.wait(id_)
    assert (found["state"], found["attempt"]) == ("done", 1)
    numbers = [number for number, _, _ in server.events(id_)]
    assert numbers == list(range(1, len(numbers) + 1))

"""Deleting searches, models and data sets: what goes, who may do it, and what a kill in between leaves."""

import json
import os

import pytest

from nas.service.app import prepare
from nas.service.data_folder import DataFolder
from nas.service.predictions import Predictions
from nas.service.removals import HALF_SECONDS, finish, finish_all
from nas.service.settings import Settings
from nas.service.store.removal_store import SEARCH, add_removal, list_removals
from nas.service.store.search_store import (
    add_search,
    change_search,
    delete_search,
    events_after,
    get_search,
    searches_with,
    trainings_within_day,
)
from nas.service.store.upload_store import add_upload, delete_upload, find_upload, new_upload

BINARY = {"content-type": "application/octet-stream"}
CSV = {"content-type": "text/csv"}
TABLE = b"a,b\n" + b"".join(b"%d,%d\n" % (n, n % 2) for n in range(40))


@pytest.fixture
def folder(tmp_path):
    return DataFolder(tmp_path / "data")


@pytest.fixture
def database(folder):
    found = prepare(Settings(data=folder.path))
    yield found
    found.close()


@pytest.fixture
def ended(database, folder):
    """The id of a search that was cancelled, with files."""
    with database.write() as connection:
        id_ = add_search(connection, "me", {"task": "digits"}, 7)
        change_search(connection, id_, state="cancelled")
    (folder.run(id_) / "models").mkdir(parents=True)
    (folder.run(id_) / "models" / "x.onnx").write_bytes(b"x")
    folder.log(id_).write_bytes(b"said")
    return id_


def deleted(database, id_):
    """Delete the row of a search, as a server does before it is killed."""
    with database.write() as connection:
        delete_search(connection, get_search(connection, id_))


def test_after_a_kill_the_next_start_removes_the_files(database, folder, ended):
    deleted(database, ended)
    with database.read() as connection:
        assert events_after(connection, ended, 0) == []
    assert folder.run(ended).is_dir(), "the server was killed here"
    finish_all(database, folder)
    assert not folder.run(ended).exists()
    assert not folder.log(ended).exists()
    with database.read() as connection:
        assert list_removals(connection) == []


def test_files_that_the_database_does_not_know_are_left_alone(database, folder, ended):
    """The database may be a new one, or the wrong one."""
    strange = [folder.run("0" * 22), folder.run(ended)]
    strange[0].mkdir()
    folder.model("a" * 64).write_bytes(b"x")
    finish_all(database, folder)
    assert all(path.is_dir() for path in strange)
    assert folder.model("a" * 64).exists()


def test_the_trainings_of_a_deleted_search_still_count_for_the_day(database, ended):
    with database.read() as connection:
        before = trainings_within_day(connection, "me")
    deleted(database, ended)
    with database.read() as connection:
        assert trainings_within_day(connection, "me") == before
        assert before[0] == 7
        assert trainings_within_day(connection, "you") == (0, None)


def test_a_file_that_cannot_be_removed_now_is_removed_later(database, folder, ended, monkeypatch):
    deleted(database, ended)

    def refuse(path):
        raise OSError(30, "Read-only file system")

    with monkeypatch.context() as patch:
        patch.setattr("nas.service.removals.shutil.rmtree", refuse)
        finish(database, folder, SEARCH, ended)
    assert folder.run(ended).is_dir()
    finish_all(database, folder)
    assert not folder.run(ended).exists()


def test_an_upload_that_was_killed_before_its_row_is_removed_but_not_one_that_came_again(database, folder):
    killed, again = "a" * 64, "b" * 64
    for sha256 in (killed, again):
        folder.model(sha256).write_bytes(b"x")
    with database.write() as connection:
        for sha256 in (killed, again):
            add_removal(connection, "model", sha256)
        add_upload(connection, new_upload("model", again, "me", "", 1, {}))
    finish_all(database, folder)
    assert not folder.model(killed).exists()
    assert folder.model(again).exists()


def test_unfinished_uploads_are_removed_when_they_are_old(database, folder):
    old, young, other = (folder.uploads / name for name in (f"{'1' * 24}.csv", f"{'2' * 24}.csv", "notes.txt"))
    for path in (old, young, other):
        path.write_bytes(b"x")
    for path in (old, other):
        os.utime(path, (path.stat().st_mtime - 2 * HALF_SECONDS,) * 2)
    finish_all(database, folder)
    assert sorted(folder.uploads.iterdir()) == sorted([young, other])


def test_a_search_uses_its_uploads_until_it_ends(database):
    with database.write() as connection:
        id_ = add_search(connection, "me", {"task": "a" * 64, "model": "b" * 64}, 1)
        assert searches_with(connection, "a" * 64) == searches_with(connection, "b" * 64) == [id_]
        assert searches_with(connection, "c" * 64) == []
        change_search(connection, id_, state="done")
        assert searches_with(connection, "a" * 64) == []


@pytest.fixture(scope="module")
def idle(serve_all, tmp_path_factory):
    """A server that runs no search, with room for one small upload."""
    return serve_all(tmp_path_factory.mktemp("service") / "data", "--searches", "0", "--stored", "0.0000004")


@pytest.mark.takes(20, "starts a server")
def test_an_upload_is_deleted_unless_a_search_needs_it_and_its_bytes_are_given_back(idle, tiny):
    made = idle.client.post("/v1/datasets?target=b", content=TABLE, headers=CSV).json()
    address = f"/v1/datasets/{made['sha256']}"
    full = idle.client.post("/v1/datasets?target=b", content=TABLE + TABLE[4:], headers=CSV)
    assert (full.status_code, full.json()["type"]) == (429, "urn:nas:problem:quota-bytes")
    body = {name: value for name, value in tiny.items() if name != "subset"} | {"task": made["sha256"]}
    id_ = idle.client.post("/v1/searches", json=body).json()["id"]
    used = idle.client.delete(address)
    assert (used.status_code, used.json()["type"]) == (409, "urn:nas:problem:in-use")
    assert id_ in used.json()["detail"]
    waiting = idle.client.delete(f"/v1/searches/{id_}")
    assert (waiting.status_code, waiting.json()["type"]) == (409, "urn:nas:problem:wrong-state")
    idle.client.post(f"/v1/searches/{id_}:cancel")
    assert [idle.client.delete(address).status_code for _ in range(2)] == [204, 404]
    assert idle.client.get(address).status_code == 404
    assert list((idle.data / "datasets").iterdir()) == []
    resumed = idle.client.post(f"/v1/searches/{id_}:resume")
    assert (resumed.status_code, resumed.json()["type"]) == (409, "urn:nas:problem:upload-deleted")
    again = idle.client.post("/v1/datasets?target=b", content=TABLE, headers=CSV)
    assert again.status_code == 201, "its bytes are given back"
    assert idle.client.post(f"/v1/searches/{id_}:resume").status_code == 202
    idle.client.post(f"/v1/searches/{id_}:cancel")
    assert [idle.client.delete(f"/v1/searches/{id_}").status_code for _ in range(2)] == [204, 404]
    assert idle.client.get(f"/v1/searches/{id_}/events").status_code == 404
    assert idle.client.delete(address).status_code == 204


@pytest.mark.takes(30, "starts a server, and searches")
def test_what_is_deleted_leaves_no_file_and_no_answer(server, tiny, onnx_file):
    sha256 = server.client.post("/v1/models", content=onnx_file.read_bytes(), headers=BINARY).json()["sha256"]
    assert server.client.post(f"/v1/models/{sha256}:predict", json={"task": "digits"}).status_code == 200
    assert server.client.delete(f"/v1/models/{sha256}").status_code == 204
    assert server.client.post(f"/v1/models/{sha256}:predict", json={"task": "digits"}).status_code == 404
    assert list((server.data / "models").iterdir()) == []
    key = {"idempotency-key": "once"}
    id_ = server.client.post("/v1/searches", json=tiny, headers=key).json()["id"]
    server.wait(id_)
    assert (server.data / "runs" / id_ / "best.onnx").exists()
    assert server.client.delete(f"/v1/searches/{id_}").status_code == 204
    assert list((server.data / "runs").iterdir()) == list((server.data / "logs").iterdir()) == []
    assert server.client.get(f"/v1/searches/{id_}/artifacts/best.onnx").status_code == 404
    assert server.client.get("/v1/searches").json()["items"] == []
    other = server.client.post("/v1/searches", json=tiny, headers=key).json()["id"]
    assert other != id_
    server.client.post(f"/v1/searches/{other}:cancel")


class Targets:
    """In the place of the processes that predict: the answer tells the target that was asked for."""

    def call(self, verb, *, models, dataset, **question):
        row = {"score": 0.5, "std": 0.1, "low": 0.3, "high": 0.7, "outside": 0, "unseen": 0, "doubtful": 0, "task": ""}
        return {"errors": {}, "rows": [row | {"why": dataset["target"]}]}


def test_a_data_set_that_comes_back_with_another_target_is_predicted_anew(database, folder):
    model, table = "a" * 64, "b" * 64

    def answer(target):
        with database.write() as connection:
            add_upload(connection, new_upload("csv", table, "me", "", 1, {"target": target}))
        said = json.loads(predictions.ask(model, {"dataset": table}))
        with database.write() as connection:
            delete_upload(connection, find_upload(connection, table, ("csv",)))
        predictions.forget(table)
        return said["why"]

    with database.write() as connection:
        add_upload(connection, new_upload("model", model, "me", "", 1, {}))
    predictions = Predictions(database, folder, Targets())
    assert [answer("size"), answer("kind"), answer("size")] == ["size", "kind", "size"]

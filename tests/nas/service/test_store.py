"""Tables, migrations, the queue and its leases, on SQLite."""

import threading
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text

from nas.service.app import prepare
from nas.service.holder import Holder
from nas.service.settings import Settings
from nas.service.store import queue_store as queue
from nas.service.store.database import Database
from nas.service.store.migration import HEAD, upgrade, version
from nas.service.store.schema import metadata
from nas.service.store.search_store import add_search, change_search, events_after, get_search, list_searches


@pytest.fixture
def database(tmp_path):
    found = prepare(Settings(data=tmp_path / "data"))
    yield found
    found.close()


def test_an_empty_database_gets_the_tables_of_the_models(database):
    assert version(database) == HEAD
    with database.read() as connection:
        assert compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), metadata) == []
    upgrade(database)
    assert version(database) == HEAD


def test_a_database_of_a_newer_version_is_refused(database, tmp_path):
    with database.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(RuntimeError, match="newer version"):
        upgrade(database)


def test_every_commit_of_sqlite_is_flushed_to_disk(database):
    with database.read() as connection:
        assert connection.execute(text("PRAGMA journal_mode")).scalar() == "wal"
        assert connection.execute(text("PRAGMA synchronous")).scalar() == 2


def test_the_oldest_search_is_taken_first_and_only_once(database):
    with database.write() as connection:
        ids = [add_search(connection, "local", {"task": "digits"}, 4) for _ in range(3)]
        for place, id_ in enumerate(ids):
            change_search(connection, id_, queued=place)
    taken = []
    for _ in range(4):
        with database.write() as connection:
            found = queue.claim(connection, "me")
            taken.append(found and found.id)
    assert taken == [*ids, None]


def test_writers_of_sqlite_wait_for_each_other(database):
    with database.write() as connection:
        id_ = add_search(connection, "local", {}, 1)
        search = queue.claim(connection, "me")
    faults = []

    def work():
        try:
            for _ in range(20):
                with database.write() as connection:
                    assert queue.note(connection, search, "stage", {"text": "x"})
        except Exception as error:  # noqa: BLE001  the test shows it
            faults.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    with database.read() as connection:
        assert [one.number for one in events_after(connection, id_, 0)] == list(range(1, 83))


def test_a_holder_that_lost_its_search_cannot_change_it(database):
    with database.write() as connection:
        add_search(connection, "local", {}, 1)
        old = queue.claim(connection, "old")
    with database.write() as connection:
        seen = queue.running(connection)[0]
        assert queue.heartbeat(connection, old) is False
        assert not queue.take_over(connection, seen, "silent"), "it gave a sign of life since then"
        assert queue.take_over(connection, queue.running(connection)[0], "silent")
        new = queue.claim(connection, "old")
        assert new.attempt == 2
        assert queue.heartbeat(connection, old) is None
        assert not queue.note(connection, old, "stage", {})
        assert not queue.finish(connection, old, "done", result={})
        assert not queue.release(connection, old, "why")
        assert queue.finish(connection, new, "done", result={"nnz": 1})
        assert not queue.finish(connection, new, "failed")
        found = get_search(connection, new.id)
    assert (found.state, found.result, found.holder) == ("done", {"nnz": 1}, None)


def test_deaths_count_until_trainings_are_recorded(database):
    with database.write() as connection:
        id_ = add_search(connection, "local", {}, 9)
        for expected in (1, 2):
            held = queue.claim(connection, "me")
            queue.note(connection, held, "progress", {"trainings": 0})
            queue.release(connection, held, "died", died=True)
            assert get_search(connection, id_).deaths == expected
        held = queue.claim(connection, "me")
        queue.note(connection, held, "progress", {"trainings": 2.0})
        assert get_search(connection, id_).deaths == 0


def test_a_failed_transaction_changes_nothing(database):
    def fail():
        with database.write() as connection:
            add_search(connection, "local", {}, 1)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    with database.read() as connection:
        assert list_searches(connection, limit=9) == []


def test_a_holder_knows_which_holders_of_its_machine_are_dead():
    here = Holder.here()
    machine, pid, start, _ = here.name.split(":")
    assert not here.knows_dead(here.name)
    assert here.knows_dead(f"{machine}:{pid}:{int(start) - 1}:x"), "another process had this number"
    assert here.knows_dead(f"{machine}:4194304:1:x")
    assert not here.knows_dead("elsewhere:4194304:1:x"), "nothing is known about other machines"
    assert not here.knows_dead("nonsense")


def test_the_database_of_servers_that_share_it():
    assert Settings(data=Path("/d"), database="postgresql://u@h/n").database_url == "postgresql+psycopg://u@h/n"
    assert Database("sqlite:////d/x.sqlite3").sqlite

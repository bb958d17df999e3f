"""States of the machine as problems, the pace of requests, and the limits of call processes."""

import asyncio
import errno
import sqlite3
import time

import pytest
from sqlalchemy.exc import OperationalError

from nas.service.errors import problem_for
from nas.service.problems import Problem
from nas.service.processes.call_pool import CallPool
from nas.service.security.guard import Guard
from nas.service.security.hosts import Hosts
from nas.service.security.rate import Rate
from nas.service.settings import Limits, Settings


@pytest.mark.parametrize(
    ("error", "status", "kind"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), 507, "disk-full"),
        (OSError(errno.EROFS, "Read-only file system"), 503, "read-only"),
        (PermissionError(errno.EACCES, "Permission denied"), 503, "read-only"),
        (OperationalError("INSERT", {}, sqlite3.OperationalError("database or disk is full")), 507, "disk-full"),
        (
            OperationalError("INSERT", {}, sqlite3.OperationalError("attempt to write a readonly database")),
            503,
            "read-only",
        ),
        (OperationalError("SELECT", {}, sqlite3.OperationalError("unable to open database file")), 503, "database"),
        (OperationalError("SELECT", {}, sqlite3.DatabaseError("database disk image is malformed")), 503, "database"),
        (ZeroDivisionError("secret"), 500, "internal"),
    ],
)
def test_each_state_of_the_machine_has_its_problem(error, status, kind):
    problem = problem_for(error)
    assert (problem.status, problem.kind) == (status, kind)
    assert "secret" not in problem.detail


def test_an_owner_may_send_so_many_requests_per_second():
    now = [0.0]
    rate = Rate(2.0, clock=lambda: now[0])
    for _ in range(10):
        rate.take("a")
    with pytest.raises(Problem) as found:
        rate.take("a")
    assert (found.value.status, found.value.headers["retry-after"]) == (429, "1")
    rate.take("b")
    now[0] = 0.5
    rate.take("a")


def test_a_body_that_comes_too_slowly_is_refused():
    async def app(scope, receive, send):
        await receive()

    async def never():
        await asyncio.sleep(60)

    sent, observed = [], []

    async def send(message):
        sent.append(message)

    guard = Guard(
        app,
        hosts=Hosts((), loopback=True),
        limits=Limits(silence=0.01),
        root_path="",
        observe=lambda *facts: observed.append(facts),
    )
    headers = [(b"host", b"localhost")]
    asyncio.run(guard({"type": "http", "method": "POST", "path": "/v1/searches", "headers": headers}, never, send))
    assert sent[0]["status"] == 408
    assert observed[0][:3] == ("POST", "other", 408)


@pytest.mark.takes(20, "starts call processes, which import torch")
def test_a_call_that_takes_too_long_is_ended_and_the_next_one_is_answered(tmp_path):
    pool = CallPool(1, tmp_path, Limits(call_seconds=0.0))
    with pytest.raises(Problem, match="more time or memory") as found:
        pool.call("check", config={"task": "digits"})
    assert (found.value.status, pool.restarts) == (422, 1)
    pool._limits = Limits()
    assert pool.call("names", kind="tasks")[0]["name"] == "digits"
    pool.close()
    with pytest.raises(Problem) as closed:
        pool.call("names", kind="tasks")
    assert closed.value.status == 503


@pytest.mark.takes(20, "starts call processes, which import torch")
def test_processes_that_are_seldom_needed_end_and_start_again(tmp_path):
    pool = CallPool(1, tmp_path, Limits(), idle=0.05)
    for _ in range(2):
        assert pool.call("names", kind="tasks")[0]["name"] == "digits"
        deadline = time.monotonic() + 60
        while pool._free[0]._child is not None:
            assert time.monotonic() < deadline
            time.sleep(0.01)
    assert pool.restarts == 0
    pool.close()


def test_addresses_that_only_this_machine_can_reach(tmp_path):
    reachable = {
        host: Settings(data=tmp_path, host=host).loopback for host in ("127.0.0.1", "::1", "localhost", "0.0.0.0")
    }
    assert reachable == {"127.0.0.1": True, "::1": True, "localhost": True, "0.0.0.0": False}

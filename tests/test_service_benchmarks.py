"""The measurements of the service find what they look for, and measure what they say."""

import asyncio
import json
import random

import pytest

from benchmarks.service.service_fuzz import Secrets, faults_of
from benchmarks.service.service_kills import Followed, Plan, kinds_of
from benchmarks.service.service_load import growth, open_loop
from benchmarks.support import stored_parts
from benchmarks.support.http_client import Answer, Client, ClosedError, Event
from benchmarks.support.perceptron_files import perceptron_model
from benchmarks.support.request_fuzz import FuzzedRequest, Known, request

PROBLEM = {"content-type": "application/problem+json"}
GET = FuzzedRequest(kind="addresses")


def problem(status, kind="x"):
    body = {"type": f"urn:nas:problem:{kind}", "title": "t", "status": status, "detail": "d"}
    return Answer(status, PROBLEM, json.dumps(body).encode())


@pytest.mark.parametrize(
    ("answer", "faults"),
    [
        (Answer(200, {}, b"fine"), []),
        (problem(404), []),
        (problem(503, "busy"), []),
        (problem(503, "database"), ["a wrong 503"]),
        (problem(500), ["a wrong 500"]),
        (Answer(404, {"content-type": "text/plain"}, b"no"), ["no problem+json"]),
        (Answer(404, PROBLEM, b'{"type": "x", "title": "t", "status": 400, "detail": "d"}'), ["no problem+json"]),
        (Answer(400, {"content-type": "text/plain"}, b"Invalid HTTP request received."), []),
        (None, ["no answer"]),
    ],
)
def test_faults_of_an_answer(answer, faults):
    assert faults_of(GET, answer, Secrets()) == faults


def test_a_secret_is_seen_in_the_body_and_in_the_headers():
    hidden = Secrets()
    text = hidden.plant("the file")
    assert faults_of(GET, Answer(200, {}, f"a {text} b".encode()), hidden) == ["shows the file"]
    assert faults_of(GET, Answer(200, {"location": text}, b""), hidden) == ["shows the file"]


def test_the_request_of_a_number_is_always_the_same():
    operations = [("GET", "/v1/models/{sha256}"), ("POST", "/v1/models")]
    names = {"search": "a" * 22, "model": "b" * 64, "dataset": "c" * 64, "columns": ("kind",), "outside": "../secret"}
    known = Known(operations=operations, models={"one": perceptron_model(0, 2)}, **names)
    drawn = [request(known, 1, number) for number in range(100)]
    assert drawn == [request(known, 1, number) for number in range(100)]
    assert len({one.kind for one in drawn}) == 8
    assert drawn != [request(known, 2, number) for number in range(100)]


def test_all_kinds_of_kills_are_equally_frequent():
    kinds = kinds_of(Plan(kills=12), random.Random(0), database=True)
    assert sorted(kinds) == ["database"] * 3 + ["search"] * 3 + ["server"] * 3 + ["worker"] * 3
    assert "database" not in kinds_of(Plan(kills=12), random.Random(0), database=False)


def test_only_the_end_of_a_search_counts_as_its_end():
    found = Followed("a" * 22, 1)
    for number, state in enumerate(("queued", "running", "done"), 1):
        found.take(Event(number, "state", {"state": state}, 0.0))
    found.take(Event(4, "log", {"text": "done"}, 0.0))
    assert (found.numbers, found.ends) == ([1, 2, 3, 4], 1)


def test_growth_is_the_slope_after_the_first_quarter():
    assert growth([0, 50, 100, 101, 102, 103, 104, 105]) == pytest.approx(1.0)


def test_a_latency_counts_from_the_time_at_which_the_request_was_to_be_sent():
    lock = asyncio.Lock()

    async def slow(number):
        async with lock:  # one after the other: each waits for all before it
            await asyncio.sleep(0.02)
        return Answer(200, {}, b"")

    sent = asyncio.run(open_loop(1000, 10, slow))
    assert sent.statuses == {"200": 10}
    assert max(sent.latencies) > 150


def test_the_client_reads_bodies_of_both_kinds_and_sees_a_broken_one():
    answers = [
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab",
        b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab",
    ]

    async def serve(reader, writer):
        for answer in answers:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
        writer.close()

    async def asked():
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        async with server:
            client = Client(server.sockets[0].getsockname()[1])
            found = [await client.ask("GET", "/") for _ in range(3)]
            with pytest.raises(ClosedError):
                await client._free[0].exchange(client.request("GET", "/"))
            client.close()
        return found

    found = asyncio.run(asked())
    assert [(one.status, one.body) for one in found] == [(200, b"ab"), (201, b"abc"), (204, b"")]


def test_a_part_is_measured_again_only_with_other_settings(tmp_path, monkeypatch):
    monkeypatch.setattr(stored_parts, "RESULTS", tmp_path)
    done = []
    for settings in ({"n": 1}, {"n": 1}, {"n": 2}):
        store = stored_parts.StoredParts("script", "why?")
        store.measure("part", settings, lambda: done.append(1) or {"found": len(done)})
    assert store.parts["part"]["found"] == 2
    assert json.loads((tmp_path / "script.json").read_text())["parts"]["part"]["settings"] == {"n": 2}

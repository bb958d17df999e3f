"""`nas.Client` and `nas --server`, with a real server and with one that fails."""

import dataclasses
import json
import subprocess
import sys

import httpx
import pytest

import nas
from nas.client.connection import ATTEMPTS
from nas.client.errors import ServerError
from nas.errors import RunError, UsageError

TAKES = "a server starts, and a search of seconds runs"


@pytest.fixture(scope="module")
def config(tiny):
    return nas.SearchConfig.from_mapping(tiny)


@pytest.fixture
def client(server):
    with nas.Client(server.address, timeout=300) as one:
        yield one


@pytest.mark.takes(60, TAKES)
def test_a_search_on_a_server_gives_the_same_trials_as_here(client, config, tmp_path):
    told, stages = [], []
    far = client.search(config, tmp_path / "far", on_progress=told.append, on_stage=stages.append)
    near = nas.search(config, tmp_path / "near")
    assert [(one["digest"], one["accuracy"]) for one in far["trials"]] == [
        (one["digest"], one["accuracy"]) for one in near["trials"]
    ]
    assert (tmp_path / "far" / "best.onnx").read_bytes()
    assert far == json.loads((tmp_path / "far" / "report.json").read_text())
    assert told[-1].trainings >= config.trainings
    assert stages[0].endswith("is in the queue of the server")
    newest = next(client.searches())
    assert newest["state"] == "done"
    assert client.trial(newest["id"], 0)["curve"]["losses"]
    with pytest.raises(UsageError, match="not empty"):
        client.search(config, tmp_path / "far")
    with pytest.raises(ServerError) as unknown:
        client.delete_model("0" * 64)
    assert unknown.value.status == 404
    more = client.resume(newest["id"], tmp_path / "more", trainings=4)
    assert len(more["trials"]) > len(far["trials"])
    assert more["trials"][: len(far["trials"])] == far["trials"]
    client.delete(newest["id"])
    assert next(client.searches(), None) is None


@pytest.mark.takes(60, TAKES)
def test_a_file_of_this_machine_is_uploaded(client, onnx_file, tmp_path):
    answer = client.predict(onnx_file, task="digits")
    assert answer["interval"][0] <= answer["accuracy"] <= answer["interval"][1]
    again = client.predict(answer["model"], task="digits")
    assert again == answer
    data = tmp_path / "data.csv"
    data.write_text("a,b,kind\n" + "".join(f"{i % 7},{i % 5},{'xy'[i % 2]}\n" for i in range(120)))
    sizes = client.validate(
        nas.SearchConfig(task=str(data), target="kind", space="mlp", trainings=2, epochs=1, round=2, screen=4)
    )["sizes"]
    assert sizes[0]["candidate"] == "smallest"
    client.delete_model(answer["model"])
    client.delete_dataset(client.upload_dataset(data, target="kind")["sha256"])


def test_what_belongs_to_this_machine_is_not_sent(config):
    with nas.Client("http://127.0.0.1:1") as one:
        for changes in ({"executor": "processes"}, {"data_dir": "here"}, {"device": "cuda"}):
            with pytest.raises(UsageError, match="of this machine"):
                one.submit(dataclasses.replace(config, **changes))
        with pytest.raises(UsageError, match="no id"):
            one.get("../etc")
        with pytest.raises(UsageError, match=r"\.csv or \.npz"):
            one.upload_dataset("x.txt")
    with pytest.raises(UsageError, match="an address such as"):
        nas.Client("localhost")


def answering(*answers):
    """A client whose requests get these answers in turn, with the requests and the seconds that it waited."""
    asked, waited, left = [], [], list(answers)

    def handle(request):
        asked.append(request)
        answer = left.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    one = nas.Client("http://far", token="nas_secret", transport=httpx.MockTransport(handle), sleep=waited.append)
    return one, asked, waited


def test_a_busy_server_is_asked_again_with_the_same_key(config):
    busy = httpx.Response(429, headers={"retry-after": "7"}, json={"detail": "busy"})
    one, asked, waited = answering(busy, httpx.ConnectError("no"), httpx.Response(202, json={"id": "a"}))
    assert one.submit(config) == {"id": "a"}
    assert waited[0] == 7.0
    assert len({request.headers["idempotency-key"] for request in asked}) == 1
    assert all(request.headers["authorization"] == "Bearer nas_secret" for request in asked)
    assert all("nas_secret" not in str(request.url) for request in asked)


def test_a_server_that_never_answers_ends_with_one_clear_error(config):
    one, asked, _ = answering(*[httpx.ConnectError("refused")] * ATTEMPTS)
    with pytest.raises(ServerError, match="http://far does not answer"):
        one.submit(config)
    assert len(asked) == ATTEMPTS


def test_a_problem_is_told_in_its_own_words(config):
    problem = {"type": "urn:nas:problem:unprocessable", "title": "x", "detail": "no candidate meets nnz<=1"}
    one, _, waited = answering(httpx.Response(422, json=problem), httpx.Response(500, text="<html>"))
    with pytest.raises(ServerError, match="no candidate meets nnz<=1") as caught:
        one.submit(config)
    assert (caught.value.status, caught.value.type, waited) == (422, "unprocessable", [])
    with pytest.raises(ServerError, match="status 500"):
        one.get("a")


def test_after_a_broken_connection_no_event_is_lost_or_told_twice():
    head = {"content-type": "text/event-stream"}

    def stream(*events, broken=False):
        def parts():
            for number in events:
                yield f'retry: 10\n\nid: {number}\nevent: stage\ndata: {{"text": "{number}"}}\n\n'.encode()
            if broken:
                raise httpx.ReadError("cut")

        return httpx.Response(200, headers=head, content=parts())

    one, asked, waited = answering(stream(1, 2, broken=True), httpx.Response(503), stream(3), httpx.Response(204))
    assert [event.number for event in one.events("a")] == [1, 2, 3]
    assert [request.headers.get("last-event-id") for request in asked] == [None, "2", "2", "3"]
    assert len(waited) == 2


def test_a_failed_search_says_why():
    failed = {"state": "failed", "error": {"kind": "memory", "detail": "not enough memory"}}
    one, _, _ = answering(httpx.Response(204), httpx.Response(200, json=failed))
    with pytest.raises(RunError, match="search a is failed: not enough memory"):
        one.follow("a")


@pytest.mark.parametrize("name", ["../evil", ".hidden", "a/b"])
def test_a_server_cannot_write_outside_the_folder(name, tmp_path):
    one, _, _ = answering(httpx.Response(200, json={"items": [{"name": name, "sha256": "0" * 64}]}))
    with pytest.raises(ServerError, match="no plain name"):
        one.fetch("a", tmp_path / "out")
    assert list(tmp_path.rglob("*")) == [tmp_path / "out"]


def test_a_damaged_file_is_refused(tmp_path):
    listing = httpx.Response(200, json={"items": [{"name": "best.onnx", "sha256": "0" * 64}]})
    one, _, _ = answering(listing, httpx.Response(200, content=b"other"))
    with pytest.raises(ServerError, match="arrived damaged"):
        one.fetch("a", tmp_path / "out")
    assert not (tmp_path / "out" / "best.onnx").exists()


def nas_command(*words, cwd):
    return subprocess.run([sys.executable, "-m", "nas", *words], capture_output=True, text=True, cwd=cwd, timeout=300)


@pytest.mark.takes(60, TAKES)
def test_the_command_line_lets_a_server_search(server, tiny, onnx_file, tmp_path):
    flags = ["--task", "digits", "--space", "mlp", "--constraint", "nnz<=300", "--trainings", "2", "--epochs", "1"]
    flags += ["--screen", "4", "--round", "2", "--repeats", "1", "--seed", "1", "--subset", "200"]
    done = nas_command("--server", server.address, "search", *flags, "--out", "far", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Verdict:" in done.stdout
    assert (tmp_path / "far" / "report.html").exists()
    asked = nas_command("--server", server.address, "predict", str(onnx_file), "--task", "digits", cwd=tmp_path)
    assert asked.returncode == 0, asked.stderr
    assert "90 % interval" in asked.stdout
    wrong = nas_command("--server", server.address, "search", *flags, "--executor", "processes", cwd=tmp_path)
    assert (wrong.returncode, wrong.stderr.count("\n")) == (2, 1)
    other = nas_command("--server", server.address, "list", "tasks", cwd=tmp_path)
    assert other.returncode == 2
    assert "works on this machine" in other.stderr

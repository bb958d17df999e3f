"""Searches through the API, from the request to the winner's file."""

import hashlib
import json
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from nas.service.searches.trial_table import front_of


@pytest.fixture(scope="module")
def done(server, tiny):
    """A search that is done."""
    answer = server.client.post("/v1/searches", json=tiny | {"trainings": 4})
    assert answer.status_code == 202, answer.text
    assert answer.headers["location"] == f"/v1/searches/{answer.json()['id']}"
    assert answer.json()["state"] == "queued"
    found = server.wait(answer.json()["id"])
    assert found["state"] == "done", found
    return found


@pytest.mark.takes(60, "starts a server, and searches")
def test_a_search_is_done_and_shows_its_winner(server, done):
    assert done["request"]["task"] == "digits"
    assert 0 <= done["result"]["test"] <= 1
    assert 0 < done["result"]["nnz"] <= 300
    assert done["progress"]["trainings"] >= 4
    assert done["attempt"] == 1


def test_events_are_numbered_and_replayed_after_the_last_one(server, done):
    events = server.events(done["id"])
    assert [number for number, _, _ in events] == list(range(1, len(events) + 1))
    states = [data.partition('"state":"')[2].partition('"')[0] for _, kind, data in events if kind == "state"]
    assert states == ["queued", "running", "done"]
    assert server.events(done["id"], last=2) == events[2:]
    ended = server.client.get(f"/v1/searches/{done['id']}/events", headers={"last-event-id": str(len(events))})
    assert ended.status_code == 204


def test_the_winner_is_an_onnx_file_with_etag_ranges_and_hash(server, done):
    address = f"/v1/searches/{done['id']}/artifacts/best.onnx"
    whole = server.client.get(address)
    sha256 = hashlib.sha256(whole.content).hexdigest()
    assert whole.headers["etag"] == f'"{sha256}"'
    assert onnxruntime.InferenceSession(whole.content).get_inputs()[0].shape[1:] == [1, 8, 8]
    part = server.client.get(address, headers={"range": "bytes=4-9", "if-range": f'"{sha256}"'})
    assert (part.status_code, part.content) == (206, whole.content[4:10])
    assert part.headers["content-range"] == f"bytes 4-9/{len(whole.content)}"
    assert server.client.get(address, headers={"range": "bytes=-5"}).content == whole.content[-5:]
    assert server.client.get(address, headers={"range": "bytes=4-9", "if-range": '"old"'}).content == whole.content
    assert server.client.get(address, headers={"range": "bytes=99999999-"}).status_code == 416
    assert server.client.get(address, headers={"if-none-match": f'"{sha256}"'}).status_code == 304
    several = server.client.get(address, headers={"range": "bytes=0-1,4-5"})
    assert (several.status_code, several.content) == (200, whole.content)
    head = server.client.head(address)
    names = ("etag", "content-length", "content-type", "repr-digest", "accept-ranges")
    assert (head.status_code, head.content) == (200, b"")
    assert {name: head.headers[name] for name in names} == {name: whole.headers[name] for name in names}
    assert server.client.head(address, headers={"if-none-match": f'"{sha256}"'}).status_code == 304
    assert server.client.head(f"{address}x").status_code == 404
    assert server.client.get(address).content == whole.content, "the connection can still be used"
    listed = server.client.get(f"/v1/searches/{done['id']}/artifacts").json()["items"]
    assert {one["name"]: one["sha256"] for one in listed}["best.onnx"] == sha256
    assert {"report.html", "report.json", "trials.csv", "config.toml"} <= {one["name"] for one in listed}


@pytest.mark.parametrize("name", ["..%2Fservice.sqlite3", ".lock", "models", "%2Fetc%2Fpasswd", "nothing.onnx"])
def test_other_files_cannot_be_read(server, done, name):
    answer = server.client.get(f"/v1/searches/{done['id']}/artifacts/{name}")
    assert answer.status_code in (404, 422)
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_report_may_not_touch_the_service(server, done):
    page = server.client.get(f"/v1/searches/{done['id']}/artifacts/report.html")
    assert "sandbox" in page.headers["content-security-policy"]
    assert "allow-same-origin" not in page.headers["content-security-policy"]


def test_trials_and_front_are_those_of_the_run(server, done):
    address = f"/v1/searches/{done['id']}"
    table = server.client.get(f"{address}/artifacts/trials.csv").text.splitlines()
    trials = server.client.get(f"{address}/trials").json()
    assert [one["number"] for one in trials["items"]] == list(range(len(table) - 1))
    assert all(one["nnz"] <= 300 and 0 <= one["accuracy"] <= 1 for one in trials["items"])
    first = server.client.get(f"{address}/trials?limit=1").json()
    second = server.client.get(f"{address}/trials", params={"limit": 1, "cursor": first["next"]}).json()
    assert [first["items"][0], second["items"][0]] == trials["items"][:2]
    front = server.client.get(f"{address}/front").json()
    assert front["state"] == "final"
    assert front["items"] == server.client.get(f"{address}/artifacts/report.json").json()["front"]
    details = server.client.get(f"{address}/trials/0").json()
    assert details["trial"] == trials["items"][0]
    assert len(details["curve"]["losses"]) == len(details["curve"]["accuracies"]) > 0
    assert details["curve"]["accuracies"][-1] == pytest.approx(trials["items"][0]["accuracy"], rel=1e-5)
    assert server.client.get(f"{address}/trials/99999").status_code == 404
    log = server.client.get(f"{address}/trials/0/log?follow=1").text.splitlines()
    epochs = [json.loads(line) for line in log if line.startswith('{"epoch"')]
    assert [one["loss"] for one in epochs] == details["curve"]["losses"]
    assert f'"accuracy": {trials["items"][0]["accuracy"]}' in log[-1]
    assert any(" progress " in line for line in log)
    assert not any('"done"' in line for line in log), "only what happened in the round of the trial"
    assert server.client.get(f"{address}/trials/99999/log?follow=1").status_code == 404


def test_the_winner_answers_by_the_open_inference_protocol(server, done):
    address = f"/v2/models/{done['id']}"
    facts = server.client.get(address).json()
    assert (facts["platform"], facts["inputs"][0]["datatype"]) == ("onnx_onnxv1", "FP32")
    assert server.client.get(f"{address}/ready").json()["ready"] is True
    x = np.random.default_rng(0).uniform(0, 16, (3, 1, 8, 8)).astype(np.float32)
    name = facts["inputs"][0]["name"]
    body = {
        "id": "7",
        "inputs": [{"name": name, "datatype": "FP32", "shape": [3, 1, 8, 8], "data": x.ravel().tolist()}],
    }
    answer = server.client.post(f"{address}/infer", json=body).json()
    whole = server.client.get(f"/v1/searches/{done['id']}/artifacts/best.onnx").content
    expected = onnxruntime.InferenceSession(whole).run(None, {name: x})[0]
    assert answer["id"] == "7"
    assert answer["outputs"][0]["shape"] == [3, 10]
    np.testing.assert_allclose(np.reshape(answer["outputs"][0]["data"], (3, 10)), expected, rtol=1e-4, atol=1e-4)
    for wrong in ({"name": "other"}, {"shape": [2, 1, 8, 8]}, {"shape": [3, 64]}, {"datatype": "INT8"}, {"data": [[]]}):
        refused = server.client.post(f"{address}/infer", json={"inputs": [body["inputs"][0] | wrong]})
        assert refused.status_code == 422, refused.text


def test_the_dry_run_shows_what_a_search_would_do_and_stores_nothing(server, tiny):
    before = server.client.get("/v1/searches").json()
    answer = server.client.post("/v1/searches:validate", json=tiny)
    assert answer.status_code == 200, answer.text
    assert answer.json()["references"]
    assert answer.json()["seconds"] > 0
    assert server.client.post("/v1/searches:validate", json=tiny | {"constraint": ["nnz<=0"]}).status_code == 422
    assert server.client.get("/v1/searches").json() == before


@pytest.mark.parametrize("kind", ["tasks", "spaces", "methods", "strategies", "predictors", "metrics"])
def test_names_for_forms(server, kind):
    items = server.client.get(f"/v1/{kind}").json()["items"]
    assert len(items) > 1
    assert all(one["name"] and one["meaning"] for one in items)


def test_figures_for_prometheus(server, done):
    text = server.client.get("/metrics").text
    assert 'nas_searches{state="done"} 1.0' in text
    assert 'route="/v1/searches/{id}"' in text
    assert "nas_free_bytes" in text


def test_the_server_process_never_loads_torch(server, done):
    maps = Path(f"/proc/{server.process.pid}/maps").read_text()
    assert "sqlite3" in maps, "the libraries of the process are listed"
    assert "libtorch" not in maps
    assert "onnxruntime" not in maps


def test_a_search_that_is_done_goes_on_with_more_trainings(server, done):
    address = f"/v1/searches/{done['id']}:resume"
    assert server.client.post(address).status_code == 409
    assert server.client.post(address, json={"trainings": 1}).status_code == 409
    answer = server.client.post(address, json={"trainings": 24})
    assert answer.status_code == 202, answer.text
    found = server.wait(done["id"])
    assert (found["state"], found["trainings"], found["attempt"]) == ("done", 24, 2)
    assert found["progress"]["trainings"] >= 24


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"constraint": ["nnz<=0"]}, "nnz<=0"),
        ({"constraint": ["nnz=5"]}, "nnz=5"),
        ({"task": "digitz"}, "did you mean 'digits'"),
        ({"task": "/etc/passwd.csv"}, "unknown task"),
        ({"task": "0" * 64}, "post it to /v1/datasets"),
        ({"model": "/etc/passwd"}, "sha256"),
        ({"device": "cuda"}, "the server chooses"),
        ({"data_dir": "/"}, "cannot be set"),
        ({"table": "/etc/passwd", "column": "x"}, "cannot be set"),
        ({"trainings": 0}, "trainings"),
        ({"trainings": "2"}, "trainings"),
        ({"trainings": 2000}, "1,000"),
        ({"training": 5}, "training"),
        ({"strategy": "none"}, "none"),
    ],
)
def test_a_wrong_search_is_refused_before_anything_is_trained(server, tiny, change, part):
    before = server.client.get("/v1/searches").json()
    answer = server.client.post("/v1/searches", json=tiny | change)
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == 422
    assert part in problem["detail"]
    assert server.client.get("/v1/searches").json() == before


def test_the_metric_is_known_before_anything_is_trained(server):
    body = {"task": "embedded-reber", "space": "rnn", "constraint": ["nnz<=400"], "trainings": 500}
    asked = server.client.post("/v1/searches", json=body).json()
    assert asked["metric"] == {"name": "legality", "goal": "maximize", "unit": "%"}
    assert asked["result"] is None
    server.client.post(f"/v1/searches/{asked['id']}:cancel")
    server.wait(asked["id"])


def test_the_front_of_a_metric_of_which_less_is_better():
    trials = [
        {"digest": str(n), "accuracy": error, "nnz": nnz} for n, (error, nnz) in enumerate([(3, 1), (2, 5), (4, 2)])
    ]
    front = front_of(trials, ["accuracy", "-nnz"], metric="rmse", goal="minimize")
    assert [row["digest"] for row in front] == ["1", "0"], "2 is worse than 0 in both"
    assert [row["digest"] for row in front_of(trials, ["accuracy", "-nnz"])] == ["2", "0"]


def test_a_search_that_runs_is_cancelled_and_resumed(server, tiny):
    id_ = server.client.post("/v1/searches", json=tiny | {"trainings": 500, "seed": 2}).json()["id"]
    server.wait(id_, "running")
    waiting = server.client.post("/v1/searches", json=tiny | {"seed": 3}).json()["id"]
    assert server.client.post(f"/v1/searches/{waiting}:cancel").json()["state"] == "cancelled"
    assert server.client.post(f"/v1/searches/{id_}:cancel").status_code == 202
    assert server.wait(id_)["state"] == "cancelled"
    assert server.client.post(f"/v1/searches/{id_}:cancel").json()["state"] == "cancelled"
    assert server.client.post(f"/v1/searches/{id_}:resume").json()["state"] == "queued"
    server.wait(id_, "running")
    server.client.post(f"/v1/searches/{id_}:cancel")
    server.wait(id_)


def test_what_does_not_exist_is_a_problem(server):
    for address in ("/v1/searches/" + "0" * 22, "/v1/nothing", "/v1/searches/" + "0" * 22 + "/events"):
        answer = server.client.get(address)
        assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
    assert server.client.delete("/v1/searches").status_code == 405
    broken = server.client.post("/v1/searches", content=b"{", headers={"content-type": "application/json"})
    assert broken.json()["type"] == "urn:nas:problem:not-json"

"""Uploaded models and predictions."""

import hashlib

import pytest


@pytest.fixture(scope="module")
def model(server, onnx_file):
    """The hash of an uploaded model."""
    answer = server.client.post("/v1/models", content=onnx_file.read_bytes(), headers=BINARY)
    assert answer.status_code == 201, answer.text
    assert answer.json()["sha256"] == hashlib.sha256(onnx_file.read_bytes()).hexdigest()
    assert answer.headers["location"] == f"/v1/models/{answer.json()['sha256']}"
    return answer.json()["sha256"]


BINARY = {"content-type": "application/octet-stream"}


@pytest.mark.takes(30, "starts a server")
def test_the_same_file_is_stored_once(server, model, onnx_file):
    again = server.client.post("/v1/models", content=onnx_file.read_bytes(), headers=BINARY)
    assert (again.status_code, again.json()["sha256"]) == (200, model)
    assert [one["sha256"] for one in server.client.get("/v1/models").json()["items"]] == [model]
    assert server.client.get(f"/v1/models/{model}").json()["facts"]["inputs"][0]["shape"][1:] == [1, 8, 8]


def test_a_prediction_has_interval_support_and_reason(server, model, onnx_file):
    import predictors

    answer = server.client.post(f"/v1/models/{model}:predict", json={"task": "digits", "weights": "own"}).json()
    expected = predictors.load("default").predict(str(onnx_file), task="digits", weights="own")
    assert answer["accuracy"] == pytest.approx(float(expected.mean[0]), abs=1e-9)
    assert answer["interval"] == pytest.approx([float(expected.low[0]), float(expected.high[0])], abs=1e-9)
    assert answer["support"] in ("inside", "doubtful", "unseen", "outside")
    assert answer["why"]
    assert (answer["model"], answer["task"], answer["explanation"], answer["others"]) == (model, "digits", None, [])
    again = server.client.post(f"/v1/models/{model}:predict", json={"task": "digits", "weights": "own"})
    assert again.json() == answer


def test_without_a_task_every_known_task_that_fits_is_answered(server, model):
    answer = server.client.post(f"/v1/models/{model}:predict", json={}).json()
    assert "digits" in [one["task"] for one in (answer, *answer["others"])]


def test_a_prediction_is_explained(server, model):
    answer = server.client.post(f"/v1/models/{model}:predict", json={"task": "digits", "explain": True}).json()
    assert answer["explanation"]["layers"]


def test_a_batch_answers_each_model_and_says_what_is_wrong_with_the_others(server, model):
    answer = server.client.post("/v1/models:predict", json={"models": [model, "0" * 64], "task": "digits"}).json()
    good, bad = answer["items"]
    assert good["answer"]["model"] == model
    assert good["problem"] is None
    assert bad["answer"] is None
    assert bad["problem"]["status"] == 404


@pytest.mark.parametrize(
    ("question", "part"),
    [
        ({"task": "no-such-task"}, "no-such-task"),
        ({"task": "/etc/passwd.json"}, "passwd"),
        ({"task": "0" * 64}, "/v1/datasets"),
        ({"task": "digits", "method": "magic"}, "magic"),
        ({"tasks": "digits"}, "tasks"),
        ({"task": "digits", "nnz": 0}, "nnz"),
    ],
)
def test_a_wrong_question_is_refused(server, model, question, part):
    answer = server.client.post(f"/v1/models/{model}:predict", json=question)
    assert answer.status_code == 422, answer.text
    assert part in answer.json()["detail"]


@pytest.mark.parametrize("content", [b"\x00\x01\x02", b"no model", b"\x08\x0a" * 1000])
def test_a_file_that_is_no_model_is_refused_and_not_kept(server, model, content):
    answer = server.client.post("/v1/models", content=content, headers=BINARY)
    assert answer.status_code == 422, answer.text
    assert "/" not in answer.json()["detail"].replace("/v1/", "")
    assert len(server.client.get("/v1/models").json()["items"]) == 1


def test_another_media_type_and_an_empty_body_are_refused(server):
    assert server.client.post("/v1/models", content=b"x", headers={"content-type": "text/html"}).status_code == 415
    assert server.client.post("/v1/models", content=b"", headers=BINARY).status_code == 422

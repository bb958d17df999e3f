"""Uploaded data sets, as the task of predictions and searches."""

import io

import numpy as np
import pytest

from nas.service.data_folder import plain_name

CSV = {"content-type": "text/csv"}
BINARY = {"content-type": "application/octet-stream"}


@pytest.fixture(scope="module")
def table():
    """A csv file: two numbers, and whether the first is larger."""
    rng = np.random.default_rng(0)
    rows = rng.uniform(size=(200, 2))
    lines = [f"{a:.4f},{b:.4f},{'yes' if a > b else 'no'}" for a, b in rows]
    return "\n".join(["first,second,larger", *lines]).encode()


def assert_no_paths(server, id_: str, name: str) -> None:
    """No file of the run, no event and no answer tells where the data folder is; they tell the name of the user's file."""
    address = f"/v1/searches/{id_}"
    files = {one["name"]: one["link"] for one in server.client.get(f"{address}/artifacts").json()["items"]}
    assert {"config.toml", "report.json", "report.html", "journal.log", "best.onnx"} <= set(files)
    answers = {name: server.client.get(link).content for name, link in files.items()}
    answers |= {part: server.client.get(f"{address}{part}").content for part in ("", "/events", "/trials", "/network")}
    answers["log"] = (server.data / "logs" / f"{id_}.log").read_bytes()
    assert [part for part, content in answers.items() if str(server.data).encode() in content] == []
    assert all(name.encode() in answers[part] for part in ("config.toml", "report.json", "report.html"))


@pytest.mark.takes(90, "starts a server, and searches")
def test_a_search_on_an_uploaded_table(server, table, tiny):
    named = {"target": "larger", "name": "C:\\data\\big numbers.CSV"}
    answer = server.client.post("/v1/datasets", content=table, headers=CSV, params=named)
    assert answer.status_code == 201, answer.text
    assert answer.json()["name"] == named["name"]
    facts = answer.json()["facts"]
    assert (facts["input_shape"], facts["outputs"], facts["target"]) == ([2], 2, "larger")
    sha256 = answer.json()["sha256"]
    again = server.client.post("/v1/datasets?target=larger", content=table, headers=CSV)
    assert (again.status_code, again.json()) == (200, answer.json())
    assert [one["sha256"] for one in server.client.get("/v1/datasets").json()["items"]] == [sha256]
    assert server.client.get(f"/v1/datasets/{sha256}").json() == answer.json()
    body = {name: value for name, value in tiny.items() if name != "subset"} | {"task": sha256}
    asked = server.client.post("/v1/searches", json=body)
    assert asked.status_code == 202, asked.text
    found = server.wait(asked.json()["id"])
    assert found["state"] == "done", found
    assert found["request"]["task"] == sha256
    assert found["files"] == {"task": "big_numbers.csv"}
    assert_no_paths(server, found["id"], "big_numbers")
    more = server.client.post(f"/v1/searches/{found['id']}:resume", json={"trainings": 40})
    assert more.status_code == 202, more.text
    assert server.wait(found["id"])["state"] == "done"
    assert_no_paths(server, found["id"], "big_numbers")
    assert server.client.delete(f"/v1/searches/{found['id']}").status_code == 204
    assert list((server.data / "inputs").iterdir()) == []
    wrong = server.client.post("/v1/searches", json=body | {"target": "nothing"})
    assert wrong.status_code == 422
    assert "nothing" in wrong.json()["detail"]


def test_arrays(server):
    rng = np.random.default_rng(0)
    file = io.BytesIO()
    np.savez(file, x=rng.normal(size=(100, 4)).astype(np.float32), y=rng.integers(0, 3, 100))
    answer = server.client.post("/v1/datasets", content=file.getvalue(), headers=BINARY)
    assert answer.status_code == 201, answer.text
    assert answer.json()["facts"]["outputs"] == 3


@pytest.mark.takes(60, "starts a server, and searches")
def test_a_search_of_masks_for_an_uploaded_model(server, onnx_file, tiny):
    named = {"name": "my net.onnx"}
    model = server.client.post("/v1/models", content=onnx_file.read_bytes(), headers=BINARY, params=named).json()
    body = {name: value for name, value in tiny.items() if name != "space"} | {"model": model["sha256"]}
    asked = server.client.post("/v1/searches", json=body)
    assert asked.status_code == 202, asked.text
    assert server.wait(asked.json()["id"])["state"] == "done"
    assert_no_paths(server, asked.json()["id"], "my_net.onnx")


@pytest.mark.parametrize(
    ("name", "kind", "shown"),
    [
        ("iris.csv", "csv", "iris.csv"),
        ("../../etc/passwd", "csv", "passwd.csv"),
        ("C:\\data\\big numbers.CSV", "csv", "big_numbers.csv"),
        ("мережа.onnx", "model", "мережа.onnx"),
        ("-rf $(x).npz", "npz", "rf_x.npz"),
        ("...", "npz", "aaaaaaaaaaaa.npz"),
        ("", "model", "aaaaaaaaaaaa.onnx"),
        ("x" * 200, "csv", "x" * 80 + ".csv"),
    ],
)
def test_the_name_of_an_upload_is_plain(name, kind, shown):
    assert plain_name(name, kind, "a" * 64) == shown


@pytest.mark.parametrize(
    ("content", "headers", "query", "status"),
    [
        (b"a,b\n1,2\n", CSV, "?target=c", 422),
        (b"\xff\xfe\x00", CSV, "", 422),
        (b"no archive", BINARY, "", 422),
        (b"PK\x05\x06" + b"\0" * 18, BINARY, "", 422),
        (b"a,b\n1,2\n", BINARY, "?target=b", 422),
        (b"a,b\n1,2\n", {"content-type": "application/pdf"}, "", 415),
    ],
)
def test_what_is_no_data_set_is_refused(server, content, headers, query, status):
    before = server.client.get("/v1/datasets").json()
    answer = server.client.post(f"/v1/datasets{query}", content=content, headers=headers)
    assert answer.status_code == status, answer.text
    assert str(server.data) not in answer.text
    assert server.client.get("/v1/datasets").json() == before
    assert list((server.data / "uploads").iterdir()) == []


def test_the_name_of_a_file_is_short_enough_for_every_file_system():
    name = plain_name("𝔸" * 200 + ".csv", "csv", "a" * 64)
    assert name.endswith(".csv")
    assert len(name.encode()) <= 255


def test_a_name_with_signs_that_no_text_of_the_database_can_hold_is_refused(server, table):
    answer = server.client.post("/v1/datasets", content=table, headers=CSV, params={"target": "larger", "name": "a\0b"})
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")

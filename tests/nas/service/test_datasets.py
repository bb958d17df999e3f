"""Uploaded data sets, as the task of predictions and searches."""

import io

import numpy as np
import pytest

CSV = {"content-type": "text/csv"}
BINARY = {"content-type": "application/octet-stream"}


@pytest.fixture(scope="module")
def table():
    """A csv file: two numbers, and whether the first is larger."""
    rng = np.random.default_rng(0)
    rows = rng.uniform(size=(200, 2))
    lines = [f"{a:.4f},{b:.4f},{'yes' if a > b else 'no'}" for a, b in rows]
    return "\n".join(["first,second,larger", *lines]).encode()


@pytest.mark.takes(60, "starts a server, and searches")
def test_a_search_on_an_uploaded_table(server, table, tiny):
    answer = server.client.post("/v1/datasets?target=larger", content=table, headers=CSV)
    assert answer.status_code == 201, answer.text
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

"""Tokens, scopes, quotas, hosts, limits of bodies, pages and idempotency."""

import json
import socket
import subprocess
import sys

import pytest

JSON = {"content-type": "application/json"}


def token(data, *flags):
    """A new token of the service whose data is in that folder."""
    command = [sys.executable, "-m", "nas", "token", "create", "test", "--data", str(data), "--format", "json", *flags]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def bearer(text):
    return {"authorization": f"Bearer {text}"}


@pytest.mark.takes(20, "starts a server, and makes tokens in other processes")
def test_tokens_have_scopes_and_are_revoked(serve, tmp_path, tiny):
    data = tmp_path / "data"
    server = serve(data, "--searches", "0")
    assert server.client.get("/v1/searches").status_code == 200, "open on loopback while there is no token"
    made = {scope: token(data, "--scope", scope) for scope in ("read", "run", "admin")}
    gone = token(data, "--days", "0.0000001")
    assert all(one["token"].startswith("nas_") for one in made.values())
    deadline = 50
    while server.client.get("/v1/searches").status_code == 200 and deadline:
        deadline -= 1
        subprocess.run(["sleep", "0.1"], check=True)
    closed = server.client.get("/v1/searches")
    assert (closed.status_code, closed.headers["www-authenticate"]) == (401, 'Bearer realm="nas"')
    for wrong in ("nas_" + "x" * 43, "secret", gone["token"]):
        assert server.client.get("/v1/searches", headers=bearer(wrong)).status_code == 401
    assert server.client.get("/v2/health/live").status_code == 200, "health needs no token"

    def ask(scope, **changes):
        return server.client.post("/v1/searches", json=tiny | changes, headers=bearer(made[scope]["token"]))

    assert server.client.get("/v1/searches", headers=bearer(made["read"]["token"])).status_code == 200
    assert ask("read").status_code == 403
    asked = ask("run")
    assert asked.json()["owner"] == made["run"]["id"]
    other = token(data, "--scope", "run")
    cancel = f"/v1/searches/{asked.json()['id']}:cancel"
    assert server.client.post(cancel, headers=bearer(other["token"])).status_code == 403
    assert server.client.post(cancel, headers=bearer(made["admin"]["token"])).status_code == 202
    delete = f"/v1/searches/{asked.json()['id']}"
    assert server.client.delete(delete, headers=bearer(made["read"]["token"])).status_code == 403
    assert server.client.delete(delete, headers=bearer(other["token"])).status_code == 403
    assert server.client.delete(delete, headers=bearer(made["admin"]["token"])).status_code == 204
    content = b"a,b\n" + b"1,x\n2,y\n" * 20
    table = {"content": content, "headers": bearer(made["run"]["token"]) | {"content-type": "text/csv"}}
    upload = f"/v1/datasets/{server.client.post('/v1/datasets?target=b', **table).json()['sha256']}"
    assert server.client.delete(upload, headers=bearer(other["token"])).status_code == 403
    assert server.client.delete(upload, headers=bearer(made["run"]["token"])).status_code == 204
    revoke = [sys.executable, "-m", "nas", "token", "revoke", made["run"]["id"], "--data", str(data)]
    subprocess.run(revoke, check=True, capture_output=True)
    subprocess.run(["sleep", "2.5"], check=True)
    assert ask("run").status_code == 401
    secrets = [one["token"] for one in (*made.values(), gone, other)]
    database = b"".join(path.read_bytes() for path in data.glob("service.sqlite3*"))
    assert not any(one.encode() in database or one in server.log.read_text() for one in secrets)


def test_a_service_for_other_machines_needs_a_token(tmp_path):
    command = [
        sys.executable,
        "-m",
        "nas",
        "serve",
        "--host",
        "0.0.0.0",
        "--port",
        "0",
        "--data",
        str(tmp_path / "data"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "nas token create" in done.stderr


@pytest.mark.takes(15, "starts a server, and makes tokens in another process")
def test_a_service_on_loopback_needs_a_token_if_it_is_told_so(serve, tmp_path):
    data = tmp_path / "data"
    command = [sys.executable, "-m", "nas", "serve", "--require-token", "--port", "0", "--data", str(data)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "nas token create" in done.stderr
    made = token(data, "--scope", "read")
    server = serve(data, "--searches", "0", "--require-token")
    assert server.client.get("/v1/searches").status_code == 401
    assert server.client.get("/v1/searches", headers=bearer(made["token"])).status_code == 200
    revoke = [sys.executable, "-m", "nas", "token", "revoke", made["id"], "--data", str(data)]
    subprocess.run(revoke, check=True, capture_output=True)
    assert server.client.get("/v1/searches").status_code == 401
    paths = server.client.get("/openapi.json").json()["paths"]
    assert {} not in paths["/v1/searches"]["get"]["security"]


@pytest.mark.parametrize(
    ("address", "part"),
    [("postgresql://nas:secret@127.0.0.1:1/x", "cannot be used"), ("mysql://nas:secret@h/x", "postgresql://")],
)
def test_a_database_that_cannot_be_used_is_one_line_without_the_password(tmp_path, address, part):
    command = [sys.executable, "-m", "nas", "serve", "--database", address, "--data", str(tmp_path / "data")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert part in done.stderr
    assert "secret" not in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.fixture(scope="module")
def limited(serve_all, tmp_path_factory):
    """A server with small quotas, which runs no search."""
    return serve_all(tmp_path_factory.mktemp("service") / "data", *QUOTAS)


QUOTAS = ("--searches", "0", "--queue", "4", "--trainings", "50", "--daily-trainings", "60", "--model", "0.00001")


@pytest.mark.takes(15, "starts a server")
def test_one_key_creates_one_search(limited, tiny):
    first = limited.client.post("/v1/searches", json=tiny, headers={"idempotency-key": "a"})
    again = limited.client.post("/v1/searches", json=tiny, headers={"idempotency-key": "a"})
    assert first.status_code == again.status_code == 202
    assert again.headers["idempotency-replayed"] == "true"
    assert (again.json()["id"], again.headers["location"]) == (first.json()["id"], first.headers["location"])
    other = limited.client.post("/v1/searches", json=tiny | {"seed": 9}, headers={"idempotency-key": "a"})
    assert other.json()["type"] == "urn:nas:problem:key-reused"
    assert limited.client.post("/v1/searches", json=tiny, headers={"idempotency-key": "b"}).json() != first.json()


def test_pages_follow_each_other_without_gaps(limited, tiny):
    limited.client.post("/v1/searches", json=tiny | {"seed": 3})
    everything = [one["id"] for one in limited.client.get("/v1/searches").json()["items"]]
    assert len(everything) == 3
    assert everything == sorted(everything, reverse=True)
    found, cursor = [], {}
    while True:
        page = limited.client.get("/v1/searches", params={"limit": 1} | cursor).json()
        found += [one["id"] for one in page["items"]]
        if page["next"] is None:
            break
        cursor = {"cursor": page["next"]}
    assert found == everything
    for wrong in ("x", "====", "ä", "AAAA", "a" * 300):
        assert limited.client.get("/v1/searches", params={"cursor": wrong}).status_code == 422
    assert limited.client.get("/v1/searches", params={"limit": 0}).status_code == 422


def test_quotas_say_when_to_try_again(limited, tiny):
    too_long = limited.client.post("/v1/searches", json=tiny | {"trainings": 51})
    assert too_long.status_code == 422
    too_many = limited.client.post("/v1/searches", json=tiny | {"trainings": 50, "epochs": 1, "seed": 5})
    assert too_many.status_code == 202
    spent = limited.client.post("/v1/searches", json=tiny | {"trainings": 50, "epochs": 1, "seed": 5})
    assert (spent.status_code, spent.json()["type"]) == (429, "urn:nas:problem:quota-queue")
    for one in limited.client.get("/v1/searches").json()["items"]:
        limited.client.post(f"/v1/searches/{one['id']}:cancel")
    spent = limited.client.post("/v1/searches", json=tiny | {"trainings": 50, "epochs": 1, "seed": 5})
    assert (spent.status_code, spent.json()["type"]) == (429, "urn:nas:problem:quota-trainings")
    assert 80_000 < int(spent.headers["retry-after"]) <= 86_400


def test_a_body_is_limited_by_its_length_and_while_it_streams(limited):
    binary = {"content-type": "application/octet-stream"}
    assert limited.client.post("/v1/models", content=b"x" * 20_000, headers=binary).status_code == 413

    def parts():
        for _ in range(1000):
            yield b"x" * 1000

    streamed = limited.client.post("/v1/models", content=parts(), headers=binary)
    assert (streamed.status_code, streamed.json()["type"]) == (413, "urn:nas:problem:too-large")
    large = limited.client.post("/v1/searches", content=b" " * (2 << 20), headers=JSON)
    assert large.status_code == 413
    assert list((limited.data / "uploads").iterdir()) == []


def test_other_hosts_and_other_web_sites_are_refused(limited):
    def get(**headers):
        return limited.client.get("/v1/searches", headers={name.replace("_", "-"): v for name, v in headers.items()})

    assert get(host="evil.example").status_code == 421
    assert get(host="127.0.0.1.evil.example:80").status_code == 421
    assert get(host="[::1").status_code == 421
    assert get(host="localhost:1").status_code == 200
    assert get(origin="https://evil.example").status_code == 403
    assert get(origin="null").status_code == 403
    assert get(origin=limited.address).status_code == 200
    posted = limited.client.post("/v1/searches", json={}, headers={"sec-fetch-site": "cross-site"})
    assert posted.status_code == 403
    form = limited.client.post("/v1/searches", content=b'{"task": "digits"}', headers={"content-type": "text/plain"})
    assert form.status_code in (415, 422), "a form of another site cannot send JSON"


def test_every_answer_has_the_security_headers(limited):
    for address in ("/", "/v1/searches", "/v1/nothing", "/docs", "/openapi.json"):
        headers = limited.client.get(address).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["content-security-policy"].startswith("default-src 'self'")
        assert "set-cookie" not in headers
    refused = limited.client.get("/", headers={"host": "evil.example"})
    assert refused.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("wrong", ["lines", "bytes=5-2", "bytes=99999999-", "bytes=0-1"])
def test_a_range_of_a_file_of_the_page_is_ignored(limited, wrong):
    whole = limited.client.get("/style.css")
    found = limited.client.get("/style.css", headers={"range": wrong})
    assert (found.status_code, found.content) == (200, whole.content)


def test_broken_requests_do_not_end_the_server(limited):
    host, port = limited.address.removeprefix("http://").split(":")
    for text in (
        b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n",
        b"POST /v1/searches HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"POST /v1/models HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/octet-stream\r\nContent-Length: 99\r\n\r\nx",
        b"\x00\xff" * 100,
    ):
        with socket.create_connection((host, int(port)), timeout=10) as connection:
            connection.sendall(text)
    for body in (
        b"[" * 100_000,
        b'{"trainings": ' + b"9" * 5000 + b"}",
        b'{"task": "\\ud800"}',
        b'{"\\ud800": 1}',
        b"NaN",
    ):
        answer = limited.client.post("/v1/searches", content=body, headers=JSON)
        assert answer.status_code in (400, 422), answer.text
    assert limited.client.get("/v2/health/ready").json() == {"ready": True}


@pytest.mark.takes(15, "starts a server")
def test_behind_a_proxy_with_a_prefix(serve, tmp_path):
    server = serve(tmp_path / "data", "--searches", "0", "--root-path", "/nas", "--allow-host", "nas.example.org")
    host = {"host": "nas.example.org"}
    bare = server.address.removesuffix("/nas")
    for address in (f"{bare}/v1/searches", f"{bare}/nas/v1/searches"):
        assert server.client.get(address, headers=host).status_code == 200
    document = server.client.get(f"{bare}/nas/openapi.json", headers=host).json()
    assert document["servers"] == [{"url": "/nas"}]
    listed = server.client.post(f"{bare}/v1/searches", json={"task": "digits", "trainings": 1}, headers=host)
    assert listed.headers["location"].startswith("/nas/v1/searches/")
